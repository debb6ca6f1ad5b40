//! Writes a policy as AWS writes it.

use serde_json::{Map, Value, json};

use super::pattern::{ActionPattern, ResourcePattern};
use super::principal::{PrincipalPattern, TYPES};
use super::statement::{Effect, Element, Policy, Statement, Version};

/// The AWS document of a policy: reading it gives the same policy, positions aside.
///
/// Assumes that every statement is sound; an element that could not be read is left out.
pub fn to_document(policy: &Policy) -> Value {
    let version = match policy.version {
        Version::V2008 => "2008-10-17",
        Version::V2012 => "2012-10-17",
    };
    let statements: Vec<Value> =
        policy.statements.iter().map(|statement| write_statement(statement, policy.version)).collect();
    json!({"Version": version, "Statement": statements})
}

// === free functions ===

fn write_statement(statement: &Statement, version: Version) -> Value {
    let mut map = Map::new();
    if !statement.sid.is_empty() {
        map.insert("Sid".to_owned(), statement.sid.as_str().into());
    }
    let effect = match statement.effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    map.insert("Effect".to_owned(), effect.into());
    write_element(&mut map, ["Principal", "NotPrincipal"], &statement.principals, write_principals);
    write_element(&mut map, ["Action", "NotAction"], &statement.actions, |actions| {
        actions.iter().map(ActionPattern::to_string).collect()
    });
    write_element(&mut map, ["Resource", "NotResource"], &statement.resources, |resources| {
        resources.iter().map(|resource: &ResourcePattern| resource.written(version)).collect()
    });
    let mut conditions = Map::new();
    for condition in &statement.conditions {
        let values = condition.values.written(condition.operator.base, version);
        let keys = conditions.entry(condition.operator.to_string()).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(keys) = keys {
            keys.insert(condition.key.written().to_owned(), values.into());
        }
    }
    if !conditions.is_empty() {
        map.insert("Condition".to_owned(), conditions.into());
    }
    map.into()
}

fn write_element<T>(
    map: &mut Map<String, Value>,
    keys: [&'static str; 2],
    element: &Element<T>,
    write: impl FnOnce(&[T]) -> Value,
) {
    match element {
        Element::Listed(polarity, entries) => {
            map.insert(polarity.key(keys).to_owned(), write(entries));
        }
        Element::Absent | Element::Malformed => {}
    }
}

fn write_principals(entries: &[PrincipalPattern]) -> Value {
    if matches!(entries, [PrincipalPattern::Any]) {
        return "*".into();
    }
    let mut map = Map::new();
    for key in TYPES {
        let texts: Vec<Value> =
            entries.iter().filter(|entry| entry.type_key() == key).map(|entry| entry.to_string().into()).collect();
        if !texts.is_empty() {
            map.insert(key.to_owned(), texts.into());
        }
    }
    map.into()
}
