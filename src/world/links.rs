//! What one object points at, read from the object alone.
//!
//! The world resolves references ([`super::build`]); this says what they are, also while their targets are missing and
//! while the object is not valid: then those of its last good form stand beside those that can be read.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use super::input::{Kind, Object, ObjectKey, Spec};
use super::spec::{BoundaryReference, GroupSpec, PolicyReference, PolicySpec, RoleSpec, UserSpec};
use crate::policy::tree::Node;

/// What an object points at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Policies, groups and permissions boundaries that it names (`guarantees.md` R6), whether or not they are there.
    /// Principals and ARN patterns are no references.
    pub references: BTreeSet<ObjectKey>,
    /// Kubernetes user names that it claims.
    pub identities: BTreeSet<SmolStr>,
    /// Labels of namespaces that its `targets.accountSelector` asks about.
    pub selected_labels: BTreeSet<SmolStr>,
}

/// What an object points at. A policy of an account that may not be named is none of its references.
pub fn links(object: &Object, management_account: &str) -> Links {
    let mut links = Links::default();
    let read = match &object.spec {
        Spec::Read(spec) => Some(spec),
        Spec::Unreadable(_) => None,
    };
    for spec in read.into_iter().chain(&object.last_good) {
        links.add(&object.key, spec, management_account);
    }
    links
}

/// Whether others can name an object as policy, group or permissions boundary. One of which that cannot be read can.
pub fn can_be_named(object: &Object) -> bool {
    match (object.key.kind, &object.spec) {
        (Kind::User | Kind::Role, _) => false,
        (Kind::Group, _) | (Kind::Policy, Spec::Unreadable(_)) => true,
        (Kind::Policy, Spec::Read(spec)) => {
            spec.get("type").and_then(Node::text).is_none_or(|found| found == "Managed")
        }
    }
}

// === impl Links ===

impl Links {
    fn add(&mut self, key: &ObjectKey, spec: &Node, management_account: &str) {
        match key.kind {
            Kind::User => {
                let (spec, _) = UserSpec::parse(spec);
                self.identities.extend(spec.identities);
                let groups = spec.groups.into_iter().map(|group| group.name);
                self.references.extend(groups.map(|name| ObjectKey {
                    kind: Kind::Group,
                    account: key.account.clone(),
                    name,
                }));
                self.policies(key, &spec.policies, management_account);
                self.boundary(key, spec.boundary, management_account);
            }
            Kind::Group => self.policies(key, &GroupSpec::parse(spec).0.policies, management_account),
            Kind::Role => {
                let (spec, _) = RoleSpec::parse(spec);
                self.policies(key, &spec.policies, management_account);
                self.boundary(key, spec.boundary, management_account);
            }
            Kind::Policy => {
                let kind = PolicySpec::parse(spec).0.kind;
                let selector = kind.account_targets().and_then(|targets| targets.selector.as_ref());
                let requirements = selector.into_iter().flat_map(|selector| &selector.requirements);
                self.selected_labels.extend(requirements.map(|requirement| requirement.key().clone()));
            }
        }
    }

    fn boundary(&mut self, key: &ObjectKey, boundary: BoundaryReference, management_account: &str) {
        match boundary {
            BoundaryReference::Policy(reference) => self.policies(key, &[reference], management_account),
            BoundaryReference::Absent | BoundaryReference::Unreadable => {}
        }
    }

    fn policies(&mut self, key: &ObjectKey, references: &[PolicyReference], management_account: &str) {
        for reference in references {
            let account = reference.place.as_ref().map_or(&key.account, |(account, _)| account);
            if *account == key.account || account == management_account {
                self.references.insert(ObjectKey {
                    kind: Kind::Policy,
                    account: account.clone(),
                    name: reference.name.clone(),
                });
            }
        }
    }
}
