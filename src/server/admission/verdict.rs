//! What is said of a change, while it is being judged and when it has been.

use std::fmt::Display;

use smol_str::SmolStr;

use crate::mapping::{MAX_LINE_CHARACTERS, one_line};
use crate::world::{GROUP, Kind, ObjectKey};

/// Problems and reserved changes that a refusal lists; what comes after is counted.
const LISTED: usize = 5;
/// Warnings of one answer; what comes after is counted in the last one.
const WARNINGS: usize = 10;
/// Characters of a warning: kubectl cuts longer ones (`kubernetes-contract.md` A11).
const WARNING_CHARACTERS: usize = 256;

/// What becomes of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, with these warnings.
    Admitted(Vec<String>),
    /// Nobody may do it; the message says why.
    Refused(String),
    /// Some may do it.
    Reserved(Reserved),
}

/// A change that only some callers may make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// What is changed.
    pub subject: Subject,
    /// Which changes, in the words of a refusal.
    pub changes: String,
    /// What is said when it goes on.
    pub warnings: Vec<String>,
}

/// What a reserved change is made to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An object of ours: kube-iam itself changes it too.
    Object(ObjectKey),
    /// A Namespace.
    Account(SmolStr),
}

/// Everything that is found on the way to a [`Verdict`].
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: Vec<String>,
    reserved: Vec<String>,
    warnings: Vec<String>,
}

// === impl Findings ===

impl Findings {
    /// Something that nobody may do.
    pub(super) fn refuse(&mut self, path: impl Display, message: impl Display) {
        self.problems.push(line(path, message));
    }

    /// Something that only some may do.
    pub(super) fn reserve(&mut self, path: impl Display, message: impl Display) {
        self.reserved.push(line(path, message));
    }

    /// Something that may be done and probably was not meant.
    pub(super) fn warn(&mut self, path: impl Display, message: impl Display) {
        self.warnings.push(cut(line(path, message), WARNING_CHARACTERS));
    }

    /// What follows from all of it.
    pub(super) fn verdict(self, subject: Subject) -> Verdict {
        let mut warnings = self.warnings;
        if let Some(further) = warnings.len().checked_sub(WARNINGS).filter(|further| *further > 0) {
            warnings.truncate(WARNINGS - 1);
            warnings.push(format!("{} further warnings are not shown", further + 1));
        }
        if !self.problems.is_empty() {
            return Verdict::Refused(listed("problems", &self.problems));
        }
        if !self.reserved.is_empty() {
            return Verdict::Reserved(Reserved { subject, changes: listed("changes", &self.reserved), warnings });
        }
        Verdict::Admitted(warnings)
    }
}

// === impl Subject ===

impl Subject {
    /// API group, plural, namespace and name, as a SubjectAccessReview has them. A Namespace is cluster-scoped, so its
    /// namespace is empty: a RoleBinding inside it says nothing about the Namespace.
    pub(super) fn attributes(&self) -> [&str; 4] {
        match self {
            Self::Object(key) => [GROUP, plural(key.kind), &key.account, &key.name],
            Self::Account(name) => ["", "namespaces", "", name],
        }
    }

    /// Who may make a reserved change, in the words of a refusal.
    pub(super) fn reserved_for(&self) -> String {
        match self {
            Self::Object(key) => format!(
                "only kube-iam, the management root, installers and callers with the verb `escalate` on \
                 `{}.kube-iam.dev/{}` in namespace `{}` change this",
                plural(key.kind),
                key.name,
                key.account
            ),
            Self::Account(name) => format!(
                "only the management root, installers and callers with the verb `escalate` on `namespaces/{name}` \
                 change this"
            ),
        }
    }
}

// === free functions ===

/// The plural of a kind of ours.
pub(super) fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "iamusers",
        Kind::Group => "iamgroups",
        Kind::Role => "iamroles",
        Kind::Policy => "iampolicies",
    }
}

/// What was found at a path, as one printable line. Unlike the reason of a decision it reaches its author only, and says
/// in angle brackets what would be right: these stay.
fn line(path: impl Display, message: impl Display) -> String {
    let path = path.to_string();
    let text = if path.is_empty() { message.to_string() } else { format!("{path}: {message}") };
    let printable = |c: char| match c {
        '<' | '>' | '&' => c.to_string(),
        _ => one_line(c.encode_utf8(&mut [0; 4])),
    };
    let line: String = text.chars().take(MAX_LINE_CHARACTERS.saturating_add(1)).map(printable).collect();
    cut(line, MAX_LINE_CHARACTERS)
}

/// At most so many characters; `…` stands for the rest.
fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// One line as it is, several with their numbers.
fn listed(what: &str, lines: &[String]) -> String {
    if let [line] = lines {
        return line.clone();
    }
    let mut text = format!("{} {what}:", lines.len());
    for (index, line) in lines.iter().take(LISTED).enumerate() {
        text.push_str(&format!(" ({}) {line}", index + 1));
    }
    if let Some(further) = lines.len().checked_sub(LISTED).filter(|further| *further > 0) {
        text.push_str(&format!(" and {further} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Subject {
        Subject::Account("a".into())
    }

    #[test]
    fn several_problems_are_numbered_and_the_rest_is_counted() {
        let refused = |count: usize| {
            let mut findings = Findings::default();
            (0..count).for_each(|index| findings.refuse(format_args!("spec.p{index}"), "bad"));
            findings.reserve("x", "y");
            findings.verdict(account())
        };
        assert_eq!(refused(1), Verdict::Refused("spec.p0: bad".to_owned()));
        assert_eq!(refused(2), Verdict::Refused("2 problems: (1) spec.p0: bad (2) spec.p1: bad".to_owned()));
        let Verdict::Refused(text) = refused(7) else { panic!() };
        assert!(text.starts_with("7 problems: (1) ") && text.ends_with(" (5) spec.p4: bad and 2 more"), "{text}");
    }

    #[test]
    fn a_line_is_printable_and_bounded_and_keeps_what_would_be_right() {
        assert_eq!(
            line("spec.x", "a\u{1b}[31m\u{202e}\n; expected `<account>` & <name>"),
            "spec.x: a\\u{1b}[31m\\u{202e}\\u{a}; expected `<account>` & <name>"
        );
        let long = line("", "\u{7f}".repeat(100_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (MAX_LINE_CHARACTERS, true));
        let plain = line("", "x".repeat(MAX_LINE_CHARACTERS + 1));
        assert_eq!((plain.chars().count(), plain.ends_with("x…")), (MAX_LINE_CHARACTERS, true));
    }

    #[test]
    fn warnings_are_short_few_and_printable() {
        let mut findings = Findings::default();
        (0..30).for_each(|index| findings.warn("a\nb", format!("{index}{}", "x".repeat(1_000))));
        let Verdict::Admitted(warnings) = findings.verdict(account()) else { panic!() };
        assert_eq!(warnings.len(), WARNINGS);
        assert_eq!(warnings.last().unwrap(), "21 further warnings are not shown");
        assert!(
            warnings.iter().all(|warning| warning.chars().count() <= WARNING_CHARACTERS && !warning.contains('\n'))
        );
        assert!(warnings[0].starts_with("a\\u{a}b: 0x") && warnings[0].ends_with("x…"));
    }
}
