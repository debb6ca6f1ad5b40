//! What an IamPolicy declares.

use std::sync::Arc;

use smol_str::SmolStr;

use super::fields::{Fields, Narrowing};
use super::name::{self, EntityPath};
use super::user::one_of;
use super::{Declared, body, declared, labels};
use crate::policy::pattern::ResourcePattern;
use crate::policy::tree::Node;
use crate::policy::{Policy, PolicyKind, Version};
use crate::world::entity::{AccountTargets, ManagedPolicyType, ResourceTargets};
use crate::world::finding::{Findings, Path, Quoted};
use crate::world::outcome::Finding;

/// The `spec` of an IamPolicy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySpec {
    /// `description`.
    pub description: SmolStr,
    /// `path`, `/` by default; `None` when it cannot be read.
    pub path: Option<EntityPath>,
    /// `type` and `targets`.
    pub kind: ManagedPolicyType,
    /// `statements` or `document`.
    pub policy: Arc<Policy>,
}

/// `type` without its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Managed,
    Resource,
    ServiceControl,
    ResourceControl,
    /// Counts as the default: nobody can know that it is a guardrail.
    Unreadable,
}

const KEYS: [&str; 6] = ["description", "document", "path", "statements", "targets", "type"];
const TYPES: [(&str, Type); 4] = [
    ("Managed", Type::Managed),
    ("Resource", Type::Resource),
    ("ServiceControl", Type::ServiceControl),
    ("ResourceControl", Type::ResourceControl),
];
/// Longest description (`iam-semantics.md` §14.2).
const DESCRIPTION_CHARACTERS: usize = 1_000;

// === impl PolicySpec ===

impl PolicySpec {
    /// Reads a `spec`, and everything that is wrong with it; what is readable of it is there all the same.
    pub fn parse(spec: &Node) -> (Self, Vec<Finding>) {
        declared::parse(spec)
    }
}

impl Declared for PolicySpec {
    fn read(spec: &Node, findings: &mut Findings) -> Self {
        let root = Path::ROOT.key("spec");
        let fields = Fields::read(spec, &root, &KEYS, findings);
        let description = description(&fields, findings);
        let path = path(&fields, findings);
        let kind = match (fields.get("type"), fields.text("type", findings)) {
            (None, _) => Type::Managed,
            (Some(_), None) => Type::Unreadable,
            (Some(_), Some(written)) => one_of(&fields, "type", written, TYPES, findings).unwrap_or(Type::Unreadable),
        };
        let body = body::read(&fields, kind.policy_kind(), findings);
        // An invalid guardrail requires an Allow, unless something of it can be read and none of that is one.
        let requires_allow = body::has_allow(&body.policy) || !body.has_readable_effect;
        let kind = kind.with_targets(&fields, requires_allow, findings);
        Self { description, path, kind, policy: body.policy }
    }

    /// Nothing is known of it, not even whether it is a guardrail: it restricts nothing (`iam-semantics.md` §2 rule 12 is
    /// about what is readable).
    fn unreadable() -> Self {
        Self {
            description: SmolStr::default(),
            path: None,
            kind: ManagedPolicyType::Managed,
            policy: Arc::new(Policy { version: Version::V2012, statements: Arc::default() }),
        }
    }
}

// === impl Type ===

impl Type {
    fn policy_kind(self) -> PolicyKind {
        match self {
            Type::Managed | Type::Unreadable => PolicyKind::Identity,
            Type::Resource => PolicyKind::Resource,
            Type::ServiceControl => PolicyKind::ServiceControl,
            Type::ResourceControl => PolicyKind::ResourceControl,
        }
    }

