//! Nobody becomes another by a header or by a name, whatever RBAC grants.

use crate::site::COEXIST;

#[test]
fn impersonation_is_refused_though_rbac_allows_it() {
    let site = COEXIST.get();
    site.account("imp");
    site.grant_by_rbac("cluster-admin", "imp-admin", None);
    site.grant_by_rbac("view", "imp-victim", Some("imp"));
    let person = site.person("imp-admin", &[]);
    let list = ["get", "configmaps", "-n", "imp"];
    site.kubectl(&person, list).succeeded();
    let reason = "ExplicitDeny: impersonation is refused, whatever policies say: kube-iam does not decide it yet";
    for as_whom in [
        vec!["--as=imp-victim"],
        vec!["--as=imp-victim", "--as-group=dev"],
        vec!["--as=system:serviceaccount:imp:default"],
        vec!["--as=system:node:n1", "--as-group=system:nodes"],
        vec!["--as=imp-victim", "--as-group=system:masters"],
        vec!["--as=arn:k8s:iam::imp:role/deployer"],
        vec!["--as=arn:k8s:sts::imp:assumed-role/deployer/session"],
        vec!["--as=imp-victim", "--as-uid=17"],
    ] {
        let refusal = site.kubectl(&person, list.into_iter().chain(as_whom.iter().copied())).failed();
        assert!(refusal.contains("(Forbidden)") && refusal.contains(reason), "{as_whom:?}: {refusal}");
    }
    // The break-glass admin is not asked about.
    site.by_admin(list.into_iter().chain(["--as=imp-victim"]));
}

#[test]
fn a_reserved_name_in_a_certificate_is_nobody() {
    let site = COEXIST.get();
    site.account("imp-name");
    let reason = "ExplicitDeny: user names that begin with arn:k8s: or kube-iam.dev/ are reserved, and no session proves \
                  this one";
    for name in ["arn:k8s:iam::imp-name:role/deployer", "arn:k8s:iam::imp-name:root", "kube-iam.dev/imp-name"] {
        site.grant_by_rbac("cluster-admin", name, None);
        let refusal = site.kubectl(&site.person(name, &[]), ["get", "configmaps", "-n", "imp-name"]).failed();
        assert!(refusal.contains(reason), "{name}: {refusal}");
    }
}
