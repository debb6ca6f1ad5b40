//! What others name is not deleted from under them.

use serde_json::json;

use super::*;
use crate::store::{NamespaceEntry, Seen, catalog};
use crate::world::NamespaceFacts;

fn world() -> Vec<Value> {
    let mut objects = vec![
        policy("a", "read", json!({"statements": allow()})),
        object("IamGroup", "a", "devs", json!({"policies": ["read"]})),
        user("a", "ann", json!({"policies": ["read"], "groups": ["devs"]})),
        user("a", "bob", json!({"permissionsBoundary": "read"})),
        policy("kube-iam-system", "shared", json!({"statements": allow()})),
        user("b", "eve", json!({"policies": ["arn:k8s:iam::kube-iam-system:policy/shared"]})),
    ];
    objects.extend((0..3).map(|index| user("a", &format!("u{index}"), json!({"policies": ["read"]}))));
    objects
}

fn deleted(object: &Value, cluster: &CatalogReader) -> Verdict {
    judged(&review(Some(object), None), cluster)
}

#[test]
fn what_is_named_stays_and_the_message_names_who_names_it() {
    let held = cluster(&world());
    let message = "IamPolicy a/read is still named by IamUser a/ann, IamUser a/bob, IamUser a/u0 and 3 more; take it from \
                   them first";
    assert_eq!(deleted(&world()[0], &held), refused(message));
    let message = "IamGroup a/devs is still named by IamUser a/ann; take it from them first";
    assert_eq!(deleted(&world()[1], &held), refused(message));
    let message =
        "IamPolicy kube-iam-system/shared is still named by 1 object of another account; take it from them first";
    assert_eq!(deleted(&world()[4], &held), refused(message));
    assert_eq!(deleted(&world()[2], &held), admitted());
    assert_eq!(deleted(&policy("b", "read", json!({})), &held), admitted());
}

#[test]
fn nobody_holds_what_cannot_be_named() {
    let guard = policy("kube-iam-system", "guard", json!({"type": "ServiceControl", "statements": allow()}));
    let named = json!({"policies": ["arn:k8s:iam::kube-iam-system:policy/guard"]});
    let held = cluster(&[guard.clone(), user("a", "ann", named)]);
    assert_eq!(deleted(&guard, &held), admitted());
}

#[test]
fn one_of_many_is_known_by_what_it_is() {
    let held = cluster(&world());
    let mut review = review(Some(&world()[1]), None);
    review["request"]["name"] = json!("");
    let message = "IamGroup a/devs is still named by IamUser a/ann; take it from them first";
    assert_eq!(judged(&review, &held), refused(message));
}

#[test]
fn a_deletion_that_was_accepted_goes_on() {
    let held = cluster(&world());
    let deleting = with(&world()[0], "/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    assert_eq!(deleted(&deleting, &held), admitted());
}

#[test]
fn the_controllers_that_clean_up_may_delete_and_those_who_resemble_them_not() {
    let held = cluster(&world());
    for (user, may) in [
        ("system:serviceaccount:kube-system:namespace-controller", true),
        ("system:serviceaccount:kube-system:generic-garbage-collector", true),
        ("system:serviceaccount:kube-system:namespace-controller2", false),
        ("system:serviceaccount:a:namespace-controller", false),
        ("system:admin", false),
    ] {
        let mut review = review(Some(&world()[0]), None);
        review["request"]["userInfo"] = json!({"username": user});
        assert_eq!(judged(&review, &held) == admitted(), may, "{user}");
    }
}

#[test]
fn a_namespace_that_goes_takes_everything_along() {
    let (mut writer, reader) = catalog(Settings::default());
    writer.write(|catalog| {
        for entry in cluster(&world()).read(|catalog| catalog.entries().cloned().collect::<Vec<_>>()) {
            catalog.insert(entry);
        }
    });
    let mut namespace = |deleting: bool| {
        let facts = NamespaceFacts {
            name: "a".into(),
            labels: std::sync::Arc::default(),
            root_identity: None,
            root_mfa_optional: false,
        };
        writer.write(|catalog| {
            let since = Seen::default();
            let entry = NamespaceEntry { facts, uid: "n".into(), deleting, since, left: None };
            catalog.insert_namespace(entry, since)
        });
    };
    namespace(false);
    assert!(matches!(deleted(&world()[0], &reader), Verdict::Refused(_)));
    namespace(true);
    assert_eq!(deleted(&world()[0], &reader), admitted());
    assert!(matches!(deleted(&world()[4], &reader), Verdict::Refused(_)));
}
