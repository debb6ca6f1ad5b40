//! What a policy denies, nobody gets, though RBAC grants it; and the refusal says which policy.

use crate::control_plane::kubeconfig::Kubeconfig;
use crate::site::{COEXIST, Site};

/// The refusal of `kubectl get` and the answer of `kubectl auth can-i` end in the reason, word for word.
#[track_caller]
fn assert_refused(site: &Site, who: &Kubeconfig, user: &str, account: &str, reason: &str) {
    let refusal = site.kubectl(who, ["get", "secrets", "-n", account]).failed();
    let standard = format!(
        "Error from server (Forbidden): secrets is forbidden: User \"{user}\" cannot list resource \"secrets\" in API \
         group \"\" in the namespace \"{account}\": "
    );
    assert_eq!(refusal.trim_end(), format!("{standard}{reason}"));

    let answer = site.kubectl(who, ["auth", "can-i", "list", "secrets", "-n", account]);
    assert_eq!((answer.stdout.as_str(), answer.status.code()), (format!("no - {reason}\n").as_str(), Some(1)));
}

#[test]
fn a_deny_of_a_user_overrules_rbac_and_is_named_in_the_refusal() {
    let site = COEXIST.get();
    site.account("denies-user");
    site.grant_by_rbac("edit", "denies-user", Some("denies-user"));
    site.grant_by_rbac("edit", "denies-user-other", Some("denies-user"));
    site.declare(
        "denies-user",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: no-secrets, namespace: denies-user}
spec:
  statements:
  - {sid: NoSecrets, effect: Deny, actions: ["k8s:*"], resources: ["arn:k8s:core::denies-user:secrets/*"]}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: bob, namespace: denies-user}
spec: {identities: [{kind: User, name: denies-user}], policies: [no-secrets]}
"#,
    );
    let bob = site.person("denies-user", &[]);
    let reason = "ExplicitDeny by identity policy denies-user/no-secrets, statement NoSecrets";
    assert_refused(site, &bob, "denies-user", "denies-user", reason);
    site.kubectl(&bob, ["get", "configmaps", "-n", "denies-user"]).succeeded();
    // Whoever may ask for her is told the same.
    let answer =
        site.kubectl(site.admin(), ["auth", "can-i", "get", "secret/x", "-n", "denies-user", "--as=denies-user"]);
    let reason = "no - ExplicitDeny by identity policy denies-user/no-secrets, statement NoSecrets\n";
    assert_eq!((answer.stdout.as_str(), answer.status.code()), (reason, Some(1)));

    let other = site.person("denies-user-other", &[]);
    site.kubectl(&other, ["get", "secrets", "-n", "denies-user"]).succeeded();
}

#[test]
fn a_deny_of_a_resource_overrules_rbac_for_those_it_names() {
    let site = COEXIST.get();
    site.account("denies-resource");
    site.grant_by_rbac("edit", "denies-resource", Some("denies-resource"));
    site.declare(
        "denies-resource",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: sealed, namespace: denies-resource}
spec:
  type: Resource
  targets: {resources: ["arn:k8s:core::denies-resource:secrets/*"]}
  statements:
  - {sid: Sealed, effect: Deny, principals: ["*"], actions: ["k8s:*"]}
"#,
    );
    let reason = "ExplicitDeny by resource policy denies-resource/sealed, statement Sealed";
    let unknown = site.person("denies-resource", &[]);
    assert_refused(site, &unknown, "denies-resource", "denies-resource", reason);
}

#[test]
fn a_guardrail_binds_people_whom_kube_iam_does_not_know() {
    let site = COEXIST.get();
    for account in ["denies-guarded", "denies-unguarded"] {
        site.account(account);
        site.grant_by_rbac("edit", "denies-guarded", Some(account));
    }
    site.declare(
        "denies-guardrail",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: no-deletion, namespace: kube-iam-system}
spec:
  type: ResourceControl
  targets: {accounts: [denies-guarded]}
  statements:
  - {sid: NoDeletion, effect: Deny, principals: ["*"], actions: ["k8s:delete", "k8s:deletecollection"], resources: ["*"]}
"#,
    );
    let person = site.person("denies-guarded", &[]);
    for account in ["denies-guarded", "denies-unguarded"] {
        site.kubectl(&person, ["create", "configmap", "mine", "-n", account]).succeeded();
    }
    let delete = |account| ["delete", "configmap", "mine", "-n", account];
    site.kubectl(&person, delete("denies-unguarded")).succeeded();
    let refusal = site.kubectl(&person, delete("denies-guarded")).failed();
    let reason = "ExplicitDeny by resource control policy kube-iam-system/no-deletion, statement NoDeletion";
    assert!(refusal.trim_end().ends_with(&format!(": {reason}")), "{refusal}");
    let all = site.kubectl(&person, ["delete", "configmaps", "--all", "-n", "denies-guarded"]).failed();
    assert!(all.contains(reason), "{all}");
    site.by_admin(["get", "configmap", "mine", "-n", "denies-guarded"]);
}

#[test]
fn a_boundary_limits_what_rbac_grants() {
    let site = COEXIST.get();
    site.account("denies-boundary");
    site.grant_by_rbac("edit", "denies-boundary", Some("denies-boundary"));
    site.declare(
        "denies-boundary",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: limits, namespace: denies-boundary}
spec:
  statements:
  - {sid: ConfigMaps, effect: Allow, actions: ["k8s:*"], resources: ["arn:k8s:core::denies-boundary:configmaps/*"]}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: bob, namespace: denies-boundary}
spec:
  identities: [{kind: User, name: denies-boundary}]
  permissionsBoundary: limits
"#,
    );
    let bob = site.person("denies-boundary", &[]);
    site.kubectl(&bob, ["get", "configmaps", "-n", "denies-boundary"]).succeeded();
    let reason = "ImplicitDeny: permissions boundary denies-boundary/limits of arn:k8s:iam::denies-boundary:user/bob does \
                  not allow k8s:list on arn:k8s:core::denies-boundary:secrets/*";
    assert_refused(site, &bob, "denies-boundary", "denies-boundary", reason);
    // No limit takes discovery away, and kubectl with it.
    site.kubectl(&bob, ["api-resources"]).succeeded();
    site.kubectl(&bob, ["auth", "whoami"]).succeeded();
}

#[test]
fn a_disabled_user_has_nothing_that_rbac_grants() {
    let site = COEXIST.get();
    site.account("denies-disabled");
    site.grant_by_rbac("edit", "denies-disabled", Some("denies-disabled"));
    site.declare(
        "denies-disabled",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: bob, namespace: denies-disabled}
spec: {identities: [{kind: User, name: denies-disabled}], disabled: true}
"#,
    );
    let reason = "ExplicitDeny: arn:k8s:iam::denies-disabled:user/bob is disabled";
    assert_refused(site, &site.person("denies-disabled", &[]), "denies-disabled", "denies-disabled", reason);
}
