//! What a name leads to: nearly always one thing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// One or several values, the first of them in place.
#[derive(Clone, Debug)]
pub(super) struct Several<V> {
    first: V,
    more: Vec<V>,
}

// === impl Several ===

impl<V> Several<V> {
    /// In the order in which they were put in.
    pub(super) fn iter(&self) -> impl Iterator<Item = &V> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

/// A map from each name to all that it leads to.
pub(super) fn multimap<K: Eq + Hash, V>(pairs: impl Iterator<Item = (K, V)>) -> HashMap<K, Several<V>> {
    let mut map: HashMap<K, Several<V>> = HashMap::new();
    for (key, value) in pairs {
        match map.entry(key) {
            Entry::Occupied(several) => several.into_mut().more.push(value),
            Entry::Vacant(place) => {
                place.insert(Several { first: value, more: Vec::new() });
            }
        }
    }
    map
}
