//! Which part of the old form of an object a part of its new form was.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use crate::policy::tree::{Entry, Node, Value};

/// Keys by which people tell the items of a list apart.
const NAMES: [&str; 3] = ["sid", "Sid", "name"];

/// A value by what it says, wherever it stood.
struct Meaning<'n>(&'n Node);

// === impl Meaning ===

impl Ord for Meaning<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self.0, other.0)
    }
}

impl PartialOrd for Meaning<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Meaning<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Meaning<'_> {}

// === free functions ===

/// Where each item of a list stood in its old form: the one that says the same, else the one of its name, else the one
/// at its place. No old item is taken twice, and what is new was nowhere. Of several that say the same, those are taken
/// between which nothing has changed, from both ends of the list.
pub(super) fn items(new: &[Node], old: &[Node]) -> Vec<Option<usize>> {
    let mut was = vec![None; new.len()];
    let mut free = vec![true; old.len()];
    let mut ends: Vec<(usize, usize)> = (0..new.len().min(old.len())).map(|place| (place, place)).collect();
    ends.truncate(new.iter().zip(old).take_while(|(new, old)| same(new, old)).count());
    let rest = new.len().min(old.len()).saturating_sub(ends.len());
    let tail = new.iter().rev().zip(old.iter().rev()).take(rest).take_while(|(new, old)| same(new, old)).count();
    ends.extend((1..=tail).filter_map(|back| Some((new.len().checked_sub(back)?, old.len().checked_sub(back)?))));
    for (place, before) in ends {
        if let (Some(was), Some(free)) = (was.get_mut(place), free.get_mut(before)) {
            (*was, *free) = (Some(before), false);
        }
    }
    take(&mut was, &mut free, new, old, |item| Some(Meaning(item)));
    take(&mut was, &mut free, new, old, name);
    for (place, (was, _)) in was.iter_mut().zip(&free).enumerate().filter(|(_, (was, free))| was.is_none() && **free) {
        *was = Some(place);
    }
    was
}

/// The values of a map by their keys. `None` for a key that stands in it twice.
pub(super) fn by_key(map: &Node) -> BTreeMap<&str, Option<&Node>> {
    let mut values = BTreeMap::new();
    for entry in map.entries() {
        values.entry(entry.key.as_str()).and_modify(|value| *value = None).or_insert(Some(&entry.value));
    }
    values
}

/// The name of an item of a list.
pub(super) fn name(item: &Node) -> Option<&str> {
    NAMES.into_iter().find_map(|key| item.get(key)?.text())
}

/// Whether two values say the same, wherever they stood.
pub(super) fn same(one: &Node, other: &Node) -> bool {
    order(one, other) == Ordering::Equal
}

/// Gives items that stood nowhere yet those free old ones that have the same key, in their order.
fn take<'n, K: Ord>(
    was: &mut [Option<usize>],
    free: &mut [bool],
    new: &'n [Node],
    old: &'n [Node],
    key: impl Fn(&'n Node) -> Option<K>,
) {
    let mut places: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
    for (place, (item, _)) in old.iter().zip(&*free).enumerate().filter(|(_, (_, free))| **free) {
        if let Some(key) = key(item) {
            places.entry(key).or_default().push_back(place);
        }
    }
    for (was, item) in was.iter_mut().zip(new).filter(|(was, _)| was.is_none()) {
        let place = key(item).and_then(|key| places.get_mut(&key)?.pop_front());
        if let Some(free) = place.and_then(|place| free.get_mut(place)) {
            *free = false;
            *was = place;
        }
    }
}

fn order(one: &Node, other: &Node) -> Ordering {
    match (&one.value, &other.value) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => a.iter().map(Meaning).cmp(b.iter().map(Meaning)),
        (Value::Map(a), Value::Map(b)) => entries(a).cmp(entries(b)),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn entries(map: &[Entry]) -> impl Iterator<Item = (&str, Meaning<'_>)> {
    map.iter().map(|entry| (entry.key.as_str(), Meaning(&entry.value)))
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Boolean(_) => 1,
        Value::Number(_) => 2,
        Value::Text(_) => 3,
        Value::List(_) => 4,
        Value::Map(_) => 5,
    }
}
