//! Collecting what is wrong with one object.

use std::fmt::Display;

use super::outcome::{Finding, Reason};
use crate::policy::limits;
use crate::policy::tree::Position;

pub(super) use crate::policy::report::{Hint, Path, Quoted};

/// Everything that is wrong with one object, [`limits::PROBLEMS`] at most: one is enough to make it invalid.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
}

// === impl Findings ===

impl Findings {
    /// Adds one.
    pub(super) fn add(&mut self, reason: Reason, path: impl Display, at: Option<Position>, message: impl Display) {
        if self.list.len() < limits::PROBLEMS {
            self.list.push(Finding { reason, path: path.to_string(), at, message: message.to_string() });
        }
    }

    /// Adds one of class [`Reason::SpecInvalid`].
    pub(super) fn invalid(&mut self, path: &Path<'_>, at: Option<Position>, message: impl Display) {
        self.add(Reason::SpecInvalid, path, at, message);
    }

    /// Adds one that must not get lost among many: the whole object has no other way to say it.
    pub(super) fn insist(&mut self, finding: Finding) {
        self.list.push(finding);
    }

    /// Adds those of another collection.
    pub(super) fn append(&mut self, other: Self) {
        let room = limits::PROBLEMS.saturating_sub(self.list.len());
        self.list.extend(other.list.into_iter().take(room));
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in the order in which they were added.
    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.list
    }
}
