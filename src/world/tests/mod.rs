//! What the world makes of objects, rule by rule.

mod claim;
mod declaration;
mod fingerprint;
mod guardrail;
mod number;
mod order;
mod reference;
mod spec;
mod standing;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;
use crate::policy::tree::Node;
use crate::policy::{Effect, Policy};

/// An object: its kind, `account/name`, and `spec`.
fn object(kind: Kind, place: &str, spec: Json) -> Object {
    let (account, name) = place.split_once('/').unwrap();
    Object {
        key: ObjectKey { kind, account: account.into(), name: name.into() },
        uid: None,
        spec: Spec::Read(Arc::new(Node::from(&spec))),
        last_good: None,
        deleting: false,
        origin: None,
    }
}

fn user(place: &str, spec: Json) -> Object {
    object(Kind::User, place, spec)
}

fn group(place: &str, spec: Json) -> Object {
    object(Kind::Group, place, spec)
}

fn role(place: &str, spec: Json) -> Object {
    object(Kind::Role, place, spec)
}

fn policy(place: &str, spec: Json) -> Object {
    object(Kind::Policy, place, spec)
}

fn with_last_good(mut object: Object, spec: Json) -> Object {
    object.last_good = Some(Arc::new(Node::from(&spec)));
    object
}

fn deleting(mut object: Object) -> Object {
    object.deleting = true;
    object
}

fn unreadable(mut object: Object) -> Object {
    object.spec = Spec::Unreadable("not YAML".to_owned());
    object
}

fn world(objects: impl IntoIterator<Item = Object>) -> World {
    build(&Input { objects: objects.into_iter().collect(), ..Input::default() })
}

/// One Allow and one Deny, told apart by their sids.
fn both() -> Json {
    json!([statement("A", "Allow"), statement("D", "Deny")])
}

fn statement(sid: &str, effect: &str) -> Json {
    json!({"sid": sid, "effect": effect, "actions": ["k8s:get"], "resources": ["*"]})
}

/// A trust policy with one Allow and one Deny.
fn trust() -> Json {
    let statement =
        |sid, effect| json!({"sid": sid, "effect": effect, "principals": ["*"], "actions": ["sts:AssumeRole"]});
    json!({"statements": [statement("A", "Allow"), statement("D", "Deny")]})
}

/// The sids of a policy's statements.
fn sids(policy: &Policy) -> Vec<&str> {
    policy.statements.iter().map(|statement| statement.sid.as_str()).collect()
}

/// `kind account/name: Reason path` of every finding.
fn findings(world: &World) -> Vec<String> {
    world
        .outcomes
        .iter()
        .flat_map(|(key, outcome)| {
            outcome.findings.iter().map(move |f| format!("{key}: {} {}", f.reason.as_str(), f.path))
        })
        .collect()
}

/// Whether only Denies are left in a policy.
fn only_denies(policy: &Policy) -> bool {
    policy.statements.iter().all(|statement| statement.effect == Effect::Deny)
}
