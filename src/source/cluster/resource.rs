//! Where each watched kind is served.

use crate::store::WatchedKind;
use crate::world::Kind;

/// The path of the collection, over all namespaces.
pub(super) fn path(kind: WatchedKind) -> &'static str {
    match kind {
        WatchedKind::Ours(Kind::User) => "/apis/kube-iam.dev/v1alpha1/iamusers",
        WatchedKind::Ours(Kind::Group) => "/apis/kube-iam.dev/v1alpha1/iamgroups",
        WatchedKind::Ours(Kind::Role) => "/apis/kube-iam.dev/v1alpha1/iamroles",
        WatchedKind::Ours(Kind::Policy) => "/apis/kube-iam.dev/v1alpha1/iampolicies",
        WatchedKind::Namespace => "/api/v1/namespaces",
        WatchedKind::CustomResourceDefinition => "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        WatchedKind::ApiService => "/apis/apiregistration.k8s.io/v1/apiservices",
    }
}

/// The CustomResourceDefinition that brings one of our kinds; `None` for what every API server serves.
pub(super) fn definition(kind: WatchedKind) -> Option<&'static str> {
    match kind {
        WatchedKind::Ours(Kind::User) => Some("iamusers.kube-iam.dev"),
        WatchedKind::Ours(Kind::Group) => Some("iamgroups.kube-iam.dev"),
        WatchedKind::Ours(Kind::Role) => Some("iamroles.kube-iam.dev"),
        WatchedKind::Ours(Kind::Policy) => Some("iampolicies.kube-iam.dev"),
        WatchedKind::Namespace | WatchedKind::CustomResourceDefinition | WatchedKind::ApiService => None,
    }
}

/// The path of a CustomResourceDefinition.
pub(super) fn of_definition(name: &str) -> String {
    format!("{}/{}", path(WatchedKind::CustomResourceDefinition), encoded(name))
}

/// The path of a namespace.
pub(super) fn of_namespace(name: &str) -> String {
    format!("{}/{}", path(WatchedKind::Namespace), encoded(name))
}

/// A page of the collection. No resource version is asked for, so the answer is the newest state that a quorum holds.
pub(super) fn page(kind: WatchedKind, limit: u32, next: Option<&str>) -> String {
    let from = next.map(|token| format!("&continue={}", encoded(token))).unwrap_or_default();
    format!("{}?limit={limit}{from}", path(kind))
}

/// What happens to the collection after a resource version, for so many seconds.
pub(super) fn watch(kind: WatchedKind, version: u64, seconds: u64) -> String {
    format!("{}?watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}", path(kind))
}

/// A text as a part of a path or the value of a query (RFC 3986 §2.3).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_arrives_as_it_was_given() {
        assert_eq!(
            page(WatchedKind::Namespace, 500, Some("a+/=&b")),
            "/api/v1/namespaces?limit=500&continue=a%2B%2F%3D%26b"
        );
    }

    #[test]
    fn our_kinds_are_served_where_their_definitions_say() {
        for kind in WatchedKind::ALL {
            let Some(definition) = definition(kind) else { continue };
            let (plural, group) = definition.split_once('.').unwrap();
            assert_eq!(path(kind), format!("/apis/{group}/v1alpha1/{plural}"));
        }
    }
}
