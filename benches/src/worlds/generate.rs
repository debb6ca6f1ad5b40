//! Objects of an ordinary cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube_iam::policy::tree::Node;
use kube_iam::world::{Input, Kind, NamespaceFacts, Object, ObjectKey, Spec};
use serde_json::{Value, json};

/// Objects of one account.
const ACCOUNT: usize = 50;

/// So many objects, and the namespaces that they are in.
pub fn input(objects: usize) -> Input {
    let mut input = Input::default();
    for number in 0..objects {
        input.objects.push(object(number));
    }
    for account in 0..objects.div_ceil(ACCOUNT) {
        let labels = BTreeMap::from([("env".into(), if account % 2 == 0 { "prod".into() } else { "dev".into() })]);
        input.namespaces.push(NamespaceFacts {
            name: format!("account-{account}").into(),
            labels: labels.into(),
            root_identity: None,
            root_mfa_optional: false,
        });
    }
    input
}

/// The object of a number.
pub fn object(number: usize) -> Object {
    let account = format!("account-{}", number / ACCOUNT);
    let place = number % ACCOUNT;
    let (kind, name, spec) = match place {
        0..20 => (Kind::Policy, format!("policy-{place}"), policy(&account, place)),
        20..24 => {
            let policies = [format!("policy-{}", place - 20), format!("policy-{}", place - 16)];
            (Kind::Group, format!("group-{}", place - 20), json!({"policies": policies}))
        }
        24..27 => (Kind::Role, format!("role-{}", place - 24), role(&account, place)),
        _ => {
            let user = place - 27;
            let spec = json!({
                "identities": [{"kind": "User", "name": format!("user-{user}@{account}.example.org")}],
                "groups": [format!("group-{}", user % 4)],
                "policies": [format!("policy-{}", user % 20), format!("policy-{}", (user + 7) % 20)],
                "tags": {"team": account, "shift": (user % 3).to_string()},
            });
            (Kind::User, format!("user-{user}"), spec)
        }
    };
    Object {
        key: ObjectKey { kind, account: account.into(), name: name.into() },
        uid: Some(format!("{number:08x}-0000-4000-8000-000000000000").into()),
        spec: Spec::Read(Arc::new(Node::from(&spec))),
        last_good: None,
        deleting: false,
        origin: None,
    }
}

fn policy(account: &str, place: usize) -> Value {
    json!({
        "description": "What a team works with",
        "statements": [
            {"sid": "Read", "effect": "Allow", "actions": ["k8s:get", "k8s:list", "k8s:watch"],
             "resources": [format!("arn:k8s:apps::{account}:deployments/*"), format!("arn:k8s:core::{account}:pods/*")]},
            {"sid": "Write", "effect": "Allow", "actions": ["k8s:create", "k8s:update", "k8s:patch"],
             "resources": [format!("arn:k8s:core::{account}:configmaps/team-{place}-*")],
             "conditions": [{"operator": "StringEquals", "key": "aws:PrincipalTag/team", "values": [account]}]},
            {"sid": "Never", "effect": "Deny", "actions": ["k8s:*/exec", "k8s:delete"],
             "resources": [format!("arn:k8s:core::{account}:secrets/*")]},
        ],
    })
}

fn role(account: &str, place: usize) -> Value {
    json!({
        "trustPolicy": {"statements": [{"sid": "Who", "effect": "Allow", "actions": ["sts:AssumeRole"],
            "principals": [format!("arn:k8s:iam::{account}:user/user-{}", place % 20)]}]},
        "policies": [format!("policy-{}", place % 20)],
    })
}
