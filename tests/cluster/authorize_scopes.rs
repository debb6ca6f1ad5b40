//! Whose a thing is: a namespace's, or, where it lives in none, the management account's.

use crate::control_plane::deadline::wait_until;
use crate::site::{COEXIST, Site};
use std::time::Duration;

/// The definition of a kind, for the cluster and for the folder.
fn kind(plural: &str, kind: &str, scope: &str) -> String {
    format!(
        r#"
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.example.org}}
spec:
  group: example.org
  scope: {scope}
  names: {{plural: {plural}, kind: {kind}}}
  versions:
  - {{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}
"#
    )
}

fn user(name: &str, account: &str, resource: &str) -> String {
    format!(
        r#"
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {{name: {name}, namespace: {account}}}
spec:
  identities: [{{kind: User, name: {name}}}]
  inlinePolicies:
  - name: own
    statements: [{{sid: Read, effect: Allow, actions: ["k8s:get", "k8s:list"], resources: ["{resource}"]}}]
"#
    )
}

/// kubectl knows a new kind when discovery has it.
fn wait_for_kind(site: &Site, plural: &str) {
    let kind = format!("crd/{plural}.example.org");
    site.by_admin(["wait", "--for=condition=Established", &kind, "--timeout=60s"]);
    wait_until(Duration::from_secs(30), || site.kubectl(site.admin(), ["get", plural, "-A"]).status.success());
}

#[test]
fn a_custom_resource_belongs_to_whom_its_definition_says() {
    let site = COEXIST.get();
    site.account("scopes-tenant");
    let kinds = kind("scopewidgets", "ScopeWidget", "Namespaced") + &kind("scopeplanets", "ScopePlanet", "Cluster");
    site.apply(&kinds);
    for plural in ["scopewidgets", "scopeplanets"] {
        wait_for_kind(site, plural);
    }
    site.apply(
        r#"
{apiVersion: example.org/v1, kind: ScopeWidget, metadata: {name: w, namespace: scopes-tenant}}
---
{apiVersion: example.org/v1, kind: ScopePlanet, metadata: {name: p}}
"#,
    );
    let world = kinds
        + &user("scopes-widgets", "scopes-tenant", "arn:k8s:example.org::scopes-tenant:scopewidgets/*")
        + &user("scopes-planets", "scopes-tenant", "arn:k8s:example.org:::scopeplanets/*")
        + &user("scopes-planets-manager", "kube-iam-system", "arn:k8s:example.org:::scopeplanets/*")
        + &user("scopes-all-manager", "kube-iam-system", "arn:k8s:example.org::*:scopewidgets/*");
    site.declare("scopes-kinds", &world);

    let widgets = site.person("scopes-widgets", &[]);
    site.kubectl(&widgets, ["get", "scopewidgets", "-n", "scopes-tenant"]).succeeded();
    site.kubectl(&widgets, ["get", "scopewidget", "w", "-n", "scopes-tenant"]).succeeded();
    site.kubectl(&widgets, ["get", "scopewidgets", "-A"]).failed();
    site.kubectl(&widgets, ["get", "scopeplanets"]).failed();

    let planets = site.person("scopes-planets-manager", &[]);
    site.kubectl(&planets, ["get", "scopeplanets"]).succeeded();
    site.kubectl(&planets, ["get", "scopeplanet", "p"]).succeeded();
    site.kubectl(&planets, ["get", "scopewidgets", "-n", "scopes-tenant"]).failed();
    // A tenant cannot give away what is the management account's.
    let tenant = site.person("scopes-planets", &[]);
    let refusal = site.kubectl(&tenant, ["get", "scopeplanet", "p"]).failed();
    assert!(refusal.contains("no policy allows k8s:get on arn:k8s:example.org:::scopeplanets/p"), "{refusal}");

    let all = site.person("scopes-all-manager", &[]);
    site.kubectl(&all, ["get", "scopewidgets", "-A"]).succeeded();
}

#[test]
fn a_namespace_object_is_the_management_accounts() {
    let site = COEXIST.get();
    site.account("scopes-namespace");
    let namespace = "arn:k8s:core:::namespaces/scopes-namespace";
    let world = user("scopes-namespace-tenant", "scopes-namespace", "*")
        + &user("scopes-namespace-manager", "kube-iam-system", namespace);
    site.declare("scopes-namespace", &world);
    let get = ["get", "namespace", "scopes-namespace"];
    let tenant = site.person("scopes-namespace-tenant", &[]);
    let refusal = site.kubectl(&tenant, get).failed();
    assert!(refusal.contains(&format!("no policy allows k8s:get on {namespace} for")), "{refusal}");
    site.kubectl(&tenant, ["get", "configmaps", "-n", "scopes-namespace"]).succeeded();
    let manager = site.person("scopes-namespace-manager", &[]);
    site.kubectl(&manager, get).succeeded();
    site.kubectl(&manager, ["get", "namespace", "default"]).failed();
}

#[test]
fn a_url_is_the_management_accounts() {
    let site = COEXIST.get();
    site.account("scopes-url");
    site.grant_by_rbac("cluster-admin", "scopes-url-denied", None);
    let user = |name: &str, account: &str, effect: &str| {
        format!(
            r#"
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {{name: {name}, namespace: {account}}}
spec:
  identities: [{{kind: User, name: {name}}}]
  inlinePolicies:
  - name: own
    statements: [{{sid: Metrics, effect: {effect}, actions: ["http:get"], resources: ["arn:k8s:url:::/metrics"]}}]
"#
        )
    };
    let world = user("scopes-url-allowed", "kube-iam-system", "Allow")
        + &user("scopes-url-denied", "kube-iam-system", "Deny")
        + &user("scopes-url-tenant", "scopes-url", "Allow");
    site.declare("scopes-url", &world);
    let metrics = ["get", "--raw", "/metrics"];
    let allowed = site.person("scopes-url-allowed", &[]);
    assert!(site.kubectl(&allowed, metrics).succeeded().contains("apiserver_request_total"));
    let refusal = site.kubectl(&allowed, ["get", "--raw", "/metrics/slis"]).failed();
    assert!(refusal.contains("no policy allows http:get on arn:k8s:url:::/metrics/slis"), "{refusal}");
    let refusal = site.kubectl(&site.person("scopes-url-denied", &[]), metrics).failed();
    let reason = "ExplicitDeny by identity policy kube-iam-system/user/scopes-url-denied#own, statement Metrics";
    assert!(refusal.contains(reason), "{refusal}");
    site.kubectl(&site.person("scopes-url-tenant", &[]), metrics).failed();
}
