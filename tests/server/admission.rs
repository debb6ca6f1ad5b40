//! `/admit-iam`: the same listener, and who may call it.

use std::sync::Arc;

use kube_iam::name::Mode;
use kube_iam::server::{AdmissionWebhook, Admit, ClientAuth, Limits, ReplyStatus};
use kube_iam::telemetry::Metrics;

use crate::client::{Client, http2, http2_post, post};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn it_is_answered_beside_authorize_over_both_protocols() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    let answer = client.post("/admit-iam", "abc").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "admit-iam:3"));
    assert_eq!(answer.headers["x-kube-iam-revision"], "7");
    assert_eq!(client.post("/admit-iam?timeout=5s", "abc").await.status, 200);
    assert_eq!(client.post("/authorize", "abc").await.body, "default:3");
    let http2 = http2(&site).await;
    assert_eq!(http2_post(&http2, "/admit-iam", "abc").await.unwrap().body, "admit-iam:3");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_limits_and_statuses_of_the_listener() {
    let site = Site::with(Limits { body_bytes: 100, ..Limits::default() }, ClientAuth::Required).await;
    let mut client = Client::connect(&site).await;
    assert_eq!(client.post("/admit-iam", "malformed").await.status, 400);
    for path in ["/admit", "/admit-iam/", "/admit-iam/a"] {
        let answer = client.post(path, "").await;
        assert_eq!((answer.status, answer.body.contains("UnknownPath")), (400, true), "{path}");
    }
    client.send("GET /admit-iam HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(client.answer().await.unwrap().body.contains("WrongMethod"));
    assert_eq!(client.post("/admit-iam", &"x".repeat(101)).await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_one_review() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    let answer = client.post("/admit-iam", "panic").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "panicked"));
    assert_eq!(client.post("/admit-iam", "panic twice").await.status, 503);
    assert_eq!(client.post("/admit-iam", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_it_is_answered_only_where_none_is_asked_for() {
    let open = Site::with(Limits::default(), ClientAuth::PerPath).await;
    let mut client = Client::with(&open, None).await.unwrap();
    assert_eq!(client.post("/admit-iam", "abc").await.status, 200);
    assert_eq!(client.post("/authorize", "abc").await.status, 403);
    let closed = Site::start().await;
    // TLS 1.3 tells a client without a certificate at its first read.
    if let Ok(mut client) = Client::with(&closed, None).await {
        let sent = client.send(post("/admit-iam", "abc")).await;
        assert!(sent.is_err() || client.answer().await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_folder_nothing_is_admitted() {
    let metrics = Arc::new(Metrics::new());
    let webhook = AdmissionWebhook::without_cluster(Mode::Coexist, Arc::clone(&metrics));
    let reply = webhook.admit(b"{}").await;
    assert_eq!(reply.status, ReplyStatus::Unavailable);
    let body = String::from_utf8(reply.body).unwrap();
    let message = "nothing is admitted here: the world is read from a folder of manifests";
    assert_eq!(body, format!(r#"{{"error":{{"code":"NotReady","message":"{message}"}}}}"#));
    assert!(metrics.expose().contains(r#"kube_iam_fail_closed_total{reason="not_ready"} 1"#));
}
