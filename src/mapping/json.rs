//! JSON as it stands on the wire, with every key once.
//!
//! A key that stands twice is where two parsers disagree (`guarantees.md` V19), so it is refused everywhere, also in
//! parts that nobody reads.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value. Texts are borrowed where they hold no escapes.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Null,
    Bool,
    Number,
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(BTreeMap<Cow<'a, str>, Node<'a>>),
}

/// Reads one value and nothing behind it. Nesting is bounded by the parser (128), the number of values by `most`.
pub(super) fn read(bytes: &[u8], most: u32) -> Result<Node<'_>, serde_json::Error> {
    let left = Cell::new(most);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let node = NodeSeed { left: &left }.deserialize(&mut json)?;
    json.end()?;
    Ok(node)
}

#[derive(Clone, Copy)]
struct NodeSeed<'b> {
    left: &'b Cell<u32>,
}

struct TextSeed;

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node<'de>, E> {
        Ok(Node::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(self)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut nodes = BTreeMap::new();
        while let Some(key) = map.next_key_seed(TextSeed)? {
            if nodes.contains_key(&key) {
                return Err(A::Error::custom(format_args!("key `{}` stands twice", super::text::name(&key))));
            }
            nodes.insert(key, map.next_value_seed(self)?);
        }
        Ok(Node::Map(nodes))
    }
}

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        read(text.as_bytes(), 1_000).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn texts_without_escapes_are_borrowed() {
        for (text, borrowed) in [(r#""abc""#, true), (r#""a\u0062c""#, false)] {
            let Ok(Node::Text(found)) = read(text.as_bytes(), 1) else { panic!("{text}") };
            assert_eq!(found, "abc");
            assert_eq!(matches!(found, Cow::Borrowed(_)), borrowed);
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_however_deep_and_however_written() {
        assert_eq!(problem(r#"{"x":[{"a":1,"a":1}]}"#), "key `a` stands twice at line 1 column 16");
        assert!(problem(r#"{"a":1,"\u0061":1}"#).starts_with("key `a` stands twice"));
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        assert!(problem(&"[".repeat(1_000_000)).starts_with("recursion limit exceeded"));
        assert!(problem(&r#"{"a":"#.repeat(1_000_000)).starts_with("recursion limit exceeded"));
        assert!(problem(&format!("[{}1]", "1,".repeat(1_000))).starts_with("too many values"));
        for text in
            ["", "{} {}", "{}x", "nul", "\u{feff}{}", "[1,]", r#"{"a":1,}"#, "'a'", r#""\ud800""#, "1e999", "{1:2}"]
        {
            assert!(read(text.as_bytes(), 1_000).is_err(), "{text}");
        }
        assert!(read(b"\"\xff\"", 10).is_err());
    }
}
