//! The invariants over random worlds and questions of Kubernetes (I1–I6, I8, I9 and I15).

use kube_iam::decide::{Applies, Cause, Effect, Layer, ResourceAccount, Verdict};
use kube_iam::mapping::Target;
use kube_iam::name::Mode;
use kube_iam::world::{self, Kind};
use serde_json::{Value as Json, json};

use crate::dice::{Dice, law, run};
use crate::holds;
use crate::language::{Draft, Place};
use crate::mutation::{add_statement, allow, bodies, limit, list, restrict, shuffle};
use crate::questions::{Question, answer, is_allowed, is_denied, question};
use crate::worlds::{Draw, Health, MANAGEMENT, Thing, control};

/// Numbers of a row that a world and a question need.
const ROW: usize = 400;

/// Questions asked of each world.
const QUESTIONS: usize = 3;

fn questions(dice: &mut Dice<'_>) -> Vec<Question> {
    (0..QUESTIONS).map(|_| Question::new(dice)).collect()
}

#[test]
fn an_empty_world_refuses_everybody_but_root() {
    law(file!(), 60, 80, |dice| {
        let draw = Draw { things: Vec::new(), ..Draw::new(dice, Health::Good) };
        let snapshot = draw.snapshot();
        for asked in questions(dice) {
            // Everybody may discover what there is; whoever is asked for as root is root.
            let asked = Question { mode: Mode::Coexist, principal: None, ..asked };
            let Some(decision) = asked.answer(&snapshot) else { continue };
            let is_root = |identity: &str| identity == asked.attributes.user;
            let named = draw.namespaces.iter().any(|facts| facts.root_identity.as_deref().is_some_and(is_root))
                || draw.management_root && is_root("boss");
            holds!(!is_allowed(&decision) || named, "{asked:?} is allowed: {decision:?}");
            holds!(!is_allowed(&decision) || decision.layer == Some(Layer::Root), "{asked:?}: {decision:?}");
        }
        Ok(true)
    });
}

#[test]
fn a_deny_that_applies_denies() {
    law(file!(), ROW, 20, |dice| {
        let mut draw = Draw::new(dice, Health::Mixed);
        // To whatever is there, a user of a random account with one Deny of everything.
        let account = dice.pick(&["a", "m", "b"]);
        draw.things.retain(|thing| thing.key() != (Kind::User, account, "u0"));
        let spec = json!({
            "identities": [{"kind": "User", "name": "alice"}],
            "inlinePolicies": [{"name": "own", "statements": [Draft::deny_all(Place::Identity, "No").to_typed()]}],
        });
        draw.things.push(Thing::new(Kind::User, account, "u0", spec));
        let snapshot = draw.snapshot();
        let mut said = false;
        for asked in questions(dice) {
            let Some(explanation) = asked.explained(&snapshot) else { continue };
            let decision = &explanation.decision;
            if decision.layer == Some(Layer::Root) && decision.cause == Cause::Root("arn:k8s:iam::m:root".into()) {
                continue;
            }
            let denies = explanation.candidates.iter().any(|candidate| {
                let denies = |statement: &kube_iam::decide::StatementTrace| {
                    statement.effect == Effect::Deny && statement.applies != Applies::No
                };
                candidate.counts && candidate.statements.iter().any(denies)
            });
            holds!(!denies || is_denied(decision), "{draw:?}\n{asked:?}\n{explanation:?}");
            said |= denies;
            let ours = explanation
                .candidates
                .iter()
                .any(|candidate| candidate.counts && candidate.principal == format!("arn:k8s:iam::{account}:user/u0"));
            // Over all accounts a tenant's policies say nothing.
            let all = asked.ask(&snapshot, |request| request.account == ResourceAccount::All) == Some(true);
            let speaks = account == MANAGEMENT || !all;
            holds!(!(ours && speaks) || is_denied(decision), "{draw:?}\n{asked:?}\n{decision:?}");
        }
        Ok(said)
    });
}

