//! What belongs to kube-iam in and around every object.

use serde_json::json;

use super::*;

fn group() -> Value {
    object("IamGroup", "a", "devs", json!({}))
}

#[test]
fn the_finalizer_is_reserved_and_those_of_other_tools_are_free() {
    let nothing = cluster(&[]);
    let held = with(&group(), "/metadata/finalizers", json!(["kube-iam.dev/in-use", "argocd.argoproj.io/x"]));
    let other = with(&group(), "/metadata/finalizers", json!(["argocd.argoproj.io/x"]));
    let why = "; it keeps an object while others name it, and goes by itself when none does; only kube-iam, the management \
               root, installers and callers with the verb `escalate` on `iamgroups.kube-iam.dev/devs` in namespace `a` \
               change this";
    let set = format!("metadata.finalizers: `kube-iam.dev/in-use` is set{why}");
    let taken = format!(
        "metadata.finalizers: `kube-iam.dev/in-use` is taken away (by `kubectl replace`, too: use `kubectl apply`){why}"
    );
    assert_eq!(reserved(created(&held, &nothing)), set);
    assert_eq!(reserved(changed(&other, &held, &nothing)), set);
    assert_eq!(reserved(changed(&held, &other, &nothing)), taken);
    assert_eq!(changed(&group(), &other, &nothing), admitted());
    assert_eq!(changed(&other, &group(), &nothing), admitted());
    assert_eq!(created(&other, &nothing), admitted());
    assert_eq!(
        changed(&held, &with(&held, "/metadata/finalizers", json!(["kube-iam.dev/in-use"])), &nothing),
        admitted()
    );
}

#[test]
fn an_owner_is_reserved_and_its_removal_is_free() {
    let nothing = cluster(&[]);
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}]);
    let owned = with(&group(), "/metadata/ownerReferences", owner.clone());
    let message = "metadata.ownerReferences: `ConfigMap x` is made its owner; with an owner an object of IAM would be \
                   deleted, and its restrictions with it; only kube-iam,";
    assert!(reserved(created(&owned, &nothing)).starts_with(message));
    assert!(reserved(changed(&group(), &owned, &nothing)).starts_with(message));
    assert_eq!(changed(&owned, &group(), &nothing), admitted());
    assert_eq!(changed(&owned, &with(&owned, "/metadata/labels", json!({"x": "y"})), &nothing), admitted());
    let another = with(&owned, "/metadata/ownerReferences/0/uid", json!("2"));
    assert!(reserved(changed(&owned, &another, &nothing)).starts_with(message));
}

#[test]
fn the_status_is_reserved_by_every_way() {
    let nothing = cluster(&[]);
    let told = with(&group(), "/status", json!({"arn": "x"}));
    let message = "status: it is changed; kube-iam writes it; only kube-iam,";
    let mut review = review(Some(&group()), Some(&told));
    review["request"]["subResource"] = json!("status");
    assert!(reserved(judged(&review, &nothing)).starts_with(message));
    assert!(reserved(changed(&group(), &told, &nothing)).starts_with(message));
    assert!(reserved(changed(&told, &group(), &nothing)).starts_with(message));
    assert!(reserved(created(&told, &nothing)).starts_with(message));
    assert_eq!(changed(&told, &with(&told, "/spec/path", json!("/x/")), &nothing), admitted());
    // An invalid object gets its conditions all the same.
    let broken = object("IamGroup", "a", "devs", json!({"polices": []}));
    let mut review = super::review(Some(&broken), Some(&with(&broken, "/status", json!({"arn": "x"}))));
    review["request"]["subResource"] = json!("status");
    assert!(reserved(judged(&review, &nothing)).starts_with(message));
}

#[test]
fn what_nobody_may_do_comes_before_what_some_may() {
    let held = with(&group(), "/metadata/finalizers", json!(["kube-iam.dev/in-use"]));
    let new = with(&held, "/spec/polices", json!([]));
    let message = "spec.polices: unknown key `polices`; did you mean `policies`?";
    assert_eq!(created(&new, &cluster(&[])), refused(message));
}

#[test]
fn several_reserved_changes_are_listed() {
    let new =
        with(&with(&group(), "/metadata/finalizers", json!(["kube-iam.dev/in-use"])), "/status", json!({"arn": "x"}));
    let found = reserved(changed(&group(), &new, &cluster(&[])));
    assert!(found.starts_with("2 changes: (1) metadata.finalizers: ") && found.contains(" (2) status: "), "{found}");
}
