//! Random policies: words of a small alphabet, so that policies meet requests.

use serde_json::{Value as Json, json};

use crate::dice::Dice;

/// A list element: whether it is negated, and its entries.
pub type Listed = (bool, Vec<String>);

/// A statement before it is written in one of the two forms.
#[derive(Clone, Debug)]
pub struct Draft {
    pub sid: String,
    pub effect: &'static str,
    pub principals: Option<Listed>,
    pub actions: Listed,
    pub resources: Option<Listed>,
    /// Operator, key, values.
    pub conditions: Vec<(String, String, Vec<String>)>,
}

/// Where a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Identity,
    Resource,
    Trust,
    ServiceControl,
    ResourceControl,
}

pub const ACCOUNTS: [&str; 3] = ["a", "b", "m"];

const ACTIONS: [&str; 16] = [
    "*",
    "k8s:get",
    "k8s:*",
    "k8s:list",
    "k8s:get*",
    "k8s:*/exec",
    "k8s:?et",
    "*:list",
    "k8s:delete",
    "k8s:create",
    "k8s:create/exec",
    "k8s:deletecollection",
    "k8s:watch",
    "K8S:GET/log",
    "http:get",
    "orders:Refund",
];
const GROUPS: [&str; 5] = ["core", "core", "*", "apps", "c*"];
const RESTS: [&str; 13] = [
    "*",
    "secrets/*",
    "secrets/x",
    "secrets/x*",
    "*/x",
    "secrets/${k8s:User}",
    "secrets/${aws:username}*",
    "pods/?",
    "deployments/*",
    "nodes/*",
    "namespaces/a",
    "secrets/${k8s:Name, 'x'}",
    "s*s/y",
];

/// Key, and values that it may have; the lists of `k8s:Groups` are of several.
pub const KEYS: [(&str, &[&str]); 12] = [
    ("k8s:User", &["alice", "bob", "carol"]),
    ("k8s:Namespace", &["a", "b", "m"]),
    ("k8s:Name", &["x", "y", "xy"]),
    ("aws:PrincipalTag/team", &["t1", "t2"]),
    ("aws:ResourceTag/env", &["prod", "dev"]),
    ("k8s:NamespaceTag/env", &["prod", "dev"]),
    ("k8s:Groups", &["devs", "ops"]),
    ("aws:username", &["u0", "u1"]),
    ("aws:PrincipalAccount", &["a", "b", "m"]),
    ("k8s:Verb", &["get", "list"]),
    ("aws:ResourceAccount", &["a", "m"]),
    ("app:missing", &["x"]),
];
const OPERATORS: [&str; 13] = [
    "StringEquals",
    "StringLike",
    "StringNotEquals",
    "StringNotLike",
    "StringEqualsIfExists",
    "StringNotEqualsIfExists",
    "StringEqualsIgnoreCase",
    "ForAnyValue:StringEquals",
    "ForAllValues:StringEquals",
    "ForAnyValue:StringNotLike",
    "ForAllValues:StringNotEquals",
    "ArnLike",
    "NumericLessThan",
];

/// A statement. `keys` are those that its conditions may ask for.
pub fn statement(dice: &mut Dice<'_>, place: Place, sid: String, keys: &[(&str, &[&str])]) -> Draft {
    let deny = if place == Place::ResourceControl { true } else { dice.chance(35) };
    let negated = |dice: &mut Dice<'_>| dice.chance(12);
    let principals = match place {
        Place::Identity | Place::ServiceControl => None,
        Place::ResourceControl => Some((false, vec!["*".to_owned()])),
        Place::Trust => Some((false, principals(dice))),
        Place::Resource => Some((deny && dice.chance(30), principals(dice))),
    };
    let actions = match place {
        Place::Trust => (false, dice.some(&["sts:AssumeRole", "sts:*"], 1, 2).into_iter().map(str::to_owned).collect()),
        Place::ResourceControl => (false, words(dice, &ACTIONS[1..])),
        Place::Identity | Place::Resource | Place::ServiceControl => (negated(dice), words(dice, &ACTIONS)),
    };
    let resources = match place {
        Place::Trust => None,
        Place::Resource if dice.chance(20) => None,
        _ => {
            let count = 1 + dice.below(3) / 2;
            Some((negated(dice), (0..count).map(|_| resource(dice)).collect()))
        }
    };
    let mut conditions = Vec::new();
    for _ in 0..[0, 0, 1, 2][dice.below(4)] {
        let condition = condition(dice, keys);
        if !conditions.iter().any(|(operator, key, _)| (operator, key) == (&condition.0, &condition.1)) {
            conditions.push(condition);
        }
    }
    Draft { sid, effect: if deny { "Deny" } else { "Allow" }, principals, actions, resources, conditions }
}

/// Statements with sids of their own.
pub fn statements(dice: &mut Dice<'_>, place: Place, most: usize) -> Vec<Draft> {
    let count = 1 + dice.below(most);
    (0..count).map(|at| statement(dice, place, format!("S{at}"), &KEYS)).collect()
}

fn words(dice: &mut Dice<'_>, options: &[&str]) -> Vec<String> {
    let count = 1 + dice.below(4) / 3;
    (0..count).map(|_| dice.pick(options).to_owned()).collect()
}

