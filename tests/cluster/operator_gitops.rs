//! Side by side with kubectl and GitOps tools: nobody fights, and little is written.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::control_plane::deadline::holds_within;
use crate::followed::object;
use crate::operated::{OPERATED, Operated, condition, path, reads, statements};

/// Writes of ours to an object: all that was seen of it but what others wrote.
fn our_writes(operated: &Operated, account: &str, name: &str, theirs: usize) -> usize {
    let history = operated.history(Some(account));
    history.iter().filter(|object| object["metadata"]["name"] == name).count() - theirs
}

fn managers(object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fields = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    fields.iter().map(|entry| (text(&entry["manager"]), text(&entry["subresource"]))).collect()
}

fn with_managers(operated: &Operated, plural: &str, account: &str, name: &str) -> Value {
    let get = ["get", plural, name, "-n", account, "-o", "json", "--show-managed-fields"];
    serde_json::from_str(&operated.by_admin(get)).unwrap()
}

#[test]
fn two_managers_of_one_spec_and_we_of_its_status_keep_their_fields() {
    let operated = OPERATED.get();
    let account = "gitops-managers";
    operated.writer.namespace(account);
    operated.writer.create(&reads(account, "read"));
    let apply = |manager: &str, spec: &Value| {
        let manager = format!("--field-manager={manager}");
        let arguments = ["apply", "--server-side", &manager, "-f", "-"];
        operated.send(arguments, &object("IamUser", account, "alice", spec).to_string());
    };
    let mut theirs = 0;
    for round in 0..3 {
        apply("argocd", &json!({"policies": ["read"], "tags": {"team": format!("t{round}")}}));
        apply("flux", &json!({"identities": [{"kind": "User", "name": format!("gitops-{round}")}]}));
        theirs += 2;
        operated.until_ready("IamUser", account, "alice", "True", "InForce");
    }
    // Applying the same again is no write, and brings none of ours.
    apply("argocd", &json!({"policies": ["read"], "tags": {"team": "t2"}}));
    std::thread::sleep(Duration::from_secs(2));
    let user = with_managers(operated, "iamuser", account, "alice");
    assert_eq!(user["spec"]["tags"]["team"], "t2");
    let managers = managers(&user);
    for (manager, subresource) in [("argocd", ""), ("flux", ""), ("kube-iam", "status")] {
        assert!(managers.contains(&(manager.to_owned(), subresource.to_owned())), "{managers:?}");
    }
    assert!(!managers.contains(&("kube-iam".to_owned(), String::new())), "{managers:?}");
    let ours = our_writes(operated, account, "alice", theirs);
    assert!(ours <= 2 * theirs, "{ours} writes of ours for {theirs}");
    eprintln!("{ours} writes of ours for {theirs} of theirs");
    operated.check_history(Some(account));
}

#[test]
fn one_write_brings_one_status() {
    let operated = OPERATED.get();
    let account = "gitops-one";
    operated.writer.namespace(account);
    operated.writer.create(&reads(account, "read"));
    operated.until_ready("IamPolicy", account, "read", "True", "InForce");
    for round in 0..5 {
        let effect = if round % 2 == 0 { "Deny" } else { "Allow" };
        operated.writer.respecify(&reads(account, "read"), &json!({"statements": statements(effect)}));
        operated.until_ready("IamPolicy", account, "read", "True", "InForce");
    }
    std::thread::sleep(Duration::from_secs(2));
    let ours = our_writes(operated, account, "read", 6);
    assert!(ours <= 7, "{ours} writes of ours for 6");
    operated.check_history(Some(account));
}

#[test]
fn one_object_that_names_many_by_turns_brings_few_writes_to_all_of_them() {
    let operated = OPERATED.get();
    let account = "gitops-turns";
    operated.writer.namespace(account);
    let names: Vec<String> = (0..20).map(|index| format!("p{index}")).collect();
    let groups: Vec<String> = (0..10).map(|index| format!("g{index}")).collect();
    for name in &names {
        operated.writer.create(&reads(account, name));
    }
    for name in &groups {
        operated.writer.create(&object("IamGroup", account, name, &json!({})));
    }
    let many = json!({"policies": names, "groups": groups});
    operated.writer.create(&object("IamUser", account, "alice", &many));
    operated.until_ready("IamUser", account, "alice", "True", "InForce");
    for (kind, all, count) in [("IamPolicy", &names, "attachmentCount"), ("IamGroup", &groups, "memberCount")] {
        for name in all {
            operated.until(kind, account, name, "kept and counted", |object| {
                object["metadata"]["finalizers"].is_array() && object["status"][count] == 1
            });
        }
    }
    std::thread::sleep(Duration::from_secs(2));
    let before = operated.history(Some(account)).len();
    let turns = 40;
    for turn in 0..turns {
        let spec = if turn % 2 == 0 { json!({"policies": null, "groups": null}) } else { many.clone() };
        operated.writer.send(Method::PATCH, &path("IamUser", account, "alice"), &json!({"spec": spec}));
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(3));
    let history = operated.history(Some(account));
    let ours = history.len() - before - turns;
    eprintln!("{ours} writes of ours to all objects for {turns} of theirs to one");
    assert!(ours <= 2 * turns, "{ours} writes of ours for {turns}");
    let named = history.iter().rev().find(|object| object["metadata"]["name"] == "p0").unwrap();
    assert!(named["metadata"]["finalizers"].is_array(), "{named:#}");
    operated.check_history(Some(account));
}

