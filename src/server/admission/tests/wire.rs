//! Bytes in, bytes out.

use std::time::Duration;

use serde_json::json;

use super::super::answer_offline;
use super::*;

fn answered(review: &Value, cluster: &CatalogReader) -> (Value, Option<String>) {
    let offline = answer_offline(review.to_string().as_bytes(), cluster).unwrap();
    (serde_json::from_slice(&offline.body).unwrap(), offline.open)
}

#[test]
fn an_answer_carries_uid_code_reason_and_message_and_no_patch() {
    let nothing = cluster(&[]);
    let good = review(None, Some(&policy("a", "p", json!({"statements": allow()}))));
    let expected = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": "0a1b", "allowed": true},
    });
    assert_eq!(answered(&good, &nothing), (expected, None));
    let dangling = review(None, Some(&user("a", "u", json!({"groups": ["devs"]}))));
    let (answer, _) = answered(&dangling, &nothing);
    let warning = "spec.groups[0]: there is no IamGroup `devs` yet; it grants nothing until then";
    assert_eq!(answer["response"], json!({"uid": "0a1b", "allowed": true, "warnings": [warning]}));
    let bad = review(None, Some(&user("a", "u", json!({"group": []}))));
    let (answer, _) = answered(&bad, &nothing);
    let message = "spec.group: unknown key `group`; did you mean `groups`?";
    let status = json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": message});
    assert_eq!(answer["response"], json!({"uid": "0a1b", "allowed": false, "status": status}));
}

#[test]
fn offline_nobody_may_escalate_and_the_note_says_so() {
    let told = with(&user("a", "u", json!({})), "/status", json!({"arn": "x"}));
    let (answer, open) = answered(&review(None, Some(&told)), &cluster(&[]));
    assert_eq!(answer["response"]["allowed"], false);
    let note =
        "answered as to a caller without the verb `escalate`: whether `alice` has it, only an API server can say";
    assert_eq!(open.as_deref(), Some(note));
}

#[test]
fn what_is_no_review_is_told_apart() {
    let good = review(None, Some(&user("a", "u", json!({}))));
    let error = |review: &Value| decode(review.to_string().as_bytes()).unwrap_err().to_string();
    for (pointer, value, message) in [
        (
            "/kind",
            json!("Review"),
            "expected apiVersion `admission.k8s.io/v1` and kind `AdmissionReview`, found `admission.k8s.io/v1` and `Review`",
        ),
        (
            "/apiVersion",
            json!("admission.k8s.io/v1beta1"),
            "expected apiVersion `admission.k8s.io/v1` and kind `AdmissionReview`, found `admission.k8s.io/v1beta1` and `AdmissionReview`",
        ),
        ("/request", json!(null), "expected an object at `request`"),
        ("/request/uid", json!(""), "expected a text at `request.uid`"),
        ("/request/object", json!(null), "expected an object at `request.object`"),
        ("/request/operation", json!("UPDATE"), "expected an object at `request.oldObject`"),
        ("/request/operation", json!("DELETE"), "expected an object at `request.oldObject`"),
    ] {
        assert_eq!(error(&with(&good, pointer, value)), message);
    }
    for (pointer, value) in [
        ("/request/operation", json!("PATCH")),
        ("/request/resource", json!("iamusers")),
        ("/request/userInfo/groups", json!("x")),
        ("/request/object/metadata/labels", json!({"a": 1})),
        ("/request/object/metadata", json!("x")),
    ] {
        let text = error(&with(&good, pointer, value));
        assert!(text.starts_with("cannot read the review: ") && !text.contains('\n'), "{text}");
    }
    for text in ["", "{", "[]", "\u{feff}{}", "null", "{} {}"] {
        assert!(decode(text.as_bytes()).is_err(), "{text}");
    }
    assert!(decode(b"\xff").is_err());
}

