//! Every privilege transition is found, however an Allow comes to it, and nothing else is.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::transition::{Owner, Place, TRANSITIONS};
use super::*;
use crate::decide::{Context, Resource, action_entry_matches, resource_entry_matches};
use crate::name::Arn;
use crate::policy::pattern::{ActionPattern, Budget, ResourcePattern};
use crate::policy::statement::{Element, Polarity};
use crate::policy::tree::Node;
use crate::policy::{PolicyKind, Version};
use crate::world::{self, Input, Kind, NamespaceFacts, Object, ObjectKey, Settings, Spec};

/// `kubernetes-contract.md` B11, row by row: an action and one object that it leads to more power on.
const ROWS: &[(&str, &str)] = &[
    ("k8s:escalate", "arn:k8s:rbac.authorization.k8s.io:::clusterroles/x"),
    ("k8s:escalate", "arn:k8s:rbac.authorization.k8s.io::payments:roles/x"),
    ("k8s:bind", "arn:k8s:rbac.authorization.k8s.io:::clusterroles/x"),
    ("k8s:bind", "arn:k8s:rbac.authorization.k8s.io::payments:roles/x"),
    ("k8s:create", "arn:k8s:rbac.authorization.k8s.io::payments:rolebindings/x"),
    ("k8s:delete", "arn:k8s:rbac.authorization.k8s.io:::clusterrolebindings/x"),
    ("sts:AssumeRole", "arn:k8s:iam::payments:role/ops/x"),
    ("sts:ImpersonateUser", "arn:k8s:authentication.k8s.io:::users/x"),
    ("sts:ImpersonateGroup", "arn:k8s:authentication.k8s.io:::groups/x"),
    ("sts:ImpersonateServiceAccount", "arn:k8s:core::payments:serviceaccounts/x"),
    ("sts:ImpersonateNode", "arn:k8s:core:::nodes/x"),
    ("sts:ActOnBehalf/get/log", "arn:k8s:core::payments:pods/x"),
    ("sts:TagSession", "arn:k8s:authentication.k8s.io:::userextras/x"),
    ("sts:SetSourceIdentity", "arn:k8s:authentication.k8s.io:::uids/x"),
    ("k8s:create", "arn:k8s:core::payments:pods/x"),
    ("k8s:create", "arn:k8s:apps::payments:deployments/x"),
    ("k8s:patch", "arn:k8s:apps::payments:statefulsets/x"),
    ("k8s:update", "arn:k8s:apps::payments:daemonsets/x"),
    ("k8s:create", "arn:k8s:apps::payments:replicasets/x"),
    ("k8s:create", "arn:k8s:core::payments:replicationcontrollers/x"),
    ("k8s:create", "arn:k8s:batch::payments:jobs/x"),
    ("k8s:update", "arn:k8s:batch::payments:cronjobs/x"),
    ("k8s:update/ephemeralcontainers", "arn:k8s:core::payments:pods/x"),
    ("k8s:patch/ephemeralcontainers", "arn:k8s:core::payments:pods/x"),
    ("k8s:create/token", "arn:k8s:core::payments:serviceaccounts/x"),
    ("k8s:get", "arn:k8s:core::payments:secrets/x"),
    ("k8s:list", "arn:k8s:core::payments:secrets/x"),
    ("k8s:watch", "arn:k8s:core::payments:secrets/x"),
    ("k8s:create", "arn:k8s:certificates.k8s.io:::certificatesigningrequests/x"),
    ("k8s:update/approval", "arn:k8s:certificates.k8s.io:::certificatesigningrequests/x"),
    ("k8s:approve", "arn:k8s:certificates.k8s.io:::signers/x"),
    ("k8s:sign", "arn:k8s:certificates.k8s.io:::signers/x"),
    ("k8s:attest", "arn:k8s:certificates.k8s.io:::signers/x"),
    ("k8s:get/proxy", "arn:k8s:core:::nodes/x"),
    ("k8s:create/proxy", "arn:k8s:core:::nodes/x"),
    ("k8s:get/exec", "arn:k8s:core::payments:pods/x"),
    ("k8s:get/attach", "arn:k8s:core::payments:pods/x"),
    ("k8s:get/portforward", "arn:k8s:core::payments:pods/x"),
    ("k8s:get/proxy", "arn:k8s:core::payments:pods/x"),
    ("k8s:get/proxy", "arn:k8s:core::payments:services/x"),
    ("k8s:create", "arn:k8s:admissionregistration.k8s.io:::validatingwebhookconfigurations/x"),
    ("k8s:update", "arn:k8s:admissionregistration.k8s.io:::mutatingwebhookconfigurations/x"),
    ("k8s:delete", "arn:k8s:admissionregistration.k8s.io:::validatingadmissionpolicies/x"),
    ("k8s:patch", "arn:k8s:admissionregistration.k8s.io:::validatingadmissionpolicybindings/x"),
    ("k8s:create", "arn:k8s:admissionregistration.k8s.io:::mutatingadmissionpolicies/x"),
    ("k8s:deletecollection", "arn:k8s:admissionregistration.k8s.io:::mutatingadmissionpolicybindings/x"),
    ("k8s:update", "arn:k8s:core:::namespaces/x"),
    ("k8s:patch", "arn:k8s:core:::namespaces/x"),
    ("k8s:update/status", "arn:k8s:core:::namespaces/x"),
    ("k8s:update/finalize", "arn:k8s:core:::namespaces/x"),
    ("k8s:create", "arn:k8s:core:::persistentvolumes/x"),
    ("k8s:patch", "arn:k8s:apiextensions.k8s.io:::customresourcedefinitions/x"),
    ("k8s:create", "arn:k8s:apiregistration.k8s.io:::apiservices/x"),
    ("k8s:update", "arn:k8s:core:::nodes/x"),
    ("k8s:patch/status", "arn:k8s:core:::nodes/x"),
    ("k8s:update", "arn:k8s:core::payments:endpoints/x"),
    ("k8s:create", "arn:k8s:discovery.k8s.io::payments:endpointslices/x"),
    ("k8s:update", "arn:k8s:core::payments:services/x"),
    ("k8s:create", "arn:k8s:kube-iam.dev::payments:iamusers/x"),
    ("k8s:update", "arn:k8s:kube-iam.dev::payments:iamgroups/x"),
    ("k8s:delete", "arn:k8s:kube-iam.dev::payments:iampolicies/x"),
    ("k8s:deletecollection", "arn:k8s:kube-iam.dev::payments:iamroles/x"),
    ("k8s:watch", "arn:k8s:kube-iam.dev::payments:iampolicies/x"),
    ("iam:PassRole", "arn:k8s:iam::payments:role/x"),
    ("iam:PassRole", "arn:k8s:iam::payments:user/x"),
    ("iam:MapIdentity", "arn:k8s:iam::payments:user/x"),
    ("iam:SetRootIdentity", "arn:k8s:iam::payments:root"),
    ("iam:MapExternalGroup", "arn:k8s:iam::payments:group/x"),
    ("k8s:update", "arn:k8s:coordination.k8s.io::kube-iam-system:leases/x"),
    ("k8s:delete", "arn:k8s:core::kube-iam-system:secrets/x"),
    ("k8s:patch", "arn:k8s:core::kube-iam-system:configmaps/x"),
    ("k8s:delete", "arn:k8s:apps::kube-iam-system:deployments/x"),
    ("k8s:update/scale", "arn:k8s:apps::kube-iam-system:deployments/x"),
    ("k8s:create", "arn:k8s:core::kube-system:pods/x"),
    ("k8s:unsafe-delete-ignore-read-errors", "arn:k8s:core::payments:pods/x"),
];

