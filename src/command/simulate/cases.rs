//! `simulate --cases`: conformance records, one JSON object a line, answered without a world.
//!
//! A record is evaluated by the policy language alone (`iam-semantics.md`): its context is complete, each policy is
//! attached where the record says, and a statement that cannot be read fails closed on its own.

use std::borrow::Cow;
use std::io::{BufRead, Write};

use anyhow::Context as _;
use serde_json::{Map, Value as Json};
use smol_str::{SmolStr, format_smolstr};

use crate::decide::{
    Action, Context, Decision, Fact, IsRoot, Resource, Standalone, StandalonePrincipal, StandaloneRequest,
    action_entry_matches, conditions_hold, principal_element_matches, resource_entry_matches,
};
use crate::name::Arn;
use crate::policy::json;
use crate::policy::pattern::{
    ActionPattern, Budget, Case, NoVariables, ResourcePattern, Syntax, Template, Variables, Wildcards,
};
use crate::policy::statement::{Element, Soundness};
use crate::policy::tree::{Entry, Node, Value};
use crate::policy::{Parsed, PolicyKind, Version, document};
use crate::snapshot::CompiledPolicy;

/// Bytes of one record.
const RECORD_BYTES: usize = 1 << 20;

/// How many records were answered as they expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// As expected.
    pub(super) passed: usize,
    /// Otherwise.
    pub(super) failed: usize,
    /// Without an expectation that binds.
    pub(super) unjudged: usize,
}

/// The answer to one record.
struct Answer {
    verdict: &'static str,
    matched: Vec<Json>,
    problems: Vec<String>,
}

/// Answers every record of `input` on `output`, one line each.
///
/// # Errors
/// When the input cannot be read, a line is no record, or the output cannot be written.
pub(super) fn run(input: impl BufRead, output: &mut impl Write) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for (index, line) in input.lines().enumerate() {
        let number = index.saturating_add(1);
        let line = line.with_context(|| format!("line {number} cannot be read"))?;
        if line.trim().is_empty() {
            continue;
        }
        let record = json::parse(&line, RECORD_BYTES).with_context(|| format!("line {number} is no JSON object"))?;
        let answer = answer(&record).with_context(|| format!("line {number} is no record"))?;
        let expected = record.get("expected").map(scalar);
        let pass = expected.as_deref().map(|expected| passes(expected, answer.verdict));
        match pass {
            Some(true) => tally.passed = tally.passed.saturating_add(1),
            Some(false) => tally.failed = tally.failed.saturating_add(1),
            None => tally.unjudged = tally.unjudged.saturating_add(1),
        }
        let mut printed = Map::new();
        printed.insert("id".into(), record.get("id").map(scalar).map_or(Json::Null, |id| Json::String(id.into())));
        printed.insert("verdict".into(), verdict_json(answer.verdict));
        printed.insert("matched".into(), Json::Array(answer.matched));
        if !answer.problems.is_empty() {
            printed.insert("problems".into(), answer.problems.into());
        }
        if let Some(expected) = &expected {
            printed.insert("expected".into(), verdict_json(expected));
            printed.insert("pass".into(), Json::Bool(pass == Some(true)));
        }
        serde_json::to_writer(&mut *output, &Json::Object(printed))?;
        output.write_all(b"\n")?;
    }
    Ok(tally)
}

fn passes(expected: &str, verdict: &str) -> bool {
    match expected {
        "Deny" => verdict == "ExplicitDeny" || verdict == "ImplicitDeny",
        // The document has findings; whether it is refused for them is not said.
        "findings" => true,
        _ => expected == verdict,
    }
}

fn verdict_json(verdict: &str) -> Json {
    match verdict {
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        _ => Json::String(verdict.into()),
    }
}

fn answer(record: &Node) -> anyhow::Result<Answer> {
    let truth = |holds: bool| Answer {
        verdict: if holds { "true" } else { "false" },
        matched: Vec::new(),
        problems: Vec::new(),
    };
    match text(record, "kind")? {
        "decision" => decision(record),
        "condition" => Ok(truth(condition(record))),
        "pattern" => Ok(truth(pattern(record)?)),
        "lint" => Ok(lint(record)),
        other => anyhow::bail!("kind `{other}` is none of decision, condition, pattern, lint"),
    }
}

// === decision ===

