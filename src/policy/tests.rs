//! The readers as a whole: verdicts of other people's validators, salvage, round trips.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::pattern::{ActionPattern, ResourcePattern};
use super::principal::PrincipalPattern;
use super::print::to_document;
use super::statement::{Element, Polarity, Soundness};
use super::tree::Node;
use super::{Effect, Parsed, PolicyKind, Version, document, json, limits, typed};

const KINDS: [PolicyKind; 5] = [
    PolicyKind::Identity,
    PolicyKind::Resource,
    PolicyKind::Trust,
    PolicyKind::ServiceControl,
    PolicyKind::ResourceControl,
];

fn read(document: &Json, kind: PolicyKind) -> Parsed {
    document::parse(&Node::from(document), kind)
}

fn read_typed(statements: &Json, kind: PolicyKind) -> Parsed {
    typed::parse(&Node::from(statements), kind)
}

fn problems(parsed: &Parsed) -> Vec<String> {
    parsed.problems.iter().map(ToString::to_string).collect()
}

fn with(statement: Json) -> Json {
    json!({"Version": "2012-10-17", "Statement": statement})
}

/// A sound identity statement with these keys instead of its own; null removes one.
fn identity(changes: Json) -> Parsed {
    read(&with(merged(&changes)), PolicyKind::Identity)
}

