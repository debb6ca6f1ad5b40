//! Condition blocks (§6).

use std::cmp::Ordering;

use serde_json::Value;

use crate::pattern::{Context, Found, Piece, Version, glob, literal, pieces, tokens};
use crate::statement::Check;
use crate::value::{Instant, Number, base64, fold, ip_inside, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    ForAllValues,
    ForAnyValue,
}

/// Which results of comparing the request value (left) with the policy value (right) make the operator true.
type Relation = fn(Ordering) -> bool;

#[derive(Clone, Copy)]
enum Base {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Relation),
    Date(Relation),
    Bool,
    Binary,
    IpAddress,
    Arn,
    Null,
}

struct Operator {
    quantifier: Option<Quantifier>,
    base: Base,
    negated: bool,
    if_exists: bool,
}

impl Operator {
    /// Reads an operator name, ignoring case (D27).
    fn read(name: &str) -> Option<Self> {
        let name = fold(name);
        let (quantifier, name) = if let Some(rest) = name.strip_prefix("forallvalues:") {
            (Some(Quantifier::ForAllValues), rest)
        } else if let Some(rest) = name.strip_prefix("foranyvalue:") {
            (Some(Quantifier::ForAnyValue), rest)
        } else {
            (None, name.as_str())
        };
        let plain = name.strip_suffix("ifexists");
        let (name, if_exists) = (plain.unwrap_or(name), plain.is_some());
        let (base, negated) = match name {
            "stringequals" => (Base::StringEquals, false),
            "stringnotequals" => (Base::StringEquals, true),
            "stringequalsignorecase" => (Base::StringEqualsIgnoreCase, false),
            "stringnotequalsignorecase" => (Base::StringEqualsIgnoreCase, true),
            "stringlike" => (Base::StringLike, false),
            "stringnotlike" => (Base::StringLike, true),
            "numericequals" => (Base::Numeric(Ordering::is_eq), false),
            "numericnotequals" => (Base::Numeric(Ordering::is_eq), true),
            "numericlessthan" => (Base::Numeric(Ordering::is_lt), false),
            "numericlessthanequals" => (Base::Numeric(Ordering::is_le), false),
            "numericgreaterthan" => (Base::Numeric(Ordering::is_gt), false),
            "numericgreaterthanequals" => (Base::Numeric(Ordering::is_ge), false),
            "dateequals" => (Base::Date(Ordering::is_eq), false),
            "datenotequals" => (Base::Date(Ordering::is_eq), true),
            "datelessthan" => (Base::Date(Ordering::is_lt), false),
            "datelessthanequals" => (Base::Date(Ordering::is_le), false),
            "dategreaterthan" => (Base::Date(Ordering::is_gt), false),
            "dategreaterthanequals" => (Base::Date(Ordering::is_ge), false),
            "bool" => (Base::Bool, false),
            "binaryequals" => (Base::Binary, false),
            "ipaddress" => (Base::IpAddress, false),
            "notipaddress" => (Base::IpAddress, true),
            "arnequals" | "arnlike" => (Base::Arn, false),
            "arnnotequals" | "arnnotlike" => (Base::Arn, true),
            "null" if !if_exists => (Base::Null, false),
            _ => return None,
        };
        Some(Self { quantifier, base, negated, if_exists })
    }
}

/// Checks the `Condition` element; absent means true.
///
/// One unreadable operator or value makes the whole element malformed (§2 rules 10 and 12).
pub fn check(element: Option<&Value>, context: &Context, version: Version) -> Check {
    let Some(element) = element else { return Check::Matches };
    match read(element) {
        None => Check::Malformed,
        Some(tests) => {
            Check::of(tests.iter().all(|(operator, key, values)| single(operator, key, values, context, version)))
        }
    }
}

/// Every (operator, key, values) of a block; `None` if any part of it is malformed.
fn read(element: &Value) -> Option<Vec<(Operator, &str, Vec<String>)>> {
    let mut tests = Vec::new();
    for (name, keys) in element.as_object()? {
        for (key, values) in keys.as_object()? {
            let values = match values {
                Value::Array(values) => values.iter().map(text).collect::<Option<Vec<_>>>()?,
                value => vec![text(value)?],
            };
            tests.push((Operator::read(name)?, key.as_str(), values));
        }
    }
    Some(tests)
}

