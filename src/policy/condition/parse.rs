//! Reads the conditions of a statement, in either form (`iam-semantics.md` §2 rules 10 and 11).
//!
//! With one condition that cannot be read all of the statement's are left out, and the statement is malformed. A value of the wrong type is a problem
//! only where AWS refuses it (§2.2: dates, `Bool`, `Null`), and never makes the condition unreadable: it is *bad*.

use std::collections::HashSet;

use smol_str::SmolStr;

use super::value::parse_bool;
use super::{Base, Condition, ConditionKey, Instant, Operator, Values};
use crate::policy::fields::Field;
use crate::policy::form::Form;
use crate::policy::format::{check_text, check_variables, check_wildcards};
use crate::policy::limits;
use crate::policy::reading::Reader;
use crate::policy::report::{Path, Quoted};
use crate::policy::statement::{Soundness, Version};
use crate::policy::tree::{Entry, Node, Position, Value};

/// The end of a message about a text that is no operator, looked for only if the message is shown.
struct Meant<'a>(&'a str);

// === impl Meant ===

impl std::fmt::Display for Meant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Operator::parse_folded(self.0).or_else(|| Operator::nearest(self.0)) {
            Some(meant) => write!(f, "; did you mean `{meant}`?"),
            None => Ok(()),
        }
    }
}

// === impl Reader ===

impl Reader {
    /// The readable conditions, in the order of operator and key: a map has no order, so that of its text must not show.
    pub(in crate::policy) fn conditions(
        &mut self,
        field: Field<'_>,
        path: &Path<'_>,
        soundness: &mut Soundness,
    ) -> Box<[Condition]> {
        let entry = match field {
            Field::Absent => return Box::default(),
            Field::Repeated(_) => {
                *soundness = Soundness::Malformed;
                return Box::default();
            }
            Field::Once(entry) => entry,
        };
        let path = path.key(&entry.key);
        let mut readable = Soundness::Sound;
        let mut conditions = match self.form {
            Form::Document => self.condition_map(&entry.value, &path, &mut readable),
            Form::Typed => self.condition_list(&entry.value, &path, &mut readable),
        };
        if readable == Soundness::Malformed {
            // One bad entry makes the whole element count as matched (`kubernetes-contract.md` B13).
            *soundness = Soundness::Malformed;
            return Box::default();
        }
        conditions.sort_by_cached_key(|condition| {
            let key = &condition.key;
            (condition.operator.to_string(), SmolStr::new(key.folded()), SmolStr::new(key.written()))
        });
        conditions.into()
    }