/// What is no transition.
const HARMLESS: &[(&str, &str)] = &[
    ("k8s:get", "arn:k8s:core::payments:pods/x"),
    ("k8s:list", "arn:k8s:apps::payments:deployments/x"),
    ("k8s:get/log", "arn:k8s:core::payments:pods/x"),
    ("k8s:create", "arn:k8s:core::payments:configmaps/x"),
    ("k8s:delete", "arn:k8s:core::payments:secrets/x"),
    ("k8s:get", "arn:k8s:kube-iam.dev::payments:iampolicies/x"),
    ("k8s:update/scale", "arn:k8s:apps::payments:deployments/x"),
    ("http:get", "arn:k8s:url:::/metrics"),
    ("s3:GetObject", "arn:aws:s3:::bucket/x"),
    ("k8s:create", "arn:aws:core::payments:pods/x"),
    ("k8s:get", "arn:k8s:core:other-cluster:payments:secrets/x"),
    ("k8s:escalate", "arn:k8s:rbac.authorization.k8s.io::payments:clusterroles/x"),
];

fn object(kind: Kind, spec: &Json) -> Object {
    Object {
        key: ObjectKey { kind, account: "payments".into(), name: "x".into() },
        uid: None,
        spec: Spec::Read(Arc::new(Node::from(spec))),
        last_good: None,
        deleting: false,
        origin: None,
    }
}

