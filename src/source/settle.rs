//! When a change of a folder is believed.
//!
//! A reader of a folder races with its writers: editors truncate and rewrite, checkouts replace files one by one, mounts
//! are swapped. So a change counts when two reads agree on it, and one that takes something away only when it has lasted
//! for [`TAKING_AWAY`]; whatever came and went in between was never there. Changes of one moment are taken together, so
//! that an object which moves from one file to another is never gone and never there twice.
//!
//! Pure: what was read and when are arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a file must be gone, unreadable, or without objects that it held before that counts.
pub const TAKING_AWAY: Duration = Duration::from_millis(500);

/// How long changes wait for others that have not settled yet.
pub const PATIENCE: Duration = Duration::from_millis(700);

/// What a read found at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// This text.
    Text(String),
    /// Something that cannot be read, and why.
    Unreadable(String),
}

/// The files that are believed, and the changes that are not yet.
#[derive(Debug, Default)]
pub struct Settling {
    believed: BTreeMap<PathBuf, Seen>,
    pending: BTreeMap<PathBuf, Pending>,
}

#[derive(Debug)]
struct Pending {
    /// `None`: the file is gone.
    seen: Option<Seen>,
    since: Duration,
    reads: u32,
}

// === impl Settling ===

impl Settling {
    /// Believes a first complete read as it is.
    pub fn begin(files: BTreeMap<PathBuf, Seen>) -> Self {
        Self { believed: files, pending: BTreeMap::new() }
    }

    /// What is believed.
    pub fn files(&self) -> &BTreeMap<PathBuf, Seen> {
        &self.believed
    }

    /// Takes one complete read of the folder in. `takes_away` says whether a text lacks anything that an earlier one
    /// held. Returns the paths whose believed state changed: all of them together, or none.
    pub fn observe(
        &mut self,
        now: Duration,
        read: &BTreeMap<PathBuf, Seen>,
        takes_away: impl Fn(&Path, &str, &str) -> bool,
    ) -> Vec<PathBuf> {
        let paths: BTreeSet<PathBuf> = self.believed.keys().chain(read.keys()).cloned().collect();
        for path in paths {
            self.notice(now, &path, read.get(&path));
        }
        let mut all_settled = true;
        let mut oldest = Duration::ZERO;
        let mut settled = Vec::new();
        for (path, pending) in &self.pending {
            let age = now.saturating_sub(pending.since);
            let less = match (self.believed.get(path), &pending.seen) {
                (None, _) => false,
                (Some(_), None | Some(Seen::Unreadable(_))) => true,
                (Some(Seen::Unreadable(_)), Some(Seen::Text(_))) => false,
                (Some(Seen::Text(old)), Some(Seen::Text(new))) => takes_away(path, old, new),
            };
            if pending.reads >= 2 && (!less || age >= TAKING_AWAY) {
                oldest = oldest.max(age);
                settled.push(path.clone());
            } else {
                all_settled = false;
            }
        }
        if settled.is_empty() || !(all_settled || oldest >= PATIENCE) {
            return Vec::new();
        }
        for path in &settled {
            if let Some(pending) = self.pending.remove(path) {
                match pending.seen {
                    Some(seen) => self.believed.insert(path.clone(), seen),
                    None => self.believed.remove(path),
                };
            }
        }
        settled
    }

    fn notice(&mut self, now: Duration, path: &Path, seen: Option<&Seen>) {
        if self.believed.get(path) == seen {
            self.pending.remove(path);
            return;
        }
        match self.pending.get_mut(path) {
            Some(pending) if pending.seen.as_ref() == seen => pending.reads = pending.reads.saturating_add(1),
            _ => {
                self.pending.insert(path.into(), Pending { seen: seen.cloned(), since: now, reads: 1 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[(&str, &str)]) -> BTreeMap<PathBuf, Seen> {
        texts.iter().map(|(path, text)| (PathBuf::from(path), Seen::Text((*text).into()))).collect()
    }

    /// A text is a list of words; it takes away when a word is missing.
    fn fewer(_: &Path, old: &str, new: &str) -> bool {
        old.split(' ').any(|word| !new.split(' ').any(|other| other == word))
    }

    fn run(settling: &mut Settling, at: u64, texts: &[(&str, &str)]) -> Vec<PathBuf> {
        settling.observe(Duration::from_millis(at), &files(texts), fewer)
    }

    #[test]
    fn more_is_believed_when_two_reads_agree() {
        let mut settling = Settling::begin(files(&[("a", "x")]));
        assert!(run(&mut settling, 0, &[("a", "x y")]).is_empty());
        assert_eq!(run(&mut settling, 100, &[("a", "x y")]), [PathBuf::from("a")]);
    }

    #[test]
    fn a_file_that_is_rewritten_is_never_seen_without_its_objects() {
        let mut settling = Settling::begin(files(&[("a", "x y")]));
        for at in 0..50 {
            let text = if at % 3 == 0 { "x y" } else { ["", "x"][usize::from(at % 3 == 1)] };
            assert!(run(&mut settling, at * 100, &[("a", text)]).is_empty());
            assert_eq!(settling.files(), &files(&[("a", "x y")]));
        }
    }

    #[test]
    fn less_is_believed_when_it_lasts() {
        let mut settling = Settling::begin(files(&[("a", "x"), ("b", "y z")]));
        for at in 0..5 {
            assert!(run(&mut settling, at * 100, &[("b", "y")]).is_empty(), "{at}");
        }
        assert_eq!(run(&mut settling, 500, &[("b", "y")]), [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!(settling.files(), &files(&[("b", "y")]));
    }

    #[test]
    fn what_moves_to_another_file_is_taken_in_one_step() {
        let mut settling = Settling::begin(files(&[("a", "x")]));
        for at in 0..5 {
            assert!(run(&mut settling, at * 100, &[("b", "x")]).is_empty());
        }
        assert_eq!(run(&mut settling, 500, &[("b", "x")]), [PathBuf::from("a"), PathBuf::from("b")]);
    }

    #[test]
    fn a_file_that_never_rests_does_not_hold_up_the_others() {
        let mut settling = Settling::begin(files(&[("a", "x"), ("b", "y")]));
        let mut taken = Vec::new();
        for at in 0..9 {
            let churn = format!("y {at}");
            taken.extend(run(&mut settling, at * 100, &[("a", "x z"), ("b", &churn)]));
        }
        assert_eq!(taken, [PathBuf::from("a")]);
    }
}
