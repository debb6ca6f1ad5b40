//! What may be created and changed of the four kinds, by every way in.

use serde_json::{Value, json};

use crate::guarded::{GUARDED, allow, assert_refused, iam};

fn misspelt(account: &str, name: &str) -> Value {
    let mut statements = allow();
    statements[0]["conditoins"] = json!([]);
    iam("IamPolicy", account, name, json!({"statements": statements}))
}

const MISSPELT: &str = "spec.statements[0]: unknown key `conditoins`; did you mean `conditions`?";

#[test]
fn what_the_evaluator_would_not_read_gets_in_by_no_way() {
    let site = GUARDED.get();
    let tenant = site.tenant("ways");
    let good = iam("IamPolicy", "ways", "p", json!({"statements": allow()}));
    for how in [
        &["create"][..],
        &["apply"],
        &["apply", "--server-side"],
        &["create", "--dry-run=server"],
        &["apply", "--server-side", "--dry-run=server"],
    ] {
        assert_refused(site.send(&tenant, how, &[misspelt("ways", "p")]), "objects", MISSPELT);
    }
    site.send(&tenant, &["apply"], &[good]).succeeded();
    for how in [&["replace"][..], &["apply"], &["apply", "--server-side", "--force-conflicts"]] {
        assert_refused(site.send(&tenant, how, &[misspelt("ways", "p")]), "objects", MISSPELT);
    }
    let patch = r#"[{"op": "add", "path": "/spec/statements/0/conditions", "value": null}]"#;
    let refused = site.kubectl(&tenant, ["patch", "iampolicy", "p", "-n", "ways", "--type=json", "-p", patch]);
    let message = "spec.statements[0].conditions: expected a list of conditions, found null";
    assert_refused(refused, "objects", message);
    // Nothing of all this is stored.
    let stored = site.by_admin(["get", "iampolicy", "p", "-n", "ways", "-o", "jsonpath={.spec.statements}"]);
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), allow());
}

#[test]
fn a_dry_run_is_judged_and_changes_nothing() {
    let site = GUARDED.get();
    let tenant = site.tenant("dry");
    let good = iam("IamUser", "dry", "u", json!({"identities": [{"kind": "User", "name": "dry-u"}]}));
    site.send(&tenant, &["create", "--dry-run=server"], std::slice::from_ref(&good)).succeeded();
    site.send(&tenant, &["create", "--dry-run=server"], &[good]).succeeded();
    assert_eq!(site.by_admin(["get", "iam", "-n", "dry", "-o", "name"]), "");
}

#[test]
fn a_null_that_kubectl_leaves_out_is_refused() {
    let site = GUARDED.get();
    let tenant = site.tenant("nulls");
    let mut statements = allow();
    statements[0]["conditions"] = Value::Null;
    let null = iam("IamPolicy", "nulls", "p", json!({"statements": statements}));
    let message = "spec.statements[0].conditions: expected a list of conditions, found null (kubectl leaves the null out when \
                   it sends the object)";
    assert_refused(site.send(&tenant, &["apply"], std::slice::from_ref(&null)), "objects", message);
    site.send(&tenant, &["apply"], &[iam("IamPolicy", "nulls", "p", json!({"statements": allow()}))]).succeeded();
    assert_refused(site.send(&tenant, &["apply"], &[null]), "objects", message);
    // Where a null narrows nothing it is as good as nothing.
    let user = iam("IamUser", "nulls", "u", json!({"groups": null, "policies": null}));
    site.send(&tenant, &["apply"], &[user]).succeeded();
    let user = iam("IamUser", "nulls", "v", json!({"permissionsBoundary": null}));
    let message = "spec.permissionsBoundary: found null; name a policy, or leave `permissionsBoundary` out";
    assert_refused(site.send(&tenant, &["apply"], &[user]), "objects", message);
}