fn of(kind: Kind, spec: &Json) -> Vec<Finding> {
    let object = object(kind, spec);
    assert_eq!(world::check(&object), [], "{spec}");
    of_object(&object, &Settings::default())
}

/// Findings about a policy of type Managed with one statement.
fn of_statement(statement: Json) -> Vec<Finding> {
    let mut statement = statement;
    statement["sid"] = json!("A");
    statement["effect"] = json!("Allow");
    of(Kind::Policy, &json!({"statements": [statement]}))
}

fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

const WILDCARD: &str = "K8S_WILDCARD_COVERS_PRIVILEGE_TRANSITION";
const SENSITIVE: &str = "K8S_SENSITIVE_GRANT";

#[test]
fn every_row_is_flagged_however_it_is_reached() {
    for (action, arn) in ROWS {
        let service = action.split_once(':').unwrap().0;
        let (kind, _) = arn.rsplit_once('/').unwrap_or((arn, ""));
        let exact = of_statement(json!({"actions": [action], "resources": [arn]}));
        assert_eq!(codes(&exact), [SENSITIVE], "{action} on {arn}");
        assert_eq!(exact[0].severity, Severity::Suggestion);
        let wide = if kind == *arn { "arn:k8s:iam::*:root".to_owned() } else { format!("{kind}/*") };
        for statement in [
            json!({"actions": ["*"], "resources": [arn]}),
            json!({"actions": [format!("{service}:*")], "resources": [arn]}),
            json!({"actions": ["*:*"], "resources": ["*"]}),
            json!({"actions": [action], "resources": ["*"]}),
            json!({"actions": [action], "resources": [wide]}),
            json!({"actions": [action.to_uppercase()], "resources": ["*"]}),
            json!({"actions": [action], "resources": ["arn:k8s:*"]}),
            json!({"notActions": ["orders:*"], "resources": [arn]}),
            json!({"actions": [action], "notResources": ["arn:k8s:apps::payments:deployments/other"]}),
            json!({"notActions": ["k8s:get/log"], "notResources": ["arn:aws:*"]}),
        ] {
            let findings = of_statement(statement.clone());
            assert!(codes(&findings).contains(&WILDCARD), "{statement}: {findings:?}");
            assert!(findings.iter().all(|found| found.severity == Severity::SecurityWarning), "{findings:?}");
        }
        // An exception from everything is one that is not reached.
        let excepted = of_statement(json!({"notActions": [action, "*:*"], "resources": ["*"]}));
        assert_eq!(excepted, [], "{action}");
        assert_eq!(of_statement(json!({"actions": [action], "notResources": ["*"]})), [], "{action}");
    }
}

