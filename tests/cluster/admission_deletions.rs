//! What others name is not deleted from under them; what goes with its namespace goes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::deadline::wait_until;
use crate::guarded::{GUARDED, Guarded, allow, assert_refused, iam};

const GONE: Duration = Duration::from_secs(60);

/// A policy, a group that names it, and users who name both.
fn objects(account: &str) -> Vec<Value> {
    let mut objects = vec![
        iam("IamPolicy", account, "read", json!({"statements": allow()})),
        iam("IamGroup", account, "devs", json!({"policies": ["read"]})),
    ];
    objects.extend((0..3).map(|index| {
        iam("IamUser", account, &format!("u{index}"), json!({"groups": ["devs"], "permissionsBoundary": "read"}))
    }));
    objects
}

/// Holds them, and waits until kube-iam knows that the policy and the group are named.
#[track_caller]
fn held(site: &Guarded, account: &str) {
    site.hold(&objects(account));
    for (kind, name, last) in [("iampolicy", "read", "and 1 more"), ("iamgroup", "devs", "u2; take it from them")] {
        wait_until(Duration::from_secs(20), || {
            let refused = site.kubectl(site.admin(), ["delete", kind, name, "-n", account, "--dry-run=server"]);
            refused.stderr.contains(last)
        });
    }
}

#[test]
fn what_is_named_is_not_deleted_by_any_way() {
    let site = GUARDED.get();
    let tenant = site.tenant("named");
    held(site, "named");
    let policy = "IamPolicy named/read is still named by IamUser named/u0, IamUser named/u1, IamUser named/u2 and 1 more; \
                  take it from them first";
    assert_refused(site.kubectl(&tenant, ["delete", "iampolicy", "read", "-n", "named"]), "objects", policy);
    let force = ["delete", "iampolicy", "read", "-n", "named", "--force", "--grace-period=0"];
    assert_refused(site.kubectl(&tenant, force), "objects", policy);
    let all = "/apis/kube-iam.dev/v1alpha1/namespaces/named/iampolicies";
    let collection = site.kubectl(&tenant, ["delete", "--raw", all]);
    let stderr = collection.failed();
    assert!(stderr.contains("IamPolicy named/read is still named by"), "{stderr}");
    let group = "IamGroup named/devs is still named by IamUser named/u0, IamUser named/u1 and IamUser named/u2; take it from them first";
    assert_refused(site.kubectl(&tenant, ["delete", "iamgroup", "devs", "-n", "named"]), "objects", group);
    // From the users downwards it goes, as soon as kube-iam has seen each go.
    for (kind, names) in [("iamuser", vec!["u0", "u1", "u2"]), ("iamgroup", vec!["devs"]), ("iampolicy", vec!["read"])]
    {
        for name in names {
            wait_until(GONE, || {
                site.kubectl(&tenant, ["delete", kind, name, "-n", "named", "--wait=false"]).status.success()
            });
        }
    }
    wait_until(GONE, || site.by_admin(["get", "iam", "-n", "named", "-o", "name"]).is_empty());
}

#[test]
fn a_namespace_goes_with_everything_in_it() {
    let site = GUARDED.get();
    site.tenant("going");
    held(site, "going");
    let shared = iam("IamPolicy", "kube-iam-system", "going-shared", json!({"statements": allow()}));
    site.hold(&[shared]);
    let user =
        iam("IamUser", "going", "foreign", json!({"policies": ["arn:k8s:iam::kube-iam-system:policy/going-shared"]}));
    site.send(site.admin(), &["create"], &[user]).succeeded();
    site.by_admin(["delete", "namespace", "going", "--wait=false"]);
    wait_until(GONE, || site.kubectl(site.admin(), ["get", "namespace", "going"]).stderr.contains("NotFound"));
    wait_until(GONE, || {
        site.kubectl(site.admin(), ["delete", "iampolicy", "going-shared", "-n", "kube-iam-system"]).status.success()
    });
}

#[test]
fn pruning_ends_when_it_goes_from_those_who_name_to_those_who_are_named() {
    let site = GUARDED.get();
    let tenant = site.tenant("pruned");
    let labelled = |mut object: Value| {
        object["metadata"]["labels"] = json!({"app": "pruned"});
        object
    };
    let kept = labelled(iam("IamGroup", "pruned", "kept", json!({})));
    let all: Vec<Value> = objects("pruned").into_iter().map(labelled).chain([kept.clone()]).collect();
    site.hold(&all);
    let kinds = ["IamUser", "IamRole", "IamGroup", "IamPolicy"];
    let allowed = kinds.map(|kind| format!("--prune-allowlist=kube-iam.dev/v1alpha1/{kind}"));
    let mut prune = vec!["apply", "--prune", "-l", "app=pruned", "-n", "pruned"];
    prune.extend(allowed.iter().map(String::as_str));
    wait_until(GONE, || site.send(&tenant, &prune, std::slice::from_ref(&kept)).status.success());
    wait_until(GONE, || site.by_admin(["get", "iam", "-n", "pruned", "-o", "name"]) == "iamgroup.kube-iam.dev/kept\n");
}
