//! Records of the conformance corpus: condition and pattern questions, and answers as text.

use serde_json::Value;

use crate::condition::check;
use crate::decision::decide;
use crate::pattern::{Context, Kind, Version, action_match, glob_text, resource_match};
use crate::principal::{Caller, read};
use crate::statement::Check;

fn context(record: &Value) -> Context<'_> {
    Context(record.get("request").and_then(|request| request.get("context")).unwrap_or(&Value::Null))
}

/// Whether the block of a `condition` record is true. A malformed block is not.
pub fn condition(record: &Value) -> bool {
    check(record.get("condition"), &context(record), Version::of(record.get("version"))) == Check::Matches
}

/// Whether the pattern of a `pattern` record matches its value.
///
/// A list of patterns means any of them; the `not…` types are the plain negation. Without `policy_type` the pattern
/// stands in an identity policy; without `version` there are no variables. A malformed principal matches nothing.
pub fn pattern(record: &Value) -> bool {
    let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let value = text("value");
    let kind = Kind::named(text("policy_type")).unwrap_or(Kind::Identity);
    let version = Version::of(record.get("version"));
    let any = |matches: &dyn Fn(&str) -> bool| match record.get("pattern") {
        Some(Value::Array(patterns)) => patterns.iter().filter_map(Value::as_str).any(matches),
        Some(Value::String(pattern)) => matches(pattern),
        _ => false,
    };
    let action = || any(&|pattern| action_match(pattern, value));
    let resource = || any(&|pattern| resource_match(pattern, value, &context(record), version, kind));
    let caller = || Caller::read(&serde_json::json!({"principal": value}));
    let listed = record.get("pattern").and_then(read);
    match text("pattern_type") {
        "action" => action(),
        "notaction" => !action(),
        "resource" => resource(),
        "notresource" => !resource(),
        "principal" => listed.is_some_and(|listed| !caller().covered_by(&listed).is_empty()),
        "notprincipal" => listed.is_some_and(|listed| caller().covered_by(&listed).is_empty()),
        _ => any(&|pattern| glob_text(pattern, value)),
    }
}

/// The answer to a record as it stands in `expected`; `None` for a kind that is not evaluated here.
pub fn answer(record: &Value) -> Option<Value> {
    match record.get("kind").and_then(Value::as_str)? {
        "decision" => Some(decide(record).outcome.name().into()),
        "condition" => Some(condition(record).into()),
        "pattern" => Some(pattern(record).into()),
        _ => None,
    }
}

/// Whether an answer is the expected one; `Deny` stands for either denial.
pub fn passes(answer: &Value, expected: &Value) -> bool {
    answer == expected || expected == "Deny" && (answer == "ExplicitDeny" || answer == "ImplicitDeny")
}
