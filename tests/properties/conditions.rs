//! Laws of condition operators (`iam-semantics.md` §16.4–§16.7).

use serde_json::{Map, Value as Json, json};

use crate::dice::{Dice, Judgement, law};
use crate::{holds, records};

const PLAIN: [&str; 9] = ["a", "b", "ab", "A", "ann", "home/", "é", "10", "true"];
const WORDS: [&str; 13] = ["a", "b", "ab", "A", "ann", "home/", "é", "10", "true", "a*", "?", "*", ""];

/// What a request holds under the key `k`, beside `aws:username`.
fn held(dice: &mut Dice<'_>, values: &[&str]) -> Json {
    let mut context = Map::new();
    context.insert("aws:username".into(), "ann".into());
    match dice.below(8) {
        0 => {}
        1..5 => {
            context.insert("k".into(), dice.pick(values).into());
        }
        _ => {
            context.insert("k".into(), dice.some(values, 0, 3).into());
        }
    }
    Json::Object(context)
}

fn is_true(operator: &str, values: &[&str], context: &Json) -> bool {
    records::condition(&json!({
        "version": "2012-10-17", "condition": {operator: {"k": values}}, "request": {"context": context},
    }))
}

/// Operators of a type, each with its negation if it has one, and values that can be read as that type.
const TYPES: [(&str, Option<&str>, &[&str]); 13] = [
    ("StringEquals", Some("StringNotEquals"), &WORDS),
    ("StringEqualsIgnoreCase", Some("StringNotEqualsIgnoreCase"), &WORDS),
    ("StringLike", Some("StringNotLike"), &WORDS),
    ("NumericEquals", Some("NumericNotEquals"), &["0", "1", "1.0", "-1", "10", "1e1", "0.1"]),
    ("NumericLessThan", None, &["0", "1", "1.0", "-1", "10", "1e1", "0.1"]),
    ("NumericGreaterThanEquals", None, &["0", "1", "1.0", "-1", "10", "1e1", "0.1"]),
    ("DateEquals", Some("DateNotEquals"), &["2024-01-01", "1704067200", "2024-01-01T00:00:00Z", "2024-06-01", "0"]),
    ("DateLessThanEquals", None, &["2024-01-01", "1704067200", "2024-01-01T00:00:00Z", "2024-06-01", "0"]),
    ("Bool", None, &["true", "false", "True"]),
    ("BinaryEquals", None, &["YQ==", "Yg==", "YWI="]),
    ("IpAddress", Some("NotIpAddress"), &["10.0.0.1", "10.1.2.3", "::1", "2001:db8::1", "::ffff:10.0.0.1"]),
    (
        "ArnEquals",
        Some("ArnNotEquals"),
        &["arn:aws:s3:::b/a", "arn:aws:s3:::b/*", "arn:k8s:iam::a:user/u", "arn:k8s:iam::b:user/u"],
    ),
    (
        "ArnLike",
        Some("ArnNotLike"),
        &["arn:aws:s3:::b/a", "arn:aws:s3:::b/*", "arn:k8s:iam::a:user/u", "arn:k8s:iam::b:user/u"],
    ),
];

