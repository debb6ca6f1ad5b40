//! What a decision reads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smol_str::SmolStr;

use super::services::Services;
use super::several::Several;
use crate::name::{Arn, Digest, Revision};
use crate::policy::Statement;
use crate::world::{AccountTargets, KindTable, ResourceTargets, Root, Settings, Standing};

/// Everything that decisions are made from, at one revision.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) revision: Revision,
    pub(super) digest: Digest,
    pub(super) objects: usize,
    pub(super) settings: Settings,
    pub(super) kinds: KindTable,
    pub(super) policies: Vec<CompiledPolicy>,
    /// INVARIANT: of each policy, at the same place. Apart from the policies, so that those that say nothing about a
    /// request are not read at all.
    pub(super) services: Vec<Services>,
    pub(super) groups: Vec<Group>,
    pub(super) users: Vec<User>,
    pub(super) roles: Vec<Role>,
    pub(super) accounts: HashMap<SmolStr, Account>,
    /// Names of `accounts`, sorted: whoever walks them all must not show the order of a hash map.
    pub(super) account_names: Vec<SmolStr>,
    pub(super) account_without_facts: Account,
    pub(super) resource_controls: Vec<(PolicyId, AccountTargets)>,
    pub(super) users_by_identity: HashMap<SmolStr, Several<UserId>>,
    pub(super) users_by_arn: HashMap<SmolStr, Several<UserId>>,
    pub(super) roles_by_arn: HashMap<SmolStr, Several<RoleId>>,
    pub(super) roles_by_name: HashMap<(SmolStr, SmolStr), Several<RoleId>>,
    pub(super) groups_by_external: HashMap<SmolStr, Several<GroupId>>,
    pub(super) roots_by_identity: HashMap<SmolStr, Several<SmolStr>>,
}

/// A policy in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId(pub(super) u32);

/// A user in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub(super) u32);

/// A role in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId(pub(super) u32);

/// A group in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub(super) u32);

/// The statements of one policy and its name in answers.
#[derive(Clone, Debug)]
pub struct CompiledPolicy {
    /// `<account>/<name>`, or `<account>/<kind>/<name>#<inline name>`.
    pub label: SmolStr,
    statements: Arc<[Statement]>,
    /// INVARIANT: of each statement, at the same place.
    services: Box<[Services]>,
}

/// A policy in effect for a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which policy.
    pub policy: PolicyId,
    /// Whether its Allows count; its Denies always do.
    pub allows: bool,
}

/// What limits a principal besides guardrails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permissions {
    /// No boundary.
    Unlimited,
    /// Each of these must allow.
    Boundary(Box<[PolicyId]>),
    /// A boundary is named and not there: no Allow of any kind.
    BoundaryMissing,
}

/// An IamGroup, for members of its external groups.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its ARN.
    pub arn: SmolStr,
    /// Its account.
    pub account: SmolStr,
    /// Its policies, inline ones too.
    pub grants: Box<[Grant]>,
}

/// An IamUser.
#[derive(Clone, Debug)]
pub struct User {
    /// Its ARN.
    pub arn: Arn,
    /// Its name.
    pub name: SmolStr,
    /// Its uid, where it is known.
    pub uid: Option<SmolStr>,
    /// Whether it may be allowed anything.
    pub standing: Standing,
    /// Whether everything is refused to it.
    pub disabled: bool,
    /// Policies: its own, inline, and its groups'.
    pub grants: Box<[Grant]>,
    /// Boundary.
    pub permissions: Permissions,
    /// Tags.
    pub tags: Box<[(SmolStr, SmolStr)]>,
    /// ARNs of its groups.
    pub groups: Box<[SmolStr]>,
}

/// An IamRole.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its ARN.
    pub arn: Arn,
    /// Its uid, where it is known.
    pub uid: Option<SmolStr>,
    /// Whether its sessions may be allowed anything.
    pub standing: Standing,
    /// Policies, inline ones too.
    pub grants: Box<[Grant]>,
    /// Boundary.
    pub permissions: Permissions,
    /// Tags.
    pub tags: Box<[(SmolStr, SmolStr)]>,
    /// Who may assume it.
    pub trust: PolicyId,
}

/// A guardrail on the principals of an account.
#[derive(Clone, Copy, Debug)]
pub struct ServiceControl {
    /// Its statements.
    pub policy: PolicyId,
    /// Whether something must be allowed by it.
    pub requires_allow: bool,
}

/// A policy attached to resources.
#[derive(Clone, Debug)]
pub struct ResourcePolicy {
    /// Its statements.
    pub policy: PolicyId,
    /// The resources it is attached to.
    pub targets: ResourceTargets,
}

