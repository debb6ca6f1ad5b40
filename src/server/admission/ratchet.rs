//! What is wrong with an object and was not wrong before, in the same way at the same place (`guarantees.md` R14).
//!
//! Rules get stricter from version to version. An object that was stored under older ones stays modifiable: what is wrong
//! and is left as it was passes, so that a label can be set on it and a part of it repaired; what is touched must be right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::spec::object;
use crate::policy::limits;
use crate::policy::report::Path;
use crate::policy::tree::{Node, Value};
use crate::world::{Finding, ObjectKey, check};

/// What is wrong with the new form of an object, without what stands in the old one unchanged.
pub(super) fn new_findings(key: &ObjectKey, new: &Arc<Node>, old: Option<&Arc<Node>>) -> Vec<Finding> {
    let found = check(&object(key, new));
    let Some(old) = old.filter(|_| !found.is_empty()) else { return found };
    // There may be more than are listed, and nobody can tell whether those are new.
    if found.len() >= limits::PROBLEMS {
        return found;
    }
    let before = check(&object(key, old));
    let wanted: BTreeSet<&str> = found.iter().map(|finding| finding.path.as_str()).collect();
    let (here, there) = (places(new, &wanted), places(old, &wanted));
    let stood = |finding: &Finding| {
        let is_same_problem =
            |old: &Finding| (old.reason, &old.path, &old.message) == (finding.reason, &finding.path, &finding.message);
        let is_same_value = || match (here.get(&finding.path), there.get(&finding.path)) {
            (Some(Some(new)), Some(Some(old))) => same(new, old),
            // Not of the spec: name and namespace of an object never change.
            (None, None) => finding.path.starts_with("metadata."),
            _ => false,
        };
        before.iter().any(is_same_problem) && is_same_value()
    };
    found.into_iter().filter(|finding| !stood(finding)).collect()
}

/// The values at these paths, as findings write them: `spec.policies[0]`. `None` at a path that several have.
pub(super) fn places<'n>(spec: &'n Node, wanted: &BTreeSet<&str>) -> BTreeMap<String, Option<&'n Node>> {
    let mut found = BTreeMap::new();
    collect(spec, &Path::ROOT.key("spec"), wanted, &mut found);
    found
}

fn collect<'n>(
    node: &'n Node,
    path: &Path<'_>,
    wanted: &BTreeSet<&str>,
    found: &mut BTreeMap<String, Option<&'n Node>>,
) {
    let here = path.to_string();
    if !wanted.range(here.as_str()..).next().is_some_and(|wanted| wanted.starts_with(&here)) {
        return;
    }
    if wanted.contains(here.as_str()) {
        found.entry(here).and_modify(|value| *value = None).or_insert(Some(node));
    }
    match &node.value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &path.index(index), wanted, found);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                collect(&entry.value, &path.key(&entry.key), wanted, found);
            }
        }
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

/// Whether two values are the same, wherever they stood.
pub(super) fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.key == b.key && same(&a.value, &b.value))
        }
        (a, b) => a == b,
    }
}
