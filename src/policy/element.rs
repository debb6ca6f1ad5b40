//! Reads the list elements of a statement: actions and resources, and the lists of strings in all of them.

use super::fields::{Field, Fields};
use super::form::Form;
use super::format::{check_action, check_resource, check_text, check_variables, check_wildcards};
use super::limits;
use super::pattern::{ActionPattern, ResourcePattern, eq_fold};
use super::reading::{Reader, Texts};
use super::report::{Path, Quoted};
use super::statement::{Element, Polarity, PolicyKind, Soundness};
use super::tree::{Entry, Node, Value};

/// One string of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'n> {
    /// Its place in the list; `None` if it stands alone.
    pub index: Option<usize>,
    pub node: &'n Node,
    pub text: &'n str,
}

/// What an entry of a list says.
#[derive(Debug)]
pub(super) enum Reading<T> {
    /// It can be read.
    Good(T),
    /// It can be read, but may not stand here.
    Refused(T, String),
    /// It cannot be read.
    Bad(String),
}

/// What a `null` in a list of strings does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    /// It is reported and skipped (`iam-semantics.md` §2 rule 7).
    Skipped,
    /// It makes the list unreadable.
    Refused,
}

/// Whether an element must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
}

// === impl Reader ===

impl Reader {
    /// Rule 6, and §2.1: one of `Action` and `NotAction`.
    pub(super) fn actions(
        &mut self,
        fields: &Fields<'_>,
        node: &Node,
        path: &Path<'_>,
        soundness: &mut Soundness,
    ) -> Element<ActionPattern> {
        let names = self.form.names();
        let keys = [names.action, names.not_action];
        let (kind, texts) = (self.kind, self.texts);
        let read = |text: &str| {
            if let Err(message) = check_wildcards(text) {
                return Reading::Bad(message);
            }
            if let Err(message) = check_action(text) {
                return Self::odd(texts, ActionPattern::parse(text), message);
            }
            let action = ActionPattern::parse(text);
            match (kind, &action) {
                (_, ActionPattern::Any) if text != "*" => Reading::Refused(action, several_stars(text)),
                (PolicyKind::ResourceControl, ActionPattern::Any) => {
                    let message = "a ResourceControl policy must say which actions, not all of them";
                    Reading::Refused(action, message.to_owned())
                }
                (PolicyKind::Trust, ActionPattern::Named { service: Some(service), .. })
                    if !eq_fold(service, "sts") =>
                {
                    let message = format!("action {} has no place in a trust policy; expected `sts:…`", Quoted(text));
                    Reading::Refused(action, message)
                }
                _ => Reading::Good(action),
            }
        };
        let element = self.one_of(fields, node, path, keys, Presence::Required, |reader, entry, polarity| {
            reader.list(entry, path, polarity, Nulls::Refused, read)
        });
        if matches!(self.kind, PolicyKind::Trust | PolicyKind::ResourceControl)
            && let Some(entry) = fields.get(names.not_action).entry()
        {
            let message = format_args!("{} lists its actions; write `{}`", self.kind.describe(), names.action);
            self.problems.add(&path.key(names.not_action), entry.key_at, message);
            if self.kind == PolicyKind::ResourceControl || self.texts == Texts::Judged {
                *soundness = Soundness::Malformed;
            }
        }
        element
    }

    /// Rule 7, and §2.1: one of `Resource` and `NotResource`; free in a resource policy, forbidden in a trust policy.
    pub(super) fn resources(
        &mut self,
        fields: &Fields<'_>,
        node: &Node,
        path: &Path<'_>,
        soundness: &mut Soundness,
    ) -> Element<ResourcePattern> {
        let names = self.form.names();
        let keys = [names.resource, names.not_resource];
        let presence = match self.kind {
            PolicyKind::Trust => {
                let why = "a trust policy speaks about its own role";
                self.refuse_elements(fields, keys, path, why, soundness);
                return Element::Absent;
            }
            PolicyKind::Resource => Presence::Optional,
            PolicyKind::Identity | PolicyKind::ServiceControl | PolicyKind::ResourceControl => Presence::Required,
        };
        let (version, kind, texts) = (self.version, self.kind, self.texts);
        let nulls = match self.form {
            Form::Document => Nulls::Skipped,
            Form::Typed => Nulls::Refused,
        };
        let read = |text: &str| {
            if let Err(message) = check_wildcards(text).and_then(|()| check_variables(text, version)) {
                return Reading::Bad(message);
            }
            match check_resource(text) {
                Ok(()) => match ResourcePattern::parse(text, version, kind) {
                    ResourcePattern::Any if text != "*" => Reading::Refused(ResourcePattern::Any, several_stars(text)),
                    pattern => Reading::Good(pattern),
                },
                Err(message) => Self::odd(texts, ResourcePattern::parse(text, version, kind), message),
            }
        };
        self.one_of(fields, node, path, keys, presence, |reader, entry, polarity| {
            reader.list(entry, path, polarity, nulls, read)
        })
    }