    /// `{operator: {key: values}}`.
    fn condition_map(&mut self, node: &Node, path: &Path<'_>, soundness: &mut Soundness) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let Value::Map(operators) = &node.value else {
            let message = format_args!("expected a map from operators to maps, found {}", node.describe());
            self.problems.add(path, node.at, message);
            *soundness = Soundness::Malformed;
            return conditions;
        };
        let repeated_operators = self.repeated_keys(node, path);
        for entry in operators {
            let is_repeated = repeated_operators.contains(entry.key.as_str());
            let Some(operator) = self.operator_entry(entry, path) else {
                *soundness = Soundness::Malformed;
                continue;
            };
            let path = path.key(&entry.key);
            let repeated_keys = self.repeated_keys(&entry.value, &path);
            for entry in entry.value.entries() {
                let path = path.key(&entry.key);
                let Some(operator) = operator else { continue };
                if conditions.len() >= limits::CONDITIONS {
                    let message = format_args!("more than {} conditions in one statement", limits::CONDITIONS);
                    self.problems.add(&path, entry.key_at, message);
                    *soundness = Soundness::Malformed;
                    return conditions;
                }
                let condition = self.condition(operator, &entry.key, entry.key_at, &entry.value, &path);
                match condition {
                    Some(condition) if !is_repeated && !repeated_keys.contains(entry.key.as_str()) => {
                        conditions.push(condition);
                    }
                    _ => *soundness = Soundness::Malformed,
                }
            }
        }
        conditions
    }

    /// The operator of an entry of a condition map: `None` if the entry cannot be read, and `Some(None)` for an unknown
    /// operator without keys, which is legal and says nothing.
    fn operator_entry(&mut self, entry: &Entry, path: &Path<'_>) -> Option<Option<Operator>> {
        let Value::Map(keys) = &entry.value.value else {
            let message =
                format_args!("expected a map from condition keys to values, found {}", entry.value.describe());
            self.problems.add(&path.key(&entry.key), entry.value.at, message);
            return None;
        };
        if keys.is_empty() {
            return Some(None);
        }
        let operator = self.operator(&entry.key, &path.key(&entry.key), entry.key_at)?;
        Some(Some(operator))
    }

    /// An operator in its one spelling; another case is reported and read all the same (D27).
    fn operator(&mut self, text: &str, path: &Path<'_>, at: Option<Position>) -> Option<Operator> {
        if let Some(operator) = Operator::parse(text) {
            return Some(operator);
        }
        self.problems.add(path, at, format_args!("unknown condition operator {}{}", Quoted(text), Meant(text)));
        Operator::parse_folded(text)
    }

    /// `[{operator, key, values}]`.
    fn condition_list(&mut self, node: &Node, path: &Path<'_>, soundness: &mut Soundness) -> Vec<Condition> {
        let mut conditions: Vec<Condition> = Vec::new();
        let items = match &node.value {
            Value::List(items) if !items.is_empty() => items,
            Value::List(_) => {
                self.problems.add(path, node.at, "expected a list of conditions, found an empty list");
                *soundness = Soundness::Malformed;
                return conditions;
            }
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
                self.problems.add(
                    path,
                    node.at,
                    format_args!("expected a list of conditions, found {}", node.describe()),
                );
                *soundness = Soundness::Malformed;
                return conditions;
            }
        };
        let mut seen = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            if index >= limits::CONDITIONS {
                let message = format_args!("{} conditions; at most {} are read", items.len(), limits::CONDITIONS);
                self.problems.add(&path, item.at, message);
                *soundness = Soundness::Malformed;
                break;
            }
            let Some(condition) = self.typed_condition(item, &path) else {
                *soundness = Soundness::Malformed;
                continue;
            };
            if !seen.insert((condition.operator, condition.key.clone())) {
                let (operator, key) = (condition.operator, Quoted(condition.key.written()));
                let message =
                    format_args!("`{operator}` on {key} is there twice; keep one, its values are alternatives");
                self.problems.add(&path, item.at, message);
                *soundness = Soundness::Malformed;
            }
            conditions.push(condition);
        }
        conditions
    }

    fn typed_condition(&mut self, node: &Node, path: &Path<'_>) -> Option<Condition> {
        let known = ["operator", "key", "values"];
        if !matches!(node.value, Value::Map(_)) {
            let message = format_args!("expected a map with `operator`, `key` and `values`, found {}", node.describe());
            self.problems.add(path, node.at, message);
            return None;
        }
        let fields = self.fields(node, path, &known);
        let [operator, key, values] = known.map(|name| fields.get(name));
        for (name, field) in known.iter().zip([operator, key, values]) {
            if matches!(field, Field::Absent) {
                self.problems.add(path, node.at, format_args!("missing `{name}`"));
            }
        }
        let operator = match operator {
            Field::Once(entry) => self.text(entry, path).and_then(|text| {
                let path = path.key(&entry.key);
                self.operator(text, &path, entry.value.at)
            }),
            Field::Absent | Field::Repeated(_) => None,
        };
        let key = match key {
            Field::Once(entry) => self.text(entry, path).filter(|key| {
                if key.is_empty() {
                    self.problems.add(&path.key(&entry.key), entry.value.at, "empty condition key");
                }
                !key.is_empty()
            }),
            Field::Absent | Field::Repeated(_) => None,
        };
        let Field::Once(values) = values else { return None };
        let path = path.key(&values.key);
        // Problems of the values are reported even if there is no operator to read them by.
        let texts = self.texts(&values.value, &path)?;
        let values = self.values(operator?, &texts, &path)?;
        (fields.soundness == Soundness::Sound).then_some(())?;
        Some(Condition { operator: operator?, key: ConditionKey::new(key?), values })
    }

    fn text<'n>(&mut self, entry: &'n Entry, path: &Path<'_>) -> Option<&'n str> {
        let path = path.key(&entry.key);
        let Some(text) = entry.value.text() else {
            let message = format_args!("expected a string, found {}", entry.value.describe());
            self.problems.add(&path, entry.value.at, message);
            return None;
        };
        match check_text(text) {
            Ok(()) => Some(text),
            Err(message) => {
                self.problems.add(&path, entry.value.at, message);
                None
            }
        }
    }

    fn condition(
        &mut self,
        operator: Operator,
        key: &str,
        key_at: Option<Position>,
        values: &Node,
        path: &Path<'_>,
    ) -> Option<Condition> {
        let checked = check_text(key);
        if let Err(message) = &checked {
            self.problems.add(path, key_at, message);
        }
        let texts = self.texts(values, path)?;
        let values = self.values(operator, &texts, path)?;
        checked.ok()?;
        Some(Condition { operator, key: ConditionKey::new(key), values })
    }

    /// The values of a condition as texts, each with its place in the list.
    fn texts<'n>(&mut self, node: &'n Node, path: &Path<'_>) -> Option<Vec<(Option<usize>, &'n Node, SmolStr)>> {
        let items = match (&node.value, self.form) {
            (Value::List(items), Form::Typed) if items.is_empty() => {
                self.problems.add(path, node.at, "expected a list of strings, found an empty list");
                return None;
            }
            (Value::List(items), _) => items,
            (Value::Text(text), Form::Typed) => {
                let message = format_args!("expected a list of strings, found a string; write [{}]", Quoted(text));
                self.problems.add(path, node.at, message);
                return None;
            }
            (_, Form::Typed) => {
                self.problems.add(path, node.at, format_args!("expected a list of strings, found {}", node.describe()));
                return None;
            }
            (_, Form::Document) => {
                return match scalar(node) {
                    Some(text) => Some(vec![(None, node, text)]),
                    None => {
                        let message = format_args!("expected a value or a list of values, found {}", node.describe());
                        self.problems.add(path, node.at, message);
                        None
                    }
                };
            }
        };
        if items.len() > limits::CONDITION_VALUES {
            let message = format_args!("{} values; at most {} are read", items.len(), limits::CONDITION_VALUES);
            self.problems.add(path, node.at, message);
            return None;
        }
        let mut texts = Some(Vec::with_capacity(items.len()));
        for (index, item) in items.iter().enumerate() {
            let text = match self.form {
                Form::Document => scalar(item),
                Form::Typed => item.text().map(SmolStr::new),
            };
            match text {
                Some(text) => {
                    if let Some(texts) = &mut texts {
                        texts.push((Some(index), item, text));
                    }
                }
                None => {
                    let expected = match self.form {
                        Form::Document => "a string, a number or a boolean",
                        Form::Typed => "a string",
                    };
                    let message = match (self.form, scalar(item)) {
                        (Form::Typed, Some(text)) => {
                            format!("expected {expected}, found {}; write \"{text}\"", item.describe())
                        }
                        _ => format!("expected {expected}, found {}", item.describe()),
                    };
                    self.problems.add(&path.index(index), item.at, message);
                    texts = None;
                }
            }
        }
        texts
    }

    /// Reads values by the type of their operator; `None` if one is over a limit.
    fn values(
        &mut self,
        operator: Operator,
        texts: &[(Option<usize>, &Node, SmolStr)],
        path: &Path<'_>,
    ) -> Option<Values> {
        let version = self.version;
        let mut is_readable = true;
        for (index, node, text) in texts {
            let path = index.map_or(*path, |index| path.index(index));
            let checked =
                check_text(text).and_then(|()| check_variables(text, version)).and_then(|()| match operator.base {
                    Base::StringLike
                    | Base::StringNotLike
                    | Base::ArnEquals
                    | Base::ArnNotEquals
                    | Base::ArnLike
                    | Base::ArnNotLike => check_wildcards(text),
                    _ => Ok(()),
                });
            if let Err(message) = checked {
                self.problems.add(&path, node.at, message);
                is_readable = false;
            } else if let Err(message) = check_value(operator.base, text, version) {
                self.problems.add(&path, node.at, message);
            }
        }
        is_readable.then(|| Values::parse(operator.base, version, texts.iter().map(|(_, _, text)| text.as_str())))
    }
}

