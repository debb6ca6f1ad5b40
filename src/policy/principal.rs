//! Whom a statement of a resource or trust policy names (`iam-semantics.md` §7).

use smol_str::SmolStr;

use super::element::{Nulls, Presence, Reading};
use super::fields::Fields;
use super::form::Form;
use super::format::check_text;
use super::reading::Reader;
use super::report::{Hint, Path, Quoted};
use super::statement::{Effect, Element, Polarity, PolicyKind, Soundness};
use super::tree::{Entry, Node, Value};
use crate::name::Arn;

/// One entry of `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalPattern {
    /// `*`: everyone, anonymous callers too.
    Any,
    /// A bare account, or the ARN of its root: every principal of that account.
    Account(SmolStr),
    /// The ARN of a user, a role, a session, a federated user, or a ServiceAccount.
    Entity(Arn),
    /// The unique id of a user or a role (`AIDA…`, `AROA…`).
    UniqueId(SmolStr),
    /// `{"Service": …}`.
    Service(SmolStr),
    /// `{"Federated": …}`.
    Federated(SmolStr),
    /// `{"CanonicalUser": …}`.
    CanonicalUser(SmolStr),
}

/// The keys of a `Principal` map, in the order in which entries are kept.
pub(super) const TYPES: [&str; 4] = ["AWS", "CanonicalUser", "Federated", "Service"];

// === impl PrincipalPattern ===

impl PrincipalPattern {
    /// The key of a `Principal` map under which the pattern stands.
    pub(super) fn type_key(&self) -> &'static str {
        match self {
            Self::Any | Self::Account(_) | Self::Entity(_) | Self::UniqueId(_) => "AWS",
            Self::CanonicalUser(_) => "CanonicalUser",
            Self::Federated(_) => "Federated",
            Self::Service(_) => "Service",
        }
    }

    /// Reads an entry of `{"AWS": …}` or of typed `principals`: `*`, an account, an ARN, or a unique id (§7.1).
    fn parse_identity(text: &str) -> Result<Self, String> {
        let found = Quoted(text);
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains(['*', '?']) {
            return Err(format!("principal {found} holds a wildcard; expected a full ARN, an account, or `*` alone"));
        }
        if is_account(text) {
            return Ok(Self::Account(text.into()));
        }
        if is_unique_id(text) {
            return Ok(Self::UniqueId(text.into()));
        }
        let Ok(arn) = text.parse::<Arn>() else {
            return Err(format!("principal {found} is none; expected `*`, an account, or an ARN of six segments"));
        };
        if arn.service() == "iam" && arn.resource() == "root" {
            return if is_account(arn.account()) {
                Ok(Self::Account(arn.account().into()))
            } else {
                Err(format!("principal {found} names no account; expected `arn:{}:iam::account:root`", arn.partition()))
            };
        }
        let kind = arn.resource().split('/').next().unwrap_or("");
        if arn.partition().is_empty()
            || arn.service().is_empty()
            || arn.account().is_empty()
            || arn.resource().is_empty()
        {
            return Err(format!("principal {found} has an empty segment; only the region may be empty"));
        }
        if arn.service() == "iam" && matches!(kind, "group" | "instance-profile" | "policy" | "mfa") {
            return Err(format!("principal {found} names a {kind}; only users, roles and sessions act"));
        }
        if arn.service() == "iam" && arn.resource().ends_with('/') {
            return Err(format!("principal {found} has no name after its last `/`"));
        }
        Ok(Self::Entity(arn))
    }

    /// Reads an entry of one of the other keys: exact text.
    fn parse_exact(text: &str, make: impl FnOnce(SmolStr) -> Self) -> Result<Self, String> {
        if text.is_empty() {
            return Err("empty principal; expected a name".to_owned());
        }
        if text.contains(['*', '?']) {
            return Err(format!("principal {} holds a wildcard; only `\"AWS\": \"*\"` means everyone", Quoted(text)));
        }
        Ok(make(text.into()))
    }

    /// An entry that is refused on write for its form: it names exactly what it says, and so nobody but by the same text.
    fn taken(type_key: &str, text: &str) -> Self {
        match type_key {
            "CanonicalUser" => Self::CanonicalUser(text.into()),
            "Federated" => Self::Federated(text.into()),
            "Service" => Self::Service(text.into()),
            _ => text.parse().map_or_else(|_| Self::Account(text.into()), Self::Entity),
        }
    }

    fn parse(type_key: &str, text: &str) -> Result<Self, String> {
        match type_key {
            "CanonicalUser" => Self::parse_exact(text, Self::CanonicalUser),
            "Federated" => Self::parse_exact(text, Self::Federated),
            "Service" => Self::parse_exact(text, Self::Service),
            _ => Self::parse_identity(text),
        }
    }
}

