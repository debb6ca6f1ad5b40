//! What is asked and what is answered.

use kube_iam::server::{ClientAuth, Limits};

use crate::client::{Client, http2, http2_post};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_go_over_one_http1_connection() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    for round in 0..50 {
        let answer = client.post("/authorize", &"x".repeat(round)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, format!("default:{round}").as_str()));
        assert_eq!(answer.headers["x-kube-iam-revision"], "7");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_names_the_api_server_and_its_query_is_ignored() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    assert_eq!(client.post("/authorize/east-1", "").await.body, "east-1:0");
    assert_eq!(client.post("/authorize?timeout=30s", "").await.body, "default:0");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_go_side_by_side_over_one_http2_connection() {
    let site = Site::start().await;
    let http2 = http2(&site).await;
    let requests = (0..500).map(|length| {
        let http2 = http2.clone();
        tokio::spawn(async move { http2_post(&http2, "/authorize/b", "x".repeat(length)).await.unwrap() })
    });
    let requests: Vec<_> = requests.collect();
    for (length, request) in requests.into_iter().enumerate() {
        let answer = request.await.unwrap();
        assert_eq!((answer.status, answer.body), (200, format!("b:{length}")));
        assert_eq!(answer.headers["x-kube-iam-revision"], "7");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_of_ours_is_400_in_one_shape() {
    let site = Site::start().await;
    let json = "Content-Type: application/json\r\n";
    let cases = [
        ("UnknownPath", format!("POST / HTTP/1.1\r\nHost: x\r\n{json}Content-Length: 2\r\n\r\n{{}}")),
        ("UnknownPath", format!("POST /admit2 HTTP/1.1\r\nHost: x\r\n{json}Content-Length: 0\r\n\r\n")),
        ("UnknownPath", "GET /authorised HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("BadApiServerName", format!("POST /authorize/a%2fb HTTP/1.1\r\nHost: x\r\n{json}Content-Length: 0\r\n\r\n")),
        ("WrongMethod", "GET /authorize HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("WrongMethod", format!("PUT /authorize HTTP/1.1\r\nHost: x\r\n{json}Content-Length: 2\r\n\r\n{{}}")),
        ("WrongContentType", "POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}".to_owned()),
        (
            "WrongContentType",
            "POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Type: text/json\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        ),
        (
            "EncodedBody",
            format!(
                "POST /authorize HTTP/1.1\r\nHost: x\r\n{json}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{{}}"
            ),
        ),
        (
            "UnreadableBody",
            format!("POST /authorize HTTP/1.1\r\nHost: x\r\n{json}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ),
        ("MalformedHttp", "nonsense\r\n\r\n".to_owned()),
        ("MalformedHttp", "POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned()),
        ("MalformedHttp", format!("POST /authorize HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(40_000))),
        ("MalformedHttp", format!("POST /authorize HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(500_000))),
        ("MalformedHttp", format!("POST /{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(70_000))),
        ("MalformedHttp", format!("POST /authorize HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(1_000))),
    ];
    for (code, request) in cases {
        let mut client = Client::connect(&site).await;
        // The listener may have answered and gone before the end of what it does not read.
        let _ = client.send(&request).await;
        let start: String = request.chars().take(80).collect();
        let answer = client.answer().await.unwrap_or_else(|error| panic!("{error} for {start}"));
        assert_eq!(answer.status, 400, "{answer:?} for {start}");
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["error"]["code"], code, "{start}");
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert_eq!(answer.headers.get("x-kube-iam-revision"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_leaves_the_connection_usable() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    assert_eq!(client.post("/nothing", "small").await.status, 400);
    assert_eq!(client.post("/authorize", "small").await.status, 200);
    let http2 = http2(&site).await;
    assert_eq!(http2_post(&http2, "/nothing", "small").await.unwrap().status, 400);
    assert_eq!(http2_post(&http2, "/authorize", vec![b'x'; 5 << 20]).await.unwrap().status, 413);
    assert_eq!(http2_post(&http2, "/authorize", "small").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_echoed_or_made() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    let with = |id: &str| {
        format!(
            "POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-ID: {id}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    };
    client.send(with("abc-1.2")).await.unwrap();
    assert_eq!(client.answer().await.unwrap().headers["x-request-id"], "abc-1.2");
    let mut made = std::collections::HashSet::new();
    for id in ["a b", &"a".repeat(200), "é", ""] {
        client.send(with(id)).await.unwrap();
        let answer = client.answer().await.unwrap();
        assert_ne!(answer.headers["x-request-id"], id);
        assert!(made.insert(answer.headers["x-request-id"].clone()));
    }
    let refused = client.post("/nothing", "").await;
    assert!(made.insert(refused.headers["x-request-id"].clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statuses_of_a_decision_are_sent_as_they_are() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    let answer = client.post("/authorize", "not ready").await;
    assert_eq!((answer.status, answer.headers.get("x-kube-iam-revision")), (503, None));
    assert_eq!(answer.body, r#"{"error":{"code":"NotReady","message":"no snapshot yet"}}"#);
    let answer = client.post("/authorize", "malformed").await;
    assert_eq!((answer.status, answer.headers["x-kube-iam-revision"].as_str()), (400, "7"));
    assert_eq!(answer.body, r#"{"error":{"code":"MalformedReview","message":"no review"}}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_one_request() {
    let site = Site::start().await;
    let mut client = Client::connect(&site).await;
    let answer = client.post("/authorize", "panic").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "panicked"));
    assert_eq!(client.post("/authorize", "panic twice").await.status, 503);
    assert_eq!(client.post("/authorize", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_authorize_is_403_where_the_handshake_lets_it_in() {
    let site = Site::with(Limits::default(), ClientAuth::PerPath).await;
    let mut client = Client::with(&site, None).await.unwrap();
    // The body never comes: the answer does not wait for it.
    client
        .send("POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
        .await
        .unwrap();
    let answer = client.answer().await.unwrap();
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("NoClientCertificate"), "{answer:?}");
    assert_eq!(Client::connect(&site).await.post("/authorize", "").await.status, 200);
}
