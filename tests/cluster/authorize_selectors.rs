//! A selector narrows what a list asks for, so it can be allowed where the whole list is not.

use crate::site::COEXIST;

#[test]
fn a_list_is_allowed_as_far_as_its_label_selector_narrows_it() {
    let site = COEXIST.get();
    site.account("selects-labels");
    site.declare(
        "selects-labels",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: ann, namespace: selects-labels}
spec:
  identities: [{kind: User, name: selects-labels}]
  inlinePolicies:
  - name: own
    statements:
    - sid: Web
      effect: Allow
      actions: ["k8s:list"]
      resources: ["arn:k8s:core::selects-labels:pods/*"]
      conditions: [{operator: StringEquals, key: "aws:ResourceTag/app", values: [web, api]}]
"#,
    );
    let ann = site.person("selects-labels", &[]);
    let list = |selector| ["get", "pods", "-n", "selects-labels", "-l", selector];
    for narrow in ["app=web", "app in (web, api)", "app=api,tier=front"] {
        site.kubectl(&ann, list(narrow)).succeeded();
    }
    for wide in ["app=db", "app in (web, db)", "app", "!app", "app!=db", "tier=front"] {
        let refusal = site.kubectl(&ann, list(wide)).failed();
        assert!(refusal.contains("no policy allows k8s:list on"), "{wide}: {refusal}");
    }
    site.kubectl(&ann, ["get", "pods", "-n", "selects-labels"]).failed();
}

#[test]
fn a_list_of_one_name_is_allowed_where_that_name_is() {
    let site = COEXIST.get();
    site.account("selects-names");
    site.grant_by_rbac("edit", "selects-names-denied", Some("selects-names"));
    site.declare(
        "selects-names",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: ann, namespace: selects-names}
spec:
  identities: [{kind: User, name: selects-names}]
  inlinePolicies:
  - name: own
    statements: [{sid: One, effect: Allow, actions: ["k8s:list", "k8s:watch"], resources: ["arn:k8s:core::selects-names:secrets/one"]}]
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: denied, namespace: selects-names}
spec:
  identities: [{kind: User, name: selects-names-denied}]
  inlinePolicies:
  - name: own
    statements: [{sid: NotTwo, effect: Deny, actions: ["k8s:list"], resources: ["arn:k8s:core::selects-names:secrets/two"]}]
"#,
    );
    let list = |selector| ["get", "secrets", "-n", "selects-names", "--field-selector", selector];
    let ann = site.person("selects-names", &[]);
    site.kubectl(&ann, list("metadata.name=one")).succeeded();
    site.kubectl(&ann, list("metadata.name=two")).failed();
    let refusal = site.kubectl(&ann, ["get", "secrets", "-n", "selects-names"]).failed();
    assert!(refusal.contains("name one with --field-selector metadata.name=NAME"), "{refusal}");

    let denied = site.person("selects-names-denied", &[]);
    site.kubectl(&denied, list("metadata.name=one")).succeeded();
    site.kubectl(&denied, list("metadata.name!=two")).succeeded();
    site.kubectl(&denied, list("metadata.name=two")).failed();
    site.kubectl(&denied, ["get", "secrets", "-n", "selects-names"]).failed();
}
