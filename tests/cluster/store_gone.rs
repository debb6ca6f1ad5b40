//! A CustomResourceDefinition that goes away takes no restriction with it.

use std::time::Duration;

use ::kube_iam::decide::Verdict;
use ::kube_iam::world::{Kind, ObjectKey, Spec};
use http::Method;
use serde_json::{Value, json};

use crate::followed::{Followed, Writer, definition, install, object, started};

const POLICIES: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/iampolicies.kube-iam.dev";

/// Alice may get everything in `shop` but secrets.
fn fill(writer: &Writer) {
    writer.namespace("shop");
    let statements = json!([
        {"sid": "All", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]},
        {"sid": "NoSecrets", "effect": "Deny", "actions": ["k8s:get"], "resources": ["arn:k8s:core::shop:secrets/*"]},
    ]);
    writer.create(&object("IamPolicy", "shop", "work", &json!({"statements": statements})));
    let alice = json!({"identities": [{"kind": "User", "name": "alice"}], "policies": ["work"]});
    writer.create(&object("IamUser", "shop", "alice", &alice));
}

/// From the first look on nothing that is in force lets alice read secrets.
#[track_caller]
fn secrets_stay_shut(followed: &Followed) {
    assert_eq!(followed.verdict("alice", "get", "shop", "secrets"), Verdict::ExplicitDeny);
}

#[test]
fn the_denies_of_a_kind_that_is_deleted_stay_until_it_is_there_again() {
    let (cluster, writer) = started();
    fill(&writer);
    let followed = Followed::start(cluster.admin());
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::Allow);
    secrets_stay_shut(&followed);

    // The API server deletes every object, one by one, then the kind.
    writer.send(Method::DELETE, POLICIES, &Value::Null);
    followed.until("the Allows of the kind are gone", |followed| {
        secrets_stay_shut(followed);
        followed.verdict("alice", "get", "shop", "pods") == Verdict::ImplicitDeny
    });
    let key = ObjectKey { kind: Kind::Policy, account: "shop".into(), name: "work".into() };
    followed.until("the kind counts as gone", |followed| {
        secrets_stay_shut(followed);
        followed.catalog.read(|catalog| match catalog.get(&key).map(|entry| &entry.object.spec) {
            Some(Spec::Unreadable(why)) => why.contains("`iampolicies.kube-iam.dev` is gone"),
            Some(Spec::Read(_)) | None => false,
        })
    });
    // Other kinds are followed meanwhile.
    let bob = json!({"identities": [{"kind": "User", "name": "bob"}], "disabled": true});
    writer.create(&object("IamUser", "shop", "bob", &bob));
    followed.until_verdict("bob", "get", "shop", "pods", Verdict::ExplicitDeny);
    std::thread::sleep(Duration::from_secs(2));
    secrets_stay_shut(&followed);

    install(&cluster);
    // It is there and empty: what it held is gone, by the will of whoever deleted it.
    followed.until_verdict("alice", "get", "shop", "secrets", Verdict::ImplicitDeny);
    let again = json!({"statements": [{"sid": "All", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]}]});
    writer.create(&object("IamPolicy", "shop", "work", &again));
    followed.until_verdict("alice", "get", "shop", "secrets", Verdict::Allow);
}