fn decision(record: &Node) -> anyhow::Result<Answer> {
    let empty = Node::new(Value::Map(Box::default()));
    let policies = record.get("policies").unwrap_or(&empty);
    let request = record.get("request").context("`request` is missing")?;
    let one = |key: &str, kind| policies.get(key).filter(|node| !is_empty(node)).map(|node| compile(key, node, kind));
    let set = |key: &str, kind| {
        let documents = list(policies.get(key)?);
        let compiled: Vec<_> = numbered(key, documents).map(|(label, node)| compile(&label, node, kind)).collect();
        (!compiled.is_empty()).then_some(compiled)
    };
    let levels = |key: &str, kind| -> Vec<Vec<CompiledPolicy>> {
        let levels = policies.get(key).map(list).unwrap_or_default();
        numbered(key, levels)
            .map(|(label, level)| {
                numbered(&label, list(level)).map(|(label, node)| compile(&label, node, kind)).collect()
            })
            .collect()
    };
    let standalone = Standalone {
        identity: set("identity", PolicyKind::Identity).unwrap_or_default(),
        resource: one("resource", PolicyKind::Resource),
        trust: one("trust", PolicyKind::Trust),
        boundary: set("boundary", PolicyKind::Identity),
        session: set("session", PolicyKind::Identity),
        service_control: levels("scp", PolicyKind::ServiceControl),
        resource_control: levels("rcp", PolicyKind::ResourceControl),
        endpoint: set("endpoint", PolicyKind::Resource),
    };
    let resource_text = text(request, "resource")?;
    let resource_arn: Option<Arn> = resource_text.parse().ok();
    let resource = match &resource_arn {
        Some(arn) => Resource::one(arn),
        None if resource_text == "*" => Resource::Any,
        None => anyhow::bail!("resource `{resource_text}` is neither `*` nor an ARN"),
    };
    let root_user = matches!(request.get("root_user").map(|node| &node.value), Some(Value::Boolean(true)));
    let asked = StandaloneRequest {
        principal: principal(text(request, "principal")?),
        principal_account: optional_text(request, "principal_account").map(Cow::Borrowed),
        is_root: if root_user { IsRoot::Yes } else { IsRoot::ByArn },
        action: Action::One(text(request, "action")?.into()),
        resource,
        resource_account: optional_text(request, "resource_account").unwrap_or("").into(),
        context: context(request),
    };
    let decision = standalone.decide(&asked);
    Ok(Answer { verdict: decision.verdict.as_str(), matched: matched(&decision), problems: Vec::new() })
}

fn matched(decision: &Decision) -> Vec<Json> {
    decision.matched.iter().map(super::super::output::matched).collect()
}

fn compile(label: &str, node: &Node, kind: PolicyKind) -> CompiledPolicy {
    let parsed = document::parse_stored(node, kind);
    CompiledPolicy::new(label.into(), parsed.policy.statements)
}

fn principal(text: &str) -> StandalonePrincipal {
    match text.parse() {
        Ok(arn) => StandalonePrincipal::Arn(arn),
        Err(_) if text == "anonymous" => StandalonePrincipal::Anonymous,
        Err(_) => StandalonePrincipal::Named(text.into()),
    }
}

// === condition ===

/// The block as the only condition of a statement, read by the same parser as every other.
fn condition(record: &Node) -> bool {
    let block = record.get("condition").cloned().unwrap_or(Node::new(Value::Null));
    let parsed = statement_with(record, vec![("Condition", block)]);
    let Some(statement) = parsed.policy.statements.first() else { return false };
    let empty = Node::new(Value::Map(Box::default()));
    let request = record.get("request").unwrap_or(&empty);
    statement.soundness == Soundness::Sound && conditions_hold(&statement.conditions, &context(request))
}

/// An identity policy of one statement that allows everything, with these elements in place of its own.
fn statement_with(record: &Node, elements: Vec<(&str, Node)>) -> Parsed {
    let string = |text: &str| Node::new(Value::Text(text.into()));
    let entry = |key: &str, value: Node| Entry { key: key.into(), key_at: None, value };
    let mut statement = vec![entry("Effect", string("Allow"))];
    for (key, default) in [("Action", "*"), ("Resource", "*")] {
        if !elements.iter().any(|(given, _)| given.ends_with(key)) {
            statement.push(entry(key, string(default)));
        }
    }
    statement.extend(elements.into_iter().map(|(key, value)| entry(key, value)));
    let mut document = vec![entry("Statement", Node::new(Value::Map(statement.into())))];
    if let Some(version) = optional_text(record, "version") {
        document.push(entry("Version", string(version)));
    }
    document::parse(&Node::new(Value::Map(document.into())), PolicyKind::Identity)
}

// === pattern ===

fn pattern(record: &Node) -> anyhow::Result<bool> {
    let kind = text(record, "pattern_type")?;
    let written = record.get("pattern").context("`pattern` is missing")?;
    let value = text(record, "value")?;
    let patterns: Vec<&str> = list(written).into_iter().filter_map(Node::text).collect();
    let version = match optional_text(record, "version") {
        Some("2012-10-17") => Version::V2012,
        Some(_) | None => Version::V2008,
    };
    let policy_kind = match optional_text(record, "policy_type") {
        Some("resource" | "endpoint") => PolicyKind::Resource,
        Some("trust") => PolicyKind::Trust,
        Some("scp") => PolicyKind::ServiceControl,
        Some("rcp") => PolicyKind::ResourceControl,
        Some(_) | None => PolicyKind::Identity,
    };
    let empty = Node::new(Value::Map(Box::default()));
    let request = record.get("request").unwrap_or(&empty);
    let facts = context(request);
    let resource_arn: Option<Arn> = value.parse().ok();
    let on_resource = |text: &str| {
        let pattern = ResourcePattern::parse(text, version, policy_kind);
        match &resource_arn {
            Some(arn) => resource_entry_matches(&pattern, Resource::one(arn), &facts),
            None => value == "*" && resource_entry_matches(&pattern, Resource::Any, &facts),
        }
    };
    let on_action = |text: &str| action_entry_matches(&ActionPattern::parse(text), value);
    Ok(match kind {
        "glob" => patterns.iter().any(|text| {
            let syntax = Syntax { wildcards: Wildcards::Act, variables: Variables::Literal };
            Template::parse(text, syntax).matches(value, Case::Exact, &NoVariables, &Budget::new(Budget::DECISION))
        }),
        "action" => patterns.iter().any(|text| on_action(text)),
        "notaction" => !patterns.iter().any(|text| on_action(text)),
        "resource" => patterns.iter().any(|text| on_resource(text)),
        "notresource" => !patterns.iter().any(|text| on_resource(text)),
        "principal" => principal_element(written, "Principal", value),
        "notprincipal" => principal_element(written, "NotPrincipal", value),
        other => anyhow::bail!("pattern_type `{other}` is not known"),
    })
}

