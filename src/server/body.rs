//! Reads the body of a request whole, within its bounds; and the body of an answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep, sleep, timeout_at};

use super::reject::Rejection;

/// Bodies up to this size need no slot.
const SMALL_BYTES: usize = 64 << 10;

/// How long and how much of an unwanted rest is let in after an answer.
pub(super) const LINGER: Duration = Duration::from_secs(1);
pub(super) const LINGER_BYTES: usize = 64 << 20;

/// The bounds of bodies, and the slots for large ones.
#[derive(Debug)]
pub(super) struct BodyReader {
    max_bytes: usize,
    max_time: Duration,
    large: Semaphore,
}

/// A body, and its slot for as long as it is held.
pub(super) struct Held<'a> {
    pub(super) bytes: Vec<u8>,
    _slot: Option<SemaphorePermit<'a>>,
}

/// The body of an answer; over HTTP/2 it lets the rest of an unread request in before it ends.
///
/// A stream of HTTP/2 whose answer ends before its request is reset, and there are clients that throw the answer away
/// with the reset (curl 7.88). Status and bytes of the answer are sent at once; only its end waits.
pub(super) struct AnswerBody {
    bytes: Full<Bytes>,
    unread: Option<Unread>,
}

/// The rest of a request, on its way to nowhere.
struct Unread {
    body: Incoming,
    until: Pin<Box<Sleep>>,
    bytes: usize,
}

// === impl BodyReader ===

impl BodyReader {
    pub(super) fn new(max_bytes: usize, max_time: Duration, large_bodies: usize) -> Self {
        Self { max_bytes, max_time, large: Semaphore::new(large_bodies) }
    }

    /// Reads a body. A declared length above the limit is refused before the first byte, an undeclared one at the limit.
    pub(super) async fn read(&self, body: &mut Incoming) -> Result<Held<'_>, Rejection> {
        let declared = body.size_hint();
        if declared.lower() > u64::try_from(self.max_bytes).unwrap_or(u64::MAX) {
            return Err(Rejection::BodyTooLarge);
        }
        let deadline = Instant::now() + self.max_time;
        let mut bytes: Vec<u8> = Vec::new();
        let mut slot = None;
        loop {
            let frame = match timeout_at(deadline, body.frame()).await {
                Err(_) => return Err(Rejection::SlowBody),
                Ok(None) => return Ok(Held { bytes, _slot: slot }),
                Ok(Some(Err(_))) => return Err(Rejection::UnreadableBody),
                Ok(Some(Ok(frame))) => frame,
            };
            let data: Bytes = frame.into_data().unwrap_or_default();
            let length = bytes.len().saturating_add(data.len());
            if length > self.max_bytes {
                return Err(Rejection::BodyTooLarge);
            }
            if slot.is_none() && length > SMALL_BYTES {
                let acquired = timeout_at(deadline, self.large.acquire()).await.map_err(|_| Rejection::Busy)?;
                slot = Some(acquired.map_err(|_| Rejection::Busy)?);
            }
            if length > bytes.capacity() {
                // Doubling, but never beyond the limit.
                let capacity = length.max(bytes.capacity().saturating_mul(2)).min(self.max_bytes);
                bytes.reserve_exact(capacity.saturating_sub(bytes.len()));
            }
            bytes.extend_from_slice(&data);
        }
    }
}

// === impl AnswerBody ===

impl AnswerBody {
    pub(super) fn new(bytes: Vec<u8>, unread: Option<Incoming>) -> Self {
        let unread = unread.map(|body| Unread { body, until: Box::pin(sleep(LINGER)), bytes: 0 });
        Self { bytes: Full::new(Bytes::from(bytes)), unread }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.bytes.is_end_stream() {
            return Pin::new(&mut self.bytes).poll_frame(cx);
        }
        if let Some(unread) = &mut self.unread {
            ready!(unread.poll_let_in(cx));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_end_stream() && self.unread.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.bytes.size_hint()
    }
}

// === impl Unread ===

impl Unread {
    fn poll_let_in(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.until.as_mut().poll(cx).is_ready() || self.bytes > LINGER_BYTES {
                return Poll::Ready(());
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    self.bytes = self.bytes.saturating_add(frame.data_ref().map_or(0, Bytes::len));
                }
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
    }
}
