//! Untyped text with positions: what a JSON or YAML reader saw, nothing dropped.
//!
//! Duplicate keys stay in the tree as two entries, nulls stay nulls: judging them is the work of the strict readers.

use smol_str::SmolStr;

use super::condition::Decimal;

/// A place in a text. Lines and columns count from 1; a column counts Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// One value of a document and where it began, if the reader knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What was read.
    pub value: Value,
    /// Where it began; `None` for objects that come from an API server.
    pub at: Option<Position>,
}

/// The value of a [`Node`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, as its shortest decimal text.
    Number(Box<str>),
    /// A string.
    Text(SmolStr),
    /// A list.
    List(Box<[Node]>),
    /// A map, in the order written; a key may stand in it twice.
    Map(Box<[Entry]>),
}

/// One key of a map with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key as written.
    pub key: SmolStr,
    /// Where the key began.
    pub key_at: Option<Position>,
    /// Its value.
    pub value: Node,
}

// === impl Position ===

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

// === impl Node ===

impl Node {
    /// A node without a position.
    pub fn new(value: Value) -> Self {
        Self { value, at: None }
    }

    /// The same without positions, for a text that nobody sees: an object of an API server.
    #[must_use]
    pub fn without_positions(self) -> Self {
        let value = match self.value {
            Value::List(items) => Value::List(items.into_iter().map(Node::without_positions).collect()),
            Value::Map(entries) => {
                let unplaced =
                    |entry: Entry| Entry { key: entry.key, key_at: None, value: entry.value.without_positions() };
                Value::Map(entries.into_iter().map(unplaced).collect())
            }
            value @ (Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_)) => value,
        };
        Self::new(value)
    }

    /// The value of the first entry with this key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of a map; empty for every other value.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => &[],
        }
    }

    /// The text of a string; `None` for every other value.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The kind of value in the words of an error message.
    pub fn describe(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Boolean(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// What an API server is told: of a key that stands twice, the last value.
impl From<&Node> for serde_json::Value {
    fn from(node: &Node) -> Self {
        match &node.value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Bool(*value),
            // A decimal text is a JSON number; one beyond what this program can hold stays text.
            Value::Number(number) => serde_json::from_str(number).unwrap_or_else(|_| Self::String(number.to_string())),
            Value::Text(text) => Self::String(text.to_string()),
            Value::List(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Map(entries) => {
                Self::Object(entries.iter().map(|entry| (entry.key.to_string(), Self::from(&entry.value))).collect())
            }
        }
    }
}

/// Objects as an API server or a test hands them over: without positions.
impl From<&serde_json::Value> for Node {
    fn from(json: &serde_json::Value) -> Self {
        Node::new(match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Boolean(*value),
            serde_json::Value::Number(number) => {
                let text = number.to_string();
                Value::Number(Decimal::parse(&text).map_or(text, |decimal| decimal.to_string()).into())
            }
            serde_json::Value::String(text) => Value::Text(text.into()),
            serde_json::Value::Array(items) => Value::List(items.iter().map(Node::from).collect()),
            serde_json::Value::Object(map) => Value::Map(
                map.iter()
                    .map(|(key, value)| Entry { key: key.into(), key_at: None, value: Node::from(value) })
                    .collect(),
            ),
        })
    }
}
