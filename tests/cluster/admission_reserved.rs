//! What belongs to kube-iam in and around its objects: status, finalizer, owners.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::deadline::wait_until;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::control_plane::kubectl::Output;
use crate::guarded::{GUARDED, Guarded, assert_refused, iam};

/// How long kube-iam may take to write what it has to.
const SOON: Duration = Duration::from_secs(60);
const WHOM: &str = "only kube-iam, the management root, installers and callers with the verb `escalate` on";

fn patch(site: &Guarded, who: &Kubeconfig, account: &str, subresource: &str, patch: &str) -> Output {
    let mut arguments = vec!["patch", "iamgroup", "devs", "-n", account, "--type=merge", "-p", patch];
    if !subresource.is_empty() {
        arguments.extend(["--subresource", subresource]);
    }
    site.kubectl(who, arguments)
}

/// An account with a group in it, and its admin.
fn account(site: &Guarded, name: &str) -> Kubeconfig {
    let tenant = site.tenant(name);
    site.send(&tenant, &["create"], &[iam("IamGroup", name, "devs", json!({}))]).succeeded();
    tenant
}

#[test]
fn the_status_is_written_by_kube_iam_and_by_who_may_escalate() {
    let site = GUARDED.get();
    let tenant = account(site, "status");
    let arn = || site.by_admin(["get", "iamgroup", "devs", "-n", "status", "-o", "jsonpath={.status.arn}"]);
    wait_until(SOON, || arn() == "arn:k8s:iam::status:group/devs");
    let forged = r#"{"status": {"arn": "forged"}}"#;
    let message = format!(
        "status: it is changed; kube-iam writes it; {WHOM} `iamgroups.kube-iam.dev/devs` in namespace `status` change this"
    );
    assert_refused(patch(site, &tenant, "status", "status", forged), "objects", &message);
    assert_eq!(arn(), "arn:k8s:iam::status:group/devs");
    // `escalate` counts where the object is.
    let admin = site.cluster_admin("status-chief", Some("status"));
    patch(site, &admin, "status", "status", forged).succeeded();
    wait_until(SOON, || arn() == "arn:k8s:iam::status:group/devs");
    let other = site.cluster_admin("status-other-chief", Some("default"));
    site.grant("iam-writer", "status-other-chief", Some("status"));
    assert_refused(patch(site, &other, "status", "status", forged), "objects", &message);
}

#[test]
fn the_finalizer_is_set_and_taken_by_kube_iam_and_by_who_may_escalate() {
    let site = GUARDED.get();
    let tenant = account(site, "finalizer");
    let set = "metadata.finalizers: `kube-iam.dev/in-use` is set; it keeps an object while others name it, and goes by itself \
               when none does; only kube-iam,";
    let born_with_it = finalized("finalizer", "born");
    assert_refused(site.send(&tenant, &["create"], &[born_with_it]), "objects", set);
    // Named, it has it from kube-iam.
    let finalizers =
        || site.by_admin(["get", "iamgroup", "devs", "-n", "finalizer", "-o", "jsonpath={.metadata.finalizers}"]);
    site.send(&tenant, &["create"], &[iam("IamUser", "finalizer", "u", json!({"groups": ["devs"]}))]).succeeded();
    wait_until(SOON, || finalizers() == r#"["kube-iam.dev/in-use"]"#);
    let none = r#"{"metadata": {"finalizers": []}}"#;
    let taken =
        "metadata.finalizers: `kube-iam.dev/in-use` is taken away (by `kubectl replace`, too: use `kubectl apply`);";
    assert_refused(patch(site, &tenant, "finalizer", "", none), "objects", taken);
    let replaced = site.send(&tenant, &["replace"], &[iam("IamGroup", "finalizer", "devs", json!({}))]);
    assert_refused(replaced, "objects", taken);
    site.send(&tenant, &["apply"], &[iam("IamGroup", "finalizer", "devs", json!({"path": "/x/"}))]).succeeded();
    // Other tools' finalizers are free, beside it too.
    let theirs = r#"{"metadata": {"finalizers": ["kube-iam.dev/in-use", "example.org/theirs"]}}"#;
    patch(site, &tenant, "finalizer", "", theirs).succeeded();
    patch(site, &tenant, "finalizer", "", r#"{"metadata": {"finalizers": ["kube-iam.dev/in-use"]}}"#).succeeded();
    let admin = site.cluster_admin("finalizer-chief", None);
    patch(site, &admin, "finalizer", "", none).succeeded();
    wait_until(SOON, || finalizers() == r#"["kube-iam.dev/in-use"]"#);
}

#[test]
fn an_owner_is_set_by_nobody_else() {
    let site = GUARDED.get();
    let tenant = account(site, "owner");
    site.by_admin(["create", "configmap", "x", "-n", "owner"]);
    let uid = site.by_admin(["get", "configmap", "x", "-n", "owner", "-o", "jsonpath={.metadata.uid}"]);
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": uid}]);
    let owned = json!({"metadata": {"ownerReferences": owner}}).to_string();
    let message = "metadata.ownerReferences: `ConfigMap x` is made its owner; with an owner an object of IAM would be deleted, \
                   and its restrictions with it; only kube-iam,";
    assert_refused(patch(site, &tenant, "owner", "", &owned), "objects", message);
    let mut born_owned = iam("IamGroup", "owner", "other", json!({}));
    born_owned["metadata"]["ownerReferences"] = owner;
    assert_refused(site.send(&tenant, &["create"], &[born_owned]), "objects", message);
    let admin = site.cluster_admin("owner-chief", None);
    patch(site, &admin, "owner", "", &owned).succeeded();
    patch(site, &tenant, "owner", "", r#"{"metadata": {"ownerReferences": []}}"#).succeeded();
}

#[test]
fn an_installer_may_and_an_impersonated_tenant_is_the_tenant() {
    let site = GUARDED.get();
    account(site, "installer");
    site.grant("iam-writer", "the-installer", Some("installer"));
    let installer = site.person("the-installer");
    let held = finalized("installer", "held");
    site.send(&installer, &["create", "--dry-run=server"], std::slice::from_ref(&held)).succeeded();
    let tenant = ["create", "--dry-run=server", "--as", "installer-admin"];
    assert_refused(site.send(site.admin(), &tenant, std::slice::from_ref(&held)), "objects", "metadata.finalizers: ");
    // Groups count: `escalate` may come by one.
    let by_group = [&tenant[..], &["--as-group", "system:masters"]].concat();
    site.send(site.admin(), &by_group, &[held]).succeeded();
}

/// A group that comes with the finalizer.
fn finalized(account: &str, name: &str) -> Value {
    let mut group = iam("IamGroup", account, name, json!({}));
    group["metadata"]["finalizers"] = json!(["kube-iam.dev/in-use"]);
    group
}
