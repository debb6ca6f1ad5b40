//! The root of an account.

use crate::site::COEXIST;

#[test]
fn the_root_of_an_account_has_what_is_in_it_and_nothing_else() {
    let site = COEXIST.get();
    site.account("roots");
    site.account("roots-mfa");
    site.declare(
        "roots",
        r#"
apiVersion: v1
kind: Namespace
metadata:
  name: roots
  annotations: {kube-iam.dev/root-identity: roots-owner, kube-iam.dev/root-mfa: optional}
---
apiVersion: v1
kind: Namespace
metadata:
  name: roots-mfa
  annotations: {kube-iam.dev/root-identity: roots-owner-with-mfa}
"#,
    );
    let owner = site.person("roots-owner", &[]);
    site.kubectl(&owner, ["create", "configmap", "mine", "-n", "roots"]).succeeded();
    site.kubectl(&owner, ["delete", "secrets", "--all", "-n", "roots"]).succeeded();
    for elsewhere in
        [vec!["get", "configmaps", "-n", "roots-mfa"], vec!["get", "configmaps", "-A"], vec!["get", "nodes"]]
    {
        site.kubectl(&owner, elsewhere).failed();
    }
    site.kubectl(&owner, ["delete", "namespace", "roots"]).failed();
    // Without proof of a second factor it is nobody in particular.
    let refusal =
        site.kubectl(&site.person("roots-owner-with-mfa", &[]), ["get", "configmaps", "-n", "roots-mfa"]).failed();
    assert!(refusal.contains("for roots-owner-with-mfa"), "{refusal}");
}
