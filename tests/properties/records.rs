//! Evaluates records of the conformance corpus by the library, as `simulate --cases` does.

use std::borrow::Cow;

use kube_iam::decide::{
    Action, Context, Decision, Fact, IsRoot, Resource, Standalone, StandalonePrincipal, StandaloneRequest,
    action_entry_matches, conditions_hold, principal_element_matches, resource_entry_matches,
};
use kube_iam::name::Arn;
use kube_iam::policy::pattern::{
    ActionPattern, Budget, Case, NoVariables, ResourcePattern, Syntax, Template, Variables, Wildcards,
};
use kube_iam::policy::statement::{Element, Soundness};
use kube_iam::policy::tree::{Node, Value};
use kube_iam::policy::{PolicyKind, Version, document};
use kube_iam::snapshot::CompiledPolicy;
use serde_json::{Value as Json, json};

/// Decides a `decision` record.
pub fn decide(record: &Json) -> Decision {
    decide_tree(&Node::from(&record["policies"]), &record["request"])
}

/// Decides a request by policies whose maps have an order.
pub fn decide_tree(policies: &Node, request: &Json) -> Decision {
    let set = |key: &str, kind| {
        let documents = policies.get(key).map(list).unwrap_or_default();
        let compiled: Vec<_> =
            documents.iter().enumerate().map(|(at, node)| compile(&format!("{key}[{at}]"), node, kind)).collect();
        (!compiled.is_empty()).then_some(compiled)
    };
    let levels = |key: &str, kind| -> Vec<Vec<CompiledPolicy>> {
        let levels = policies.get(key).map(list).unwrap_or_default();
        let level = |(at, level): (usize, &&Node)| {
            let documents = list(level);
            let numbered = documents.iter().enumerate();
            numbered.map(|(index, node)| compile(&format!("{key}[{at}][{index}]"), node, kind)).collect()
        };
        levels.iter().enumerate().map(level).collect()
    };
    let standalone = Standalone {
        identity: set("identity", PolicyKind::Identity).unwrap_or_default(),
        resource: set("resource", PolicyKind::Resource).and_then(|mut policies| policies.pop()),
        trust: set("trust", PolicyKind::Trust).and_then(|mut policies| policies.pop()),
        boundary: set("boundary", PolicyKind::Identity),
        session: set("session", PolicyKind::Identity),
        service_control: levels("scp", PolicyKind::ServiceControl),
        resource_control: levels("rcp", PolicyKind::ResourceControl),
        endpoint: set("endpoint", PolicyKind::Resource),
    };
    let text = |key: &str| request[key].as_str();
    let arn: Option<Arn> = text("resource").unwrap().parse().ok();
    standalone.decide(&StandaloneRequest {
        principal: principal(text("principal").unwrap()),
        principal_account: text("principal_account").map(Cow::Borrowed),
        is_root: if request["root_user"] == true { IsRoot::Yes } else { IsRoot::ByArn },
        action: Action::One(text("action").unwrap().into()),
        resource: arn.as_ref().map_or(Resource::Any, Resource::one),
        resource_account: text("resource_account").unwrap_or("").into(),
        context: context(request),
    })
}

/// Whether every document of a record is free of problems.
pub fn is_valid(record: &Json) -> bool {
    let kinds = [
        ("identity", PolicyKind::Identity),
        ("boundary", PolicyKind::Identity),
        ("session", PolicyKind::Identity),
        ("resource", PolicyKind::Resource),
        ("endpoint", PolicyKind::Resource),
        ("trust", PolicyKind::Trust),
        ("scp", PolicyKind::ServiceControl),
        ("rcp", PolicyKind::ResourceControl),
    ];
    fn documents(node: &Node) -> Vec<&Node> {
        list(node).into_iter().flat_map(|inner| if inner == node { vec![inner] } else { documents(inner) }).collect()
    }
    let policies = Node::from(&record["policies"]);
    kinds.iter().all(|(key, kind)| {
        let found = policies.get(key).map(documents).unwrap_or_default();
        found.iter().all(|node| document::parse(node, *kind).problems.is_empty())
    })
}

