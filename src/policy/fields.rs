//! The keys of a map that may hold only certain ones.

use std::collections::HashSet;

use super::reading::Reader;
use super::report::{Hint, Path, Quoted};
use super::statement::Soundness;
use super::tree::{Entry, Node};

/// What stands under one known key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'n> {
    /// No such key.
    Absent,
    /// The key, once.
    Once(&'n Entry),
    /// The key, several times: nobody can say which one counts. The first of them.
    Repeated(&'n Entry),
}

/// A map, sorted by what its keys mean.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    found: Vec<(&'static str, Field<'n>)>,
    /// Malformed with an unknown key.
    pub soundness: Soundness,
}

// === impl Fields ===

impl<'n> Fields<'n> {
    pub(super) fn get(&self, key: &str) -> Field<'n> {
        self.found.iter().find(|(known, _)| *known == key).map_or(Field::Absent, |(_, field)| *field)
    }
}

// === impl Field ===

impl<'n> Field<'n> {
    /// The first entry with the key.
    pub(super) fn entry(self) -> Option<&'n Entry> {
        match self {
            Self::Absent => None,
            Self::Once(entry) | Self::Repeated(entry) => Some(entry),
        }
    }
}

// === impl Reader ===

impl Reader {
    /// Sorts the entries of a map; reports keys that are unknown (`iam-semantics.md` §2 rule 2) or repeated (rule 1).
    pub(super) fn fields<'n>(&mut self, node: &'n Node, path: &Path<'_>, known: &[&'static str]) -> Fields<'n> {
        let mut fields = Fields { found: Vec::new(), soundness: Soundness::Sound };
        for entry in node.entries() {
            let Some(key) = known.iter().find(|key| **key == entry.key) else {
                let hint = Hint { found: &entry.key, known };
                self.problems.add(path, entry.key_at, format_args!("unknown key {}{hint}", Quoted(&entry.key)));
                fields.soundness = Soundness::Malformed;
                continue;
            };
            match fields.found.iter_mut().find(|(found, _)| found == key) {
                None => fields.found.push((key, Field::Once(entry))),
                Some((_, field)) => {
                    self.repeated_key(path, entry);
                    if let Field::Once(first) = *field {
                        *field = Field::Repeated(first);
                    }
                }
            }
        }
        fields
    }

    /// The keys of a map with free keys that stand in it more than once, each reported.
    pub(super) fn repeated_keys<'n>(&mut self, node: &'n Node, path: &Path<'_>) -> HashSet<&'n str> {
        let mut seen = HashSet::new();
        let mut repeated = HashSet::new();
        for entry in node.entries() {
            if !seen.insert(entry.key.as_str()) {
                self.repeated_key(path, entry);
                repeated.insert(entry.key.as_str());
            }
        }
        repeated
    }

    fn repeated_key(&mut self, path: &Path<'_>, entry: &Entry) {
        let message = format_args!("key {} is there twice; keep one", Quoted(&entry.key));
        self.problems.add(path, entry.key_at, message);
    }
}
