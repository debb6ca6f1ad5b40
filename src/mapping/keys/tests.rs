use std::collections::BTreeMap;

use crate::mapping::fixture::{ask, by_alice, facts, requirement, setting};
use crate::mapping::{
    Attributes, Refusal, ResourceAttributes, SelectorOperator, Target, Unasked, UrlAttributes, request,
};

/// The facts of a question but those that every question has.
fn own_facts(question: ResourceAttributes<'static>) -> Vec<String> {
    const COMMON: [&str; 9] = [
        "aws:CurrentTime",
        "aws:EpochTime",
        "k8s:ApiGroup",
        "k8s:ApiVersion",
        "k8s:Resource",
        "k8s:User",
        "k8s:Verb",
        "aws:ResourceAccount",
        "k8s:Scope",
    ];
    let facts = facts(&by_alice(question));
    facts
        .into_iter()
        .filter(|(key, _)| !COMMON.contains(&&**key))
        .map(|(key, fact)| format!("{key} = {fact}"))
        .collect()
}

#[test]
fn every_key_of_the_caller_is_there_once_and_only_if_it_has_a_source() {
    let bare =
        Attributes { user: "alice".into(), target: Target::Url(UrlAttributes::default()), ..Attributes::default() };
    assert_eq!(request(&bare, &setting()).unwrap_err(), Unasked::Refused(Refusal::EmptyVerb));
    let target = || Target::Url(UrlAttributes { path: "/metrics".into(), verb: "get".into() });
    let bare = Attributes { user: "alice".into(), target: target(), ..Attributes::default() };
    let expected = [
        ("aws:CurrentTime", "2026-01-01T00:00:00Z"),
        ("aws:EpochTime", "1767225600"),
        ("aws:ResourceAccount", "kube-iam-system"),
        ("k8s:Path", "/metrics"),
        ("k8s:User", "alice"),
        ("k8s:Verb", "get"),
    ];
    let expected: BTreeMap<String, String> = expected.map(|(key, fact)| (key.to_owned(), fact.to_owned())).into();
    assert_eq!(facts(&bare), expected);

    let bound = |suffix: &str, values: &[&'static str]| {
        (format!("authentication.kubernetes.io/{suffix}").into(), values.iter().map(|value| (*value).into()).collect())
    };
    let full = Attributes {
        user: "system:serviceaccount:ns:ci".into(),
        uid: "u-1".into(),
        groups: vec!["system:serviceaccounts".into(), "kube-iam.dev/x".into(), "dev".into()],
        extra: vec![
            bound("pod-name", &["p"]),
            bound("pod-uid", &["u"]),
            bound("node-name", &["n", "m"]),
            bound("node-uid", &["nu"]),
            bound("credential-id", &["JTI=1"]),
            ("kube-iam.dev/session".into(), vec!["forged".into()]),
            ("example.org/a".into(), vec!["1".into(), "2".into()]),
            ("example.org/B".into(), vec!["1".into()]),
            ("example.org/b".into(), vec!["2".into()]),
            ("example.org/none".into(), vec![]),
        ],
        target: target(),
    };
    // Two spellings of one extra are two entries that both say "unknown".
    let found = facts(&full);
    for (key, fact) in [
        ("k8s:User", "system:serviceaccount:ns:ci"),
        ("k8s:UID", "u-1"),
        ("k8s:Groups", "[system:serviceaccounts dev]"),
        ("k8s:BoundPod", "p"),
        ("k8s:BoundPodUID", "u"),
        ("k8s:BoundNode", "UNKNOWN"),
        ("k8s:CredentialId", "JTI=1"),
        ("k8s:Extra/authentication.kubernetes.io/pod-name", "[p]"),
        ("k8s:Extra/authentication.kubernetes.io/node-uid", "[nu]"),
        ("k8s:Extra/example.org/a", "[1 2]"),
        ("k8s:Extra/example.org/B", "UNKNOWN"),
        ("k8s:Extra/example.org/b", "UNKNOWN"),
    ] {
        assert_eq!(found.get(key).map(String::as_str), Some(fact), "{key}");
    }
    assert!(!found.keys().any(|key| key.contains("none") || key.contains("kube-iam.dev")), "{found:?}");
}

