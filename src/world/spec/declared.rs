//! What the four readers have in common.

use crate::policy::tree::{Node, Value};
use crate::world::finding::{Findings, Path};
use crate::world::outcome::Finding;

/// What objects of one kind declare.
pub(in crate::world) trait Declared: Sized {
    /// Reads a `spec`, as far as it can be read.
    fn read(spec: &Node, findings: &mut Findings) -> Self;

    /// What is left of an object of which nothing can be read.
    fn unreadable() -> Self {
        Self::read(&Node::new(Value::Map(Box::default())), &mut Findings::default())
    }
}

// === free functions ===

/// Reads a `spec`. An object without one is invalid, as for an API server; it declares what an empty one does.
pub(in crate::world) fn read<T: Declared>(spec: &Node, findings: &mut Findings) -> T {
    if spec.value == Value::Null {
        findings.invalid(&Path::ROOT.key("spec"), spec.at, "missing `spec`".to_owned());
        return T::read(&Node { value: Value::Map(Box::default()), at: spec.at }, findings);
    }
    T::read(spec, findings)
}

/// Reads a `spec` by itself.
pub(super) fn parse<T: Declared>(spec: &Node) -> (T, Vec<Finding>) {
    let mut findings = Findings::default();
    let read = read(spec, &mut findings);
    (read, findings.into_vec())
}