fn merged(changes: &Json) -> Json {
    let mut statement = json!({"Effect": "Deny", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"});
    for (key, value) in changes.as_object().unwrap() {
        if value == "absent" {
            statement.as_object_mut().unwrap().remove(key);
        } else {
            statement[key] = value.clone();
        }
    }
    statement
}

#[test]
fn every_problem_is_reported_with_its_place() {
    let text = r#"{
  "Version": "2012-10-17",
  "Id": 5,
  "Statment": [],
  "Statement": [
    {"Sid": "a-b", "Effect": "allow", "Action": ["s3", "s3:Get*", 4], "Resource": "arn:aws:s3::b",
     "Conditoin": {},
     "Condition": {"StringEqual": {"aws:x": "y"}, "DateEquals": {"aws:CurrentTime": ["soon", null]}, "Bool": "x"}},
    {"Effect": "Allow", "NotAction": [], "Action": "*", "Principal": "*"},
    7
  ]
}"#;
    let found = problems(&document::parse_text(text, PolicyKind::Identity)).join("\n");
    insta::assert_snapshot!(found, @r#"
    3:9: Id: expected a string, found a number
    4:3: unknown key `Statment`; did you mean `Statement`?
    6:13: Statement[0].Sid: name `a-b` holds more than letters and digits of ASCII
    6:30: Statement[0].Effect: unknown effect `allow`; did you mean `Allow`?
    6:50: Statement[0].Action[0]: action `s3` has no service; expected `*` or `service:name`, such as `k8s:get`
    6:67: Statement[0].Action[2]: expected a string, found a number
    6:83: Statement[0].Resource: resource `arn:aws:s3::b` has an empty segment but fewer than six; expected `arn:partition:service:region:account:resource`
    7:6: Statement[0]: unknown key `Conditoin`; did you mean `Condition`?
    8:20: Statement[0].Condition.StringEqual: unknown condition operator `StringEqual`; did you mean `StringEquals`?
    8:94: Statement[0].Condition.DateEquals["aws:CurrentTime"][1]: expected a string, a number or a boolean, found null
    8:110: Statement[0].Condition.Bool: expected a map from condition keys to values, found a string
    9:5: Statement[1]: missing `Resource` or `NotResource`
    9:25: Statement[1]: `Action` and `NotAction` exclude each other; keep one
    9:38: Statement[1].NotAction: expected a string or a list of strings, found an empty list
    9:57: Statement[1].Principal: an identity policy speaks about the principals that it is attached to; remove `Principal`
    10:5: Statement[2]: expected a statement, a map with `Effect`, found a number
    "#);
}

#[test]
fn typed_problems_name_the_typed_keys() {
    let statements = json!([
        {"sid": "A", "effect": "Allow", "Action": "s3:*", "actions": ["k8s:get"], "resources": "*", "conditions": null},
        {"effect": "Deny", "actions": [], "notResources": null, "conditions": [
            {"operator": "stringlike", "key": "aws:x", "values": ["a"]},
            {"operator": "StringLike", "key": "aws:x", "values": []},
            {"operator": "Bool", "key": "aws:x", "values": [true]},
            {"operator": "Foo", "key": "", "values": ["a"], "value": 1},
            {"key": "a"},
            "x"
        ]},
        {"sid": "A", "effect": "Deny", "actions": ["k8s:get"], "resources": ["*"], "principals": ["*"], "conditions": []}
    ]);
    let found = problems(&read_typed(&statements, PolicyKind::Identity)).join("\n");
    insta::assert_snapshot!(found, @r#"
    statements[0]: unknown key `Action`; did you mean `actions`?
    statements[0].resources: expected a list of strings, found a string; write [`*`]
    statements[0].conditions: expected a list of conditions, found null
    statements[1]: missing `sid`; give the statement a name
    statements[1].actions: expected a list of strings, found an empty list
    statements[1].notResources: expected a list of strings, found null
    statements[1].conditions[0].operator: unknown condition operator `stringlike`; did you mean `StringLike`?
    statements[1].conditions[1].values: expected a list of strings, found an empty list
    statements[1].conditions[2].values[0]: expected a string, found a boolean; write "true"
    statements[1].conditions[3]: unknown key `value`; did you mean `values`?
    statements[1].conditions[3].operator: unknown condition operator `Foo`
    statements[1].conditions[3].key: empty condition key
    statements[1].conditions[4]: missing `operator`
    statements[1].conditions[4]: missing `values`
    statements[1].conditions[5]: expected a map with `operator`, `key` and `values`, found a string
    statements[2].sid: name `A` is that of statement 1 too; each name is used once
    statements[2].principals: an identity policy speaks about the principals that it is attached to; remove `principals`
    statements[2].conditions: expected a list of conditions, found an empty list
    "#);
}

#[test]
fn each_kind_of_policy_has_its_elements() {
    let statement = json!({
        "Effect": "Allow", "NotPrincipal": {"AWS": "123456789012", "aws": "*"}, "NotAction": "k8s:get", "Resource": "*"
    });
    let mut all = String::new();
    for kind in KINDS {
        let parsed = read(&json!({"Statement": statement}), kind);
        all += &format!("{kind:?}\n  {}\n", problems(&parsed).join("\n  "));
    }
    insta::assert_snapshot!(all, @r#"
    Identity
      missing `Version`; an identity policy needs `2012-10-17`
      Statement.NotPrincipal: an identity policy speaks about the principals that it is attached to; remove `NotPrincipal`
    Resource
      Statement.NotPrincipal: unknown type of principal `aws`; did you mean `AWS`?
      Statement.NotPrincipal: `NotPrincipal` with `Allow` grants to everyone else; use it with `Deny`
    Trust
      Statement.NotPrincipal: unknown type of principal `aws`; did you mean `AWS`?
      Statement.NotPrincipal: a trust policy has no `NotPrincipal`; write `Principal`
      Statement.NotAction: action `k8s:get` has no place in a trust policy; expected `sts:…`
      Statement.NotAction: a trust policy lists its actions; write `Action`
      Statement.Resource: a trust policy speaks about its own role; remove `Resource`
    ServiceControl
      missing `Version`; a ServiceControl policy needs `2012-10-17`
      Statement.NotPrincipal: a ServiceControl policy speaks about the principals that it is attached to; remove `NotPrincipal`
    ResourceControl
      missing `Version`; a ResourceControl policy needs `2012-10-17`
      Statement.Effect: a ResourceControl policy holds `Deny` statements only
      Statement.NotPrincipal: unknown type of principal `aws`; did you mean `AWS`?
      Statement.NotPrincipal: a ResourceControl policy has no `NotPrincipal`; write `Principal`
      Statement.NotAction: a ResourceControl policy lists its actions; write `Action`
    "#);
}

#[test]
fn a_statement_keeps_what_is_readable() {
    let cases = [
        // What changes; whether actions and resources can be read, and how many conditions.
        (json!({"Effect": "allow"}), true, true, 0),
        (json!({"Effect": "absent"}), true, true, 0),
        (json!({"Action": "absent"}), false, true, 0),
        (json!({"Action": []}), false, true, 0),
        (json!({"Action": null}), false, true, 0),
        (json!({"Action": ["s3:Get*", "s3"]}), false, true, 0),
        (json!({"NotAction": "s3:*"}), false, true, 0),
        (json!({"Resource": "absent"}), true, false, 0),
        (json!({"Resource": ["arn:aws:s3:::b", 5]}), true, false, 0),
        (json!({"Resource": [null]}), true, false, 0),
        (json!({"Foo": 1}), true, true, 0),
        (json!({"Sid": {}}), true, true, 0),
        (json!({"Principal": "*"}), true, true, 0),
        (json!({"Condition": []}), true, true, 0),
        (json!({"Condition": {"Foo": {"a": "b"}, "Bool": {"aws:x": "true"}}}), true, true, 0),
        (json!({"Condition": {"Bool": {"aws:x": {}, "aws:y": "true"}}}), true, true, 0),
        (json!({"Condition": {"StringLike": {"a": "*a".repeat(40)}}}), true, true, 0),
    ];
    for (changes, actions, resources, conditions) in cases {
        let parsed = identity(changes.clone());
        assert!(!parsed.problems.is_empty(), "{changes}");
        let [statement] = &*parsed.policy.statements else { panic!("{changes}") };
        assert_eq!(statement.effect, Effect::Deny, "{changes}");
        assert_eq!(statement.soundness, Soundness::Malformed, "{changes}");
        assert_eq!(statement.principals, Element::Absent, "{changes}");
        assert_eq!(statement.actions != Element::Malformed, actions, "{changes}");
        assert_eq!(statement.resources != Element::Malformed, resources, "{changes}");
        assert_eq!(statement.conditions.len(), conditions, "{changes}");
    }
}

#[test]
fn problems_beside_the_meaning_leave_a_statement_sound() {
    let cases = [
        (json!({"Sid": "a b"}), 0),
        (json!({"Resource": ["arn:aws:s3:::b/*", null]}), 0),
        (json!({"Action": "**"}), 0),
        (json!({"NotResource": "**", "Resource": "absent"}), 0),
        (json!({"Condition": {"DateEquals": {"aws:CurrentTime": "soon"}}}), 1),
        (json!({"Condition": {"Bool": {"aws:x": "maybe"}}}), 1),
        (json!({"Condition": {"Null": {"aws:x": "${a}"}}}), 1),
        (json!({"Condition": {"stringequals": {"aws:x": "a"}}}), 1),
    ];
    for (changes, conditions) in cases {
        let parsed = identity(changes.clone());
        assert_eq!(parsed.problems.len(), 1, "{changes}");
        let [statement] = &*parsed.policy.statements else { panic!("{changes}") };
        assert_eq!((statement.soundness, statement.conditions.len()), (Soundness::Sound, conditions), "{changes}");
    }
    for version in [Json::Null, json!("2008-10-17")] {
        let mut document = with(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]));
        document["Version"] = version;
        if document["Version"].is_null() {
            document.as_object_mut().unwrap().remove("Version");
        }
        let parsed = read(&document, PolicyKind::Identity);
        assert_eq!(parsed.problems.len(), 1);
        assert_eq!(parsed.policy.version, Version::V2008);
        assert_eq!(parsed.policy.statements[0].soundness, Soundness::Sound);
    }
    let unknown = read(
        &json!({"Version": "2013-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}),
        PolicyKind::Resource,
    );
    assert_eq!(unknown.policy.statements[0].soundness, Soundness::Malformed);
}

#[test]
fn values_that_aws_accepts_are_accepted() {
    for condition in [
        json!({}),
        json!({"Foo": {}}),
        json!({"StringEquals": {"aws:x": []}}),
        json!({"NumericEquals": {"aws:x": [1.5, "ten", true]}}),
        json!({"Bool": {"aws:x": [true, "False", "${aws:y}"]}}),
        json!({"IpAddress": {"aws:SourceIp": "nowhere"}}),
        json!({"ArnLike": {"aws:x": "no-arn"}}),
        json!({"ForAnyValue:Null": {"aws:x": true}}),
    ] {
        let parsed = identity(json!({"Condition": condition}));
        assert_eq!(problems(&parsed), Vec::<String>::new(), "{condition}");
        assert_eq!(parsed.policy.statements[0].soundness, Soundness::Sound, "{condition}");
    }
}

#[test]
fn a_key_that_stands_twice_is_an_error_and_reads_as_neither() {
    let text = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Effect": "Deny", "Action": "s3:Get*", "Action": "s3:*", "Resource": "*",
         "Condition": {"Bool": {"a": true, "a": false, "b": true}, "Null": {"a": true}, "Null": {"b": true}}}]}"#;
    let parsed = document::parse_text(text, PolicyKind::Identity);
    let paths: Vec<&str> = parsed.problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        ["Statement[0]", "Statement[0]", "Statement[0].Condition.Bool", "Statement[0].Condition"],
        "{:?}",
        problems(&parsed)
    );
    let statement = &parsed.policy.statements[0];
    assert_eq!((statement.effect, &statement.actions), (Effect::Deny, &Element::Malformed));
    assert!(statement.conditions.is_empty(), "one bad entry makes the whole element count as matched");
}

