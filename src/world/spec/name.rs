//! Rules for names and paths: Kubernetes' own, and those of IAM (`iam-semantics.md` §14.2).

use smol_str::SmolStr;

use crate::world::finding::Quoted;

/// Longest name of a user or role.
pub const PRINCIPAL_NAME_CHARACTERS: usize = 64;
/// Longest name of a group or policy, and of everything that an object names inside itself.
pub const NAME_CHARACTERS: usize = 128;
/// Longest path.
pub const PATH_CHARACTERS: usize = 512;

/// The path of an IAM entity: `/`, or words between slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityPath(SmolStr);

// === impl EntityPath ===

impl EntityPath {
    /// The path of a user, group or role: `/`, or printable ASCII without blanks between two slashes.
    ///
    /// # Errors
    /// With a message when the text is no such path.
    pub fn of_entity(text: &str) -> Result<Self, String> {
        let inside = text.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(""));
        let fits = text == "/" || inside.is_some_and(|inside| !inside.is_empty() && inside.bytes().all(printable));
        Self::checked(text, fits, "printable characters without blanks")
    }

    /// The path of a policy: words of letters, digits and `.,+@=_-`, each between slashes.
    ///
    /// # Errors
    /// With a message when the text is no such path.
    pub fn of_policy(text: &str) -> Result<Self, String> {
        let mut words = text.split('/').collect::<Vec<_>>();
        let ends = (words.len() > 1).then(|| (words.remove(0), words.pop()));
        let fits = ends == Some(("", Some("")))
            && words.iter().all(|word| {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b".,+@=_-".contains(&b))
            });
        Self::checked(text, fits, "words of letters, digits and `.,+@=_-`")
    }

    /// The text, with its first and last slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn checked(text: &str, fits: bool, what: &str) -> Result<Self, String> {
        if fits && text.len() <= PATH_CHARACTERS {
            Ok(Self(text.into()))
        } else {
            Err(format!(
                "{} is no path; expected `/` or {what} between slashes, at most {PATH_CHARACTERS} characters",
                Quoted(text)
            ))
        }
    }
}

/// `/`.
impl Default for EntityPath {
    fn default() -> Self {
        Self(SmolStr::new_static("/"))
    }
}

impl std::fmt::Display for EntityPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

// === free functions ===

/// A name that Kubernetes gives to namespaces: a DNS label (RFC 1123).
pub(in crate::world) fn namespace(text: &str) -> Result<SmolStr, String> {
    if is_dns_label(text) { Ok(text.into()) } else { Err(format!("{} is no name of a namespace", Quoted(text))) }
}

/// A name that Kubernetes gives to objects of ours, ServiceAccounts and most else: a DNS subdomain (RFC 1123) of
/// bounded length.
pub(in crate::world) fn object_name(text: &str, characters: usize) -> Result<SmolStr, String> {
    if is_dns_subdomain(text) && text.len() <= characters {
        Ok(text.into())
    } else {
        Err(format!(
            "{} is no name; expected at most {characters} lower-case letters, digits, `-` and `.`, with a letter or \
             digit at both ends",
            Quoted(text)
        ))
    }
}

/// A name inside an object: of an inline policy, a device, a key.
pub(in crate::world) fn inner_name(text: &str) -> Result<SmolStr, String> {
    let fits = !text.is_empty()
        && text.len() <= NAME_CHARACTERS
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
    if fits {
        Ok(text.into())
    } else {
        Err(format!("{} is no name; expected 1 to {NAME_CHARACTERS} letters, digits and `_+=,.@-`", Quoted(text)))
    }
}

/// Whether a text is a DNS label: 1 to 63 lower-case letters, digits and inner hyphens.
pub(in crate::world) fn is_dns_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// Whether a text is a DNS subdomain as Kubernetes checks it: up to 253 bytes, words without length limit between dots.
pub(in crate::world) fn is_dns_subdomain(text: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= 253
        && text.split('.').all(|word| {
            let bytes = word.as_bytes();
            bytes.first().is_some_and(alphanumeric)
                && bytes.last().is_some_and(alphanumeric)
                && bytes.iter().all(|b| alphanumeric(b) || *b == b'-')
        })
}

fn printable(b: u8) -> bool {
    (0x21..=0x7e).contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_entities() {
        for (text, right) in [
            ("/", true),
            ("/team/", true),
            ("/team/sub/", true),
            ("/a:b!/", true),
            ("", false),
            ("team", false),
            ("/team", false),
            ("team/", false),
            ("//", false),
            ("/te am/", false),
            ("/tëam/", false),
        ] {
            assert_eq!(EntityPath::of_entity(text).is_ok(), right, "{text}");
        }
        assert!(EntityPath::of_entity(&format!("/{}/", "a".repeat(510))).is_ok());
        assert!(EntityPath::of_entity(&format!("/{}/", "a".repeat(511))).is_err());
    }

    #[test]
    fn paths_of_policies() {
        for (text, right) in [
            ("/", true),
            ("/team/", true),
            ("/team/s.u,b+@=_-/", true),
            ("", false),
            ("//", false),
            ("/a//b/", false),
            ("/a:b/", false),
            ("/a", false),
            ("a/", false),
        ] {
            assert_eq!(EntityPath::of_policy(text).is_ok(), right, "{text}");
        }
    }

    #[test]
    fn names_of_objects() {
        for (text, right) in [
            ("a", true),
            ("a-b.c", true),
            ("0", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a..b", false),
            ("A", false),
            ("a_b", false),
            ("ä", false),
        ] {
            assert_eq!(is_dns_subdomain(text), right, "{text}");
        }
        assert!(object_name(&"a".repeat(64), 64).is_ok());
        assert!(object_name(&"a".repeat(65), 64).is_err());
        assert!(is_dns_label("a-1") && !is_dns_label("a.b") && !is_dns_label(&"a".repeat(64)));
    }
}
