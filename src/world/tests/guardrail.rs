//! Guardrails and resource policies: types, targets, and what an invalid one still requires.

use super::*;

const PLACE: &str = "kube-iam-system/rail";

fn control(kind: &str, targets: Json) -> Json {
    let statement = if kind == "ServiceControl" {
        statement("D", "Deny")
    } else {
        json!({"sid": "D", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"], "resources": ["*"]})
    };
    match targets {
        Json::Null => json!({"type": kind, "statements": [statement]}),
        targets => json!({"type": kind, "statements": [statement], "targets": targets}),
    }
}

fn targets(world: &World) -> &AccountTargets {
    match &world.policies[0].kind {
        ManagedPolicyType::ServiceControl { targets, .. } | ManagedPolicyType::ResourceControl { targets } => targets,
        other => panic!("{other:?}"),
    }
}

fn requires_allow(world: &World) -> bool {
    match &world.policies[0].kind {
        ManagedPolicyType::ServiceControl { requires_allow, .. } => *requires_allow,
        other => panic!("{other:?}"),
    }
}

#[test]
fn targets_of_guardrails() {
    let selector = |key: &str| LabelSelector { requirements: vec![Requirement::In(key.into(), vec!["x".into()])] };
    let every = AccountTargets::default();
    for (json, expected, right) in [
        (json!(null), every.clone(), true),
        (json!({}), every.clone(), true),
        (
            json!({"accounts": ["b", "a", "a"]}),
            AccountTargets { accounts: vec!["a".into(), "b".into()], selector: None },
            true,
        ),
        (
            json!({"accountSelector": {"matchLabels": {"env": "x"}}}),
            AccountTargets { accounts: vec![], selector: Some(selector("env")) },
            true,
        ),
        (
            json!({"accounts": ["a"], "accountSelector": {"matchLabels": {"env": "x"}}}),
            AccountTargets { accounts: vec!["a".into()], selector: Some(selector("env")) },
            true,
        ),
        (json!({"accounts": null, "accountSelector": {"matchLabels": {"env": "x"}}}), every.clone(), false),
        (json!({"accounts": []}), every.clone(), false),
        (json!({"accounts": ["a", "B"]}), every.clone(), false),
        (json!({"accounts": ["a", 1]}), every.clone(), false),
        (json!({"accounts": "a"}), every.clone(), false),
        (json!({"accounts": ["a"], "accountSelector": {"matchLabels": {"env": 1}}}), every.clone(), false),
        (json!({"accounts": ["a"], "accountSelector": "x"}), every.clone(), false),
        (json!({"accounts": ["a"], "owner": 1}), AccountTargets { accounts: vec!["a".into()], selector: None }, false),
        (json!({"resources": ["*"]}), every.clone(), false),
        (json!(["a"]), every.clone(), false),
    ] {
        for kind in ["ServiceControl", "ResourceControl"] {
            let world = world([policy(PLACE, control(kind, json.clone()))]);
            assert_eq!(*targets(&world), expected, "{kind} {json}");
            assert_eq!(findings(&world).is_empty(), right, "{kind} {json} {:?}", findings(&world));
            assert_eq!(sids(&world.policies[0].policy), ["D"], "{kind} {json}");
        }
    }
}

#[test]
fn targets_of_resource_policies() {
    for (json, expected, right) in [
        (json!(null), "Nothing", true),
        (json!({}), "Nothing", true),
        (json!({"resources": ["arn:k8s:core::a:configmaps/x"]}), "Patterns", true),
        (json!({"resources": ["*", "arn:k8s:core::a:configmaps/*"]}), "Patterns", true),
        (json!({"resources": []}), "Unreadable", false),
        (json!({"resources": null}), "Unreadable", false),
        (json!({"resources": ["*", 1]}), "Unreadable", false),
        (json!({"resources": ["configmaps/x"]}), "Unreadable", false),
        (json!({"resources": ["arn:k8s:core::a:configmaps/${aws:username}"]}), "Unreadable", false),
        (json!({"resources": "*"}), "Unreadable", false),
        (json!("*"), "Unreadable", false),
        (json!({"accounts": ["a"]}), "Nothing", false),
    ] {
        let statement = json!({"sid": "D", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"]});
        let mut spec = json!({"type": "Resource", "statements": [statement]});
        if !json.is_null() {
            spec["targets"] = json.clone();
        }
        let world = world([policy("a/p", spec)]);
        let found = match &world.policies[0].kind {
            ManagedPolicyType::Resource(ResourceTargets::Nothing) => "Nothing",
            ManagedPolicyType::Resource(ResourceTargets::Patterns(_)) => "Patterns",
            ManagedPolicyType::Resource(ResourceTargets::Unreadable) => "Unreadable",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{json}");
        assert_eq!(findings(&world).is_empty(), right, "{json} {:?}", findings(&world));
    }
}

#[test]
fn a_managed_policy_has_no_targets() {
    for targets in [json!({}), json!({"resources": ["*"]}), json!({"accounts": ["a"]})] {
        let world = world([policy("a/p", json!({"statements": both(), "targets": targets}))]);
        assert_eq!(findings(&world), ["IamPolicy a/p: SpecInvalid spec.targets"]);
    }
}

#[test]
fn a_guardrail_elsewhere_has_no_effect_and_says_so() {
    for kind in ["ServiceControl", "ResourceControl"] {
        let world = world([policy("a/rail", control(kind, json!(null)))]);
        assert_eq!(findings(&world), ["IamPolicy a/rail: NotManagementAccount spec.type"]);
    }
    let elsewhere = build(&Input {
        settings: Settings { management_account: "a".into(), ..Settings::default() },
        objects: vec![policy("a/rail", control("ServiceControl", json!(null)))],
        ..Input::default()
    });
    assert_eq!(findings(&elsewhere), [""; 0]);
}

#[test]
fn what_an_invalid_guardrail_still_requires() {
    let allow = || statement("A", "Allow");
    let deny = || statement("D", "Deny");
    let spec = |statements: Json| json!({"type": "ServiceControl", "statements": statements});
    let broken = |statements: Json| json!({"type": "ServiceControl", "statements": statements, "owner": 1});
    let rail = |spec: Json| policy(PLACE, spec);
    let mystery = json!({"sid": "X", "effect": "Perhaps", "actions": ["*"], "resources": ["*"]});
    for (tested, expected, left) in [
        (rail(spec(json!([deny()]))), false, &["D"][..]),
        (rail(spec(json!([allow(), deny()]))), true, &["A", "D"]),
        (deleting(rail(spec(json!([allow(), deny()])))), true, &["D"]),
        (deleting(rail(spec(json!([deny()])))), false, &["D"]),
        // with a last good form
        (with_last_good(rail(broken(json!([allow()]))), spec(json!([deny()]))), false, &["D"]),
        (with_last_good(rail(broken(json!([deny()]))), spec(json!([allow(), deny()]))), true, &["D"]),
        (with_last_good(unreadable(rail(json!({}))), spec(json!([deny()]))), false, &["D"]),
        // without
        (rail(broken(json!([deny()]))), false, &["D"]),
        (rail(broken(json!([deny(), allow()]))), true, &["D"]),
        (rail(spec(json!([deny(), {"sid": "B", "effect": "Allow"}]))), true, &["D"]),
        (rail(spec(json!([deny(), mystery]))), false, &["D", "X"]),
        (rail(spec(json!([mystery]))), true, &["X"]),
        (rail(spec(json!([]))), true, &[]),
        (rail(spec(json!(null))), true, &[]),
        (rail(json!({"type": "ServiceControl"})), true, &[]),
    ] {
        let world = world([tested.clone()]);
        assert_eq!(requires_allow(&world), expected, "{tested:?}");
        assert_eq!(sids(&world.policies[0].policy), left, "{tested:?}");
    }
    let twice = world([rail(spec(json!([allow()]))), rail(spec(json!([deny()])))]);
    assert!(requires_allow(&twice) || twice.policies.iter().any(|policy| policy.policy.statements.is_empty()));
}

#[test]
fn a_type_that_cannot_be_read_is_no_guardrail() {
    for kind in [json!("Guardrail"), json!(1), json!("managed")] {
        let spec = json!({"type": kind, "statements": both(), "targets": {"accounts": ["a"]}});
        let world = world([policy(PLACE, spec)]);
        assert_eq!(world.policies[0].kind, ManagedPolicyType::Managed);
        assert_eq!(world.policies[0].standing, Standing::Restricts);
        assert_eq!(findings(&world), ["IamPolicy kube-iam-system/rail: SpecInvalid spec.type"]);
    }
    let world = world([unreadable(policy(PLACE, json!({})))]);
    assert_eq!(world.policies[0].kind, ManagedPolicyType::Managed);
}
