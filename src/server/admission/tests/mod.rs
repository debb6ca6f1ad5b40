mod account;
mod deletion;
mod object;
mod operator;
mod ratchet;
mod webhook;
mod wire;

use serde_json::{Value, json};

use super::{Verdict, decode, judge};
use crate::policy::tree::Node;
use crate::store::{CatalogReader, catalog_of};
use crate::world::{Declaration, Input, Settings};

/// What a cluster holds: objects and Namespaces.
fn cluster(objects: &[Value]) -> CatalogReader {
    let settings = Settings { management_root: Some("chief".into()), ..Settings::default() };
    let mut input = Input { settings, ..Input::default() };
    for object in objects {
        input.add(Declaration::read(&Node::from(object), None).unwrap());
    }
    catalog_of(&input)
}

fn object(kind: &str, account: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "kube-iam.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": account}, "spec": spec,
    })
}

fn policy(account: &str, name: &str, spec: Value) -> Value {
    object("IamPolicy", account, name, spec)
}

fn user(account: &str, name: &str, spec: Value) -> Value {
    object("IamUser", account, name, spec)
}

fn allow() -> Value {
    json!([{"sid": "A", "effect": "Allow", "actions": ["k8s:get"], "resources": ["arn:k8s:core:::nodes/*"]}])
}

/// A guardrail of the management account that selects accounts so.
fn guardrail(name: &str, selector: Value) -> Value {
    let statements =
        json!([{"sid": "A", "effect": "Deny", "principals": ["*"], "actions": ["k8s:*/exec"], "resources": ["*"]}]);
    let targets = json!({"accountSelector": selector});
    policy("kube-iam-system", name, json!({"type": "ResourceControl", "targets": targets, "statements": statements}))
}

/// A review as an API server sends it, of a change by alice.
fn review(old: Option<&Value>, new: Option<&Value>) -> Value {
    let object = new.or(old).unwrap();
    let operation = match (old, new) {
        (None, _) => "CREATE",
        (_, None) => "DELETE",
        _ => "UPDATE",
    };
    let kind = object["kind"].as_str().unwrap();
    let plural = if kind == "IamPolicy" { "iampolicies".to_owned() } else { format!("{}s", kind.to_lowercase()) };
    let group = if kind == "Namespace" { "" } else { "kube-iam.dev" };
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "0a1b", "operation": operation,
            "resource": {"group": group, "version": "v1alpha1", "resource": plural},
            "name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"],
            "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
            "object": new, "oldObject": old, "dryRun": false,
        },
    })
}

fn judged(review: &Value, cluster: &CatalogReader) -> Verdict {
    judge(&decode(review.to_string().as_bytes()).unwrap(), cluster)
}

fn created(new: &Value, cluster: &CatalogReader) -> Verdict {
    judged(&review(None, Some(new)), cluster)
}

fn changed(old: &Value, new: &Value, cluster: &CatalogReader) -> Verdict {
    judged(&review(Some(old), Some(new)), cluster)
}

fn admitted() -> Verdict {
    Verdict::Admitted(Vec::new())
}

fn warned(warnings: &[&str]) -> Verdict {
    Verdict::Admitted(warnings.iter().map(|warning| (*warning).to_owned()).collect())
}

fn refused(message: &str) -> Verdict {
    Verdict::Refused(message.to_owned())
}

/// What a verdict says is reserved.
#[track_caller]
fn reserved(verdict: Verdict) -> String {
    match verdict {
        Verdict::Reserved(reserved) => format!("{}; {}", reserved.changes, reserved.subject.reserved_for()),
        other => panic!("{other:?}"),
    }
}

/// The value with this at a JSON pointer.
fn with(value: &Value, pointer: &str, new: Value) -> Value {
    let mut value = value.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap()[key] = new;
    value
}