    fn with_targets(self, fields: &Fields<'_>, requires_allow: bool, findings: &mut Findings) -> ManagedPolicyType {
        let path = fields.path_of("targets");
        let node = fields.get("targets");
        match self {
            Type::Managed => {
                if let Some(node) = node {
                    let message = "a policy of type `Managed` has no targets: users, groups and roles name it";
                    findings.invalid(&path, node.at, message);
                }
                ManagedPolicyType::Managed
            }
            Type::Unreadable => ManagedPolicyType::Managed,
            Type::Resource => ManagedPolicyType::Resource(
                node.map_or(ResourceTargets::Nothing, |node| resource_targets(node, &path, findings)),
            ),
            Type::ServiceControl => ManagedPolicyType::ServiceControl {
                targets: node.map(|node| account_targets(node, &path, findings)).unwrap_or_default(),
                requires_allow,
            },
            Type::ResourceControl => ManagedPolicyType::ResourceControl {
                targets: node.map(|node| account_targets(node, &path, findings)).unwrap_or_default(),
            },
        }
    }
}

// === free functions ===

fn description(fields: &Fields<'_>, findings: &mut Findings) -> SmolStr {
    // Longer than other strings may be: characters of up to four bytes.
    let Some(node) = fields.get("description") else { return SmolStr::default() };
    let path = fields.path_of("description");
    let Some(text) = node.text() else {
        findings.invalid(&path, node.at, format!("expected a string, found {}", node.describe()));
        return SmolStr::default();
    };
    let characters = text.chars().count();
    if characters > DESCRIPTION_CHARACTERS {
        let message = format!("{characters} characters; at most {DESCRIPTION_CHARACTERS} are admitted");
        findings.invalid(&path, node.at, message);
        return SmolStr::default();
    }
    text.into()
}

fn path(fields: &Fields<'_>, findings: &mut Findings) -> Option<EntityPath> {
    let Some(node) = fields.get("path") else { return Some(EntityPath::default()) };
    let text = fields.text("path", findings)?;
    EntityPath::of_policy(text).map_err(|message| findings.invalid(&fields.path_of("path"), node.at, message)).ok()
}

fn resource_targets(node: &Node, path: &Path<'_>, findings: &mut Findings) -> ResourceTargets {
    let fields = Fields::read(node, path, &["resources"], findings);
    if !fields.is_map() {
        return ResourceTargets::Unreadable;
    }
    match fields.narrowing("resources", findings, resource_pattern) {
        Narrowing::Absent => ResourceTargets::Nothing,
        Narrowing::Listed(patterns) => ResourceTargets::Patterns(patterns.into()),
        Narrowing::Unreadable => ResourceTargets::Unreadable,
    }
}

fn resource_pattern(text: &str) -> Result<ResourcePattern, String> {
    if text.contains("${") {
        return Err(format!("{} holds a variable; targets do not depend on a request", Quoted(text)));
    }
    match ResourcePattern::parse(text, Version::V2012, PolicyKind::Resource) {
        ResourcePattern::Nothing(_) => Err(format!(
            "{} is no resource; expected `*` or an ARN pattern `arn:partition:service:region:account:resource`",
            Quoted(text)
        )),
        pattern @ (ResourcePattern::Any | ResourcePattern::Arn { .. }) => Ok(pattern),
    }
}

/// The accounts of a guardrail; every account where any of it cannot be read.
fn account_targets(node: &Node, path: &Path<'_>, findings: &mut Findings) -> AccountTargets {
    let fields = Fields::read(node, path, &["accounts", "accountSelector"], findings);
    let accounts = match fields.narrowing("accounts", findings, name::namespace) {
        Narrowing::Absent => Some(Vec::new()),
        Narrowing::Listed(mut accounts) => {
            accounts.sort();
            accounts.dedup();
            Some(accounts)
        }
        Narrowing::Unreadable => None,
    };
    let selector = match fields.get("accountSelector") {
        None => Some(None),
        Some(node) => labels::read(node, &fields.path_of("accountSelector"), findings).map(Some),
    };
    match (accounts, selector) {
        (Some(accounts), Some(selector)) => AccountTargets { accounts, selector },
        _ => AccountTargets::default(),
    }
}