/// Whether the block of a `condition` record holds.
pub fn condition(record: &Json) -> bool {
    let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": record["condition"]});
    let document = json!({"Version": record["version"], "Statement": statement});
    let parsed = document::parse_stored(&Node::from(&document), PolicyKind::Identity);
    let statement = &parsed.policy.statements[0];
    statement.soundness == Soundness::Sound && conditions_hold(&statement.conditions, &context(&record["request"]))
}

/// Whether the pattern of a `pattern` record matches its value.
pub fn pattern(record: &Json) -> bool {
    let text = |key: &str| record[key].as_str().unwrap();
    let value = text("value");
    let patterns: Vec<&str> = match &record["pattern"] {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let version = if record["version"] == "2012-10-17" { Version::V2012 } else { Version::V2008 };
    let kind = match record["policy_type"].as_str() {
        Some("resource" | "endpoint") => PolicyKind::Resource,
        Some("trust") => PolicyKind::Trust,
        Some("scp") => PolicyKind::ServiceControl,
        Some("rcp") => PolicyKind::ResourceControl,
        _ => PolicyKind::Identity,
    };
    let facts = context(&record["request"]);
    let arn: Option<Arn> = value.parse().ok();
    let action = || patterns.iter().any(|text| action_entry_matches(&ActionPattern::parse(text), value));
    let resource = || {
        patterns.iter().any(|text| {
            let pattern = ResourcePattern::parse(text, version, kind);
            resource_entry_matches(&pattern, arn.as_ref().map_or(Resource::Any, Resource::one), &facts)
        })
    };
    match text("pattern_type") {
        "action" => action(),
        "notaction" => !action(),
        "resource" => resource(),
        "notresource" => !resource(),
        "principal" => names("Principal", record, value),
        "notprincipal" => names("NotPrincipal", record, value),
        _ => {
            let syntax = Syntax { wildcards: Wildcards::Act, variables: Variables::Literal };
            let budget = Budget::new(Budget::DECISION);
            patterns.iter().any(|text| Template::parse(text, syntax).matches(value, Case::Exact, &NoVariables, &budget))
        }
    }
}

fn names(key: &str, record: &Json, value: &str) -> bool {
    let statement = json!({"Effect": "Deny", key: record["pattern"], "Action": "*", "Resource": "*"});
    let document = json!({"Statement": statement});
    let parsed = document::parse_stored(&Node::from(&document), PolicyKind::Resource);
    match &parsed.policy.statements[0].principals {
        Element::Malformed | Element::Absent => false,
        listed @ Element::Listed(..) => principal_element_matches(listed, &principal(value)),
    }
}

fn compile(label: &str, node: &Node, kind: PolicyKind) -> CompiledPolicy {
    CompiledPolicy::new(label.into(), document::parse_stored(node, kind).policy.statements)
}

fn principal(text: &str) -> StandalonePrincipal {
    match text.parse() {
        Ok(arn) => StandalonePrincipal::Arn(arn),
        Err(_) if text == "anonymous" => StandalonePrincipal::Anonymous,
        Err(_) => StandalonePrincipal::Named(text.into()),
    }
}

fn context(request: &Json) -> Context<'static> {
    let mut context = Context::new();
    for (key, value) in request["context"].as_object().into_iter().flatten() {
        let fact = match value {
            Json::Array(items) => Fact::Many(items.iter().map(|item| Cow::Owned(scalar(item))).collect()),
            Json::Null => continue,
            _ => Fact::One(Cow::Owned(scalar(value))),
        };
        context.push(key.clone(), fact);
    }
    context
}

fn scalar(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A list, or one value in place of a list; nothing for null.
fn list(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::Null => Vec::new(),
        Value::List(items) => items.iter().collect(),
        _ => vec![node],
    }
}
