//! Requests for sets of objects (`kubernetes-contract.md` B4): what is said of a set holds for its members, and every
//! approximation errs towards refusing.

use kube_iam::decide::{Applies, Effect, Explanation, Layer};
use kube_iam::mapping::{Attributes, Requirement, ResourceAttributes, SelectorOperator, Target};
use kube_iam::world::Kind;
use serde_json::json;

use crate::dice::{Dice, law};
use crate::holds;
use crate::language::{Draft, KEYS, Place, statement, typed};
use crate::questions::{answer, caller, explained, field, is_allowed, is_denied, label};
use crate::worlds::{Draw, Health, MANAGEMENT, Thing};

const NAMESPACES: [&str; 3] = ["a", "b", "c"];
const NAMES: [&str; 3] = ["x", "y", "alice"];
const LABELS: [Option<&str>; 3] = [Some("prod"), Some("dev"), None];

fn set(dice: &mut Dice<'_>, namespace: &'static str) -> Attributes<'static> {
    let verb = dice.pick(&["list", "watch", "deletecollection"]);
    let resource = dice.pick(&["secrets", "secrets", "secrets", "pods"]);
    let fields = (0..dice.below(3)).map(|_| field(dice)).collect();
    let labels = (0..dice.below(3)).map(|_| label(dice)).collect();
    let target = ResourceAttributes {
        namespace: namespace.into(),
        verb: verb.into(),
        version: "v1".into(),
        resource: resource.into(),
        field_selector: fields,
        label_selector: labels,
        ..ResourceAttributes::default()
    };
    Attributes { target: Target::Resource(target), ..caller(dice) }
}

