//! Reads statements, in either form.
//!
//! Every problem of a statement is reported, and what is readable is kept (`iam-semantics.md` §2 rule 12): an effect
//! that cannot be read is a Deny, an element that cannot be read matches in a Deny, a condition that cannot be read is
//! left out with all of its statement, and with any of these an Allow never applies.

use std::collections::HashMap;

use smol_str::SmolStr;

use super::element::Reading;
use super::fields::{Field, Fields};
use super::form::Form;
use super::format::check_text;
use super::limits;
use super::report::{Hint, Path, Problems, Quoted};
use super::statement::{Effect, Element, Polarity, PolicyKind, Soundness, Statement, Version};
use super::tree::{Node, Position, Value};

/// What the reading of one policy needs everywhere: how it is written, what it is, and what was found wrong so far.
#[derive(Debug)]
pub(super) struct Reader {
    pub form: Form,
    pub kind: PolicyKind,
    pub version: Version,
    pub texts: Texts,
    pub problems: Problems,
    /// The statement that first used each sid.
    sids: HashMap<SmolStr, usize>,
}

/// What an action, a resource or a principal does that is a string but not of the form that is accepted on write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// Its element cannot be read: it restricts and grants nothing.
    Judged,
    /// It means what the matching rules make of it (`iam-semantics.md` §4, §7), which is mostly nothing.
    Taken,
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(form: Form, kind: PolicyKind, version: Version) -> Self {
        Self { form, kind, version, texts: Texts::Judged, problems: Problems::default(), sids: HashMap::new() }
    }

    /// An entry that is refused on write for its form.
    pub(super) fn odd<T>(texts: Texts, entry: T, message: String) -> Reading<T> {
        match texts {
            Texts::Judged => Reading::Bad(message),
            Texts::Taken => Reading::Refused(entry, message),
        }
    }

    /// Reads a list of statements. What is beyond [`limits::STATEMENTS`] counts as one statement that cannot be read.
    pub(super) fn statements(&mut self, nodes: &[Node], path: &Path<'_>) -> Vec<Statement> {
        let mut statements = Vec::with_capacity(nodes.len().min(limits::STATEMENTS));
        for (index, node) in nodes.iter().enumerate().take(limits::STATEMENTS) {
            statements.push(self.statement(node, &path.index(index), index));
        }
        if let Some(unread) = nodes.get(limits::STATEMENTS) {
            let message = format_args!("{} statements; at most {} are read", nodes.len(), limits::STATEMENTS);
            self.problems.add(path, unread.at, message);
            statements.push(self.unreadable(unread.at));
        }
        statements
    }

    /// Reads one statement, the one with this number.
    pub(super) fn statement(&mut self, node: &Node, path: &Path<'_>, index: usize) -> Statement {
        let names = self.form.names();
        if !matches!(node.value, Value::Map(_)) {
            let message =
                format_args!("expected a statement, a map with `{}`, found {}", names.effect, node.describe());
            self.problems.add(path, node.at, message);
            return self.unreadable(node.at);
        }
        let fields = self.fields(node, path, &names.all());
        let mut soundness = fields.soundness;
        let sid = self.sid(&fields, node, path, index, &mut soundness);
        let effect = self.effect(&fields, node, path);
        if effect.is_none() {
            soundness = Soundness::Malformed;
        }
        let effect = effect.unwrap_or(Effect::Deny);
        let principals = self.principals(&fields, node, path, effect, &mut soundness);
        let actions = self.actions(&fields, node, path, &mut soundness);
        let resources = self.resources(&fields, node, path, &mut soundness);
        let conditions = self.conditions(fields.get(names.condition), path, &mut soundness);
        if principals == Element::Malformed || actions == Element::Malformed || resources == Element::Malformed {
            soundness = Soundness::Malformed;
        }
        Statement { sid, effect, soundness, principals, actions, resources, conditions, at: node.at }
    }

    /// Reports an element that has no place in this kind of policy; it is then ignored.
    pub(super) fn refuse_elements(
        &mut self,
        fields: &Fields<'_>,
        keys: [&'static str; 2],
        path: &Path<'_>,
        why: &str,
        soundness: &mut Soundness,
    ) {
        for key in keys {
            if let Some(entry) = fields.get(key).entry() {
                self.problems.add(&path.key(key), entry.key_at, format_args!("{why}; remove `{key}`"));
                *soundness = Soundness::Malformed;
            }
        }
    }

    /// A statement of which nothing can be read: it denies everything that its place lets it reach.
    pub(super) fn unreadable(&self, at: Option<Position>) -> Statement {
        Statement {
            sid: SmolStr::default(),
            effect: Effect::Deny,
            soundness: Soundness::Malformed,
            principals: match self.kind {
                PolicyKind::Identity | PolicyKind::ServiceControl => Element::Absent,
                PolicyKind::Resource | PolicyKind::Trust | PolicyKind::ResourceControl => Element::Malformed,
            },
            actions: Element::Malformed,
            resources: match self.kind {
                PolicyKind::Trust => Element::Absent,
                PolicyKind::Identity
                | PolicyKind::Resource
                | PolicyKind::ServiceControl
                | PolicyKind::ResourceControl => Element::Malformed,
            },
            conditions: Box::default(),
            at,
        }
    }

    /// Rule 8: letters and digits, unique; a typed statement must have one (`design.md` §4.1).
    fn sid(
        &mut self,
        fields: &Fields<'_>,
        node: &Node,
        path: &Path<'_>,
        index: usize,
        soundness: &mut Soundness,
    ) -> SmolStr {
        let key = self.form.names().sid;
        let entry = match fields.get(key) {
            Field::Absent => {
                if self.form == Form::Typed {
                    self.problems.add(path, node.at, format_args!("missing `{key}`; give the statement a name"));
                }
                return SmolStr::default();
            }
            Field::Once(entry) | Field::Repeated(entry) => entry,
        };
        let path = path.key(key);
        let at = entry.value.at;
        let Some(sid) = entry.value.text() else {
            self.problems.add(&path, at, format_args!("expected a string, found {}", entry.value.describe()));
            *soundness = Soundness::Malformed;
            return SmolStr::default();
        };
        if let Err(message) = check_text(sid) {
            self.problems.add(&path, at, message);
            return SmolStr::default();
        }
        if sid.is_empty() {
            if self.form == Form::Typed {
                self.problems.add(&path, at, "empty name; expected letters and digits");
            }
            return SmolStr::default();
        }
        if !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let message = format_args!("name {} holds more than letters and digits of ASCII", Quoted(sid));
            self.problems.add(&path, at, message);
        }
        match self.sids.get(sid) {
            None => {
                self.sids.insert(sid.into(), index);
            }
            Some(first) => {
                let first = first.saturating_add(1);
                let message =
                    format_args!("name {} is that of statement {first} too; each name is used once", Quoted(sid));
                self.problems.add(&path, at, message);
            }
        }
        sid.into()
    }

    /// Rule 4: exactly `Allow` or `Deny`.
    fn effect(&mut self, fields: &Fields<'_>, node: &Node, path: &Path<'_>) -> Option<Effect> {
        let key = self.form.names().effect;
        let entry = match fields.get(key) {
            Field::Absent => {
                self.problems.add(path, node.at, format_args!("missing `{key}`; expected `Allow` or `Deny`"));
                return None;
            }
            Field::Once(entry) => entry,
            Field::Repeated(_) => return None,
        };
        let path = path.key(key);
        let value = &entry.value;
        match value.text() {
            Some("Allow") => {
                if self.kind == PolicyKind::ResourceControl {
                    self.problems.add(&path, value.at, "a ResourceControl policy holds `Deny` statements only");
                }
                Some(Effect::Allow)
            }
            Some("Deny") => Some(Effect::Deny),
            Some(other) => {
                let hint = Hint { found: other, known: &["Allow", "Deny"] };
                self.problems.add(&path, value.at, format_args!("unknown effect {}{hint}", Quoted(other)));
                None
            }
            None => {
                let message = format_args!("expected `Allow` or `Deny`, found {}", value.describe());
                self.problems.add(&path, value.at, message);
                None
            }
        }
    }
}

// === impl PolicyKind ===

impl PolicyKind {
    /// The kind in the words of a message, with its article.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Identity => "an identity policy",
            Self::Resource => "a resource policy",
            Self::Trust => "a trust policy",
            Self::ServiceControl => "a ServiceControl policy",
            Self::ResourceControl => "a ResourceControl policy",
        }
    }
}

// === impl Polarity ===

impl Polarity {
    /// The key of this polarity.
    pub(super) fn key(self, [positive, negated]: [&'static str; 2]) -> &'static str {
        match self {
            Self::Positive => positive,
            Self::Negated => negated,
        }
    }
}
