//! The registration of our webhooks trusts every replica.

use std::fs;
use std::time::Duration;

use http::Method;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::control_plane::deadline::holds_within;
use crate::kube_iam::{KubeIam, World};
use crate::operated::Operated;
use crate::site::MANAGEMENT;

const REGISTRATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const SOON: Duration = Duration::from_secs(20);

/// A registration that asks nobody about anything: no object has such a label.
fn registration() -> Value {
    let webhook = |name: &str| {
        json!({
            "name": name,
            "clientConfig": {"url": "https://127.0.0.1:1/admit-iam"},
            "objectSelector": {"matchLabels": {"no.object/has-this": "label"}},
            "rules": [{"apiGroups": ["kube-iam.dev"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}],
            "sideEffects": "None", "admissionReviewVersions": ["v1"],
        })
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "kube-iam"},
        "webhooks": [webhook("objects.kube-iam.dev"), webhook("accounts.kube-iam.dev"), webhook("other.example.org")],
    })
}

/// The `caBundle`s of the two webhooks that are ours, and of the one that is not.
fn bundles(operated: &Operated) -> [String; 3] {
    let found = operated.writer.send(Method::GET, &format!("{REGISTRATIONS}/kube-iam"), &Value::Null);
    let bundle = |webhook: &Value| {
        let bytes: Option<ByteString> = serde_json::from_value(webhook["clientConfig"]["caBundle"].clone()).ok();
        String::from_utf8(bytes.map(|bytes| bytes.0).unwrap_or_default()).unwrap()
    };
    let webhooks = found["webhooks"].as_array().unwrap();
    let named = |name: &str| bundle(webhooks.iter().find(|webhook| webhook["name"] == name).unwrap());
    ["objects.kube-iam.dev", "accounts.kube-iam.dev", "other.example.org"].map(named)
}

fn authority(replica: &KubeIam) -> String {
    fs::read_to_string(replica.state_dir().join("tls/ca.crt")).unwrap().trim().to_owned()
}

#[track_caller]
fn until_trusted(operated: &Operated, replicas: &[&KubeIam]) {
    let mut found = Default::default();
    let held = holds_within(SOON, || {
        found = bundles(operated);
        let trusts = |bundle: &String| {
            replicas.iter().all(|replica| bundle.contains(&authority(replica)))
                && bundle.matches("BEGIN").count() == replicas.len()
        };
        found.iter().take(2).all(trusts)
    });
    assert!(held, "not trusted within {SOON:?}: {found:#?}{}", operated.log_tails());
    assert_eq!(found[2], "", "the webhook of somebody else");
}

#[test]
fn every_webhook_of_ours_trusts_every_replica() {
    let operated = Operated::start(2);
    let [first, second] = [&operated.replicas[0], &operated.replicas[1]];
    // It may come later than we.
    operated.writer.send(Method::POST, REGISTRATIONS, &registration());
    until_trusted(&operated, &[first, second]);
    let third = KubeIam::start(operated.world(), &[]);
    until_trusted(&operated, &[first, second, &third]);

    // Somebody changes it, and it is deleted and made anew.
    operated.writer.replace(&format!("{REGISTRATIONS}/kube-iam"), "/webhooks/0/clientConfig/caBundle", &Value::Null);
    until_trusted(&operated, &[first, second, &third]);
    let registered = |expected: f64| {
        holds_within(SOON, || {
            operated
                .replicas
                .iter()
                .all(|replica| (replica.metric("kube_iam_registered_webhooks") - expected).abs() < 0.1)
        })
    };
    assert!(registered(2.0));
    operated.writer.send(Method::DELETE, &format!("{REGISTRATIONS}/kube-iam"), &Value::Null);
    assert!(registered(0.0));
    operated.writer.send(Method::POST, REGISTRATIONS, &registration());
    until_trusted(&operated, &[first, second, &third]);
    let found = operated.writer.send(Method::GET, &format!("{REGISTRATIONS}/kube-iam"), &Value::Null);
    let managers = found["metadata"]["managedFields"].as_array().unwrap().clone();
    assert!(managers.iter().any(|entry| entry["manager"] == "kube-iam-ca"), "{managers:?}");

    // At rest it is left alone, also when a replica goes: it may come back under the same authority.
    drop(third);
    let version = || {
        let found = operated.writer.send(Method::GET, &format!("{REGISTRATIONS}/kube-iam"), &Value::Null);
        found["metadata"]["resourceVersion"].clone()
    };
    let before = version();
    std::thread::sleep(Duration::from_secs(12));
    assert_eq!(version(), before);
}

