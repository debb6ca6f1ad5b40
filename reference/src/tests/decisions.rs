//! The worked tables of `iam-semantics.md` §8, §9 and §11.1, and malformed statements (§2 rule 12), as decisions.

use crate::Outcome::{self, Allow, ExplicitDeny, ImplicitDeny};
use crate::decide;
use serde_json::{Value, json};

const USER: &str = "arn:aws:iam::111111111111:user/ann";
const ROLE: &str = "arn:aws:iam::111111111111:role/dev";
const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/dev/s1";
const FEDERATED: &str = "arn:aws:sts::111111111111:federated-user/ann";
const ROOT: &str = "arn:aws:iam::111111111111:root";
const OWN: &str = "111111111111";
const OTHER: &str = "222222222222";

fn doc(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn all(effect: &str) -> Value {
    doc(json!({"Effect": effect, "Action": "*", "Resource": "*"}))
}

fn nothing() -> Value {
    doc(json!({"Effect": "Allow", "Action": "none:None", "Resource": "*"}))
}

fn grants(effect: &str, key: &str, principal: Value) -> Value {
    doc(json!({"Effect": effect, key: principal, "Action": "s3:*", "Resource": "*"}))
}

fn names(principal: &str) -> Value {
    if principal == "*" { json!("*") } else { json!({"AWS": principal}) }
}

fn ask(principal: &str, owner: &str, policies: Value) -> Outcome {
    let request = json!({
        "principal": principal, "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k", "resource_account": owner,
        "context": {},
    });
    decide(&json!({"policies": policies, "request": request})).outcome
}

#[test]
fn same_account_grants_of_resource_policies_follow_the_table_of_section_9_4() {
    let blocked = |yes| if yes { ImplicitDeny } else { Allow };
    for (caller, named, identity, boundary, session) in [
        (USER, USER, false, Some(false), None),
        (SESSION, ROLE, false, Some(true), Some(true)),
        (SESSION, SESSION, false, Some(false), Some(false)),
        (FEDERATED, FEDERATED, false, Some(false), Some(false)),
        (FEDERATED, USER, false, Some(true), Some(true)),
        (SESSION, ROOT, true, Some(true), Some(true)),
        (USER, OWN, true, Some(true), None),
        (SESSION, "*", false, Some(false), Some(false)),
        (USER, "*", false, Some(false), None),
    ] {
        let resource = grants("Allow", "Principal", names(named));
        let session_given = if caller == FEDERATED { all("Allow") } else { Value::Null };
        let policies = json!({"identity": [], "resource": resource, "session": session_given});
        assert_eq!(ask(caller, OWN, policies.clone()), blocked(identity), "{caller} {named}");
        if let Some(boundary) = boundary {
            let mut policies = policies.clone();
            policies["boundary"] = json!([nothing()]);
            assert_eq!(ask(caller, OWN, policies), blocked(boundary), "{caller} {named} boundary");
        }
        if let Some(session) = session {
            let mut policies = policies.clone();
            policies["session"] = nothing();
            assert_eq!(ask(caller, OWN, policies), blocked(session), "{caller} {named} session");
        }
    }
}

#[test]
fn an_account_as_principal_delegates_to_identity_policies() {
    let policies = json!({"identity": [all("Allow")], "resource": grants("Allow", "Principal", names(ROOT))});
    assert_eq!(ask(SESSION, OWN, policies.clone()), Allow);
    assert_eq!(ask(SESSION, OTHER, policies), Allow);
}

#[test]
fn cross_account_needs_both_sides_and_every_limit() {
    for named in [USER, ROOT, "*"] {
        let base = json!({"identity": [all("Allow")], "resource": grants("Allow", "Principal", names(named))});
        assert_eq!(ask(USER, OTHER, base.clone()), Allow, "{named}");
        for (place, value) in [
            ("identity", json!([])),
            ("resource", Value::Null),
            ("boundary", json!([nothing()])),
            ("session", nothing()),
        ] {
            let mut policies = base.clone();
            policies[place] = value;
            assert_eq!(ask(USER, OTHER, policies), ImplicitDeny, "{named} {place}");
        }
    }
}

#[test]
fn any_explicit_deny_wins() {
    let denying = grants("Deny", "Principal", json!("*"));
    for (place, value) in [
        ("identity", json!([all("Allow"), all("Deny")])),
        ("resource", denying.clone()),
        ("boundary", json!([all("Deny")])),
        ("session", json!([all("Allow"), all("Deny")])),
        ("scp", json!([[all("Allow"), all("Deny")]])),
        ("rcp", json!([[denying.clone()]])),
        ("endpoint", json!([denying])),
    ] {
        let mut policies = json!({"identity": [all("Allow")]});
        policies[place] = value;
        assert_eq!(ask(USER, OWN, policies), ExplicitDeny, "{place}");
    }
}

#[test]
fn every_scp_level_must_allow_and_rcp_levels_always_do() {
    let scp = |levels: Value| ask(USER, OWN, json!({"identity": [all("Allow")], "scp": levels}));
    assert_eq!(scp(json!([])), Allow);
    assert_eq!(scp(json!([[all("Allow")], [nothing(), all("Allow")]])), Allow);
    assert_eq!(scp(json!([[all("Allow")], []])), ImplicitDeny);
    assert_eq!(scp(json!([[nothing()], [all("Allow")]])), ImplicitDeny);
    assert_eq!(ask(USER, OWN, json!({"identity": [all("Allow")], "rcp": [[], []]})), Allow);
    let resource = grants("Allow", "Principal", json!("*"));
    for outside in ["anonymous", "s3.amazonaws.com"] {
        let policies = json!({"resource": resource, "scp": [[all("Deny")]]});
        assert_eq!(ask(outside, OWN, policies), Allow, "{outside}");
    }
}

#[test]
fn anonymous_and_service_callers_need_the_resource_policy() {
    let service = "s3.amazonaws.com";
    let policy = |principal: Value| json!({"resource": grants("Allow", "Principal", principal)});
    assert_eq!(ask("anonymous", OWN, policy(json!("*"))), Allow);
    assert_eq!(ask("anonymous", OWN, policy(names(OWN))), ImplicitDeny);
    assert_eq!(ask(service, OWN, policy(json!({"Service": service}))), Allow);
    assert_eq!(ask(service, OWN, policy(json!({"AWS": "*"}))), Allow);
    assert_eq!(ask(service, OWN, policy(names(OWN))), ImplicitDeny);
}

#[test]
fn the_root_user_needs_no_allow_but_obeys_denies_and_scps() {
    assert_eq!(ask(ROOT, OWN, json!({})), Allow);
    assert_eq!(ask(ROOT, OTHER, json!({})), ImplicitDeny);
    assert_eq!(ask(ROOT, OWN, json!({"scp": [[nothing()]]})), ImplicitDeny);
    assert_eq!(ask(ROOT, OWN, json!({"resource": grants("Deny", "Principal", names(ROOT))})), ExplicitDeny);
}

#[test]
fn federated_users_need_a_session_policy() {
    let identity = json!([all("Allow")]);
    assert_eq!(ask(FEDERATED, OWN, json!({"identity": identity})), ImplicitDeny);
    assert_eq!(ask(FEDERATED, OWN, json!({"identity": identity, "session": all("Allow")})), Allow);
    assert_eq!(ask(FEDERATED, OWN, json!({"resource": grants("Allow", "Principal", names(USER))})), ImplicitDeny);
}

#[test]
fn trust_policies_follow_the_table_of_section_11_1() {
    let assume = |caller: &str, owner: &str, named: &str, identity: Value| {
        let trust = doc(json!({"Effect": "Allow", "Principal": names(named), "Action": "sts:AssumeRole"}));
        let request = json!({
            "principal": caller, "action": "sts:AssumeRole", "resource": format!("arn:aws:iam::{owner}:role/target"),
            "resource_account": owner, "context": {},
        });
        decide(&json!({"policies": {"identity": identity, "trust": trust}, "request": request})).outcome
    };
    for (named, alone) in [(USER, Allow), (OWN, ImplicitDeny), ("*", Allow), (ROLE, ImplicitDeny)] {
        let with_identity = if named == ROLE { ImplicitDeny } else { Allow };
        assert_eq!(assume(USER, OWN, named, json!([])), alone, "{named}");
        assert_eq!(assume(USER, OWN, named, json!([all("Allow")])), with_identity, "{named}");
        assert_eq!(assume(USER, OTHER, named, json!([])), ImplicitDeny, "{named}");
        assert_eq!(assume(USER, OTHER, named, json!([all("Allow")])), with_identity, "{named}");
    }
}

#[test]
fn deny_with_not_principal_always_hits_callers_with_a_boundary() {
    let resource = grants("Deny", "NotPrincipal", names(SESSION));
    let policies = json!({"identity": [all("Allow")], "resource": resource});
    assert_eq!(ask(SESSION, OWN, policies.clone()), Allow);
    assert_eq!(ask(USER, OWN, policies.clone()), ExplicitDeny);
    let mut bounded = policies;
    bounded["boundary"] = json!([all("Allow")]);
    assert_eq!(ask(SESSION, OWN, bounded), ExplicitDeny);
    let allow = |named| json!({"resource": grants("Allow", "NotPrincipal", names(named))});
    assert_eq!(ask("anonymous", OWN, allow(USER)), Allow);
    assert_eq!(ask(USER, OWN, allow(USER)), ImplicitDeny);
    assert_eq!(ask(USER, OWN, allow(ROOT)), ImplicitDeny);
    assert_eq!(ask(SESSION, OWN, allow(ROLE)), ImplicitDeny);
}

#[test]
fn not_resource_covers_the_request_for_everything_and_unresolvable_patterns_exclude_nothing() {
    let ask = |resource: &str, pattern: Value| {
        let policy = doc(json!({"Effect": "Allow", "Action": "s3:*", "NotResource": pattern}));
        let request = json!({"principal": USER, "action": "s3:ListAllMyBuckets", "resource": resource,
            "resource_account": OWN, "context": {}});
        decide(&json!({"policies": {"identity": [policy]}, "request": request})).outcome
    };
    assert_eq!(ask("*", json!("arn:aws:s3:::*")), Allow);
    assert_eq!(ask("*", json!(["arn:aws:s3:::*", "*"])), ImplicitDeny);
    assert_eq!(ask("arn:aws:s3:::b", json!("arn:aws:s3:::${aws:username}")), Allow);
    assert_eq!(ask("arn:aws:s3:::b", json!(["arn:aws:s3:::b", null])), ImplicitDeny);
}

#[test]
fn variables_are_literal_without_the_new_version() {
    for (version, expected) in
        [(json!("2012-10-17"), Allow), (json!("2008-10-17"), ImplicitDeny), (Value::Null, ImplicitDeny)]
    {
        let mut policy = doc(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${team}/k"}));
        policy["Version"] = version;
        let request = json!({"principal": USER, "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k",
            "resource_account": OWN, "context": {"Team": "b"}});
        assert_eq!(decide(&json!({"policies": {"identity": [policy]}, "request": request})).outcome, expected);
    }
}

#[test]
fn malformed_statements_never_allow_and_always_deny() {
    let statement = |effect: &str, changes: Value| {
        let mut statement = json!({"Effect": effect, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"});
        for (key, value) in changes.as_object().unwrap() {
            match value.as_str() {
                Some("absent") => drop(statement.as_object_mut().unwrap().remove(key)),
                _ => statement[key] = value.clone(),
            }
        }
        doc(statement)
    };
    for bad in [
        json!({"Action": []}),
        json!({"Action": null}),
        json!({"Action": "absent"}),
        json!({"Action": ["x:Y", 1]}),
        json!({"NotAction": "s3:GetObject"}),
        json!({"Action": "absent", "NotAction": []}),
        json!({"Resource": []}),
        json!({"Resource": "absent"}),
        json!({"Resource": {"a": "b"}}),
        json!({"Resource": [null]}),
        json!({"Resource": "absent", "NotResource": ["arn:aws:s3:::b/k", 7]}),
        json!({"Condition": null}),
        json!({"Condition": {"StringSame": {"k": "v"}}}),
        json!({"Condition": {"StringEquals": {"k": {"v": 1}}}}),
        json!({"Principal": names(OTHER)}),
        json!({"Conditoin": {}}),
        json!({"Sid": 1}),
    ] {
        let deny = json!({"identity": [all("Allow"), statement("Deny", bad.clone())]});
        assert_eq!(ask(USER, OWN, deny), ExplicitDeny, "{bad}");
        assert_eq!(ask(USER, OWN, json!({"identity": [statement("Allow", bad.clone())]})), ImplicitDeny, "{bad}");
        let mut elsewhere = bad.clone();
        let readable = if bad.get("Action").or(bad.get("NotAction")).is_some() { "Resource" } else { "Action" };
        elsewhere[readable] = json!("arn:aws:s3:::other");
        let deny = json!({"identity": [all("Allow"), statement("Deny", elsewhere)]});
        assert_eq!(ask(USER, OWN, deny), Allow, "readable elements are still checked: {bad}");
    }
    for unreadable in [
        json!("Deny"),
        json!({"Action": "*", "Resource": "*"}),
        json!({"Effect": "allow",
        "Action": "s3:*", "Resource": "*"}),
    ] {
        assert_eq!(ask(USER, OWN, json!({"identity": [all("Allow"), doc(json!([unreadable]))]})), ExplicitDeny);
    }
    let mut unknown_version = all("Allow");
    unknown_version["Version"] = json!("2020-01-01");
    assert_eq!(ask(USER, OWN, json!({"identity": [unknown_version]})), ImplicitDeny);
    for bad in [json!({"Group": "x"}), json!({}), json!({"AWS": []}), json!(USER)] {
        let deny = json!({"identity": [all("Allow")], "resource": grants("Deny", "Principal", bad.clone())});
        assert_eq!(ask("anonymous", OWN, deny), ExplicitDeny, "{bad}");
        assert_eq!(
            ask(USER, OWN, json!({"resource": grants("Allow", "Principal", bad.clone())})),
            ImplicitDeny,
            "{bad}"
        );
    }
    let without_principal = |effect| json!({"identity": [all("Allow")], "resource": all(effect)});
    assert_eq!(ask(USER, OWN, without_principal("Deny")), ExplicitDeny);
    assert_eq!(ask(USER, OTHER, without_principal("Allow")), ImplicitDeny);
}

#[test]
fn applying_statements_are_listed_whatever_the_outcome() {
    let policies = json!({
        "identity": [nothing(), all("Allow")],
        "resource": doc(json!([
            {"Effect": "Deny", "Principal": "*", "Action": "ec2:*", "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"},
        ])),
        "scp": [[all("Allow")], [nothing(), all("Deny")]],
    });
    let request = json!({"principal": USER, "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k",
        "resource_account": OWN, "context": {}});
    let verdict = decide(&json!({"policies": policies, "request": request}));
    let listed: Vec<Value> = verdict.matched.iter().map(|matched| matched.to_json()).collect();
    let place = |kind: &str, level: usize, policy: usize, statement: usize, effect: &str| json!({"kind": kind, "level": level, "policy": policy, "statement": statement, "effect": effect});
    assert_eq!(
        listed,
        [
            place("identity", 0, 1, 0, "Allow"),
            place("resource", 0, 0, 1, "Deny"),
            place("scp", 0, 0, 0, "Allow"),
            place("scp", 1, 1, 0, "Deny"),
        ]
    );
}
