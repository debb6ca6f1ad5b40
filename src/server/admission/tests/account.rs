//! Roots of accounts and labels that guardrails select by.

use serde_json::json;

use super::*;

fn namespace(name: &str, labels: Value, annotations: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
    })
}

fn plain(name: &str) -> Value {
    namespace(name, json!({"kubernetes.io/metadata.name": name}), json!({}))
}

const WHOM: &str =
    "; only the management root, installers and callers with the verb `escalate` on `namespaces/prod` change this";

#[test]
fn a_root_is_reserved() {
    let nothing = cluster(&[]);
    let rooted = namespace("prod", json!({}), json!({"kube-iam.dev/root-identity": "boss"}));
    let other = namespace("prod", json!({}), json!({"kube-iam.dev/root-identity": "eve"}));
    let path = "metadata.annotations[\"kube-iam.dev/root-identity\"]: it says who is root of the account and is";
    assert_eq!(reserved(created(&rooted, &nothing)), format!("{path} set{WHOM}"));
    assert_eq!(reserved(changed(&rooted, &other, &nothing)), format!("{path} set{WHOM}"));
    assert_eq!(reserved(changed(&rooted, &plain("prod"), &nothing)), format!("{path} taken away{WHOM}"));
    assert_eq!(changed(&rooted, &with(&rooted, "/metadata/labels", json!({"team": "x"})), &nothing), admitted());
    let lax = namespace("prod", json!({}), json!({"kube-iam.dev/root-mfa": "optional"}));
    let message = "metadata.annotations[\"kube-iam.dev/root-mfa\"]: it says what root must prove and is set";
    assert_eq!(reserved(changed(&plain("prod"), &lax, &nothing)), format!("{message}{WHOM}"));
    for subresource in ["status", "finalize"] {
        let mut review = review(Some(&plain("prod")), Some(&lax));
        review["request"]["subResource"] = json!(subresource);
        assert_eq!(reserved(judged(&review, &nothing)), format!("{message}{WHOM}"));
    }
}

#[test]
fn an_identity_that_can_be_nobodys_is_refused_to_everybody() {
    let nothing = cluster(&[]);
    for (identity, why) in [
        ("system:admin", "`system:admin` is an identity of Kubernetes itself, which nobody can claim"),
        ("arn:k8s:iam::a:root", "`arn:k8s:iam::a:root` begins with `arn:k8s:`, which is reserved"),
        ("", "the empty name is nobody"),
    ] {
        let bad = namespace("prod", json!({}), json!({"kube-iam.dev/root-identity": identity}));
        let message = format!("metadata.annotations[\"kube-iam.dev/root-identity\"]: {why}");
        assert_eq!(created(&bad, &nothing), refused(&message));
        assert_eq!(changed(&bad, &with(&bad, "/metadata/labels", json!({"team": "x"})), &nothing), admitted());
    }
}

#[test]
fn what_a_root_annotation_does_not_do_is_warned_of() {
    let held = cluster(&[user("prod", "ann", json!({"identities": [{"kind": "User", "name": "ann@x"}]}))]);
    let warnings = |new: &Value| match created(new, &held) {
        Verdict::Reserved(reserved) => reserved.warnings,
        other => panic!("{other:?}"),
    };
    let management = namespace("kube-iam-system", json!({}), json!({"kube-iam.dev/root-identity": "system:admin"}));
    let message = "metadata.annotations[\"kube-iam.dev/root-identity\"]: ignored in the management account, whose root is \
                   named by `--management-root`";
    assert_eq!(warnings(&management), [message]);
    let claimed =
        namespace("prod", json!({}), json!({"kube-iam.dev/root-identity": "ann@x", "kube-iam.dev/root-mfa": "off"}));
    let expected = [
        "metadata.annotations[\"kube-iam.dev/root-identity\"]: `ann@x` is claimed by IamUser prod/ann, which grants nothing \
         from now on",
        "metadata.annotations[\"kube-iam.dev/root-mfa\"]: `off` is not `optional`, so root must prove MFA",
    ];
    assert_eq!(warnings(&claimed), expected);
}

#[test]
fn a_label_that_a_guardrail_selects_by_is_reserved_and_others_are_free() {
    let held = cluster(&[
        guardrail("no-exec", json!({"matchLabels": {"env": "prod"}})),
        guardrail("tiers", json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["free"]}]})),
        // One that has no effect.
        with(&guardrail("stray", json!({"matchLabels": {"colour": "red"}})), "/metadata/namespace", json!("a")),
    ]);
    let labelled = |labels: Value| namespace("prod", labels, json!({}));
    let message = format!("metadata.labels.env: guardrail `no-exec` selects accounts by it{WHOM}");
    assert_eq!(reserved(changed(&plain("prod"), &labelled(json!({"env": "prod"})), &held)), message);
    assert_eq!(reserved(changed(&labelled(json!({"env": "prod"})), &plain("prod"), &held)), message);
    assert_eq!(reserved(changed(&labelled(json!({"env": "prod"})), &labelled(json!({"env": "dev"})), &held)), message);
    let message = format!("metadata.labels.tier: guardrail `tiers` selects accounts by it{WHOM}");
    assert_eq!(reserved(changed(&plain("prod"), &labelled(json!({"tier": "gold"})), &held)), message);
    assert_eq!(changed(&plain("prod"), &labelled(json!({"colour": "red", "team": "x"})), &held), admitted());
    let same = json!({"env": "prod", "team": "x"});
    assert_eq!(changed(&labelled(json!({"env": "prod"})), &labelled(same), &held), admitted());
}

#[test]
fn a_creation_that_a_guardrail_does_not_reach_is_reserved() {
    let held = cluster(&[guardrail("no-exec", json!({"matchLabels": {"env": "prod"}}))]);
    let message = format!(
        "metadata.labels: guardrail `no-exec` selects accounts by label and does not reach one with these labels{WHOM}"
    );
    assert_eq!(reserved(created(&plain("prod"), &held)), message);
    let set = format!("metadata.labels.env: guardrail `no-exec` selects accounts by it{WHOM}");
    assert_eq!(reserved(created(&namespace("prod", json!({"env": "prod"}), json!({})), &held)), set);
    assert_eq!(changed(&plain("prod"), &plain("prod"), &held), admitted());
}

#[test]
fn a_creation_that_every_guardrail_reaches_is_free() {
    let opt_out = json!({"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]});
    let by_name =
        with(&guardrail("named", json!({"matchLabels": {"env": "prod"}})), "/spec/targets/accounts", json!(["prod"]));
    let derived = guardrail("derived", json!({"matchLabels": {"kubernetes.io/metadata.name": "prod"}}));
    let held = cluster(&[guardrail("opt-out", opt_out), by_name, derived]);
    assert_eq!(created(&plain("prod"), &held), admitted());
    let escaping = reserved(created(&namespace("prod", json!({"env": "dev"}), json!({})), &held));
    assert!(escaping.contains("guardrail `opt-out` selects accounts by label and does not reach"), "{escaping}");
    let other = reserved(created(&plain("other"), &held));
    let message = "metadata.labels: guardrails `derived`, `named` select accounts by label and do not reach one with these labels";
    assert!(other.starts_with(message), "{other}");
    assert_eq!(created(&plain("other"), &cluster(&[])), admitted());
}