#[test]
fn the_place_of_a_question_is_told_by_its_kind() {
    let any = "any()";
    for (question, scope, namespace, account) in [
        ("get -/pods ns p", "Namespaced", Some("ns"), "ns"),
        ("get -/nodes ns n", "Cluster", None, "kube-iam-system"),
        ("get -/namespaces prod prod", "Cluster", None, "kube-iam-system"),
        ("list -/pods - -", "AllNamespaces", Some(any), any),
        ("list u.example.org/kinds - -", "Unknown", Some("any() or absent"), any),
        ("list u.example.org/kinds ns -", "Namespaced", Some("ns"), "ns"),
        ("get -/pods a:b p", "Namespaced", Some("UNKNOWN"), "UNKNOWN"),
    ] {
        let found = facts(&by_alice(ask(question)));
        let get = |key: &str| found.get(key).map(String::as_str);
        assert_eq!(get("k8s:Scope"), Some(scope), "{question}");
        assert_eq!(get("k8s:Namespace"), namespace, "{question}");
        assert_eq!(get("aws:ResourceAccount"), Some(account), "{question}");
    }
    let selector = vec![requirement("metadata.namespace", SelectorOperator::NotIn, &["a"])];
    let found = facts(&by_alice(ResourceAttributes { field_selector: selector, ..ask("list -/pods - -") }));
    assert_eq!((&*found["k8s:Namespace"], &*found["aws:ResourceAccount"]), ("any(-a)", "any(-a)"));
}

#[test]
fn the_kind_of_a_question_is_any_where_it_says_all() {
    let of = |question: &str, key: &str| facts(&by_alice(ask(question))).get(key).cloned().unwrap_or_default();
    assert_eq!(of("get -/pods ns p", "k8s:ApiGroup"), "core");
    assert_eq!(of("get apps/deployments ns p", "k8s:ApiGroup"), "apps");
    assert_eq!(of("get */pods ns p", "k8s:ApiGroup"), "any()");
    assert_eq!(of("get -/pods ns p", "k8s:ApiVersion"), "v1");
    assert_eq!(of("get -/pods ns p", "k8s:Resource"), "pods");
    assert_eq!(of("get -/* ns p", "k8s:Resource"), "any()");
    assert_eq!(of("* -/pods ns p", "k8s:Verb"), "any()");
    assert_eq!(of("get -/pods ns p", "k8s:Subresource"), "");
    assert_eq!(of("get -/pods/log ns p", "k8s:Subresource"), "log");
    assert_eq!(of("get -/pods/* ns p", "k8s:Subresource"), "any() or absent");
    let no_version = ResourceAttributes { version: "".into(), ..ask("get -/pods ns p") };
    assert!(!facts(&by_alice(no_version)).contains_key("k8s:ApiVersion"));
    let any_version = ResourceAttributes { version: "*".into(), ..ask("get -/pods ns p") };
    assert_eq!(facts(&by_alice(any_version))["k8s:ApiVersion"], "any()");
}

/// B7, columns R and L: what is known, what is not known yet, and what is not there, by verb and subresource.
#[test]
fn content_is_known_unknown_or_absent_by_verb() {
    let stored = ["aws:ResourceTag/… = UNKNOWN", "k8s:StoredObject/… = UNKNOWN"];
    let over_set = ["aws:ResourceTag/… = any() or absent", "k8s:StoredObject/… = UNKNOWN"];
    let sent = ["aws:RequestTag/… = UNKNOWN", "aws:TagKeys = UNKNOWN", "k8s:RequestObject/… = UNKNOWN"];
    let how = ["k8s:DryRun = UNKNOWN", "k8s:FieldManager = UNKNOWN", "k8s:Operation = UNKNOWN"];
    let connect = ["k8s:Exec/… = UNKNOWN", "k8s:PortForward/… = UNKNOWN", "k8s:Proxy/path = UNKNOWN"];
    let no_selector = ["k8s:HasFieldSelector = false", "k8s:HasLabelSelector = false"];
    let any_selector = [
        "k8s:FieldSelector/… = UNKNOWN",
        "k8s:HasFieldSelector = UNKNOWN",
        "k8s:HasLabelSelector = UNKNOWN",
        "k8s:LabelSelector/… = UNKNOWN",
    ];
    let proxy = ["k8s:Proxy/scheme = UNKNOWN", "k8s:Proxy/port = UNKNOWN"];
    let at = |name: &'static str| vec!["k8s:Namespace = ns", name];
    for (question, parts) in [
        ("get -/secrets ns x", vec![&at("k8s:Name = x")[..], &stored]),
        ("frobnicate -/secrets ns x", vec![&at("k8s:Name = x")[..], &stored]),
        ("list -/secrets ns -", vec![&at("k8s:Name = any()")[..], &over_set, &no_selector]),
        ("watch -/secrets ns x", vec![&at("k8s:Name = x")[..], &over_set, &no_selector]),
        ("deletecollection -/secrets ns -", vec![&at("k8s:Name = any()")[..], &over_set, &no_selector, &how]),
        ("create -/secrets ns -", vec![&at("k8s:Name = UNKNOWN")[..], &sent, &how]),
        ("create -/secrets ns x", vec![&at("k8s:Name = x")[..], &sent, &how]),
        ("CREATE -/secrets ns -", vec![&at("k8s:Name = UNKNOWN")[..], &sent, &how]),
        ("update -/secrets ns x", vec![&at("k8s:Name = x")[..], &stored, &sent, &how]),
        ("patch -/secrets ns x", vec![&at("k8s:Name = x")[..], &stored, &sent, &how]),
        ("delete -/secrets ns x", vec![&at("k8s:Name = x")[..], &stored, &how]),
        (
            "create -/serviceaccounts/token ns x",
            vec![&at("k8s:Name = x")[..], &["k8s:Subresource = token"], &stored, &sent, &how],
        ),
        ("get -/pods/exec ns x", vec![&at("k8s:Name = x")[..], &["k8s:Subresource = exec"], &stored, &how, &connect]),
        (
            "create -/pods/portforward ns x",
            vec![&at("k8s:Name = x")[..], &["k8s:Subresource = portforward"], &stored, &sent, &how, &connect],
        ),
        (
            "get -/services/proxy ns x",
            vec![&at("k8s:Name = x")[..], &["k8s:Subresource = proxy"], &stored, &how, &connect],
        ),
        (
            "get -/services/proxy ns https:x:443",
            vec![
                &at("k8s:Name = x")[..],
                &["k8s:Subresource = proxy", "k8s:Proxy/scheme = https", "k8s:Proxy/port = 443"],
                &stored,
                &how,
                &connect,
            ],
        ),
        (
            "get -/services/proxy ns -",
            vec![&at("k8s:Name = any()")[..], &["k8s:Subresource = proxy"], &proxy, &stored, &how, &connect],
        ),
        ("* -/secrets ns x", vec![&at("k8s:Name = x")[..], &stored, &sent, &how, &any_selector]),
    ] {
        let mut expected: Vec<&str> = parts.concat();
        expected.sort_unstable();
        let mut found = own_facts(ask(question));
        found.sort_unstable();
        assert_eq!(found, expected, "{question}");
    }
}

