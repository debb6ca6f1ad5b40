//! YAML text to trees with positions, read as kubectl reads it.
//!
//! The grammar is granit-parser's (the parser below serde-saphyr). The rest is here: what plain scalars mean
//! ([`super::scalar`]), merge keys in kubectl's order, anchors within a budget, keys that must be strings, and the few
//! texts that YAML 1.2 and kubectl's YAML 1.1 read differently, which are refused. JSON is YAML.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};
use smol_str::SmolStr;

use super::error::{ManifestError, quoted};
use super::scalar::{self, Scalar};
use crate::policy::tree::{Entry, Node, Position, Value};

/// Levels of lists and maps in one document.
const DEPTH: usize = 128;
/// Keys and values in one file, those that aliases stand for included.
const NODES: usize = 1_000_000;
/// Errors reported for one file.
const ERRORS: usize = 100;
/// The first character of a text.
const START: Position = Position { line: 1, column: 1 };
/// Where the tags of YAML's own types live.
const CORE: &str = "tag:yaml.org,2002:";

/// The documents of a text in their order, without empty ones, and what is wrong with the others.
///
/// A document that holds an error is left out; those after it are read.
pub(super) fn documents(file: &Path, text: &str) -> (Vec<Node>, Vec<ManifestError>) {
    let mut reader = Reader { file, text, documents: Vec::new(), errors: Vec::new(), nodes: 0 };
    match unreadable(text) {
        Some((at, message)) => reader.error(at, message),
        None => reader.read(),
    }
    (reader.documents, reader.errors)
}

/// The first character that kubectl refuses, or takes for the end of a line or a text where YAML 1.2 does not.
fn unreadable(text: &str) -> Option<(Position, String)> {
    let mut at = START;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let reason = match character {
            '\r' if characters.peek() != Some(&'\n') => Some("ends a line for kubectl only"),
            '\u{85}' | '\u{2028}' | '\u{2029}' => Some("ends a line for kubectl only"),
            '\t' | '\r' | '\n' => None,
            '\u{feff}' if at != START => Some("is a byte order mark that kubectl takes for text"),
            character if character.is_control() => Some("is a control character"),
            '\u{fffe}' | '\u{ffff}' => Some("is no character"),
            _ => None,
        };
        if let Some(reason) = reason {
            let code = u32::from(character);
            return Some((at, format!("U+{code:04X} {reason}; write it as an escape in double quotes")));
        }
        if character == '\n' {
            at = Position { line: at.line.saturating_add(1), column: 1 };
        } else {
            at.column = at.column.saturating_add(1);
        }
    }
    None
}

/// Reads one file.
struct Reader<'f> {
    file: &'f Path,
    text: &'f str,
    documents: Vec<Node>,
    errors: Vec<ManifestError>,
    /// Counts towards [`NODES`].
    nodes: usize,
}

/// Builds one document.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Anchor>,
    root: Option<Node>,
}

/// A list or map whose end has not come yet.
struct Open {
    anchor: usize,
    at: Position,
    style: StructureStyle,
    /// Levels below this one.
    height: usize,
    /// Nodes in it, itself included.
    size: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// Where each key stands in `entries`.
    index: HashMap<SmolStr, usize>,
    /// The keys written in this map itself, not merged into it.
    written: HashMap<SmolStr, Position>,
    key: Option<Key>,
}

/// A key that waits for its value.
enum Key {
    Plain(SmolStr, Position),
    Merge(Position),
    /// Reported already; its value is read and forgotten.
    Refused,
}

/// What an alias stands for.
struct Anchor {
    node: Node,
    height: usize,
    size: usize,
}

/// Why the rest of a document is not read.
enum Stop {
    /// Its errors are reported; the next document may be fine.
    Document,
    /// Nothing more of this file is read.
    File,
}

// === impl Reader ===

