//! What a caller cannot make us hold or wait for (`guarantees.md` F27, F28, F36).

use std::process::Command;
use std::time::{Duration, Instant};

use kube_iam::server::{ClientAuth, Limits};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{Client, post, tls_config};
use crate::site::{DEADLINE, Site};

const HEAD: &str = "POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
const SHORT: Duration = Duration::from_millis(300);

async fn with(limits: Limits) -> Site {
    Site::with(limits, ClientAuth::Required).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_4_mib_is_413_however_it_is_sent() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    client.send(format!("{HEAD}Content-Length: {}\r\n\r\n", (4 << 20) + 1)).await.unwrap();
    assert_eq!(client.answer().await.unwrap().status, 413);

    let mut client = Client::connect(&site).await;
    client.send(format!("{HEAD}Content-Length: {}\r\n\r\n", 64 << 20)).await.unwrap();
    let chunk = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while sent < 64 && client.send(&chunk).await.is_ok() {
        sent += 1;
    }
    assert_eq!(client.answer().await.unwrap().status, 413);

    let mut client = Client::connect(&site).await;
    client.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n")).await.unwrap();
    let mut chunk = b"100000\r\n".to_vec();
    chunk.extend(vec![b'x'; 1 << 20]);
    chunk.extend(b"\r\n");
    let mut sent = 0;
    while sent < 6 && client.send(&chunk).await.is_ok() {
        sent += 1;
    }
    assert_eq!(client.answer().await.unwrap().status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_4_mib_is_read() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    let answer = client.post("/authorize", &"x".repeat(4 << 20)).await;
    assert_eq!((answer.status, answer.body), (200, format!("default:{}", 4 << 20)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_trickles_ends_the_connection() {
    let site = with(Limits { head: SHORT, ..Limits::default() }).await;
    let mut client = Client::connect(&site).await;
    let started = Instant::now();
    client.send("POST /authorize HTTP/1.1\r\n").await.unwrap();
    while client.send("X: y\r\n").await.is_ok() {
        assert!(started.elapsed() < DEADLINE, "still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.ended().await;
    assert!(started.elapsed() >= SHORT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_refused() {
    let site = with(Limits { body: SHORT, ..Limits::default() }).await;
    let mut client = Client::connect(&site).await;
    let started = Instant::now();
    client.send(format!("{HEAD}Content-Length: 1000\r\n\r\nx")).await.unwrap();
    let answer = client.answer().await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("SlowBody"), "{answer:?}");
    assert!(started.elapsed() >= SHORT);
    client.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_come_ends_the_connection() {
    let site = with(Limits { handshake: SHORT, ..Limits::default() }).await;
    let mut tcp = TcpStream::connect(site.address).await.unwrap();
    let read = timeout(DEADLINE, tcp.read(&mut [0; 1])).await.expect("still open");
    assert!(matches!(read, Ok(0) | Err(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_ends_and_one_in_use_does_not() {
    let patience = Duration::from_secs(1);
    let site = with(Limits { idle: patience, ..Limits::default() }).await;
    let mut idle = Client::connect(&site).await;
    let mut used = Client::connect(&site).await;
    let started = Instant::now();
    assert_eq!(idle.post("/authorize", "").await.status, 200);
    tokio::select! {
        () = idle.ended() => {}
        () = async { loop { assert_eq!(used.post("/authorize", "").await.status, 200); } } => {}
    }
    assert!(started.elapsed() >= patience);
    assert_eq!(used.post("/authorize", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_hundred_silent_connections_keep_nobody_waiting() {
    let site = Site::start().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(site.address).await.unwrap());
    }
    for _ in 0..30 {
        let mut client = Client::connect(&site).await;
        client.send("POST /auth").await.unwrap();
        let mut good = Client::connect(&site).await;
        assert_eq!(good.post("/authorize", "").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_places_are_taken_the_silent_make_room() {
    let limits = Limits { connections: 4, handshake: SHORT, head: SHORT, ..Limits::default() };
    let site = with(limits).await;
    let mut silent = Vec::new();
    for _ in 0..2 {
        silent.push(Client::connect(&site).await);
    }
    let mut unspoken = Vec::new();
    for _ in 0..20 {
        unspoken.push(TcpStream::connect(site.address).await.unwrap());
    }
    let mut idle = Client::connect(&site).await;
    assert_eq!(idle.post("/authorize", "").await.status, 200);
}

/// Runs in a process of its own, with few file descriptors: see the test below.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `out_of_file_descriptors_the_listener_goes_on` in a process with few file descriptors"]
async fn with_few_file_descriptors() {
    let site = with(Limits { handshake: SHORT, ..Limits::default() }).await;
    let config = tls_config(&site, Some(&site.client_pair()), &["http/1.1"]);
    let mut silent = Vec::new();
    while let Ok(tcp) = TcpStream::connect(site.address).await {
        silent.push(tcp);
        assert!(silent.len() < 1_000, "there are plenty of file descriptors");
    }
    // Clients and listener share the table: it is full now, and the listener has connections that it cannot accept.
    drop(silent);
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < DEADLINE, "no answer");
        if let Ok(mut client) = Client::with_config(&site, config.clone()).await
            && client.send(post("/authorize", "")).await.is_ok()
            && let Ok(answer) = client.answer().await
        {
            assert_eq!(answer.status, 200);
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn out_of_file_descriptors_the_listener_goes_on() {
    let test = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" --ignored --exact bounds::with_few_file_descriptors"])
        .arg(&test)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
