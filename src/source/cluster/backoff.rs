//! How long to wait before the next attempt (`guarantees.md` R17).

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use super::failure::Failure;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// A server that is not there cannot be overrun by attempts; who waits long for it is late when it is back.
const LONGEST_UNREACHABLE: Duration = Duration::from_secs(4);
/// The longest `Retry-After` that is believed.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// Waiting times that grow with each failure and differ between replicas.
#[derive(Debug)]
pub(super) struct Backoff {
    /// The most that the next wait may be.
    most: Duration,
}

// === impl Backoff ===

impl Backoff {
    pub(super) fn new() -> Self {
        Self { most: SHORTEST.saturating_mul(2) }
    }

    /// After a success.
    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }

    /// The wait after a connection broke that was there: each attempt is work for the server that answers it.
    pub(super) fn after_cut(&mut self, dice: f64) -> Duration {
        self.next(LONGEST, dice)
    }

    /// The wait after a failure: `dice`, from 0 to 1, says where between a second and the most that it may be by now;
    /// never less than the server asked for.
    pub(super) fn after(&mut self, failure: &Failure, dice: f64) -> Duration {
        let longest = match failure {
            Failure::Unreachable(_) => LONGEST_UNREACHABLE,
            Failure::NotFound(_)
            | Failure::Expired
            | Failure::Older
            | Failure::Refused { .. }
            | Failure::Silent
            | Failure::TooLong(_)
            | Failure::Malformed(_) => LONGEST,
        };
        self.next(longest, dice).max(failure.retry_after().unwrap_or_default().min(LONGEST_ASKED))
    }

    fn next(&mut self, longest: Duration, dice: f64) -> Duration {
        let most = self.most.min(longest);
        // What a server that comes back refuses at first is a failure of its own, not one more of a long row.
        self.most = most.saturating_mul(2).min(longest);
        SHORTEST + most.saturating_sub(SHORTEST).mul_f64(dice.clamp(0.0, 1.0))
    }
}

// === free functions ===

/// A number from 0 to 1 that no two callers share.
pub(super) fn dice() -> f64 {
    let bits = RandomState::new().hash_one(0u8) >> 32;
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(seconds: Option<u64>) -> Failure {
        Failure::Refused { status: 429, message: String::new(), retry_after: seconds.map(Duration::from_secs) }
    }

    #[test]
    fn waits_grow_from_one_to_thirty_seconds() {
        let mut backoff = Backoff::new();
        let waits: Vec<u64> = (0..6).map(|_| backoff.after(&refused(None), 1.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.after(&refused(None), 0.0), SHORTEST);
        backoff.reset();
        assert_eq!(backoff.after(&refused(None), 1.0).as_secs(), 2);
    }

    #[test]
    fn what_the_server_asks_for_is_the_least() {
        let mut backoff = Backoff::new();
        assert_eq!(backoff.after(&refused(Some(7)), 0.5).as_secs(), 7);
        assert_eq!(backoff.after(&refused(Some(86_400)), 0.5), LONGEST_ASKED);
        assert!(backoff.after(&refused(Some(0)), 0.5) > SHORTEST);
    }

    #[test]
    fn a_server_that_is_back_is_found_soon() {
        let mut backoff = Backoff::new();
        let gone = Failure::Unreachable(String::new());
        assert!((0..20).all(|_| backoff.after(&gone, 1.0) <= LONGEST_UNREACHABLE));
        let waits: Vec<u64> = (0..3).map(|_| backoff.after(&refused(None), 1.0).as_secs()).collect();
        assert_eq!(waits, [4, 8, 16]);
    }

    #[test]
    fn a_server_that_cuts_every_watch_is_asked_ever_less_often() {
        let mut backoff = Backoff::new();
        let waits: Vec<u64> = (0..6).map(|_| backoff.after_cut(1.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn replicas_do_not_wait_equally_long() {
        let throws: std::collections::BTreeSet<u64> = (0..50).map(|_| (dice() * 1e9) as u64).collect();
        assert!(throws.len() > 40 && (0..1_000).all(|_| (0.0..=1.0).contains(&dice())));
    }
}
