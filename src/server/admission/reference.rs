//! What an object names: which of it may not be named, and which of it is not there yet.
//!
//! A name that leads nowhere is admitted with a warning, for the order of a GitOps run is arbitrary (`guarantees.md` R2).

use std::collections::BTreeSet;

use smol_str::SmolStr;

use super::verdict::Findings;
use crate::policy::report::Quoted;
use crate::policy::tree::Node;
use crate::store::Catalog;
use crate::world::{
    BoundaryReference, GroupReference, GroupSpec, Kind, ObjectKey, PolicyReference, RoleSpec, Spec, UserSpec,
    can_be_named,
};

/// Everything that one object names.
#[derive(Debug, Default)]
pub(super) struct References {
    groups: Vec<GroupReference>,
    policies: Vec<PolicyReference>,
    boundary: Option<PolicyReference>,
}

// === impl References ===

impl References {
    /// What a `spec` names, as far as it can be read.
    pub(super) fn of(kind: Kind, spec: &Node) -> Self {
        match kind {
            Kind::User => {
                let (spec, _) = UserSpec::parse(spec);
                Self { groups: spec.groups, policies: spec.policies, boundary: policy(spec.boundary) }
            }
            Kind::Group => Self { policies: GroupSpec::parse(spec).0.policies, ..Self::default() },
            Kind::Role => {
                let (spec, _) = RoleSpec::parse(spec);
                Self { groups: Vec::new(), policies: spec.policies, boundary: policy(spec.boundary) }
            }
            Kind::Policy => Self::default(),
        }
    }

    /// Refuses policies of accounts that may not be named, unless they were named before.
    pub(super) fn judge_accounts(&self, key: &ObjectKey, before: &Self, management: &str, findings: &mut Findings) {
        let known: BTreeSet<&SmolStr> = before.all_policies().map(|(_, reference)| &reference.written).collect();
        for (path, reference) in self.all_policies() {
            let Some((account, _)) = &reference.place else { continue };
            if *account != key.account && account != management && !known.contains(&reference.written) {
                let message = format!(
                    "{} is of another account; only policies of the own one and of {} can be named",
                    Quoted(&reference.written),
                    Quoted(management)
                );
                findings.refuse(path, message);
            }
        }
    }

    /// Warns of what is not there, or is not what can be named in this place.
    pub(super) fn warn_of_missing(&self, key: &ObjectKey, catalog: &Catalog, findings: &mut Findings) {
        for group in &self.groups {
            let named = ObjectKey { kind: Kind::Group, account: key.account.clone(), name: group.name.clone() };
            if catalog.get(&named).is_none() {
                let message = format!("there is no IamGroup {} yet; it grants nothing until then", Quoted(&group.name));
                findings.warn(format_args!("spec.groups[{}]", group.index), message);
            }
        }
        for (path, reference) in self.all_policies() {
            let Some(lost) = missing(reference, key, catalog) else { continue };
            let effect = if path == BOUNDARY { "nothing is allowed" } else { "it grants nothing" };
            match lost {
                Lost::NotYet(why) => findings.warn(path, format_args!("{why}; {effect} until then")),
                Lost::Wrong(why) => findings.warn(path, format_args!("{why}; {effect} like this")),
            }
        }
    }

    /// Every policy with the path of the field that names it.
    fn all_policies(&self) -> impl Iterator<Item = (String, &PolicyReference)> {
        let attached = self.policies.iter().map(|reference| (format!("spec.policies[{}]", reference.index), reference));
        attached.chain(self.boundary.iter().map(|reference| (BOUNDARY.to_owned(), reference)))
    }
}

/// Why a name leads nowhere.
enum Lost {
    /// What it names may still come.
    NotYet(String),
    /// What it names is there, and cannot be named like this.
    Wrong(String),
}

const BOUNDARY: &str = "spec.permissionsBoundary";

fn policy(boundary: BoundaryReference) -> Option<PolicyReference> {
    match boundary {
        BoundaryReference::Policy(reference) => Some(reference),
        BoundaryReference::Absent | BoundaryReference::Unreadable => None,
    }
}

/// Why a reference leads nowhere; an account that may not be named has been judged elsewhere.
fn missing(reference: &PolicyReference, holder: &ObjectKey, catalog: &Catalog) -> Option<Lost> {
    let account = reference.place.as_ref().map_or(&holder.account, |(account, _)| account);
    if *account != holder.account && *account != catalog.settings().management_account {
        return None;
    }
    let named = ObjectKey { kind: Kind::Policy, account: account.clone(), name: reference.name.clone() };
    let Some(entry) = catalog.get(&named) else {
        let why = format!("there is no IamPolicy {} in account {} yet", Quoted(&named.name), Quoted(account));
        return Some(Lost::NotYet(why));
    };
    if !can_be_named(&entry.object) {
        let why = format!("{} is not of type `Managed`: only such a policy can be named", Quoted(&reference.written));
        return Some(Lost::Wrong(why));
    }
    let Spec::Read(spec) = &entry.object.spec else { return None };
    let path = spec.get("path").and_then(Node::text).unwrap_or("/");
    let (_, written) = reference.place.as_ref()?;
    (written.as_str() != path).then(|| {
        Lost::Wrong(format!(
            "{} has another path; its ARN is `arn:k8s:iam::{account}:policy{path}{}`",
            Quoted(&reference.written),
            named.name
        ))
    })
}