#[test]
fn every_transition_of_the_table_has_an_example() {
    let budget = Budget::new(Budget::DECISION);
    let settings = Settings::default();
    for transition in TRANSITIONS {
        let is_example = |(action, arn): &(&str, &str)| {
            let actions = Element::Listed(Polarity::Positive, Box::new([ActionPattern::parse(action)]));
            let pattern = ResourcePattern::parse(arn, Version::V2012, PolicyKind::Identity);
            let resources = Element::Listed(Polarity::Positive, Box::new([pattern]));
            transition.actions.iter().any(|action| reach::to_action(&actions, action, &budget).is_some())
                && transition
                    .places
                    .iter()
                    .any(|place| reach::to_place(&resources, place, &settings, &budget).is_some())
        };
        assert!(ROWS.iter().any(is_example), "{transition:?}");
    }
}

#[test]
fn what_leads_nowhere_is_not_flagged() {
    for (action, arn) in HARMLESS {
        assert_eq!(of_statement(json!({"actions": [action], "resources": [arn]})), [], "{action} on {arn}");
    }
    // The cluster's name is known.
    let statement =
        json!({"sid": "A", "effect": "Allow", "actions": ["k8s:get"], "resources": ["arn:k8s:core:east:a:secrets/x"]});
    let object = object(Kind::Policy, &json!({"statements": [statement]}));
    let settings = Settings { cluster: "east".into(), ..Settings::default() };
    assert_eq!(codes(&of_object(&object, &settings)), [SENSITIVE]);
    assert_eq!(of_object(&object, &Settings::default()), []);
}

#[test]
fn one_wildcard_is_one_finding_with_a_number() {
    let text = |statement| of_statement(statement).iter().map(Finding::to_string).collect::<Vec<_>>();
    assert_eq!(
        text(json!({"actions": ["*"], "resources": ["*"]})),
        [format!(
            "spec.statements[0].actions[0]: `*` on `*` reaches {} privilege transitions, such as create or change pods \
             (uses any ServiceAccount, mounts any Secret there) ({WILDCARD})",
            TRANSITIONS.len()
        )]
    );
    assert_eq!(
        text(json!({"actions": ["k8s:get", "k8s:list"], "resources": ["arn:k8s:apps::a:deployments/*", "*"]})),
        [format!(
            "spec.statements[0].resources[1]: `k8s:get` on `*` reaches a privilege transition: read Secrets (list and \
             watch return their contents, too) ({WILDCARD})"
        )]
    );
    assert_eq!(
        text(json!({"actions": ["k8s:create/token", "sts:*"], "resources": ["arn:k8s:core::a:serviceaccounts/ci"]})),
        [
            format!(
                "spec.statements[0].actions[1]: `sts:*` on `arn:k8s:core::a:serviceaccounts/ci` reaches 2 privilege \
                 transitions, such as impersonate ServiceAccounts (becomes another) ({WILDCARD})"
            ),
            format!(
                "spec.statements[0].actions[0]: `k8s:create/token` on `arn:k8s:core::a:serviceaccounts/ci` is a \
                 privilege transition: mint ServiceAccount tokens (they outlive a temporary grant) ({SENSITIVE})"
            ),
        ]
    );
    assert_eq!(
        text(json!({"notActions": ["k8s:*"], "notResources": ["arn:k8s:iam::*:role/*", "arn:k8s:iam::*:user/*"]}))[0],
        format!(
            "spec.statements[0].notActions: all but `k8s:*` on all but 2 patterns reaches 9 privilege transitions, such \
             as map external groups (hands a group's power to all its members) ({WILDCARD})"
        )
    );
}

