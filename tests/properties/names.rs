//! Identities are byte-exact (I11), and distinct questions are distinct requests (I12).

use std::borrow::Cow;

use kube_iam::decide::Resource;
use kube_iam::mapping::{Attributes, ResourceAttributes, Target};
use kube_iam::name::Mode;
use kube_iam::world::Kind;
use serde_json::json;

use crate::dice::{Dice, law};
use crate::holds;
use crate::questions::{answer, is_allowed, with_request};
use crate::worlds::{Draw, Thing};

/// Names that look alike.
const ALIKE: [&str; 19] = [
    "alice",
    "Alice",
    "ALICE",
    "alice ",
    " alice",
    "alice.",
    "alice\u{0}",
    "\u{430}lice",
    "al\u{131}ce",
    "alice\u{200b}",
    "caf\u{e9}",
    "cafe\u{301}",
    "stra\u{df}e",
    "strasse",
    "\u{212a}ate",
    "kate",
    "system:serviceaccount:a:ci",
    "system:serviceaccount:a:CI",
    "a:ci",
];

fn get(user: &'static str, groups: Vec<&'static str>) -> Attributes<'static> {
    let target = ResourceAttributes {
        namespace: "a".into(),
        verb: "get".into(),
        version: "v1".into(),
        resource: "secrets".into(),
        name: "x".into(),
        ..ResourceAttributes::default()
    };
    let groups = groups.into_iter().map(Cow::Borrowed).collect();
    Attributes { user: user.into(), groups, target: Target::Resource(target), ..Attributes::default() }
}

fn world(things: Vec<Thing>) -> Draw {
    Draw { things, namespaces: Vec::new(), management_root: false }
}

fn all() -> serde_json::Value {
    json!([{"name": "own", "statements": [{"sid": "All", "effect": "Allow", "actions": ["*"], "resources": ["*"]}]}])
}

#[test]
fn identities_are_compared_byte_for_byte() {
    law(file!(), 8, 10, |dice| {
        let claimed = dice.pick(&ALIKE);
        let asking = if dice.chance(30) { claimed } else { dice.pick(&ALIKE) };
        let spec = json!({"identities": [{"kind": "User", "name": claimed}], "inlinePolicies": all()});
        let user = Thing::new(Kind::User, "a", "u0", spec);
        let is_valid = user.is_valid();
        let snapshot = world(vec![user]).snapshot();
        let decision = answer(&snapshot, &get(asking, vec![])).unwrap();
        let is_claimed = decision.principals.iter().any(|principal| principal.contains(":user/"));
        holds!(is_claimed == (is_valid && claimed == asking), "{asking:?} is taken for {claimed:?}: {decision:?}");
        holds!(is_allowed(&decision) == is_claimed, "{asking:?} as {claimed:?}: {decision:?}");
        Ok(claimed == asking || claimed.to_lowercase() == asking.to_lowercase())
    });
}

#[test]
fn groups_are_compared_byte_for_byte() {
    law(file!(), 12, 10, |dice| {
        let named = dice.pick(&ALIKE[..16]);
        let mut carried = dice.some(&ALIKE[..16], 0, 3);
        if dice.chance(30) {
            carried.push(named);
        }
        let spec = json!({"externalGroups": [named], "inlinePolicies": all()});
        let snapshot = world(vec![Thing::new(Kind::Group, "a", "g0", spec)]).snapshot();
        let decision = answer(&snapshot, &get("bob", carried.clone())).unwrap();
        holds!(is_allowed(&decision) == carried.contains(&named), "{named:?} for {carried:?}: {decision:?}");
        Ok(carried.contains(&named))
    });
}

#[test]
fn no_two_callers_are_one_principal() {
    law(file!(), 12, 50, |dice| {
        let spec = json!({"externalGroups": ["devs"], "inlinePolicies": all()});
        let snapshot = world(vec![Thing::new(Kind::Group, "a", "g0", spec)]).snapshot();
        let (one, other) = (dice.pick(&ALIKE), dice.pick(&ALIKE));
        let principals = |user| answer(&snapshot, &get(user, vec!["devs"])).unwrap().principals;
        let (first, second) = (principals(one), principals(other));
        let shared = first.iter().any(|principal| second.contains(principal));
        holds!(shared == (one == other), "{one:?} and {other:?}: {first:?}, {second:?}");
        Ok(one != other)
    });
}

