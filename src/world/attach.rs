//! From references to places in the world.

use std::ops::Range;

use smol_str::SmolStr;

use super::assess::Assessed;
use super::entity::{Attachment, Boundary, Group, ManagedPolicy, ManagedPolicyType, PolicyIndex, Standing};
use super::finding::{Path, Quoted};
use super::input::ObjectKey;
use super::spec::{BoundaryReference, EntityPath, GroupReference, PolicyReference};

/// Finds managed policies by what objects write.
pub(super) struct PolicyFinder<'a> {
    management_account: &'a str,
    /// Sorted by their keys.
    policies: &'a [ManagedPolicy],
    paths: &'a [Option<EntityPath>],
}

/// Finds groups by name.
pub(super) struct GroupFinder<'a> {
    /// Sorted by their keys.
    groups: &'a [Group],
}

/// One policy of a name; there are several where it is declared twice.
#[derive(Clone, Copy)]
struct Found<'a> {
    index: PolicyIndex,
    policy: &'a ManagedPolicy,
    /// `None` when it cannot be read: then every path leads to it, for its Denies must hold.
    path: Option<&'a EntityPath>,
}

// === impl PolicyFinder ===

impl<'a> PolicyFinder<'a> {
    /// All policies in the order of their keys, each with its path if that can be read.
    pub(super) fn new(
        management_account: &'a str,
        policies: &'a [ManagedPolicy],
        paths: &'a [Option<EntityPath>],
    ) -> Self {
        Self { management_account, policies, paths }
    }

    /// All policies of a name.
    fn named(&self, account: &str, name: &str) -> Vec<Found<'a>> {
        let places = places(self.policies, |policy| &policy.key, account, name);
        let found = |index| {
            let policy = self.policies.get(index)?;
            Some(Found { index: PolicyIndex(index), policy, path: self.paths.get(index)?.as_ref() })
        };
        places.filter_map(found).collect()
    }

    /// The attached policies of a holder, each once. References that lead nowhere become findings.
    pub(super) fn attachments<T>(
        &self,
        references: &[PolicyReference],
        holder: &mut Assessed<'_, T>,
    ) -> Vec<Attachment> {
        let spec = Path::ROOT.key("spec");
        let policies = spec.key("policies");
        let mut attachments = Vec::new();
        for reference in references {
            match self.find(reference, holder.account()) {
                Ok(found) => attachments.extend(found.into_iter().map(|found| Attachment {
                    policy: found.index,
                    grants: holder.grants() && found.policy.standing == Standing::Full,
                })),
                Err(message) => holder.dangling(&policies.index(reference.index), reference.at, message),
            }
        }
        attachments.sort();
        attachments.dedup();
        attachments
    }

    /// The boundary of a holder.
    pub(super) fn boundary<T>(&self, reference: &BoundaryReference, holder: &mut Assessed<'_, T>) -> Boundary {
        let reference = match reference {
            BoundaryReference::Absent => return Boundary::None,
            BoundaryReference::Unreadable => return Boundary::Missing,
            BoundaryReference::Policy(reference) => reference,
        };
        match self.find(reference, holder.account()) {
            Ok(found) => Boundary::Policies(found.iter().map(|found| found.index).collect()),
            Err(message) => {
                let spec = Path::ROOT.key("spec");
                holder.dangling(&spec.key("permissionsBoundary"), reference.at, message);
                Boundary::Missing
            }
        }
    }

    /// At least one policy of type Managed, or why there is none.
    fn find(&self, reference: &PolicyReference, holder: &SmolStr) -> Result<Vec<Found<'a>>, String> {
        let account = reference.place.as_ref().map_or(holder, |(account, _)| account);
        if account != holder && account != self.management_account {
            return Err(format!(
                "{} is of another account; only policies of the own one and of {} can be named",
                Quoted(&reference.written),
                Quoted(self.management_account)
            ));
        }
        let found = self.named(account, &reference.name);
        if found.is_empty() {
            return Err(format!("there is no IamPolicy {} in account {}", Quoted(&reference.name), Quoted(account)));
        }
        if let Some((_, path)) = &reference.place
            && let Some(other) = found.first()
            && !found.iter().any(|found| found.path.is_none_or(|own| own == path))
        {
            return Err(format!(
                "{} has another path; its ARN is {}",
                Quoted(&reference.written),
                Quoted(other.policy.arn.as_str())
            ));
        }
        let attachable: Vec<Found<'a>> = found.into_iter().filter(Found::is_attachable).collect();
        if attachable.is_empty() {
            return Err(format!(
                "{} is not of type `Managed`; only such a policy can be attached or be a boundary",
                Quoted(&reference.written)
            ));
        }
        Ok(attachable)
    }
}

// === impl Found ===

impl Found<'_> {
    fn is_attachable(&self) -> bool {
        match self.policy.kind {
            ManagedPolicyType::Managed => true,
            ManagedPolicyType::Resource(_)
            | ManagedPolicyType::ServiceControl { .. }
            | ManagedPolicyType::ResourceControl { .. } => false,
        }
    }
}

// === impl GroupFinder ===

impl<'a> GroupFinder<'a> {
    /// All groups in the order of their keys.
    pub(super) fn new(groups: &'a [Group]) -> Self {
        Self { groups }
    }

    /// The groups of a user, each once. Names that lead nowhere become findings.
    pub(super) fn groups<T>(&self, references: &[GroupReference], user: &mut Assessed<'_, T>) -> Vec<usize> {
        let spec = Path::ROOT.key("spec");
        let groups = spec.key("groups");
        let mut indexes = Vec::new();
        for reference in references {
            let found = places(self.groups, |group| &group.key, user.account(), &reference.name);
            if found.is_empty() {
                let message =
                    format!("there is no IamGroup {} in account {}", Quoted(&reference.name), Quoted(user.account()));
                user.dangling(&groups.index(reference.index), reference.at, message);
            }
            indexes.extend(found);
        }
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }
}

// === free functions ===

/// Where the things of an account and name stand among things of one kind that are sorted by their keys.
fn places<T>(sorted: &[T], key: impl Fn(&T) -> &ObjectKey, account: &str, name: &str) -> Range<usize> {
    let order = |thing: &T| (key(thing).account.as_str(), key(thing).name.as_str()).cmp(&(account, name));
    let start = sorted.partition_point(|thing| order(thing).is_lt());
    let same = sorted.get(start..).unwrap_or_default().iter().take_while(|thing| order(thing).is_eq());
    start..start.saturating_add(same.count())
}
