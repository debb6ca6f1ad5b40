//! What reaches the listener of the real program and is no question: refused, at once, and the next one is answered.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::control_plane::certificates::Authority;
use crate::control_plane::folder::Folder;
use crate::https::{Client, Pair};
use crate::kube_iam::{KubeIam, World};

const AT_ONCE: Duration = Duration::from_secs(5);

fn start(extra: &[&str]) -> (KubeIam, Folder) {
    let manifests = Folder::new("manifests").unwrap_or_else(|message| panic!("{message}"));
    let kube_iam = KubeIam::start(World::Folder(manifests.path().to_owned()), extra);
    (kube_iam, manifests)
}

#[track_caller]
fn assert_answers(kube_iam: &KubeIam) {
    let question = json!({"user": "ann", "resourceAttributes": {"verb": "get", "version": "v1", "resource": "pods"}});
    let verdict = Client::of_webhook(kube_iam).review(&question);
    assert!(!verdict.allowed && !verdict.denied, "{verdict:?}");
    assert!(verdict.reason.starts_with("ImplicitDeny: no policy allows k8s:get"), "{verdict:?}");
    for path in ["healthz", "readyz"] {
        assert_eq!(kube_iam.health(path).map(|answer| answer.status), Some(200), "{path}");
    }
}

#[test]
fn a_malformed_review_is_400_and_says_why() {
    let (kube_iam, _manifests) = start(&[]);
    let client = Client::of_webhook(&kube_iam);
    let review = |spec: Value| {
        let kind = "SubjectAccessReview";
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}).to_string()
    };
    let pods = json!({"verb": "get", "resource": "pods"});
    let cases = [
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "\u{feff}{}".to_owned(),
        json!({"apiVersion": "authorization.k8s.io/v2", "kind": "SubjectAccessReview", "spec": {}}).to_string(),
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "TokenReview", "spec": {}}).to_string(),
        review(json!({})),
        review(json!({"user": "ann"})),
        review(json!({"user": 1, "resourceAttributes": pods})),
        review(json!({"user": "ann", "groups": "dev", "resourceAttributes": pods})),
        review(
            json!({"user": "ann", "resourceAttributes": pods, "nonResourceAttributes": {"path": "/", "verb": "get"}}),
        ),
        review(json!({"user": "ann", "resourceAttributes": pods})) + "{}",
        review(json!({"user": "ann", "resourceAttributes": pods})).replacen("\"user\"", "\"user\":\"bob\",\"user\"", 1),
    ];
    for body in cases {
        let answer = client.post("/authorize", body.as_bytes()).unwrap();
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}: {answer}");
    }
    let invalid = client.post("/authorize", b"{\"spec\": {\"user\": \"\xff\"}}").unwrap();
    assert_eq!(invalid.status, 400, "{}", invalid.body);
    assert_answers(&kube_iam);
}

#[test]
fn a_body_that_is_too_large_or_too_deep_is_refused_at_once() {
    let (kube_iam, _manifests) = start(&[]);
    let client = Client::of_webhook(&kube_iam);
    let brackets = "[".repeat(1_000_000);
    let braces = r#"{"a":"#.repeat(500_000);
    let hidden =
        format!(r#"{{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{{"x":{brackets}"#);
    let groups = format!(r#"{{"spec":{{"groups":[{}"#, "\"a\",".repeat(700_000));
    for (status, body) in [(413, "x".repeat(5 << 20)), (400, brackets), (400, braces), (400, hidden), (400, groups)] {
        let asked = Instant::now();
        let answer = client.post("/authorize", body.as_bytes()).unwrap();
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
        assert!(answer.body.len() < 1_000, "{}", answer.body);
    }
    assert_answers(&kube_iam);
}

#[test]
fn only_the_generated_client_certificate_opens_the_listener() {
    let (kube_iam, _manifests) = start(&[]);
    let stranger = Authority::new().and_then(|authority| authority.client("kube-apiserver", &["system:masters"]));
    let stranger = stranger.unwrap_or_else(|message| panic!("{message}"));
    let stranger = Pair { certificate: stranger.certificate_pem, key: stranger.key_pem };
    for pair in [None, Some(&stranger)] {
        let answer = Client::of_webhook_with(&kube_iam, pair).post("/authorize", b"{}");
        assert!(answer.is_err(), "{answer:?}");
    }
    assert_answers(&kube_iam);
}

#[test]
fn where_admission_needs_no_certificate_authorize_needs_one_all_the_same() {
    let (kube_iam, _manifests) = start(&["--admission-client-auth", "none"]);
    let answer = Client::of_webhook_with(&kube_iam, None).post("/authorize", b"{}");
    assert!(answer.as_ref().map_or(true, |answer| answer.status == 403), "{answer:?}");
    assert_answers(&kube_iam);
}
