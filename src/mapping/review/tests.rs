use proptest::prelude::*;

use super::*;

/// What kube-apiserver sends.
const LIST: &str = r#"{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{"creationTimestamp":null},
 "spec":{"user":"oidc:alice","uid":"u-1","groups":["dev","ops"],"extra":{"example.org/k":["v"],"example.org/n":null},
  "resourceAttributes":{"namespace":"payments","verb":"list","group":"apps","version":"v1","resource":"deployments","name":"a",
   "fieldSelector":{"requirements":[{"key":"metadata.name","operator":"In","values":["a"]}]},
   "labelSelector":{"requirements":[{"key":"app","operator":"In","values":["web"]},{"key":"tier","operator":"Exists"}]}}},
 "status":{"allowed":false}}"#;

fn spec(spec: &str) -> String {
    format!(r#"{{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{spec}}}"#)
}

fn resource(fields: &str) -> String {
    spec(&format!(r#"{{"user":"a","resourceAttributes":{{"verb":"list","resource":"pods"{fields}}}}}"#))
}

fn problem(text: &str) -> String {
    decode(text.as_bytes()).unwrap_err().to_string()
}

fn requirement(key: &'static str, operator: SelectorOperator, values: &[&'static str]) -> Requirement<'static> {
    Requirement { key: key.into(), operator, values: values.iter().map(|value| (*value).into()).collect() }
}

#[test]
fn every_field_that_kubernetes_sends_is_read() {
    let review = decode(LIST.as_bytes()).unwrap();
    assert_eq!(review.version, ReviewVersion::V1);
    assert_eq!(
        review.attributes,
        Attributes {
            user: "oidc:alice".into(),
            uid: "u-1".into(),
            groups: vec!["dev".into(), "ops".into()],
            extra: vec![("example.org/k".into(), vec!["v".into()]), ("example.org/n".into(), vec![])],
            target: Target::Resource(ResourceAttributes {
                namespace: "payments".into(),
                verb: "list".into(),
                group: "apps".into(),
                version: "v1".into(),
                resource: "deployments".into(),
                subresource: "".into(),
                name: "a".into(),
                field_selector: vec![requirement("metadata.name", SelectorOperator::In, &["a"])],
                label_selector: vec![
                    requirement("app", SelectorOperator::In, &["web"]),
                    requirement("tier", SelectorOperator::Exists, &[]),
                ],
            }),
        }
    );
}

#[test]
fn urls_are_read_as_they_are() {
    let text = spec(
        r#"{"user":"a","nonResourceAttributes":{"path":"/apis/../%2e/metrics","verb":"get"},"resourceAttributes":null}"#,
    );
    let url = UrlAttributes { path: "/apis/../%2e/metrics".into(), verb: "get".into() };
    assert_eq!(decode(text.as_bytes()).unwrap().attributes.target, Target::Url(url));
}

#[test]
fn each_version_has_its_own_field_for_groups() {
    for (version, expected) in [("v1", "new"), ("v1beta1", "old")] {
        let text = format!(
            r#"{{"apiVersion":"authorization.k8s.io/{version}","kind":"SubjectAccessReview",
                "spec":{{"user":"a","group":["old"],"groups":["new"],"resourceAttributes":{{"verb":"get"}}}}}}"#
        );
        let review = decode(text.as_bytes()).unwrap();
        assert_eq!(review.attributes.groups, [expected]);
        assert_eq!(review.version.as_str(), format!("authorization.k8s.io/{version}"));
    }
}