/// What `/readyz` says: its status and text.
fn readiness(replica: &KubeIam) -> (u16, String) {
    replica.health("readyz").map(|answer| (answer.status, answer.body)).unwrap_or_default()
}

#[track_caller]
fn until_readiness(replica: &KubeIam, expected: u16, why: &str) {
    let mut found = (0, String::new());
    let held = holds_within(Duration::from_secs(30), || {
        found = readiness(replica);
        found.0 == expected && found.1.contains(why)
    });
    assert!(held, "{found:?}{}", replica.log_tails());
}

#[test]
fn a_replica_is_not_ready_before_the_registration_trusts_it() {
    let operated = Operated::start(0);
    operated.writer.send(Method::POST, REGISTRATIONS, &registration());
    // Somebody who writes nothing holds the Lease, until it runs out.
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{MANAGEMENT}/leases");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "kube-iam-operator"}, "spec": {"holderIdentity": "elsewhere", "leaseDurationSeconds": 12},
    });
    operated.writer.send(Method::POST, &leases, &lease);
    let replica = KubeIam::start(operated.world(), &[]);
    until_readiness(&replica, 503, "waiting until the registration of our webhooks trusts this replica");
    // The API server asks for decisions by address, and trusts what is written into the state folder.
    let review = json!({"user": "x", "groups": [], "nonResourceAttributes": {"path": "/x", "verb": "get"}});
    assert!(!crate::https::Client::of_webhook(&replica).review(&review).reason.is_empty());
    until_readiness(&replica, 200, "");
    until_trusted(&operated, &[&replica]);
}

#[test]
fn a_replica_that_may_not_tell_the_others_of_itself_is_not_ready() {
    let operated = Operated::start(1);
    let role = |verbs: &[&str]| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "mute"},
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": verbs}],
        })
    };
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    operated.writer.send(Method::POST, roles, &role(&["get", "list", "watch"]));
    operated.by_admin(["create", "clusterrolebinding", "mute", "--clusterrole=mute", "--user=mute"]);
    let replica = KubeIam::start(World::Cluster(operated.cluster.client_certificate("mute", &[])), &[]);
    // Not for a moment.
    assert_eq!(readiness(&replica).0, 503);
    until_readiness(&replica, 503, "the other replicas do not hear of this one: 403");
    until_readiness(&operated.replicas[0], 200, "");
    operated.writer.send(Method::PUT, &format!("{roles}/mute"), &role(&["*"]));
    until_readiness(&replica, 200, "");
}

#[test]
fn a_replica_that_may_not_read_the_registration_is_not_ready_before_it_has_looked_for_long() {
    let operated = Operated::start(0);
    let role = |groups: &[&str]| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "blind"},
            "rules": [{"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}],
        })
    };
    let groups = ["", "kube-iam.dev", "apiextensions.k8s.io", "apiregistration.k8s.io", "coordination.k8s.io"];
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    operated.writer.send(Method::POST, roles, &role(&groups));
    operated.by_admin(["create", "clusterrolebinding", "blind", "--clusterrole=blind", "--user=blind"]);
    let replica = KubeIam::start(World::Cluster(operated.cluster.client_certificate("blind", &[])), &[]);
    assert!(!holds_within(Duration::from_secs(10), || readiness(&replica).0 != 503), "{}", replica.log_tails());
    until_readiness(&replica, 503, "waiting to see whether our webhooks are registered");
    operated.writer.send(Method::PUT, &format!("{roles}/blind"), &role(&["*"]));
    until_readiness(&replica, 200, "");
}