#[test]
fn what_is_over_a_limit_cannot_be_read() {
    let statement = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    let parsed = read(&with(json!(vec![statement; limits::STATEMENTS + 1])), PolicyKind::Identity);
    assert_eq!(problems(&parsed), ["Statement: 129 statements; at most 128 are read"]);
    let last = parsed.policy.statements.last().unwrap();
    assert_eq!(parsed.policy.statements.len(), limits::STATEMENTS + 1);
    assert_eq!((last.effect, last.soundness, &last.actions), (Effect::Deny, Soundness::Malformed, &Element::Malformed));

    let many: Vec<String> = (0..=limits::LIST_ENTRIES).map(|index| format!("s3:a{index}")).collect();
    for changes in [
        json!({"Action": many}),
        json!({"Action": format!("s3:{}", "?".repeat(limits::WILDCARDS + 1))}),
        json!({"Action": format!("s3:{}", "a".repeat(limits::STRING_BYTES))}),
    ] {
        let parsed = identity(changes);
        assert_eq!(parsed.policy.statements[0].actions, Element::Malformed);
        assert_eq!(parsed.problems.len(), 1);
    }
    let bomb = format!("arn:aws:s3:::{}", "${a}".repeat(limits::VARIABLES + 1));
    assert_eq!(identity(json!({"Resource": bomb})).policy.statements[0].resources, Element::Malformed);

    let keys: serde_json::Map<String, Json> =
        (0..limits::CONDITIONS + 9).map(|index| (format!("k{index}"), json!("v"))).collect();
    let parsed = identity(json!({"Condition": {"StringEquals": keys}}));
    assert!(parsed.policy.statements[0].conditions.is_empty());
    assert_eq!(parsed.policy.statements[0].soundness, Soundness::Malformed);
    let values = vec!["v"; limits::CONDITION_VALUES + 1];
    let parsed = identity(json!({"Condition": {"StringEquals": {"a": values}}}));
    assert!(parsed.policy.statements[0].conditions.is_empty());
}

