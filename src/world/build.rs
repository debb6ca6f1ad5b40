//! From objects to the world.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assess::{Assessed, Held, Memo, assess_all};
use super::attach::{GroupFinder, PolicyFinder};
use super::claim::{Accounts, mark_conflicts};
use super::digest;
use super::entity::{Group, ManagedPolicy, ManagedPolicyType, Role, User, World};
use super::input::{Input, Kind, ObjectKey, Settings};
use super::kinds::KindTable;
use super::outcome::{Finding, Outcome, Reason};
use super::spec::{GroupSpec, PolicySpec, RoleSpec, UserSpec};
use crate::name::Digest;

/// Builds one world after the other. What an object is by itself is judged again only when the object is another.
///
/// Guarantees: the world is a function of the input alone, whatever was built before; [`build`] makes the same one.
#[derive(Debug, Default)]
pub struct Builder {
    policies: Memo<PolicySpec>,
    groups: Memo<GroupSpec>,
    users: Memo<UserSpec>,
    roles: Memo<RoleSpec>,
}

/// Builds the world.
pub fn build(input: &Input) -> World {
    Builder::default().build(input)
}

// === impl Builder ===

impl Builder {
    /// Builds the world.
    ///
    /// Every object is judged by itself, then with its namesakes, its account's numbers and, for users, the other claims
    /// of its identities: that settles which objects grant. References are resolved after that, so a reference never
    /// changes whether its target grants.
    pub fn build(&mut self, input: &Input) -> World {
        let accounts = Accounts::new(input);
        let mut ledger = Ledger::default();
        let mut held = Held::default();

        let mut entries = assess_all(input, Kind::Policy, &mut self.policies, &mut held);
        let mut policies = Vec::with_capacity(entries.len());
        let mut paths = Vec::with_capacity(entries.len());
        for entry in &mut entries {
            check_account(entry, &input.settings);
            if let Some(policy) = policy(entry) {
                policies.push(policy);
                paths.push(entry.spec().path.clone());
            }
        }
        ledger.close(entries);
        let finder = PolicyFinder::new(&input.settings.management_account, &policies, &paths);

        let mut entries = assess_all(input, Kind::Group, &mut self.groups, &mut held);
        let groups: Vec<Group> = entries.iter_mut().filter_map(|entry| group(entry, &finder)).collect();
        ledger.close(entries);

        let mut entries = assess_all(input, Kind::User, &mut self.users, &mut held);
        mark_conflicts(&mut entries, &accounts);
        let group_finder = GroupFinder::new(&groups);
        let users = entries.iter_mut().filter_map(|entry| user(entry, &finder, &group_finder)).collect();
        ledger.close(entries);

        let mut entries = assess_all(input, Kind::Role, &mut self.roles, &mut held);
        let roles = entries.iter_mut().filter_map(|entry| role(entry, &finder)).collect();
        ledger.close(entries);

        let digest = digest::sum([ledger.digest, digest::surroundings(input)]);
        World {
            settings: input.settings.clone(),
            groups,
            users,
            roles,
            policies,
            namespaces: accounts.namespaces,
            roots: accounts.roots,
            kinds: KindTable::new(&input.kinds),
            outcomes: ledger.outcomes(),
            digest,
        }
    }
}

/// What is said about objects when all is known, and the sum of their parts of the fingerprint.
#[derive(Default)]
struct Ledger {
    outcomes: BTreeMap<ObjectKey, Outcome>,
    digest: Digest,
}

// === impl Ledger ===

impl Ledger {
    fn close<T>(&mut self, entries: Vec<Assessed<'_, T>>) {
        for entry in entries {
            self.digest = digest::sum([self.digest, entry.judged.part]);
            let outcome = self.outcomes.entry(entry.object.key.clone()).or_default();
            outcome.findings.extend(entry.findings.into_vec());
            outcome.origins.extend(entry.object.origin.clone());
        }
    }

    fn outcomes(self) -> BTreeMap<ObjectKey, Outcome> {
        let mut outcomes = self.outcomes;
        for outcome in outcomes.values_mut() {
            let order = |finding: &Finding| (finding.path.clone(), finding.at, finding.reason, finding.message.clone());
            outcome.findings.sort_by_cached_key(order);
            outcome.findings.dedup();
            outcome.origins.sort();
        }
        outcomes
    }
}

// === free functions ===

/// A guardrail outside the management account has no effect; the snapshot passes over it.
fn check_account(entry: &mut Assessed<'_, PolicySpec>, settings: &Settings) {
    let is_guardrail = match entry.spec().kind {
        ManagedPolicyType::ServiceControl { .. } | ManagedPolicyType::ResourceControl { .. } => true,
        ManagedPolicyType::Managed | ManagedPolicyType::Resource(_) => false,
    };
    if is_guardrail && *entry.account() != settings.management_account {
        let message =
            format!("guardrails have an effect in the management account `{}` only", settings.management_account);
        entry.findings.add(Reason::NotManagementAccount, "spec.type", None, message);
    }
}

fn policy(entry: &Assessed<'_, PolicySpec>) -> Option<ManagedPolicy> {
    let spec = entry.spec();
    let path = spec.path.clone().unwrap_or_default();
    Some(ManagedPolicy {
        key: entry.key().clone(),
        arn: entry.arn(&path)?,
        standing: entry.standing,
        policy: entry.in_force(&spec.policy),
        kind: spec.kind.clone(),
    })
}

fn group(entry: &mut Assessed<'_, GroupSpec>, finder: &PolicyFinder<'_>) -> Option<Group> {
    let judged = Arc::clone(&entry.judged);
    let spec = &judged.spec;
    let arn = entry.arn(&spec.path)?;
    Some(Group {
        key: entry.key().clone(),
        arn,
        standing: entry.standing,
        policies: finder.attachments(&spec.policies, entry),
        inline: entry.inline_in_force(&spec.inline),
        external_groups: spec.external_groups.clone(),
    })
}

fn user(entry: &mut Assessed<'_, UserSpec>, finder: &PolicyFinder<'_>, groups: &GroupFinder<'_>) -> Option<User> {
    let judged = Arc::clone(&entry.judged);
    let spec = &judged.spec;
    let arn = entry.arn(&spec.path)?;
    Some(User {
        key: entry.key().clone(),
        arn,
        uid: entry.object.uid.clone(),
        standing: entry.standing,
        disabled: spec.disabled,
        identities: spec.identities.clone(),
        groups: groups.groups(&spec.groups, entry),
        policies: finder.attachments(&spec.policies, entry),
        inline: entry.inline_in_force(&spec.inline),
        boundary: finder.boundary(&spec.boundary, entry),
        tags: spec.tags.clone(),
    })
}

fn role(entry: &mut Assessed<'_, RoleSpec>, finder: &PolicyFinder<'_>) -> Option<Role> {
    let judged = Arc::clone(&entry.judged);
    let spec = &judged.spec;
    let arn = entry.arn(&spec.path)?;
    Some(Role {
        key: entry.key().clone(),
        arn,
        uid: entry.object.uid.clone(),
        standing: entry.standing,
        trust: entry.in_force(&spec.trust),
        policies: finder.attachments(&spec.policies, entry),
        inline: entry.inline_in_force(&spec.inline),
        boundary: finder.boundary(&spec.boundary, entry),
        tags: spec.tags.clone(),
        max_session_seconds: spec.max_session_seconds,
    })
}
