//! What is wrong with an object and was not wrong before (`guarantees.md` R14).
//!
//! Rules get stricter from version to version. An object that was stored under older ones stays modifiable: what is wrong
//! and is left as it was passes, so that a label can be set on it and a part of it repaired; what is touched must be right.
//! What was wrong is looked for where it stands now: items of a list move when others come or go, see [`pairs`].
//!
//! Two things cannot be left as they were while anything is changed, for they are about a whole: something that it lacks,
//! and that there is too much of it. The first stands while it is said of the `spec` or a document, the second while it
//! does not grow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::spec::object;
use super::{pairs, shorten};
use crate::policy::limits;
use crate::policy::report::Path;
use crate::policy::tree::{Node, Value};
use crate::world::{Finding, ObjectKey, check};

/// One value of a new form.
#[derive(Clone)]
pub(super) struct Place<'n> {
    /// It.
    pub node: &'n Node,
    /// What it was.
    was: Option<Was<'n>>,
    /// Whether it is a statement, an item of a list, or stands in one.
    is_part: bool,
}

/// What a value was in the old form.
#[derive(Clone)]
struct Was<'n> {
    node: &'n Node,
    path: String,
    /// Whether nobody said what was wrong with it, for it was among too many.
    is_unread: bool,
}

/// What a value was in the old form, on the way to it.
#[derive(Clone, Copy)]
struct Before<'n, 'p> {
    node: &'n Node,
    path: &'p Path<'p>,
    is_unread: bool,
}

/// What is wrong with the new form of an object, without what stands in the old one.
pub(super) fn new_findings(key: &ObjectKey, new: &Arc<Node>, old: Option<&Arc<Node>>) -> Vec<Finding> {
    let judge = |spec: &Arc<Node>| check(&object(key, spec));
    let found = judge(new);
    let Some(old) = old.filter(|_| !found.is_empty()) else { return found };
    let before = judge(old);
    if !is_cut(&found) && !is_cut(&before) {
        return added(found, &before, new, old);
    }
    // There is more than is listed. It is told from what is new where everything that has not changed is left out.
    let (new, old) = shorten::both(new, old);
    let (rest, before) = (judge(&new), judge(&old));
    let is_clear = !is_cut(&rest) && !is_cut(&before) && added(rest, &before, &new, &old).is_empty();
    if is_clear { Vec::new() } else { found }
}

/// Whether there may be more findings than are listed: a list has a number and a length, and one that was cut for its
/// length says so in a line without a path.
fn is_cut(found: &[Finding]) -> bool {
    found.len() >= limits::PROBLEMS || found.iter().any(|finding| finding.path.is_empty())
}

/// Findings of a new form that the old one did not have.
fn added(found: Vec<Finding>, before: &[Finding], new: &Node, old: &Node) -> Vec<Finding> {
    let wanted: BTreeSet<&str> = found.iter().map(|finding| finding.path.as_str()).collect();
    let places = places(new, Some(old), &wanted);
    let stood = |finding: &Finding| match places.get(&finding.path) {
        Some(Some(place)) => place.was_unread(&finding.path) || before.iter().any(|old| place.stood(old, finding)),
        Some(None) => false,
        // Not of the spec: name and namespace of an object never change.
        None => finding.path.starts_with("metadata.") && before.contains(finding),
    };
    found.iter().filter(|finding| !stood(finding)).cloned().collect()
}

// === impl Place ===

