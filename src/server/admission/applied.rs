//! Nulls that kubectl drops on its way: `kubectl apply` sends an object without them, so a policy whose template left
//! `conditions:` empty would arrive without conditions. What it was given still stands in an annotation (`design.md` §4.1).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ratchet::places;
use super::review::Metadata;
use super::spec;
use crate::policy::tree::Value;
use crate::world::{Finding, ObjectKey, check};

/// Where `kubectl apply` keeps what it was given.
pub(super) const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[derive(Deserialize)]
struct Applied<'a> {
    #[serde(default, borrow)]
    spec: Option<&'a RawValue>,
}

/// Nulls in a new annotation that the reader of this kind takes for errors: each narrows what the object means.
pub(super) fn nulls(key: &ObjectKey, new: &Metadata, old: Option<&Metadata>) -> Vec<Finding> {
    let applied = new.annotations.0.get(ANNOTATION);
    let before = old.and_then(|old| old.annotations.0.get(ANNOTATION));
    let Some(applied) = applied.filter(|applied| Some(*applied) != before) else { return Vec::new() };
    // What is no object was not written by kubectl, and dropped nothing.
    let Ok(Applied { spec: Some(text) }) = serde_json::from_str(applied) else { return Vec::new() };
    let Ok(spec) = spec::parse(text.get()) else { return Vec::new() };
    let found = check(&spec::object(key, &Arc::clone(&spec)));
    let wanted: BTreeSet<&str> = found.iter().map(|finding| finding.path.as_str()).collect();
    let places = places(&spec, &wanted);
    let is_null = |path: &str| places.get(path).copied().flatten().is_some_and(|node| node.value == Value::Null);
    found.iter().filter(|finding| is_null(&finding.path)).cloned().collect()
}
