//! What is named may come in any order, and is kept while it is named.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::deadline::holds_within;
use crate::followed::object;
use crate::operated::{OPERATED, condition, kstatus, reads, statements};
use crate::site::MANAGEMENT;

const FINALIZER: &str = "kube-iam.dev/in-use";

/// A policy, a group that names it, and a user who names both and is limited by the policy.
fn trio(account: &str) -> [Value; 3] {
    [
        reads(account, "read"),
        object("IamGroup", account, "devs", &json!({"policies": ["read"]})),
        object(
            "IamUser",
            account,
            "alice",
            &json!({"groups": ["devs"], "policies": ["read"], "permissionsBoundary": "read"}),
        ),
    ]
}

fn has_finalizer(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|all| all.contains(&json!(FINALIZER)))
}

#[test]
fn dangling_references_heal_in_every_arrival_order() {
    let operated = OPERATED.get();
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (number, order) in orders.into_iter().enumerate() {
        let account = format!("order-{number}");
        operated.writer.namespace(&account);
        let objects = trio(&account);
        for index in order {
            operated.writer.create(&objects[index]);
            // Long enough for a missing one to be told.
            std::thread::sleep(Duration::from_millis(if number % 2 == 0 { 700 } else { 0 }));
        }
        for (kind, name) in [("IamPolicy", "read"), ("IamGroup", "devs"), ("IamUser", "alice")] {
            let found = operated.until_ready(kind, &account, name, "True", "InForce");
            assert_eq!(kstatus(&found), "Current");
        }
        operated.until("IamPolicy", &account, "read", "attached to both", |policy| {
            policy["status"]["attachmentCount"] == 2 && has_finalizer(policy)
        });
        operated.until("IamGroup", &account, "devs", "a member", |group| {
            group["status"]["memberCount"] == 1 && has_finalizer(group)
        });
        operated.check_history(Some(&account));
        // What is missing for a moment only is never told of.
        let told = |object: &Value| condition(object, "Ready")["reason"] == "ReferenceNotFound";
        if number == 5 {
            assert!(operated.history(Some(&account)).iter().any(|object| !object["status"].is_null()));
        }
        if number % 2 == 1 {
            assert!(!operated.history(Some(&account)).iter().any(told), "{order:?}");
        }
    }
}

#[test]
fn a_missing_reference_is_told_with_what_to_do_and_heals() {
    let operated = OPERATED.get();
    let account = "references-missing";
    operated.writer.namespace(account);
    let alice = json!({"policies": [format!("arn:k8s:iam::{MANAGEMENT}:policy/references-shared")]});
    operated.writer.create(&object("IamUser", account, "alice", &alice));
    let dangling = operated.until_ready("IamUser", account, "alice", "False", "ReferenceNotFound");
    assert_eq!(kstatus(&dangling), "InProgress");
    let message = condition(&dangling, "Ready")["message"].as_str().unwrap().to_owned();
    let expected = format!(
        "spec.policies[0]: there is no IamPolicy `references-shared` in account `{MANAGEMENT}`; \
         create it, or take the name off; this heals by itself"
    );
    assert_eq!(message, expected);
    let shared = reads(MANAGEMENT, "references-shared");
    operated.writer.create(&shared);
    operated.until_ready("IamUser", account, "alice", "True", "InForce");
    operated.until("IamPolicy", MANAGEMENT, "references-shared", "kept", has_finalizer);
    operated.writer.delete(&object("IamUser", account, "alice", &alice));
    // Nobody names it any more: its finalizer, which stays for a while, keeps nobody waiting.
    operated.writer.delete(&shared);
    operated.until_gone("IamPolicy", MANAGEMENT, "references-shared");
    operated.check_history(Some(account));
}

#[test]
fn what_is_named_stays_with_its_denies_until_nothing_names_it() {
    let operated = OPERATED.get();
    let account = "references-kept";
    operated.writer.namespace(account);
    let policy = object("IamPolicy", account, "no", &json!({"statements": statements("Deny")}));
    let group = object("IamGroup", account, "devs", &json!({"policies": ["no"]}));
    let alice = json!({"identities": [{"kind": "User", "name": "kept-alice"}], "groups": ["devs"]});
    let alice = object("IamUser", account, "alice", &alice);
    for object in [&policy, &group, &alice] {
        operated.writer.create(object);
    }
    operated.until("IamPolicy", account, "no", "kept", has_finalizer);
    operated.until("IamGroup", account, "devs", "kept", has_finalizer);
    operated.writer.delete(&policy);
    operated.writer.delete(&group);
    let held = operated.until("IamPolicy", account, "no", "being deleted", |policy| {
        condition(policy, "Ready")["reason"] == "Deleting"
    });
    assert_eq!(kstatus(&held), "Terminating");
    let message = condition(&held, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&format!("named by IamGroup {account}/devs")), "{message}");
    let denied = || operated.reason(0, "kept-alice", account).contains("ExplicitDeny");
    for _ in 0..10 {
        assert!(denied(), "{}", operated.reason(0, "kept-alice", account));
        std::thread::sleep(Duration::from_millis(100));
    }
    operated.writer.delete(&alice);
    operated.until_gone("IamGroup", account, "devs");
    operated.until_gone("IamPolicy", account, "no");
    assert!(holds_within(Duration::from_secs(10), || !denied()));
    operated.check_history(Some(account));
}

#[test]
fn who_comes_under_an_old_name_inherits_nothing() {
    let operated = OPERATED.get();
    let account = "references-again";
    operated.writer.namespace(account);
    let policy = object("IamPolicy", account, "it", &json!({"statements": statements("Deny")}));
    for _ in 0..3 {
        operated.writer.create(&policy);
        // Not good any more, so that there is something to inherit.
        operated.writer.respecify(&policy, &json!({"statements": [], "nonsense": true}));
        let old = operated.until("IamPolicy", account, "it", "a record", |it| !it["status"]["lastGood"].is_null());
        operated.writer.delete(&policy);
        let new = operated.writer.create(&reads(account, "it"));
        assert!(new["status"].is_null());
        let new = operated.until_ready("IamPolicy", account, "it", "True", "InForce");
        assert_ne!(new["metadata"]["uid"], old["metadata"]["uid"]);
        assert_ne!(new["status"]["policyID"], old["status"]["policyID"]);
        assert_eq!((&new["status"]["observedGeneration"], &new["status"]["lastGood"]), (&json!(1), &Value::Null));
        operated.writer.delete(&policy);
        operated.until_gone("IamPolicy", account, "it");
    }
    // No status of one was ever written on another.
    let mut ids = std::collections::BTreeMap::new();
    for object in operated.history(Some(account)) {
        if let Some(id) = object["status"]["policyID"].as_str() {
            let uid = object["metadata"]["uid"].as_str().unwrap().to_owned();
            assert_eq!(ids.entry(uid).or_insert_with(|| id.to_owned()), id);
        }
    }
    assert_eq!(ids.len(), 6);
    operated.check_history(Some(account));
}