impl Reader<'_> {
    fn read(&mut self) {
        let options = granit_parser::options! {
            // kubectl splits a file at its `---` lines before it parses, so a directive never meets its document.
            disallow_directives: true,
            emit_anchor_events: true,
            emit_comments: false,
            flow_nesting_limit: DEPTH,
            block_nesting_limit: DEPTH,
        };
        let mut parser = Parser::new_from_str_with_options(self.text, options);
        loop {
            match self.document(&mut parser) {
                Ok(true) => continue,
                Ok(false) | Err(Stop::File) => return,
                Err(Stop::Document) => {}
            }
            match parser.proceed_next_document() {
                Ok(true) if self.errors.len() < ERRORS => {}
                Ok(_) => return,
                Err(error) => return self.scan_error(&error),
            }
        }
    }

    /// Reads up to the end of one document. False at the end of the text.
    fn document<'t>(&mut self, parser: &mut Parser<'t, StrInput<'t>>) -> Result<bool, Stop> {
        let errors = self.errors.len();
        let mut builder = Builder::default();
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    self.scan_error(&error);
                    return Err(Stop::Document);
                }
            };
            match event {
                Event::StreamEnd => return Ok(false),
                Event::DocumentEnd => {
                    let root = builder.root.take().filter(|root| root.value != Value::Null);
                    if self.errors.len() == errors {
                        self.documents.extend(root);
                    }
                    return Ok(true);
                }
                Event::DocumentStart(explicit, _) => self.document_start(explicit, &span)?,
                event => self.node(&mut builder, event, &span)?,
            }
        }
        Ok(false)
    }

    /// After `...` kubectl forgets what comes before the next `---`.
    fn document_start(&mut self, explicit: bool, span: &Span) -> Result<(), Stop> {
        let first = self.documents.is_empty() && self.errors.is_empty() && self.nodes == 0;
        if explicit || first {
            return Ok(());
        }
        self.error(position(&span.start), "kubectl does not read what follows `...`; separate documents by `---`");
        Err(Stop::Document)
    }

    fn node(&mut self, builder: &mut Builder, event: Event<'_>, span: &Span) -> Result<(), Stop> {
        let at = position(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, at)?;
                if style == ScalarStyle::Plain {
                    self.flow_indicators(builder, &text, anchor, tag.as_deref(), span)?;
                }
                if builder.awaits_key() {
                    let key = self.key(&text, style, tag.as_deref(), at);
                    let node = Node { value: Value::Text(key.name(&text)), at: Some(at) };
                    builder.anchor(anchor, &node, 0, 1);
                    return self.put_key(builder, key);
                }
                let node = self.scalar(&text, style, tag.as_deref(), at);
                self.count(usize::from(anchor != 0), at)?;
                builder.anchor(anchor, &node, 0, 1);
                self.put(builder, node, 0, 1)
            }
            Event::SequenceStart(style, anchor, _) => {
                let content = Content::List(Vec::new());
                self.open(builder, Open { anchor, at, style, height: 0, size: 1, content })
            }
            Event::MappingStart(style, anchor, _) => {
                let content = Content::Map(OpenMap::default());
                self.open(builder, Open { anchor, at, style, height: 0, size: 1, content })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(builder),
            Event::Alias(id) => self.alias(builder, id, at),
            Event::Anchor(_, name) => self.anchor_name(&name, at),
            _ => Ok(()),
        }
    }

    /// Within brackets the versions of YAML differ on a `?` before, a `:` behind, and an anchor or tag right before the
    /// `:` of a plain scalar.
    fn flow_indicators(
        &mut self,
        builder: &Builder,
        text: &str,
        anchor: usize,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<(), Stop> {
        if !matches!(builder.open.last(), Some(Open { style: StructureStyle::Flow, .. })) {
            return Ok(());
        }
        let range = span.byte_range().filter(|range| !range.is_empty());
        let rest = range.and_then(|range| self.text.get(range.end..)).unwrap_or_default();
        let colon =
            rest.trim_start().strip_prefix(':').is_some_and(|next| next.starts_with([',', '[', ']', '{', '}', '?']));
        let after_mark = (anchor != 0 || tag.is_some()) && (text.is_empty() || text.starts_with(':'));
        if colon || after_mark || text.starts_with('?') {
            let message =
                format!("kubectl reads the punctuation at {} otherwise; quote it, or add a space", quoted(text));
            self.error(position(&span.start), message);
        }
        self.enough()
    }

    /// YAML 1.2 lets an anchor's name hold almost anything; for kubectl the name of `&a:b` ends before the colon.
    fn anchor_name(&mut self, name: &str, at: Position) -> Result<(), Stop> {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            self.error(
                at,
                format!("the anchor {} has a name that kubectl reads otherwise; use letters and digits", quoted(name)),
            );
        }
        self.enough()
    }

    fn open(&mut self, builder: &mut Builder, open: Open) -> Result<(), Stop> {
        let at = open.at;
        self.count(1, at)?;
        if builder.awaits_key() {
            self.error(at, "a key must be a string, not a list or a map");
            return Err(Stop::Document);
        }
        if builder.open.len() >= DEPTH {
            return self.too_deep(at);
        }
        builder.open.push(open);
        Ok(())
    }

    fn close(&mut self, builder: &mut Builder) -> Result<(), Stop> {
        let Some(Open { anchor, at, height, size, content, .. }) = builder.open.pop() else {
            return Ok(());
        };
        let value = match content {
            Content::List(items) => Value::List(items.into()),
            Content::Map(map) => Value::Map(map.entries.into()),
        };
        let node = Node { value, at: Some(at) };
        if anchor != 0 {
            self.count(size, at)?;
        }
        builder.anchor(anchor, &node, height.saturating_add(1), size);
        self.put(builder, node, height.saturating_add(1), size)
    }

    fn alias(&mut self, builder: &mut Builder, id: usize, at: Position) -> Result<(), Stop> {
        let Some(Anchor { node, height, size }) = builder.anchors.get(&id) else {
            self.error(at, "an alias stands inside the value that it names");
            return Err(Stop::Document);
        };
        let (height, size) = (*height, *size);
        if builder.open.len().saturating_add(height) > DEPTH {
            return self.too_deep(at);
        }
        self.count(size, at)?;
        let node = Node { value: node.value.clone(), at: Some(at) };
        if builder.awaits_key() {
            let key = match node.value {
                Value::Text(text) => Key::Plain(text, at),
                _ => {
                    self.error(at, "an alias that stands for a key must name a string");
                    Key::Refused
                }
            };
            return self.put_key(builder, key);
        }
        self.put(builder, node, height, size)
    }

    /// Adds a value to what is open; without anything open it is the document.
    fn put(&mut self, builder: &mut Builder, node: Node, height: usize, size: usize) -> Result<(), Stop> {
        let Some(parent) = builder.open.last_mut() else {
            builder.root = Some(node);
            return Ok(());
        };
        let merged = matches!(parent.content, Content::Map(OpenMap { key: Some(Key::Merge(_)), .. }));
        parent.height = parent.height.max(if merged { height.saturating_sub(1) } else { height });
        parent.size = parent.size.saturating_add(size);
        match &mut parent.content {
            Content::List(items) => items.push(node),
            Content::Map(map) => match map.key.take() {
                Some(Key::Plain(key, key_at)) => map.set(Entry { key, key_at: Some(key_at), value: node }),
                Some(Key::Merge(key_at)) => self.merge(map, node, key_at)?,
                Some(Key::Refused) | None => {}
            },
        }
        Ok(())
    }

    /// Adds a key to the map that is open.
    fn put_key(&mut self, builder: &mut Builder, key: Key) -> Result<(), Stop> {
        let Some(Open { content: Content::Map(map), size, .. }) = builder.open.last_mut() else {
            return Ok(());
        };
        *size = size.saturating_add(1);
        if let Key::Plain(name, at) = &key {
            if let Some(first) = map.written.get(name) {
                let message = format!("duplicate key {}; it stands at {first} already", quoted(name));
                self.error(*at, message);
                map.key = Some(Key::Refused);
                return self.enough();
            }
            map.written.insert(name.clone(), *at);
        }
        map.key = Some(key);
        self.enough()
    }

    /// `<<`: kubectl goes through a map from top to bottom, so a merge replaces what stands above it (YAML says that
    /// what is written wins). In a list of maps the first has precedence.
    fn merge(&mut self, map: &mut OpenMap, node: Node, at: Position) -> Result<(), Stop> {
        let sources = match node.value {
            Value::Map(_) => vec![node],
            Value::List(items) => items.into(),
            _ => Vec::new(),
        };
        if sources.is_empty() || sources.iter().any(|source| !matches!(source.value, Value::Map(_))) {
            self.error(at, "a merge key needs a map or a list of maps");
            return self.enough();
        }
        for source in sources.into_iter().rev() {
            if let Value::Map(entries) = source.value {
                entries.into_iter().for_each(|entry| map.set(entry));
            }
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Node {
        let value = match self.meaning(text, style, tag, at) {
            Some(Scalar::Null) => Value::Null,
            Some(Scalar::Boolean(value)) => Value::Boolean(value),
            Some(Scalar::Integer(value)) => Value::Number(value.to_string().into()),
            Some(Scalar::Float(value)) if value.is_finite() => Value::Number(scalar::float_text(value).as_str().into()),
            Some(Scalar::Float(_)) => {
                self.error(at, format!("{} has no form in JSON; quote it to make it a string", quoted(text)));
                Value::Null
            }
            Some(Scalar::Text) => Value::Text(text.into()),
            None => Value::Null,
        };
        Node { value, at: Some(at) }
    }

    fn key(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Key {
        if text == "<<" && (tag.is_some() || style == ScalarStyle::Plain) {
            if tag.is_some() && core(tag).as_deref() != Some("merge") {
                self.error(
                    at,
                    "a merge key with a tag; remove the tag, or put the key into quotes to make it a string",
                );
                return Key::Refused;
            }
            return Key::Merge(at);
        }
        match self.meaning(text, style, tag, at) {
            Some(Scalar::Text) => Key::Plain(text.into(), at),
            Some(Scalar::Boolean(true)) => Key::Plain(SmolStr::new_static("true"), at),
            Some(Scalar::Boolean(false)) => Key::Plain(SmolStr::new_static("false"), at),
            Some(Scalar::Integer(value)) => Key::Plain(smol_str::format_smolstr!("{value}"), at),
            Some(Scalar::Float(value)) => Key::Plain(scalar::float_key(value), at),
            Some(Scalar::Null) => {
                self.error(at, "a key must be a string, not null");
                Key::Refused
            }
            None => Key::Refused,
        }
    }

    /// What a scalar means; `None` if that is an error, which is then reported.
    fn meaning(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Option<Scalar> {
        let Some(kind) = core(tag) else {
            // A tag of somebody's own makes a string of every scalar, and so do quotes.
            let plain = tag.is_none() && style == ScalarStyle::Plain;
            return Some(if plain { scalar::resolve(text) } else { Scalar::Text });
        };
        let meaning = scalar::resolve(text);
        let fitting = match (&*kind, &meaning) {
            ("str" | "timestamp" | "merge", _) => Some(Scalar::Text),
            ("int", Scalar::Integer(_)) | ("bool", Scalar::Boolean(_)) | ("null", Scalar::Null) => Some(meaning),
            ("float", Scalar::Float(_) | Scalar::Integer(_)) => Some(meaning),
            _ => None,
        };
        if fitting.is_none() {
            self.error(at, format!("{} is not of type {}", quoted(text), quoted(&format!("!!{kind}"))));
        }
        fitting
    }

    fn count(&mut self, nodes: usize, at: Position) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= NODES {
            return Ok(());
        }
        self.error(at, format!("more than {NODES} values, those that aliases stand for included; split the file"));
        Err(Stop::File)
    }

    fn too_deep(&mut self, at: Position) -> Result<(), Stop> {
        self.error(at, format!("lists and maps are nested deeper than {DEPTH} levels"));
        Err(Stop::Document)
    }

    fn enough(&self) -> Result<(), Stop> {
        if self.errors.len() < ERRORS { Ok(()) } else { Err(Stop::File) }
    }

    fn scan_error(&mut self, error: &ScanError) {
        self.error(position(error.marker()), error.info());
    }

    fn error(&mut self, at: Position, message: impl Into<String>) {
        if self.errors.len() < ERRORS {
            self.errors.push(ManifestError::new(self.file, Some(at), message));
        }
    }
}

// === impl Builder ===

impl Builder {
    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Map(OpenMap { key: None, .. }), .. }))
    }

    fn anchor(&mut self, id: usize, node: &Node, height: usize, size: usize) {
        if id != 0 {
            self.anchors.insert(id, Anchor { node: node.clone(), height, size });
        }
    }
}

// === impl OpenMap ===

impl OpenMap {
    /// Sets a key, whoever set it before.
    fn set(&mut self, entry: Entry) {
        match self.index.get(&entry.key).and_then(|at| self.entries.get_mut(*at)) {
            Some(earlier) => *earlier = entry,
            None => {
                self.index.insert(entry.key.clone(), self.entries.len());
                self.entries.push(entry);
            }
        }
    }
}

// === impl Key ===

impl Key {
    /// What an alias of this key stands for.
    fn name(&self, text: &str) -> SmolStr {
        match self {
            Key::Plain(name, _) => name.clone(),
            Key::Merge(_) | Key::Refused => text.into(),
        }
    }
}

/// The name of a type that kubectl knows. `!` alone and all other tags are none.
fn core(tag: Option<&Tag>) -> Option<Cow<'_, str>> {
    let name = tag?.suffix_in_namespace(CORE)?;
    matches!(&*name, "binary" | "bool" | "float" | "int" | "merge" | "null" | "str" | "timestamp").then_some(name)
}

fn position(marker: &Marker) -> Position {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(marker.line()), column: number(marker.col().saturating_add(1)) }
}

#[cfg(test)]
mod tests;
