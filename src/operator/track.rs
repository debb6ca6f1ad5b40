//! What has changed since the last look: which objects may need other steps now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::SmolStr;

use crate::store::Catalog;
use crate::world::{ObjectKey, World};

/// How far one has looked.
#[derive(Debug, Default)]
pub(super) struct Track {
    change: u64,
    objects: BTreeMap<ObjectKey, Object>,
    world: Option<Arc<World>>,
}

/// What an object was when it was last seen.
#[derive(Debug)]
struct Object {
    uid: Option<SmolStr>,
    generation: i64,
    /// What it named.
    names: BTreeSet<ObjectKey>,
}

/// What has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Objects to look at.
    pub touched: BTreeSet<ObjectKey>,
    /// Objects that are gone.
    pub gone: Vec<ObjectKey>,
    /// Objects that came to be or have another generation since the last look; none at the first.
    pub arrived: Vec<(ObjectKey, i64)>,
}

// === impl Track ===

impl Track {
    /// Objects that changed, that are gone, and those that they name or named: these have other referrers now.
    pub(super) fn catalog(&mut self, catalog: &Catalog) -> Changes {
        let mut changes = Changes::default();
        let is_first = self.change == 0;
        for entry in catalog.changed_after(self.change) {
            let key = &entry.object.key;
            changes.touched.insert(key.clone());
            let now = Object {
                uid: entry.object.uid.clone(),
                generation: entry.generation,
                names: catalog.references(key).cloned().collect(),
            };
            let before = self.objects.get(key);
            if !is_first && before.is_none_or(|before| (&before.uid, before.generation) != (&now.uid, now.generation)) {
                changes.arrived.push((key.clone(), now.generation));
            }
            match before {
                Some(before) => changes.touched.extend(before.names.symmetric_difference(&now.names).cloned()),
                None => changes.touched.extend(now.names.iter().cloned()),
            }
            self.objects.insert(key.clone(), now);
        }
        self.change = catalog.change();
        if self.objects.len() != catalog.len() {
            changes.gone = self.objects.keys().filter(|key| catalog.get(key).is_none()).cloned().collect();
            for key in &changes.gone {
                changes.touched.extend(self.objects.remove(key).into_iter().flat_map(|object| object.names));
            }
        }
        changes.touched.retain(|key| catalog.get(key).is_some());
        changes
    }

    /// Objects of which another world says something else.
    pub(super) fn world(&mut self, world: &Arc<World>) -> Vec<ObjectKey> {
        let Some(before) = self.world.replace(Arc::clone(world)) else {
            return world.outcomes.keys().cloned().collect();
        };
        if Arc::ptr_eq(&before, world) {
            return Vec::new();
        }
        let mut changed = Vec::new();
        if before.namespaces != world.namespaces {
            // Whether a guardrail has an effect depends on them.
            let guardrails = world.policies.iter().filter(|policy| policy.kind.account_targets().is_some());
            changed.extend(guardrails.map(|policy| policy.key.clone()));
        }
        let (mut old, mut new) = (before.outcomes.iter().peekable(), world.outcomes.iter().peekable());
        loop {
            match (old.peek(), new.peek()) {
                (None, None) => return changed,
                (Some((gone, _)), Some((key, _))) if gone < key => {
                    old.next();
                }
                (Some((before, was)), Some((key, is))) if before == key => {
                    if was != is {
                        changed.push((*key).clone());
                    }
                    old.next();
                    new.next();
                }
                (_, Some((key, _))) => {
                    changed.push((*key).clone());
                    new.next();
                }
                (Some(_), None) => {
                    old.next();
                }
            }
        }
    }
}