#[test]
fn a_key_that_stands_twice_is_refused_where_it_is_read() {
    let good = review(None, Some(&user("a", "u", json!({"disabled": false})))).to_string();
    assert!(decode(good.as_bytes()).is_ok());
    for (once, twice) in [
        (r#""uid":"0a1b""#, r#""uid":"x","uid":"0a1b""#),
        (r#""username":"alice""#, r#""username":"alice","username":"admin""#),
        (r#""spec":{"#, r#""spec":{},"spec":{"#),
        (r#""namespace":"a"},"spec""#, r#""namespace":"a","annotations":{"k":"1","k":"2"}},"spec""#),
    ] {
        let bad = good.replacen(once, twice, 1);
        assert_ne!(bad, good, "{once}");
        assert!(decode(bad.as_bytes()).is_err(), "{twice}");
    }
    // In a spec the reader of the policy language says it.
    let bad = good.replacen(r#""disabled":false"#, r#""disabled":false,"disabled":true"#, 1);
    let verdict = judge(&decode(bad.as_bytes()).unwrap(), &cluster(&[]));
    assert_eq!(verdict, refused("spec.disabled: key `disabled` stands twice"));
}

#[test]
fn brackets_and_nulls_cost_nothing() {
    let began = std::time::Instant::now();
    let bomb =
        format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}"#, "[".repeat(4_000_000));
    assert!(decode(bomb.as_bytes()).is_err());
    let good = review(None, Some(&user("a", "u", json!({})))).to_string();
    let deep =
        good.replacen(r#""dryRun":false"#, &format!(r#""options":{}1{}"#, "[".repeat(100_000), "]".repeat(100_000)), 1);
    assert_ne!(deep, good);
    assert!(decode(deep.as_bytes()).is_ok());
    let nulls = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "CREATE", "resource": {"group": "kube-iam.dev", "resource": "iamusers"},
            "subResource": null, "name": null, "namespace": null, "oldObject": null,
            "userInfo": {"username": "a", "groups": null, "extra": null, "uid": null},
            "object": {"metadata": {"name": "u", "namespace": "a", "labels": null, "annotations": null, "finalizers": null,
                "ownerReferences": null, "deletionTimestamp": null, "managedFields": null}, "spec": {}, "status": null},
        },
    });
    assert_eq!(judged(&nulls, &cluster(&[])), admitted());
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn what_was_not_registered_for_is_refused() {
    let nothing = cluster(&[]);
    let good = review(None, Some(&user("a", "u", json!({}))));
    let message = |asked: &str| refused(&format!("`{asked}` is not judged here; the registration is wrong"));
    for (pointer, value, asked) in [
        ("/request/resource/resource", json!("pods"), "pods.kube-iam.dev/"),
        ("/request/resource/group", json!(""), "iamusers./"),
        ("/request/subResource", json!("scale"), "iamusers.kube-iam.dev/scale"),
    ] {
        assert_eq!(judged(&with(&good, pointer, value), &nothing), message(asked));
    }
    let connect = with(&good, "/request/operation", json!("CONNECT"));
    let message = "IamUser a/u can be created, changed and deleted; nothing else";
    assert_eq!(judged(&connect, &nothing), refused(message));
}

/// Time that this thread has computed: what else the machine does is not judged.
fn computed() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// 5 ms are the most that an answer may take, on what a large cluster holds.
#[test]
fn an_answer_takes_little_time() {
    let mut objects: Vec<Value> = (0..5_000)
        .flat_map(|index| {
            let name = format!("n{index}");
            [
                policy("a", &name, json!({"statements": allow()})),
                user("a", &name, json!({"identities": [{"kind": "User", "name": name}], "policies": [name]})),
            ]
        })
        .collect();
    objects.extend((0..20).map(|index| guardrail(&format!("g{index}"), json!({"matchLabels": {"env": "prod"}}))));
    let held = cluster(&objects);
    let statements: Vec<Value> = (0..64)
        .map(|index| json!({"sid": format!("A{index}"), "effect": "Allow", "actions": ["k8s:get"], "resources": ["arn:k8s:core::a:pods/*"]}))
        .collect();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}});
    let reviews = [
        review(None, Some(&policy("a", "new", json!({"statements": statements})))),
        review(
            None,
            Some(&user("a", "new", json!({"policies": (0..20).map(|i| format!("n{i}")).collect::<Vec<_>>()}))),
        ),
        review(Some(&policy("a", "n7", json!({}))), None),
        review(None, Some(&namespace)),
    ];
    for review in reviews {
        let body = review.to_string();
        let began = computed();
        (0..100).for_each(|_| drop(answer_offline(body.as_bytes(), &held).unwrap()));
        let each = computed().saturating_sub(began) / 100;
        assert!(each < Duration::from_millis(5), "{each:?} for {}", review["request"]["resource"]);
    }
}
