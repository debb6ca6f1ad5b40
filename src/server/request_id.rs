//! `X-Request-ID`: echoed, or made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;

const MAX_BYTES: usize = 128;

/// Makes request ids that are unique in the process: the time of its start and a counter.
#[derive(Debug)]
pub(super) struct RequestIds {
    start: u128,
    counter: AtomicU64,
}

// === impl RequestIds ===

impl RequestIds {
    pub(super) fn new() -> Self {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        Self { start, counter: AtomicU64::new(0) }
    }

    /// The caller's id when it is one (1 to 128 visible ASCII characters), else a new one.
    pub(super) fn echo_or_make(&self, given: Option<&HeaderValue>) -> HeaderValue {
        let acceptable = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            (1..=MAX_BYTES).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        };
        if let Some(given) = given.filter(acceptable) {
            return given.clone();
        }
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{:x}-{number:x}", self.start)).unwrap_or(HeaderValue::from_static("0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_harmless_id_is_echoed() {
        let ids = RequestIds::new();
        let echo = |given: &[u8]| ids.echo_or_make(Some(&HeaderValue::from_bytes(given).unwrap()));
        assert_eq!(echo(b"a1/b-2:c=").as_bytes(), b"a1/b-2:c=");
        for given in [b"".as_slice(), b"a b", b"\xff", &[b'a'; 129]] {
            assert_ne!(echo(given).as_bytes(), given);
        }
        assert_ne!(ids.echo_or_make(None), ids.echo_or_make(None));
    }
}
