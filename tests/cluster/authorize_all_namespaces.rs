//! A request over all namespaces asks for everything in them, so a Deny on a part refuses the whole.

use crate::site::COEXIST;

#[test]
fn only_a_deny_of_the_management_account_refuses_a_list_over_all_namespaces() {
    let site = COEXIST.get();
    site.account("spans-prod");
    site.account("spans-tenant");
    site.grant_by_rbac("cluster-admin", "spans", None);
    site.declare(
        "spans",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: sealed-prod, namespace: kube-iam-system}
spec:
  type: Resource
  targets: {resources: ["arn:k8s:core::spans-prod:secrets/*"]}
  statements:
  - {sid: Sealed, effect: Deny, principals: ["*"], actions: ["k8s:list"]}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: sealed-tenant, namespace: spans-tenant}
spec:
  type: Resource
  targets: {resources: ["arn:k8s:core::spans-tenant:secrets/*", "arn:k8s:core::spans-tenant:configmaps/*"]}
  statements:
  - {sid: Sealed, effect: Deny, principals: ["*"], actions: ["k8s:list"]}
"#,
    );
    let person = site.person("spans", &[]);
    let refusal = site.kubectl(&person, ["get", "secrets", "-A"]).failed();
    let reason = "at the cluster scope: ExplicitDeny by resource policy kube-iam-system/sealed-prod, statement Sealed; it \
                  spans all namespaces: name one with -n NAMESPACE";
    assert!(refusal.contains(reason), "{refusal}");
    site.kubectl(&person, ["get", "secrets", "-n", "spans-prod"]).failed();

    // The tenant's holds in its namespace, and stops nobody elsewhere.
    site.kubectl(&person, ["get", "configmaps", "-n", "spans-tenant"]).failed();
    site.kubectl(&person, ["get", "configmaps", "-A"]).succeeded();

    // A selector narrows what is asked for.
    let narrowed = |selector| ["get", "secrets", "-A", "--field-selector", selector];
    site.kubectl(&person, narrowed("metadata.namespace=default")).succeeded();
    site.kubectl(&person, narrowed("metadata.namespace!=spans-prod")).succeeded();
    site.kubectl(&person, narrowed("metadata.namespace=spans-prod")).failed();
    site.kubectl(&person, narrowed("metadata.name=x")).failed();
    site.kubectl(&person, narrowed("metadata.namespace!=spans-tenant")).failed();
}

#[test]
fn a_list_over_all_namespaces_is_given_away_by_the_management_account_alone() {
    let site = COEXIST.get();
    site.account("spans-giver");
    let user = |name: &str, account: &str, identity: &str| {
        format!(
            r#"
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {{name: {name}, namespace: {account}}}
spec:
  identities: [{{kind: User, name: {identity}}}]
  inlinePolicies:
  - name: own
    statements: [{{sid: Read, effect: Allow, actions: ["k8s:list"], resources: ["arn:k8s:core::*:endpoints/*"]}}]
"#
        )
    };
    let world =
        user("spans-manager", "kube-iam-system", "spans-manager") + &user("tenant", "spans-giver", "spans-giver");
    site.declare("spans-giver", &world);
    let manager = site.person("spans-manager", &[]);
    let tenant = site.person("spans-giver", &[]);
    site.kubectl(&manager, ["get", "endpoints", "-A"]).succeeded();
    site.kubectl(&manager, ["get", "endpoints", "-n", "spans-giver"]).succeeded();
    let refusal = site.kubectl(&tenant, ["get", "endpoints", "-A"]).failed();
    assert!(refusal.contains("it spans all namespaces"), "{refusal}");
    site.kubectl(&tenant, ["get", "endpoints", "-n", "spans-giver"]).succeeded();
    let narrowed = ["get", "endpoints", "-A", "--field-selector", "metadata.namespace=spans-giver"];
    site.kubectl(&tenant, narrowed).succeeded();
}
