//! Strict reading of maps, lists and strings.
//!
//! A reader takes what it can and reports what it cannot: the readable rest of an invalid object goes on to restrict.

use std::cell::Cell;
use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::policy::limits;
use crate::policy::tree::{Entry, Node, Position, Value};
use crate::world::finding::{Findings, Hint, Path, Quoted};

/// The entries of a map whose keys are known.
#[derive(Clone, Copy)]
pub(in crate::world) struct Fields<'a> {
    entries: &'a [Entry],
    path: &'a Path<'a>,
    at: Option<Position>,
    is_map: bool,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// Reads a map. Every other value, an unknown key and a key that stands twice are findings.
    pub(in crate::world) fn read(node: &'a Node, path: &'a Path<'a>, keys: &[&str], findings: &mut Findings) -> Self {
        if !matches!(node.value, Value::Map(_)) {
            findings.invalid(path, node.at, format!("expected a map, found {}", node.describe()));
        }
        let entries = node.entries();
        let mut seen: Vec<&str> = Vec::new();
        for entry in entries {
            let key = entry.key.as_str();
            if !keys.contains(&key) {
                let message = format!("unknown key {}{}", Quoted(key), Hint { found: key, known: keys });
                findings.invalid(&path.key(key), entry.key_at, message);
            } else if seen.contains(&key) {
                findings.invalid(&path.key(key), entry.key_at, format!("key `{key}` stands twice"));
            } else {
                seen.push(key);
            }
        }
        Self { entries, path, at: node.at, is_map: matches!(node.value, Value::Map(_)) }
    }

    /// Reads a map of any keys. Every other value, and a key that stands twice, are findings.
    pub(in crate::world) fn any(node: &'a Node, path: &'a Path<'a>, findings: &mut Findings) -> Self {
        if !matches!(node.value, Value::Map(_)) {
            findings.invalid(path, node.at, format!("expected a map, found {}", node.describe()));
        }
        let entries = node.entries();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for entry in entries {
            let key = entry.key.as_str();
            if !seen.insert(key) {
                findings.invalid(&path.key(key), entry.key_at, format!("key `{key}` stands twice"));
            }
        }
        Self { entries, path, at: node.at, is_map: matches!(node.value, Value::Map(_)) }
    }

    /// Reads a map that may have other keys beside these. Every other value, and one of these keys that stands twice,
    /// are findings.
    pub(in crate::world) fn open(node: &'a Node, path: &'a Path<'a>, keys: &[&str], findings: &mut Findings) -> Self {
        if !matches!(node.value, Value::Map(_)) {
            findings.invalid(path, node.at, format!("expected a map, found {}", node.describe()));
        }
        for key in keys {
            if let Some(second) = node.entries().iter().filter(|entry| entry.key == *key).nth(1) {
                findings.invalid(&path.key(key), second.key_at, format!("key `{key}` stands twice"));
            }
        }
        Self { entries: node.entries(), path, at: node.at, is_map: matches!(node.value, Value::Map(_)) }
    }

    /// The path of the map itself.
    pub(in crate::world) fn path(&self) -> &'a Path<'a> {
        self.path
    }

    /// Where the map began.
    pub(in crate::world) fn at(&self) -> Option<Position> {
        self.at
    }

    /// The path of one of its keys.
    pub(in crate::world) fn path_of(&self, key: &'a str) -> Path<'a> {
        self.path.key(key)
    }

    /// Every value of a key, nulls too. More than one only where the key stands twice: then all of them restrict.
    pub(in crate::world) fn each(&self, key: &'a str) -> impl Iterator<Item = &'a Node> + use<'a> {
        self.entries.iter().filter(move |entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The first value of a key that is not null.
    pub(in crate::world) fn get(&self, key: &'a str) -> Option<&'a Node> {
        self.each(key).find(|node| node.value != Value::Null)
    }

    /// The first value of a key that must be there and not null.
    pub(in crate::world) fn required(&self, key: &'a str, findings: &mut Findings) -> Option<&'a Node> {
        let node = self.get(key);
        // What is no map lacks everything, and has been said to be none.
        if node.is_none() && self.is_map {
            findings.invalid(self.path, self.at, format!("key `{key}` is missing"));
        }
        node
    }

    /// Whether there is a map at all.
    pub(in crate::world) fn is_map(&self) -> bool {
        self.is_map
    }

    /// The string under a key that may be absent.
    pub(in crate::world) fn text(&self, key: &'a str, findings: &mut Findings) -> Option<&'a str> {
        self.get(key).and_then(|node| text(node, &self.path_of(key), findings))
    }

    /// The string under a key that must be there.
    pub(in crate::world) fn required_text(&self, key: &'a str, findings: &mut Findings) -> Option<&'a str> {
        self.required(key, findings)?;
        self.text(key, findings)
    }

    /// Visits the entries of a list that may be absent, null or empty.
    pub(in crate::world) fn items(
        &self,
        key: &'a str,
        findings: &mut Findings,
        mut visit: impl FnMut(&'a Node, &Path<'_>, usize, &mut Findings),
    ) {
        let path = self.path_of(key);
        for node in self.each(key) {
            match &node.value {
                Value::Null => {}
                Value::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        visit(item, &path.index(index), index, findings);
                    }
                }
                Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
                    findings.invalid(&path, node.at, format!("expected a list, found {}", node.describe()));
                }
            }
        }
    }

    /// The strings of a list that may be absent, null or empty, those that pass a check.
    pub(in crate::world) fn texts(
        &self,
        key: &'a str,
        findings: &mut Findings,
        check: impl Fn(&str) -> Result<SmolStr, String>,
    ) -> Vec<SmolStr> {
        let mut texts = Vec::new();
        self.items(key, findings, |node, path, _, findings| {
            let Some(written) = text(node, path, findings) else { return };
            match check(written) {
                Ok(text) => texts.push(text),
                Err(message) => findings.invalid(path, node.at, message),
            }
        });
        texts
    }

    /// The entries of a list that narrows: where the key stands it needs a list with at least one entry, each of which
    /// passes a check.
    pub(in crate::world) fn narrowing<T>(
        &self,
        key: &'a str,
        findings: &mut Findings,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Narrowing<T> {
        let path = self.path_of(key);
        let mut all = Vec::new();
        let sound = Cell::new(true);
        let mut stands = false;
        for node in self.each(key) {
            sound.set(sound.get() && !stands);
            stands = true;
            if node.value == Value::Null || matches!(&node.value, Value::List(items) if items.is_empty()) {
                let found = if node.value == Value::Null { "null" } else { "an empty list" };
                findings.invalid(&path, node.at, format!("found {found}; name at least one, or leave `{key}` out"));
                sound.set(false);
            } else if !matches!(node.value, Value::List(_)) {
                sound.set(false);
            }
        }
        self.items(key, findings, |node, path, _, findings| match text(node, path, findings).map(&check) {
            Some(Ok(entry)) => all.push(entry),
            Some(Err(message)) => {
                findings.invalid(path, node.at, message);
                sound.set(false);
            }
            None => sound.set(false),
        });
        match (stands, sound.get()) {
            (false, _) => Narrowing::Absent,
            (true, true) => Narrowing::Listed(all),
            (true, false) => Narrowing::Unreadable,
        }
    }
}

/// A list that narrows what an object reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::world) enum Narrowing<T> {
    /// Not written.
    Absent,
    /// Written, with at least one entry, each readable.
    Listed(Vec<T>),
    /// Written in a way that cannot be read as a whole.
    Unreadable,
}

// === free functions ===

/// A string of bounded length.
pub(in crate::world) fn text<'a>(node: &'a Node, path: &Path<'_>, findings: &mut Findings) -> Option<&'a str> {
    let Some(text) = node.text() else {
        findings.invalid(path, node.at, format!("expected a string, found {}", node.describe()));
        return None;
    };
    if text.len() > limits::STRING_BYTES {
        let message = format!("{} bytes are too long; at most {} are admitted", text.len(), limits::STRING_BYTES);
        findings.invalid(path, node.at, message);
        return None;
    }
    Some(text)
}
