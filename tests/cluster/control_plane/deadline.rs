//! Waiting for what must become true, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(20);

/// Whether the condition becomes true within the time. It is looked at once at least.
pub fn holds_within(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(PACE);
    }
}

/// Fails the test, at the caller's line, unless the condition becomes true within the time.
#[track_caller]
pub fn wait_until(within: Duration, condition: impl FnMut() -> bool) {
    assert!(holds_within(within, condition), "not true within {within:?}");
}