/// Broken values beside those that can be read.
fn broken(values: &[&'static str]) -> Vec<&'static str> {
    values.iter().copied().chain(["", "soon", "arn:aws", "*"]).collect()
}

#[test]
fn string_equals_is_string_like_without_special_characters() {
    law(file!(), 20, 30, |dice| {
        let context = held(dice, &WORDS);
        let values = dice.some(&PLAIN, 0, 3);
        let prefix = dice.pick(&["", "ForAllValues:", "ForAnyValue:"]);
        let suffix = dice.pick(&["", "IfExists"]);
        let mut answers = Vec::new();
        for (equals, like) in [("StringEquals", "StringLike"), ("StringNotEquals", "StringNotLike")] {
            let equals = is_true(&format!("{prefix}{equals}{suffix}"), &values, &context);
            let like = is_true(&format!("{prefix}{like}{suffix}"), &values, &context);
            holds!(equals == like, "{prefix}…{suffix} {values:?} on {context}: {equals} and {like}");
            answers.push(equals);
        }
        Ok(answers.contains(&true))
    });
}

#[test]
fn an_operator_and_its_negation_are_never_both_true() {
    law(file!(), 20, 40, |dice| {
        let (operator, negation, values) = dice.pick(&TYPES);
        let Some(negation) = negation else { return Ok(false) };
        let well_typed = dice.chance(70);
        let pool = if well_typed { values.to_vec() } else { broken(values) };
        let context = held(dice, &pool);
        let wanted = dice.some(&pool, 1, 3);
        let (yes, no) = (is_true(operator, &wanted, &context), is_true(negation, &wanted, &context));
        let case = format!("{operator} {wanted:?} on {context}: {yes}, negated {no}");
        match &context["k"] {
            Json::Null => holds!(!yes && no, "{case}"),
            Json::String(_) if well_typed => holds!(yes != no, "{case}"),
            Json::String(_) => holds!(!(yes && no), "{case}"),
            // A list needs a set operator.
            _ => holds!(!yes && !no, "{case}"),
        }
        Ok(true)
    });
}

fn union_law(prefix: &'static str, combine: fn(bool, bool) -> bool) {
    law(file!(), 24, 25, |dice| {
        let (operator, negation, values) = dice.pick(&TYPES);
        let operator = if dice.chance(40) { negation.unwrap_or(operator) } else { operator };
        let operator = format!("{prefix}{operator}{}", dice.pick(&["", "IfExists"]));
        let pool: Vec<&str> = broken(values).into_iter().filter(|value| !value.is_empty()).collect();
        let wanted = dice.some(&pool, 0, 3);
        let (left, right) = (dice.some(&pool, 0, 3), dice.some(&pool, 0, 3));
        let both: Vec<&str> = left.iter().chain(&right).copied().collect();
        let on = |values: &[&str]| is_true(&operator, &wanted, &json!({"k": values}));
        let (a, b, union) = (on(&left), on(&right), on(&both));
        holds!(union == combine(a, b), "{operator} {wanted:?}: {a} on {left:?}, {b} on {right:?}, {union} on both");
        Ok(!left.is_empty() && !right.is_empty())
    });
}

#[test]
fn for_all_values_of_a_union_is_and() {
    union_law("ForAllValues:", |a, b| a && b);
}

#[test]
fn for_any_value_of_a_union_is_or() {
    union_law("ForAnyValue:", |a, b| a || b);
}

#[test]
fn if_exists_is_null_or_the_operator() {
    law(file!(), 20, 50, |dice| {
        let (operator, negation, values) = dice.pick(&TYPES);
        let operator = if dice.chance(40) { negation.unwrap_or(operator) } else { operator };
        let pool = broken(values);
        let context = held(dice, &pool);
        let wanted = dice.some(&pool, 0, 3);
        let held = &context["k"];
        let is_empty = held == "" || held.as_array().is_some_and(|list| list.iter().all(|value| value == ""));
        let (plain, if_exists) =
            (is_true(operator, &wanted, &context), is_true(&format!("{operator}IfExists"), &wanted, &context));
        let null = is_true("Null", &["true"], &context);
        if !is_empty {
            holds!(if_exists == (null || plain), "{operator} {wanted:?} on {context}: {null} or {plain}, {if_exists}");
        }
        holds!(null != is_true("Null", &["false"], &context), "Null on {context}");
        Ok(!is_empty)
    });
}

#[test]
fn the_case_of_keys_and_the_form_of_a_list_do_not_matter() {
    fn same(dice: &mut Dice<'_>) -> Judgement {
        let (operator, negation, values) = dice.pick(&TYPES);
        let operator = if dice.chance(40) { negation.unwrap_or(operator) } else { operator };
        let operator = format!("{}{operator}", dice.pick(&["", "ForAllValues:", "ForAnyValue:"]));
        let pool = broken(values);
        let held = dice.some(&pool, 0, 2);
        let value = dice.pick(&pool);
        let (one, other) = dice.pick(&[("app:Team/Är", "APP:team/är"), ("k", "K"), ("aws:X", "aws:x")]);
        let ask = |key: &str, value: Json, asked: &str| {
            records::condition(&json!({
                "version": "2012-10-17", "condition": {&operator: {asked: value}}, "request": {"context": {key: held}},
            }))
        };
        let first = ask(one, json!(value), one);
        for again in [ask(one, json!([value]), one), ask(other, json!(value), one), ask(one, json!([value]), other)] {
            holds!(again == first, "{operator} {value} on {held:?}");
        }
        Ok(first)
    }
    law(file!(), 20, 15, same);
}