// === free functions ===

/// The text of a scalar (`iam-semantics.md` §2 rule 11).
fn scalar(node: &Node) -> Option<SmolStr> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(text) => Some(SmolStr::from(&**text)),
        Value::Boolean(true) => Some(SmolStr::new_static("true")),
        Value::Boolean(false) => Some(SmolStr::new_static("false")),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// What AWS checks of a value on write (`iam-semantics.md` §2.2, §6.3).
fn check_value(base: Base, text: &str, version: Version) -> Result<(), String> {
    match base {
        Base::DateEquals
        | Base::DateNotEquals
        | Base::DateLessThan
        | Base::DateLessThanEquals
        | Base::DateGreaterThan
        | Base::DateGreaterThanEquals => {
            if is_written_date(text) {
                return Ok(());
            }
            Err(format!("date {} is none; expected `2026-01-02T03:04:05Z` or seconds since 1970", Quoted(text)))
        }
        // A variable may stand for the value of Bool [D21].
        Base::Bool if version == Version::V2012 && text.contains("${") => Ok(()),
        Base::Bool | Base::Null => match parse_bool(text) {
            Some(_) => Ok(()),
            None => Err(format!("expected `true` or `false`, found {}", Quoted(text))),
        },
        _ => Ok(()),
    }
}