fn words(dice: &mut Dice<'_>) -> ResourceAttributes<'static> {
    ResourceAttributes {
        namespace: dice.pick(&["a", "b", "a:b", "a/b"]).into(),
        // Not `list`: on a kind that the API server may not serve, a name in it is not believed.
        verb: dice.pick(&["get", "get/log", "get%2Flog", "get:log", "update", "create", "a%b"]).into(),
        group: dice.pick(&["", "apps", "core", "a/b", "example.org"]).into(),
        version: "v1".into(),
        resource: dice.pick(&["secrets", "pods", "secrets/x", "deployments", "secrets:x"]).into(),
        subresource: dice.pick(&["", "log", "status", "log/status"]).into(),
        name: dice.pick(&["x", "x/log", "y", "x:y", "*", "?", "x/x"]).into(),
        ..ResourceAttributes::default()
    }
}

#[test]
fn distinct_questions_are_distinct_requests() {
    law(file!(), 20, 5, |dice| {
        let snapshot = world(Vec::new()).snapshot();
        let one = words(dice);
        let mut other = one.clone();
        let fresh = words(dice);
        // Mostly one field differs, so that aliases of two neighbours show.
        match dice.below(8) {
            0 => other.namespace = fresh.namespace,
            1 => other.verb = fresh.verb,
            2 => other.group = fresh.group,
            3 => other.resource = fresh.resource,
            4 => other.subresource = fresh.subresource,
            5 => other.name = fresh.name,
            6 => (other.verb, other.subresource) = (fresh.verb, fresh.subresource),
            _ => (other.resource, other.name) = (fresh.resource, fresh.name),
        }
        let shown = |target: &ResourceAttributes<'static>| {
            let asked = Attributes { target: Target::Resource(target.clone()), ..get("alice", vec![]) };
            with_request(&snapshot, &asked, Mode::Coexist, |request| {
                (!request.resource.is_forbidden()).then(|| {
                    let Resource::Arn(slots) = &request.resource else { panic!("no ARN") };
                    format!("{} {slots:?} {:?}", request.action, request.account)
                })
            })
            .flatten()
        };
        let (Some(first), Some(second)) = (shown(&one), shown(&other)) else { return Ok(false) };
        holds!((first == second) == (one == other), "{one:?}\n{other:?}\n{first}\n{second}");
        Ok(one != other)
    });
}

#[test]
fn a_grant_implies_no_subresource_no_other_group_and_no_namespace() {
    law(file!(), 24, 60, |dice| {
        let (group, plural) = dice.pick(&[("core", "secrets"), ("core", "pods"), ("apps", "deployments")]);
        let verb = dice.pick(&["get", "create", "list"]);
        let rest = dice.pick(&["*", "x", "x*", "?"]);
        let account = dice.pick(&["a", "*", "m"]);
        let holder = dice.pick(&["a", "m"]);
        let statement = json!({
            "sid": "Only", "effect": "Allow", "actions": [format!("k8s:{verb}")],
            "resources": [format!("arn:k8s:{group}::{account}:{plural}/{rest}")],
        });
        let spec = json!({
            "identities": [{"kind": "User", "name": "alice"}],
            "inlinePolicies": [{"name": "own", "statements": [statement]}],
        });
        let snapshot = world(vec![Thing::new(Kind::User, holder, "u0", spec)]).snapshot();
        let (asked_group, resource) = dice.pick(&[
            ("", "secrets"),
            ("", "pods"),
            ("apps", "deployments"),
            ("example.org", "secrets"),
            ("", "namespaces"),
            ("*", "secrets"),
            ("", "*"),
        ]);
        let mut target = ResourceAttributes {
            namespace: dice.pick(&["a", "a", "", "b", "m"]).into(),
            verb: verb.into(),
            group: asked_group.into(),
            version: "v1".into(),
            resource: resource.into(),
            subresource: dice.pick(&["", "", "", "log", "exec", "status", "*"]).into(),
            name: dice.pick(&["x", "", "y"]).into(),
            ..ResourceAttributes::default()
        };
        if dice.chance(40) {
            target.verb = dice.pick(&["get", "create", "list", "watch", "*", "update"]).into();
        }
        if dice.chance(50) {
            (target.group, target.resource) = (if group == "core" { "" } else { group }.into(), plural.into());
        }
        let asked = Attributes { target: Target::Resource(target.clone()), ..get("alice", vec![]) };
        let decision = answer(&snapshot, &asked).unwrap();
        let arn_group = if target.group.is_empty() { "core" } else { &target.group };
        let is_named = target.subresource.is_empty()
            && target.verb == verb
            && arn_group == group
            && target.resource == plural
            && (account == "*" || target.namespace == account);
        holds!(!is_allowed(&decision) || is_named, "{verb} {group} {account} {plural}/{rest}: {asked:?} is allowed");
        Ok(is_allowed(&decision) || !is_named)
    });
}
