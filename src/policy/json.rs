//! JSON text as a [`Node`]: nothing dropped, everything with its line and column.
//!
//! A map keeps a key that stands in it twice, in both entries; a general JSON reader would keep the last one and a
//! policy would mean something other than what a person reads. Numbers and their exact value survive as text. What the
//! values *mean* is judged by the readers of the policy language, not here.

use std::fmt::Display;

use super::condition::Decimal;
use super::limits;
use super::report::Quoted;
use super::tree::{Entry, Node, Position, Value};

/// Why a text is no JSON document that is read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonError {
    /// Where reading stopped; `None` when it never began.
    pub at: Option<Position>,
    /// What was found and what would be right.
    pub message: String,
}

/// Reads one JSON value (RFC 8259) and nothing after it.
///
/// Time is linear in the length of the text; the stack is bounded by [`limits::DEPTH`], what is kept by
/// [`limits::VALUES`] and the length.
///
/// # Errors
/// When the text is longer than `max_bytes`, nested deeper than [`limits::DEPTH`], has more than
/// [`limits::VALUES`] values, holds a number longer than
/// [`limits::STRING_BYTES`] or beyond [`Decimal::MAX_EXPONENT`], or is no JSON.
pub fn parse(text: &str, max_bytes: usize) -> Result<Node, JsonError> {
    if text.len() > max_bytes {
        let message = format!("found {} bytes; at most {max_bytes} are read", text.len());
        return Err(JsonError { at: None, message });
    }
    let mut cursor = Cursor { text, offset: 0, position: Position { line: 1, column: 1 }, values: 0 };
    let node = cursor.value(0)?;
    match cursor.peek() {
        None => Ok(node),
        Some(_) => Err(cursor.unexpected("the end of the document")),
    }
}

struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    position: Position,
    /// How many values have begun.
    values: usize,
}

// === impl Cursor ===

