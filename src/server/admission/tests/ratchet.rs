//! What was stored under laxer rules stays modifiable; what is touched must be right.

use proptest::prelude::*;
use serde_json::json;

use super::super::ratchet::places;
use super::*;
use crate::policy::statement::Soundness;
use crate::world::{self, Kind, ObjectKey, PolicySpec};

/// A policy with a misspelt key in its first statement, as an older schema may have let it in.
fn stored() -> Value {
    let mut statements =
        json!([allow()[0], {"sid": "B", "effect": "Deny", "actions": ["k8s:get"], "resources": ["*"]}]);
    statements[0]["conditoins"] = json!([]);
    policy("a", "p", json!({"statements": statements, "description": "old"}))
}

const MISSPELT: &str = "spec.statements[0]: unknown key `conditoins`; did you mean `conditions`?";

/// With warnings or without.
fn is_admitted(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Admitted(_))
}

#[test]
fn a_label_of_an_invalid_object_can_be_changed() {
    let nothing = cluster(&[]);
    assert_eq!(created(&stored(), &nothing), refused(MISSPELT));
    assert_eq!(changed(&stored(), &with(&stored(), "/metadata/labels", json!({"x": "y"})), &nothing), admitted());
}

#[test]
fn what_is_wrong_and_unchanged_passes_beside_a_change_elsewhere() {
    let nothing = cluster(&[]);
    let new = with(&stored(), "/spec/description", json!("new"));
    assert_eq!(changed(&stored(), &new, &nothing), admitted());
    let new = with(&stored(), "/spec/statements/1/actions", json!(["k8s:list"]));
    assert_eq!(changed(&stored(), &new, &nothing), admitted());
}

#[test]
fn what_is_wrong_and_touched_is_refused() {
    let nothing = cluster(&[]);
    let new = with(&stored(), "/spec/statements/0/actions", json!(["k8s:*"]));
    assert_eq!(changed(&stored(), &new, &nothing), refused(MISSPELT));
    let new = with(&stored(), "/spec/statements/1/conditoins", json!([]));
    let second = "spec.statements[1]: unknown key `conditoins`; did you mean `conditions`?";
    assert_eq!(changed(&stored(), &new, &nothing), refused(second));
    // A second one that says the same as the first is one more.
    let mut twice = stored();
    twice["spec"]["statements"][1] = stored()["spec"]["statements"][0].clone();
    let Verdict::Refused(message) = changed(&stored(), &twice, &nothing) else { panic!() };
    assert!(message.contains(second), "{message}");
}

#[test]
fn what_is_wrong_passes_wherever_its_item_moves() {
    let nothing = cluster(&[]);
    let old = stored()["spec"]["statements"].clone();
    let more = json!({"sid": "C", "effect": "Allow", "actions": ["k8s:list"], "resources": ["*"]});
    for statements in
        [json!([old[1], old[0]]), json!([more, old[0], old[1]]), json!([old[0]]), json!([old[1], more, old[0]])]
    {
        let new = with(&stored(), "/spec/statements", statements);
        assert!(is_admitted(changed(&stored(), &new, &nothing)), "{new}");
    }
    // Inside a statement that is another one now, too.
    let of = |actions: Value| {
        let statement = json!({"sid": "A", "effect": "Deny", "actions": actions, "resources": ["*"]});
        policy("a", "p", json!({"statements": [statement]}))
    };
    let wrong = of(json!(["k8s:get", "a b", "c d"]));
    assert_eq!(changed(&wrong, &of(json!(["c d"])), &nothing), admitted());
    assert_eq!(changed(&wrong, &of(json!(["k8s:list", "k8s:get", "c d", "a b"])), &nothing), admitted());
    let refusal = changed(&wrong, &of(json!(["k8s:get", "a b", "c d", "c d"])), &nothing);
    assert!(matches!(&refusal, Verdict::Refused(message) if message.starts_with("spec.statements[0].actions[3]: ")));
}