#[test]
fn selectors_become_keys_and_bound_the_labels_of_what_is_listed() {
    use SelectorOperator::{DoesNotExist, Exists, In, NotIn};
    let label_selector = vec![
        requirement("a", In, &["x", "y"]),
        requirement("b", NotIn, &["x"]),
        requirement("c", Exists, &[]),
        requirement("d", DoesNotExist, &[]),
        requirement("e", In, &["x"]),
        requirement("e", In, &["y"]),
        requirement("f", In, &["x"]),
        requirement("F", In, &["y"]),
    ];
    let field_selector = vec![
        requirement("spec.nodeName", In, &["n1"]),
        requirement("status.phase", NotIn, &["Failed"]),
        requirement("spec.many", In, &["a", "b"]),
    ];
    let question = |kind: &str, verb: &str| ResourceAttributes {
        label_selector: label_selector.clone(),
        field_selector: field_selector.clone(),
        ..ask(&format!("{verb} {kind} ns -"))
    };
    let keys = [
        "k8s:FieldSelector/spec.many = UNKNOWN",
        "k8s:FieldSelector/spec.nodeName = n1",
        "k8s:HasFieldSelector = true",
        "k8s:HasLabelSelector = true",
        "k8s:LabelSelector/a = [x y]",
        "k8s:LabelSelector/e = UNKNOWN",
        "k8s:LabelSelector/f = UNKNOWN",
    ];
    let set = [
        "aws:ResourceTag/… = any() or absent",
        "k8s:Name = any()",
        "k8s:Namespace = ns",
        "k8s:StoredObject/… = UNKNOWN",
    ];
    let labels = [
        "aws:ResourceTag/a = among(x y)",
        "aws:ResourceTag/b = any(-x) or absent",
        "aws:ResourceTag/c = any()",
        "aws:ResourceTag/d = among() or absent",
    ];
    for (kind, verb, expected) in [
        ("-/pods", "list", [&keys[..], &set, &labels].concat()),
        ("aggregated.example.org/things", "watch", [&keys[..], &set].concat()),
        (
            "-/pods",
            "get",
            vec![
                "aws:ResourceTag/… = UNKNOWN",
                "k8s:Name = any()",
                "k8s:Namespace = ns",
                "k8s:StoredObject/… = UNKNOWN",
            ],
        ),
    ] {
        let mut expected = expected;
        expected.sort_unstable();
        let mut found = own_facts(question(kind, verb));
        found.sort_unstable();
        assert_eq!(found, expected, "{verb} {kind}");
    }
}
