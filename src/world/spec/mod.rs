//! Strict reading of what each kind declares (`design.md` §4.1).
//!
//! A reader reports every problem with its path and position and takes whatever it can read: the rest of an invalid
//! object goes on to restrict (`iam-semantics.md` §2 rule 12). What one object says about others is not judged here:
//! [`super::build()`] does that. Nor are policies: [`crate::policy`] reads them.

pub(super) mod body;
pub(super) mod declared;
mod duration;
pub(super) mod fields;
mod group;
mod identity;
mod labels;
pub(super) mod name;
mod policy;
mod reference;
mod role;
mod tags;
mod user;

pub use group::GroupSpec;
pub use identity::{RESERVED_PREFIXES, SERVICE_ACCOUNT_PREFIX, user_name};
pub use name::EntityPath;
pub use policy::PolicySpec;
pub use reference::{BoundaryReference, GroupReference, PolicyReference};
pub use role::RoleSpec;
pub use user::{AccessKey, KeyStatus, MfaDevice, MfaType, UserSpec};

pub(super) use declared::Declared;
