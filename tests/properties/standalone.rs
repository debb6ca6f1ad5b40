//! Laws of the decision over policies given with a request (`iam-semantics.md` §16.1–§16.3, §16.8, §16.9, §16.11,
//! §16.12).

use kube_iam::decide::{Cause, Decision, Verdict};
use kube_iam::policy::tree::{Node, Value};
use serde_json::{Map, Value as Json, json};

use crate::dice::{Dice, law};
use crate::language::{ACCOUNTS, Draft, KEYS, Place, document, statement, statements};
use crate::{holds, records};

const PLACES: [(&str, Place); 8] = [
    ("identity", Place::Identity),
    ("resource", Place::Resource),
    ("boundary", Place::Identity),
    ("session", Place::Identity),
    ("scp", Place::ServiceControl),
    ("rcp", Place::ResourceControl),
    ("trust", Place::Trust),
    ("endpoint", Place::Resource),
];

/// A policy that does not limit.
fn open(dice: &mut Dice<'_>, place: Place) -> Json {
    let most = if place == Place::Trust { 2 } else { 3 };
    let mut drafts = statements(dice, place, most);
    let limits = matches!(place, Place::Identity | Place::ServiceControl);
    if limits && dice.chance(60) {
        drafts.push(Draft { effect: "Allow", ..Draft::deny_all(place, "Open") });
    }
    document(&drafts)
}

fn record(dice: &mut Dice<'_>) -> Json {
    let account = dice.pick(&ACCOUNTS);
    let principal = match dice.below(9) {
        0..3 => format!("arn:k8s:iam::{account}:user/u0"),
        3 | 4 => format!("arn:k8s:sts::{account}:assumed-role/r0/s"),
        5 => format!("arn:k8s:sts::{account}:federated-user/alice"),
        6 => format!("arn:k8s:iam::{account}:root"),
        7 => "anonymous".to_owned(),
        _ => "svc.example.org".to_owned(),
    };
    let trusting = dice.chance(10);
    let owner = if dice.chance(60) { account } else { dice.pick(&ACCOUNTS) };
    let (action, resource) = if trusting {
        ("sts:AssumeRole".to_owned(), format!("arn:k8s:iam::{owner}:role/r0"))
    } else {
        let action = dice.pick(&["k8s:get", "k8s:list", "k8s:create/exec", "k8s:delete", "orders:Refund"]);
        let rest = dice.pick(&["secrets/x", "secrets/xy", "secrets/alice", "pods/x", "secrets/u0"]);
        (action.to_owned(), format!("arn:k8s:core::{owner}:{rest}"))
    };
    let mut context = Map::new();
    for (key, values) in KEYS {
        if dice.chance(70) {
            let value = if key == "k8s:Groups" { json!(dice.some(values, 0, 2)) } else { json!(dice.pick(values)) };
            context.insert(key.to_owned(), value);
        }
    }
    let mut policies = json!({});
    let named = principal.starts_with("arn:");
    if named && !principal.ends_with(":root") {
        let count = dice.below(3);
        policies["identity"] = (0..=count).map(|_| open(dice, Place::Identity)).collect();
    }
    if trusting {
        policies["trust"] = open(dice, Place::Trust);
    } else if dice.chance(60) {
        policies["resource"] = open(dice, Place::Resource);
    }
    for (key, percent) in [("boundary", 25), ("session", 20), ("endpoint", 8)] {
        if dice.chance(percent) {
            let place = if key == "endpoint" { Place::Resource } else { Place::Identity };
            policies[key] = json!([open(dice, place)]);
        }
    }
    for (key, place, percent) in [("scp", Place::ServiceControl, 25), ("rcp", Place::ResourceControl, 20)] {
        if dice.chance(percent) {
            let levels = 1 + dice.below(2);
            policies[key] = (0..levels).map(|_| json!([open(dice, place)])).collect();
        }
    }
    json!({
        "policies": policies,
        "request": {
            "principal": principal, "action": action, "resource": resource, "resource_account": owner,
            "context": context,
        },
    })
}

/// The documents of a record, each with the place that it stands at.
fn each_document(record: &mut Json, mut act: impl FnMut(&str, Place, &mut Json)) {
    fn walk(node: &mut Json, act: &mut impl FnMut(&mut Json)) {
        match node {
            Json::Array(items) => items.iter_mut().for_each(|item| walk(item, act)),
            Json::Object(_) => act(node),
            _ => {}
        }
    }
    for (key, place) in PLACES {
        if let Some(node) = record["policies"].get_mut(key) {
            walk(node, &mut |document| act(key, place, document));
        }
    }
}

fn is_allowed(decision: &Decision) -> bool {
    decision.verdict == Verdict::Allow
}