/// §6.1 `single`.
fn single(operator: &Operator, key: &str, values: &[String], context: &Context, version: Version) -> bool {
    let found = context.find(key);
    if matches!(operator.base, Base::Null) {
        return null(operator.quantifier, found, values);
    }
    let one = |value: &String| one(operator, values, value, context, version);
    match (operator.quantifier, found) {
        (Some(quantifier), found) => {
            let list = found.map(as_list).unwrap_or_default();
            let nothing = list.iter().all(String::is_empty);
            match quantifier {
                Quantifier::ForAllValues => nothing || list.iter().all(one),
                Quantifier::ForAnyValue => !nothing && list.iter().any(one),
            }
        }
        (None, None) => operator.if_exists || operator.negated,
        (None, Some(Found::Many(_))) => false,
        (None, Some(Found::One(value))) => one(&value),
    }
}

fn as_list(found: Found) -> Vec<String> {
    match found {
        Found::One(value) => vec![value],
        Found::Many(values) => values,
    }
}

/// §6.6: missing, the empty string and the empty list are null; a quantifier ranges over the non-empty values (D11).
fn null(quantifier: Option<Quantifier>, found: Option<Found>, values: &[String]) -> bool {
    let wants = |text: &str| values.iter().any(|value| fold(value) == text);
    let is_null = match &found {
        None => true,
        Some(Found::One(value)) => value.is_empty(),
        Some(Found::Many(values)) => values.is_empty(),
    };
    let values = found.map(as_list).unwrap_or_default();
    let mut non_empty = values.iter().filter(|value| !value.is_empty());
    match quantifier {
        None => wants(if is_null { "true" } else { "false" }),
        Some(Quantifier::ForAllValues) => non_empty.all(|_| wants("false")),
        Some(Quantifier::ForAnyValue) => non_empty.any(|_| wants("false")),
    }
}

/// §6.1 `one`: one request value against all policy values.
fn one(operator: &Operator, wanted: &[String], value: &str, context: &Context, version: Version) -> bool {
    let mut results = wanted.iter().map(|wanted| compare(operator.base, wanted, value, context, version));
    if operator.negated {
        results.all(|result| result == Some(false))
    } else {
        results.any(|result| result == Some(true))
    }
}

/// §6.2 `cmp` of the positive operator; `None` is "bad".
fn compare(base: Base, wanted: &str, value: &str, context: &Context, version: Version) -> Option<bool> {
    let resolved = || tokens(&pieces(wanted, version), context);
    match base {
        Base::StringEquals => Some(resolved().is_some_and(|wanted| literal(&wanted) == value)),
        Base::StringEqualsIgnoreCase => Some(resolved().is_some_and(|wanted| fold(&literal(&wanted)) == fold(value))),
        Base::StringLike => Some(resolved().is_some_and(|wanted| glob(&wanted, value))),
        Base::Numeric(relation) => Some(relation(Number::read(value)?.cmp(&Number::read(wanted)?))),
        Base::Date(relation) => Some(relation(Instant::read(value)?.cmp(&Instant::read(wanted)?))),
        Base::Bool => match fold(&literal(&resolved()?)).as_str() {
            "true" => Some(fold(value) == "true"),
            "false" => Some(fold(value) != "true"),
            _ => None,
        },
        Base::Binary => Some(base64(value)? == base64(wanted)?),
        Base::IpAddress => ip_inside(wanted, value),
        Base::Arn => arn_like(&pieces(wanted, version), value, context),
        Base::Null => None,
    }
}