impl<'t> Cursor<'t> {
    /// Reads a value inside so many lists and maps.
    fn value(&mut self, depth: usize) -> Result<Node, JsonError> {
        let Some(first) = self.peek() else { return Err(self.unexpected("a value")) };
        if self.values >= limits::VALUES {
            return Err(self.error(format!("more than {} values; no valid object has as many", limits::VALUES)));
        }
        self.values = self.values.saturating_add(1);
        let at = Some(self.position);
        let value = match first {
            b'{' | b'[' if depth >= limits::DEPTH => {
                let message = format!("more than {} lists and maps inside one another", limits::DEPTH);
                return Err(self.error(message));
            }
            b'{' => Value::Map(self.map(depth.saturating_add(1))?.into()),
            b'[' => Value::List(self.list(depth.saturating_add(1))?.into()),
            b'"' => Value::Text(self.string()?.into()),
            b'-' | b'0'..=b'9' => self.number()?,
            _ => {
                let word = self.span(|b| b.is_ascii_alphanumeric());
                let value = match word {
                    "null" => Value::Null,
                    "true" => Value::Boolean(true),
                    "false" => Value::Boolean(false),
                    "" => return Err(self.unexpected("a value")),
                    _ => return Err(self.error(format!("expected a value, found {}", Quoted(word)))),
                };
                self.advance(word.len());
                value
            }
        };
        Ok(Node { value, at })
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, JsonError> {
        let mut entries = Vec::new();
        self.advance(1);
        if self.peek() == Some(b'}') {
            self.advance(1);
            return Ok(entries);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key_at = Some(self.position);
            let key = self.string()?.into();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.advance(1);
            let value = self.value(depth)?;
            entries.push(Entry { key, key_at, value });
            match self.peek() {
                Some(b',') => self.advance(1),
                Some(b'}') => {
                    self.advance(1);
                    return Ok(entries);
                }
                _ => return Err(self.unexpected("`,` or `}`")),
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, JsonError> {
        let mut items = Vec::new();
        self.advance(1);
        if self.peek() == Some(b']') {
            self.advance(1);
            return Ok(items);
        }
        loop {
            items.push(self.value(depth)?);
            match self.peek() {
                Some(b',') => self.advance(1),
                Some(b']') => {
                    self.advance(1);
                    return Ok(items);
                }
                _ => return Err(self.unexpected("`,` or `]`")),
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let rest = self.rest();
        let mut has_escape = false;
        let mut is_escaped = false;
        let mut end = None;
        for (index, b) in rest.bytes().enumerate().skip(1) {
            match b {
                _ if is_escaped => is_escaped = false,
                b'\\' => {
                    has_escape = true;
                    is_escaped = true;
                }
                b'"' => {
                    end = Some(index);
                    break;
                }
                0..=0x1F => {
                    self.advance(index);
                    return Err(self.error("control character in a string; write it as an escape"));
                }
                _ => {}
            }
        }
        let Some(end) = end else { return Err(self.error("string without its closing `\"`")) };
        let raw = rest.get(..=end).unwrap_or("");
        let text = if has_escape {
            serde_json::from_str(raw)
                .map_err(|_| self.error("unknown escape in a string; expected one of JSON's, such as `\\n`"))?
        } else {
            rest.get(1..end).unwrap_or("").to_owned()
        };
        self.advance(raw.len());
        Ok(text)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let text = self.span(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if text.len() > limits::STRING_BYTES {
            let message =
                format!("found a number of {} characters; at most {} are read", text.len(), limits::STRING_BYTES);
            return Err(self.error(message));
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        let has_leading_zero =
            digits.len() > 1 && digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let decimal = Decimal::parse(text).filter(|_| !has_leading_zero);
        let Some(decimal) = decimal else {
            return Err(self.error(format!("number {} is not one of JSON's, or out of bounds", Quoted(text))));
        };
        self.advance(text.len());
        Ok(Value::Number(decimal.to_string().into()))
    }

    /// The next byte that is no white space; the cursor then stands on it.
    fn peek(&mut self) -> Option<u8> {
        let blank = self.span(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).len();
        self.advance(blank);
        self.rest().bytes().next()
    }

    /// What follows as long as the bytes, all ASCII, are of this kind.
    fn span(&self, is_part: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.bytes().position(|b| !is_part(b)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or("")
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or("")
    }

    fn advance(&mut self, bytes: usize) {
        for b in self.rest().bytes().take(bytes) {
            if b == b'\n' {
                self.position.line = self.position.line.saturating_add(1);
                self.position.column = 1;
            } else if b & 0xC0 != 0x80 {
                self.position.column = self.position.column.saturating_add(1);
            }
        }
        self.offset = self.offset.saturating_add(bytes);
    }

    fn unexpected(&self, expected: &str) -> JsonError {
        match self.rest().chars().next() {
            None => self.error(format!("expected {expected}, found the end of the text")),
            Some(c) => self.error(format!("expected {expected}, found {}", Quoted(c.encode_utf8(&mut [0; 4])))),
        }
    }

    fn error(&self, message: impl Display) -> JsonError {
        JsonError { at: Some(self.position), message: message.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Instant;

    fn refused(text: &str) -> String {
        let error = parse(text, usize::MAX).unwrap_err();
        format!("{}: {}", error.at.map_or_else(String::new, |at| at.to_string()), error.message)
    }

    #[test]
    fn values_know_where_they_began() {
        let node = parse("{\"ä\": [1.50, true],\n  \"b\": {\"c\": null}}", 1_000).unwrap();
        let at = |node: &Node| node.at.unwrap().to_string();
        let [a, b] = node.entries() else { panic!("{node:?}") };
        assert_eq!((at(&node), at(&a.value), at(&b.value)), ("1:1".into(), "1:7".into(), "2:8".into()));
        assert_eq!(b.key_at.unwrap().to_string(), "2:3");
        let Value::List(items) = &a.value.value else { panic!() };
        assert_eq!(items[0].value, Value::Number("1.5".into()));
        assert_eq!(at(&items[1]), "1:14");
    }

    #[test]
    fn a_key_that_stands_twice_stays_twice() {
        assert_eq!(parse(r#"{"a":1,"a":2}"#, 100).unwrap().entries().len(), 2);
    }

    #[test]
    fn errors_say_where_and_what_would_be_right() {
        for (text, expected) in [
            ("", "1:1: expected a value, found the end of the text"),
            ("{\"a\" 1}", "1:6: expected `:`, found `1`"),
            ("{\"a\":1,}", "1:8: expected a key in double quotes, found `}`"),
            ("{a:1}", "1:2: expected a key in double quotes, found `a`"),
            ("[1 2]", "1:4: expected `,` or `]`, found `2`"),
            ("[1,]", "1:4: expected a value, found `]`"),
            ("{}\n x", "2:2: expected the end of the document, found `x`"),
            ("[\"a", "1:2: string without its closing `\"`"),
            ("\"a\nb\"", "1:3: control character in a string; write it as an escape"),
            ("\"\\x\"", "1:1: unknown escape in a string; expected one of JSON's, such as `\\n`"),
            ("\"\\ud800\"", "1:1: unknown escape in a string; expected one of JSON's, such as `\\n`"),
            ("01", "1:1: number `01` is not one of JSON's, or out of bounds"),
            ("1e9999999", "1:1: number `1e9999999` is not one of JSON's, or out of bounds"),
            ("-", "1:1: number `-` is not one of JSON's, or out of bounds"),
            ("nul", "1:1: expected a value, found `nul`"),
            ("\u{feff}{}", "1:1: expected a value, found `\\u{feff}`"),
        ] {
            assert_eq!(refused(text), expected);
        }
    }

    #[test]
    fn bombs_are_refused_quickly() {
        let key_bomb = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(1_000_000));
        for (text, expected) in [
            ("[".repeat(1_000_000), Some("1:17: more than 16 lists and maps inside one another")),
            ("{\"a\":".repeat(1_000_000), Some("1:81: more than 16 lists and maps inside one another")),
            ("1".repeat(5_000_000), Some("1:1: found a number of 5000000 characters; at most 2048 are read")),
            (format!("\"{}", "\\".repeat(5_000_000)), Some("1:1: string without its closing `\"`")),
            (key_bomb, Some("1:393216: more than 65536 values; no valid object has as many")),
            (format!("\"{}\"", "\\u00e4".repeat(800_000)), None),
            (
                format!("[{}1]", "1,".repeat(2_500_000)),
                Some("1:131072: more than 65536 values; no valid object has as many"),
            ),
        ] {
            let start = Instant::now();
            let result = parse(&text, usize::MAX);
            let per_kib = start.elapsed().as_secs_f64() * 1_000.0 / (text.len() as f64 / 1_024.0);
            assert!(per_kib < 1.0, "{per_kib} ms per KiB");
            assert_eq!(result.is_ok(), expected.is_none());
            if let Some(expected) = expected {
                assert_eq!(refused(&text), expected);
            }
            let error = parse(&text, limits::DOCUMENT_BYTES).unwrap_err();
            assert_eq!(error.message, format!("found {} bytes; at most 131072 are read", text.len()));
        }
    }

    #[test]
    fn sixteen_levels_are_read() {
        assert!(parse(&format!("{}{}", "[".repeat(16), "]".repeat(16)), 100).is_ok());
        assert!(parse(&format!("{}{}", "[".repeat(17), "]".repeat(17)), 100).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn it_accepts_what_a_general_reader_accepts(text in "[\\[\\]{}\",:\\\\ 0-9.eE+\\-tfnrualsb\n]{0,24}") {
            let general = serde_json::from_str::<serde_json::Value>(&text);
            match parse(&text, usize::MAX) {
                Ok(node) => {
                    // Numbers that overflow a float are errors there and exact here.
                    if let Ok(value) = general && !text.contains(['.', 'e', 'E']) && value.as_object().is_none() {
                        prop_assert_eq!(strip(node), Node::from(&value));
                    }
                }
                Err(error) => prop_assert!(general.is_err(), "{}: {:?}", text, error),
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,64}") {
            let _ = parse(&text, usize::MAX);
        }
    }

    fn strip(node: Node) -> Node {
        Node::new(match node.value {
            Value::List(items) => Value::List(items.into_iter().map(strip).collect()),
            Value::Map(entries) => Value::Map(
                entries.into_iter().map(|e| Entry { key: e.key, key_at: None, value: strip(e.value) }).collect(),
            ),
            other => other,
        })
    }
}