/// Puts a statement into one of the documents; false if there is none where it may stand.
fn add(
    record: &mut Json,
    dice: &mut Dice<'_>,
    may: impl Fn(&str) -> bool,
    mut make: impl FnMut(&mut Dice<'_>, Place) -> Draft,
) -> bool {
    let mut count = 0;
    each_document(record, |key, _, _| count += usize::from(may(key)));
    if count == 0 {
        return false;
    }
    let (chosen, mut at) = (dice.below(count), 0);
    each_document(record, |key, place, document| {
        if may(key) {
            if at == chosen {
                document["Statement"].as_array_mut().unwrap().push(make(dice, place).to_document());
            }
            at += 1;
        }
    });
    true
}

#[test]
fn a_deny_never_allows() {
    law(file!(), 300, 20, |dice| {
        let before = record(dice);
        let mut after = before.clone();
        let made = |dice: &mut Dice<'_>, place| {
            let random = statement(dice, place, "Added".to_owned(), &KEYS);
            Draft { effect: "Deny", ..random }
        };
        if !add(&mut after, dice, |_| true, made) {
            return Ok(false);
        }
        let (old, new) = (records::decide(&before), records::decide(&after));
        holds!(is_allowed(&old) || !is_allowed(&new), "{before}\nis refused, and allowed with a Deny more:\n{after}");
        let lifted = old.verdict == Verdict::ExplicitDeny && new.verdict != Verdict::ExplicitDeny;
        holds!(!lifted, "{before}\nis denied, and no longer with a Deny more:\n{after}");
        Ok(old.verdict != new.verdict || !is_allowed(&new))
    });
}

#[test]
fn an_allow_never_lifts_a_deny_and_never_refuses() {
    law(file!(), 300, 12, |dice| {
        let before = record(dice);
        let mut after = before.clone();
        let made = |dice: &mut Dice<'_>, place| {
            let random = statement(dice, place, "Added".to_owned(), &KEYS);
            Draft { effect: "Allow", ..random }
        };
        if !add(&mut after, dice, |key| key != "rcp", made) {
            return Ok(false);
        }
        let (old, new) = (records::decide(&before), records::decide(&after));
        let denied = |decision: &Decision| decision.verdict == Verdict::ExplicitDeny;
        holds!(denied(&old) == denied(&new), "{before}\nand with an Allow more\n{after}");
        holds!(!is_allowed(&old) || is_allowed(&new), "{before}\nis refused with an Allow more\n{after}");
        Ok(denied(&old) || old.verdict != new.verdict)
    });
}

/// Lists and maps in another order. None of the lists in a policy has one that counts.
fn shuffle(node: &mut Node, dice: &mut Dice<'_>) {
    match &mut node.value {
        Value::List(items) => {
            items.iter_mut().for_each(|item| shuffle(item, dice));
            dice.shuffle(items);
        }
        Value::Map(entries) => {
            entries.iter_mut().for_each(|entry| shuffle(&mut entry.value, dice));
            dice.shuffle(entries);
        }
        _ => {}
    }
}

#[test]
fn no_order_changes_a_verdict() {
    law(file!(), 600, 30, |dice| {
        let record = record(dice);
        let tree = Node::from(&record["policies"]);
        let mut shuffled = tree.clone();
        // The kinds of policies have no order either.
        shuffle(&mut shuffled, dice);
        let (old, new) = (records::decide(&record), records::decide_tree(&shuffled, &record["request"]));
        let seen = |decision: &Decision| (decision.verdict, decision.layer, decision.cause.clone());
        holds!(seen(&old) == seen(&new), "{:?}, shuffled {:?}: {record}", seen(&old), seen(&new));
        Ok(old.verdict != Verdict::ImplicitDeny)
    });
}

/// Writes lists of one string as the string, and strings as lists, where either may stand.
fn rewrap(value: &mut Json, dice: &mut Dice<'_>) {
    if dice.chance(40) {
        return;
    }
    match value {
        Json::Array(items) if items.len() == 1 => *value = items[0].take(),
        Json::String(_) => *value = json!([value.take()]),
        _ => {}
    }
}

#[test]
fn one_string_and_a_list_of_it_are_the_same() {
    law(file!(), 400, 30, |dice| {
        let before = record(dice);
        let mut after = before.clone();
        each_document(&mut after, |_, _, document| {
            for statement in document["Statement"].as_array_mut().unwrap() {
                for key in ["Action", "NotAction", "Resource", "NotResource"] {
                    if let Some(value) = statement.get_mut(key) {
                        rewrap(value, dice);
                    }
                }
                for key in ["Principal", "NotPrincipal"] {
                    if let Some(Json::Object(types)) = statement.get_mut(key) {
                        types.values_mut().for_each(|value| rewrap(value, dice));
                    }
                }
                if let Some(Json::Object(operators)) = statement.get_mut("Condition") {
                    let keys = operators.values_mut().filter_map(Json::as_object_mut);
                    keys.flat_map(|keys| keys.values_mut()).for_each(|value| rewrap(value, dice));
                }
            }
            let statements = document["Statement"].as_array_mut().unwrap();
            if statements.len() == 1 {
                document["Statement"] = statements[0].take();
            }
        });
        let (old, new) = (records::decide(&before), records::decide(&after));
        holds!(old == new, "{before}\n{after}\n{old:?}\n{new:?}");
        Ok(old.verdict != Verdict::ImplicitDeny)
    });
}