#[test]
fn a_definition_that_lets_anything_in_makes_nothing_worse() {
    let (cluster, writer) = started();
    fill(&writer);
    let followed = Followed::start(cluster.admin());
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::Allow);

    let mut lax = writer.send(Method::GET, POLICIES, &Value::Null);
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = lax["spec"]["versions"][0].as_object_mut().unwrap();
    version.retain(|key, _| !matches!(key.as_str(), "selectableFields" | "additionalPrinterColumns"));
    version["schema"]["openAPIV3Schema"] = anything;
    writer.replace(POLICIES, "/spec", &lax["spec"]);
    let work = object("IamPolicy", "shop", "work", &json!({}));
    let broken = [
        json!({"statements": "none"}),
        json!({"statements": [{"sid": "All", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"], "unless": 1}]}),
        json!([["nothing"]]),
        json!("text"),
        json!({"type": "Managed", "statements": [], "document": {"Version": "1999-01-01"}}),
    ];
    for spec in broken {
        // The server goes on to check by the old schema for a moment.
        followed.until("anything is let in", |_| {
            let mut stored = writer.send(Method::GET, &crate::followed::path(&work), &Value::Null);
            stored["spec"] = spec.clone();
            stored["besides"] = json!({"grants": ["everything"]});
            writer.try_send(Method::PUT, &crate::followed::path(&work), &stored).is_ok()
        });
        followed.until_verdict("alice", "get", "shop", "pods", Verdict::ImplicitDeny);
        secrets_stay_shut(&followed);
    }
    // The strict definition comes back; the object is mended.
    writer.replace(POLICIES, "/spec", &definition("iampolicies")["spec"]);
    let mended = json!({"statements": [{"sid": "All", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]}]});
    followed.until("the object is mended", |_| {
        let mut stored = writer.send(Method::GET, &crate::followed::path(&work), &Value::Null);
        stored["spec"] = mended.clone();
        writer.try_send(Method::PUT, &crate::followed::path(&work), &stored).is_ok()
    });
    followed.until_verdict("alice", "get", "shop", "secrets", Verdict::Allow);
}

/// Alice may read everything everywhere, by a user of hers in the management account. In an account of her own she is
/// disabled, and its secrets are nobody's: the two objects that say so.
fn shut(writer: &Writer, account: &str) -> [Value; 2] {
    writer.namespace(account);
    let alice = json!({"identities": [{"kind": "User", "name": "alice"}], "disabled": true});
    let secrets = json!({"type": "Resource", "targets": {"resources": [format!("arn:k8s:core::{account}:secrets/*")]},
        "statements": [{"sid": "Nobody", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"]}]});
    [("IamUser", "alice", alice), ("IamPolicy", "secrets", secrets)].map(|(kind, name, spec)| {
        let object = object(kind, account, name, &spec);
        writer.create(&object);
        object
    })
}

/// There is no namespace controller: the order in which objects go is the test's.
#[test]
fn while_a_namespace_goes_nothing_opens_that_was_shut_in_whatever_order_its_objects_go() {
    let (cluster, writer) = started();
    writer.namespace("kube-iam-system");
    let everything =
        json!({"statements": [{"sid": "All", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]}]});
    writer.create(&object("IamPolicy", "kube-iam-system", "everything", &everything));
    for name in ["alice", "keeper"] {
        let user = json!({"identities": [{"kind": "User", "name": name}], "policies": ["everything"]});
        writer.create(&object("IamUser", "kube-iam-system", name, &user));
    }
    let accounts = [("users-first", 0), ("policies-first", 1)].map(|(account, first)| {
        let mut objects = shut(&writer, account);
        objects.rotate_left(first);
        (account, objects)
    });
    let followed = Followed::start(cluster.admin());
    let stays_shut = |followed: &Followed, account: &str| {
        assert_eq!(followed.verdict("alice", "get", account, "pods"), Verdict::ExplicitDeny, "{account}");
        assert_eq!(followed.verdict("keeper", "get", account, "secrets"), Verdict::ExplicitDeny, "{account}");
    };
    for (account, objects) in &accounts {
        stays_shut(&followed, account);
        assert_eq!(followed.verdict("keeper", "get", account, "pods"), Verdict::Allow);
        let namespace = format!("/api/v1/namespaces/{account}");
        writer.send(Method::DELETE, &namespace, &Value::Null);
        for object in objects {
            let kind = if object["kind"] == "IamUser" { Kind::User } else { Kind::Policy };
            let name = object["metadata"]["name"].as_str().unwrap().into();
            let key = ObjectKey { kind, account: (*account).into(), name };
            writer.delete(object);
            followed.until("the object is gone", |followed| {
                stays_shut(followed, account);
                followed.catalog.read(|catalog| catalog.get(&key).is_none())
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        stays_shut(&followed, account);
        let finalized = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": account}, "spec": {}});
        writer.send(Method::PUT, &format!("{namespace}/finalize"), &finalized);
        // The namespace is gone, and with it what it said.
        followed.until_verdict("keeper", "get", account, "secrets", Verdict::Allow);
        followed.until_verdict("alice", "get", account, "pods", Verdict::Allow);
    }
}

#[test]
fn who_starts_while_a_kind_is_being_deleted_waits_until_it_is_gone_and_there_anew() {
    let (cluster, writer) = started();
    writer.namespace("shop");
    let statements = json!([{"sid": "All", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]}]);
    let mut work = object("IamPolicy", "shop", "work", &json!({"statements": statements}));
    work["metadata"]["finalizers"] = json!(["kube-iam.dev/in-use"]);
    writer.create(&work);
    writer.send(Method::DELETE, POLICIES, &Value::Null);

    let followed = Followed::begin(cluster.admin());
    let key = ObjectKey { kind: Kind::Policy, account: "shop".into(), name: "work".into() };
    followed.until("what is left is seen", |followed| followed.catalog.read(|catalog| catalog.get(&key).is_some()));
    std::thread::sleep(Duration::from_secs(2));
    assert!(followed.reader.load().is_none(), "what else there was before is not known");

    writer.send(Method::PATCH, &crate::followed::path(&work), &json!({"metadata": {"finalizers": null}}));
    followed.until("the kind is gone", |followed| {
        assert!(followed.reader.load().is_none());
        writer.try_send(Method::GET, POLICIES, &Value::Null).is_err()
    });
    install(&cluster);
    followed.until("a first snapshot", |followed| followed.reader.load().is_some());
}