/// The text under the pattern's key of a `Principal` map.
impl std::fmt::Display for PrincipalPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Entity(arn) => arn.fmt(f),
            Self::Account(text)
            | Self::UniqueId(text)
            | Self::Service(text)
            | Self::Federated(text)
            | Self::CanonicalUser(text) => f.write_str(text),
        }
    }
}

// === impl Reader ===

impl Reader {
    /// §2.1: which kinds of policy must, may and must not name principals, and how.
    pub(super) fn principals(
        &mut self,
        fields: &Fields<'_>,
        node: &Node,
        path: &Path<'_>,
        effect: Effect,
        soundness: &mut Soundness,
    ) -> Element<PrincipalPattern> {
        let names = self.form.names();
        let keys = [names.principal, names.not_principal];
        let kind = self.kind;
        match kind {
            PolicyKind::Identity | PolicyKind::ServiceControl => {
                let why = format!("{} speaks about the principals that it is attached to", kind.describe());
                self.refuse_elements(fields, keys, path, &why, soundness);
                return Element::Absent;
            }
            PolicyKind::Resource | PolicyKind::Trust | PolicyKind::ResourceControl => {}
        }
        let read = |text: &str| match PrincipalPattern::parse_identity(text) {
            Ok(PrincipalPattern::UniqueId(_)) => {
                Reading::Bad(format!("principal {} is none; expected `*`, an account, or an ARN", Quoted(text)))
            }
            Ok(pattern) => Reading::Good(pattern),
            Err(message) => Reading::Bad(message),
        };
        let element =
            self.one_of(fields, node, path, keys, Presence::Required, |reader, entry, polarity| match reader.form {
                Form::Document => reader.principal_map(entry, path, polarity),
                Form::Typed => reader.list(entry, path, polarity, Nulls::Refused, read),
            });
        if let Element::Listed(Polarity::Positive, entries) = &element
            && kind == PolicyKind::ResourceControl
            && entries.iter().any(|entry| *entry != PrincipalPattern::Any)
        {
            let at = fields.get(names.principal).entry().and_then(|entry| entry.value.at);
            let message = "a ResourceControl policy speaks about everyone; expected only `*`";
            self.problems.add(&path.key(names.principal), at, message);
            *soundness = Soundness::Malformed;
        }
        if let Some(entry) = fields.get(names.not_principal).entry() {
            let key = names.not_principal;
            let path = path.key(key);
            match (kind, effect) {
                (PolicyKind::Trust | PolicyKind::ResourceControl, _) => {
                    let message = format_args!("{} has no `{key}`; write `{}`", kind.describe(), names.principal);
                    self.problems.add(&path, entry.key_at, message);
                    *soundness = Soundness::Malformed;
                }
                (_, Effect::Allow) => {
                    let message = format_args!("`{key}` with `Allow` grants to everyone else; use it with `Deny`");
                    self.problems.add(&path, entry.key_at, message);
                }
                (_, Effect::Deny) => {}
            }
        }
        element
    }

