//! Label selectors as Kubernetes checks them.

use smol_str::SmolStr;

use super::fields::{self, Fields, Narrowing};
use super::name;
use crate::policy::tree::{Node, Value};
use crate::world::finding::{Findings, Hint, Path, Quoted};
use crate::world::selector::{LabelSelector, Requirement};

const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// Reads a selector; `None` when any of it cannot be read, for then it is not known what it selects.
pub(super) fn read(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<LabelSelector> {
    let mut mine = Findings::default();
    let fields = Fields::read(node, path, &["matchLabels", "matchExpressions"], &mut mine);
    let mut requirements = Vec::new();
    if let Some(labels) = fields.get("matchLabels") {
        match_labels(labels, &fields.path_of("matchLabels"), &mut requirements, &mut mine);
    }
    fields.items("matchExpressions", &mut mine, |node, path, _, findings| {
        requirements.extend(expression(node, path, findings));
    });
    let sound = mine.is_empty();
    findings.append(mine);
    sound.then_some(LabelSelector { requirements })
}

fn match_labels(node: &Node, path: &Path<'_>, requirements: &mut Vec<Requirement>, findings: &mut Findings) {
    Fields::any(node, path, findings);
    let first = requirements.len();
    for entry in node.entries() {
        let path = path.key(&entry.key);
        if let Err(message) = label_key(&entry.key) {
            findings.invalid(&path, entry.key_at, message);
        }
        let Some(value) = fields::text(&entry.value, &path, findings) else { continue };
        match label_value(value) {
            Ok(value) => requirements.push(Requirement::In(entry.key.clone(), vec![value])),
            Err(message) => findings.invalid(&path, entry.value.at, message),
        }
    }
    if let Some(added) = requirements.get_mut(first..) {
        added.sort_by(|a, b| a.key().cmp(b.key()));
    }
}

fn expression(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Requirement> {
    let fields = Fields::read(node, path, &["key", "operator", "values"], findings);
    let key = fields.required_text("key", findings);
    let key = key.and_then(|key| {
        let at = fields.get("key").and_then(|node| node.at);
        label_key(key).map_err(|message| findings.invalid(&fields.path_of("key"), at, message)).ok()
    });
    let operator = fields.required_text("operator", findings)?;
    let has_values = match operator {
        "In" | "NotIn" => true,
        "Exists" | "DoesNotExist" => false,
        other => {
            let at = fields.get("operator").and_then(|node| node.at);
            let message = format!("unknown operator {}{}", Quoted(other), Hint { found: other, known: &OPERATORS });
            findings.invalid(&fields.path_of("operator"), at, message);
            return None;
        }
    };
    if !has_values {
        let is_empty = |node: &&Node| matches!(&node.value, Value::List(items) if items.is_empty());
        if let Some(values) = fields.get("values").filter(|node| !is_empty(node)) {
            findings.invalid(&fields.path_of("values"), values.at, format!("`{operator}` takes no values"));
        }
        return key.map(if operator == "Exists" { Requirement::Exists } else { Requirement::DoesNotExist });
    }
    let values = match fields.narrowing("values", findings, label_value) {
        Narrowing::Listed(values) => values,
        Narrowing::Unreadable => return None,
        Narrowing::Absent => {
            findings.invalid(path, node.at, format!("`{operator}` needs `values`"));
            return None;
        }
    };
    key.map(|key| if operator == "In" { Requirement::In(key, values) } else { Requirement::NotIn(key, values) })
}

/// A label's key: a name, with a DNS subdomain and a slash before it or without.
fn label_key(text: &str) -> Result<SmolStr, String> {
    let name = match text.split_once('/') {
        Some((prefix, name)) if name::is_dns_subdomain(prefix) => name,
        Some(_) => "",
        None => text,
    };
    if name.is_empty() || !is_label_word(name) {
        return Err(format!("{} is no key of a label", Quoted(text)));
    }
    Ok(text.into())
}

/// A label's value: up to 63 letters, digits and `-_.`, a letter or digit at both ends; also none.
fn label_value(text: &str) -> Result<SmolStr, String> {
    if text.is_empty() || is_label_word(text) {
        Ok(text.into())
    } else {
        Err(format!("{} is no value of a label", Quoted(text)))
    }
}

fn is_label_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selector(json: serde_json::Value) -> Result<LabelSelector, Vec<String>> {
        let mut findings = Findings::default();
        let read = read(&Node::from(&json), &Path::ROOT.key("s"), &mut findings);
        let findings: Vec<String> =
            findings.into_vec().into_iter().map(|f| format!("{}: {}", f.path, f.message)).collect();
        match read {
            Some(selector) if findings.is_empty() => Ok(selector),
            None => Err(findings),
            Some(_) => panic!("read in spite of {findings:?}"),
        }
    }

    #[test]
    fn every_requirement_is_read() {
        let read = selector(json!({
            "matchLabels": {"b": "2", "a": ""},
            "matchExpressions": [
                {"key": "env", "operator": "In", "values": ["prod", "stage"]},
                {"key": "example.org/tier", "operator": "NotIn", "values": ["x"]},
                {"key": "e", "operator": "Exists"},
                {"key": "d", "operator": "DoesNotExist", "values": []},
            ],
        }));
        assert_eq!(
            read.unwrap().requirements,
            [
                Requirement::In("a".into(), vec!["".into()]),
                Requirement::In("b".into(), vec!["2".into()]),
                Requirement::In("env".into(), vec!["prod".into(), "stage".into()]),
                Requirement::NotIn("example.org/tier".into(), vec!["x".into()]),
                Requirement::Exists("e".into()),
                Requirement::DoesNotExist("d".into()),
            ]
        );
        assert_eq!(selector(json!({})), Ok(LabelSelector::default()));
    }

    #[test]
    fn operators_follow_kubernetes() {
        for (json, message) in [
            (json!({"matchLabels": {"a b": "x"}}), "s.matchLabels[\"a b\"]: `a b` is no key of a label"),
            (json!({"matchLabels": {"a": "x y"}}), "s.matchLabels.a: `x y` is no value of a label"),
            (json!({"matchLabels": {"a": 1}}), "s.matchLabels.a: expected a string, found a number"),
            (json!({"matchLabels": ["a"]}), "s.matchLabels: expected a map, found a list"),
            (json!({"matchLabel": {"a": "x"}}), "s.matchLabel: unknown key `matchLabel`; did you mean `matchLabels`?"),
            (json!([]), "s: expected a map, found a list"),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
                "s.matchExpressions[0]: `In` needs `values`",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": []}]}),
                "s.matchExpressions[0].values: found an empty list; name at least one, or leave `values` out",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}),
                "s.matchExpressions[0].values: `Exists` takes no values",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "in", "values": ["x"]}]}),
                "s.matchExpressions[0].operator: unknown operator `in`; did you mean `In`?",
            ),
            (json!({"matchExpressions": [{"operator": "Exists"}]}), "s.matchExpressions[0]: key `key` is missing"),
        ] {
            assert_eq!(selector(json), Err(vec![message.to_owned()]));
        }
    }
}
