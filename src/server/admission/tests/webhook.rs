//! The webhook itself: when it answers, and whom it asks about a reserved change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::name::{Mode, Revision};
use crate::server::admission::AdmissionWebhook;
use crate::server::{Admit, Reply, ReplyStatus};
use crate::snapshot::Snapshot;
use crate::store::{InForce, Publisher, Vector, channel};
use crate::telemetry::Metrics;
use crate::world;

/// A webhook whose API server is at this address.
struct Site {
    webhook: AdmissionWebhook,
    metrics: Arc<Metrics>,
    publisher: Publisher<InForce>,
}

impl Site {
    fn new(api_server: &str, objects: &[Value]) -> Self {
        let metrics = Arc::new(Metrics::new());
        let (publisher, in_force) = channel();
        let config = kube::Config::new(format!("http://{api_server}").parse().unwrap());
        let client = kube::Client::try_from(config).unwrap();
        let installers = vec!["installer".to_owned()];
        let webhook =
            AdmissionWebhook::new(cluster(objects), in_force, client, installers, Mode::Shadow, Arc::clone(&metrics));
        Self { webhook, metrics, publisher }
    }

    fn publish(&mut self) {
        let world = Arc::new(world::build(&Input::default()));
        let snapshot = Arc::new(Snapshot::compile(&world, Revision(7)));
        self.publisher.publish(Arc::new(InForce { snapshot, world, vector: Vector::default() }));
    }

    async fn asked(&self, review: &Value) -> Reply {
        self.webhook.admit(review.to_string().as_bytes()).await
    }

    fn counted(&self, line: &str) -> bool {
        self.metrics.expose().lines().any(|found| found == line)
    }
}

fn response(reply: &Reply) -> Value {
    assert_eq!(reply.status, ReplyStatus::Ok, "{}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice::<Value>(&reply.body).unwrap()["response"].clone()
}

/// A reserved change, by somebody.
fn finalized(user: &str) -> Value {
    let group = object("IamGroup", "a", "devs", json!({}));
    let mut review = review(None, Some(&with(&group, "/metadata/finalizers", json!(["kube-iam.dev/in-use"]))));
    review["request"]["userInfo"] = json!({"username": user});
    review
}

fn management(annotations: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-iam-system", "annotations": annotations}})
}

#[tokio::test]
async fn nothing_is_judged_before_everything_has_been_listed() {
    let mut site = Site::new("127.0.0.1:1", &[]);
    let good = review(None, Some(&user("a", "u", json!({}))));
    let reply = site.asked(&good).await;
    assert_eq!((reply.status, reply.revision), (ReplyStatus::Unavailable, None));
    assert!(site.counted(r#"kube_iam_fail_closed_total{reason="not_ready"} 1"#));
    site.publish();
    let reply = site.asked(&good).await;
    assert_eq!((response(&reply)["allowed"].clone(), reply.revision), (json!(true), Some(Revision(7))));
    let reply = site.webhook.admit(b"{}").await;
    assert_eq!(reply.status, ReplyStatus::BadRequest);
    assert!(site.counted(r#"kube_iam_fail_closed_total{reason="malformed"} 1"#));
    let allowed = r#"kube_iam_decisions_total{surface="admit-iam",mode="Shadow",decision="Allow",layer="none"} 1"#;
    assert!(site.counted(allowed));
}

#[tokio::test]
async fn it_refuses_in_shadow_too() {
    let mut site = Site::new("127.0.0.1:1", &[]);
    site.publish();
    let reply = site.asked(&review(None, Some(&user("a", "u", json!({"group": []}))))).await;
    assert_eq!(response(&reply)["allowed"], false);
    let denied =
        r#"kube_iam_decisions_total{surface="admit-iam",mode="Shadow",decision="ExplicitDeny",layer="none"} 1"#;
    assert!(site.counted(denied));
}

#[tokio::test]
async fn an_api_server_that_cannot_be_asked_refuses() {
    let mut site = Site::new("127.0.0.1:1", &[]);
    site.publish();
    let answer = response(&site.asked(&finalized("ann")).await);
    assert_eq!(answer["allowed"], false);
    let message = answer["status"]["message"].as_str().unwrap();
    assert!(message.ends_with("; whether you have it cannot be found out now: ask again later"), "{message}");
    assert!(site.counted(r#"kube_iam_fail_closed_total{reason="unanswered"} 1"#));
}

#[tokio::test]
async fn an_api_server_that_says_nothing_is_not_waited_for_long() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut site = Site::new(&silent.local_addr().unwrap().to_string(), &[]);
    site.publish();
    let began = Instant::now();
    let answer = response(&site.asked(&finalized("ann")).await);
    assert_eq!(answer["allowed"], false);
    assert!((Duration::from_secs(2)..Duration::from_secs(5)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert!(site.counted(r#"kube_iam_fail_closed_total{reason="unanswered"} 1"#));
}

#[tokio::test]
async fn an_installer_and_an_active_management_root_are_not_asked_about() {
    let optional = management(json!({"kube-iam.dev/root-mfa": "optional"}));
    let mut site = Site::new("127.0.0.1:1", &[optional]);
    site.publish();
    for user in ["installer", "chief"] {
        assert_eq!(response(&site.asked(&finalized(user)).await)["allowed"], true, "{user}");
    }
    for user in ["Installer", "chief ", ""] {
        assert_eq!(response(&site.asked(&finalized(user)).await)["allowed"], false, "{user}");
    }
    // A root that must prove MFA is an ordinary caller until a session does.
    let mut site = Site::new("127.0.0.1:1", &[management(json!({}))]);
    site.publish();
    assert_eq!(response(&site.asked(&finalized("chief")).await)["allowed"], false);
}

#[tokio::test]
async fn a_judgement_that_broke_off_is_a_refusal_of_that_review() {
    let mut site = Site::new("127.0.0.1:1", &[]);
    site.publish();
    let good = review(None, Some(&user("a", "u", json!({})))).to_string();
    let answer = response(&site.webhook.admit_panicked(good.as_bytes()));
    assert_eq!((answer["uid"].clone(), answer["allowed"].clone()), (json!("0a1b"), json!(false)));
    assert_eq!(answer["status"]["message"], "the change could not be judged; the log of kube-iam says why");
    assert_eq!(site.webhook.admit_panicked(b"{").status, ReplyStatus::BadRequest);
    assert!(site.counted(r#"kube_iam_fail_closed_total{reason="panic"} 2"#));
}