/// A text in another case, but for what stands after `after`.
fn other_case(text: &str, dice: &mut Dice<'_>) -> String {
    match dice.below(3) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text.to_owned(),
    }
}

#[test]
fn the_case_of_actions_and_keys_changes_nothing() {
    law(file!(), 500, 30, |dice| {
        let before = record(dice);
        let mut after = before.clone();
        each_document(&mut after, |_, _, document| {
            for statement in document["Statement"].as_array_mut().unwrap() {
                for key in ["Action", "NotAction"] {
                    if let Some(Json::Array(actions)) = statement.get_mut(key) {
                        for action in actions {
                            *action = other_case(action.as_str().unwrap(), dice).into();
                        }
                    }
                }
                for key in ["Resource", "NotResource"] {
                    if let Some(Json::Array(resources)) = statement.get_mut(key) {
                        for resource in resources {
                            // Partition, service, region and account; `arn` and the rest stay.
                            let mut parts: Vec<String> =
                                resource.as_str().unwrap().splitn(6, ':').map(str::to_owned).collect();
                            let head = parts.len().min(5);
                            parts.iter_mut().take(head).skip(1).for_each(|part| *part = other_case(part, dice));
                            *resource = parts.join(":").into();
                        }
                    }
                }
                if let Some(Json::Object(operators)) = statement.get_mut("Condition") {
                    for keys in operators.values_mut() {
                        let old = std::mem::take(keys.as_object_mut().unwrap());
                        *keys = old.into_iter().map(|(key, value)| (other_case(&key, dice), value)).collect();
                    }
                }
            }
        });
        // Names of variables are keys, too.
        let text = after["policies"].to_string();
        after["policies"] = serde_json::from_str(&text.replace("${k8s:User", "${K8S:uSER")).unwrap();
        let request = &mut after["request"];
        request["action"] = other_case(request["action"].as_str().unwrap(), dice).into();
        let context = std::mem::take(request["context"].as_object_mut().unwrap());
        request["context"] = context.into_iter().map(|(key, value)| (other_case(&key, dice), value)).collect();
        let (old, new) = (records::decide(&before), records::decide(&after));
        holds!(
            (old.verdict, old.layer) == (new.verdict, new.layer),
            "{before}\n{after}\n{:?} {:?}",
            old.verdict,
            new.verdict
        );
        Ok(old.verdict != Verdict::ImplicitDeny)
    });
}

#[test]
fn across_accounts_both_sides_allow() {
    law(file!(), 300, 4, |dice| {
        let mut record = record(dice);
        record["request"]["resource_account"] = dice.pick(&ACCOUNTS).into();
        let may = |key: &str| matches!(key, "identity" | "resource");
        let mut allow = |dice: &mut Dice<'_>, place| {
            let named = statement(dice, Place::Resource, String::new(), &KEYS).principals;
            let principals = if place == Place::Resource { named } else { None };
            Draft { effect: "Allow", principals, ..Draft::deny_all(place, "Wide") }
        };
        for _ in 0..3 {
            add(&mut record, dice, may, &mut allow);
        }
        let principal = record["request"]["principal"].as_str().unwrap();
        let Some(account) = principal.split(':').nth(4).map(str::to_owned) else { return Ok(false) };
        let owner = record["request"]["resource_account"].as_str().unwrap();
        if owner == account || record["policies"].get("trust").is_some() || !is_allowed(&records::decide(&record)) {
            return Ok(false);
        }
        let mut alone = record.clone();
        alone["request"]["resource_account"] = account.into();
        alone["policies"].as_object_mut().unwrap().remove("resource");
        holds!(is_allowed(&records::decide(&alone)), "the identity side alone refuses {record}");
        let mut other = record.clone();
        let everything = document(&[Draft { effect: "Allow", ..Draft::deny_all(Place::Identity, "Open") }]);
        let policies = other["policies"].as_object_mut().unwrap();
        policies.insert("identity".into(), json!([everything]));
        for key in ["boundary", "scp"] {
            policies.remove(key);
        }
        if policies.contains_key("session") {
            policies.insert("session".into(), json!([everything]));
        }
        holds!(is_allowed(&records::decide(&other)), "the resource side alone refuses {record}");
        other["policies"].as_object_mut().unwrap().remove("resource");
        holds!(!is_allowed(&records::decide(&other)), "no resource policy is needed for {record}");
        Ok(true)
    });
}

