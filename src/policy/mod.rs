//! The policy language: what people write, read strictly into one syntax tree.
//!
//! Two written forms, AWS JSON ([`document`]) and typed statements ([`typed`]), end in the same [`Policy`]. Text becomes
//! a [`tree::Node`] first, so that one reader serves JSON text, YAML manifests and objects from an API server, and every
//! problem can name its line and column or its field path.
//!
//! [`mod@print`] writes it back as AWS JSON.
//!
//! What a statement *means* for a request is not here: [`crate::decide`] walks these types. What objects hold policies
//! is not here either: [`crate::world`] does that.

pub mod condition;
pub mod document;
mod element;
mod fields;
mod form;
mod format;
mod glob;
pub mod json;
pub mod limits;
pub mod pattern;
pub mod principal;
pub mod print;
pub mod problem;
mod reading;
pub(crate) mod report;
pub mod statement;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod typed;

pub use problem::{Parsed, Problem};
pub use statement::{Effect, Policy, PolicyKind, Statement, Version};
