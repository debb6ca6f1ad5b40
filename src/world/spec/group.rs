//! What an IamGroup declares.

use smol_str::SmolStr;

use super::fields::Fields;
use super::name::EntityPath;
use super::reference::{self, PolicyReference};
use super::{Declared, body, declared, identity, tags};
use crate::policy::tree::Node;
use crate::world::entity::NamedPolicy;
use crate::world::finding::{Findings, Path};
use crate::world::outcome::Finding;
use crate::world::quota;

/// The `spec` of an IamGroup.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSpec {
    /// `path`; `/` by default.
    pub path: EntityPath,
    /// `policies`.
    pub policies: Vec<PolicyReference>,
    /// `inlinePolicies`.
    pub inline: Vec<NamedPolicy>,
    /// `externalGroups`, sorted, each once.
    pub external_groups: Vec<SmolStr>,
}

const KEYS: [&str; 4] = ["externalGroups", "inlinePolicies", "path", "policies"];

// === impl GroupSpec ===

impl GroupSpec {
    /// Reads a `spec`, and everything that is wrong with it; what is readable of it is there all the same.
    pub fn parse(spec: &Node) -> (Self, Vec<Finding>) {
        declared::parse(spec)
    }
}

impl Declared for GroupSpec {
    fn read(spec: &Node, findings: &mut Findings) -> Self {
        let root = Path::ROOT.key("spec");
        let fields = Fields::read(spec, &root, &KEYS, findings);
        let mut external_groups = fields.texts("externalGroups", findings, identity::external_group);
        external_groups.sort();
        external_groups.dedup();
        Self {
            path: tags::entity_path(&fields, findings),
            policies: reference::policies(&fields, quota::POLICIES_PER_GROUP, findings),
            inline: body::inline(&fields, findings),
            external_groups,
        }
    }
}
