//! The policies of one object, and where each part of them is written.

use std::sync::Arc;

use super::finding::Finding;
use super::privilege;
use crate::policy::pattern::{Budget, ResourcePattern};
use crate::policy::tree::{Node, Value};
use crate::policy::{Policy, PolicyKind, document, limits, typed};
use crate::world::{Kind, ManagedPolicyType, Object, PolicySpec, ResourceTargets, Settings, Spec};

/// Steps of pattern matching for one object: twice what the largest policies take, some milliseconds.
const STEPS: u64 = 1_000_000;

/// One policy of an object.
pub(super) struct Body<'a> {
    /// What it says.
    pub(super) policy: Arc<Policy>,
    /// What it grants on.
    pub(super) reach: Reach,
    written: Written<'a>,
}

/// What the Allows of a policy can be about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reach {
    /// What its statements name.
    Named,
    /// The role that it belongs to.
    OwnRole,
    /// What it is attached to; `None` if that cannot be read.
    Targets(Option<Box<[ResourcePattern]>>),
}

/// An element of a statement, or one entry of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Action(usize),
    NotActions,
    Resource(usize),
    NotResources,
    Statement,
}

/// How and where a policy is written.
struct Written<'a> {
    /// The map that holds `statements` or `document`.
    path: String,
    form: Form,
    statements: &'a Node,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Typed,
    Document,
}

// === impl Body ===

impl<'a> Body<'a> {
    /// Reads a policy; `None` where it is written in no form or in both.
    fn read(node: &'a Node, path: String, kind: PolicyKind) -> Option<Self> {
        let written = Written::find(node, path)?;
        let policy = match written.form {
            Form::Typed => typed::parse(written.statements, kind).policy,
            Form::Document => document::parse(node.get("document")?, kind).policy,
        };
        let reach = match kind {
            PolicyKind::Trust => Reach::OwnRole,
            PolicyKind::Identity | PolicyKind::Resource | PolicyKind::ServiceControl | PolicyKind::ResourceControl => {
                Reach::Named
            }
        };
        Some(Self { policy: Arc::new(policy), reach, written })
    }

    /// The path to a part of the statement with this number.
    pub(super) fn path(&self, statement: usize, part: Part) -> String {
        self.written.path_of(statement, part)
    }
}

// === impl Written ===

impl<'a> Written<'a> {
    fn find(node: &'a Node, path: String) -> Option<Self> {
        let (form, statements) = match (node.get("statements"), node.get("document")) {
            (Some(statements), None) => (Form::Typed, statements),
            (None, Some(document)) => (Form::Document, document.get("Statement")?),
            (None, None) | (Some(_), Some(_)) => return None,
        };
        Some(Self { path, form, statements })
    }

    fn path_of(&self, statement: usize, part: Part) -> String {
        let node = entry(self.statements, statement);
        let mut path = self.path.clone();
        path.push_str(match self.form {
            Form::Typed => ".statements",
            Form::Document => ".document.Statement",
        });
        push_index(&mut path, self.statements, statement);
        let (typed, aws, index) = match part {
            Part::Action(index) => ("actions", "Action", Some(index)),
            Part::NotActions => ("notActions", "NotAction", None),
            Part::Resource(index) => ("resources", "Resource", Some(index)),
            Part::NotResources => ("notResources", "NotResource", None),
            Part::Statement => return path,
        };
        let key = match self.form {
            Form::Typed => typed,
            Form::Document => aws,
        };
        path.push('.');
        path.push_str(key);
        if let (Some(index), Some(list)) = (index, node.and_then(|node| node.get(key))) {
            push_index(&mut path, list, index);
        }
        path
    }
}

// === free functions ===

/// What there is to say about one object by itself: the gravest first.
///
/// Statements that cannot be read grant nothing, so nothing is said about them. At most [`limits::PROBLEMS`].
pub fn of_object(object: &Object, settings: &Settings) -> Vec<Finding> {
    within(object, settings, &Budget::new(STEPS))
}

/// [`of_object`], in so many steps.
pub(super) fn within(object: &Object, settings: &Settings, budget: &Budget) -> Vec<Finding> {
    let spec = match &object.spec {
        Spec::Read(spec) => spec,
        Spec::Unreadable(_) => return Vec::new(),
    };
    let mut findings: Vec<Finding> =
        bodies(object.key.kind, spec).iter().flat_map(|body| privilege::findings(body, settings, budget)).collect();
    findings.sort_by_key(|finding| finding.severity);
    findings.truncate(limits::PROBLEMS);
    findings
}

fn bodies(kind: Kind, spec: &Node) -> Vec<Body<'_>> {
    match kind {
        Kind::Policy => managed(spec).into_iter().collect(),
        Kind::User | Kind::Group => inline(spec),
        Kind::Role => {
            let trust = spec.get("trustPolicy");
            let trust = trust.and_then(|node| Body::read(node, "spec.trustPolicy".to_owned(), PolicyKind::Trust));
            trust.into_iter().chain(inline(spec)).collect()
        }
    }
}

/// The body of an IamPolicy. What guardrails allow is no grant.
fn managed(spec: &Node) -> Option<Body<'_>> {
    let written = Written::find(spec, "spec".to_owned())?;
    let (declared, _) = PolicySpec::parse(spec);
    let reach = match declared.kind {
        ManagedPolicyType::Managed => Reach::Named,
        ManagedPolicyType::Resource(ResourceTargets::Nothing) => Reach::Targets(Some(Box::default())),
        ManagedPolicyType::Resource(ResourceTargets::Patterns(patterns)) => Reach::Targets(Some(patterns)),
        ManagedPolicyType::Resource(ResourceTargets::Unreadable) => Reach::Targets(None),
        ManagedPolicyType::ServiceControl { .. } | ManagedPolicyType::ResourceControl { .. } => return None,
    };
    Some(Body { policy: declared.policy, reach, written })
}

fn inline(spec: &Node) -> Vec<Body<'_>> {
    let Some(Value::List(items)) = spec.get("inlinePolicies").map(|node| &node.value) else { return Vec::new() };
    let read = |(index, node)| Body::read(node, format!("spec.inlinePolicies[{index}]"), PolicyKind::Identity);
    items.iter().enumerate().filter_map(read).collect()
}

/// An entry of a list; a value without a list around it stands for a list of one.
fn entry(node: &Node, index: usize) -> Option<&Node> {
    match &node.value {
        Value::List(items) => items.get(index),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => Some(node),
    }
}

fn push_index(path: &mut String, list: &Node, index: usize) {
    if matches!(list.value, Value::List(_)) {
        path.push_str(&format!("[{index}]"));
    }
}
