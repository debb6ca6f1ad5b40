//! One connection from its handshake to its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::activity::{Activity, Doing};
use super::admit::Admit;
use super::authorize::Authorize;
use super::exchange::{Exchange, Peer};
use super::lifecycle::{Lifecycle, stopped};
use super::limits::Limits;
use super::stream::{Protocol, Watched};
use super::tls::Tls;

/// How long a connection that was told to end may take when nothing runs on it.
const GOODBYE: Duration = Duration::from_secs(1);
/// How often an idle connection looks whether connections have become scarce.
const LOOK: Duration = Duration::from_secs(5);

/// What all connections share.
pub(super) struct Connections<A, M> {
    tls: Arc<Tls>,
    exchange: Arc<Exchange<A, M>>,
    limits: Limits,
    /// One permit for each connection that may still come.
    pub(super) free: Arc<Semaphore>,
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
}

/// What the supervisor of a connection does next.
enum Next {
    /// Look again at this moment.
    Look(Instant),
    /// Ask for an end.
    End,
    /// Drop it.
    Drop,
}

// === impl Connections ===

impl<A: Authorize, M: Admit> Connections<A, M> {
    pub(super) fn new(tls: Arc<Tls>, authorize: A, admit: M, limits: Limits) -> Self {
        let mut http1 = Builder::new(TokioExecutor::new()).http1_only();
        http1
            .http1()
            .timer(TokioTimer::new())
            // The time of a head is kept by `supervise`: hyper's own would end idle connections too.
            .header_read_timeout(None)
            .max_buf_size(limits.head_bytes.saturating_mul(2).max(8 << 10))
            .max_headers(256);
        let mut http2 = Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            // Far above `Limits::head_bytes`: what is between is answered by us, what is above by h2 with 431.
            .max_header_list_size(1 << 20)
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(256)
            .initial_stream_window_size(256 << 10)
            .initial_connection_window_size(1 << 20)
            .max_send_buf_size(256 << 10)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10));
        let exchange = Arc::new(Exchange::new(authorize, admit, &limits));
        Self { tls, exchange, limits, free: Arc::new(Semaphore::new(limits.connections)), http1, http2 }
    }

    /// Runs a connection to its end. It ends soon after `lifecycle` says so.
    pub(super) async fn run(&self, tcp: TcpStream, mut lifecycle: watch::Receiver<Lifecycle>) {
        let acceptor = TlsAcceptor::from(self.tls.config());
        let handshake = tokio::select! {
            handshake = timeout(self.limits.handshake, acceptor.accept(tcp)) => handshake,
            () = stopped(&mut lifecycle) => return,
        };
        match handshake {
            Ok(Ok(stream)) => self.supervise(stream, lifecycle).await,
            Ok(Err(error)) => tracing::debug!(%error, "handshake failed"),
            Err(_) => tracing::debug!("handshake took too long"),
        }
    }

    async fn supervise(&self, stream: TlsStream<TcpStream>, mut lifecycle: watch::Receiver<Lifecycle>) {
        let session = stream.get_ref().1;
        let (protocol, builder) = match session.alpn_protocol() {
            Some(b"h2") => (Protocol::Http2, &self.http2),
            _ => (Protocol::Http1, &self.http1),
        };
        let peer = if session.peer_certificates().is_some() { Peer::Verified } else { Peer::Anonymous };
        let activity = Arc::new(Activity::new());
        let service = service_fn(|request| Arc::clone(&self.exchange).answer(peer, Arc::clone(&activity), request));
        let stream = TokioIo::new(Watched::new(stream, protocol, Arc::clone(&activity)));
        let mut connection = pin!(builder.serve_connection(stream, service));

        let mut ending: Option<Instant> = None;
        let mut look = Instant::now() + LOOK.min(self.limits.head);
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                () = stopped(&mut lifecycle), if ending.is_none() => {
                    ending = Some(Instant::now());
                    connection.as_mut().graceful_shutdown();
                    look = Instant::now();
                }
                () = sleep_until(look) => {
                    match self.next(&activity, ending) {
                        Next::Look(at) => look = at,
                        Next::Drop => return,
                        Next::End => {
                            ending = Some(Instant::now());
                            connection.as_mut().graceful_shutdown();
                            look = Instant::now();
                        }
                    }
                }
            }
        }
    }

    fn next(&self, activity: &Activity, ending: Option<Instant>) -> Next {
        let now = Instant::now();
        let soon = now + LOOK.min(self.limits.head);
        let doing = activity.doing();
        let (deadline, after) = match (doing, ending) {
            (Doing::Answering, None) => return Next::Look(soon),
            (Doing::Answering, Some(since)) => (since + self.limits.grace, Next::Drop),
            (Doing::ReadingHead(since), None) => (since + self.limits.head, Next::Drop),
            (Doing::Idle(since), None) => (since + self.idle(), Next::End),
            (Doing::ReadingHead(idle) | Doing::Idle(idle), Some(since)) => (since.max(idle) + GOODBYE, Next::Drop),
        };
        let deadline = ending.map_or(deadline, |since| deadline.min(since + self.limits.grace));
        if now >= deadline { after } else { Next::Look(deadline.min(soon)) }
    }

    /// How long a connection may do nothing: less when others may be waiting for its place.
    fn idle(&self) -> Duration {
        let scarce = self.free.available_permits() < self.limits.connections / 5;
        if scarce { self.limits.idle.min(self.limits.head) } else { self.limits.idle }
    }
}
