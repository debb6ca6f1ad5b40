//! What is wrong with a policy, where, and what would be right.

use super::statement::Policy;
use super::tree::Position;

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path to the field, from the node that was parsed: `Statement[0].Condition.StringEquals`.
    pub path: String,
    /// Line and column, if the text is known.
    pub at: Option<Position>,
    /// What was found and what would be right: one line, lower case, no full stop, user input in back-ticks and cut at
    /// 200 bytes.
    pub message: String,
}

/// A policy as far as it could be read, and everything that is wrong with it.
///
/// With any problem the document is invalid. `policy` then still holds what is readable, because its Denies go on to
/// restrict: a malformed element of a statement is marked as such and *matches* in a Deny; an Allow that is not sound
/// never applies.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The readable part.
    pub policy: Policy,
    /// Every problem, in the order of the text.
    pub problems: Vec<Problem>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(at) = self.at {
            write!(f, "{at}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}
