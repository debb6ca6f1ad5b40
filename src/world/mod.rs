//! The validated set of all objects at one moment: the desired state that decisions are made from.
//!
//! [`build`] is a pure function of its input: no order of objects, no restart and no history changes its result. Rules
//! across objects live here (references, one claim of an identity per account, guardrails only in the management
//! account), and each object gets an [`Outcome`]; a bad object never takes another one down.
//!
//! *Restrict now, widen when complete*: whatever is invalid, conflicting, duplicated or being deleted stays in the world
//! as something that restricts and grants nothing ([`Standing::Restricts`]).
//!
//! What policies say is [`crate::policy`]; how a decision finds them fast is [`crate::snapshot`].

mod assess;
mod attach;
mod build;
mod claim;
mod declaration;
pub mod digest;
mod entity;
mod finding;
mod input;
mod kinds;
mod links;
mod outcome;
pub mod quota;
mod selector;
mod size;
mod spec;
#[cfg(test)]
mod tests;

pub use assess::{check, is_same};
pub use build::{Builder, build};
pub use declaration::{Declaration, DeclarationError, GROUP, ROOT_IDENTITY, ROOT_MFA, VERSION};
pub use entity::{
    AccountTargets, Attachment, Boundary, Group, ManagedPolicy, ManagedPolicyType, NamedPolicy, PolicyIndex,
    ResourceTargets, Role, Root, Standing, User, World,
};
pub use input::{Input, Kind, KindFacts, NamespaceFacts, Object, ObjectKey, Origin, Settings, Spec};
pub use kinds::KindTable;
pub use links::{Links, can_be_named, links};
pub use outcome::{Finding, Outcome, Reason};
pub use selector::{LabelSelector, Requirement};
pub use size::size;
pub use spec::body::count_characters;
pub use spec::{
    AccessKey, BoundaryReference, EntityPath, GroupReference, GroupSpec, KeyStatus, MfaDevice, MfaType,
    PolicyReference, PolicySpec, RESERVED_PREFIXES, RoleSpec, SERVICE_ACCOUNT_PREFIX, UserSpec, user_name,
};