/// Six segments, split before variables are replaced so that a value cannot create segments (§5.1, §6.3).
fn arn_like(wanted: &[Piece], value: &str, context: &Context) -> Option<bool> {
    let wanted: Vec<&[Piece]> = wanted.splitn(6, |piece| *piece == Piece::Char(':')).collect();
    let value: Vec<&str> = value.splitn(6, ':').collect();
    let arn = ['a', 'r', 'n'].map(Piece::Char);
    if wanted.len() != 6 || value.len() != 6 || wanted.first() != Some(&arn.as_slice()) || value.first() != Some(&"arn")
    {
        return None;
    }
    let segments = wanted.iter().map(|segment| tokens(segment, context)).collect::<Option<Vec<_>>>();
    Some(segments.is_some_and(|segments| segments.iter().zip(value).all(|(wanted, value)| glob(wanted, value))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(element: &Value, context: &Value) -> bool {
        check(Some(element), &Context(context), Version::V2012) == Check::Matches
    }

    fn op(name: &str, wanted: Value, value: Value) -> bool {
        holds(&json!({name: {"k": wanted}}), &json!({"K": value}))
    }

    #[test]
    fn missing_keys_follow_the_table_of_section_6_4() {
        let positive = [
            "StringEquals",
            "StringEqualsIgnoreCase",
            "StringLike",
            "NumericEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
            "DateEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
            "Bool",
            "BinaryEquals",
            "IpAddress",
            "ArnEquals",
            "ArnLike",
        ];
        let negated = [
            "StringNotEquals",
            "StringNotEqualsIgnoreCase",
            "StringNotLike",
            "NumericNotEquals",
            "DateNotEquals",
            "NotIpAddress",
            "ArnNotEquals",
            "ArnNotLike",
        ];
        let missing = |name: &str, wanted: &str| holds(&json!({name: {"k": wanted}}), &json!({"other": "x"}));
        for (names, plain) in [(positive.as_slice(), false), (negated.as_slice(), true)] {
            for name in names {
                assert_eq!(missing(name, "1"), plain, "{name}");
                assert!(missing(&format!("{name}IfExists"), "1"), "{name}");
                assert!(missing(&format!("ForAllValues:{name}"), "1"), "{name}");
                assert!(missing(&format!("ForAllValues:{name}IfExists"), "1"), "{name}");
                assert!(!missing(&format!("ForAnyValue:{name}"), "1"), "{name}");
                assert!(!missing(&format!("ForAnyValue:{name}IfExists"), "1"), "{name}");
            }
        }
        assert!(missing("Null", "true") && !missing("Null", "false"));
        assert!(missing("ForAllValues:Null", "true") && missing("ForAllValues:Null", "false"));
        assert!(!missing("ForAnyValue:Null", "true") && !missing("ForAnyValue:Null", "false"));
    }

    #[test]
    fn multivalued_keys_need_a_set_operator() {
        for name in ["StringEquals", "StringNotEquals", "StringEqualsIfExists"] {
            assert!(!op(name, json!("a"), json!(["a"])) && !op(name, json!("a"), json!(["b"])), "{name}");
        }
    }

    #[test]
    fn quantifiers_apply_to_the_negated_result() {
        let groups = json!(["art", "hr"]);
        assert!(!op("ForAllValues:StringNotEquals", json!(["prod", "art"]), groups.clone()));
        assert!(op("ForAnyValue:StringNotEquals", json!(["prod", "art"]), groups.clone()));
        assert!(!op("ForAllValues:StringEquals", json!(["prod", "art"]), groups.clone()));
        assert!(op("ForAnyValue:StringEquals", json!(["prod", "art"]), groups));
    }

    #[test]
    fn empty_values_follow_section_6_5() {
        assert!(op("StringLike", json!(["", "home/"]), json!("")));
        for nothing in [json!([]), json!([""]), json!(["", ""]), json!("")] {
            assert!(op("ForAllValues:StringEquals", json!("a"), nothing.clone()));
            assert!(!op("ForAnyValue:StringEquals", json!(["a", ""]), nothing));
        }
        assert!(!op("ForAllValues:StringEquals", json!("a"), json!(["a", ""])));
        assert!(op("ForAnyValue:StringEquals", json!(""), json!(["a", ""])));
        assert!(op("StringNotEquals", json!([]), json!("a")) && !op("StringEquals", json!([]), json!("a")));
    }

    #[test]
    fn null_means_missing_empty_string_or_empty_list() {
        for (value, null) in [(json!(""), true), (json!([]), true), (json!("x"), false), (json!(["x"]), false)] {
            assert_eq!(op("Null", json!("true"), value.clone()), null);
            assert_eq!(op("Null", json!(false), value.clone()), !null);
            assert!(op("Null", json!(["True", "false"]), value));
        }
        assert!(op("ForAllValues:Null", json!("true"), json!(["", ""])));
        assert!(!op("ForAllValues:Null", json!("true"), json!(["", "x"])));
        assert!(op("ForAnyValue:Null", json!("false"), json!(["", "x"])));
        assert!(!op("Null", json!("${k}"), json!("true")));
    }

    #[test]
    fn unreadable_values_satisfy_neither_polarity() {
        for (positive, negated, good, bad) in [
            ("ArnLike", "ArnNotLike", "arn:aws:s3:::a", "arn:aws:s3"),
            ("NumericEquals", "NumericNotEquals", "1", "1x"),
            ("DateEquals", "DateNotEquals", "2024-01-01", "soon"),
            ("IpAddress", "NotIpAddress", "10.0.0.1", "10.0.0"),
        ] {
            for (wanted, value) in [(good, bad), (bad, good)] {
                assert!(!op(positive, json!(wanted), json!(value)), "{positive}");
                assert!(!op(negated, json!(wanted), json!(value)), "{negated}");
            }
            assert!(op(positive, json!([bad, good]), json!(good)) && !op(negated, json!([bad, "z"]), json!(good)));
        }
    }

    #[test]
    fn variables_without_value_equal_nothing() {
        assert!(!op("StringEquals", json!("${no}"), json!("x")) && op("StringNotEquals", json!("${no}"), json!("x")));
        assert!(op("StringEquals", json!(["${no}", "x"]), json!("x")));
        assert!(op("ArnNotLike", json!("arn:aws:s3:::${no}"), json!("arn:aws:s3:::x")));
        assert!(!op("ArnNotLike", json!("arn:aws:s3:::${no}"), json!("x")));
        let context = json!({"k": "arn:aws:iam::1:role/x", "aws:PrincipalAccount": "1", "b": "true", "t": "true"});
        assert!(holds(&json!({"ArnEquals": {"k": "arn:aws:iam::${aws:PrincipalAccount}:role/*"}}), &context));
        assert!(holds(&json!({"Bool": {"b": "${t}"}}), &context));
        let context = json!({"k": "arn:aws:s3::1:b", "v": ":1"});
        assert!(!holds(&json!({"ArnEquals": {"k": "arn:aws:s3:${v}:b"}}), &context));
    }

    #[test]
    fn bool_reads_odd_request_text_as_false() {
        assert!(op("Bool", json!("FALSE"), json!("asdf")) && op("Bool", json!(true), json!("True")));
        assert!(!op("Bool", json!("yes"), json!("yes")));
    }

    #[test]
    fn arns_match_segment_by_segment() {
        let wanted = json!("arn:aws:svc:*:111122223333:finance/*");
        let crafted = json!("arn:aws:svc:us-east-2:999999999999:store/abc:111122223333:finance/doc");
        assert!(!op("ArnLike", wanted.clone(), crafted.clone()) && op("StringLike", wanted, crafted));
        assert!(!op("ArnLike", json!("arn:AWS:s3:::b"), json!("arn:aws:s3:::b")));
    }

    #[test]
    fn two_operators_on_one_key_are_both_needed() {
        let block = json!({"IpAddress": {"k": "10.0.0.0/8"}, "NotIpAddress": {"k": ["10.1.0.0/16", "::/0"]}});
        assert!(holds(&block, &json!({"k": "10.2.0.1"})) && !holds(&block, &json!({"k": "10.1.0.1"})));
    }

    #[test]
    fn unknown_operators_are_malformed_only_with_keys() {
        let check = |element: Value| check(Some(&element), &Context(&json!({})), Version::V2012);
        assert_eq!(check(json!({"StringSame": {}})), Check::Matches);
        for bad in [
            json!({"StringSame": {"k": "x"}}),
            json!({"NullIfExists": {"k": "true"}}),
            json!([]),
            json!(null),
            json!({"StringEquals": {"k": {}}}),
            json!({"StringEquals": {"k": [null]}}),
            json!({"StringEquals": "x"}),
        ] {
            assert_eq!(check(bad.clone()), Check::Malformed, "{bad}");
        }
        assert_eq!(check(json!({"stringnotequalsIFEXISTS": {"k": "x"}})), Check::Matches);
    }
}
