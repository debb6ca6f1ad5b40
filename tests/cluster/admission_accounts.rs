//! Who may say who is root of an account, and set the labels that guardrails select by.
//!
//! Guardrails hold for the whole cluster, so these tests have one of their own.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::deadline::wait_until;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::control_plane::kubectl::Output;
use crate::control_plane::shared::Shared;
use crate::guarded::{Guarded, Setup, assert_refused, iam};

static SITE: Shared<Guarded> = Shared::new(|| Guarded::try_start(Setup::InFront));

const WHOM: &str = "; only the management root, installers and callers with the verb `escalate` on `namespaces/";

fn labelled(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn guardrail(selector: Value) -> Value {
    let statements =
        json!([{"sid": "A", "effect": "Deny", "principals": ["*"], "actions": ["k8s:*/exec"], "resources": ["*"]}]);
    let spec = json!({"type": "ResourceControl", "targets": {"accountSelector": selector}, "statements": statements});
    iam("IamPolicy", "kube-iam-system", "no-exec", spec)
}

/// A person who may do everything with namespaces but `escalate`.
fn writer(site: &Guarded, user: &str) -> Kubeconfig {
    site.grant("namespace-writer", user, None);
    site.person(user)
}

fn annotate(site: &Guarded, who: &Kubeconfig, namespace: &str, annotation: &str) -> Output {
    site.kubectl(who, ["annotate", "--overwrite", "namespace", namespace, annotation])
}

#[test]
fn roots_are_named_by_who_may_escalate() {
    let site = SITE.get();
    let tenant = writer(site, "roots-writer");
    let chief = site.cluster_admin("roots-chief", None);
    site.by_admin(["create", "namespace", "roots"]);
    let root = "kube-iam.dev/root-identity=boss@roots";
    let path = "metadata.annotations[\"kube-iam.dev/root-identity\"]: ";
    let message = format!("{path}it says who is root of the account and is set{WHOM}roots` change this");
    assert_refused(annotate(site, &tenant, "roots", root), "accounts", &message);
    annotate(site, &chief, "roots", root).succeeded();
    let taken = annotate(site, &tenant, "roots", "kube-iam.dev/root-identity-");
    assert_refused(taken, "accounts", &format!("{path}it says who is root of the account and is taken away"));
    let mfa = "metadata.annotations[\"kube-iam.dev/root-mfa\"]: it says what root must prove and is set";
    assert_refused(annotate(site, &tenant, "roots", "kube-iam.dev/root-mfa=optional"), "accounts", mfa);
    // A role inside the namespace says nothing about the Namespace.
    let inside = site.cluster_admin("roots-inside", Some("roots"));
    assert_refused(annotate(site, &inside, "roots", "kube-iam.dev/root-identity=me"), "accounts", path);
    // What is nobody's name is refused to everybody.
    let bad = format!("{path}`system:admin` is an identity of Kubernetes itself, which nobody can claim");
    assert_refused(annotate(site, &chief, "roots", "kube-iam.dev/root-identity=system:admin"), "accounts", &bad);
    // Everything else on the Namespace is free.
    annotate(site, &tenant, "roots", "example.org/x=y").succeeded();
    site.kubectl(&tenant, ["label", "namespace", "roots", "team=x"]).succeeded();
    // On the management account the annotation is ignored, and says so.
    let ignored = annotate(site, &chief, "kube-iam-system", root);
    assert!(ignored.stderr.contains("ignored in the management account"), "{}", ignored.stderr);
    annotate(site, &chief, "kube-iam-system", "kube-iam.dev/root-identity-").succeeded();
}

#[test]
fn subresources_of_a_namespace_are_no_way_around() {
    let site = SITE.get();
    let tenant = writer(site, "sub-writer");
    site.by_admin(["create", "namespace", "sub"]);
    let root = r#"{"metadata": {"annotations": {"kube-iam.dev/root-identity": "eve"}}}"#;
    let path = "metadata.annotations[\"kube-iam.dev/root-identity\"]: ";
    let status = ["patch", "namespace", "sub", "--subresource=status", "--type=merge", "-p", root];
    assert_refused(site.kubectl(&tenant, status), "accounts", path);
    let stored = site.by_admin(["get", "namespace", "sub", "-o", "json"]);
    let mut stored: Value = serde_json::from_str(&stored).unwrap();
    stored["metadata"]["annotations"] = json!({"kube-iam.dev/root-identity": "eve"});
    let body = crate::https::Client::of(&tenant)
        .connect()
        .unwrap()
        .request("PUT", "/api/v1/namespaces/sub/finalize", stored.to_string().as_bytes())
        .unwrap();
    assert_eq!(body.status, 403, "{}", body.body);
    assert!(body.body.contains("accounts.kube-iam.dev"), "{}", body.body);
}

#[test]
fn labels_that_guardrails_select_by_are_set_by_who_may_escalate_and_creation_counts() {
    let site = SITE.get();
    let tenant = writer(site, "label-writer");
    let chief = site.cluster_admin("label-chief", None);
    // Before any guardrail asks about labels, everybody makes namespaces as they like.
    site.send(&tenant, &["create"], &[labelled("labels-a", json!({"tier-of-labels": "prod"}))]).succeeded();
    site.hold(&[guardrail(json!({"matchLabels": {"tier-of-labels": "prod"}}))]);
    let selects = "metadata.labels[\"tier-of-labels\"]: guardrail `no-exec` selects accounts by it";
    for label in ["tier-of-labels=dev", "tier-of-labels-"] {
        let changed = site.kubectl(&tenant, ["label", "--overwrite", "namespace", "labels-a", label]);
        assert_refused(changed, "accounts", &format!("{selects}{WHOM}labels-a` change this"));
    }
    site.kubectl(&tenant, ["label", "namespace", "labels-a", "team=x"]).succeeded();
    site.kubectl(&chief, ["label", "--overwrite", "namespace", "labels-a", "tier-of-labels=dev"]).succeeded();
    // To create it again without the label would leave the guardrail.
    let escaping = site.send(&tenant, &["create"], &[labelled("labels-b", json!({}))]);
    let message =
        "metadata.labels: guardrail `no-exec` selects accounts by label and does not reach one with these labels";
    assert_refused(escaping, "accounts", &format!("{message}{WHOM}labels-b` change this"));
    let joining = site.send(&tenant, &["create"], &[labelled("labels-b", json!({"tier-of-labels": "prod"}))]);
    assert_refused(joining, "accounts", &format!("{selects}{WHOM}labels-b` change this"));
    site.send(&chief, &["create"], &[labelled("labels-b", json!({}))]).succeeded();
    // One that reaches whatever does not leave it on purpose lets everybody create.
    let opt_out = json!({"matchExpressions": [{"key": "tier-of-labels", "operator": "NotIn", "values": ["dev"]}]});
    site.hold(&[guardrail(opt_out)]);
    wait_until(Duration::from_secs(20), || {
        site.send(&tenant, &["create", "--dry-run=server"], &[labelled("labels-c", json!({}))]).status.success()
    });
    site.send(&tenant, &["create"], &[labelled("labels-c", json!({}))]).succeeded();
    let leaving = site.send(&tenant, &["create"], &[labelled("labels-d", json!({"tier-of-labels": "dev"}))]);
    assert!(leaving.failed().contains("does not reach one with these labels"));
    site.by_admin(["delete", "iampolicy", "no-exec", "-n", "kube-iam-system"]);
}

#[test]
fn escalate_may_come_from_a_policy() {
    let site = SITE.get();
    let tenant = writer(site, "policy-writer");
    site.by_admin(["create", "namespace", "by-policy"]);
    let root = "kube-iam.dev/root-identity=boss@by-policy";
    assert!(annotate(site, &tenant, "by-policy", root).failed().contains("accounts.kube-iam.dev"));
    let statements = json!([{
        "sid": "Escalate", "effect": "Allow", "actions": ["k8s:escalate"], "resources": ["arn:k8s:core:::namespaces/by-policy"],
    }]);
    let user = iam(
        "IamUser",
        "kube-iam-system",
        "policy-writer",
        json!({
            "identities": [{"kind": "User", "name": "policy-writer"}],
            "inlinePolicies": [{"name": "own", "statements": statements}],
        }),
    );
    site.hold(&[user]);
    wait_until(Duration::from_secs(20), || annotate(site, &tenant, "by-policy", root).status.success());
    site.by_admin(["create", "namespace", "by-no-policy"]);
    assert!(annotate(site, &tenant, "by-no-policy", root).failed().contains("accounts.kube-iam.dev"));
}