#[test]
fn a_verb_with_a_star_behind_it_is_an_error() {
    for (action, resource, is_error) in [
        ("k8s:get*", "*", true),
        ("k8s:g*", "arn:k8s:core::payments:pods/*", true),
        ("k8s:create*", "*", true),
        ("*:get*", "*", true),
        ("k8s:get?exec", "*", true),
        ("k8s:get*", "arn:k8s:apps::payments:deployments/*", false),
        ("k8s:get/*", "*", false),
        ("k8s:*/exec", "*", false),
        ("k8s:*", "*", false),
        ("*:*", "*", false),
        ("*", "*", false),
        ("k8s:l*", "*", false),
    ] {
        let findings = of_statement(json!({"actions": ["orders:Refund", action], "resources": [resource]}));
        let errors: Vec<_> = findings.iter().filter(|found| found.severity == Severity::Error).collect();
        assert_eq!(errors.len(), usize::from(is_error), "{action}: {findings:?}");
        // The gravest comes first.
        assert_eq!(findings.first() == errors.first().copied(), is_error || findings.is_empty(), "{findings:?}");
        for error in errors {
            assert_eq!(error.path, "spec.statements[0].actions[1]");
            assert!(error.message.ends_with("too: name the verb alone, or write the `/`"), "{error}");
        }
    }
    let error = &of_statement(json!({"actions": ["k8s:get*"], "resources": ["*"]}))[0];
    assert_eq!(
        error.message,
        "`k8s:get*` reaches subresources, `k8s:get/exec` too: name the verb alone, or write the `/`"
    );
}

#[test]
fn a_path_leads_to_where_it_is_written() {
    let typed = json!({"sid": "A", "effect": "Allow", "actions": ["*"], "resources": ["*"]});
    let harmless = json!({"sid": "B", "effect": "Allow", "actions": ["x:y"], "resources": ["*"]});
    let aws = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let document = |statement: Json| json!({"Version": "2012-10-17", "Statement": statement});
    let trust = json!({"sid": "T", "effect": "Allow", "principals": ["payments"], "actions": ["sts:*"]});
    let inline = |policy: Json| json!([{"name": "a", "statements": [harmless]}, {"name": "b", "document": policy}]);
    for (kind, spec, paths) in [
        (Kind::Policy, json!({"statements": [harmless, typed]}), vec!["spec.statements[1].actions[0]"]),
        (Kind::Policy, json!({"document": document(aws.clone())}), vec!["spec.document.Statement.Action"]),
        (Kind::Policy, json!({"document": document(json!([aws]))}), vec!["spec.document.Statement[0].Action"]),
        (
            Kind::Policy,
            json!({"document": document(json!([{"Effect": "Allow", "Action": ["s3:*", "k8s:get"], "Resource": ["*"]}]))}),
            vec!["spec.document.Statement[0].Resource[0]"],
        ),
        (
            Kind::Policy,
            json!({"document": document(json!({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}))}),
            vec!["spec.document.Statement.NotAction"],
        ),
        (
            Kind::User,
            json!({"inlinePolicies": inline(document(aws.clone()))}),
            vec!["spec.inlinePolicies[1].document.Statement.Action"],
        ),
        (
            Kind::Group,
            json!({"inlinePolicies": [{"name": "a", "statements": [typed]}]}),
            vec!["spec.inlinePolicies[0].statements[0].actions[0]"],
        ),
        (
            Kind::Role,
            json!({"trustPolicy": {"statements": [trust]}, "inlinePolicies": inline(document(aws))}),
            vec!["spec.trustPolicy.statements[0].actions[0]", "spec.inlinePolicies[1].document.Statement.Action"],
        ),
    ] {
        let findings = of(kind, &spec);
        assert_eq!(findings.iter().map(|found| found.path.as_str()).collect::<Vec<_>>(), paths, "{spec}");
    }
}