#[test]
fn what_was_stored_before_stays_modifiable_until_it_is_touched() {
    let site = GUARDED.get();
    let admin = site.admin();
    let patch = |patch: &str| {
        site.kubectl(admin, ["patch", "iampolicy", "misspelt", "-n", "before", "--type=merge", "-p", patch])
    };
    site.kubectl(admin, ["label", "iampolicy", "misspelt", "-n", "before", "a=b"]).succeeded();
    patch(r#"{"spec": {"description": "new"}}"#).succeeded();
    let touch = r#"[{"op": "replace", "path": "/spec/statements/0/actions", "value": ["k8s:list"]}]"#;
    let touched = site.kubectl(admin, ["patch", "iampolicy", "misspelt", "-n", "before", "--type=json", "-p", touch]);
    assert_refused(touched, "objects", MISSPELT);
    let repair = r#"[{"op": "remove", "path": "/spec/statements/0/conditoins"}]"#;
    site.kubectl(admin, ["patch", "iampolicy", "misspelt", "-n", "before", "--type=json", "-p", repair]).succeeded();
    let broken_again = r#"[{"op": "add", "path": "/spec/statements/0/conditoins", "value": []}]"#;
    let broken =
        site.kubectl(admin, ["patch", "iampolicy", "misspelt", "-n", "before", "--type=json", "-p", broken_again]);
    assert_refused(broken, "objects", MISSPELT);
}

#[test]
fn one_identity_is_one_user_of_an_account_and_may_be_one_of_another() {
    let site = GUARDED.get();
    let tenant = site.tenant("claims");
    let claim = |account: &str, name: &str| {
        iam("IamUser", account, name, json!({"identities": [{"kind": "User", "name": "shared@claims"}]}))
    };
    site.hold(&[iam("IamGroup", "claims", "after", json!({})), claim("claims", "first")]);
    let message = "spec.identities: `shared@claims` is claimed by IamUser `first` too; one identity belongs to one IamUser of an \
                   account";
    // Every write comes to kube-iam in its own watch: this one may be a moment behind.
    let second = || site.send(&tenant, &["create", "--dry-run=server"], &[claim("claims", "second")]);
    crate::control_plane::deadline::wait_until(std::time::Duration::from_secs(20), || !second().status.success());
    assert_refused(second(), "objects", message);
    let elsewhere = site.tenant("claims-elsewhere");
    site.send(&elsewhere, &["create"], &[claim("claims-elsewhere", "first")]).succeeded();
    let own = r#"{"spec": {"disabled": true}}"#;
    site.kubectl(&tenant, ["patch", "iamuser", "first", "-n", "claims", "--type=merge", "-p", own]).succeeded();
}

#[test]
fn a_tenant_speaks_about_its_own_account() {
    let site = GUARDED.get();
    let tenant = site.tenant("targets");
    let resource = |account: &str, target: &str| {
        let statements = json!([{"sid": "A", "effect": "Deny", "principals": ["*"], "actions": ["k8s:create"]}]);
        let spec = json!({"type": "Resource", "targets": {"resources": [target]}, "statements": statements});
        iam("IamPolicy", account, "resource", spec)
    };
    let foreign = "arn:k8s:core::other:configmaps/x";
    let message = "spec.targets.resources[0]: `arn:k8s:core::other:configmaps/x` is of another account; a Resource policy \
                   speaks about resources of its own account, `targets`";
    assert_refused(site.send(&tenant, &["create"], &[resource("targets", foreign)]), "objects", message);
    site.send(&tenant, &["create"], &[resource("targets", "arn:k8s:core::targets:configmaps/x")]).succeeded();
    site.send(site.admin(), &["create", "--dry-run=server"], &[resource("kube-iam-system", foreign)]).succeeded();
    for guardrail in ["ServiceControl", "ResourceControl"] {
        let mut deny = json!([{"sid": "A", "effect": "Deny", "actions": ["k8s:create"], "resources": ["*"]}]);
        if guardrail == "ResourceControl" {
            deny[0]["principals"] = json!(["*"]);
        }
        let spec = json!({"type": guardrail, "statements": deny});
        let message =
            "spec.type: guardrails have an effect in the management account `kube-iam-system` only; create it there";
        let policy = iam("IamPolicy", "targets", "guardrail", spec.clone());
        assert_refused(site.send(&tenant, &["create"], &[policy]), "objects", message);
        let policy = iam("IamPolicy", "kube-iam-system", "guardrail", spec);
        site.send(site.admin(), &["create", "--dry-run=server"], &[policy]).succeeded();
    }
    let user = iam("IamUser", "targets", "u", json!({"policies": ["arn:k8s:iam::other:policy/x"]}));
    let message = "spec.policies[0]: `arn:k8s:iam::other:policy/x` is of another account; only policies of the own one and of \
                   `kube-iam-system` can be named";
    assert_refused(site.send(&tenant, &["create"], &[user]), "objects", message);
    let patch = r#"{"spec": {"type": "Managed"}}"#;
    let changed =
        site.kubectl(&tenant, ["patch", "iampolicy", "resource", "-n", "targets", "--type=merge", "-p", patch]);
    // The schema says so too, and speaks first.
    assert!(changed.failed().contains("type is immutable"));
}

#[test]
fn warnings_reach_the_terminal() {
    let site = GUARDED.get();
    let tenant = site.tenant("warnings");
    let user = iam("IamUser", "warnings", "u", json!({"groups": ["devs"], "permissionsBoundary": "limits"}));
    let output = site.send(&tenant, &["create"], std::slice::from_ref(&user));
    for warning in [
        "Warning: spec.groups[0]: there is no IamGroup `devs` yet; it grants nothing until then",
        "Warning: spec.permissionsBoundary: there is no IamPolicy `limits` in account `warnings` yet; nothing is allowed until",
    ] {
        assert!(output.stderr.contains(warning), "{}", output.stderr);
    }
    output.succeeded();
    site.hold(&[
        iam("IamGroup", "warnings", "devs", json!({})),
        iam("IamPolicy", "warnings", "limits", json!({"statements": allow()})),
    ]);
    let output = site.send(&tenant, &["apply"], &[with_tags(&user)]);
    assert!(!output.stderr.contains("there is no"), "{}", output.stderr);
    let wide = json!([{"sid": "All", "effect": "Allow", "actions": ["k8s:*"], "resources": ["*"]}]);
    let output = site.send(&tenant, &["create"], &[iam("IamPolicy", "warnings", "wide", json!({"statements": wide}))]);
    assert!(output.stderr.contains("Warning: spec.statements[0].actions[0]: "), "{}", output.stderr);
    assert!(output.stderr.contains("(K8S_WILDCARD_COVERS_PRIVILEGE_TRANSITION)"), "{}", output.stderr);
    output.succeeded();
}

fn with_tags(user: &Value) -> Value {
    let mut user = user.clone();
    user["spec"]["tags"] = json!({"team": "x"});
    user
}

#[test]
fn the_examples_are_admitted_in_their_order_and_in_reverse() {
    let site = GUARDED.get();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let apply = |how: &[&str], file: &std::path::Path| {
        let arguments = ["apply", "-f", file.to_str().unwrap()].into_iter().chain(how.iter().copied());
        site.kubectl(site.admin(), arguments).succeeded();
    };
    files.iter().for_each(|file| apply(&[], file));
    files.iter().rev().for_each(|file| apply(&["--server-side", "--force-conflicts"], file));
}

#[test]
fn bombs_are_refused_and_others_go_on() {
    let site = GUARDED.get();
    let tenant = site.tenant("bombs");
    let many: Vec<Value> = (0..60_000).map(|index| json!({"sid": format!("A{index}"), "effect": "Allow"})).collect();
    let bomb = iam("IamPolicy", "bombs", "bomb", json!({"document": {"Version": "2012-10-17", "Statement": many}}));
    let output = site.send(&tenant, &["create"], &[bomb]);
    assert_refused(output, "objects", "spec: ");
    let good = iam("IamPolicy", "bombs", "good", json!({"statements": allow()}));
    site.send(&tenant, &["create"], &[good]).succeeded();
}
