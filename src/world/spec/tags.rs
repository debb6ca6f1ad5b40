//! Tags and other fields that several kinds share.

use smol_str::SmolStr;

use super::fields::{self, Fields};
use super::name::EntityPath;
use crate::policy::condition::Instant;
use crate::policy::pattern::eq_fold;
use crate::policy::tree::Value;
use crate::world::finding::{Findings, Quoted};
use crate::world::outcome::Reason;
use crate::world::quota;

/// Reads `tags`: keys unique without case, sorted.
pub(super) fn read(fields: &Fields<'_>, findings: &mut Findings) -> Vec<(SmolStr, SmolStr)> {
    let path = fields.path_of("tags");
    let mut tags: Vec<(SmolStr, SmolStr)> = Vec::new();
    for node in fields.each("tags").filter(|node| node.value != Value::Null) {
        if !matches!(node.value, Value::Map(_)) {
            findings.invalid(&path, node.at, format!("expected a map, found {}", node.describe()));
        }
        if node.entries().len() > quota::TAGS {
            let message = format!("{} tags; at most {} are admitted", node.entries().len(), quota::TAGS);
            findings.add(Reason::QuotaExceeded, path, node.at, message);
        }
        for entry in node.entries() {
            let path = path.key(&entry.key);
            if let Err(message) = check_key(&entry.key) {
                findings.invalid(&path, entry.key_at, message);
            }
            let Some(value) = fields::text(&entry.value, &path, findings) else { continue };
            if !is_tag_text(value) || value.chars().count() > 256 {
                let message = format!("{} is no value of a tag; {EXPECTED}, at most 256", Quoted(value));
                findings.invalid(&path, entry.value.at, message);
                continue;
            }
            tags.push((entry.key.clone(), value.into()));
        }
    }
    tags.sort();
    for pair in twins(&tags) {
        findings.invalid(
            &path.key(pair),
            fields.at(),
            format!("tag {} stands twice, letters compared without case", Quoted(pair)),
        );
    }
    tags
}

/// Reads the `path` of a user, group or role; `/` where it cannot be read.
pub(super) fn entity_path(fields: &Fields<'_>, findings: &mut Findings) -> EntityPath {
    let Some(text) = fields.text("path", findings) else { return EntityPath::default() };
    EntityPath::of_entity(text).unwrap_or_else(|message| {
        findings.invalid(&fields.path_of("path"), fields.get("path").and_then(|node| node.at), message);
        EntityPath::default()
    })
}

/// Reads `sessions.revokeIssuedBefore`.
pub(super) fn revoke_issued_before(fields: &Fields<'_>, findings: &mut Findings) -> Option<Instant> {
    let path = fields.path_of("sessions");
    let node = fields.get("sessions")?;
    let sessions = Fields::read(node, &path, &["revokeIssuedBefore"], findings);
    let text = sessions.text("revokeIssuedBefore", findings)?;
    let instant = rfc3339(text);
    if instant.is_none() {
        let message = format!("{} is no time; expected RFC 3339, like `2026-01-02T03:04:05Z`", Quoted(text));
        let at = sessions.get("revokeIssuedBefore").and_then(|node| node.at);
        findings.invalid(&sessions.path_of("revokeIssuedBefore"), at, message);
    }
    instant
}

const EXPECTED: &str = "expected letters, digits, blanks and `_.:/=+-@`";

/// A key of a tag (`iam-semantics.md` §14.2).
fn check_key(key: &str) -> Result<(), String> {
    if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return Err(format!("{} begins with `aws:`, which is reserved", Quoted(key)));
    }
    if key.is_empty() || key.chars().count() > 128 || !is_tag_text(key) {
        return Err(format!("{} is no key of a tag; {EXPECTED}, 1 to 128", Quoted(key)));
    }
    Ok(())
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`; letters by Unicode's property Alphabetic, which holds a few marks beside.
fn is_tag_text(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c))
}

/// Keys that are equal to one before them, letters compared without case.
fn twins(tags: &[(SmolStr, SmolStr)]) -> Vec<&SmolStr> {
    let mut keys: Vec<(String, &SmolStr)> = tags.iter().map(|(key, _)| (key.to_lowercase(), key)).collect();
    keys.sort();
    keys.windows(2)
        .filter_map(|pair| match pair {
            [(_, first), (_, second)] if eq_fold(first, second) => Some(*second),
            _ => None,
        })
        .collect()
}

/// `YYYY-MM-DDThh:mm:ss[.f](Z|±hh:mm)`: what Kubernetes' `Time` takes, and no more.
fn rfc3339(text: &str) -> Option<Instant> {
    let shape = |pattern: &str, text: &str| {
        pattern.len() == text.len()
            && pattern.bytes().zip(text.bytes()).all(|(p, t)| if p == b'0' { t.is_ascii_digit() } else { p == t })
    };
    let (clock, rest) = text.split_at_checked(19)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 { None } else { fraction.get(digits..) }
        }
        None => Some(rest),
    }?;
    let fits = shape("0000-00-00T00:00:00", clock) && (zone == "Z" || shape("+00:00", zone) || shape("-00:00", zone));
    fits.then(|| Instant::parse(text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        for (text, right) in [
            ("2026-01-01T00:00:00Z", true),
            ("2026-01-01T00:00:00.123456Z", true),
            ("2026-01-01T00:00:00+02:00", true),
            ("2026-01-01T00:00:00", false),
            ("2026-01-01", false),
            ("2026-13-01T00:00:00Z", false),
            ("2026-02-30T00:00:00Z", false),
            ("2026-01-01T00:00Z", false),
            ("2026-01-01T00:00:00.Z", false),
            ("2026-01-01T00:00:00 Z", false),
            ("1767225600", false),
            ("", false),
        ] {
            assert_eq!(rfc3339(text).is_some(), right, "{text}");
        }
    }

    #[test]
    fn keys_of_tags() {
        for (key, right) in [
            ("team", true),
            ("Tëam 1", true),
            ("a_.:/=+-@", true),
            ("", false),
            ("aws:x", false),
            ("AWS:x", false),
            ("aws", true),
            ("a*b", false),
            ("a\tb", false),
        ] {
            assert_eq!(check_key(key).is_ok(), right, "{key:?}");
        }
        assert!(check_key(&"ä".repeat(128)).is_ok() && check_key(&"ä".repeat(129)).is_err());
    }
}
