//! Kubernetes identities: user names, ServiceAccounts and groups of authenticated callers.
//!
//! Names compare byte for byte, without folding or trimming, and the empty name is nobody (`kubernetes-contract.md` B1).

use smol_str::{SmolStr, format_smolstr};

use super::fields::Fields;
use super::name;
use crate::policy::tree::Node;
use crate::world::finding::{Findings, Hint, Path, Quoted};

/// What the user name of every ServiceAccount begins with; its namespace, a colon and its name follow.
pub const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";
/// What names of kube-iam's own making begin with; no declaration may claim one.
pub const RESERVED_PREFIXES: [&str; 2] = ["arn:k8s:", "kube-iam.dev/"];

const KINDS: [&str; 2] = ["User", "ServiceAccount"];

/// A user name that may be claimed: not empty, not reserved, and with `system:` only if it is a ServiceAccount's.
///
/// # Errors
/// With a message that says which rule it breaks.
pub fn user_name(text: &str) -> Result<SmolStr, String> {
    if let Some(rest) = text.strip_prefix(SERVICE_ACCOUNT_PREFIX) {
        return match rest.split_once(':') {
            Some((namespace, name)) => service_account(namespace, name),
            None => Err(format!(
                "{} names no ServiceAccount; expected `system:serviceaccount:<namespace>:<name>`",
                Quoted(text)
            )),
        };
    }
    unreserved(text)?;
    if text.starts_with("system:") {
        return Err(format!("{} is an identity of Kubernetes itself, which nobody can claim", Quoted(text)));
    }
    Ok(text.into())
}

/// A group of authenticated callers that an IamGroup may name.
pub(in crate::world) fn external_group(text: &str) -> Result<SmolStr, String> {
    unreserved(text)?;
    if text.starts_with("system:") {
        return Err(format!("{} is a group of Kubernetes itself, which no IamGroup can name", Quoted(text)));
    }
    Ok(text.into())
}

/// Reads one entry of `identities`; the user name that it stands for.
pub(super) fn read(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<SmolStr> {
    let fields = Fields::read(node, path, &["kind", "name", "namespace"], findings);
    let kind = fields.required_text("kind", findings);
    let written = fields.required_text("name", findings);
    let name_at = fields.get("name").and_then(|node| node.at);
    let user = match kind? {
        "User" => {
            if let Some(namespace) = fields.get("namespace") {
                findings.invalid(&fields.path_of("namespace"), namespace.at, "a User has no namespace");
            }
            user_name(written?)
        }
        "ServiceAccount" => {
            let namespace = fields.required_text("namespace", findings);
            service_account(namespace?, written?)
        }
        other => {
            let at = fields.get("kind").and_then(|node| node.at);
            let message = format!("unknown kind {}{}", Quoted(other), Hint { found: other, known: &KINDS });
            findings.invalid(&fields.path_of("kind"), at, message);
            return None;
        }
    };
    user.map_err(|message| findings.invalid(&fields.path_of("name"), name_at, message)).ok()
}

/// The user names that an entry may mean which cannot be read. A broken user claims them all the same, so that her Denies
/// and limits still find her.
pub(super) fn meant(node: &Node) -> Vec<SmolStr> {
    let text_of = |key: &str| {
        let entry = node.entries().iter().find(|entry| entry.key.eq_ignore_ascii_case(key));
        entry.and_then(|entry| entry.value.text())
    };
    let mut names = Vec::new();
    if let Some(name) = node.text().or_else(|| text_of("name")) {
        names.extend(user_name(name).ok());
        names.extend(text_of("namespace").and_then(|namespace| service_account(namespace, name).ok()));
    }
    names
}

fn service_account(namespace: &str, account: &str) -> Result<SmolStr, String> {
    let namespace = name::namespace(namespace)?;
    let account = name::object_name(account, 253)?;
    Ok(format_smolstr!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{account}"))
}

fn unreserved(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("the empty name is nobody".to_owned());
    }
    match RESERVED_PREFIXES.iter().find(|prefix| text.starts_with(**prefix)) {
        Some(prefix) => Err(format!("{} begins with `{prefix}`, which is reserved", Quoted(text))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_that_may_be_claimed() {
        for (text, right) in [
            ("alice", true),
            ("alice@example.org", true),
            (" ", true),
            ("Alice", true),
            ("system:serviceaccount:payments:ci", true),
            ("system:serviceaccount:payments:ci.v2", true),
            ("", false),
            ("system:serviceaccount:payments", false),
            ("system:serviceaccount:payments:", false),
            ("system:serviceaccount::ci", false),
            ("system:serviceaccount:a:b:c", false),
            ("system:serviceaccount:Payments:ci", false),
            ("system:node:n1", false),
            ("system:anonymous", false),
            ("system:", false),
            ("arn:k8s:iam::payments:user/alice", false),
            ("kube-iam.dev/x", false),
            ("arn:aws:iam::1:user/x", true),
        ] {
            assert_eq!(user_name(text).is_ok(), right, "{text:?}");
        }
    }

    #[test]
    fn groups_that_may_be_named() {
        for (text, right) in [
            ("oidc:devs", true),
            ("", false),
            ("system:masters", false),
            ("system:authenticated", false),
            ("kube-iam.dev/x", false),
            ("arn:k8s:x", false),
        ] {
            assert_eq!(external_group(text).is_ok(), right, "{text:?}");
        }
    }
}