/// Whether AWS accepts the text of a date on write. That is wider than what evaluation reads.
fn is_written_date(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    if !text.contains(['t', '-']) {
        return text.parse::<i64>().is_ok_and(|seconds| seconds >= 0) && !text.starts_with('+');
    }
    let in_range = |text: &str, least: i64, most: i64| {
        text.bytes().all(|b| b.is_ascii_digit())
            && text.parse::<i64>().is_ok_and(|value| (least..=most).contains(&value))
    };
    let (date, time) = text.split_once('t').unwrap_or((&text, ""));
    let (years, date) = match date.strip_prefix('-') {
        Some(date) => (292_275_054, date),
        None => (292_278_993, date),
    };
    let mut parts = date.split('-');
    let is_date = parts.next().is_some_and(|year| in_range(year, 0, years))
        && parts.next().is_none_or(|month| in_range(month, 1, 12))
        && parts.next().is_none_or(|day| in_range(day, 1, 31))
        && parts.next().is_none();
    let (clock, zone) = match time.find(['z', '+', '-']).and_then(|at| time.split_at_checked(at)) {
        Some((clock, zone)) => (clock, zone),
        None => (time, ""),
    };
    let is_zone = match zone.strip_prefix(['+', '-']) {
        None => zone.is_empty() || zone == "z",
        Some(zone) => {
            let (hours, minutes) = zone.split_once(':').unwrap_or((zone, "00"));
            hours.len() == 2 && in_range(hours, 0, 23) && minutes.len() == 2 && in_range(minutes, 0, 59)
        }
    };
    let mut parts = clock.splitn(3, ':');
    let is_clock = parts.next().is_some_and(|hour| hour.is_empty() || in_range(hour, 0, 23))
        && parts.next().is_none_or(|minute| in_range(minute, 0, 59))
        && parts.next().is_none_or(|second| {
            let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
            in_range(second, 0, 59) && in_range(fraction, 0, 999_999_999)
        });
    (is_date && is_clock && is_zone) || (text.contains('t') && Instant::parse(&text.to_ascii_uppercase()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_accepted_as_aws_accepts_them() {
        for text in [
            "0",
            "9223372036854775807",
            "01T",
            "2012",
            "2012-10",
            "2012-10-17",
            "-292275054",
            "2019-07-01T13:20:15Z",
            "2016-12-13T21:20:37.593194+00:00",
            "2016-12-13t2:00:00.593194+23",
            "2026-01-01T00:00:00-05:00",
            "2026-01-01T00:00",
        ] {
            assert!(is_written_date(text), "{text}");
        }
        for text in [
            "",
            "sdfdsf",
            "234-13",
            "2016-12-13t2:00:00.593194+1",
            "2016-12-13t2:00:00.1999999999+10:59",
            "9223372036854775808",
            "+5",
            "1.5",
            "${hello}",
            "292278994-01",
            "2026-01-32",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00Zx",
            "2026-01-01-01",
            "T",
            "-",
        ] {
            assert!(!is_written_date(text), "{text}");
        }
    }
}
