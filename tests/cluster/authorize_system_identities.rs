//! Kubernetes' own identities are left to RBAC, so that no policy stops the cluster; people without a name are not
//! among them.

use crate::control_plane::deadline::wait_until;
use crate::https::Client;
use crate::site::{COEXIST, Site};
use std::time::Duration;

fn declare_sealed(site: &Site, account: &str) {
    site.account(account);
    site.declare(
        account,
        &format!(
            r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {{name: {account}, namespace: kube-iam-system}}
spec:
  type: ResourceControl
  targets: {{accounts: [{account}]}}
  statements: [{{sid: Sealed, effect: Deny, principals: ["*"], actions: ["k8s:list"], resources: ["*"]}}]
"#
        ),
    );
}

#[test]
fn no_policy_binds_kubernetes_itself() {
    let site = COEXIST.get();
    declare_sealed(site, "system-own");
    let list = ["get", "configmaps", "-n", "system-own"];
    site.by_admin(["create", "serviceaccount", "addon", "-n", "kube-system"]);
    for user in ["system:kube-scheduler", "system:serviceaccount:kube-system:addon"] {
        site.grant_by_rbac("view", user, Some("system-own"));
        site.kubectl(&site.person(user, &[]), list).succeeded();
    }
    site.by_admin(list);
    let user = "system:serviceaccount:system-own:default";
    site.grant_by_rbac("view", user, Some("system-own"));
    let refusal = site.kubectl(&site.person(user, &[]), list).failed();
    assert!(refusal.contains("ExplicitDeny by resource control policy kube-iam-system/system-own"), "{refusal}");
    // The controllers go on, in a namespace where everything is denied, too.
    site.by_admin(["create", "deployment", "web", "--image=example.org/web", "-n", "system-own"]);
    let pods = ["get", "pods", "-n", "system-own", "-o", "name"];
    wait_until(Duration::from_secs(30), || site.by_admin(pods).contains("pod/web-"));
}

#[test]
fn a_caller_without_a_name_is_denied_and_never_allowed() {
    let site = COEXIST.get();
    declare_sealed(site, "system-anonymous");
    site.account("system-anonymous-open");
    site.declare(
        "system-anonymous-open",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: open, namespace: system-anonymous-open}
spec:
  type: Resource
  targets: {resources: ["arn:k8s:core::system-anonymous-open:*"]}
  statements: [{sid: Everybody, effect: Allow, principals: ["*"], actions: ["k8s:list"]}]
"#,
    );
    for account in ["system-anonymous", "system-anonymous-open"] {
        site.grant_by_rbac("view", "system:anonymous", Some(account));
    }
    let anonymous = Client::anonymous(&site.person("system-anonymous", &[]));
    let list = |account, kind| anonymous.get(&format!("/api/v1/namespaces/{account}/{kind}")).unwrap();
    let refusal = list("system-anonymous", "configmaps");
    assert_eq!(refusal.status, 403);
    assert!(refusal.body.contains("ExplicitDeny by resource control policy"), "{}", refusal.body);
    // What RBAC grants it keeps, what a policy grants everybody it does not get.
    assert_eq!(list("system-anonymous-open", "configmaps").status, 200);
    assert_eq!(list("system-anonymous-open", "secrets").status, 403);
    let known = site.person("system-anonymous-known", &[]);
    site.kubectl(&known, ["get", "secrets", "-n", "system-anonymous-open"]).succeeded();
}
