//! Random worlds: objects of the four kinds in three accounts, good and bad.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube_iam::name::Revision;
use kube_iam::policy::tree::Node;
use kube_iam::snapshot::Snapshot;
use kube_iam::world::{self, Input, Kind, NamespaceFacts, Object, ObjectKey, Settings, Spec};
use serde_json::{Value as Json, json};

use crate::dice::Dice;
use crate::language::{Draft, Place, document, statements, typed};

/// The management account.
pub const MANAGEMENT: &str = "m";
/// Users that Kubernetes knows; `rooty` is root of an account, `boss` of the management account.
pub const USERS: [&str; 6] = ["alice", "bob", "carol", "system:serviceaccount:a:ci", "rooty", "boss"];

/// An object before it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    pub kind: Kind,
    pub account: String,
    pub name: String,
    pub spec: Json,
    pub last_good: Option<Json>,
    pub unreadable: bool,
    pub deleting: bool,
}

/// A world before it is built.
#[derive(Clone, Debug)]
pub struct Draw {
    pub things: Vec<Thing>,
    pub namespaces: Vec<NamespaceFacts>,
    pub management_root: bool,
}

/// What may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Every object is valid and there is no conflict by intention.
    Good,
    /// Some objects are invalid, unreadable, deleted, declared twice.
    Mixed,
}

// === impl Draw ===

impl Draw {
    /// A world of random objects in all accounts.
    pub fn new(dice: &mut Dice<'_>, health: Health) -> Self {
        Self::within(dice, health, &["a", "a", "m", "b"])
    }

    /// A world of random objects in these accounts.
    pub fn within(dice: &mut Dice<'_>, health: Health, accounts: &[&str]) -> Self {
        let mut things: Vec<Thing> = Vec::new();
        let count = 2 + dice.below(7);
        for _ in 0..count {
            let account = dice.pick(accounts);
            let thing = match dice.below(12) {
                0..4 => user(dice, account),
                4 | 5 => policy(dice, account),
                6 => group(dice, account),
                7 => role(dice, account),
                8 | 9 => resource_policy(dice, account),
                10 => control(dice, "ServiceControl"),
                _ => control(dice, "ResourceControl"),
            };
            let is_twin = things.iter().any(|other| other.key() == thing.key());
            if !is_twin || health == Health::Mixed && dice.chance(15) {
                things.push(thing);
            }
        }
        if health == Health::Mixed {
            for thing in &mut things {
                if dice.chance(8) {
                    spoil(dice, thing);
                }
            }
        }
        let mut namespaces = Vec::new();
        for name in ["a", "b", "m"] {
            if dice.chance(75) {
                namespaces.push(NamespaceFacts {
                    name: name.into(),
                    labels: labels(dice).into(),
                    root_identity: dice.chance(15).then(|| "rooty".into()),
                    root_mfa_optional: dice.chance(70),
                });
            }
        }
        Self { things, namespaces, management_root: dice.chance(15) }
    }

    pub fn input(&self) -> Input {
        Input {
            settings: Settings {
                management_account: MANAGEMENT.into(),
                management_root: self.management_root.then(|| "boss".into()),
                ..Settings::default()
            },
            objects: self.things.iter().map(Thing::object).collect(),
            namespaces: self.namespaces.clone(),
            kinds: Vec::new(),
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot::compile(&world::build(&self.input()), Revision(1))
    }
}

// === impl Thing ===

impl Thing {
    pub fn new(kind: Kind, account: &str, name: &str, spec: Json) -> Self {
        let (account, name) = (account.to_owned(), name.to_owned());
        Self { kind, account, name, spec, last_good: None, unreadable: false, deleting: false }
    }

    pub fn key(&self) -> (Kind, &str, &str) {
        (self.kind, &self.account, &self.name)
    }

    pub fn object(&self) -> Object {
        Object {
            key: ObjectKey { kind: self.kind, account: self.account.as_str().into(), name: self.name.as_str().into() },
            uid: None,
            spec: if self.unreadable {
                Spec::Unreadable("no YAML".to_owned())
            } else {
                Spec::Read(Arc::new(Node::from(&self.spec)))
            },
            last_good: self.last_good.as_ref().map(|spec| Arc::new(Node::from(spec))),
            deleting: self.deleting,
            origin: None,
        }
    }

    /// Whether nothing is wrong with it by itself.
    pub fn is_valid(&self) -> bool {
        !self.deleting && world::check(&self.object()).is_empty()
    }