impl Place<'_> {
    /// Whether it is what it was, and what is found at this path of it could not be told before. That a name is another's
    /// too is no matter of its own value, so this is not said of names.
    fn was_unread(&self, path: &str) -> bool {
        self.was.as_ref().is_some_and(|was| was.is_unread)
            && self.is_same()
            && !path.ends_with("sid")
            && !path.ends_with("Sid")
    }

    fn is_same(&self) -> bool {
        self.was.as_ref().is_some_and(|was| pairs::same(self.node, was.node))
    }

    /// Whether what is found at this place is what was found before.
    fn stood(&self, before: &Finding, finding: &Finding) -> bool {
        let Some(was) = self.was.as_ref().filter(|was| was.path == before.path && before.reason == finding.reason)
        else {
            return false;
        };
        if self.is_same() {
            // One that stands twice is said to be that of another by its number, and those move.
            let words = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
            return words(&before.message) == words(&finding.message);
        }
        match (&self.node.value, &was.node.value, amount(&before.message), amount(&finding.message)) {
            (Value::List(_), Value::List(_), Some((had, of)), Some((has, what)))
            | (Value::Map(_), Value::Map(_), Some((had, of)), Some((has, what))) => of == what && has <= had,
            (Value::Map(_), Value::Map(_), None, None) => !self.is_part && before.message == finding.message,
            _ => false,
        }
    }
}

// === free functions ===

/// How much there is of something, and of what: messages about too much begin with a number.
fn amount(message: &str) -> Option<(usize, &str)> {
    let (digits, what) = message.split_once(' ')?;
    Some((digits.parse().ok()?, what))
}

/// The values at these paths, as findings write them: `spec.policies[0]`. `None` at a path that several have.
pub(super) fn places<'n>(
    new: &'n Node,
    old: Option<&'n Node>,
    wanted: &BTreeSet<&str>,
) -> BTreeMap<String, Option<Place<'n>>> {
    let mut found = BTreeMap::new();
    let root = Path::ROOT.key("spec");
    let old = old.map(|node| Before { node, path: &root, is_unread: false });
    collect(new, &root, old, false, wanted, &mut found);
    found
}

fn collect<'n>(
    node: &'n Node,
    path: &Path<'_>,
    was: Option<Before<'n, '_>>,
    is_part: bool,
    wanted: &BTreeSet<&str>,
    found: &mut BTreeMap<String, Option<Place<'n>>>,
) {
    let here = path.to_string();
    if !wanted.range(here.as_str()..).next().is_some_and(|wanted| wanted.starts_with(&here)) {
        return;
    }
    if wanted.contains(here.as_str()) {
        let was = was.map(|was| Was { node: was.node, path: was.path.to_string(), is_unread: was.is_unread });
        found.entry(here).and_modify(|place| *place = None).or_insert(Some(Place { node, was, is_part }));
    }
    match &node.value {
        Value::List(items) => {
            let before: &[Node] = match was.map(|was| &was.node.value) {
                Some(Value::List(before)) => before,
                _ => &[],
            };
            for (index, (item, place)) in items.iter().zip(pairs::items(items, before)).enumerate() {
                let twin = place.and_then(|place| Some((place, before.get(place)?)));
                let was = was.zip(twin).map(|(was, (place, node))| {
                    (node, was.path.index(place), was.is_unread || is_beyond(before, node, place))
                });
                let was = was.as_ref().map(|(node, path, is_unread)| Before { node, path, is_unread: *is_unread });
                collect(item, &path.index(index), was, true, wanted, found);
            }
        }
        Value::Map(entries) => {
            let before = was.map(|was| pairs::by_key(was.node)).unwrap_or_default();
            for entry in entries {
                let twin = before.get(entry.key.as_str()).copied().flatten();
                let was = was.zip(twin).map(|(was, node)| (node, was.path.key(&entry.key), was.is_unread));
                let was = was.as_ref().map(|(node, path, is_unread)| Before { node, path, is_unread: *is_unread });
                // A document may hold its one statement without a list around it.
                let is_part = is_part || entry.key == "Statement";
                collect(&entry.value, &path.key(&entry.key), was, is_part, wanted, found);
            }
        }
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

/// Whether an item stood in a list where it was not read: none of too many entries is, and no statement after the last
/// that is read.
fn is_beyond(list: &[Node], item: &Node, place: usize) -> bool {
    let is_statement = || ["effect", "Effect"].into_iter().any(|key| item.get(key).is_some());
    (item.text().is_some() && list.len() > limits::LIST_ENTRIES) || (place >= limits::STATEMENTS && is_statement())
}
