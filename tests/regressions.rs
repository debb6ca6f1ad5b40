//! Restrictions that were once lost, each in its own small world.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::path::PathBuf;

use kube_iam::decide::Cause;
use kube_iam::mapping::{Attributes, Requirement, ResourceAttributes, SelectorOperator, Target};
use kube_iam::name::{Mode, Revision};
use kube_iam::server::{Answered, answer};
use kube_iam::snapshot::Snapshot;
use kube_iam::source::folder::load;
use kube_iam::world::Settings;

fn snapshot(name: &str, manifests: &str) -> Snapshot {
    let path: PathBuf = std::env::temp_dir().join(format!("kube-iam-regression-{}-{name}.yaml", std::process::id()));
    std::fs::write(&path, manifests).unwrap();
    let settings = Settings {
        cluster: "".into(),
        management_account: "kube-iam-system".into(),
        management_root: Some("root@example.org".into()),
    };
    let world = load(std::slice::from_ref(&path), settings);
    std::fs::remove_file(&path).unwrap();
    Snapshot::compile(&world.unwrap(), Revision::default())
}

fn ask(snapshot: &Snapshot, user: &str, group: &str, resource: ResourceAttributes<'_>) -> Answered {
    let attributes = Attributes {
        user: user.to_owned().into(),
        groups: vec![group.to_owned().into()],
        target: Target::Resource(resource),
        ..Attributes::default()
    };
    answer(snapshot, &attributes, Mode::Coexist)
}

fn get<'a>(namespace: &'a str, resource: &'a str) -> ResourceAttributes<'a> {
    ResourceAttributes {
        verb: "get".into(),
        namespace: namespace.into(),
        resource: resource.into(),
        name: "x".into(),
        ..ResourceAttributes::default()
    }
}

#[test]
fn a_long_user_name_loses_no_deny() {
    let world = snapshot(
        "long",
        "apiVersion: kube-iam.dev/v1alpha1
kind: IamGroup
metadata: {name: g, namespace: payments}
spec:
  externalGroups: ['oidc:devs']
  inlinePolicies: [{name: d, statements: [{sid: D, effect: Deny, actions: ['k8s:*'], resources: ['*']}]}]
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: open, namespace: payments}
spec:
  type: Resource
  targets: {resources: ['arn:k8s:core::payments:*']}
  statements: [{sid: All, effect: Allow, principals: ['*'], actions: ['k8s:*'], resources: ['*']}]
",
    );
    for length in [1, 2_000, 2_100, 100_000] {
        let answered = ask(&world, &"x".repeat(length), "oidc:devs", get("payments", "secrets"));
        assert!(answered.answer.is_denied(), "{length}: {}", answered.answer.reason);
    }
}

#[test]
fn what_a_tenant_writes_costs_nobody_elsewhere_a_decision() {
    let values: Vec<String> = (0..250).map(|n| format!("'*{n}~'")).collect();
    let keys = ["k8s:User", "aws:PrincipalArn", "aws:userid", "k8s:Name", "k8s:Verb", "aws:CurrentTime"];
    let conditions: Vec<String> = keys
        .iter()
        .map(|key| format!("{{operator: StringNotLike, key: '{key}', values: [{}]}}", values.join(", ")))
        .collect();
    let mut manifests = String::from(
        "apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: bob, namespace: payments}
spec:
  identities: [{kind: User, name: bob}]
  inlinePolicies: [{name: a, statements: [{sid: A, effect: Allow, actions: ['k8s:*'], resources: ['*']}]}]
---
apiVersion: v1
kind: Namespace
metadata: {name: kube-iam-system, annotations: {kube-iam.dev/root-mfa: optional}}
",
    );
    for policy in 0..10 {
        manifests.push_str(&format!(
            "---
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {{name: p{policy}, namespace: evil}}
spec: {{statements: [{{sid: S, effect: Deny, actions: ['*'], resources: ['*'], conditions: [{}]}}]}}
",
            conditions.join(", ")
        ));
    }
    for group in 0..500 {
        manifests.push_str(&format!(
            "---
apiVersion: kube-iam.dev/v1alpha1
kind: IamGroup
metadata: {{name: g{group}, namespace: evil}}
spec: {{externalGroups: ['oidc:everyone'], policies: [p0, p1, p2, p3, p4, p5, p6, p7, p8, p9]}}
"
        ));
    }
    let world = snapshot("burn", &manifests);
    // It is dear enough to matter where its author has a say.
    let at_home = ask(&world, "bob", "oidc:everyone", get("evil", "pods"));
    assert!(at_home.decision.is_ok_and(|decision| decision.cause == Cause::BudgetSpent));
    for (user, namespace, resource) in [("bob", "payments", "pods"), ("root@example.org", "", "nodes")] {
        let answered = ask(&world, user, "oidc:everyone", get(namespace, resource));
        assert!(answered.answer.is_allowed(), "{user}: {}", answered.answer.reason);
    }
}

#[test]
fn a_selector_speaks_about_its_own_spelling_of_a_label() {
    let world = snapshot(
        "case",
        "apiVersion: v1
kind: Namespace
metadata: {name: prod, labels: {Env: prod, env: dev}}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: u, namespace: prod}
spec:
  identities: [{kind: User, name: amy}]
  inlinePolicies: [{name: a, statements: [{sid: A, effect: Allow, actions: ['k8s:*'], resources: ['*']}]}]
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: guard, namespace: kube-iam-system}
spec:
  type: ResourceControl
  statements:
  - sid: L
    effect: Deny
    principals: ['*']
    actions: ['k8s:list']
    resources: ['*']
    conditions: [{operator: StringEquals, key: 'aws:ResourceTag/secret', values: ['yes']}]
  - sid: N
    effect: Deny
    principals: ['*']
    actions: ['k8s:delete']
    resources: ['*']
    conditions: [{operator: StringEquals, key: 'k8s:NamespaceTag/Env', values: ['prod']}]
",
    );
    for (label, allowed) in [("secret", true), ("SECRET", false), ("Secret", false)] {
        let requirement =
            Requirement { key: label.into(), operator: SelectorOperator::DoesNotExist, values: Vec::new() };
        let list = ResourceAttributes {
            verb: "list".into(),
            name: "".into(),
            label_selector: vec![requirement],
            ..get("prod", "pods")
        };
        assert_eq!(ask(&world, "amy", "", list).answer.is_allowed(), allowed, "{label}");
    }
    let delete = ResourceAttributes { verb: "delete".into(), ..get("prod", "pods") };
    assert!(ask(&world, "amy", "", delete).answer.is_denied());
}

#[test]
fn guardrails_about_something_else_do_not_grow_with_the_number_of_accounts() {
    let users: Vec<String> = (0..20).map(|n| format!("'*contractor-{n}@*'")).collect();
    let mut manifests = String::new();
    for policy in 0..40 {
        manifests.push_str(&format!(
            "---
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {{name: r{policy}, namespace: kube-iam-system}}
spec:
  type: ResourceControl
  statements: [{{sid: S, effect: Deny, principals: ['*'], actions: ['k8s:*'], resources: ['*'],
    conditions: [{{operator: StringLike, key: 'k8s:User', values: [{}]}}]}}]
",
            users.join(", ")
        ));
    }
    for account in 0..10_000 {
        manifests.push_str(&format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: n{account}}}\n"));
    }
    let world = snapshot("many", &manifests);
    let list = ResourceAttributes { verb: "list".into(), name: "".into(), ..get("", "services") };
    let answered = ask(&world, "system:serviceaccount:ingress:controller", "", list);
    assert!(!answered.answer.is_denied(), "{}", answered.answer.reason);
}
