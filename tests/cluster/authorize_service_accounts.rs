//! Pods: tokens of ServiceAccounts.

use crate::site::COEXIST;

#[test]
fn a_service_account_is_the_user_that_claims_it() {
    let site = COEXIST.get();
    site.account("sa-user");
    site.grant_by_rbac("view", "system:serviceaccount:sa-user:ci", Some("sa-user"));
    site.declare(
        "sa-user",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: builder, namespace: sa-user}
spec:
  identities: [{kind: ServiceAccount, name: ci, namespace: sa-user}]
  inlinePolicies:
  - name: own
    statements:
    - {sid: Secrets, effect: Allow, actions: ["k8s:list"], resources: ["arn:k8s:core::sa-user:secrets/*"]}
    - {sid: NoMaps, effect: Deny, actions: ["k8s:list"], resources: ["arn:k8s:core::sa-user:configmaps/*"]}
"#,
    );
    let ci = site.service_account("sa-user", "ci");
    let other = site.service_account("sa-user", "other");
    let list = |kind| ["get", kind, "-n", "sa-user"];
    site.kubectl(&ci, list("secrets")).succeeded();
    site.kubectl(&ci, list("services")).succeeded();
    let refusal = site.kubectl(&ci, list("configmaps")).failed();
    let reason = "ExplicitDeny by identity policy sa-user/user/builder#own, statement NoMaps";
    assert!(refusal.contains(reason), "{refusal}");
    site.kubectl(&other, list("secrets")).failed();
}

#[test]
fn a_service_account_as_itself_is_named_by_policies_of_resources() {
    let site = COEXIST.get();
    site.account("sa-self");
    site.account("sa-self-elsewhere");
    site.grant_by_rbac("edit", "system:serviceaccount:sa-self:denied", Some("sa-self"));
    site.declare(
        "sa-self",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: maps, namespace: sa-self}
spec:
  type: Resource
  targets: {resources: ["arn:k8s:core::sa-self:configmaps/*"]}
  statements:
  - sid: Readers
    effect: Allow
    principals:
    - "arn:k8s:core::sa-self:serviceaccounts/reader"
    - "arn:k8s:core::sa-self-elsewhere:serviceaccounts/reader"
    actions: ["k8s:list"]
  - sid: NotHim
    effect: Deny
    principals: ["arn:k8s:core::sa-self:serviceaccounts/denied"]
    actions: ["k8s:list"]
"#,
    );
    let list = ["get", "configmaps", "-n", "sa-self"];
    site.kubectl(&site.service_account("sa-self", "reader"), list).succeeded();
    site.kubectl(&site.service_account("sa-self-elsewhere", "reader"), list).succeeded();
    site.kubectl(&site.service_account("sa-self-elsewhere", "denied"), list).failed();
    let denied = site.service_account("sa-self", "denied");
    let refusal = site.kubectl(&denied, list).failed();
    assert!(refusal.contains("ExplicitDeny by resource policy sa-self/maps, statement NotHim"), "{refusal}");
    site.kubectl(&denied, ["get", "secrets", "-n", "sa-self"]).succeeded();
}
