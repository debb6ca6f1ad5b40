//! The registration of our webhooks trusts every replica.

use std::fs;
use std::time::Duration;

use http::Method;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::control_plane::deadline::holds_within;
use crate::kube_iam::KubeIam;
use crate::operated::Operated;

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
    operated.writer.send(Method::DELETE, &format!("{REGISTRATIONS}/kube-iam"), &Value::Null);
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
