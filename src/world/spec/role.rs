//! What an IamRole declares.

use std::sync::Arc;

use smol_str::SmolStr;

use super::fields::Fields;
use super::name::EntityPath;
use super::reference::{self, BoundaryReference, PolicyReference};
use super::user::checked;
use super::{Declared, body, declared, duration, tags};
use crate::policy::condition::Instant;
use crate::policy::statement::{Element, Polarity};
use crate::policy::tree::Node;
use crate::policy::{Effect, Policy, PolicyKind, Version};
use crate::world::entity::NamedPolicy;
use crate::world::finding::{Findings, Path, Quoted};
use crate::world::outcome::Finding;
use crate::world::quota;

/// The `spec` of an IamRole.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleSpec {
    /// `path`; `/` by default.
    pub path: EntityPath,
    /// `tags`, sorted by key.
    pub tags: Vec<(SmolStr, SmolStr)>,
    /// `trustPolicy`.
    pub trust: Arc<Policy>,
    /// `policies`.
    pub policies: Vec<PolicyReference>,
    /// `inlinePolicies`.
    pub inline: Vec<NamedPolicy>,
    /// `permissionsBoundary`.
    pub boundary: BoundaryReference,
    /// `maxSessionDuration`, in seconds: 3,600 to 43,200, the least by default.
    pub max_session_seconds: u32,
    /// `sessions.revokeIssuedBefore`.
    pub revoke_issued_before: Option<Instant>,
}

const KEYS: [&str; 8] = [
    "inlinePolicies",
    "maxSessionDuration",
    "path",
    "permissionsBoundary",
    "policies",
    "sessions",
    "tags",
    "trustPolicy",
];
/// Shortest and longest admitted `maxSessionDuration` in seconds (`iam-semantics.md` §11.2).
const SESSION_SECONDS: std::ops::RangeInclusive<u32> = 3_600..=43_200;

// === impl RoleSpec ===

impl RoleSpec {
    /// Reads a `spec`, and everything that is wrong with it; what is readable of it is there all the same.
    pub fn parse(spec: &Node) -> (Self, Vec<Finding>) {
        declared::parse(spec)
    }

    /// How many entries of principals the trust policy allows, those that it excepts not counted.
    pub fn trusted_principals(&self) -> usize {
        let allows = self.trust.statements.iter().filter(|statement| statement.effect == Effect::Allow);
        allows.fold(0, |sum, statement| match &statement.principals {
            Element::Listed(Polarity::Positive, principals) => sum.saturating_add(principals.len()),
            Element::Listed(Polarity::Negated, _) | Element::Absent | Element::Malformed => sum,
        })
    }
}

impl Declared for RoleSpec {
    fn read(spec: &Node, findings: &mut Findings) -> Self {
        let root = Path::ROOT.key("spec");
        let fields = Fields::read(spec, &root, &KEYS, findings);
        Self {
            path: tags::entity_path(&fields, findings),
            tags: tags::read(&fields, findings),
            trust: trust(&fields, findings),
            policies: reference::policies(&fields, quota::POLICIES_PER_ROLE, findings),
            inline: body::inline(&fields, findings),
            boundary: reference::boundary(&fields, findings),
            max_session_seconds: checked(&fields, "maxSessionDuration", session_seconds, findings)
                .unwrap_or(*SESSION_SECONDS.start()),
            revoke_issued_before: tags::revoke_issued_before(&fields, findings),
        }
    }
}

// === free functions ===

fn trust(fields: &Fields<'_>, findings: &mut Findings) -> Arc<Policy> {
    let Some(node) = fields.required("trustPolicy", findings) else {
        return Arc::new(Policy { version: Version::V2012, statements: Arc::default() });
    };
    let path = fields.path_of("trustPolicy");
    let entry = Fields::read(node, &path, &["statements", "document"], findings);
    body::read(&entry, PolicyKind::Trust, findings).policy
}

fn session_seconds(text: &str) -> Result<u32, String> {
    let seconds = duration::seconds(text)?;
    if SESSION_SECONDS.contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!("{} is out of range; expected `1h` to `12h`", Quoted(text)))
    }
}
