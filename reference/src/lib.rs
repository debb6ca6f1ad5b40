//! A plain, slow evaluator of the IAM policy language, and a generator of test cases.
//!
//! The oracle of the differential tests: written from `iam-semantics.md` alone, by somebody who has not read the fast
//! evaluator. It works on the JSON of a record directly, keeps no index and no cache, and prefers the words of the text
//! to cleverness. Section numbers in comments are those of `iam-semantics.md`.
//!
//! ```text
//! record ─► decision ─► statement ─► principal
//!              │            ├──────► pattern ◄─┐
//!              │            └──────► condition ┴─► value
//!              └─ verdict and applying statements
//! generate ─► record with the expected answer filled in
//! ```
//!
//! What does not belong here: validation on write, parsing of raw text (duplicate keys are gone before a
//! [`serde_json::Value`] exists), the world of Kubernetes, speed.

pub mod condition;
pub mod decision;
pub mod generate;
pub mod pattern;
pub mod principal;
pub mod record;
pub mod statement;
pub mod value;

pub use decision::{Matched, Outcome, Verdict, decide};
pub use record::{condition, pattern};

#[cfg(test)]
mod tests;
