//! Health, readiness and metrics over plain HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube_iam::server::{Condition, Lifecycle, Readiness, keep_fresh, serve_health};
use kube_iam::telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::site::{DEADLINE, Site};

async fn get(address: SocketAddr, path: &str) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(DEADLINE, tcp.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

async fn start(readiness: &Readiness, metrics: &Arc<Metrics>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_health(listener, readiness.clone(), Arc::clone(metrics)));
    address
}

#[tokio::test]
async fn readiness_says_why_not() {
    let readiness = Readiness::new();
    let address = start(&readiness, &Arc::default()).await;
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("not ready: no snapshot yet\n"), "{answer}");
    readiness.clear(Condition::Snapshot);
    timeout(DEADLINE, readiness.ready()).await.unwrap();
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
    readiness.block(Condition::Running, "shutting down");
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503 "));
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));
    assert!(get(address, "/other").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn metrics_are_openmetrics_text() {
    let metrics = Arc::new(Metrics::new());
    metrics.root_activity();
    let address = start(&Readiness::new(), &metrics).await;
    let answer = get(address, "/metrics").await;
    assert!(
        answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{answer}"
    );
    assert!(answer.contains("\nkube_iam_root_activity_total 1\n"), "{answer}");
    assert!(answer.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_certificate_is_watched() {
    let site = Site::start().await;
    let (readiness, metrics) = (Readiness::new(), Arc::new(Metrics::new()));
    readiness.clear(Condition::Snapshot);
    readiness.block(Condition::Certificate, "not looked at yet");
    let (_lifecycle, states) = watch::channel(Lifecycle::Serving);
    let every = Duration::from_millis(10);
    tokio::spawn(keep_fresh(Arc::clone(&site.tls), every, readiness.clone(), Arc::clone(&metrics), states));
    timeout(DEADLINE, readiness.ready()).await.unwrap();
    let text = metrics.expose();
    let line = text.lines().find_map(|line| line.strip_prefix("kube_iam_certificate_expiry_seconds ")).unwrap();
    let left: i64 = line.parse().unwrap();
    assert!((86_000..=86_400).contains(&left), "{left}");
}