    /// Reads an element that has two keys, of which one may stand (rule 3).
    pub(super) fn one_of<'n, T>(
        &mut self,
        fields: &Fields<'n>,
        node: &Node,
        path: &Path<'_>,
        keys: [&'static str; 2],
        presence: Presence,
        mut read: impl FnMut(&mut Self, &'n Entry, Polarity) -> Element<T>,
    ) -> Element<T> {
        let mut one = |reader: &mut Self, polarity: Polarity| match fields.get(polarity.key(keys)) {
            Field::Absent | Field::Repeated(_) => Element::Malformed,
            Field::Once(entry) => read(reader, entry, polarity),
        };
        let [positive, negated] = keys;
        match (fields.get(positive).entry(), fields.get(negated).entry()) {
            (Some(_), None) => one(self, Polarity::Positive),
            (None, Some(_)) => one(self, Polarity::Negated),
            (Some(_), Some(second)) => {
                let message = format_args!("`{positive}` and `{negated}` exclude each other; keep one");
                self.problems.add(path, second.key_at, message);
                one(self, Polarity::Positive);
                one(self, Polarity::Negated);
                Element::Malformed
            }
            (None, None) if presence == Presence::Optional => Element::Absent,
            (None, None) => {
                self.problems.add(path, node.at, format_args!("missing `{positive}` or `{negated}`"));
                Element::Malformed
            }
        }
    }

    /// Reads an element that is a list of strings.
    pub(super) fn list<T>(
        &mut self,
        entry: &Entry,
        path: &Path<'_>,
        polarity: Polarity,
        nulls: Nulls,
        read: impl FnMut(&str) -> Reading<T>,
    ) -> Element<T> {
        let path = path.key(&entry.key);
        let (items, soundness) = self.strings(&entry.value, &path, nulls);
        match self.entries(&items, soundness, &path, read) {
            Some(entries) => Element::Listed(polarity, entries),
            None => Element::Malformed,
        }
    }

    /// Reads the entries of a list; `None` if one of them cannot be read.
    pub(super) fn entries<T>(
        &mut self,
        items: &[Item<'_>],
        mut soundness: Soundness,
        path: &Path<'_>,
        mut read: impl FnMut(&str) -> Reading<T>,
    ) -> Option<Box<[T]>> {
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            let reading = match check_text(item.text) {
                Ok(()) => read(item.text),
                Err(message) => Reading::Bad(message),
            };
            let message = match reading {
                Reading::Good(entry) => {
                    entries.push(entry);
                    continue;
                }
                Reading::Refused(entry, message) => {
                    entries.push(entry);
                    message
                }
                Reading::Bad(message) => {
                    soundness = Soundness::Malformed;
                    message
                }
            };
            let path = item.index.map_or(*path, |index| path.index(index));
            self.problems.add(&path, item.node.at, message);
        }
        (soundness == Soundness::Sound).then(|| entries.into())
    }

    /// The strings of a list, or in a document the one bare string; malformed if there is anything else in it.
    pub(super) fn strings<'n>(&mut self, node: &'n Node, path: &Path<'_>, nulls: Nulls) -> (Vec<Item<'n>>, Soundness) {
        let expected = match self.form {
            Form::Document => "expected a string or a list of strings",
            Form::Typed => "expected a list of strings",
        };
        let nodes = match &node.value {
            Value::Text(text) if self.form == Form::Document => {
                return (vec![Item { index: None, node, text }], Soundness::Sound);
            }
            Value::Text(text) => {
                let message = format_args!("expected a list of strings, found a string; write [{}]", Quoted(text));
                self.problems.add(path, node.at, message);
                return (Vec::new(), Soundness::Malformed);
            }
            Value::List(nodes) => nodes,
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Map(_) => {
                self.problems.add(path, node.at, format_args!("{expected}, found {}", node.describe()));
                return (Vec::new(), Soundness::Malformed);
            }
        };
        if nodes.is_empty() {
            self.problems.add(path, node.at, format_args!("{expected}, found an empty list"));
            return (Vec::new(), Soundness::Malformed);
        }
        if nodes.len() > limits::LIST_ENTRIES {
            let message = format_args!("{} entries; at most {} are read", nodes.len(), limits::LIST_ENTRIES);
            self.problems.add(path, node.at, message);
            return (Vec::new(), Soundness::Malformed);
        }
        let mut soundness = Soundness::Sound;
        let mut items = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            match &node.value {
                Value::Text(text) => items.push(Item { index: Some(index), node, text }),
                Value::Null if nulls == Nulls::Skipped => {
                    self.problems.add(&path.index(index), node.at, "expected a string, found null; remove it");
                }
                Value::Null | Value::Boolean(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
                    let message = format_args!("expected a string, found {}", node.describe());
                    self.problems.add(&path.index(index), node.at, message);
                    soundness = Soundness::Malformed;
                }
            }
        }
        if items.is_empty() {
            soundness = Soundness::Malformed;
        }
        (items, soundness)
    }
}

// === free functions ===

/// Evaluation reads any number of stars as one (`iam-semantics.md` §4.2), AWS accepts one only (§2.2).
fn several_stars(text: &str) -> String {
    format!("expected `*`, found {}", Quoted(text))
}
