//! Policies inside a spec: `statements` or `document`, exactly one of them.

use std::fmt::Display;
use std::sync::Arc;

use smol_str::SmolStr;

use super::fields::Fields;
use super::name;
use crate::policy::tree::{Node, Value};
use crate::policy::{Effect, Parsed, Policy, PolicyKind, Version, document, typed};
use crate::world::entity::NamedPolicy;
use crate::world::finding::{Findings, Path};
use crate::world::outcome::Reason;
use crate::world::quota;

/// A policy as far as it could be read.
#[derive(Clone, Debug)]
pub(super) struct Body {
    /// The readable part.
    pub policy: Arc<Policy>,
    /// Whether the effect of at least one statement is readable.
    pub has_readable_effect: bool,
    /// Its size (see [`quota::POLICY_CHARACTERS`]).
    pub characters: usize,
}

/// The two keys, each with the reader of its form.
const FORMS: [&str; 2] = ["statements", "document"];

// === free functions ===

/// Reads the policy in a map that has `statements` or `document`. Where both stand, both restrict.
pub(super) fn read(fields: &Fields<'_>, kind: PolicyKind, findings: &mut Findings) -> Body {
    let mut policies: Vec<Policy> = Vec::new();
    let mut has_readable_effect = false;
    let mut characters = 0usize;
    let mut found = 0usize;
    for form in FORMS {
        for node in fields.each(form) {
            found = found.saturating_add(1);
            characters = characters.saturating_add(count_characters(node));
            has_readable_effect |= readable_effect(node, form);
            let parsed = parse(node, form, kind);
            report(&parsed, fields.path(), form, findings);
            policies.push(parsed.policy);
        }
    }
    if found == 0 && fields.is_map() {
        let message = "key `statements` or `document` is missing";
        findings.add(Reason::PolicyInvalid, fields.path(), fields.at(), message);
    }
    if found > 1 {
        let message = "found both `statements` and `document`; expected exactly one of them";
        findings.add(Reason::PolicyInvalid, fields.path(), fields.at(), message);
    }
    check_size(characters, quota::POLICY_CHARACTERS, fields.path(), fields, findings);
    Body { policy: Arc::new(together(policies)), has_readable_effect, characters }
}

/// Reads `inlinePolicies`.
pub(super) fn inline(fields: &Fields<'_>, findings: &mut Findings) -> Vec<NamedPolicy> {
    let mut policies: Vec<NamedPolicy> = Vec::new();
    let mut characters = 0usize;
    fields.items("inlinePolicies", findings, |node, path, _, findings| {
        let entry = Fields::read(node, path, &["name", "statements", "document"], findings);
        let name = unique_name(&entry, policies.iter().map(|policy| &policy.name), findings);
        if entry.is_map() {
            let body = read(&entry, PolicyKind::Identity, findings);
            characters = characters.saturating_add(body.characters);
            policies.push(NamedPolicy { name: name.unwrap_or_default(), policy: body.policy });
        }
    });
    check_size(characters, quota::INLINE_CHARACTERS, &fields.path_of("inlinePolicies"), fields, findings);
    policies
}

/// The `name` of an entry of a list, which no other entry has.
pub(super) fn unique_name<'n>(
    entry: &Fields<'_>,
    mut others: impl Iterator<Item = &'n SmolStr>,
    findings: &mut Findings,
) -> Option<SmolStr> {
    let written = entry.required_text("name", findings)?;
    let at = entry.get("name").and_then(|node| node.at);
    let path = entry.path_of("name");
    let name = name::inner_name(written).map_err(|message| findings.invalid(&path, at, message)).ok()?;
    // Where there are more, their number is wrong already.
    if others.by_ref().take(quota::LISTED).any(|other| *other == name) {
        findings.invalid(&path, at, format!("name `{name}` stands twice"));
    }
    Some(name)
}

/// The statements of all of them.
fn together(mut policies: Vec<Policy>) -> Policy {
    let version = policies.last().map_or(Version::V2012, |policy| policy.version);
    let statements = match policies.pop() {
        Some(only) if policies.is_empty() => only.statements,
        last => policies.iter().chain(&last).flat_map(|policy| policy.statements.iter().cloned()).collect(),
    };
    Policy { version, statements }
}

/// Whether an Allow stands in a policy.
pub(in crate::world) fn has_allow(policy: &Policy) -> bool {
    policy.statements.iter().any(|statement| statement.effect == Effect::Allow)
}

/// A policy that only restricts: without its Allow statements.
pub(in crate::world) fn denies_of(policy: &Arc<Policy>) -> Arc<Policy> {
    if !has_allow(policy) {
        return Arc::clone(policy);
    }
    let denies = policy.statements.iter().filter(|statement| statement.effect == Effect::Deny).cloned().collect();
    Arc::new(Policy { version: policy.version, statements: denies })
}

fn parse(node: &Node, form: &str, kind: PolicyKind) -> Parsed {
    if form == "document" { document::parse(node, kind) } else { typed::parse(node, kind) }
}

/// Passes the parser's problems on, with paths from the object.
fn report(parsed: &Parsed, path: &Path<'_>, form: &str, findings: &mut Findings) {
    for problem in &parsed.problems {
        let inner = problem.path.as_str();
        let path: &dyn Display = match (form, inner.is_empty()) {
            ("document", true) => &path.key("document"),
            ("document", false) => &format_args!("{path}.document.{inner}").to_string(),
            (_, true) => path,
            (_, false) => &format_args!("{path}.{inner}").to_string(),
        };
        findings.add(Reason::PolicyInvalid, path, problem.at, &problem.message);
    }
}

fn check_size(characters: usize, most: usize, path: &Path<'_>, fields: &Fields<'_>, findings: &mut Findings) {
    if characters > most {
        let message = format!("{characters} characters of policy; at most {most} are admitted");
        findings.add(Reason::QuotaExceeded, path, fields.at(), message);
    }
}

/// Whether a statement says `Allow` or `Deny` in so many words.
fn readable_effect(node: &Node, form: &str) -> bool {
    let (statements, key) = if form == "document" { (node.get("Statement"), "Effect") } else { (Some(node), "effect") };
    let readable = |statement: &Node| matches!(statement.get(key).and_then(Node::text), Some("Allow" | "Deny"));
    match statements.map(|node| &node.value) {
        Some(Value::List(statements)) => statements.iter().any(readable),
        // A document may hold one statement without a list around it.
        Some(Value::Map(_)) if form == "document" => statements.is_some_and(readable),
        _ => false,
    }
}

/// Characters of a value as JSON without white space between its parts, escapes not counted.
pub fn count_characters(node: &Node) -> usize {
    let text = |text: &str| text.chars().count().saturating_add(2);
    match &node.value {
        Value::Null => 4,
        Value::Boolean(true) => 4,
        Value::Boolean(false) => 5,
        Value::Number(number) => number.len(),
        Value::Text(value) => text(value),
        Value::List(items) => {
            items.iter().fold(1, |sum: usize, item| sum.saturating_add(count_characters(item)).saturating_add(1)).max(2)
        }
        Value::Map(entries) => entries
            .iter()
            .fold(1, |sum: usize, entry| {
                sum.saturating_add(text(&entry.key)).saturating_add(count_characters(&entry.value)).saturating_add(2)
            })
            .max(2),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn size_is_that_of_compact_json() {
        for json in [json!(null), json!([]), json!({}), json!({"a": [1, "x y", true, false], "b": {"c": null}})] {
            assert_eq!(count_characters(&Node::from(&json)), json.to_string().len(), "{json}");
        }
    }
}
