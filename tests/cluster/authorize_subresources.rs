//! A subresource is an action of its own.

use crate::site::{COEXIST, Site};

/// A Pod, which no node runs: what the API server lets through fails later for lack of one.
#[track_caller]
fn pod(site: &Site, account: &str) {
    site.apply(&format!(
        r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "web", "namespace": "{account}"}},
            "spec": {{"containers": [{{"name": "web", "image": "example.org/web"}}]}}}}"#
    ));
}

#[test]
fn get_on_pods_opens_neither_logs_nor_exec() {
    let site = COEXIST.get();
    site.account("sub-pods");
    pod(site, "sub-pods");
    site.declare(
        "sub-pods",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: reader, namespace: sub-pods}
spec:
  identities: [{kind: User, name: sub-pods-reader}]
  inlinePolicies:
  - name: own
    statements: [{sid: Get, effect: Allow, actions: ["k8s:get", "k8s:create"], resources: ["arn:k8s:core::sub-pods:pods/*"]}]
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: operator, namespace: sub-pods}
spec:
  identities: [{kind: User, name: sub-pods-operator}]
  inlinePolicies:
  - name: own
    statements:
    - sid: All
      effect: Allow
      actions: ["k8s:get", "k8s:get/log", "k8s:*/exec"]
      resources: ["arn:k8s:core::sub-pods:pods/*"]
"#,
    );
    let logs = ["logs", "web", "-n", "sub-pods"];
    let exec = ["exec", "web", "-n", "sub-pods", "--", "true"];
    let reader = site.person("sub-pods-reader", &[]);
    site.kubectl(&reader, ["get", "pod", "web", "-n", "sub-pods"]).succeeded();
    let refusal = site.kubectl(&reader, logs).failed();
    assert!(refusal.contains("no policy allows k8s:get/log on arn:k8s:core::sub-pods:pods/web"), "{refusal}");
    let refusal = site.kubectl(&reader, exec).failed();
    assert!(refusal.contains("no policy allows k8s:") && refusal.contains("/exec on arn:k8s:core"), "{refusal}");

    let operator = site.person("sub-pods-operator", &[]);
    site.kubectl(&operator, logs).succeeded();
    let let_through = site.kubectl(&operator, exec).failed();
    assert!(let_through.contains("does not have a host assigned"), "{let_through}");
}

#[test]
fn a_deny_on_exec_with_any_verb_overrules_rbac() {
    let site = COEXIST.get();
    site.account("sub-exec");
    pod(site, "sub-exec");
    site.grant_by_rbac("admin", "sub-exec", Some("sub-exec"));
    site.declare(
        "sub-exec",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: no-exec, namespace: kube-iam-system}
spec:
  type: ResourceControl
  targets: {accounts: [sub-exec]}
  statements: [{sid: NoExec, effect: Deny, principals: ["*"], actions: ["k8s:*/exec"], resources: ["*"]}]
"#,
    );
    let person = site.person("sub-exec", &[]);
    let refusal = site.kubectl(&person, ["exec", "web", "-n", "sub-exec", "--", "true"]).failed();
    let reason = "ExplicitDeny by resource control policy kube-iam-system/no-exec, statement NoExec";
    assert!(refusal.contains(reason), "{refusal}");
    for verb in ["get", "create"] {
        let answer = site.kubectl(&person, ["auth", "can-i", verb, "pods/web", "--subresource=exec", "-n", "sub-exec"]);
        assert_eq!(answer.stdout, format!("no - {reason}\n"), "{verb}");
    }
    let path = "/api/v1/namespaces/sub-exec/pods/web/exec?command=true&stdout=true";
    assert!(site.kubectl(&person, ["get", "--raw", path]).failed().contains(reason));
    let attach = site.kubectl(&person, ["attach", "web", "-n", "sub-exec"]).failed();
    assert!(!attach.contains("ExplicitDeny"), "{attach}");
}

#[test]
fn scale_is_granted_apart_from_the_deployment() {
    let site = COEXIST.get();
    site.account("sub-scale");
    site.by_admin(["create", "deployment", "web", "--image=example.org/web", "--replicas=0", "-n", "sub-scale"]);
    let user = |name: &str, actions: &str| {
        format!(
            r#"
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {{name: {name}, namespace: sub-scale}}
spec:
  identities: [{{kind: User, name: sub-scale-{name}}}]
  inlinePolicies:
  - name: own
    statements: [{{sid: Do, effect: Allow, actions: {actions}, resources: ["arn:k8s:apps::sub-scale:deployments/web"]}}]
"#
        )
    };
    let world = user("editor", r#"["k8s:get", "k8s:update", "k8s:patch"]"#)
        + &user("scaler", r#"["k8s:get", "k8s:get/scale", "k8s:update/scale", "k8s:patch/scale"]"#);
    site.declare("sub-scale", &world);
    let scale = ["scale", "deployment", "web", "--replicas=1", "-n", "sub-scale"];
    let label = ["label", "deployment", "web", "team=a", "-n", "sub-scale"];
    let editor = site.person("sub-scale-editor", &[]);
    let refusal = site.kubectl(&editor, scale).failed();
    assert!(refusal.contains("/scale on arn:k8s:apps::sub-scale:deployments/web"), "{refusal}");
    site.kubectl(&editor, label).succeeded();
    let scaler = site.person("sub-scale-scaler", &[]);
    site.kubectl(&scaler, scale).succeeded();
    let refusal =
        site.kubectl(&scaler, ["label", "deployment", "web", "team=b", "--overwrite", "-n", "sub-scale"]).failed();
    assert!(refusal.contains("no policy allows k8s:patch on arn:k8s:apps::sub-scale:deployments/web"), "{refusal}");
}
