//! Condition operators (`iam-semantics.md` §6.2).

use crate::policy::report::nearest;

/// What to do with several values of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// No prefix: the key must be single-valued.
    None,
    /// `ForAllValues:`.
    ForAllValues,
    /// `ForAnyValue:`.
    ForAnyValue,
}

/// What a condition says when the request has no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MissingKey {
    /// The operator's own rule (`iam-semantics.md` §6.4).
    ByOperator,
    /// `…IfExists`: true.
    Passes,
}

/// The comparison. A negated one is true when none of its values matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the operator of that name in the policy language")]
pub enum Base {
    StringEquals,
    StringNotEquals,
    StringEqualsIgnoreCase,
    StringNotEqualsIgnoreCase,
    StringLike,
    StringNotLike,
    NumericEquals,
    NumericNotEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateNotEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    BinaryEquals,
    IpAddress,
    NotIpAddress,
    ArnEquals,
    ArnNotEquals,
    ArnLike,
    ArnNotLike,
    Null,
}

/// An operator as written: `ForAnyValue:StringLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operator {
    /// The set prefix.
    pub quantifier: Quantifier,
    /// The comparison.
    pub base: Base,
    /// The `IfExists` suffix; never on `Null`.
    pub missing: MissingKey,
}

// === impl Base ===

impl Base {
    /// Every operator with its one spelling.
    pub const ALL: [(&'static str, Base); 27] = [
        ("StringEquals", Base::StringEquals),
        ("StringNotEquals", Base::StringNotEquals),
        ("StringEqualsIgnoreCase", Base::StringEqualsIgnoreCase),
        ("StringNotEqualsIgnoreCase", Base::StringNotEqualsIgnoreCase),
        ("StringLike", Base::StringLike),
        ("StringNotLike", Base::StringNotLike),
        ("NumericEquals", Base::NumericEquals),
        ("NumericNotEquals", Base::NumericNotEquals),
        ("NumericLessThan", Base::NumericLessThan),
        ("NumericLessThanEquals", Base::NumericLessThanEquals),
        ("NumericGreaterThan", Base::NumericGreaterThan),
        ("NumericGreaterThanEquals", Base::NumericGreaterThanEquals),
        ("DateEquals", Base::DateEquals),
        ("DateNotEquals", Base::DateNotEquals),
        ("DateLessThan", Base::DateLessThan),
        ("DateLessThanEquals", Base::DateLessThanEquals),
        ("DateGreaterThan", Base::DateGreaterThan),
        ("DateGreaterThanEquals", Base::DateGreaterThanEquals),
        ("Bool", Base::Bool),
        ("BinaryEquals", Base::BinaryEquals),
        ("IpAddress", Base::IpAddress),
        ("NotIpAddress", Base::NotIpAddress),
        ("ArnEquals", Base::ArnEquals),
        ("ArnNotEquals", Base::ArnNotEquals),
        ("ArnLike", Base::ArnLike),
        ("ArnNotLike", Base::ArnNotLike),
        ("Null", Base::Null),
    ];

    /// Whether the operator is true when no value matches.
    pub fn is_negated(self) -> bool {
        match self {
            Base::StringNotEquals
            | Base::StringNotEqualsIgnoreCase
            | Base::StringNotLike
            | Base::NumericNotEquals
            | Base::DateNotEquals
            | Base::NotIpAddress
            | Base::ArnNotEquals
            | Base::ArnNotLike => true,
            Base::StringEquals
            | Base::StringEqualsIgnoreCase
            | Base::StringLike
            | Base::NumericEquals
            | Base::NumericLessThan
            | Base::NumericLessThanEquals
            | Base::NumericGreaterThan
            | Base::NumericGreaterThanEquals
            | Base::DateEquals
            | Base::DateLessThan
            | Base::DateLessThanEquals
            | Base::DateGreaterThan
            | Base::DateGreaterThanEquals
            | Base::Bool
            | Base::BinaryEquals
            | Base::IpAddress
            | Base::ArnEquals
            | Base::ArnLike
            | Base::Null => false,
        }
    }

    /// The operator's spelling.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, base)| *base == self).map_or("", |(name, _)| name)
    }
}

// === impl Operator ===

impl Operator {
    /// Reads an operator in its one spelling, the only one that is accepted on write (D27).
    pub fn parse(text: &str) -> Option<Self> {
        parse_by(text, |a, b| a == b)
    }