#[test]
fn stored_text_of_an_odd_form_is_a_problem_and_means_what_matching_makes_of_it() {
    for changes in [
        json!({"Action": "?:*"}),
        json!({"Action": "s3GetObject"}),
        json!({"NotAction": "s3:a:b", "Action": "absent"}),
        json!({"Resource": "arn:*"}),
        json!({"Resource": "no arn"}),
    ] {
        let document = with(json!([merged(&changes)]));
        let node = Node::from(&document);
        let stored = document::parse_stored(&node, PolicyKind::Identity);
        let written = document::parse(&node, PolicyKind::Identity);
        assert_eq!(stored.problems, written.problems, "{changes}");
        assert!(!stored.problems.is_empty(), "{changes}");
        assert_eq!(stored.policy.statements[0].soundness, Soundness::Sound, "{changes}");
        assert_eq!(written.policy.statements[0].soundness, Soundness::Malformed, "{changes}");
    }
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*",
        "Principal": {"AWS": ["arn:aws:iam::1:role/*", "no account!"], "Service": "*"}}});
    let stored = document::parse_stored(&Node::from(&document), PolicyKind::Resource);
    assert_eq!(stored.policy.statements[0].soundness, Soundness::Sound);
    // Shape is another matter: it cannot be taken as it is.
    let document = with(json!([merged(&json!({"Action": []}))]));
    let stored = document::parse_stored(&Node::from(&document), PolicyKind::Identity);
    assert_eq!(stored.policy.statements[0].actions, Element::Malformed);
}

