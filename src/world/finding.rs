//! Collecting what is wrong with one object.

use std::fmt::Display;

use super::outcome::{Finding, Reason};
use crate::policy::limits;
use crate::policy::tree::Position;

pub(super) use crate::policy::report::{Hint, Path, Quoted};

/// Everything that is wrong with one object, [`limits::PROBLEMS`] and [`TEXT`] at most: one is enough to make it invalid. As
/// many more may say how it stands among others.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    /// Bytes of paths and messages.
    text: usize,
    /// How many were added whatever room there was.
    insisted: usize,
}

/// Bytes of all paths and messages of one object: they stay in memory for as long as the object is wrong, and a path may
/// hold a long key at every level.
const TEXT: usize = 32 << 10;

// === impl Findings ===

impl Findings {
    /// Adds one.
    pub(super) fn add(&mut self, reason: Reason, path: impl Display, at: Option<Position>, message: impl Display) {
        if self.has_room() {
            self.push(Finding { reason, path: path.to_string(), at, message: message.to_string() });
        }
    }

    /// Adds one of class [`Reason::SpecInvalid`].
    pub(super) fn invalid(&mut self, path: &Path<'_>, at: Option<Position>, message: impl Display) {
        self.add(Reason::SpecInvalid, path, at, message);
    }

    /// Adds one that must not get lost among many: the whole object has no other way to say it. There may be
    /// [`limits::PROBLEMS`] of these.
    pub(super) fn insist(&mut self, finding: Finding) {
        if self.insisted < limits::PROBLEMS {
            self.insisted = self.insisted.saturating_add(1);
            self.list.push(finding);
        }
    }

    /// Adds those of another collection.
    pub(super) fn append(&mut self, other: Self) {
        for finding in other.list {
            if self.has_room() {
                self.push(finding);
            }
        }
    }

    fn has_room(&self) -> bool {
        self.list.len() < limits::PROBLEMS && self.text < TEXT
    }

    /// The one that is too much says so in its place.
    fn push(&mut self, mut finding: Finding) {
        self.text = self.text.saturating_add(finding.path.len()).saturating_add(finding.message.len());
        if self.text >= TEXT {
            let message = "further problems are not shown".to_owned();
            finding = Finding { reason: finding.reason, path: String::new(), at: None, message };
        }
        self.list.push(finding);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_one_object_has_a_length() {
        let mut findings = Findings::default();
        let long = "x".repeat(3_000);
        for number in 0..50 {
            findings.add(Reason::SpecInvalid, &long, None, number);
        }
        let mut all = Findings::default();
        all.add(Reason::PolicyInvalid, "spec", None, "first");
        all.append(findings.clone());
        for (found, number) in [(findings.into_vec(), 11), (all.into_vec(), 12)] {
            assert_eq!(found.len(), number);
            assert_eq!(found.last().unwrap().message, "further problems are not shown");
            assert!(found.iter().map(|found| found.path.len() + found.message.len()).sum::<usize>() < TEXT + 100);
        }
    }
}
