//! Bounds on what is read, checked before work is done on it.
//!
//! Wide enough for everything that AWS's own quotas admit (`iam-semantics.md` §14.4), narrow enough that the worst
//! document costs a bounded amount of work per decision.

/// Bytes of one policy document (AWS: 131,072 characters as a parameter).
pub const DOCUMENT_BYTES: usize = 131_072;
/// Values of one JSON text, so that its tree stays small; no valid object has as many.
pub const VALUES: usize = 65_536;
/// Levels of lists and maps inside one another.
pub const DEPTH: usize = 16;
/// Statements of one policy.
pub const STATEMENTS: usize = 128;
/// Entries of one `Action`, `Resource` or `Principal` list.
pub const LIST_ENTRIES: usize = 256;
/// Operator and key pairs of one statement.
pub const CONDITIONS: usize = 64;
/// Values of one condition.
pub const CONDITION_VALUES: usize = 256;
/// Bytes of one string in a policy.
pub const STRING_BYTES: usize = 2_048;
/// Wildcards in one pattern.
pub const WILDCARDS: usize = 32;
/// Variables in one string.
pub const VARIABLES: usize = 16;
/// Problems reported for one document; what comes after is counted in the last one.
pub const PROBLEMS: usize = 100;