pub fn resource(dice: &mut Dice<'_>) -> String {
    if dice.chance(25) {
        return "*".to_owned();
    }
    let (group, account, rest) = (dice.pick(&GROUPS), dice.pick(&["a", "b", "m", "*", ""]), dice.pick(&RESTS));
    format!("arn:k8s:{group}::{account}:{rest}")
}

fn principals(dice: &mut Dice<'_>) -> Vec<String> {
    let count = 1 + dice.below(3) / 2;
    (0..count).map(|_| principal(dice)).collect()
}

pub fn principal(dice: &mut Dice<'_>) -> String {
    let account = dice.pick(&ACCOUNTS);
    match dice.below(9) {
        0 | 1 => "*".to_owned(),
        2 => account.to_owned(),
        3 => format!("arn:k8s:iam::{account}:root"),
        4 | 5 => format!("arn:k8s:iam::{account}:user/{}", dice.pick(&["u0", "u1"])),
        6 => format!("arn:k8s:iam::{account}:role/r0"),
        7 => format!("arn:k8s:core::{account}:serviceaccounts/ci"),
        _ => format!("arn:k8s:sts::{account}:federated-user/{}", dice.pick(&["alice", "bob", "carol"])),
    }
}

fn condition(dice: &mut Dice<'_>, keys: &[(&str, &[&str])]) -> (String, String, Vec<String>) {
    let (key, values) = dice.pick(keys);
    if dice.chance(12) {
        return ("Null".to_owned(), key.to_owned(), vec![dice.pick(&["true", "false"]).to_owned()]);
    }
    let operator = dice.pick(&OPERATORS);
    let count = 1 + dice.below(3) / 2;
    let value = |dice: &mut Dice<'_>| match dice.below(8) {
        0..6 => dice.pick(values).to_owned(),
        6 => dice.pick(&["*", "?*", "x*"]).to_owned(),
        _ => dice.pick(&["${k8s:User}", "${aws:username, 'u0'}", "${k8s:Namespace}", "${*}"]).to_owned(),
    };
    (operator.to_owned(), key.to_owned(), (0..count).map(|_| value(dice)).collect())
}

// === impl Draft ===

impl Draft {
    /// A Deny of everything, to everybody who can be named.
    pub fn deny_all(place: Place, sid: &str) -> Self {
        let star = || vec!["*".to_owned()];
        Self {
            sid: sid.to_owned(),
            effect: "Deny",
            principals: match place {
                Place::Identity | Place::ServiceControl => None,
                Place::Resource | Place::Trust | Place::ResourceControl => Some((false, star())),
            },
            actions: (
                false,
                match place {
                    Place::ResourceControl => ["k8s:*", "http:*", "orders:*"].map(str::to_owned).to_vec(),
                    Place::Trust => vec!["sts:*".to_owned()],
                    Place::Identity | Place::Resource | Place::ServiceControl => star(),
                },
            ),
            resources: (place != Place::Trust).then(|| (false, star())),
            conditions: Vec::new(),
        }
    }

    /// As AWS writes it.
    pub fn to_document(&self) -> Json {
        let mut out = json!({"Sid": self.sid, "Effect": self.effect});
        let mut put = |[positive, negated]: [&str; 2], listed: &Option<Listed>, wrap: bool| {
            if let Some((is_negated, entries)) = listed {
                let star = wrap && *entries == ["*"];
                let value = if star {
                    json!("*")
                } else if wrap {
                    json!({"AWS": entries})
                } else {
                    json!(entries)
                };
                out[if *is_negated { negated } else { positive }] = value;
            }
        };
        put(["Principal", "NotPrincipal"], &self.principals, true);
        put(["Action", "NotAction"], &Some(self.actions.clone()), false);
        put(["Resource", "NotResource"], &self.resources, false);
        for (operator, key, values) in &self.conditions {
            out["Condition"][operator][key] = json!(values);
        }
        out
    }

    /// As our objects write it.
    pub fn to_typed(&self) -> Json {
        let mut out = json!({"sid": self.sid, "effect": self.effect});
        let mut put = |[positive, negated]: [&str; 2], listed: &Option<Listed>| {
            if let Some((is_negated, entries)) = listed {
                out[if *is_negated { negated } else { positive }] = json!(entries);
            }
        };
        put(["principals", "notPrincipals"], &self.principals);
        put(["actions", "notActions"], &Some(self.actions.clone()));
        put(["resources", "notResources"], &self.resources);
        if !self.conditions.is_empty() {
            let conditions = self.conditions.iter();
            out["conditions"] = conditions.map(|(o, k, v)| json!({"operator": o, "key": k, "values": v})).collect();
        }
        out
    }
}

/// `{Version, Statement}`.
pub fn document(statements: &[Draft]) -> Json {
    json!({"Version": "2012-10-17", "Statement": statements.iter().map(Draft::to_document).collect::<Vec<_>>()})
}

/// `statements` of an object.
pub fn typed(statements: &[Draft]) -> Json {
    statements.iter().map(Draft::to_typed).collect()
}