#[test]
fn a_restriction_more_never_allows() {
    law(file!(), ROW, 20, |dice| {
        let before = Draw::new(dice, Health::Mixed);
        let mut after = before.clone();
        if !restrict(&mut after, dice) {
            return Ok(false);
        }
        let (old, new) = (before.snapshot(), after.snapshot());
        let mut said = false;
        for asked in questions(dice) {
            let (Some(old), Some(new)) = (asked.answer(&old), asked.answer(&new)) else { continue };
            holds!(is_allowed(&old) || !is_allowed(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            holds!(!is_denied(&old) || is_denied(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            // What kube-iam refuses, no other authorizer may allow afterwards.
            holds!(
                !old.is_limited() || new.is_limited() || is_denied(&new),
                "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}"
            );
            said |= old != new;
        }
        Ok(said)
    });
}

/// Whether an object's policies can limit anybody.
fn only_grants(draw: &Draw, thing: &Thing) -> bool {
    let is_boundary = |name: &str| {
        draw.things
            .iter()
            .filter_map(|other| other.spec["permissionsBoundary"].as_str())
            .any(|boundary| boundary == name || boundary.rsplit('/').next() == Some(name))
    };
    match thing.place() {
        Some(Place::ServiceControl | Place::ResourceControl) => false,
        Some(Place::Identity) => !is_boundary(&thing.name),
        _ => true,
    }
}

#[test]
fn an_allow_more_never_refuses() {
    law(file!(), ROW, 8, |dice| {
        let before = Draw::new(dice, Health::Mixed);
        let mut after = before.clone();
        let may = |thing: &Thing| thing.is_valid() && only_grants(&before, thing);
        let wide = dice.chance(50);
        let added = add_statement(&mut after, dice, may, |dice, place| {
            let random = allow(dice, place, "Added");
            if wide {
                Draft { principals: random.principals, effect: "Allow", ..Draft::deny_all(place, "Added") }
            } else {
                random
            }
        });
        if !added {
            return Ok(false);
        }
        let (old, new) = (before.snapshot(), after.snapshot());
        let mut said = false;
        for asked in questions(dice) {
            let (Some(old), Some(new)) = (asked.answer(&old), asked.answer(&new)) else { continue };
            holds!(!is_allowed(&old) || is_allowed(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            holds!(is_denied(&old) == is_denied(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            said |= old.verdict != new.verdict || is_denied(&old);
        }
        Ok(said)
    });
}

#[test]
fn an_allow_less_never_grants() {
    law(file!(), ROW, 20, |dice| {
        let before = Draw::new(dice, Health::Mixed);
        let mut after = before.clone();
        let mut removed = false;
        let chosen = |thing: &&mut Thing| thing.is_valid() && only_grants(&before, thing);
        for thing in after.things.iter_mut().filter(chosen) {
            for (_, body) in bodies(thing) {
                let Some((statements, _)) = list(body) else { continue };
                let is_allow = |statement: &Json| statement["effect"] == "Allow" || statement["Effect"] == "Allow";
                // A policy without any statement is invalid, which is another matter.
                let at = statements.iter().position(is_allow).filter(|_| statements.len() > 1 && dice.chance(50));
                removed |= at.map(|at| statements.remove(at)).is_some();
            }
        }
        let (old, new) = (before.snapshot(), after.snapshot());
        for asked in questions(dice) {
            let (Some(old), Some(new)) = (asked.answer(&old), asked.answer(&new)) else { continue };
            holds!(is_allowed(&old) || !is_allowed(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            holds!(is_denied(&old) == is_denied(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
        }
        Ok(removed)
    });
}

#[test]
fn the_order_of_objects_changes_nothing() {
    law(file!(), ROW, 20, |dice| {
        let before = Draw::new(dice, Health::Mixed);
        let mut after = before.clone();
        dice.shuffle(&mut after.things);
        dice.shuffle(&mut after.namespaces);
        let (old, new) = (world::build(&before.input()), world::build(&after.input()));
        holds!(old.digest == new.digest, "{before:?}\n{after:?}: another digest");
        holds!(old == new, "{before:?}\n{after:?}: another world");
        let (old, new) = (before.snapshot(), after.snapshot());
        let mut said = false;
        for asked in questions(dice) {
            let (old, new) = (asked.answer(&old), asked.answer(&new));
            holds!(old == new, "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            said |= old.is_some_and(|decision| decision.verdict != Verdict::ImplicitDeny);
        }
        Ok(said)
    });
}

#[test]
fn neither_the_order_nor_the_repetition_of_entries_changes_an_answer() {
    law(file!(), 2 * ROW, 20, |dice| {
        let mut before = Draw::new(dice, Health::Mixed);
        // Of objects that are declared twice the text says which one is named first.
        let keys: Vec<_> = before.things.iter().map(|thing| format!("{:?}", thing.key())).collect();
        let mut at = 0..;
        before.things.retain(|thing| {
            let key = format!("{:?}", thing.key());
            at.next().is_some_and(|at| keys.iter().position(|other| *other == key) == Some(at))
        });
        let mut after = before.clone();
        for thing in &mut after.things {
            for key in ["policies", "groups", "externalGroups"] {
                if let Some(Json::Array(entries)) = thing.spec.get_mut(key)
                    && let Some(first) = entries.first().cloned()
                    && dice.chance(30)
                {
                    entries.push(first);
                }
            }
            shuffle(&mut thing.spec, dice);
        }
        let (old, new) = (before.snapshot(), after.snapshot());
        let mut said = false;
        for asked in questions(dice) {
            let (Some(old), Some(new)) = (asked.answer(&old), asked.answer(&new)) else { continue };
            let same = (old.verdict, old.layer, &old.cause) == (new.verdict, new.layer, &new.cause);
            holds!(same, "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            let sorted = |decision: &kube_iam::decide::Decision| {
                let mut names: Vec<String> =
                    decision.matched.iter().map(|matched| format!("{} {}", matched.policy, matched.sid)).collect();
                names.sort();
                names
            };
            holds!(sorted(&old) == sorted(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            said |= old.verdict != Verdict::ImplicitDeny;
        }
        Ok(said)
    });
}

#[test]
fn a_limit_more_never_allows() {
    law(file!(), ROW, 5, |dice| {
        let before = Draw::new(dice, Health::Mixed);
        let mut after = before.clone();
        if dice.chance(50) {
            if !limit(&mut after, dice) {
                return Ok(false);
            }
        } else {
            let kind = dice.pick(&["ServiceControl", "ResourceControl"]);
            let mut fresh = control(dice, kind);
            fresh.name = "fresh".to_owned();
            after.things.push(fresh);
        }
        let (old, new) = (before.snapshot(), after.snapshot());
        let mut said = false;
        for asked in questions(dice) {
            let (Some(old), Some(new)) = (asked.answer(&old), asked.answer(&new)) else { continue };
            holds!(is_allowed(&old) || !is_allowed(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            said |= old.verdict != new.verdict || old.layer != new.layer;
        }
        Ok(said)
    });
}

#[test]
fn what_cannot_be_read_never_allows_and_never_drops_a_deny() {
    law(file!(), ROW, 20, |dice| {
        let before = Draw::new(dice, Health::Good);
        let mut after = before.clone();
        let at = dice.below(after.things.len());
        let thing = &mut after.things[at];
        match dice.below(8) {
            0 => thing.spec["colour"] = json!("red"),
            1 => thing.spec["permissionsBoundary"] = Json::Null,
            _ => {
                let mut bodies = bodies(thing);
                if bodies.is_empty() {
                    return Ok(false);
                }
                let chosen = dice.below(bodies.len());
                let (_, body) = &mut bodies[chosen];
                if body.get("document").is_some() && dice.chance(30) {
                    body["document"]["Version"] = json!("2030-01-01");
                } else {
                    let (statements, is_typed) = list(body).unwrap();
                    let at = dice.below(statements.len());
                    let statement = &mut statements[at];
                    match (is_typed, dice.below(3)) {
                        (_, 0) => statement["colour"] = json!("red"),
                        (true, 1) => statement["conditions"] = json!([]),
                        (false, 1) => statement["Condition"] = Json::Null,
                        (true, _) => {
                            let unknown = json!({"operator": "StringSame", "key": "k8s:User", "values": ["x"]});
                            match statement.get_mut("conditions") {
                                Some(conditions) => conditions.as_array_mut().unwrap().push(unknown),
                                None => statement["conditions"] = json!([unknown]),
                            }
                        }
                        (false, _) => statement["Condition"]["StringSame"]["k8s:User"] = json!("x"),
                    }
                }
            }
        }
        let (old, new) = (before.snapshot(), after.snapshot());
        let mut said = false;
        for asked in questions(dice) {
            let (Some(old), Some(new)) = (asked.answer(&old), asked.answer(&new)) else { continue };
            holds!(is_allowed(&old) || !is_allowed(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            holds!(!is_denied(&old) || is_denied(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            said |= old.verdict != Verdict::ImplicitDeny;
        }
        Ok(said)
    });
}

#[test]
fn the_last_good_form_keeps_its_restrictions() {
    law(file!(), ROW, 20, |dice| {
        let before = Draw::new(dice, Health::Good);
        let mut after = before.clone();
        let at = dice.below(after.things.len());
        let thing = &mut after.things[at];
        thing.last_good = Some(thing.spec.clone());
        match dice.below(3) {
            0 => thing.unreadable = true,
            1 => thing.spec = json!({"colour": "red"}),
            _ => thing.spec["path"] = json!("nowhere"),
        }
        let (old, new) = (before.snapshot(), after.snapshot());
        let mut said = false;
        for asked in questions(dice) {
            let (Some(old), Some(new)) = (asked.answer(&old), asked.answer(&new)) else { continue };
            holds!(is_allowed(&old) || !is_allowed(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            holds!(!is_denied(&old) || is_denied(&new), "{before:?}\n{after:?}\n{asked:?}\n{old:?}\n{new:?}");
            said |= old.verdict != Verdict::ImplicitDeny;
        }
        Ok(said)
    });
}

#[test]
fn an_explanation_answers_as_the_decision_in_every_mode() {
    law(file!(), ROW, 20, |dice| {
        let draw = Draw::new(dice, Health::Mixed);
        let snapshot = draw.snapshot();
        let mut said = false;
        for asked in questions(dice) {
            let asked = Question { mode: dice.pick(&Mode::ALL), ..asked };
            let (Some(decision), Some(explanation)) = (asked.answer(&snapshot), asked.explained(&snapshot)) else {
                continue;
            };
            holds!(decision == explanation.decision, "{draw:?}\n{asked:?}\n{decision:?}\n{explanation:?}");
            said |= decision.verdict != Verdict::ImplicitDeny;
        }
        Ok(said)
    });
}

#[test]
fn a_spent_budget_refuses_an_allow_and_keeps_a_deny() {
    run(file!(), 20, 100, 6, |dice| {
        // Each value of the condition takes about as many steps as the product of the two lengths.
        let hard = format!("*{}b", "a".repeat(900));
        let name = "a".repeat(2_000);
        let condition =
            |operator: &str| json!([{"operator": operator, "key": "k8s:Name", "values": vec![hard.as_str(); 20]}]);
        let operator = dice.pick(&["StringLike", "StringNotLike"]);
        let effect = dice.pick(&["Allow", "Deny"]);
        let mut things = Vec::new();
        let mut references = Vec::new();
        for at in 0..5 {
            let statement = json!({
                "sid": "Hard", "effect": effect, "actions": ["k8s:get"], "resources": ["*"],
                "conditions": condition(operator),
            });
            let open = json!({"sid": "Open", "effect": "Allow", "actions": ["*"], "resources": ["*"]});
            let spec = json!({"statements": [statement, open]});
            things.push(Thing::new(Kind::Policy, "a", &format!("p{at}"), spec));
            references.push(format!("p{at}"));
        }
        let user = json!({"identities": [{"kind": "User", "name": "alice"}], "policies": references});
        things.push(Thing::new(Kind::User, "a", "u0", user));
        let snapshot = Draw { things, namespaces: Vec::new(), management_root: false }.snapshot();
        let mut asked = question(&mut Dice::default());
        let Target::Resource(target) = &mut asked.target else { panic!("no object") };
        target.name = name.into();
        let decision = answer(&snapshot, &asked).unwrap();
        holds!(decision.cause == Cause::BudgetSpent && is_denied(&decision), "{effect} {operator}: {decision:?}");
        Ok(true)
    });
}
