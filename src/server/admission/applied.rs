//! Nulls that kubectl drops on its way: `kubectl apply` sends an object without them, so a policy whose template left
//! `conditions:` empty would arrive without conditions. What it was given still stands in an annotation (`design.md` §4.1).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::review::Metadata;
use super::{ratchet, spec};
use crate::policy::tree::{Node, Value};
use crate::world::{Finding, ObjectKey};

/// Where `kubectl apply` keeps what it was given.
pub(super) const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[derive(Deserialize)]
struct Applied<'a> {
    #[serde(default, borrow)]
    spec: Option<&'a RawValue>,
}

/// Nulls in a new annotation that the reader of this kind takes for errors: each narrows what the object means. Those that
/// stood in the old one narrow no more than they did.
pub(super) fn nulls(key: &ObjectKey, new: &Metadata, old: Option<&Metadata>) -> Vec<Finding> {
    let applied = new.annotations.0.get(ANNOTATION);
    let before = old.and_then(|old| old.annotations.0.get(ANNOTATION));
    let Some(applied) = applied.filter(|applied| Some(*applied) != before) else { return Vec::new() };
    let Some(spec) = read(applied) else { return Vec::new() };
    let found = ratchet::new_findings(key, &spec, before.and_then(|before| read(before)).as_ref());
    let wanted: BTreeSet<&str> = found.iter().map(|finding| finding.path.as_str()).collect();
    let places = ratchet::places(&spec, None, &wanted);
    let is_null = |path: &str| matches!(places.get(path), Some(Some(place)) if place.node.value == Value::Null);
    found.iter().filter(|finding| is_null(&finding.path)).cloned().collect()
}

/// The `spec` in an annotation. What is no object was not written by kubectl, and dropped nothing.
fn read(applied: &str) -> Option<Arc<Node>> {
    let Applied { spec } = serde_json::from_str(applied).ok()?;
    spec::parse(spec?.get()).ok()
}
