//! Both forms of an object without what is the same in them, so that more is told of the rest than a list of findings holds.
//!
//! Only items of lists are left out, and only where nothing can be found without them that could not be found with them,
//! and the other way round: items that share their name with one that is another now stay, and so does everything in a
//! list or map that has grown, for there may be too much of it, or that is read in another way now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::pairs;
use crate::policy::tree::{Entry, Node, Value};
use crate::world::{count_characters, quota};

/// The one list whose items are compared with one another by more than their names.
const CONDITIONS: &str = "conditions";
/// Keys on which it depends how everything beside them is read.
const READ_BY: [&str; 2] = ["type", "Version"];

/// The new and the old form without the items that are the same in both.
pub(super) fn both(new: &Node, old: &Node) -> (Arc<Node>, Arc<Node>) {
    let (new, old) = shortened(new, old, "");
    (Arc::new(new), Arc::new(old))
}

/// Both forms of the value under this key.
fn shortened<'n>(new: &'n Node, old: &'n Node, key: &str) -> (Node, Node) {
    let has_room = || count_characters(new) <= count_characters(old).max(quota::POLICY_CHARACTERS);
    match (&new.value, &old.value) {
        (Value::List(items), Value::List(before)) if key != CONDITIONS && items.len() <= before.len() && has_room() => {
            let (items, before) = lists(items, before, key);
            (with(new, Value::List(items)), with(old, Value::List(before)))
        }
        (Value::Map(entries), Value::Map(before)) if has_room() && is_read_alike(new, old) => {
            let (new_values, old_values) = (pairs::by_key(new), pairs::by_key(old));
            let value = |values: &BTreeMap<&str, Option<&'n Node>>, key: &str| values.get(key).copied().flatten();
            let mut shortened_before: BTreeMap<&str, Node> = BTreeMap::new();
            let mut short = |entry: &'n Entry| {
                let twins = value(&new_values, &entry.key).zip(value(&old_values, &entry.key));
                let Some((value, was)) = twins.map(|(value, was)| shortened(value, was, &entry.key)) else {
                    return entry.clone();
                };
                shortened_before.insert(&entry.key, was);
                Entry { value, ..entry.clone() }
            };
            let entries = entries.iter().map(&mut short).collect();
            let before = before.iter().map(|entry| match shortened_before.remove(entry.key.as_str()) {
                Some(value) => Entry { value, ..entry.clone() },
                None => entry.clone(),
            });
            (with(new, Value::Map(entries)), with(old, Value::Map(before.collect())))
        }
        _ => (new.clone(), old.clone()),
    }
}

/// Both forms of a list under this key.
fn lists(new: &[Node], old: &[Node], key: &str) -> (Box<[Node]>, Box<[Node]>) {
    let was = pairs::items(new, old);
    let pairs = || new.iter().zip(was.iter().map(|was| old.get((*was)?)));
    let is_same = |item: &Node, was: Option<&Node>| was.is_some_and(|was| pairs::same(item, was));
    let changed: BTreeSet<&str> =
        pairs().filter(|(item, was)| !is_same(item, *was)).filter_map(|(item, _)| pairs::name(item)).collect();
    let is_free = |item: &Node| pairs::name(item).is_none_or(|name| !changed.contains(name));
    let mut left_out: Vec<bool> = pairs().map(|(item, was)| is_same(item, was) && is_free(item)).collect();
    // A list of which everything is the same is not an empty one.
    if left_out.iter().all(|left_out| *left_out)
        && let Some(first) = left_out.first_mut()
    {
        *first = false;
    }
    let mut before: Vec<Option<Node>> = old.iter().cloned().map(Some).collect();
    let mut rest = Vec::new();
    for ((item, was), left_out) in new.iter().zip(was).zip(left_out) {
        let place = was.and_then(|was| before.get_mut(was));
        match place {
            Some(place) if left_out => *place = None,
            Some(place) => {
                let was = place.take();
                *place = was.map(|was| {
                    let (item, was) = shortened(item, &was, key);
                    rest.push(item);
                    was
                });
            }
            None => rest.push(item.clone()),
        }
    }
    (rest.into(), before.into_iter().flatten().collect())
}

fn is_read_alike(new: &Node, old: &Node) -> bool {
    READ_BY.into_iter().all(|key| match (new.get(key), old.get(key)) {
        (Some(new), Some(old)) => pairs::same(new, old),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    })
}

fn with(node: &Node, value: Value) -> Node {
    Node { value, at: node.at }
}
