//! Who asks, before any policy is looked at (`kubernetes-contract.md` B1, B13 "order of the first checks").
//!
//! Names compare byte for byte, with one exception: whether a name is *reserved* is judged after lower-casing, because
//! it only ever refuses, and condition keys ignore case.

use std::borrow::Cow;

use super::attributes::Attributes;
use crate::decide::{Caller, Identity, Verdict};

/// Why a question is answered without asking the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unasked {
    /// One of Kubernetes' own identities: other authorizers decide.
    Exempt,
    /// Refused at once.
    Refused(Refusal),
}

/// Why a question is refused at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The user name has a prefix that only our own authenticator may give out.
    ReservedUserName,
    /// Impersonation.
    Impersonation,
    /// No verb: a method that Kubernetes has no verb for.
    EmptyVerb,
}

const ANONYMOUS: &str = "system:anonymous";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
const RESERVED: [&str; 2] = ["arn:k8s:", "kube-iam.dev/"];

/// The caller of a question; its verb is needed because impersonation is refused here.
pub(super) fn caller<'a>(attributes: &'a Attributes<'_>) -> Result<Caller<'a>, Unasked> {
    let user: &'a str = &attributes.user;
    let verb = attributes.target.verb();
    if user == ANONYMOUS {
        return Ok(Caller::Anonymous);
    }
    if user.starts_with("system:") && !is_service_account(user) {
        return Err(Unasked::Exempt);
    }
    if is_reserved(user) {
        return Err(Unasked::Refused(Refusal::ReservedUserName));
    }
    if begins_with(verb, "impersonate") {
        return Err(Unasked::Refused(Refusal::Impersonation));
    }
    if verb.is_empty() {
        return Err(Unasked::Refused(Refusal::EmptyVerb));
    }
    Ok(Caller::Identity(Identity { user: Cow::Borrowed(user), groups: groups(attributes) }))
}

/// The caller's groups that are believed.
pub(super) fn groups<'a>(attributes: &'a Attributes<'_>) -> Vec<Cow<'a, str>> {
    attributes.groups.iter().map(|group| Cow::Borrowed(&**group)).filter(|group| !is_reserved(group)).collect()
}

/// The caller's extras that are believed.
pub(super) fn extras<'a>(attributes: &'a Attributes<'_>) -> impl Iterator<Item = (&'a str, &'a [Cow<'a, str>])> {
    attributes.extra.iter().map(|(key, values)| (&**key, values.as_slice())).filter(|(key, _)| !is_reserved(key))
}

/// Whether this is `system:serviceaccount:<namespace>:<name>`.
fn is_service_account(user: &str) -> bool {
    user.strip_prefix(SERVICE_ACCOUNT)
        .and_then(|rest| rest.split_once(':'))
        .is_some_and(|(namespace, name)| !namespace.is_empty() && !name.is_empty() && !name.contains(':'))
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|prefix| begins_with(name, prefix))
}

/// Whether a text begins with this prefix of lower-case letters, in any case.
fn begins_with(text: &str, prefix: &str) -> bool {
    let mut folded = text.chars().flat_map(char::to_lowercase);
    prefix.chars().all(|expected| folded.next() == Some(expected))
}

// === impl Unasked ===

impl Unasked {
    /// The verdict in answers that name one: what is left to others is no Allow.
    pub fn verdict(self) -> Verdict {
        match self {
            Unasked::Exempt => Verdict::ImplicitDeny,
            Unasked::Refused(_) => Verdict::ExplicitDeny,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// The refusal in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::ReservedUserName => "reserved_user_name",
            Refusal::Impersonation => "impersonation",
            Refusal::EmptyVerb => "empty_verb",
        }
    }

