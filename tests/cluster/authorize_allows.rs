//! What a policy allows, the API server does, though RBAC grants nothing.

use crate::site::COEXIST;

#[test]
fn a_policy_of_a_user_allows() {
    let site = COEXIST.get();
    site.account("allows-user");
    site.account("allows-user-elsewhere");
    site.declare(
        "allows-user",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: read-configmaps, namespace: allows-user}
spec:
  statements:
  - sid: ReadConfigMaps
    effect: Allow
    actions: ["k8s:get", "k8s:list"]
    resources: ["arn:k8s:core::*:configmaps/*"]
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: ann, namespace: allows-user}
spec:
  identities: [{kind: User, name: ann@example.org}]
  policies: [read-configmaps]
"#,
    );
    let ann = site.person("ann@example.org", &[]);
    site.kubectl(&ann, ["get", "configmap", "kube-root-ca.crt", "-n", "allows-user"]).succeeded();
    site.kubectl(&ann, ["get", "configmaps", "-n", "allows-user"]).succeeded();
    assert_eq!(site.kubectl(&ann, ["auth", "can-i", "list", "configmaps", "-n", "allows-user"]).succeeded(), "yes\n");

    let refusal = site.kubectl(&ann, ["get", "secrets", "-n", "allows-user"]).failed();
    assert!(
        refusal.contains(
            "ImplicitDeny: no policy allows k8s:list on arn:k8s:core::allows-user:secrets/* for \
             arn:k8s:iam::allows-user:user/ann"
        ),
        "{refusal}"
    );
    // What an account gives away is what it has.
    site.kubectl(&ann, ["get", "configmaps", "-n", "allows-user-elsewhere"]).failed();
    site.kubectl(&ann, ["delete", "configmap", "kube-root-ca.crt", "-n", "allows-user"]).failed();
}

#[test]
fn membership_of_a_group_allows() {
    let site = COEXIST.get();
    site.account("allows-member");
    site.declare(
        "allows-member",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamGroup
metadata: {name: readers, namespace: allows-member}
spec:
  inlinePolicies:
  - name: read
    statements:
    - {sid: Read, effect: Allow, actions: ["k8s:list"], resources: ["arn:k8s:core::allows-member:configmaps/*"]}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: member, namespace: allows-member}
spec: {identities: [{kind: User, name: allows-member}], groups: [readers]}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: stranger, namespace: allows-member}
spec: {identities: [{kind: User, name: allows-member-stranger}]}
"#,
    );
    let list = ["get", "configmaps", "-n", "allows-member"];
    site.kubectl(&site.person("allows-member", &[]), list).succeeded();
    site.kubectl(&site.person("allows-member-stranger", &[]), list).failed();
    // A group of the same name in a certificate is another thing.
    site.kubectl(&site.person("allows-member-stranger", &["readers"]), list).failed();
}

#[test]
fn a_group_in_the_certificate_allows_where_an_iam_group_lists_it() {
    let site = COEXIST.get();
    site.account("allows-external");
    site.declare(
        "allows-external",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamGroup
metadata: {name: readers, namespace: allows-external}
spec:
  externalGroups: ["corp:readers"]
  inlinePolicies:
  - name: read
    statements:
    - {sid: Read, effect: Allow, actions: ["k8s:list"], resources: ["arn:k8s:core::allows-external:configmaps/*"]}
"#,
    );
    let list = ["get", "configmaps", "-n", "allows-external"];
    site.kubectl(&site.person("allows-external", &["corp:others", "corp:readers"]), list).succeeded();
    let refusal = site.kubectl(&site.person("allows-external", &["corp:others"]), list).failed();
    assert!(refusal.contains("for allows-external"), "{refusal}");
}

#[test]
fn a_policy_of_a_resource_allows_whom_it_names() {
    let site = COEXIST.get();
    site.account("allows-named");
    site.by_admin(["create", "configmap", "ledger", "-n", "allows-named"]);
    site.by_admin(["create", "configmap", "board", "-n", "allows-named"]);
    site.declare(
        "allows-named",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: ledger, namespace: allows-named}
spec:
  type: Resource
  targets: {resources: ["arn:k8s:core::allows-named:configmaps/ledger"]}
  statements:
  - {sid: Auditor, effect: Allow, principals: ["arn:k8s:iam::allows-named:user/auditor"], actions: ["k8s:get"]}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: board, namespace: allows-named}
spec:
  type: Resource
  targets: {resources: ["arn:k8s:core::allows-named:configmaps/board"]}
  statements:
  - {sid: Everybody, effect: Allow, principals: ["*"], actions: ["k8s:get"]}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: auditor, namespace: allows-named}
spec: {identities: [{kind: User, name: allows-named-auditor}]}
"#,
    );
    let auditor = site.person("allows-named-auditor", &[]);
    let unknown = site.person("allows-named-unknown", &[]);
    let get = |name| ["get", "configmap", name, "-n", "allows-named"];
    site.kubectl(&auditor, get("ledger")).succeeded();
    site.kubectl(&auditor, get("board")).succeeded();
    site.kubectl(&unknown, get("ledger")).failed();
    site.kubectl(&unknown, get("board")).succeeded();
    site.kubectl(&unknown, get("kube-root-ca.crt")).failed();
}
