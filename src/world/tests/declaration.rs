//! Whole objects.

use super::*;
use crate::name::Scope;
use crate::policy::json;
use crate::policy::tree::Value;

fn read(json: Json) -> Result<Declaration, String> {
    Declaration::read(&Node::from(&json), None).map_err(|error| error.to_string())
}

fn ours(kind: &str, metadata: Json) -> Json {
    json!({"apiVersion": "kube-iam.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": {"path": "/"}})
}

#[test]
fn our_kinds_are_objects() {
    for kind in Kind::ALL {
        let metadata = json!({"name": "x", "namespace": "a", "uid": "u-1", "labels": {"l": "1"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{"}, "finalizers": ["f"]});
        let Ok(Declaration::Object(object)) = read(ours(kind.as_str(), metadata)) else { panic!("{kind:?}") };
        assert_eq!(object.key, ObjectKey { kind, account: "a".into(), name: "x".into() });
        assert_eq!(object.uid.as_deref(), Some("u-1"));
        assert!(!object.deleting && object.last_good.is_none());
        assert!(matches!(&object.spec, Spec::Read(node) if node.get("path").is_some()));
    }
}

#[test]
fn an_object_being_deleted_says_so() {
    for (timestamp, deleting) in [(json!("2026-01-01T00:00:00Z"), true), (json!(null), false)] {
        let metadata = json!({"name": "x", "namespace": "a", "deletionTimestamp": timestamp});
        let Ok(Declaration::Object(object)) = read(ours("IamUser", metadata)) else { panic!() };
        assert_eq!(object.deleting, deleting);
    }
}

#[test]
fn an_object_without_spec_is_read() {
    let json = json!({"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamUser",
        "metadata": {"name": "x", "namespace": "a"}, "status": {}});
    let Ok(Declaration::Object(object)) = read(json) else { panic!() };
    assert!(matches!(&object.spec, Spec::Read(node) if node.value == Value::Null));
}

#[test]
fn what_is_wrong_around_a_spec_is_an_error() {
    let metadata = || json!({"name": "x", "namespace": "a"});
    let with = |key: &str, value: Json| {
        let mut json = ours("IamUser", metadata());
        json[key] = value;
        json
    };
    for (json, message) in [
        (json!(null), "expected a map, found null"),
        (json!([]), "expected a map, found a list"),
        (json!({"kind": "IamUser"}), "key `apiVersion` is missing"),
        (json!({"apiVersion": "v1"}), "key `kind` is missing"),
        (with("apiVersion", json!(1)), "apiVersion: expected a string, found a number"),
        (
            with("apiVersion", json!("kube-iam.dev/v1")),
            "apiVersion: unknown version `v1`; expected `kube-iam.dev/v1alpha1`",
        ),
        (
            with("apiVersion", json!("kubeiam.dev/v1alpha1")),
            "apiVersion: unknown API group `kubeiam.dev`; did you mean `kube-iam.dev`?",
        ),
        (with("kind", json!("IamUsr")), "kind: unknown kind `IamUsr`; did you mean `IamUser`?"),
        (with("metadata", json!(null)), "key `metadata` is missing"),
        (with("metadata", json!("x")), "metadata: expected a map, found a string"),
        (with("metadata", json!({"name": "x"})), "metadata: key `namespace` is missing"),
        (with("metadata", json!({"name": "x", "namespace": null})), "metadata: key `namespace` is missing"),
        (with("metadata", json!({"name": "x", "namespace": ""})), "metadata.namespace: `namespace` is empty"),
        (with("metadata", json!({"name": "", "namespace": "a"})), "metadata.name: `name` is empty"),
        (with("metadata", json!({"generateName": "x-", "namespace": "a"})), "metadata: key `name` is missing"),
        (with("metadata", json!({"name": 1, "namespace": "a"})), "metadata.name: expected a string, found a number"),
        (with("sepc", json!({})), "sepc: unknown key `sepc`; did you mean `spec`?"),
    ] {
        assert_eq!(read(json.clone()).err().as_deref(), Some(message), "{json}");
    }
}

#[test]
fn errors_name_line_and_column() {
    let text = r#"{"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamUser",
        "metadata": {"name": "x", "name": "y"}}"#;
    let node = json::parse(text, 1_000).unwrap();
    let error = Declaration::read(&node, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "2:35: metadata.name: key `name` stands twice; 2:21: metadata: key `namespace` is missing"
    );
}

#[test]
fn namespaces_have_labels_and_a_root() {
    let read = read(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a",
        "labels": {"env": "prod", "kubernetes.io/metadata.name": "other"},
        "annotations": {"kube-iam.dev/root-identity": "boss", "kube-iam.dev/root-mfa": "optional", "x": "y"}}}));
    let Ok(Declaration::Namespace(facts)) = read else { panic!("{read:?}") };
    let labels = [("env", "prod"), ("kubernetes.io/metadata.name", "a")];
    let expected = NamespaceFacts {
        name: "a".into(),
        labels: labels
            .map(|(key, value)| (key.into(), value.into()))
            .into_iter()
            .collect::<std::collections::BTreeMap<_, _>>()
            .into(),
        root_identity: Some("boss".into()),
        root_mfa_optional: true,
    };
    assert_eq!(facts, expected);
}

#[test]
fn only_the_word_optional_makes_mfa_optional() {
    for value in ["Optional", "true", "", "required"] {
        let read = read(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "a", "annotations": {"kube-iam.dev/root-mfa": value}}}));
        let Ok(Declaration::Namespace(facts)) = read else { panic!("{read:?}") };
        assert!(!facts.root_mfa_optional && facts.root_identity.is_none(), "{value}");
    }
}

#[test]
fn definitions_say_where_their_kind_lives() {
    let definition = |scope: Json| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.org"},
            "spec": {"group": "example.org", "names": {"plural": "widgets", "kind": "Widget"}, "scope": scope}})
    };
    for (written, scope) in [("Namespaced", Scope::Namespaced), ("Cluster", Scope::Cluster)] {
        let read = read(definition(json!(written)));
        let Ok(Declaration::Kind(facts)) = read else { panic!("{read:?}") };
        assert_eq!(facts, KindFacts { group: "example.org".into(), plural: "widgets".into(), scope });
    }
    assert_eq!(
        read(definition(json!("cluster"))).unwrap_err(),
        "spec.scope: unknown scope `cluster`; did you mean `Cluster`?"
    );
    let bare = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": {}});
    assert_eq!(
        read(bare).unwrap_err(),
        "spec: key `group` is missing; spec: key `scope` is missing; spec: key `names` is missing"
    );
}

#[test]
fn other_kinds_mean_nothing() {
    for (api_version, kind) in [("v1", "Secret"), ("apps/v1", "Deployment"), ("example.org/v1", "Namespace")] {
        let read = read(json!({"apiVersion": api_version, "kind": kind, "data": 1}));
        assert!(matches!(read, Ok(Declaration::Other { .. })), "{read:?}");
    }
}

#[test]
fn declarations_make_an_input() {
    let mut input = Input::default();
    for json in [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}),
        json!({"apiVersion": "v1", "kind": "Secret"}),
        ours("IamUser", json!({"name": "x", "namespace": "a"})),
    ] {
        input.add(read(json).unwrap());
    }
    assert_eq!((input.objects.len(), input.namespaces.len(), input.kinds.len()), (1, 1, 0));
    assert_eq!(build(&input).users[0].arn.as_str(), "arn:k8s:iam::a:user/x");
}
