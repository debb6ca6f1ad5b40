//! How large an object is: the memory that it costs, estimated from its text alone.
//!
//! An object stands in memory as the tree that was read and as what the tree was compiled to, and that twice while the
//! background check builds a second world beside the first. The numbers are bytes, fitted to what the worst objects of
//! each sort were seen to take: of those that were tried, none takes more than a sixth above its size, and many take less.
//! They are part of what every replica has to agree on: another number is another world.

use super::input::{Object, Spec};
use crate::policy::tree::{Node, Value};

/// What stands around the `spec`: keys, indexes, ARN, status, the copies of names.
const OBJECT: usize = 6 << 10;
/// One value, and what is made of it: an action, a principal, a condition, a part of a statement.
const VALUE: usize = 144;
/// A number beside that: its digits stand apart.
const NUMBER: usize = 64;
/// One key of a map.
const KEY: usize = 144;
/// One byte of a text.
const BYTE: usize = 4;
/// What stands for a `*` or a `?` of a pattern, and the text after it.
const WILDCARD: usize = 96;
/// What stands for the `$` of a variable.
const VARIABLE: usize = 256;
/// An ARN beside its text: it is five patterns.
const ARN: usize = 128;

/// How large an object is, in bytes.
pub fn size(object: &Object) -> usize {
    of_judged(object, object.last_good.as_deref())
}

/// How large an object is of which this is the last good form, where that matters.
pub(super) fn of_judged(object: &Object, last_good: Option<&Node>) -> usize {
    let spec = match &object.spec {
        Spec::Read(spec) => of_node(spec),
        // Why it cannot be read is no part of the world.
        Spec::Unreadable(_) => 0,
    };
    OBJECT.saturating_add(spec).saturating_add(last_good.map_or(0, of_node))
}

fn of_node(node: &Node) -> usize {
    let more = match &node.value {
        Value::Null | Value::Boolean(_) => 0,
        Value::Number(digits) => NUMBER.saturating_add(BYTE.saturating_mul(digits.len())),
        Value::Text(text) => of_text(text),
        Value::List(items) => items.iter().map(of_node).fold(0, usize::saturating_add),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| KEY.saturating_add(BYTE.saturating_mul(entry.key.len())).saturating_add(of_node(&entry.value)))
            .fold(0, usize::saturating_add),
    };
    VALUE.saturating_add(more)
}

fn of_text(text: &str) -> usize {
    let arn = if text.starts_with("arn:") { ARN } else { 0 };
    let byte = |byte: u8| match byte {
        b'*' | b'?' => BYTE.saturating_add(WILDCARD),
        b'$' => BYTE.saturating_add(VARIABLE),
        _ => BYTE,
    };
    text.bytes().map(byte).fold(arn, usize::saturating_add)
}