    /// The refusal in a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Refusal::ReservedUserName => {
                "user names that begin with arn:k8s: or kube-iam.dev/ are reserved, and no session proves this one"
            }
            Refusal::Impersonation => {
                "impersonation is refused, whatever policies say: kube-iam does not decide it yet"
            }
            Refusal::EmptyVerb => "the request has no verb, so no policy can allow it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{ResourceAttributes, Target};

    fn asked(user: &'static str, verb: &'static str) -> String {
        let target = Target::Resource(ResourceAttributes { verb: verb.into(), ..ResourceAttributes::default() });
        let attributes = Attributes { user: user.into(), target, ..Attributes::default() };
        match caller(&attributes) {
            Ok(Caller::Anonymous) => "anonymous".to_owned(),
            Ok(Caller::Identity(identity)) => {
                assert_eq!(identity.user, user);
                "identity".to_owned()
            }
            Ok(Caller::Principal(_) | Caller::PrincipalAsGiven(_)) => panic!("{user}"),
            Err(Unasked::Exempt) => "exempt".to_owned(),
            Err(Unasked::Refused(refusal)) => refusal.as_str().to_owned(),
        }
    }

    #[test]
    fn the_first_checks_stand_in_their_order() {
        for (user, verb, expected) in [
            ("alice", "get", "identity"),
            ("Alice ", "get", "identity"),
            ("", "get", "identity"),
            ("system:anonymous", "get", "anonymous"),
            ("system:anonymous", "impersonate", "anonymous"),
            ("system:anonymous", "", "anonymous"),
            ("system:node:n1", "get", "exempt"),
            ("system:node:n1", "impersonate", "exempt"),
            ("system:node:n1", "", "exempt"),
            ("system:kube-scheduler", "get", "exempt"),
            ("system:", "get", "exempt"),
            ("system", "get", "identity"),
            ("System:node:n1", "get", "identity"),
            (" system:node:n1", "get", "identity"),
            ("system:anonymous ", "get", "exempt"),
            ("system:serviceaccount:ns:name", "get", "identity"),
            ("system:serviceaccount:ns:name", "impersonate", "impersonation"),
            ("system:serviceaccount:ns:name", "", "empty_verb"),
            ("system:serviceaccount:", "get", "exempt"),
            ("system:serviceaccount:ns", "get", "exempt"),
            ("system:serviceaccount::name", "get", "exempt"),
            ("system:serviceaccount:ns:", "get", "exempt"),
            ("system:serviceaccount:ns:name:more", "get", "exempt"),
            ("system:serviceaccounts:ns:name", "get", "exempt"),
            ("arn:k8s:iam::a:role/r", "get", "reserved_user_name"),
            ("arn:k8s:iam::a:role/r", "impersonate", "reserved_user_name"),
            ("arn:k8s:", "", "reserved_user_name"),
            ("ARN:K8s:iam::a:role/r", "get", "reserved_user_name"),
            ("kube-iam.dev/session", "get", "reserved_user_name"),
            ("\u{212a}ube-iam.dev/session", "get", "reserved_user_name"),
            ("kube-iam.dev", "get", "identity"),
            ("arn:aws:iam::1:user/x", "get", "identity"),
            ("alice", "impersonate", "impersonation"),
            ("alice", "impersonate:user-info", "impersonation"),
            ("alice", "impersonate-on:user-info:list", "impersonation"),
            ("alice", "impersonatex", "impersonation"),
            ("alice", "Impersonate", "impersonation"),
            ("alice", "ximpersonate", "identity"),
            ("alice", "", "empty_verb"),
        ] {
            assert_eq!(asked(user, verb), expected, "{user:?} {verb:?}");
        }
    }

    #[test]
    fn reserved_groups_and_extras_are_not_believed() {
        let attributes = Attributes {
            user: "alice".into(),
            groups: ["dev", "arn:k8s:iam::a:role/r", "kube-iam.dev/x", "Kube-IAM.dev/x", "system:masters", ""]
                .map(Into::into)
                .to_vec(),
            extra: ["kube-iam.dev/session", "example.org/k", "KUBE-IAM.DEV/session", "arn:k8s:x", "xkube-iam.dev/"]
                .map(|key| (key.into(), vec!["v".into()]))
                .to_vec(),
            ..Attributes::default()
        };
        assert_eq!(groups(&attributes), ["dev", "system:masters", ""]);
        assert_eq!(extras(&attributes).map(|(key, _)| key).collect::<Vec<_>>(), ["example.org/k", "xkube-iam.dev/"]);
    }
}
