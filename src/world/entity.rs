//! The world's contents: entities with their references resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::input::{NamespaceFacts, ObjectKey, Settings};
use super::kinds::KindTable;
use super::outcome::Outcome;
use super::selector::LabelSelector;
use crate::name::{Arn, Digest};
use crate::policy::Policy;
use crate::policy::pattern::ResourcePattern;

/// Everything that decisions are made from. Lists are sorted by key, whatever order the input had.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The configuration that it was built under.
    pub settings: Settings,
    /// All IamPolicies. A guardrail outside the management account stands here too, with its type: it has no effect, so
    /// whoever looks for guardrails passes over those of other accounts than [`Settings::management_account`].
    pub policies: Vec<ManagedPolicy>,
    /// All IamGroups.
    pub groups: Vec<Group>,
    /// All IamUsers.
    pub users: Vec<User>,
    /// All IamRoles.
    pub roles: Vec<Role>,
    /// Namespaces that are known, by name.
    pub namespaces: BTreeMap<SmolStr, NamespaceFacts>,
    /// Active and inactive roots of accounts, the management account's too, by account.
    pub roots: BTreeMap<SmolStr, Root>,
    /// Scopes of kinds.
    pub kinds: KindTable,
    /// One outcome per object that is not entirely fine, and per object that is. An object that stands twice in the
    /// input has one outcome.
    pub outcomes: BTreeMap<ObjectKey, Outcome>,
    /// The fingerprint of the input.
    pub digest: Digest,
}

/// Where a policy stands in [`World::policies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyIndex(pub usize);

/// Whether an object may still grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It grants and restricts.
    Full,
    /// It restricts and grants nothing: invalid, claimed twice, declared twice, or being deleted.
    Restricts,
}

/// A policy with the name of the object that holds it inline.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPolicy {
    /// The inline policy's name; empty for a trust policy.
    pub name: SmolStr,
    /// What it says. Without the Allow statements where its holder does not grant.
    pub policy: Arc<Policy>,
}

/// A managed policy in effect for a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attachment {
    /// Which policy.
    pub policy: PolicyIndex,
    /// Whether its Allows count; its Denies always do.
    pub grants: bool,
}

/// A permissions boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// Not limited.
    None,
    /// These managed policies (several when one name is declared twice: each must allow).
    Policies(Vec<PolicyIndex>),
    /// Named but not there, of a wrong type, or null: no Allow of any kind.
    Missing,
}

/// An IamPolicy.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedPolicy {
    /// Its key.
    pub key: ObjectKey,
    /// `arn:k8s:iam::<account>:policy/<path><name>`.
    pub arn: Arn,
    /// Full, or without its Allows.
    pub standing: Standing,
    /// What it says. Holds Deny statements only where `standing` is [`Standing::Restricts`].
    pub policy: Arc<Policy>,
    /// What it is for.
    pub kind: ManagedPolicyType,
}

/// What an IamPolicy is for.
#[derive(Clone, Debug, PartialEq)]
pub enum ManagedPolicyType {
    /// Attached to users, groups and roles.
    Managed,
    /// Attached to resources.
    Resource(ResourceTargets),
    /// Caps the principals of accounts; of no effect outside the management account.
    ServiceControl {
        /// Which accounts.
        targets: AccountTargets,
        /// Whether something must be allowed by it: what is in force of it was written with an Allow, or nothing of it
        /// can be read.
        requires_allow: bool,
    },
    /// Protects the resources of accounts; of no effect outside the management account.
    ResourceControl {
        /// Which accounts.
        targets: AccountTargets,
    },
}

/// The resources that a Resource policy is attached to.
#[derive(Clone, Debug, PartialEq)]
pub enum ResourceTargets {
    /// None declared: it is attached to nothing.
    Nothing,
    /// These.
    Patterns(Box<[ResourcePattern]>),
    /// They cannot be read: its Denies hold on all that it may speak about.
    Unreadable,
}

/// The accounts that a guardrail targets. Both parts empty: every account.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AccountTargets {
    /// By name.
    pub accounts: Vec<SmolStr>,
    /// By namespace labels; an account with unknown labels is selected.
    pub selector: Option<LabelSelector>,
}

/// An IamGroup.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its key.
    pub key: ObjectKey,
    /// `arn:k8s:iam::<account>:group/<path><name>`.
    pub arn: Arn,
    /// Full, or without its Allows.
    pub standing: Standing,
    /// Managed policies.
    pub policies: Vec<Attachment>,
    /// Inline policies.
    pub inline: Vec<NamedPolicy>,
    /// Kubernetes groups whose members act as federated users.
    pub external_groups: Vec<SmolStr>,
}

/// An IamUser.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Its key.
    pub key: ObjectKey,
    /// `arn:k8s:iam::<account>:user/<path><name>`.
    pub arn: Arn,
    /// The object's uid, where it is known.
    pub uid: Option<SmolStr>,
    /// Full, or no Allow of any kind.
    pub standing: Standing,
    /// Whether everything is refused to this user.
    pub disabled: bool,
    /// Kubernetes user names that are this user; a ServiceAccount as `system:serviceaccount:<namespace>:<name>`.
    pub identities: Vec<SmolStr>,
    /// Indexes into [`World::groups`].
    pub groups: Vec<usize>,
    /// Managed policies of its own; not those of its groups.
    pub policies: Vec<Attachment>,
    /// Inline policies.
    pub inline: Vec<NamedPolicy>,
    /// Permissions boundary.
    pub boundary: Boundary,
    /// Tags, by key as written.
    pub tags: Vec<(SmolStr, SmolStr)>,
}

/// An IamRole.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Its key.
    pub key: ObjectKey,
    /// `arn:k8s:iam::<account>:role/<path><name>`.
    pub arn: Arn,
    /// The object's uid, where it is known.
    pub uid: Option<SmolStr>,
    /// Full, or no Allow of any kind.
    pub standing: Standing,
    /// Who may assume it. Without the Allow statements where the role does not grant.
    pub trust: Arc<Policy>,
    /// Managed policies.
    pub policies: Vec<Attachment>,
    /// Inline policies.
    pub inline: Vec<NamedPolicy>,
    /// Permissions boundary.
    pub boundary: Boundary,
    /// Tags, by key as written.
    pub tags: Vec<(SmolStr, SmolStr)>,
    /// Longest session, in seconds: 3,600 to 43,200.
    pub max_session_seconds: u32,
}

/// The root of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The Kubernetes user name that is root.
    pub identity: SmolStr,
    /// Whether it is root without proof of MFA. Otherwise its identity is an ordinary caller until a session proves MFA.
    pub mfa_optional: bool,
}
