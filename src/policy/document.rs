//! Policies as AWS writes them: a JSON document with `Version` and `Statement` (`iam-semantics.md` §2).

use std::sync::Arc;

use super::fields::{Field, Fields};
use super::form::Form;
use super::format::check_text;
use super::json;
use super::limits;
use super::problem::{Parsed, Problem};
use super::reading::{Reader, Texts};
use super::report::{Hint, Path, Quoted};
use super::statement::{Policy, PolicyKind, Soundness, Version};
use super::tree::{Node, Value};

/// Reads the text of a document.
///
/// Text that is no JSON, or longer than [`limits::DOCUMENT_BYTES`], gives a policy without statements and one problem.
pub fn parse_text(text: &str, kind: PolicyKind) -> Parsed {
    match json::parse(text, limits::DOCUMENT_BYTES) {
        Ok(node) => parse(&node, kind),
        Err(error) => Parsed {
            policy: Policy { version: Version::V2008, statements: Arc::default() },
            problems: vec![Problem { path: String::new(), at: error.at, message: error.message }],
        },
    }
}

/// Reads a document.
pub fn parse(node: &Node, kind: PolicyKind) -> Parsed {
    read(node, Reader::new(Form::Document, kind, Version::V2008))
}

/// Reads a document that somebody else stored: actions, resources and principals that would be refused on write for
/// their form are problems all the same, but they mean what the matching rules make of them, so they leave their
/// statements sound (`iam-semantics.md` §4, §7).
pub fn parse_stored(node: &Node, kind: PolicyKind) -> Parsed {
    let mut reader = Reader::new(Form::Document, kind, Version::V2008);
    reader.texts = Texts::Taken;
    read(node, reader)
}

fn read(node: &Node, mut reader: Reader) -> Parsed {
    let path = Path::ROOT;
    if !matches!(node.value, Value::Map(_)) {
        let message = format_args!("expected a policy document, a map with `Statement`, found {}", node.describe());
        reader.problems.add(&path, node.at, message);
        let policy = Policy { version: reader.version, statements: Arc::default() };
        return Parsed { policy, problems: reader.problems.into_vec() };
    }
    let fields = reader.fields(node, &path, &["Version", "Id", "Statement"]);
    // A document that is no document in this respect is refused whole, so none of its Allows applies.
    let mut soundness = fields.soundness;
    reader.version = version(&mut reader, &fields, node, &mut soundness);
    if let Some(entry) = fields.get("Id").entry() {
        let message = match entry.value.text() {
            Some(id) => check_text(id),
            None => Err(format!("expected a string, found {}", entry.value.describe())),
        };
        if let Err(message) = message {
            soundness = Soundness::Malformed;
            reader.problems.add(&path.key("Id"), entry.value.at, message);
        }
    }
    let mut statements = Vec::new();
    let field = fields.get("Statement");
    match field {
        Field::Absent => reader.problems.add(&path, node.at, "missing `Statement`"),
        Field::Once(_) => {}
        Field::Repeated(_) => soundness = Soundness::Malformed,
    }
    for entry in node.entries().iter().filter(|entry| entry.key == "Statement") {
        let path = path.key("Statement");
        match &entry.value.value {
            Value::List(items) if items.is_empty() => {
                reader.problems.add(&path, entry.value.at, "expected at least one statement, found an empty list");
            }
            Value::List(items) => statements.extend(reader.statements(items, &path)),
            Value::Null => reader.problems.add(&path, entry.value.at, "expected at least one statement, found null"),
            Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
                statements.push(reader.statement(&entry.value, &path, statements.len()));
            }
        }
    }
    if soundness == Soundness::Malformed {
        for statement in &mut statements {
            statement.soundness = Soundness::Malformed;
        }
    }
    let policy = Policy { version: reader.version, statements: statements.into() };
    Parsed { policy, problems: reader.problems.into_vec() }
}

/// The version of the document. An unknown one is read like the newest, but then no Allow applies.
fn version(reader: &mut Reader, fields: &Fields<'_>, node: &Node, soundness: &mut Soundness) -> Version {
    let is_free = match reader.kind {
        PolicyKind::Resource | PolicyKind::Trust => true,
        PolicyKind::Identity | PolicyKind::ServiceControl | PolicyKind::ResourceControl => false,
    };
    let path = Path::ROOT;
    let entry = match fields.get("Version") {
        Field::Absent => {
            if !is_free {
                let message = format_args!("missing `Version`; {} needs `2012-10-17`", reader.kind.describe());
                reader.problems.add(&path, node.at, message);
            }
            return Version::V2008;
        }
        Field::Once(entry) => entry,
        Field::Repeated(entry) => {
            *soundness = Soundness::Malformed;
            entry
        }
    };
    let path = path.key("Version");
    let at = entry.value.at;
    match entry.value.text() {
        Some("2012-10-17") => Version::V2012,
        Some("2008-10-17") => {
            if !is_free {
                let message = format_args!("old version `2008-10-17`; {} needs `2012-10-17`", reader.kind.describe());
                reader.problems.add(&path, at, message);
            }
            Version::V2008
        }
        other => {
            let message = match other {
                Some(text) => {
                    let known: &[&str] = if is_free { &["2012-10-17", "2008-10-17"] } else { &["2012-10-17"] };
                    format!("unknown version {}{}", Quoted(text), Hint { found: text, known })
                }
                None => format!("expected `2012-10-17`, found {}", entry.value.describe()),
            };
            reader.problems.add(&path, at, message);
            *soundness = Soundness::Malformed;
            Version::V2012
        }
    }
}
