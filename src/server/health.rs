//! `/healthz`, `/readyz` and `/metrics` over plain HTTP, on an address of their own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::readiness::Readiness;
use crate::telemetry::{Metrics, OPENMETRICS_CONTENT_TYPE};

const CONNECTIONS: usize = 64;
/// The longest life of a connection: it carries one request.
const LIFE: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(5);
const REST: Duration = Duration::from_millis(50);

/// Answers health checks and scrapes; ends when it is dropped.
///
/// `/healthz`: 200 while the process runs. `/readyz`: 200 when [`Readiness`] has nothing open, else 503 with the reasons,
/// one a line. `/metrics`: OpenMetrics text. Anything else: 404; other methods than GET and HEAD: 405.
pub async fn serve_health(listener: TcpListener, readiness: Readiness, metrics: Arc<Metrics>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        let tcp = match listener.accept().await {
            Ok((tcp, _)) => tcp,
            Err(error) => {
                tracing::warn!(%error, "cannot accept health checks; trying again");
                sleep(REST).await;
                continue;
            }
        };
        let (readiness, metrics) = (readiness.clone(), Arc::clone(&metrics));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&request, &readiness, &metrics);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .keep_alive(false)
                .max_buf_size(16 << 10)
                .serve_connection(TokioIo::new(tcp), service);
            let _ = timeout(LIFE, connection).await;
            drop(permit);
        });
    }
}

fn answer(request: &Request<Incoming>, readiness: &Readiness, metrics: &Metrics) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET is answered here\n".into());
    }
    match request.uri().path() {
        "/healthz" => response(StatusCode::OK, TEXT, "ok\n".into()),
        "/readyz" => match readiness.reason() {
            None => response(StatusCode::OK, TEXT, "ready\n".into()),
            Some(reason) => response(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {reason}\n")),
        },
        "/metrics" => response(StatusCode::OK, OPENMETRICS_CONTENT_TYPE, metrics.expose()),
        _ => response(StatusCode::NOT_FOUND, TEXT, "there is nothing at this path\n".into()),
    }
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