#[test]
fn what_was_not_read_among_too_many_is_no_new_problem_where_it_is_read() {
    let nothing = cluster(&[]);
    let statement = |index: usize| {
        let sid = if index == 130 { "A7".to_owned() } else { format!("A{index}") };
        let action = if index == 129 { "a b" } else { "k8s:get" };
        json!({"sid": sid, "effect": "Deny", "actions": [action], "resources": ["*"]})
    };
    let of = |statements: &[usize]| {
        let statements: Vec<Value> = statements.iter().map(|index| statement(*index)).collect();
        policy("a", "p", json!({"statements": statements}))
    };
    let old: Vec<usize> = (0..131).collect();
    let without = |gone: &[usize]| of(&old.iter().copied().filter(|index| !gone.contains(index)).collect::<Vec<_>>());
    assert!(is_admitted(changed(&of(&old), &without(&[0, 1, 130]), &nothing)));
    assert!(is_admitted(changed(&of(&old), &without(&[3]), &nothing)));
    // A name that is used twice is wrong because of another one.
    assert!(!is_admitted(changed(&of(&old), &without(&[0, 1, 129]), &nothing)));
    let actions = |count: usize, last: &str| {
        let mut actions: Vec<String> = (0..count).map(|index| format!("k8s:a{index}")).collect();
        actions[0] = "a b".to_owned();
        actions[1] = last.to_owned();
        let statement = json!({"sid": "A", "effect": "Deny", "actions": actions, "resources": ["*"]});
        policy("a", "p", json!({"statements": [statement]}))
    };
    assert!(is_admitted(changed(&actions(258, "k8s:get"), &actions(256, "k8s:get"), &nothing)));
    assert!(!is_admitted(changed(&actions(258, "k8s:get"), &actions(256, "c d"), &nothing)));
}

#[test]
fn what_is_wrong_in_one_statement_does_not_excuse_another() {
    let nothing = cluster(&[]);
    let statement = |sid: &str, effect: &str, action: &str| json!({"sid": sid, "effect": effect, "actions": [action], "resources": ["*"]});
    let of = |statements: Value| policy("a", "p", json!({"statements": statements}));
    let old = of(json!([statement("Guard", "Deny", "k8s:get"), statement("Other", "Allow", "a b")]));
    for statements in [
        json!([statement("Guard", "Deny", "a b"), statement("Other", "Allow", "k8s:get")]),
        json!([statement("Guard", "Deny", "a b")]),
        json!([statement("Other", "Allow", "k8s:get"), statement("Guard", "Deny", "a b")]),
    ] {
        let Verdict::Refused(message) = changed(&old, &of(statements.clone()), &nothing) else {
            panic!("{statements}")
        };
        assert!(message.contains("].actions[0]: "), "{message}");
    }
}

#[test]
fn what_a_whole_lacks_does_not_stop_changes_of_its_parts() {
    let nothing = cluster(&[]);
    let role = |spec: Value| object("IamRole", "a", "r", spec);
    let old = role(json!({"path": "/x/", "tags": {"a": "b"}}));
    let missing = refused("spec: key `trustPolicy` is missing");
    assert_eq!(created(&old, &nothing), missing);
    assert_eq!(changed(&old, &role(json!({"path": "/y/", "tags": {"a": "c"}})), &nothing), admitted());
    let trust =
        json!({"statements": [{"sid": "A", "effect": "Allow", "principals": ["a"], "actions": ["sts:AssumeRole"]}]});
    let whole = role(json!({"path": "/x/", "trustPolicy": trust}));
    assert_eq!(created(&whole, &nothing), admitted());
    assert_eq!(changed(&whole, &old, &nothing), missing);
}

