//! Events, for who looks at an object or an account with `kubectl describe` or `kubectl get events`.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::ObjectMeta;
use smol_str::SmolStr;

use super::replicas::ReplicaId;
use crate::api::v1alpha1::{GROUP, VERSION};
use crate::plan;
use crate::world::ObjectKey;

/// Bytes of the name of an object.
const NAME_BYTES: usize = 253;
/// Who speaks.
const COMPONENT: &str = "kube-iam";

/// A warning about an object. Its name tells one transition from another.
pub(super) fn warning(
    key: &ObjectKey,
    uid: Option<&SmolStr>,
    event: &plan::Event,
    now: Timestamp,
    id: &ReplicaId,
) -> Event {
    let suffix = format!(".{:x}", now.as_nanosecond());
    let stem = cut(&key.name, NAME_BYTES.saturating_sub(suffix.len()));
    let about = ObjectReference {
        api_version: Some(format!("{GROUP}/{VERSION}")),
        kind: Some(key.kind.as_str().to_owned()),
        namespace: Some(key.account.to_string()),
        name: Some(key.name.to_string()),
        uid: uid.map(SmolStr::to_string),
        ..ObjectReference::default()
    };
    Event {
        reason: Some(event.reason.as_str().to_owned()),
        message: Some(event.message.clone()),
        count: Some(1),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        ..of_ours(format!("{stem}{suffix}"), &key.account, about, id)
    }
}

/// A warning that the root of an account was used: one per account and replica, whose count grows.
pub(super) fn root_used(account: &str, uses: u64, first: Timestamp, last: Timestamp, id: &ReplicaId) -> Event {
    let about = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Namespace".to_owned()),
        namespace: Some(account.to_owned()),
        name: Some(account.to_owned()),
        ..ObjectReference::default()
    };
    let message = format!(
        "the root of account `{account}` made requests; if that was not meant, take the annotation \
         `kube-iam.dev/root-identity` off its namespace, or for the management account the flag `--management-root`"
    );
    Event {
        reason: Some("RootUsed".to_owned()),
        message: Some(message),
        count: Some(i32::try_from(uses).unwrap_or(i32::MAX)),
        first_timestamp: Some(Time(first)),
        last_timestamp: Some(Time(last)),
        ..of_ours(format!("root-used.{}", id.as_str()), account, about, id)
    }
}

/// The present in whole seconds, RFC 3339.
pub(super) fn seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}

/// A warning by this replica, with nothing said yet.
fn of_ours(name: String, account: &str, about: ObjectReference, id: &ReplicaId) -> Event {
    Event {
        metadata: ObjectMeta { name: Some(name), namespace: Some(account.to_owned()), ..ObjectMeta::default() },
        involved_object: about,
        type_: Some("Warning".to_owned()),
        source: Some(EventSource { component: Some(COMPONENT.to_owned()), host: None }),
        reporting_component: Some(COMPONENT.to_owned()),
        reporting_instance: Some(id.as_str().to_owned()),
        ..Event::default()
    }
}

fn cut(name: &str, most: usize) -> &str {
    // Names of objects are ASCII, and what is cut must not end in what no name may end in.
    name.get(..most.min(name.len())).unwrap_or(name).trim_end_matches(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Kind, Reason};

    #[test]
    fn events_have_the_form_that_api_servers_take() {
        let now = Timestamp::from_second(1_767_323_045).unwrap();
        let id = ReplicaId::parse("3f9a").unwrap();
        let name = format!("{}.b", "a".repeat(251));
        let key = ObjectKey { kind: Kind::User, account: "payments".into(), name: name.as_str().into() };
        let event = plan::Event { reason: Reason::IdentityConflict, message: "taken".into() };
        let built = warning(&key, Some(&"u".into()), &event, now, &id);
        assert!(built.metadata.name.unwrap().len() <= NAME_BYTES);
        assert_eq!(built.involved_object.name, Some(name));
        assert_eq!(built.reason.as_deref(), Some("IdentityConflict"));
        assert_eq!(seconds(built.last_timestamp.unwrap().0), "2026-01-02T03:04:05Z");
        let built = root_used("payments", 3, now, now, &id);
        assert_eq!((built.count, built.metadata.namespace.as_deref()), (Some(3), Some("payments")));
        assert_eq!(built.reason.as_deref(), Some("RootUsed"));
    }
}