#[test]
fn unknown_fields_and_nulls_are_tolerated() {
    for text in [
        resource(r#","more":{"a":[1,true,null]}"#),
        resource(r#","namespace":null,"fieldSelector":null,"labelSelector":{"requirements":null}"#),
        spec(r#"{"user":null,"groups":null,"extra":null,"uid":null,"more":1,"resourceAttributes":{}}"#),
        format!(" {}\n", resource("").replace("\"spec\"", "\"metadata\":null,\"spec\"")),
    ] {
        assert!(decode(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn requirements_that_are_not_understood_are_ignored_which_is_broader() {
    for (fields, expected) in [
        (r#"{"requirements":[{"key":"a","operator":"Gt","values":["1"]}]}"#, vec![]),
        (r#"{"requirements":[{"key":"a","operator":"in","values":["1"]}]}"#, vec![]),
        (r#"{"requirements":[{"key":"a"}]}"#, vec![]),
        (r#"{"requirements":[{"key":"a","operator":"In","values":[]},{"operator":"Exists"}]}"#, vec![]),
        (r#"{"requirements":[{"key":"a","operator":"Exists","values":["1"]}]}"#, vec![]),
        (r#"{"rawSelector":"a=b"}"#, vec![]),
        (r#"{"rawSelector":"a=b","requirements":[]}"#, vec![]),
        (
            r#"{"rawSelector":"","requirements":[{"key":"a","operator":"NotIn","values":["1"],"x":1}]}"#,
            vec![requirement("a", SelectorOperator::NotIn, &["1"])],
        ),
    ] {
        for selector in ["fieldSelector", "labelSelector"] {
            let text = resource(&format!(r#","{selector}":{fields}"#));
            let Target::Resource(found) = decode(text.as_bytes()).unwrap().attributes.target else { panic!("{text}") };
            let found = if selector == "fieldSelector" { found.field_selector } else { found.label_selector };
            assert_eq!(found, expected, "{text}");
        }
    }
    let many = r#"{"key":"a","operator":"Exists"},"#.repeat(300);
    let text = resource(&format!(r#","labelSelector":{{"requirements":[{many}{{"key":"b","operator":"Exists"}}]}}"#));
    let Target::Resource(found) = decode(text.as_bytes()).unwrap().attributes.target else { panic!("{text}") };
    assert_eq!(found.label_selector.len(), MAX_REQUIREMENTS);
}

#[test]
fn what_is_not_exactly_one_question_is_malformed() {
    let both = "expected exactly one of `spec.resourceAttributes` and `spec.nonResourceAttributes`";
    for (text, expected) in [
        (spec(r#"{"user":"a"}"#), both),
        (spec(r#"{"user":"a","resourceAttributes":null}"#), both),
        (spec(r#"{"user":"a","resourceAttributes":{},"nonResourceAttributes":{}}"#), both),
        (spec("null"), "expected an object at `spec`"),
        (spec("[]"), "expected an object at `spec`"),
        ("[]".to_owned(), "expected an object at `.`"),
        (spec(r#"{"user":1,"resourceAttributes":{}}"#), "expected a text at `spec.user`"),
        (spec(r#"{"groups":"a","resourceAttributes":{}}"#), "expected a list at `spec.groups`"),
        (spec(r#"{"groups":[null],"resourceAttributes":{}}"#), "expected a list of texts at `spec.groups`"),
        (spec(r#"{"extra":{"k":"v"},"resourceAttributes":{}}"#), "expected a list at `spec.extra.k`"),
        (spec(r#"{"extra":[],"resourceAttributes":{}}"#), "expected an object at `spec.extra`"),
        (resource(r#","name":{}"#), "expected a text at `spec.resourceAttributes.name`"),
        (resource(r#","labelSelector":[]"#), "expected an object at `spec.resourceAttributes.labelSelector`"),
        (
            resource(r#","labelSelector":{"requirements":{}}"#),
            "expected a list at `spec.resourceAttributes.labelSelector.requirements`",
        ),
        (
            resource(r#","fieldSelector":{"rawSelector":"x","requirements":[{"key":"a","operator":"Gt"}]}"#),
            "expected `fieldSelector` to hold either `rawSelector` or `requirements`",
        ),
        (
            LIST.replace("\"SubjectAccessReview\"", "\"LocalSubjectAccessReview\""),
            "expected kind `SubjectAccessReview`, found `LocalSubjectAccessReview`",
        ),
        (
            LIST.replace("\"SubjectAccessReview\"", "\"SelfSubjectAccessReview\""),
            "expected kind `SubjectAccessReview`, found `SelfSubjectAccessReview`",
        ),
        (
            LIST.replace("\"SubjectAccessReview\"", "\"<b>\\n\""),
            "expected kind `SubjectAccessReview`, found `\\u{3c}b\\u{3e}\\u{a}`",
        ),
        (
            LIST.replace("io/v1", "io/v2"),
            "expected apiVersion `authorization.k8s.io/v1` or `authorization.k8s.io/v1beta1`, found `authorization.k8s.io/v2`",
        ),
        ("{}".to_owned(), "expected apiVersion `authorization.k8s.io/v1` or `authorization.k8s.io/v1beta1`, found ``"),
        (
            LIST.replace("\"uid\":\"u-1\"", "\"user\":\"root\""),
            "cannot read the review as JSON: key `user` stands twice at line 2 column 35",
        ),
        (
            LIST.replace("{\"allowed\":false}", "{\"a\":0,\"a\":0}"),
            "cannot read the review as JSON: key `a` stands twice at line 6 column 20",
        ),
        (String::new(), "cannot read the review as JSON: EOF while parsing a value at line 1 column 0"),
        (format!("{LIST}{LIST}"), "cannot read the review as JSON: trailing characters at line 6 column 29"),
        (" ".repeat(MAX_REVIEW_BYTES + 1), "the review has more than 3145728 bytes"),
    ] {
        assert_eq!(problem(&text), expected, "{}", text.get(..200).unwrap_or(&text));
    }
    let started = std::time::Instant::now();
    problem(&"[".repeat(1_000_000));
    problem(&resource(&format!(r#","more":{}"#, r#"{"a":"#.repeat(500_000))));
    assert!(started.elapsed() < std::time::Duration::from_secs(1));
}

#[test]
fn the_answer_repeats_version_and_kind_and_never_says_both() {
    let answer = |opinion| Answer { opinion, reason: "why \"so\"".to_owned(), evaluation_error: None };
    for (version, opinion, expected) in [
        (
            ReviewVersion::V1,
            Opinion::Allowed,
            r#"{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","status":{"allowed":true,"denied":false,"reason":"why \"so\""}}"#,
        ),
        (
            ReviewVersion::V1Beta1,
            Opinion::Denied,
            r#"{"apiVersion":"authorization.k8s.io/v1beta1","kind":"SubjectAccessReview","status":{"allowed":false,"denied":true,"reason":"why \"so\""}}"#,
        ),
        (
            ReviewVersion::V1,
            Opinion::NoOpinion,
            r#"{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","status":{"allowed":false,"denied":false,"reason":"why \"so\""}}"#,
        ),
    ] {
        assert_eq!(String::from_utf8(encode(version, &answer(opinion))).unwrap(), expected);
    }
    let failed = Answer { evaluation_error: Some("it broke".to_owned()), ..answer(Opinion::Denied) };
    assert!(String::from_utf8(encode(ReviewVersion::V1, &failed)).unwrap().contains(r#""evaluationError":"it broke""#));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic_and_every_problem_is_one_printable_line(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = decode(&bytes) {
            let text = error.to_string();
            prop_assert!(!text.chars().any(char::is_control) && text.chars().count() <= 512, "{text}");
        }
    }

    /// One byte of a real review is changed, cut away or doubled: it stays a question only if it still is exactly one.
    #[test]
    fn a_damaged_review_is_a_review_or_an_error(at in 0..LIST.len(), byte: u8, how in 0..3u8) {
        let mut bytes = LIST.as_bytes().to_vec();
        match how {
            0 => bytes[at] = byte,
            1 => { bytes.truncate(at); }
            _ => bytes.insert(at, byte),
        }
        match decode(&bytes) {
            Ok(_) => prop_assert!(how != 1),
            Err(error) => prop_assert!(!error.to_string().chars().any(char::is_control)),
        }
    }

    #[test]
    fn arbitrary_names_come_back_as_they_were_sent(user in any::<String>(), group in any::<String>(), name in any::<String>()) {
        let text = serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": [group], "resourceAttributes": {"name": name}},
        })
        .to_string();
        let attributes = decode(text.as_bytes()).unwrap().attributes;
        prop_assert_eq!((&*attributes.user, &*attributes.groups[0]), (&*user, &*group));
        let Target::Resource(resource) = attributes.target else { panic!("{text}") };
        prop_assert_eq!(&*resource.name, &*name);
    }
}