#[test]
fn too_much_may_become_less_and_not_more() {
    let nothing = cluster(&[]);
    let long = |statements: usize, action: &str| {
        let statement = |index: usize| {
            let actions: Vec<String> = (0..20).map(|action| format!("k8s:{}{action}", "x".repeat(40))).collect();
            json!({"sid": format!("A{index}"), "effect": "Allow", "actions": actions, "resources": ["*"]})
        };
        let mut all: Vec<Value> = (0..statements).map(statement).collect();
        all[0]["actions"][0] = json!(action);
        policy("a", "p", json!({"statements": all}))
    };
    let old = long(25, "k8s:get");
    let Verdict::Refused(message) = created(&old, &nothing) else { panic!() };
    assert!(message.contains(" characters of policy; at most 20480 are admitted"), "{message}");
    assert!(is_admitted(changed(&old, &long(25, "k8s:put"), &nothing)));
    assert!(is_admitted(changed(&old, &long(24, "k8s:list"), &nothing)));
    assert!(!is_admitted(changed(&old, &long(25, "k8s:list"), &nothing)));
    assert!(!is_admitted(changed(&old, &long(26, "k8s:get"), &nothing)));
    let groups = |count: usize, first: &str| {
        let mut groups: Vec<String> = (0..count).map(|index| format!("g{index}")).collect();
        groups[0] = first.to_owned();
        user("a", "u", json!({"groups": groups}))
    };
    assert!(is_admitted(changed(&groups(14, "x"), &groups(13, "y"), &nothing)));
    assert!(!is_admitted(changed(&groups(13, "x"), &groups(14, "x"), &nothing)));
    // A statement is no whole: the number of its actions is that of before, and yet it is another one.
    let of = |count: usize| {
        let actions: Vec<String> = (0..count).map(|action| format!("k8s:a{action}")).collect();
        let statement = json!({"sid": "A", "effect": "Deny", "actions": actions, "resources": ["*"]});
        policy("a", "p", json!({"statements": [statement]}))
    };
    assert_eq!(changed(&of(300), &of(290), &nothing), admitted());
    assert!(!is_admitted(changed(&of(300), &of(301), &nothing)));
}

#[test]
fn a_repaired_object_is_admitted_and_a_broken_one_is_not() {
    let nothing = cluster(&[]);
    let good = policy("a", "p", json!({"statements": allow()}));
    assert_eq!(changed(&stored(), &good, &nothing), admitted());
    assert_eq!(changed(&good, &stored(), &nothing), refused(MISSPELT));
}

#[test]
fn an_old_name_stays_and_an_old_bomb_can_be_labelled() {
    let nothing = cluster(&[]);
    let named = policy("a", "Old_Name", json!({"statements": allow()}));
    assert_eq!(changed(&named, &with(&named, "/spec/description", json!("x")), &nothing), admitted());
    let values: Vec<Value> = (0..150_000).map(Value::from).collect();
    let bomb = policy("a", "p", json!({"statements": values}));
    assert_eq!(changed(&bomb, &with(&bomb, "/metadata/labels", json!({"x": "y"})), &nothing), admitted());
}

/// Statements without resources, and what is changed of them.
fn wrong(count: usize, change: impl Fn(&mut Vec<Value>)) -> Value {
    let statement =
        |index| json!({"sid": format!("A{index}"), "effect": "Allow", "actions": ["k8s:get"], "resources": []});
    let mut statements: Vec<Value> = (0..count).map(statement).collect();
    change(&mut statements);
    policy("a", "p", json!({"statements": statements, "description": "old"}))
}

#[test]
fn more_problems_than_are_listed_hide_no_new_one() {
    let nothing = cluster(&[]);
    let old = wrong(120, |_| {});
    for new in [
        wrong(120, |statements| statements[119]["resources"] = json!(null)),
        wrong(120, |statements| statements[119]["sid"] = json!("A7")),
        wrong(120, |statements| statements[0]["sid"] = json!("A7")),
        wrong(120, |statements| statements[5]["actions"] = json!(["k8s:get", "a b"])),
        wrong(121, |_| {}),
        wrong(129, |_| {}),
        wrong(120, |statements| statements[3]["actions"] = json!(vec!["k8s:get"; 2_000])),
    ] {
        let Verdict::Refused(found) = changed(&old, &new, &nothing) else { panic!("{new}") };
        assert!(found.starts_with("100 problems: (1) spec.statements[0]"), "{found}");
        assert!(found.ends_with(" and 95 more"), "{found}");
    }
}