#[test]
fn hostile_documents_are_refused_quickly() {
    let texts = [
        format!("{{{}}}", vec!["\"Statement\":{}"; 8_000].join(",")),
        format!("{{\"Statement\":[{}]}}", vec!["{}"; 40_000].join(",")),
        format!("{{\"Statement\":{{{}}}}}", vec!["\"Actio\":1"; 13_000].join(",")),
        format!("{{\"Statement\":{{\"Condition\":{{{}}}}}}}", vec!["\"StrinEqual\":{\"a\":1}"; 5_500].join(",")),
        format!(
            "{{\"Statement\":{{\"Resource\":[{}]}}}}",
            vec![format!("\"arn:a:b:c:d:{}\"", "${".repeat(900)); 60].join(",")
        ),
        format!(
            "{{\"Statement\":{{\"Condition\":{{\"ArnLike\":{{\"a\":[{}]}}}}}}}}",
            vec![format!("\"arn:{}\"", "${a:".repeat(450)); 60].join(",")
        ),
        format!("{{\"Statement\":{{\"Principal\":{{{}}}}}}}", vec!["\"AWS\":\"*\""; 11_000].join(",")),
    ];
    for text in texts {
        assert!(text.len() <= limits::DOCUMENT_BYTES, "{}", text.len());
        for kind in KINDS {
            let start = std::time::Instant::now();
            let parsed = document::parse_text(&text, kind);
            let per_kib = start.elapsed().as_secs_f64() * 1_000.0 / (text.len() as f64 / 1_024.0);
            assert!(per_kib < 1.0, "{per_kib} ms per KiB: {}", text.split_at(60).0);
            assert!((1..=limits::PROBLEMS).contains(&parsed.problems.len()));
        }
    }
}

#[test]
fn both_forms_say_the_same() {
    let document = with(json!([{
        "Sid": "A", "Effect": "Deny",
        "NotPrincipal": {"AWS": ["arn:k8s:iam::a:role/x", "payments"]},
        "Action": ["k8s:get", "*:list"],
        "NotResource": ["arn:k8s:core::a:secrets/${aws:username}"],
        "Condition": {"StringLike": {"aws:x": ["a*"], "aws:b": ["b"]}, "Bool": {"aws:MultiFactorAuthPresent": ["true"]}}
    }]));
    let statements = json!([{
        "sid": "A", "effect": "Deny",
        "notPrincipals": ["arn:k8s:iam::a:role/x", "payments"],
        "actions": ["k8s:get", "*:list"],
        "notResources": ["arn:k8s:core::a:secrets/${aws:username}"],
        "conditions": [
            {"operator": "StringLike", "key": "aws:x", "values": ["a*"]},
            {"operator": "StringLike", "key": "aws:b", "values": ["b"]},
            {"operator": "Bool", "key": "aws:MultiFactorAuthPresent", "values": ["true"]}
        ]
    }]);
    let (a, b) = (read(&document, PolicyKind::Resource), read_typed(&statements, PolicyKind::Resource));
    assert_eq!((problems(&a), problems(&b)), (vec![], vec![]));
    assert_eq!(a, b);
    assert_eq!(to_document(&a.policy), document);
}

