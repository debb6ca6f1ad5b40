//! Objects past every check: none of them stops another, and none loses a restriction.

use std::time::Duration;

use ::kube_iam::decide::Verdict;
use http::Method;
use serde_json::{Value, json};

use crate::followed::{Followed, object, started, took};

/// A policy of which the schema knows nothing wrong and the language much.
fn broken(account: &str, name: &str) -> Value {
    let statements =
        json!([{"sid": "A", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"], "conditoin": []}]);
    object("IamPolicy", account, name, &json!({"statements": statements}))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn a_thousand_broken_objects_slow_nothing_down() {
    let (cluster, writer) = started();
    for account in ["shop", "junk"] {
        writer.namespace(account);
    }
    let followed = Followed::start(cluster.admin());
    let work = object("IamPolicy", "shop", "work", &json!({}));
    let statements = |effect: &str| json!({"statements": [{"sid": "S", "effect": effect, "actions": ["k8s:get"], "resources": ["*"]}]});
    writer.create(&object("IamPolicy", "shop", "work", &statements("Deny")));
    let alice = json!({"identities": [{"kind": "User", "name": "alice"}], "policies": ["work"]});
    writer.create(&object("IamUser", "shop", "alice", &alice));
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::ExplicitDeny);
    let measure = || {
        let mut times = Vec::new();
        for (effect, expected) in [("Allow", Verdict::Allow), ("Deny", Verdict::ExplicitDeny)].repeat(15) {
            writer.respecify(&work, &statements(effect));
            times.push(took(|| followed.verdict("alice", "get", "shop", "pods") == expected));
        }
        median(times)
    };
    let before = measure();
    for number in 0..1_000 {
        writer.create(&broken("junk", &format!("broken-{number}")));
    }
    followed.until("all are known", |followed| {
        followed.metric("kube_iam_undecodable_objects{kind=\"IamPolicy\"}") == 1_000.0
    });
    let after = measure();
    assert!(after < before * 4 + Duration::from_millis(20), "a change takes {after:?} beside them, {before:?} without");
    let invalid =
        |world: &::kube_iam::world::World| world.outcomes.values().filter(|outcome| !outcome.is_in_force()).count();
    assert_eq!(invalid(&followed.in_force().world), 1_000);

    // Who starts now lists them all and is ready all the same.
    let fresh = Followed::start(cluster.admin());
    assert_eq!(fresh.digest(), followed.digest());
}

#[test]
fn an_object_of_the_largest_size_is_an_object() {
    let (cluster, writer) = started();
    writer.namespace("shop");
    let deny = json!({"sid": "No", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"]});
    let spec =
        json!({"type": "Resource", "targets": {"resources": ["arn:k8s:core::shop:secrets/*"]}, "statements": [deny]});
    let guard = object("IamPolicy", "shop", "guard", &spec);
    writer.create(&guard);
    let followed = Followed::start(cluster.admin());
    assert_eq!(followed.verdict("alice", "get", "shop", "secrets"), Verdict::ExplicitDeny);

    // Valid, and as large as an API server stores: annotations and a document that says little at length.
    let path = crate::followed::path(&guard);
    let mut stored = writer.send(Method::GET, &path, &Value::Null);
    stored["metadata"]["annotations"] = json!({"notes": "x".repeat(200 << 10)});
    writer.send(Method::PUT, &path, &stored);
    let statement = |number: usize| {
        json!({"Sid": format!("S{number}"), "Effect": "Deny", "Principal": "*", "Action": "k8s:get",
        "Resource": "*", "Note": "y".repeat(1 << 10)})
    };
    let many: Vec<Value> = (0..1_200).map(statement).collect();
    let large = json!({"type": "Resource", "targets": {"resources": ["arn:k8s:core::shop:secrets/*"]},
        "document": {"Version": "2012-10-17", "Statement": many}});
    let mut stored = writer.send(Method::GET, &path, &Value::Null);
    stored["spec"] = large;
    assert!(stored.to_string().len() > 1_500_000, "{}", stored.to_string().len());
    writer.send(Method::PUT, &path, &stored);
    followed.until("it is known to be invalid", |followed| {
        assert_eq!(followed.verdict("alice", "get", "shop", "secrets"), Verdict::ExplicitDeny);
        followed.metric("kube_iam_undecodable_objects{kind=\"IamPolicy\"}") == 1.0
    });
    // Others are followed beside it.
    let bob = json!({"identities": [{"kind": "User", "name": "bob"}], "disabled": true});
    writer.create(&object("IamUser", "shop", "bob", &bob));
    followed.until_verdict("bob", "get", "shop", "pods", Verdict::ExplicitDeny);
}