fn principal_element(written: &Node, key: &str, value: &str) -> bool {
    let entry = |key: &str, value: Node| Entry { key: key.into(), key_at: None, value };
    let string = |text: &str| Node::new(Value::Text(text.into()));
    let statement = Node::new(Value::Map(Box::new([
        entry("Effect", string("Deny")),
        entry(key, written.clone()),
        entry("Action", string("*")),
        entry("Resource", string("*")),
    ])));
    let document = Node::new(Value::Map(Box::new([entry("Statement", statement)])));
    let parsed = document::parse_stored(&document, PolicyKind::Resource);
    parsed.policy.statements.first().is_some_and(|statement| match &statement.principals {
        Element::Malformed | Element::Absent => false,
        listed @ Element::Listed(..) => principal_element_matches(listed, &principal(value)),
    })
}

// === lint ===

fn lint(record: &Node) -> Answer {
    let raw = optional_text(record, "policy_text");
    let parsed = match (raw, record.get("policy")) {
        (Some(text), _) => {
            let node = json::parse(text, crate::policy::limits::DOCUMENT_BYTES).ok();
            document::parse_text(text, lint_kind(record, node.as_ref()))
        }
        (None, Some(node)) => document::parse(node, lint_kind(record, Some(node))),
        (None, None) => document::parse_text("", PolicyKind::Identity),
    };
    Answer {
        verdict: if parsed.problems.is_empty() { "valid" } else { "invalid" },
        matched: Vec::new(),
        problems: parsed.problems.iter().map(ToString::to_string).collect(),
    }
}

/// `any` does not say where a policy is used: one that names principals is attached to a resource.
fn lint_kind(record: &Node, document: Option<&Node>) -> PolicyKind {
    match optional_text(record, "policy_type") {
        Some("resource") => PolicyKind::Resource,
        Some("trust") => PolicyKind::Trust,
        Some("scp") => PolicyKind::ServiceControl,
        Some("rcp") => PolicyKind::ResourceControl,
        Some("any") => {
            let statements = document.and_then(|node| node.get("Statement")).map(list).unwrap_or_default();
            let names = |node: &&Node| node.get("Principal").or(node.get("NotPrincipal")).is_some();
            if statements.iter().any(names) { PolicyKind::Resource } else { PolicyKind::Identity }
        }
        Some(_) | None => PolicyKind::Identity,
    }
}

// === reading records ===

fn context(request: &Node) -> Context<'_> {
    let entries = request.get("context").map(Node::entries).unwrap_or_default();
    let mut context = Context::with_capacity(entries.len());
    for entry in entries {
        let fact = match &entry.value.value {
            Value::List(items) => Fact::Many(items.iter().map(|item| Cow::Owned(scalar(item).into())).collect()),
            Value::Null => continue,
            _ => Fact::One(Cow::Owned(scalar(&entry.value).into())),
        };
        context.push(entry.key.as_str(), fact);
    }
    context
}

fn text<'n>(node: &'n Node, key: &str) -> anyhow::Result<&'n str> {
    optional_text(node, key).with_context(|| format!("`{key}` must be a string"))
}

fn optional_text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key).and_then(Node::text)
}

/// A scalar as text (`iam-semantics.md` §6.3).
fn scalar(node: &Node) -> SmolStr {
    match &node.value {
        Value::Text(text) => text.clone(),
        Value::Number(text) => SmolStr::from(&**text),
        Value::Boolean(value) => format_smolstr!("{value}"),
        Value::Null | Value::List(_) | Value::Map(_) => SmolStr::default(),
    }
}

/// A list, or one value in place of a list; nothing for null.
fn list(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::Null => Vec::new(),
        Value::List(items) => items.iter().collect(),
        Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => vec![node],
    }
}

fn numbered<'n>(key: &str, nodes: Vec<&'n Node>) -> impl Iterator<Item = (SmolStr, &'n Node)> {
    nodes.into_iter().enumerate().map(move |(index, node)| (format_smolstr!("{key}[{index}]"), node))
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => false,
    }
}