#[test]
fn a_limit_less_never_reduces() {
    law(file!(), 300, 25, |dice| {
        let limited = record(dice);
        let federated = limited["request"]["principal"].as_str().unwrap().contains("federated-user");
        let limits: Vec<&str> = ["boundary", "session", "scp", "rcp", "endpoint"]
            .into_iter()
            .filter(|key| limited["policies"].get(key).is_some() && !(federated && *key == "session"))
            .collect();
        if limits.is_empty() {
            return Ok(false);
        }
        let mut free = limited.clone();
        let key = dice.pick(&limits);
        match &mut free["policies"][key] {
            Json::Array(levels) if levels.len() > 1 && dice.chance(50) => {
                levels.pop();
            }
            _ => {
                free["policies"].as_object_mut().unwrap().remove(key);
            }
        }
        let (old, new) = (records::decide(&limited), records::decide(&free));
        holds!(!is_allowed(&old) || is_allowed(&new), "{limited}\nis allowed, and refused without a limit\n{free}");
        let denied = |decision: &Decision| decision.verdict == Verdict::ExplicitDeny;
        holds!(denied(&old) || !denied(&new), "{limited}\nis denied only without a limit\n{free}");
        Ok(true)
    });
}

/// Any JSON, mostly with the keys of policies.
fn garbage(dice: &mut Dice<'_>, depth: usize) -> Json {
    const WORDS: [&str; 16] = [
        "Version",
        "Statement",
        "Effect",
        "Allow",
        "Deny",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "AWS",
        "Condition",
        "StringLike",
        "*",
        "arn:k8s:core::a:${*}",
        "2012-10-17",
    ];
    let word = |dice: &mut Dice<'_>| dice.pick(&WORDS).to_owned();
    match dice.below(if depth == 0 { 5 } else { 9 }) {
        0 => Json::Null,
        1 => json!(dice.chance(50)),
        2 => json!(dice.below(3)),
        3 | 4 => json!(word(dice)),
        5 | 6 => {
            let count = dice.below(4);
            (0..count).map(|_| garbage(dice, depth - 1)).collect()
        }
        _ => {
            let count = dice.below(5);
            Json::Object((0..count).map(|_| (word(dice), garbage(dice, depth - 1))).collect())
        }
    }
}

#[test]
fn evaluation_is_total() {
    law(file!(), 300, 90, |dice| {
        let mut record = record(dice);
        let kept = record.clone();
        each_document(&mut record, |_, _, document| match dice.below(4) {
            0 => *document = garbage(dice, 5),
            1 => document["Statement"] = garbage(dice, 4),
            2 => {
                let statements = document["Statement"].as_array_mut().unwrap();
                statements[0][dice.pick(&["Action", "Resource", "Principal", "Condition", "Effect", "x"])] =
                    garbage(dice, 3);
            }
            _ => {}
        });
        let decision = records::decide(&record);
        holds!(decision.cause != Cause::BudgetSpent, "{record}\ntakes too many steps");
        Ok(record != kept || record["policies"] == json!({}))
    });
}

#[test]
fn what_cannot_be_read_never_allows_and_never_drops_a_deny() {
    law(file!(), 300, 30, |dice| {
        let before = record(dice);
        let mut after = before.clone();
        let mut changed = false;
        each_document(&mut after, |_, _, document| {
            if dice.chance(40) {
                return;
            }
            changed = true;
            let statements = document["Statement"].as_array_mut().unwrap();
            let at = dice.below(statements.len());
            let statement = &mut statements[at];
            match dice.below(8) {
                0 => statement["Conditoin"] = json!({}),
                1 => statement["Condition"]["StringSame"]["k8s:User"] = json!("x"),
                2 => statement["Condition"] = Json::Null,
                3 => document["Version"] = json!("2030-01-01"),
                4 => document["Comment"] = json!("x"),
                5 => statement["effect"] = json!("Allow"),
                6 => statement["Condition"]["StringEquals"]["k8s:User"] = json!({"x": "y"}),
                _ => statement["Condition"]["NullIfExists"]["k8s:User"] = json!("true"),
            }
        });
        let (old, new) = (records::decide(&before), records::decide(&after));
        holds!(is_allowed(&old) || !is_allowed(&new), "{before}\nis refused, and allowed as\n{after}");
        let lifted = old.verdict == Verdict::ExplicitDeny && new.verdict != Verdict::ExplicitDeny;
        holds!(!lifted, "{before}\nis denied, and no longer as\n{after}");
        Ok(changed && old.verdict != Verdict::ImplicitDeny)
    });
}