fn of(attributes: &Attributes<'static>) -> ResourceAttributes<'static> {
    match &attributes.target {
        Target::Resource(resource) => resource.clone(),
        Target::Url(_) => panic!("not an object"),
    }
}

fn selects(requirements: &[Requirement<'_>], key: &str, value: Option<&str>) -> bool {
    requirements.iter().filter(|requirement| requirement.key == key).all(|requirement| {
        let is_among = value.is_some_and(|value| requirement.values.iter().any(|one| one == value));
        match requirement.operator {
            SelectorOperator::In => is_among,
            SelectorOperator::NotIn => !is_among,
            SelectorOperator::Exists => value.is_some(),
            SelectorOperator::DoesNotExist => value.is_none(),
        }
    })
}

/// The members of a set in the small universe: one object each, with its label.
fn members(asked: &Attributes<'static>) -> Vec<Attributes<'static>> {
    let set = of(asked);
    let mut found = Vec::new();
    for namespace in NAMESPACES {
        for name in NAMES {
            for label in LABELS {
                let is_member = (set.namespace.is_empty() || set.namespace == namespace)
                    && selects(&set.field_selector, "metadata.namespace", Some(namespace))
                    && selects(&set.field_selector, "metadata.name", Some(name))
                    && selects(&set.label_selector, "env", label);
                if !is_member {
                    continue;
                }
                let (operator, values) = match label {
                    Some(value) => (SelectorOperator::In, vec![value.into()]),
                    None => (SelectorOperator::DoesNotExist, Vec::new()),
                };
                let target = ResourceAttributes {
                    namespace: namespace.into(),
                    name: name.into(),
                    field_selector: Vec::new(),
                    label_selector: vec![Requirement { key: "env".into(), operator, values }],
                    ..set.clone()
                };
                found.push(Attributes { target: Target::Resource(target), ..asked.clone() });
            }
        }
    }
    found
}

/// Makes members likelier to be told apart, and sets likelier to be allowed.
fn widen(dice: &mut Dice<'_>, draw: &mut Draw, account: &str) {
    let mut drafts = vec![Draft { effect: "Allow", ..Draft::deny_all(Place::Identity, "Wide") }];
    for at in 0..dice.below(3) {
        let resources = dice.pick(&[
            "arn:k8s:core::a:*",
            "arn:k8s:core::*:secrets/*",
            "arn:k8s:*::*:*/x",
            "arn:k8s:core::*:s*",
            "arn:k8s:core::*:secrets/${k8s:User}",
            "*",
        ]);
        let random = statement(dice, Place::Identity, format!("T{at}"), &KEYS);
        let actions = vec!["k8s:*".to_owned()];
        drafts.push(Draft {
            effect: if dice.chance(50) { "Deny" } else { "Allow" },
            actions: (false, actions),
            resources: Some((dice.chance(20), vec![resources.to_owned()])),
            ..random
        });
    }
    if dice.chance(50) {
        drafts.remove(0);
    }
    if drafts.is_empty() {
        return;
    }
    draw.things.retain(|thing| thing.key() != (Kind::User, account, "u0"));
    let spec = json!({
        "identities": [{"kind": "User", "name": "alice"}],
        "tags": {"team": "t1"},
        "inlinePolicies": [{"name": "own", "statements": typed(&drafts)}],
    });
    draw.things.push(Thing::new(Kind::User, account, "u0", spec));
}

fn soundness(accounts: &'static [&'static str], namespace: &'static str) {
    law(file!(), 400, 10, |dice| {
        let mut draw = Draw::within(dice, Health::Mixed, accounts);
        // Without roots: what they may do is no matter of sets.
        draw.management_root = false;
        for facts in &mut draw.namespaces {
            facts.root_identity = None;
        }
        widen(dice, &mut draw, accounts[0]);
        let snapshot = draw.snapshot();
        let asked = set(dice, namespace);
        let Some(whole) = answer(&snapshot, &asked) else { return Ok(false) };
        let mut said = false;
        for member in members(&asked) {
            let Some(one) = answer(&snapshot, &member) else { continue };
            holds!(
                !is_allowed(&whole) || is_allowed(&one),
                "the set is allowed, a member is not: {draw:?}\n{asked:?}\n{member:?}\n{whole:?}\n{one:?}"
            );
            holds!(
                !is_denied(&one) || is_denied(&whole),
                "a member is denied, the set is not: {draw:?}\n{asked:?}\n{member:?}\n{whole:?}\n{one:?}"
            );
            said |= is_allowed(&whole) || is_denied(&one);
        }
        Ok(said)
    });
}

#[test]
fn a_set_in_one_namespace_is_allowed_only_with_every_member() {
    soundness(&["a", "a", "m"], "a");
}

#[test]
fn a_set_over_all_namespaces_is_allowed_only_with_every_member() {
    // What tenants write says nothing about all namespaces: here nobody but the management account writes.
    soundness(&[MANAGEMENT], "");
}

/// Whether something that the management account wrote denies a principal, as far as it speaks about all accounts.
fn management_denies(explanation: &Explanation, principal: &str) -> bool {
    let of_management = principal.starts_with("arn:k8s:iam::m:") || principal.starts_with("arn:k8s:sts::m:");
    explanation.candidates.iter().filter(|candidate| candidate.principal == principal).any(|candidate| {
        candidate.statements.iter().any(|statement| {
            let speaks = match statement.layer {
                Layer::ResourceControl => true,
                Layer::Resource => statement.policy.starts_with("m/"),
                Layer::Identity | Layer::Boundary => of_management,
                _ => false,
            };
            speaks && statement.effect == Effect::Deny && statement.applies != Applies::No
        })
    })
}

#[test]
fn whom_all_namespaces_are_open_to_no_policy_of_the_management_account_denies_one() {
    law(file!(), 400, 5, |dice| {
        let mut draw = Draw::new(dice, Health::Mixed);
        widen(dice, &mut draw, MANAGEMENT);
        let snapshot = draw.snapshot();
        let asked = set(dice, "");
        let Some(whole) = explained(&snapshot, &asked) else { return Ok(false) };
        if !is_allowed(&whole.decision) {
            return Ok(false);
        }
        let allowed = whole.candidates.iter().filter(|candidate| candidate.allowed.is_some());
        let allowed: Vec<&str> = allowed.map(|candidate| candidate.principal.as_str()).collect();
        for namespace in ["a", "b", "m", "z"] {
            let resource = of(&asked);
            if !selects(&resource.field_selector, "metadata.namespace", Some(namespace)) {
                continue;
            }
            let target = ResourceAttributes { namespace: namespace.into(), ..resource };
            let one = Attributes { target: Target::Resource(target), ..asked.clone() };
            let Some(one) = explained(&snapshot, &one) else { continue };
            for principal in &allowed {
                // The management root is bound by nothing on the resource's side.
                let is_root = principal.ends_with(":root");
                holds!(
                    is_root || !management_denies(&one, principal),
                    "{principal} may do it everywhere and not in {namespace}: {draw:?}\n{asked:?}\n{one:?}"
                );
            }
        }
        Ok(true)
    });
}

#[test]
fn one_object_of_an_allowed_set_is_allowed() {
    law(file!(), 400, 8, |dice| {
        let mut draw = Draw::new(dice, Health::Mixed);
        widen(dice, &mut draw, "a");
        let snapshot = draw.snapshot();
        let whole = set(dice, "a");
        let one = ResourceAttributes { name: dice.pick(&NAMES).into(), field_selector: Vec::new(), ..of(&whole) };
        if !selects(&of(&whole).field_selector, "metadata.name", Some(&one.name))
            || !selects(&of(&whole).field_selector, "metadata.namespace", Some("a"))
        {
            return Ok(false);
        }
        let one = Attributes { target: Target::Resource(one), ..whole.clone() };
        let (Some(set), Some(object)) = (answer(&snapshot, &whole), answer(&snapshot, &one)) else { return Ok(false) };
        holds!(!is_allowed(&set) || is_allowed(&object), "{draw:?}\n{whole:?}\n{one:?}\n{set:?}\n{object:?}");
        holds!(!is_denied(&object) || is_denied(&set), "{draw:?}\n{whole:?}\n{one:?}\n{set:?}\n{object:?}");
        Ok(is_allowed(&set) || is_denied(&object))
    });
}