#[test]
fn principals_are_read_by_type() {
    let parsed = read(
        &with(json!({"Effect": "Allow", "Action": "s3:*", "Principal": {
            "Service": "ec2.amazonaws.com",
            "Federated": ["accounts.google.com"],
            "CanonicalUser": "abc",
            "AWS": ["*", "123456789012", "arn:aws:iam::123456789012:root", "AIDACKCEVSQ6C2EXAMPLE", "arn:aws:iam::1:user/u"]
        }})),
        PolicyKind::Resource,
    );
    assert_eq!(problems(&parsed), Vec::<String>::new());
    let account = || PrincipalPattern::Account("123456789012".into());
    let expected = [
        PrincipalPattern::Any,
        account(),
        account(),
        PrincipalPattern::UniqueId("AIDACKCEVSQ6C2EXAMPLE".into()),
        PrincipalPattern::Entity("arn:aws:iam::1:user/u".parse().unwrap()),
        PrincipalPattern::CanonicalUser("abc".into()),
        PrincipalPattern::Federated("accounts.google.com".into()),
        PrincipalPattern::Service("ec2.amazonaws.com".into()),
    ];
    let statement = &parsed.policy.statements[0];
    assert_eq!(statement.principals, Element::Listed(Polarity::Positive, expected.into()));
    assert_eq!(statement.resources, Element::Absent);
    for principal in [
        json!("payments"),
        json!(["*"]),
        json!({}),
        json!({"aws": "*"}),
        json!({"AWS": []}),
        json!({"AWS": "arn:aws:iam::1:user/*"}),
        json!({"Service": "*"}),
        json!(null),
    ] {
        let statement = json!({"Effect": "Deny", "Action": "s3:*", "Principal": principal});
        let parsed = read(&with(statement), PolicyKind::Resource);
        assert_eq!(parsed.problems.len(), 1, "{principal}: {:?}", problems(&parsed));
        assert_eq!(parsed.policy.statements[0].principals, Element::Malformed, "{principal}");
    }
    let both = json!({"Effect": "Deny", "Action": "s3:*", "Principal": {"AWS": "*"}, "NotPrincipal": {"aws": "*"}});
    let found = problems(&read(&with(both), PolicyKind::Resource));
    assert_eq!(
        found,
        [
            "Statement: `Principal` and `NotPrincipal` exclude each other; keep one",
            "Statement.NotPrincipal: unknown type of principal `aws`; did you mean `AWS`?"
        ]
    );
}

