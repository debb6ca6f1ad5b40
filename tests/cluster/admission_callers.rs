//! Who may call `/admit-iam`, what it says then, and what happens without it.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::deadline::wait_until;
use crate::control_plane::folder::Folder;
use crate::guarded::{GUARDED, Guarded, Setup, allow, iam};
use crate::https::Client;

fn review(object: &Value, plural: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "6f1c", "operation": "CREATE", "name": object["metadata"]["name"],
            "namespace": object["metadata"]["namespace"],
            "kind": {"group": "kube-iam.dev", "version": "v1alpha1", "kind": object["kind"]},
            "resource": {"group": "kube-iam.dev", "version": "v1alpha1", "resource": plural},
            "userInfo": {"username": "ann", "groups": ["system:authenticated"]}, "object": object, "oldObject": null,
        },
    })
}

#[test]
fn with_client_certificates_required_nobody_else_gets_an_answer() {
    let site = GUARDED.get();
    let body = review(&iam("IamGroup", "default", "g", json!({})), "iamgroups").to_string();
    let answer = Client::of_webhook(&site.kube_iam).post("/admit-iam", body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let anonymous = Client::of_webhook_with(&site.kube_iam, None);
    assert!(anonymous.post("/admit-iam", body.as_bytes()).is_err());
}

#[test]
fn without_them_admission_answers_everybody_and_authorization_nobody() {
    let site = Guarded::try_start(Setup::InFront).unwrap();
    let body = review(&iam("IamGroup", "default", "g", json!({"nonsense": 1})), "iamgroups").to_string();
    let anonymous = Client::of_webhook_with(&site.kube_iam, None);
    let answer = anonymous.post("/admit-iam", body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("unknown key `nonsense`"), "{}", answer.body);
    let refused = anonymous.post("/authorize", b"{}").unwrap();
    assert_eq!(refused.status, 403);
    // Unreadable reviews and unknown paths are told from refusals.
    assert_eq!(anonymous.post("/admit-iam", b"{}").unwrap().status, 400);
    assert_eq!(anonymous.post("/admit", body.as_bytes()).unwrap().status, 400);
    assert_fails_closed(site);
}

/// Without kube-iam nothing of what it guards changes, and everything else goes on.
fn assert_fails_closed(mut site: Guarded) {
    site.tenant("closed");
    let good = iam("IamPolicy", "closed", "p", json!({"statements": allow()}));
    site.kube_iam.kill();
    let stderr = site.send(site.admin(), &["create"], std::slice::from_ref(&good)).failed();
    assert!(stderr.contains("failed calling webhook \"objects.kube-iam.dev\""), "{stderr}");
    let stderr = site.kubectl(site.admin(), ["label", "namespace", "closed", "a=b"]).failed();
    assert!(stderr.contains("failed calling webhook \"accounts.kube-iam.dev\""), "{stderr}");
    site.by_admin(["annotate", "namespace", "closed", "example.org/a=b"]);
    site.by_admin(["create", "configmap", "x", "-n", "closed"]);
    site.kube_iam.start_again();
    let admin = site.admin();
    wait_until(Duration::from_secs(30), || site.send(admin, &["create"], std::slice::from_ref(&good)).status.success());
}

#[test]
fn review_prints_what_the_webhook_sends_byte_for_byte() {
    let site = GUARDED.get();
    site.tenant("review");
    let held = [
        iam("IamPolicy", "review", "read", json!({"statements": allow()})),
        iam("IamGroup", "review", "devs", json!({"policies": ["read"]})),
    ];
    site.hold(&held);
    let folder = Folder::new("review").unwrap();
    for object in &held {
        let name = format!("{}.json", object["kind"].as_str().unwrap());
        folder.write(&format!("world-{name}"), &object.to_string()).unwrap();
    }
    let webhook = Client::of_webhook(&site.kube_iam);
    let user = |spec: Value| review(&iam("IamUser", "review", "u", spec), "iamusers");
    let mut deletion = review(&held[0], "iampolicies");
    deletion["request"]["operation"] = json!("DELETE");
    deletion["request"]["oldObject"] = deletion["request"]["object"].take();
    let mut finalized = user(json!({}));
    finalized["request"]["object"]["metadata"]["finalizers"] = json!(["kube-iam.dev/in-use"]);
    by_whom(site, &finalized);
    for review in [
        user(json!({"groups": ["devs"], "policies": ["read"]})),
        user(json!({"groups": ["none"]})),
        user(json!({"group": ["none"]})),
        deletion,
        finalized,
    ] {
        let sent = webhook.post("/admit-iam", review.to_string().as_bytes()).unwrap();
        assert_eq!(sent.status, 200);
        let file = folder.write("review.json", &review.to_string()).unwrap();
        let world: Vec<String> = held
            .iter()
            .flat_map(|object| {
                let name = format!("world-{}.json", object["kind"].as_str().unwrap());
                ["-f".to_owned(), folder.path().join(name).display().to_string()]
            })
            .collect();
        let cluster = ["--kubeconfig".to_owned(), site.admin().path().display().to_string()];
        for world in [&world[..], &cluster] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_kube-iam"));
            let output = command.arg("review").arg(&file).args(world).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(String::from_utf8(output.stdout).unwrap(), sent.body, "{world:?}: {review}");
        }
    }
}

/// Beside a cluster it is asked who may escalate, as the webhook asks.
fn by_whom(site: &Guarded, review: &Value) {
    site.cluster_admin("review-chief", None);
    let folder = Folder::new("review").unwrap();
    for (user, allowed) in [("review-chief", true), ("ann", false)] {
        let mut review = review.clone();
        review["request"]["userInfo"] = json!({"username": user});
        let file = folder.write("review.json", &review.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kube-iam"));
        let output = command.arg("review").arg(file).arg("--kubeconfig").arg(site.admin().path()).output().unwrap();
        let sent = Client::of_webhook(&site.kube_iam).post("/admit-iam", review.to_string().as_bytes()).unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), sent.body);
        assert_eq!(serde_json::from_str::<Value>(&sent.body).unwrap()["response"]["allowed"], allowed, "{user}");
        let note = String::from_utf8(output.stderr).unwrap();
        assert_eq!(note.contains("note: it goes on if `ann` is kube-iam itself"), !allowed, "{note}");
    }
}
