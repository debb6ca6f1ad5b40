//! The end of the listener: what runs finishes, what does not is cut off.

use std::time::{Duration, Instant};

use kube_iam::server::{ClientAuth, Lifecycle, Limits};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{Client, http2, http2_post};
use crate::site::{DEADLINE, Site};

const HALF: &str = "POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";

/// A request of which the listener has read the head: it says so with `100 Continue`.
async fn running(site: &Site) -> Client {
    let mut client = Client::connect(site).await;
    client.send(HALF).await.unwrap();
    client.continued().await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_request_finishes_and_idle_connections_end() {
    let site = Site::start().await;
    let mut idle = Client::connect(&site).await;
    assert_eq!(idle.post("/authorize", "").await.status, 200);
    let http2 = http2(&site).await;
    assert_eq!(http2_post(&http2, "/authorize", "").await.unwrap().status, 200);
    let mut running = running(&site).await;

    site.lifecycle.send_replace(Lifecycle::Stopping);
    idle.ended().await;
    assert!(!site.server.is_finished());
    running.send("body").await.unwrap();
    assert_eq!(running.answer().await.unwrap().status, 200);
    running.ended().await;
    timeout(DEADLINE, site.server).await.unwrap().unwrap();
    assert!(TcpStream::connect(site.address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_finish_is_cut_off() {
    let grace = Duration::from_millis(300);
    let site = Site::with(Limits { grace, head: grace, ..Limits::default() }, ClientAuth::Required).await;
    let mut running = running(&site).await;
    let started = Instant::now();
    site.lifecycle.send_replace(Lifecycle::Stopping);
    running.ended().await;
    assert!(started.elapsed() >= grace);
    timeout(DEADLINE, site.server).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_sender_stops_the_listener() {
    let Site { lifecycle, server, folder, .. } = Site::start().await;
    drop(lifecycle);
    timeout(DEADLINE, server).await.unwrap().unwrap();
    drop(folder);
}