#[test]
fn only_what_grants_is_judged() {
    let deny = json!({"sid": "A", "effect": "Deny", "actions": ["*"], "resources": ["*"]});
    let allow = json!({"sid": "A", "effect": "Allow", "actions": ["*"], "resources": ["*"]});
    let unsound = json!({"sid": "A", "effect": "Allow", "actions": ["*"], "resources": ["*"], "conditoins": []});
    let of = |spec: &Json| of_object(&object(Kind::Policy, spec), &Settings::default());
    assert_eq!(of(&json!({"statements": [deny]})), []);
    assert_eq!(of(&json!({"statements": [unsound]})), []);
    assert_eq!(of(&json!({"type": "ServiceControl", "statements": [allow]})), []);
    assert_eq!(of(&json!({"statements": [allow], "document": {}})), []);
    assert_eq!(of(&json!(null)), []);
    assert_eq!(codes(&of(&json!({"statements": [allow]}))), [WILDCARD]);
    let unreadable = Object { spec: Spec::Unreadable("gone".to_owned()), ..object(Kind::Policy, &json!({})) };
    assert_eq!(of_object(&unreadable, &Settings::default()), []);
}

#[test]
fn a_resource_policy_reaches_what_it_is_attached_to() {
    let with = |targets: Json, resources: Option<Json>| {
        let mut statement = json!({"sid": "A", "effect": "Allow", "principals": ["*"], "actions": ["k8s:*"]});
        if let Some(resources) = resources {
            statement["resources"] = resources;
        }
        of(Kind::Policy, &json!({"type": "Resource", "targets": targets, "statements": [statement]}))
    };
    let secrets = json!({"resources": ["arn:k8s:core::payments:secrets/db"]});
    let config = json!({"resources": ["arn:k8s:core::payments:configmaps/db"]});
    assert_eq!(
        with(secrets.clone(), None).iter().map(|found| found.message.as_str()).collect::<Vec<_>>(),
        ["`k8s:*` reaches 2 privilege transitions, such as read Secrets (list and watch return their contents, too)"]
    );
    assert_eq!(codes(&with(secrets.clone(), Some(json!(["*"])))), [WILDCARD]);
    // Only what nobody can read is left.
    for findings in [with(config.clone(), None), with(secrets, Some(json!(["arn:k8s:core::payments:pods/*"])))] {
        assert!(findings.iter().all(|found| found.message.contains("delete what is unreadable")), "{findings:?}");
    }
}

#[test]
fn a_trust_policy_may_name_who_assumes_the_role() {
    let with = |actions: Json| {
        let statement = json!({"sid": "A", "effect": "Allow", "principals": ["payments"], "actions": actions});
        of(Kind::Role, &json!({"trustPolicy": {"statements": [statement]}}))
    };
    assert_eq!(with(json!(["sts:AssumeRole", "sts:TagSession"])), []);
    assert_eq!(
        with(json!(["sts:*"]))[0].message,
        "`sts:*` reaches 3 privilege transitions, such as assume roles (acts with all that the role may do)"
    );
}

#[test]
fn a_message_fits_on_a_line() {
    let long = "x".repeat(300);
    for transition in TRANSITIONS {
        for action in transition.actions {
            for statement in [
                json!({"actions": [format!("{action}*")], "resources": ["*"]}),
                json!({"notActions": [format!("orders:{long}")], "notResources": [format!("arn:k8s:orders::a:{long}")]}),
                json!({"actions": [action], "notResources": [format!("arn:k8s:orders::ä:\u{202e}\u{202e}{long}")]}),
            ] {
                for finding in of_object(
                    &object(Kind::Policy, &json!({"statements": [with_allow(statement)]})),
                    &Settings::default(),
                ) {
                    let characters = finding.message.chars().count();
                    assert!(characters <= Finding::MESSAGE_CHARACTERS, "{characters}: {finding}");
                }
            }
        }
        // The longest frame around the longest patterns.
        let frame = 2 * 2 + 2 + 28 + 36 + " on  reaches 99 privilege transitions, such as  ()".len();
        assert!(frame + transition.what.len() + transition.why.len() <= Finding::MESSAGE_CHARACTERS, "{transition:?}");
    }
}

fn with_allow(mut statement: Json) -> Json {
    statement["sid"] = json!("A");
    statement["effect"] = json!("Allow");
    statement
}

