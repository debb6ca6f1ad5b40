//! The world compiled for decisions: immutable, swapped whole.
//!
//! [`Snapshot::compile`] does the work once: references are indexes into arenas, guardrails stand with the accounts that
//! they target, group policies stand with their members. A decision then parses no policy text and follows only what
//! concerns its caller.
//!
//! What the objects are and whether they are valid is [`crate::world`]; what they mean for a request is
//! [`crate::decide`].

mod compile;
mod index;
mod services;
mod several;

pub use crate::world::{AccountTargets, ResourceTargets, Standing};
pub use index::{
    Account, CompiledPolicy, Grant, Group, GroupId, Permissions, PolicyId, ResourcePolicy, Role, RoleId,
    ServiceControl, Snapshot, User, UserId,
};
pub use services::Services;
