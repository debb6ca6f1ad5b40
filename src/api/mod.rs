//! The custom resources as the API server sees them: schemas, columns and status, and nothing but.
//!
//! What an object *says* is not read here. A spec is judged as an untyped tree ([`crate::policy::tree`]), so that an
//! unknown key, a null or a duplicate is seen and refused; the types of this module exist to generate the
//! CustomResourceDefinitions, to write status, and for programs that build objects. Reading files is
//! [`crate::manifest`].

pub mod definitions;
pub mod v1alpha1;

pub use definitions::{crds_yaml, custom_resource_definitions, definition_files};
