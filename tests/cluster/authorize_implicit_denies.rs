//! Where no policy speaks, the mode says who decides.

use crate::site::{COEXIST, Site};

const WORLD: &str = r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: ann, namespace: implicit}
spec:
  identities: [{kind: User, name: implicit}]
  inlinePolicies:
  - name: own
    statements:
    - {sid: Services, effect: Allow, actions: ["k8s:list"], resources: ["arn:k8s:core::implicit:services/*"]}
"#;

#[test]
fn in_coexist_rbac_decides_where_no_policy_speaks() {
    let site = COEXIST.get();
    site.account("implicit");
    site.grant_by_rbac("view", "implicit", Some("implicit"));
    site.grant_by_rbac("view", "implicit-unknown", Some("implicit"));
    site.declare("implicit", WORLD);
    for user in ["implicit", "implicit-unknown"] {
        let person = site.person(user, &[]);
        site.kubectl(&person, ["get", "configmaps", "-n", "implicit"]).succeeded();
        let refusal = site.kubectl(&person, ["get", "secrets", "-n", "implicit"]).failed();
        // Where everybody had no opinion the API server says whose reasons these are.
        let reason =
            "\"implicit\": kube-iam: ImplicitDeny: no policy allows k8s:list on arn:k8s:core::implicit:secrets/*";
        assert!(refusal.contains("(Forbidden)") && refusal.contains(reason), "{refusal}");
    }
}

#[test]
fn in_authoritative_what_no_policy_allows_is_denied_though_rbac_allows() {
    let site = Site::start("authoritative");
    site.account("implicit");
    site.grant_by_rbac("cluster-admin", "implicit", None);
    site.grant_by_rbac("cluster-admin", "implicit-unknown", None);
    site.declare("implicit", WORLD);
    let ann = site.person("implicit", &[]);
    let unknown = site.person("implicit-unknown", &[]);
    site.kubectl(&ann, ["get", "services", "-n", "implicit"]).succeeded();
    let list = ["get", "configmaps", "-n", "implicit"];
    let question = "k8s:list on arn:k8s:core::implicit:configmaps/*";
    for (person, principal) in [(&ann, "arn:k8s:iam::implicit:user/ann"), (&unknown, "implicit-unknown")] {
        let refusal = site.kubectl(person, list).failed();
        let reason = format!("ImplicitDeny: no policy allows {question} for {principal}");
        assert!(refusal.contains(&format!("\"implicit\": {reason}")), "{refusal}");
        site.kubectl(person, ["get", "--raw", "/metrics"]).failed();

        // The baseline: what kubectl needs to work at all.
        assert!(site.kubectl(person, ["api-resources"]).succeeded().contains("deployments"));
        assert!(site.kubectl(person, ["auth", "whoami"]).succeeded().contains("implicit"));
        let answer = site.kubectl(person, ["auth", "can-i", "list", "configmaps", "-n", "implicit"]);
        assert!(answer.stdout.starts_with("no - ImplicitDeny: no policy allows k8s:list on"), "{answer:?}");
        assert_eq!(answer.status.code(), Some(1));
        site.kubectl(person, ["version"]).succeeded();
        site.kubectl(person, ["explain", "pod.spec"]).succeeded();
        site.kubectl(person, ["get", "--raw", "/readyz"]).succeeded();
    }
    // Kubernetes itself goes on: its controllers keep a namespace's ServiceAccount, and delete the namespace.
    site.by_admin(["delete", "namespace", "implicit", "--timeout=60s"]);
}

#[test]
fn in_shadow_policies_change_nothing_and_say_what_they_would_do() {
    let site = Site::start("shadow");
    site.account("shadowed");
    site.grant_by_rbac("view", "shadowed", Some("shadowed"));
    site.declare(
        "shadowed",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: ann, namespace: shadowed}
spec:
  identities: [{kind: User, name: shadowed}]
  inlinePolicies:
  - name: own
    statements:
    - {sid: Secrets, effect: Allow, actions: ["k8s:list"], resources: ["arn:k8s:core::shadowed:secrets/*"]}
    - {sid: NoMaps, effect: Deny, actions: ["k8s:list"], resources: ["arn:k8s:core::shadowed:configmaps/*"]}
    - {sid: NoRoles, effect: Deny, actions: ["k8s:list"], resources: ["arn:k8s:rbac.authorization.k8s.io::shadowed:roles/*"]}
"#,
    );
    let ann = site.person("shadowed", &[]);
    site.kubectl(&ann, ["get", "configmaps", "-n", "shadowed"]).succeeded();
    let by = "identity policy shadowed/user/ann#own, statement";
    for (kind, verdict) in [
        ("secrets", format!("shadow: Allow by {by} Secrets")),
        ("roles", format!("shadow: ExplicitDeny by {by} NoRoles")),
        ("leases", "shadow: ImplicitDeny: no policy allows".to_owned()),
    ] {
        let refusal = site.kubectl(&ann, ["get", kind, "-n", "shadowed"]).failed();
        assert!(refusal.contains("(Forbidden)") && refusal.contains(&verdict), "{refusal}");
    }
    site.by_admin(["get", "secrets", "-n", "shadowed"]);
    // Nobody is locked out when it is gone.
    let mut site = site;
    site.kube_iam.kill();
    site.kubectl(&ann, ["get", "configmaps", "-n", "shadowed"]).succeeded();
}