#[test]
fn another_type_hides_nothing_among_more_problems_than_are_listed() {
    let nothing = cluster(&[]);
    let of = |kind: Value, last: &str| {
        let mut statements = wrong(120, |_| {})["spec"]["statements"].clone();
        // Right under the new type.
        statements[119] =
            json!({"sid": "Z", "effect": "Deny", "principals": ["*"], "actions": [last], "resources": ["*"]});
        policy("kube-iam-system", "p", json!({"type": kind, "statements": statements}))
    };
    let old = of(json!(3), "k8s:get");
    assert!(!is_admitted(changed(&old, &of(json!("ResourceControl"), "k8s:list"), &nothing)));
}

#[test]
fn more_problems_than_are_listed_stop_no_repair() {
    let nothing = cluster(&[]);
    let old = wrong(120, |_| {});
    for new in [
        with(&old, "/spec/description", json!("new")),
        wrong(120, |statements| statements[110]["resources"] = json!(["*"])),
        wrong(120, |statements| statements.truncate(60)),
        wrong(120, |statements| drop(statements.remove(0))),
        wrong(120, |statements| statements.reverse()),
        wrong(120, |statements| {
            statements.remove(7);
            statements[100]["resources"] = json!(["*"]);
            statements[101]["effect"] = json!("Deny");
        }),
    ] {
        assert!(is_admitted(changed(&old, &new, &nothing)), "{new}");
    }
    // The same where it is the length of what is said that is too much.
    let long = |last: &str| {
        let groups: Vec<String> =
            (0..90).map(|index| format!("{index}{}", "X".repeat(1_000))).chain([last.to_owned()]).collect();
        user("a", "u", json!({"groups": groups}))
    };
    let named = |key: &str, value: &str| {
        let map: serde_json::Map<String, Value> =
            (0..60).map(|index| (format!("{index}{}", key.repeat(190)), json!(3))).collect();
        user("a", "u", json!({"tags": map, "path": value}))
    };
    assert!(is_admitted(changed(&long("XX"), &long("x"), &nothing)));
    assert!(!is_admitted(changed(&long("x"), &long("XX"), &nothing)));
    assert!(!is_admitted(changed(&named("k", "/x/"), &named("k", "x"), &nothing)));
}