    /// `"*"`, or a map from a type of principal to its entries.
    fn principal_map(&mut self, entry: &Entry, path: &Path<'_>, polarity: Polarity) -> Element<PrincipalPattern> {
        const EXPECTED: &str = "expected `*` or a map such as {\"AWS\": \"arn:…\"}";
        let path = path.key(&entry.key);
        let node = &entry.value;
        let entries = match &node.value {
            Value::Text(text) if text == "*" => return Element::Listed(polarity, Box::new([PrincipalPattern::Any])),
            Value::Text(text) => {
                let message = match check_text(text) {
                    Ok(()) => format!("{EXPECTED}, found {}", Quoted(text)),
                    Err(message) => message,
                };
                self.problems.add(&path, node.at, message);
                return Element::Malformed;
            }
            Value::Map(entries) if !entries.is_empty() => entries,
            Value::Map(_) => {
                self.problems.add(&path, node.at, format_args!("{EXPECTED}, found an empty map"));
                return Element::Malformed;
            }
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::List(_) => {
                self.problems.add(&path, node.at, format_args!("{EXPECTED}, found {}", node.describe()));
                return Element::Malformed;
            }
        };
        let mut is_readable = self.repeated_keys(node, &path).is_empty();
        let mut patterns = Vec::new();
        for entry in entries {
            if !TYPES.contains(&entry.key.as_str()) {
                let hint = Hint { found: &entry.key, known: &TYPES };
                let message = format_args!("unknown type of principal {}{hint}", Quoted(&entry.key));
                self.problems.add(&path, entry.key_at, message);
                is_readable = false;
                continue;
            }
            let path = path.key(&entry.key);
            let (items, soundness) = self.strings(&entry.value, &path, Nulls::Refused);
            let texts = self.texts;
            let read = self.entries(&items, soundness, &path, |text| match PrincipalPattern::parse(&entry.key, text) {
                Ok(pattern) => Reading::Good(pattern),
                Err(message) => Self::odd(texts, PrincipalPattern::taken(&entry.key, text), message),
            });
            match read {
                Some(read) => patterns.extend(read),
                None => is_readable = false,
            }
        }
        if !is_readable {
            return Element::Malformed;
        }
        // A map has no order, so that of its keys must not show.
        patterns.sort_by_key(PrincipalPattern::type_key);
        Element::Listed(polarity, patterns.into())
    }
}

// === free functions ===

/// Twelve digits of AWS, or here a namespace: a DNS label (RFC 1123).
fn is_account(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(is_inner)
        && bytes.first() != Some(&b'-')
        && bytes.last() != Some(&b'-')
}

/// The unique id of a user or a role of AWS (`iam-semantics.md` §14.3).
fn is_unique_id(text: &str) -> bool {
    (text.starts_with("AIDA") || text.starts_with("AROA"))
        && (16..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_bare_or_by_its_root() {
        for text in ["123456789012", "payments", "arn:aws:iam::123456789012:root", "arn:k8s:iam::payments:root"] {
            assert!(matches!(PrincipalPattern::parse_identity(text), Ok(PrincipalPattern::Account(_))), "{text}");
        }
    }

    #[test]
    fn entities_have_whole_arns() {
        for text in [
            "arn:aws:iam::123456789012:user/path/name",
            "arn:aws:sts::123456789012:assumed-role/role/session",
            "arn:k8s:core:east:payments:serviceaccounts/ci",
            "arn:k8s:sts::payments:federated-user/alice@example.org",
        ] {
            assert!(matches!(PrincipalPattern::parse_identity(text), Ok(PrincipalPattern::Entity(_))), "{text}");
        }
        for text in [
            "",
            "Alice",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::123456789012:user/a?",
            "**",
            "arn:aws:iam::123456789012:group/x",
            "arn:aws:iam:::user/x",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam:::root",
            "arn:aws:iam::123456789012",
            "-a",
            "AIDAX",
        ] {
            assert!(PrincipalPattern::parse_identity(text).is_err(), "{text}");
        }
        assert!(matches!(PrincipalPattern::parse_identity("AIDACKCEVSQ6C2EXAMPLE"), Ok(PrincipalPattern::UniqueId(_))));
    }
}