/// An account: its facts, and what is in force for it.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Labels of its namespace; `None` where they are not known.
    pub labels: Option<Arc<BTreeMap<SmolStr, SmolStr>>>,
    /// Its root.
    pub root: Option<Root>,
    /// Guardrails on its principals.
    pub service_controls: Vec<ServiceControl>,
    /// Guardrails on its resources.
    pub resource_controls: Vec<PolicyId>,
    /// Policies attached to its resources.
    pub resource_policies: Vec<ResourcePolicy>,
}

// === impl Snapshot ===

impl Snapshot {
    /// Its number.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The fingerprint of what it was compiled from.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many objects of ours it holds.
    pub fn objects(&self) -> usize {
        self.objects
    }

    /// The configuration that it was built under.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Scopes of kinds.
    pub fn kinds(&self) -> &KindTable {
        &self.kinds
    }

    /// Whether this is the management account.
    pub fn is_management(&self, account: &str) -> bool {
        self.settings.management_account == account
    }

    /// A policy of the arena.
    pub fn policy(&self, id: PolicyId) -> Option<&CompiledPolicy> {
        self.policies.get(index(id.0))
    }

    /// Whether a policy may say anything about actions of these services.
    pub fn speaks_about(&self, id: PolicyId, services: Services) -> bool {
        self.services.get(index(id.0)).is_none_or(|spoken| spoken.meets(services))
    }

    /// A user of the arena.
    pub fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(index(id.0))
    }

    /// A role of the arena.
    pub fn role(&self, id: RoleId) -> Option<&Role> {
        self.roles.get(index(id.0))
    }

    /// The facts of an account; one without any objects and facts exists, too.
    pub fn account(&self, name: &str) -> &Account {
        self.accounts.get(name).unwrap_or(&self.account_without_facts)
    }

    /// Accounts that are known by name.
    pub fn knows_account(&self, name: &str) -> bool {
        self.accounts.contains_key(name)
    }

    /// Names of the accounts that are known, in their order, with their facts.
    pub fn accounts(&self) -> impl Iterator<Item = (&SmolStr, &Account)> {
        self.account_names.iter().filter_map(|name| self.accounts.get_key_value(name))
    }

    /// Guardrails on resources, each with its targets.
    pub fn resource_controls(&self) -> &[(PolicyId, AccountTargets)] {
        &self.resource_controls
    }

    /// The users that claim a Kubernetes identity, whatever their standing.
    pub fn users_of(&self, identity: &str) -> impl Iterator<Item = &User> {
        self.users_by_identity.get(identity).into_iter().flat_map(Several::iter).filter_map(|id| self.user(*id))
    }

    /// The user with this ARN; several where one name is declared twice.
    pub fn users_by_arn(&self, arn: &Arn) -> impl Iterator<Item = &User> {
        self.users_by_arn.get(arn.as_str()).into_iter().flat_map(Several::iter).filter_map(|id| self.user(*id))
    }

    /// The role with this ARN; several where one name is declared twice.
    pub fn roles_by_arn(&self, arn: &Arn) -> impl Iterator<Item = &Role> {
        self.roles_by_arn.get(arn.as_str()).into_iter().flat_map(Several::iter).filter_map(|id| self.role(*id))
    }

    /// The role of this name in an account; several where one name is declared twice.
    pub fn roles_by_name(&self, account: &str, name: &str) -> impl Iterator<Item = &Role> {
        let key = (SmolStr::from(account), SmolStr::from(name));
        self.roles_by_name.get(&key).into_iter().flat_map(Several::iter).filter_map(|id| self.role(*id))
    }

    /// The groups that take members of a Kubernetes group in.
    pub fn groups_of(&self, external: &str) -> impl Iterator<Item = (GroupId, &Group)> {
        self.groups_by_external
            .get(external)
            .into_iter()
            .flat_map(Several::iter)
            .filter_map(|id| self.groups.get(index(id.0)).map(|group| (*id, group)))
    }

    /// The accounts whose root an identity is named as.
    pub fn roots_of(&self, identity: &str) -> impl Iterator<Item = &SmolStr> {
        self.roots_by_identity.get(identity).into_iter().flat_map(Several::iter)
    }
}

impl CompiledPolicy {
    /// A policy of these statements.
    pub fn new(label: SmolStr, statements: Arc<[Statement]>) -> Self {
        let services = statements.iter().map(Services::of).collect();
        Self { label, statements, services }
    }

    /// The statements that may apply.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Each statement with its place and the services that it speaks about.
    pub fn spoken(&self) -> impl Iterator<Item = (usize, &Statement, Services)> {
        let numbered = self.statements.iter().zip(&self.services).enumerate();
        numbered.map(|(index, (statement, services))| (index, statement, *services))
    }

    /// The services that its statements speak about.
    pub fn services(&self) -> Services {
        self.services.iter().copied().fold(Services::NONE, Services::union)
    }
}

impl User {
    /// Its account.
    pub fn account(&self) -> &str {
        self.arn.account()
    }
}

fn index(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}