#[test]
fn very_many_keys_and_items_are_compared_at_once() {
    let nothing = cluster(&[]);
    let keys = |count: usize, last: &str| -> Value {
        let tags: serde_json::Map<String, Value> = (0..count).map(|index| (format!("k{index}"), json!([]))).collect();
        user("a", "u", json!({"tags": tags, "path": last}))
    };
    let items = |count: usize, is_back: bool| -> Value {
        let mut inline: Vec<Value> = (0..count).map(|index| json!({"name": format!("N{index}")})).collect();
        if is_back {
            inline.reverse();
        }
        user("a", "u", json!({"inlinePolicies": inline}))
    };
    let texts = |first: &str| -> Value {
        let groups: Vec<String> = (0..60_000).map(|index| format!("X{}", index % 7)).collect();
        user("a", "u", json!({"groups": groups, "path": first}))
    };
    let began = std::time::Instant::now();
    assert!(!is_admitted(changed(&keys(60_000, "/x/"), &keys(60_000, "/y/"), &nothing)));
    assert!(is_admitted(changed(&items(20_000, false), &items(20_000, true), &nothing)));
    assert!(is_admitted(changed(&texts("/x/"), &texts("/y/"), &nothing)));
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

// === properties ===

/// What is found in a `spec`, each with the value at its place, numbers and places of items left out.
fn found(spec: &Value) -> Vec<(String, String, Option<Node>)> {
    let spec = std::sync::Arc::new(Node::from(spec));
    let key = ObjectKey { kind: Kind::Policy, account: "a".into(), name: "p".into() };
    let findings = world::check(&super::super::spec::object(&key, &spec));
    let wanted = findings.iter().map(|finding| finding.path.as_str()).collect();
    let places = places(&spec, None, &wanted);
    let plain = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let value = |path: &str| places.get(path)?.clone().map(|place| place.node.clone());
    findings.iter().map(|finding| (plain(&finding.path), plain(&finding.message), value(&finding.path))).collect()
}

/// How many statements nobody can read.
fn malformed(spec: &Value) -> usize {
    let statements = PolicySpec::parse(&Node::from(spec)).0.policy.statements.clone();
    statements.iter().filter(|statement| statement.soundness == Soundness::Malformed).count()
}

fn passes(old: &Value, new: &Value) -> bool {
    let (old, new) = (policy("a", "p", old.clone()), policy("a", "p", new.clone()));
    is_admitted(changed(&old, &new, &cluster(&[])))
}

fn statements() -> impl Strategy<Value = Vec<Value>> {
    let word = |words: &'static [&'static str]| prop::sample::select(words);
    let actions = prop::collection::vec(word(&["k8s:get", "k8s:list", "a b", "c d", ""]), 0..4);
    let effect = word(&["Allow", "Deny", "deny"]);
    let sid = prop::option::of(word(&["A", "B", "C", "a b"]));
    let extra = prop::option::weighted(0.2, word(&["conditoins", "x"]));
    let statement = (sid, effect, actions, extra).prop_map(|(sid, effect, actions, extra)| {
        let mut statement = json!({"effect": effect, "actions": actions, "resources": ["*"]});
        sid.into_iter().for_each(|sid| statement["sid"] = json!(sid));
        extra.into_iter().for_each(|key| statement[key] = json!([]));
        statement
    });
    prop::collection::vec(statement, 0..6)
}

fn spec(path: &str, statements: &[Value], has_statements: bool) -> Value {
    let mut spec = json!({"path": path});
    if has_statements {
        spec["statements"] = json!(statements);
    }
    spec
}

/// A form and another one that shares much with it.
fn forms() -> impl Strategy<Value = (Value, Value)> {
    let path = || prop::sample::select(vec!["/", "/x/", "x"]);
    let order = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6);
    let stands = || prop::bool::weighted(0.9);
    (statements(), statements(), order, [path(), path()], [stands(), stands()]).prop_map(
        |(old, other, order, path, stands)| {
            let pick = |(index, is_old): &(prop::sample::Index, bool)| {
                let from = if *is_old || other.is_empty() { &old } else { &other };
                (!from.is_empty()).then(|| index.get(from).clone())
            };
            let new: Vec<Value> = order.iter().filter_map(pick).collect();
            (spec(path[0], &old, stands[0]), spec(path[1], &new, stands[1]))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_passes_holds_nothing_wrong_that_was_not_there((old, new) in forms()) {
        if passes(&old, &new) {
            let mut before = found(&old);
            for (path, message, value) in found(&new) {
                // What the whole lacks is of no value that could be the same.
                let is_it = |old: &(String, String, Option<Node>)| {
                    old.0 == path && old.1 == message && (old.2 == value || path == "spec")
                };
                let place = before.iter().position(is_it);
                prop_assert!(place.is_some(), "{path}: {message}");
                before.remove(place.unwrap());
            }
            prop_assert!(malformed(&new) <= malformed(&old));
        }
        if found(&new).is_empty() {
            prop_assert!(passes(&old, &new));
        }
    }

    #[test]
    fn any_statement_can_go_and_any_form_can_be_labelled(statements in statements(), index: prop::sample::Index, copies in 1usize..=24) {
        let statements: Vec<Value> = std::iter::repeat_n(statements, copies).flatten().take(128).collect();
        prop_assume!(statements.len() > 1);
        let old = spec("/", &statements, true);
        let mut fewer = statements;
        fewer.remove(index.index(fewer.len()));
        prop_assert!(passes(&old, &spec("/", &fewer, true)));
        prop_assert!(passes(&old, &spec("/x/", &fewer, true)));
    }
}
