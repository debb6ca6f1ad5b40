//! The `spec` of an object, read by the parser of the policy language: what is judged is what would be evaluated.

use std::sync::Arc;

use super::review::Part;
use crate::policy::json;
use crate::policy::tree::{Node, Value};
use crate::world::{Object, ObjectKey, Spec};

/// Bytes of the longest `spec` that is read. A valid one is shorter: 256 targets of 2,048 bytes are the most of it.
const BYTES: usize = 1 << 20;

/// Reads the `spec` of a part; null where there is none.
pub(super) fn read(part: &Part<'_>) -> Result<Arc<Node>, String> {
    match part.spec() {
        None => Ok(Arc::new(Node::new(Value::Null))),
        Some(text) => parse(text),
    }
}

/// Reads a `spec`.
pub(super) fn parse(text: &str) -> Result<Arc<Node>, String> {
    json::parse(text, BYTES).map(Arc::new).map_err(|error| error.message)
}

/// An object that declares this and of which nothing else is known.
pub(super) fn object(key: &ObjectKey, spec: &Arc<Node>) -> Object {
    Object {
        key: key.clone(),
        uid: None,
        spec: Spec::Read(Arc::clone(spec)),
        last_good: None,
        deleting: false,
        origin: None,
    }
}