#[test]
fn guardrails_on_resources_deny_named_actions_to_everyone() {
    let guardrail = json!([{
        "sid": "NoExec", "effect": "Deny", "principals": ["*"], "actions": ["k8s:*/exec"], "resources": ["*"]
    }]);
    assert_eq!(problems(&read_typed(&guardrail, PolicyKind::ResourceControl)), Vec::<String>::new());
    let mut all = String::new();
    for (key, value) in [
        ("effect", json!("Allow")),
        ("actions", json!(["*"])),
        ("principals", json!(["*", "payments"])),
        ("resources", json!(null)),
    ] {
        let mut guardrail = guardrail.clone();
        guardrail[0][key] = value;
        all += &problems(&read_typed(&guardrail, PolicyKind::ResourceControl)).join("\n");
        all += "\n";
    }
    insta::assert_snapshot!(all, @r#"
    statements[0].effect: a ResourceControl policy holds `Deny` statements only
    statements[0].actions[0]: a ResourceControl policy must say which actions, not all of them
    statements[0].principals: a ResourceControl policy speaks about everyone; expected only `*`
    statements[0].resources: expected a list of strings, found null
    "#);
}

#[test]
fn documents_of_other_evaluators_are_read_whole() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/decision.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no corpus at {path}");
        return;
    };
    let mut malformed = Vec::new();
    for line in text.lines() {
        let record: Json = serde_json::from_str(line).unwrap();
        for (place, documents) in record["policies"].as_object().unwrap() {
            let kind = match place.as_str() {
                "resource" | "endpoint" => PolicyKind::Resource,
                "trust" => PolicyKind::Trust,
                "scp" => PolicyKind::ServiceControl,
                "rcp" => PolicyKind::ResourceControl,
                _ => PolicyKind::Identity,
            };
            let mut left = vec![documents];
            while let Some(value) = left.pop() {
                match value {
                    Json::Array(items) => left.extend(items),
                    Json::Object(_) => {
                        let parsed = read(value, kind);
                        let is_sound = |statement: &super::Statement| statement.soundness == Soundness::Sound;
                        // A policy without statements is refused on write, and here means that it says nothing.
                        let is_empty = value["Statement"] == json!([]);
                        if parsed.problems.is_empty() == is_empty || !parsed.policy.statements.iter().all(is_sound) {
                            malformed.push(format!("{} {place}: {:?}", record["id"], problems(&parsed)));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(malformed.is_empty(), "{}", malformed.join("\n"));
}

fn strings(entry: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(entry, 1..4)
}

fn action() -> impl Strategy<Value = String> {
    prop_oneof![Just("*".to_owned()), "(k8s|s3|\\*|sts):[a-zA-Z*?/${}]{0,8}"]
}

fn resource() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        "arn:(k8s|aws|\\*):[a-z*]{1,3}(:[a-z0-9*?]{1,4}){0,2}",
        "arn:(k8s|aws):(core|ec2):[a-z*]{0,3}:[a-z*?]{0,4}:[a-z/*?${}', :]{0,16}",
    ]
}

fn principal() -> impl Strategy<Value = Json> {
    let identity = prop_oneof![
        Just("*".to_owned()),
        "[a-z]{1,5}",
        "arn:aws:iam::[0-9]{12}:(root|user/[a-z]{1,4})",
        "AROA[A-Z2-7]{17}",
    ];
    prop_oneof![
        Just(json!("*")),
        strings(identity.clone()).prop_map(|aws| json!({"AWS": aws})),
        (strings(identity), strings("[a-z.]{1,6}".boxed()), "[a-z]{1,4}")
            .prop_map(|(aws, service, federated)| json!({"Service": service, "AWS": aws, "Federated": federated})),
    ]
}

fn conditions() -> impl Strategy<Value = Json> {
    let value = prop_oneof![
        "[a*?${}', :/]{0,10}".prop_map(Json::from),
        Just(json!(true)),
        Just(json!("False")),
        any::<i32>().prop_map(Json::from),
        Just(json!(1.5)),
        Just(json!("2026-01-02T03:04:05.5Z")),
        Just(json!("10.1.2.3/8")),
        Just(json!("fe80::/10")),
        Just(json!("YQ==")),
        "arn:[a*${}]{1,6}:s3:::[a*?${},' :]{0,8}".prop_map(Json::from),
    ];
    let entry = (
        prop::sample::select(vec!["", "ForAllValues:", "ForAnyValue:"]),
        prop::sample::select(super::condition::Base::ALL.map(|(name, _)| name).to_vec()),
        prop::sample::select(vec!["", "IfExists"]),
        "(aws|k8s):[A-Za-z/]{1,6}",
        prop_oneof![value.clone(), prop::collection::vec(value, 0..4).prop_map(Json::from)],
    );
    prop::collection::vec(entry, 0..4).prop_map(|entries| {
        let mut map = json!({});
        for (prefix, base, suffix, key, values) in entries {
            map[format!("{prefix}{base}{suffix}")][key] = values;
        }
        map
    })
}

fn policy() -> impl Strategy<Value = Json> {
    let statement = (
        any::<bool>(),
        any::<[bool; 3]>(),
        principal(),
        strings(action()),
        prop::option::of(strings(resource())),
        prop::option::of(conditions()),
    );
    (any::<bool>(), prop::collection::vec(statement, 1..4)).prop_map(|(is_new, statements)| {
        let statements: Vec<Json> = statements
            .into_iter()
            .enumerate()
            .map(
                |(
                    index,
                    (allows, [not_principal, not_action, not_resource], principal, actions, resources, conditions),
                )| {
                    let mut statement = json!({"Effect": if allows { "Allow" } else { "Deny" }});
                    if index > 0 {
                        statement["Sid"] = json!(format!("S{index}"));
                    }
                    statement[if not_principal { "NotPrincipal" } else { "Principal" }] = principal;
                    statement[if not_action { "NotAction" } else { "Action" }] = json!(actions);
                    if let Some(resources) = resources {
                        statement[if not_resource { "NotResource" } else { "Resource" }] = json!(resources);
                    }
                    if let Some(conditions) = conditions {
                        statement["Condition"] = conditions;
                    }
                    statement
                },
            )
            .collect();
        json!({"Version": if is_new { "2012-10-17" } else { "2008-10-17" }, "Statement": statements})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC{0,40}|[\\[\\]{}\",:a-z*]{0,60}") {
        for kind in KINDS {
            document::parse_text(&text, kind);
        }
    }

    #[test]
    fn no_document_makes_a_reader_panic(words in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"Statement\":", "\"Effect\":", "\"Allow\"", "\"Deny\"", "\"Action\":", "\"Resource\":",
        "\"Principal\":", "\"NotPrincipal\":", "\"AWS\":", "\"*\"", "\"arn:aws:s3:::${a\"", "\"Condition\":", "\"StringLike\":",
        "\"DateEquals\":", "null", "1e5", "true", "\"sid\":", "\"conditions\":", "\"operator\":", "\"key\":", "\"values\":",
    ]), 0..30)) {
        let text = words.concat();
        if let Ok(node) = json::parse(&text, 10_000) {
            for kind in KINDS {
                document::parse(&node, kind);
                typed::parse(&node, kind);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn a_printed_policy_reads_as_the_same(document in policy()) {
        let parsed = read(&document, PolicyKind::Resource);
        prop_assume!(parsed.policy.statements.iter().all(|statement| statement.soundness == Soundness::Sound));
        let printed = to_document(&parsed.policy);
        let again = read(&printed, PolicyKind::Resource);
        prop_assert_eq!(&again.policy, &parsed.policy, "{}", printed);
        prop_assert!(again.problems.is_empty() || !parsed.problems.is_empty(), "{:?}", again.problems);
    }

    #[test]
    fn a_string_and_a_list_of_it_are_equal(action in action(), resource in resource(), value in "[a*${}]{0,6}") {
        let alone = with(json!({
            "Effect": "Allow", "Principal": {"AWS": "payments"}, "Action": action, "Resource": resource,
            "Condition": {"StringLike": {"aws:x": value}}
        }));
        let listed = with(json!([{
            "Effect": "Allow", "Principal": {"AWS": ["payments"]}, "Action": [action], "Resource": [resource],
            "Condition": {"StringLike": {"aws:x": [value]}}
        }]));
        prop_assert_eq!(read(&alone, PolicyKind::Resource).policy, read(&listed, PolicyKind::Resource).policy);
    }

    #[test]
    fn patterns_of_a_sound_statement_are_never_dead_actions(document in policy()) {
        for statement in read(&document, PolicyKind::Resource).policy.statements.iter() {
            if let Element::Listed(_, actions) = &statement.actions {
                prop_assert!(!actions.iter().any(|action| matches!(action, ActionPattern::Nothing(_))));
            }
            if let Element::Listed(_, resources) = &statement.resources {
                let is_long = |resource: &ResourcePattern| match resource {
                    ResourcePattern::Nothing(text) => !text.contains('*') && text.matches(':').count() < 5,
                    ResourcePattern::Any | ResourcePattern::Arn { .. } => true,
                };
                prop_assert!(resources.iter().all(is_long));
            }
        }
    }
}
