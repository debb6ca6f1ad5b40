//! The bytes of one connection, watched on their way.
//!
//! Two things that hyper does not do are done here for HTTP/1.1. A head that hyper cannot read is answered by hyper
//! alone, with 400, 414 or 431 and an empty body: it leaves as a [`Rejection::MalformedHttp`]. And the end of a
//! connection whose last request was not read whole is delayed until the peer has seen the answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

use super::activity::{Activity, Doing};
use super::body::{LINGER, LINGER_BYTES};
use super::reject::Rejection;

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

pub(super) struct Watched {
    inner: TlsStream<TcpStream>,
    protocol: Protocol,
    activity: Arc<Activity>,
    linger: Linger,
}

/// The stages of an end.
enum Linger {
    NotBegun,
    Reading { until: Pin<Box<Sleep>>, bytes: usize },
    Done,
}

// === impl Watched ===

impl Watched {
    pub(super) fn new(inner: TlsStream<TcpStream>, protocol: Protocol, activity: Arc<Activity>) -> Self {
        Self { inner, protocol, activity, linger: Linger::NotBegun }
    }

    /// Whether `bytes` are an answer that hyper gives by itself: it begins one while a head is still being read.
    fn is_hypers_own(&self, bytes: &[u8]) -> bool {
        self.protocol == Protocol::Http1
            && matches!(self.activity.doing(), Doing::ReadingHead(_))
            && bytes.starts_with(b"HTTP/1.1 4")
            && !bytes.windows(14).any(|window| window.eq_ignore_ascii_case(b"\r\nx-request-id"))
    }

    /// Lets the rest of an unwanted request in and throws it away, encrypted as it is.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.linger {
                Linger::Done => return Poll::Ready(()),
                Linger::NotBegun if !self.activity.lingers() => self.linger = Linger::Done,
                Linger::NotBegun => self.linger = Linger::Reading { until: Box::pin(sleep(LINGER)), bytes: 0 },
                Linger::Reading { until, bytes } => {
                    let mut space = [0u8; 16 << 10];
                    let mut buffer = ReadBuf::new(&mut space);
                    let over = until.as_mut().poll(cx).is_ready() || *bytes > LINGER_BYTES;
                    let read = Pin::new(self.inner.get_mut().0).poll_read(cx, &mut buffer);
                    match read {
                        Poll::Pending if !over => return Poll::Pending,
                        Poll::Ready(Ok(())) if !over && !buffer.filled().is_empty() => {
                            *bytes = bytes.saturating_add(buffer.filled().len());
                        }
                        _ => self.linger = Linger::Done,
                    }
                }
            }
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        if self.protocol == Protocol::Http1 && buffer.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.is_hypers_own(bytes) {
            return Pin::new(&mut self.inner).poll_write(cx, bytes);
        }
        let answer = malformed_http();
        self.activity.leave_rest_unread();
        // A few hundred bytes go into the buffer of the TLS session whole; the connection ends after them anyway.
        ready!(Pin::new(&mut self.inner).poll_write(cx, &answer))?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.linger, Linger::NotBegun) {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
        }
        self.poll_linger(cx).map(Ok)
    }
}

fn malformed_http() -> Vec<u8> {
    let rejection = Rejection::MalformedHttp;
    let body = rejection.body();
    let mut answer = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        rejection.status(),
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}