#[test]
fn what_takes_too_many_steps_is_told_and_not_walked() {
    let statements: Vec<Json> = (0..5)
        .map(|number| {
            json!({"sid": format!("S{number}"), "effect": "Allow", "actions": ["k8s:*"], "resources": ["arn:k8s:c*"]})
        })
        .collect();
    let object = object(Kind::Policy, &json!({"statements": statements}));
    let all = of_object(&object, &Settings::default());
    assert_eq!(all.len(), 5);
    let budget = Budget::new(3_000);
    let some = object::within(&object, &Settings::default(), &budget);
    let told = some.iter().position(|found| found.message.contains("too many steps")).unwrap();
    assert!(told > 0 && told + 1 == some.len() && told < 4, "{some:?}");
    assert_eq!(some[..told], all[..told]);
    assert_eq!((some[told].path.as_str(), codes(&some)[told]), (format!("spec.statements[{told}]").as_str(), WILDCARD));
}

#[test]
fn the_largest_policies_stay_within_the_steps() {
    let actions: Vec<String> = (0..250).map(|number| format!("k8s:{number}*e*t")).collect();
    let resources: Vec<String> = (0..250).map(|number| format!("arn:k8s:*e*i*:*:*{number}:*s/*")).collect();
    let statement = with_allow(json!({"actions": actions, "resources": ["*"]}));
    let other = json!({"sid": "B", "effect": "Allow", "actions": ["*"], "resources": resources});
    let findings = of(Kind::Policy, &json!({"statements": [statement, other]}));
    assert_eq!(codes(&findings), [WILDCARD]);
    assert!(findings[0].message.starts_with("`*` on `arn:k8s:*e*i*:*:*0:*s/*` reaches"), "{findings:?}");
}