    /// The place of the statements in `statements` or `document` of the spec itself.
    pub fn place(&self) -> Option<Place> {
        match (self.kind, self.spec["type"].as_str()) {
            (Kind::Policy, Some("Resource")) => Some(Place::Resource),
            (Kind::Policy, Some("ServiceControl")) => Some(Place::ServiceControl),
            (Kind::Policy, Some("ResourceControl")) => Some(Place::ResourceControl),
            (Kind::Policy, _) => Some(Place::Identity),
            _ => None,
        }
    }
}

// === kinds ===

fn labels(dice: &mut Dice<'_>) -> BTreeMap<smol_str::SmolStr, smol_str::SmolStr> {
    let value = dice.pick(&["prod", "dev", ""]);
    if value.is_empty() { BTreeMap::new() } else { BTreeMap::from([("env".into(), value.into())]) }
}

/// `statements`, or the same as `document`.
pub fn body(dice: &mut Dice<'_>, place: Place, most: usize) -> Json {
    let mut drafts = statements(dice, place, most);
    if matches!(place, Place::Identity | Place::ServiceControl) && dice.chance(35) {
        drafts.push(Draft { effect: "Allow", ..Draft::deny_all(place, "Open") });
    }
    if dice.chance(30) { json!({"document": document(&drafts)}) } else { json!({"statements": typed(&drafts)}) }
}

fn references(dice: &mut Dice<'_>) -> Json {
    // `p2` is never there.
    let names = ["p0", "p1", "arn:k8s:iam::m:policy/p0", "arn:k8s:iam::m:policy/p1", "p2"];
    json!(dice.some(&names, 0, 2))
}

fn inline(dice: &mut Dice<'_>) -> Json {
    let mut policy = body(dice, Place::Identity, 3);
    policy["name"] = json!("own");
    json!([policy])
}

fn user(dice: &mut Dice<'_>, account: &str) -> Thing {
    let name = dice.pick(&["u0", "u1"]);
    let mut spec = json!({"policies": references(dice), "groups": dice.some(&["g0", "g0", "g1"], 0, 1)});
    let names = if name == "u0" { ["alice", "alice", "carol"] } else { ["bob", "carol", "alice"] };
    let identity = |name: &str| json!({"kind": "User", "name": name});
    spec["identities"] = match dice.below(6) {
        5 => json!([{"kind": "ServiceAccount", "namespace": "a", "name": "ci"}, identity(names[0])]),
        4 => json!([identity(names[1]), identity(names[2])]),
        at => json!([identity(names[at % 2])]),
    };
    if dice.chance(70) {
        spec["inlinePolicies"] = inline(dice);
    }
    if dice.chance(20) {
        spec["permissionsBoundary"] = json!(dice.pick(&["p0", "p1", "arn:k8s:iam::m:policy/p0", "p2"]));
    }
    if dice.chance(50) {
        spec["tags"] = json!({"team": dice.pick(&["t1", "t2"])});
    }
    if dice.chance(4) {
        spec["disabled"] = json!(true);
    }
    Thing::new(Kind::User, account, name, spec)
}

fn policy(dice: &mut Dice<'_>, account: &str) -> Thing {
    let name = dice.pick(&["p0", "p1"]);
    Thing::new(Kind::Policy, account, name, body(dice, Place::Identity, 3))
}

fn group(dice: &mut Dice<'_>, account: &str) -> Thing {
    let mut spec = json!({"policies": references(dice), "externalGroups": dice.some(&["devs", "ops"], 0, 1)});
    if dice.chance(60) {
        spec["inlinePolicies"] = inline(dice);
    }
    Thing::new(Kind::Group, account, "g0", spec)
}

fn role(dice: &mut Dice<'_>, account: &str) -> Thing {
    let spec = json!({"trustPolicy": body(dice, Place::Trust, 2), "policies": references(dice)});
    Thing::new(Kind::Role, account, "r0", spec)
}

fn resource_policy(dice: &mut Dice<'_>, account: &str) -> Thing {
    let mut spec = body(dice, Place::Resource, 3);
    spec["type"] = json!("Resource");
    if dice.chance(90) {
        let targets = ["*", "arn:k8s:core::a:secrets/*", "arn:k8s:core::*:*", "arn:k8s:*::a:*", "arn:k8s:core:::*"];
        spec["targets"]["resources"] = json!(dice.some(&targets, 1, 2));
    }
    let name = dice.pick(&["rp0", "rp1"]);
    Thing::new(Kind::Policy, account, name, spec)
}

pub fn control(dice: &mut Dice<'_>, kind: &str) -> Thing {
    let place = if kind == "ServiceControl" { Place::ServiceControl } else { Place::ResourceControl };
    let mut spec = body(dice, place, 2);
    spec["type"] = json!(kind);
    if dice.chance(70) {
        if dice.chance(60) {
            spec["targets"]["accounts"] = json!(dice.some(&["a", "b", "m", "z"], 1, 2));
        }
        if dice.chance(40) {
            spec["targets"]["accountSelector"]["matchLabels"] = json!({"env": dice.pick(&["prod", "dev"])});
        }
    }
    let account = if dice.chance(92) { MANAGEMENT } else { "a" };
    let name = format!("{}{}", if kind == "ServiceControl" { "scp" } else { "rcp" }, dice.below(2));
    Thing::new(Kind::Policy, account, &name, spec)
}

/// Makes an object bad in one of the ways in which objects go bad.
fn spoil(dice: &mut Dice<'_>, thing: &mut Thing) {
    let good = thing.spec.clone();
    match dice.below(6) {
        0 => thing.deleting = true,
        1 => thing.unreadable = true,
        2 => thing.spec["permissionsBoundary"] = Json::Null,
        3 => thing.spec["colour"] = json!("red"),
        4 => {
            let key =
                ["statements", "inlinePolicies", "trustPolicy"].into_iter().find(|key| thing.spec.get(key).is_some());
            match key {
                Some("statements") => thing.spec["statements"][0]["conditions"] = Json::Null,
                Some("inlinePolicies") => thing.spec["inlinePolicies"][0]["name"] = json!(7),
                _ => thing.spec["policies"] = json!("p0"),
            }
        }
        _ => thing.spec["path"] = json!("nowhere"),
    }
    if dice.chance(40) {
        thing.last_good = Some(good);
    }
}
