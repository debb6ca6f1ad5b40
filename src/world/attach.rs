//! From references to places in the world.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::assess::Assessed;
use super::entity::{Attachment, Boundary, Group, ManagedPolicy, ManagedPolicyType, PolicyIndex, Standing};
use super::finding::{Path, Quoted};
use super::spec::{BoundaryReference, EntityPath, GroupReference, PolicyReference};

/// Finds managed policies by what objects write.
pub(super) struct PolicyFinder<'a> {
    management_account: &'a str,
    by_name: BTreeMap<(&'a str, &'a str), Vec<Found<'a>>>,
}

/// Finds groups by name.
pub(super) struct GroupFinder<'a> {
    by_name: BTreeMap<(&'a str, &'a str), Vec<usize>>,
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
    /// All policies, each with its path if that can be read.
    pub(super) fn new(
        management_account: &'a str,
        policies: &'a [ManagedPolicy],
        paths: &'a [Option<EntityPath>],
    ) -> Self {
        let mut by_name: BTreeMap<_, Vec<Found<'a>>> = BTreeMap::new();
        for (index, (policy, path)) in policies.iter().zip(paths).enumerate() {
            let key = (policy.key.account.as_str(), policy.key.name.as_str());
            let found = Found { index: PolicyIndex(index), policy, path: path.as_ref() };
            by_name.entry(key).or_default().push(found);
        }
        Self { management_account, by_name }
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
        let found = self.by_name.get(&(account.as_str(), reference.name.as_str()));
        let found = found.ok_or_else(|| {
            format!("there is no IamPolicy {} in account {}", Quoted(&reference.name), Quoted(account))
        })?;
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
        let attachable: Vec<Found<'a>> = found.iter().copied().filter(|found| found.is_attachable()).collect();
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
    /// All groups.
    pub(super) fn new(groups: &'a [Group]) -> Self {
        let mut by_name: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, group) in groups.iter().enumerate() {
            by_name.entry((group.key.account.as_str(), group.key.name.as_str())).or_default().push(index);
        }
        Self { by_name }
    }

    /// The groups of a user, each once. Names that lead nowhere become findings.
    pub(super) fn groups<T>(&self, references: &[GroupReference], user: &mut Assessed<'_, T>) -> Vec<usize> {
        let spec = Path::ROOT.key("spec");
        let groups = spec.key("groups");
        let mut indexes = Vec::new();
        for reference in references {
            match self.by_name.get(&(user.account().as_str(), reference.name.as_str())) {
                Some(found) => indexes.extend(found),
                None => {
                    let message = format!(
                        "there is no IamGroup {} in account {}",
                        Quoted(&reference.name),
                        Quoted(user.account())
                    );
                    user.dangling(&groups.index(reference.index), reference.at, message);
                }
            }
        }
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }
}
