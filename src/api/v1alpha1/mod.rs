//! `kube-iam.dev/v1alpha1`: IamUser, IamGroup, IamRole and IamPolicy.
//!
//! The comments on fields are the text of `kubectl explain`, written for the people who write manifests.
//!
//! # Rules of the schemas
//! - Nothing is pruned in a `spec`: every object of it carries `x-kubernetes-preserve-unknown-fields`, because a pruned
//!   `conditoin:` would turn a conditioned Allow into an unconditioned one before anybody could refuse it.
//! - Every optional field of a `spec` is nullable, because a null in any other field is dropped just as silently.
//! - No defaults are written into a `spec`: that would fight with GitOps tools.
//! - Every list, map and string has a bound.

mod group;
mod policy;
mod role;
mod schema;
mod statement;
mod status;
mod user;

pub use group::{IamGroup, IamGroupSpec, IamGroupStatus};
pub use policy::{
    AccountSelector, Finding, FindingSeverity, IamPolicy, IamPolicySpec, IamPolicyStatus, PolicyTargets, PolicyType,
    SelectorOperator, SelectorRequirement,
};
pub use role::{IamRole, IamRoleSpec, IamRoleStatus, TrustPolicy};
pub use schema::{Document, Tags};
pub use statement::{Condition, Effect, InlinePolicy, Statement};
pub use status::{AccessKeyState, AccessKeyStatus, Conditions, FINDINGS, LastGood, MfaDeviceState, MfaDeviceStatus};
pub use user::{
    AccessKey, AccessKeyDelivery, AccessKeyMode, IamUser, IamUserSpec, IamUserStatus, Identity, IdentityKind,
    MfaDevice, MfaDeviceType, Sessions,
};

/// The API group.
pub const GROUP: &str = "kube-iam.dev";
/// The version.
pub const VERSION: &str = "v1alpha1";