#[test]
fn a_status_that_somebody_changes_is_put_right_once() {
    let operated = OPERATED.get();
    let account = "gitops-drift";
    operated.writer.namespace(account);
    operated.writer.create(&reads(account, "read"));
    let before = operated.until_ready("IamPolicy", account, "read", "True", "InForce");
    let lie = json!({"status": {"attachmentCount": 77, "arn": "arn:k8s:iam::x:policy/y"}});
    operated.writer.send(Method::PATCH, &format!("{}/status", path("IamPolicy", account, "read")), &lie);
    operated.until("IamPolicy", account, "read", "put right", |policy| policy["status"] == before["status"]);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(our_writes(operated, account, "read", 2), 2);
    // A status that is taken away altogether comes back, times and all but when it came.
    operated.writer.send(
        Method::PATCH,
        &format!("{}/status", path("IamPolicy", account, "read")),
        &json!({"status": null}),
    );
    operated.until_ready("IamPolicy", account, "read", "True", "InForce");
    operated.check_history(Some(account));
}

#[test]
fn a_label_or_an_annotation_brings_no_write() {
    let operated = OPERATED.get();
    let account = "gitops-labels";
    operated.writer.namespace(account);
    operated.writer.create(&reads(account, "read"));
    operated.until_ready("IamPolicy", account, "read", "True", "InForce");
    std::thread::sleep(Duration::from_secs(1));
    let before = our_writes(operated, account, "read", 1);
    for round in 0..5 {
        let label = json!({"metadata": {"labels": {"round": round.to_string()}}});
        operated.writer.send(Method::PATCH, &path("IamPolicy", account, "read"), &label);
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(our_writes(operated, account, "read", 6), before);
}

#[test]
fn replacing_an_object_with_what_was_got_leaves_nothing_stuck() {
    let operated = OPERATED.get();
    let account = "gitops-replace";
    operated.writer.namespace(account);
    operated.writer.create(&reads(account, "read"));
    operated.writer.create(&object("IamUser", account, "alice", &json!({"policies": ["read"]})));
    operated.until("IamPolicy", account, "read", "kept", |policy| policy["metadata"]["finalizers"].is_array());
    operated.until_ready("IamPolicy", account, "read", "True", "InForce");
    // Whoever writes back what they got owns the finalizer too.
    let mut got: Value =
        serde_json::from_str(&operated.by_admin(["get", "iampolicy", "read", "-n", account, "-o", "json"])).unwrap();
    got["spec"]["description"] = json!("replaced");
    got["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    operated.send(["replace", "-f", "-"], &got.to_string());
    let replaced = operated.until("IamPolicy", account, "read", "ready anew", |policy| {
        policy["metadata"]["generation"] == 2 && condition(policy, "Ready")["observedGeneration"] == 2
    });
    assert_eq!(replaced["spec"]["description"], "replaced");
    operated.writer.delete(&object("IamUser", account, "alice", &Value::Null));
    operated.until("IamPolicy", account, "read", "named by nobody", |policy| policy["status"]["attachmentCount"] == 0);
    operated.writer.delete(&reads(account, "read"));
    operated.until_gone("IamPolicy", account, "read");
    operated.check_history(Some(account));
}

#[test]
fn prune_and_self_heal_go_on() {
    let operated = OPERATED.get();
    let account = "gitops-prune";
    operated.writer.namespace(account);
    let list = |objects: &[Value]| json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let labelled = |mut object: Value| {
        object["metadata"]["labels"] = json!({"app": "gitops-prune"});
        object
    };
    let policy = labelled(reads(account, "read"));
    let user = labelled(object("IamUser", account, "alice", &json!({"policies": ["read"]})));
    let prune = [
        "apply",
        "-n",
        account,
        "--prune",
        "-l",
        "app=gitops-prune",
        "--prune-allowlist=kube-iam.dev/v1alpha1/IamUser",
        "--prune-allowlist=kube-iam.dev/v1alpha1/IamPolicy",
        "-f",
        "-",
    ];
    operated.send(prune, &list(&[user.clone(), policy.clone()]));
    operated.until_ready("IamUser", account, "alice", "True", "InForce");
    // Somebody drifts, the tool heals.
    let drift = json!({"spec": {"policies": ["other"]}});
    operated.writer.send(Method::PATCH, &path("IamUser", account, "alice"), &drift);
    operated.until_ready("IamUser", account, "alice", "False", "ReferenceNotFound");
    operated.send(prune, &list(&[user, policy.clone()]));
    operated.until_ready("IamUser", account, "alice", "True", "InForce");
    operated.send(prune, &list(&[policy]));
    operated.until_gone("IamUser", account, "alice");
    operated.send(prune, &list(&[labelled(reads(account, "other"))]));
    operated.until_gone("IamPolicy", account, "read");
    assert!(holds_within(Duration::from_secs(10), || !operated.get("IamPolicy", account, "other").is_null()));
    operated.check_history(Some(account));
}