#[test]
fn a_policy_that_nothing_names_or_that_meets_no_account_is_said_to_have_no_effect() {
    let statements = json!([{"sid": "A", "effect": "Allow", "actions": ["x:y"], "resources": ["*"]}]);
    let named = |kind, name: &str, spec: &Json| {
        let mut object = object(kind, spec);
        object.key.name = name.into();
        object
    };
    let managed = json!({"statements": statements});
    let guardrail = json!({"type": "ServiceControl", "statements": statements});
    let guardrail_of = |account: &str, name: &str, targets: &Json| {
        let mut spec = guardrail.clone();
        if !targets.is_null() {
            spec["targets"] = targets.clone();
        }
        let mut object = named(Kind::Policy, name, &spec);
        object.key.account = account.into();
        object
    };
    let namespace = |name: &str, env: &str| NamespaceFacts {
        name: name.into(),
        labels: Arc::new([("env".into(), env.into())].into()),
        root_identity: None,
        root_mfa_optional: false,
    };
    let trust =
        json!({"statements": [{"sid": "A", "effect": "Allow", "principals": ["a"], "actions": ["sts:AssumeRole"]}]});
    let for_all = json!([{"sid": "A", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"]}]);
    let input = Input {
        objects: vec![
            named(Kind::Policy, "of-user", &managed),
            named(Kind::Policy, "of-group", &managed),
            named(Kind::Policy, "of-role", &managed),
            named(Kind::Policy, "boundary", &managed),
            named(Kind::Policy, "alone", &managed),
            named(Kind::Policy, "guardrail", &guardrail),
            named(Kind::Policy, "of-nothing", &json!({"type": "Resource", "statements": for_all})),
            named(
                Kind::Policy,
                "of-all",
                &json!({"type": "Resource", "targets": {"resources": ["*"]}, "statements": for_all}),
            ),
            guardrail_of("kube-iam-system", "by-name", &json!({"accounts": ["prod"]})),
            guardrail_of("kube-iam-system", "by-label", &json!({"accountSelector": {"matchLabels": {"env": "prod"}}})),
            guardrail_of("kube-iam-system", "everywhere", &json!(null)),
            guardrail_of("kube-iam-system", "with-a-typo", &json!({"accounts": ["prodd", "kube-iam-system"]})),
            guardrail_of(
                "kube-iam-system",
                "of-no-label",
                &json!({"accountSelector": {"matchLabels": {"enw": "prod"}}}),
            ),
            named(Kind::User, "u", &json!({"policies": ["of-user"], "permissionsBoundary": "boundary"})),
            named(Kind::Group, "g", &json!({"policies": ["of-group", "missing"]})),
            named(Kind::Role, "r", &json!({"trustPolicy": trust, "policies": ["of-role"]})),
        ],
        namespaces: vec![namespace("prod", "prod"), namespace("payments", ""), namespace("kube-iam-system", "")],
        ..Input::default()
    };
    let findings = of_world(&world::build(&input));
    let found: Vec<(&str, &str)> =
        findings.iter().map(|(key, found)| (key.name.as_str(), found[0].path.as_str())).collect();
    assert_eq!(
        found,
        [("of-no-label", "spec.targets"), ("with-a-typo", "spec.targets"), ("alone", "spec"), ("of-nothing", "spec")]
    );
    assert!(findings.into_values().flatten().all(|finding| finding.code == Code::PolicyNotAttached));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(5_000))]

    #[test]
    fn an_action_is_reached_exactly_where_the_evaluator_matches_it(
        pattern in "(k8s|sts|iam|\\*|K8S|s3):(get|create|update|Assume|bind|\\*|\\?|/|exec|token|Role){0,4}", negated: bool,
    ) {
        let budget = Budget::new(Budget::DECISION);
        let pattern = ActionPattern::parse(&pattern);
        let polarity = if negated { Polarity::Negated } else { Polarity::Positive };
        let actions = Element::Listed(polarity, Box::new([pattern.clone()]));
        for action in TRANSITIONS.iter().flat_map(|transition| transition.actions).filter(|a| !a.ends_with('/')) {
            let reached = reach::to_action(&actions, action, &budget).is_some();
            proptest::prop_assert_eq!(reached, action_entry_matches(&pattern, action) != negated, "{}", action);
        }
    }

    #[test]
    fn a_place_is_reached_wherever_the_evaluator_matches_a_part_of_it(
        pattern in "arn:(k8s|\\*|aws):(core|apps|iam|\\*|c\\*|kube-iam.dev):(|\\*|east):(|\\*|a\\?|ab|kube-system|kube-\\*):\
                    (\\*|pods|secrets|role|user|root|iamusers|\\?|/|x|\\$\\{aws:username\\}){0,5}",
        negated: bool, account in "(ab|kube-system|kube-iam-system)", name in "(x|xx|x/x)",
    ) {
        let budget = Budget::new(Budget::DECISION);
        let settings = Settings { cluster: "east".into(), ..Settings::default() };
        let pattern = ResourcePattern::parse(&pattern, Version::V2012, PolicyKind::Identity);
        let polarity = if negated { Polarity::Negated } else { Polarity::Positive };
        let resources = Element::Listed(polarity, Box::new([pattern.clone()]));
        let mut context = Context::new();
        context.push_one("aws:username", "x");
        for place in TRANSITIONS.iter().flat_map(|transition| transition.places) {
            let Place::Kind { service, owner, begin } = place else { continue };
            let account = match owner {
                Owner::Anyone => account.as_str(),
                Owner::Nobody => "",
                Owner::Management => "kube-iam-system",
                Owner::Namespace(name) => name,
            };
            let cluster = if *service == "iam" { "" } else { "east" };
            let rest = if begin.ends_with('/') { format!("{begin}{name}") } else { (*begin).to_owned() };
            let arn = Arn::new("k8s", service, cluster, account, &rest).unwrap();
            // With a value, a variable in a list of exceptions may except more than it does without one.
            if resource_entry_matches(&pattern, Resource::one(&arn), &context) != negated {
                let way = reach::to_place(&resources, place, &settings, &budget);
                proptest::prop_assert!(way.is_some(), "{:?} on {}", pattern, arn);
            }
        }
    }
}
