//! Policies as typed statements: the `statements` of our objects (`design.md` §4.1).
//!
//! They say the same as a document of version 2012-10-17, in lists only and with plural names. A key that narrows and is
//! there but null or empty is an error: rendered from an empty template value it would turn a conditioned Allow into an
//! unconditioned one.

use super::form::Form;
use super::problem::Parsed;
use super::reading::Reader;
use super::report::Path;
use super::statement::{Policy, PolicyKind, Version};
use super::tree::{Node, Value};

/// Reads a list of typed statements.
pub fn parse(statements: &Node, kind: PolicyKind) -> Parsed {
    let mut reader = Reader::new(Form::Typed, kind, Version::V2012);
    let path = Path::ROOT.key("statements");
    let read = match &statements.value {
        Value::List(items) if items.is_empty() => {
            reader.problems.add(&path, statements.at, "expected at least one statement, found an empty list");
            Vec::new()
        }
        Value::List(items) => reader.statements(items, &path),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
            let message = format_args!("expected a list of statements, found {}", statements.describe());
            reader.problems.add(&path, statements.at, message);
            Vec::new()
        }
    };
    let policy = Policy { version: Version::V2012, statements: read.into() };
    Parsed { policy, problems: reader.problems.into_vec() }
}
