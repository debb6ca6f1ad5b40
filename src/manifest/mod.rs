//! Objects from files: a folder of YAML and JSON, a single file, or a text such as standard input.
//!
//! ```text
//! paths ──walk──→ Files (bytes at one moment) ──yaml──→ trees with positions ──object──→ ManifestObject
//! ```
//!
//! # Guarantees
//! - A text means what `kubectl apply` would send for it ([`scalar`] has the rules), or it is refused; where kubectl would
//!   silently pick one of two readings (a key written twice, text after `...`), it is refused.
//! - Every key and value keeps its line and column.
//! - All errors of all files are reported; a file that cannot be read never hides another.
//! - Bounded work: sizes and counts are checked before what they measure is processed, aliases included.
//!
//! # What does not belong here
//! The meaning of an object (its strict reader judges the tree), and what to do while a file is broken or in motion
//! (that is for the loop that reloads the folder).

mod error;
mod files;
mod object;
mod reading;
mod scalar;
mod value;
mod walk;
mod yaml;

pub use error::ManifestError;
pub use files::Files;
pub use object::ManifestObject;
pub use reading::{Reading, read, read_text};
pub use value::to_json;