    /// Reads an operator in any case, as evaluation of a stored document does (D27).
    pub fn parse_folded(text: &str) -> Option<Self> {
        parse_by(text, str::eq_ignore_ascii_case)
    }

    /// The operator that was probably meant by a text that is none.
    pub fn nearest(text: &str) -> Option<Self> {
        let (prefix, rest) = match text.split_once(':') {
            Some((prefix, rest)) => (nearest(prefix, PREFIXES.map(|(name, _)| name))?, rest.trim_start_matches(':')),
            None => ("", text),
        };
        let conditional: Vec<String> = Base::ALL.iter().map(|(name, _)| format!("{name}{IF_EXISTS}")).collect();
        let words = Base::ALL.iter().map(|(name, _)| *name).chain(conditional.iter().map(String::as_str));
        let word = nearest(rest, words)?;
        let word = if word == "NullIfExists" { "Null" } else { word };
        Self::parse(&if prefix.is_empty() { word.to_owned() } else { format!("{prefix}:{word}") })
    }
}

impl std::fmt::Display for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.quantifier {
            Quantifier::None => "",
            Quantifier::ForAllValues => "ForAllValues:",
            Quantifier::ForAnyValue => "ForAnyValue:",
        })?;
        f.write_str(self.base.as_str())?;
        f.write_str(match self.missing {
            MissingKey::ByOperator => "",
            MissingKey::Passes => "IfExists",
        })
    }
}

// === free functions ===

const IF_EXISTS: &str = "IfExists";
const PREFIXES: [(&str, Quantifier); 2] =
    [("ForAllValues", Quantifier::ForAllValues), ("ForAnyValue", Quantifier::ForAnyValue)];

fn parse_by(text: &str, is_equal: impl Fn(&str, &str) -> bool) -> Option<Operator> {
    let (quantifier, rest) = match text.split_once(':') {
        Some((prefix, rest)) => (PREFIXES.iter().find(|(name, _)| is_equal(name, prefix))?.1, rest),
        None => (Quantifier::None, text),
    };
    let base = |name: &str| Base::ALL.iter().find(|(known, _)| is_equal(known, name)).map(|(_, base)| *base);
    if let Some(base) = base(rest) {
        return Some(Operator { quantifier, base, missing: MissingKey::ByOperator });
    }
    let (name, suffix) = rest.split_at_checked(rest.len().checked_sub(IF_EXISTS.len())?)?;
    let base = base(name).filter(|base| *base != Base::Null && is_equal(suffix, IF_EXISTS))?;
    Some(Operator { quantifier, base, missing: MissingKey::Passes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_has_one_spelling() {
        for (name, base) in Base::ALL {
            for (prefix, quantifier) in PREFIXES.into_iter().chain([("", Quantifier::None)]) {
                for missing in [MissingKey::ByOperator, MissingKey::Passes] {
                    let operator = Operator { quantifier, base, missing };
                    let is_legal = base != Base::Null || missing == MissingKey::ByOperator;
                    let text = operator.to_string();
                    assert!(text.starts_with(prefix) && text.contains(name));
                    assert_eq!(Operator::parse(&text), is_legal.then_some(operator), "{text}");
                    assert_eq!(Operator::parse_folded(&text.to_uppercase()), is_legal.then_some(operator), "{text}");
                    assert_eq!(Operator::parse(&text.to_lowercase()), None, "{text}");
                }
            }
        }
    }

    #[test]
    fn a_near_miss_is_recognised() {
        for (text, meant) in [
            ("StringEqual", "StringEquals"),
            ("stringlike", "StringLike"),
            ("ForAnyValues:StringLike", "ForAnyValue:StringLike"),
            ("ForAnyValue::StringEqualsIfExists", "ForAnyValue:StringEqualsIfExists"),
            ("NullIfExists", "Null"),
            ("BoolIfExist", "BoolIfExists"),
            ("DateGreaterThenEquals", "DateGreaterThanEquals"),
        ] {
            assert_eq!(Operator::parse(text), None);
            assert_eq!(Operator::nearest(text).map(|operator| operator.to_string()).as_deref(), Some(meant), "{text}");
        }
        for text in ["", ":", "x", "StringLikeIgnoreCase", "IfExists", "ForAll:StringLike", "ForAnyValue:"] {
            assert_eq!((Operator::parse(text), Operator::nearest(text)), (None, None), "{text}");
        }
    }
}
