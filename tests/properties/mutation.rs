//! Changes of worlds: a restriction more, an Allow more or less, another order.

use serde_json::{Value as Json, json};

use kube_iam::world::Kind;

use crate::dice::Dice;
use crate::language::{Draft, KEYS, Place, document, statement, typed};
use crate::worlds::{Draw, MANAGEMENT, Thing, body, control};

/// A random Deny.
pub fn deny(dice: &mut Dice<'_>, place: Place, sid: &str) -> Draft {
    if dice.chance(30) {
        return Draft::deny_all(place, sid);
    }
    Draft { effect: "Deny", ..statement(dice, place, sid.to_owned(), &KEYS) }
}

/// A random Allow. In a guardrail on resources there is none.
pub fn allow(dice: &mut Dice<'_>, place: Place, sid: &str) -> Draft {
    let random = statement(dice, place, sid.to_owned(), &KEYS);
    let principals = random.principals.map(|(_, names)| (false, names));
    Draft { effect: "Allow", principals, ..random }
}

/// The maps with `statements` or `document` of a thing, each with its place.
pub fn bodies(thing: &mut Thing) -> Vec<(Place, &mut Json)> {
    if let Some(place) = thing.place() {
        return vec![(place, &mut thing.spec)];
    }
    let Json::Object(spec) = &mut thing.spec else { return Vec::new() };
    let mut found = Vec::new();
    for (key, value) in spec {
        match (key.as_str(), value) {
            ("inlinePolicies", Json::Array(policies)) => {
                found.extend(policies.iter_mut().map(|policy| (Place::Identity, policy)));
            }
            ("trustPolicy", policy) => found.push((Place::Trust, policy)),
            _ => {}
        }
    }
    found
}

/// The list of statements in a body, and whether it is typed.
pub fn list(body: &mut Json) -> Option<(&mut Vec<Json>, bool)> {
    let is_typed = body.get("statements").is_some();
    let statements = if is_typed { &mut body["statements"] } else { body.get_mut("document")?.get_mut("Statement")? };
    statements.as_array_mut().map(|statements| (statements, is_typed))
}

/// Adds a statement to a random body of a random thing that is chosen by `may`; false if there is none.
pub fn add_statement(
    draw: &mut Draw,
    dice: &mut Dice<'_>,
    may: impl Fn(&Thing) -> bool,
    make: impl FnOnce(&mut Dice<'_>, Place) -> Draft,
) -> bool {
    let mut things: Vec<&mut Thing> = draw.things.iter_mut().filter(|thing| may(thing)).collect();
    if things.is_empty() {
        return false;
    }
    let at = dice.below(things.len());
    let mut bodies = bodies(things[at]);
    if bodies.is_empty() {
        return false;
    }
    let at = dice.below(bodies.len());
    let (place, body) = &mut bodies[at];
    let draft = make(dice, *place);
    let Some((statements, is_typed)) = list(body) else { return false };
    let at = dice.below(statements.len() + 1);
    statements.insert(at, if is_typed { draft.to_typed() } else { draft.to_document() });
    true
}

/// Adds one restriction of any kind; false if this one has no place.
pub fn restrict(draw: &mut Draw, dice: &mut Dice<'_>) -> bool {
    let denies = |dice: &mut Dice<'_>, place| {
        let draft = deny(dice, place, "Added");
        if dice.chance(30) { json!({"document": document(&[draft])}) } else { json!({"statements": typed(&[draft])}) }
    };
    let holder = |thing: &&mut Thing| thing.kind != Kind::Policy && thing.is_valid();
    match dice.below(7) {
        0 | 1 => add_statement(draw, dice, Thing::is_valid, |dice, place| deny(dice, place, "Added")),
        2 => {
            let mut holders: Vec<&mut Thing> = draw.things.iter_mut().filter(holder).collect();
            if holders.is_empty() {
                return false;
            }
            let at = dice.below(holders.len());
            let account = holders[at].account.clone();
            let reference = if dice.chance(50) { "fresh" } else { "arn:k8s:iam::m:policy/fresh" };
            let policies = holders[at].spec["policies"].as_array_mut().unwrap();
            policies.push(json!(reference));
            let account = if reference == "fresh" { &account } else { MANAGEMENT };
            draw.things.push(Thing::new(Kind::Policy, account, "fresh", denies(dice, Place::Identity)));
            true
        }
        3 => limit(draw, dice),
        4 => {
            let kind = dice.pick(&["ServiceControl", "ResourceControl"]);
            let mut fresh = control(dice, kind);
            fresh.name = "fresh".to_owned();
            draw.things.push(fresh);
            true
        }
        5 => {
            let mut spec = denies(dice, Place::Resource);
            spec["type"] = json!("Resource");
            spec["targets"] = json!({"resources": ["*"]});
            let account = dice.pick(&["a", "m"]);
            draw.things.push(Thing::new(Kind::Policy, account, "fresh", spec));
            true
        }
        _ => {
            let users = draw.things.iter_mut().filter(|thing| thing.kind == Kind::User);
            let mut users: Vec<&mut Thing> = users.collect();
            if users.is_empty() {
                return false;
            }
            let at = dice.below(users.len());
            users[at].spec["disabled"] = json!(true);
            true
        }
    }
}

/// Gives somebody without a boundary one, with Allows or without, there or missing.
pub fn limit(draw: &mut Draw, dice: &mut Dice<'_>) -> bool {
    let free = |thing: &&mut Thing| {
        matches!(thing.kind, Kind::User | Kind::Role) && thing.spec.get("permissionsBoundary").is_none()
    };
    let mut holders: Vec<&mut Thing> = draw.things.iter_mut().filter(free).collect();
    if holders.is_empty() {
        return false;
    }
    let at = dice.below(holders.len());
    holders[at].spec["permissionsBoundary"] = json!("fresh");
    let account = holders[at].account.clone();
    if dice.chance(80) {
        let spec = body(dice, Place::Identity, 3);
        draw.things.push(Thing::new(Kind::Policy, &account, "fresh", spec));
    }
    true
}

/// Another order of everything that has none: lists of references, statements, entries, values.
pub fn shuffle(value: &mut Json, dice: &mut Dice<'_>) {
    match value {
        Json::Array(items) => {
            items.iter_mut().for_each(|item| shuffle(item, dice));
            dice.shuffle(items);
        }
        Json::Object(map) => map.values_mut().for_each(|item| shuffle(item, dice)),
        _ => {}
    }
}
