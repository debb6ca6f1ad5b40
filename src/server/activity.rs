//! What happens on one connection, seen from three places: its bytes, its requests and its supervisor.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// A shared record of a connection. Its lock is held for a few instructions and shared by nobody else.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    requests: usize,
    idle_since: Instant,
    head_since: Option<Instant>,
    linger: bool,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Requests are being read or answered.
    Answering,
    /// The head of a request has begun and is not whole, since this moment.
    ReadingHead(Instant),
    /// Nothing, since this moment.
    Idle(Instant),
}

/// A request in the hands of its handler; dropped when there is an answer or nobody wants one.
pub(super) struct RequestGuard<'a> {
    activity: &'a Activity,
}

// === impl Activity ===

impl Activity {
    pub(super) fn new() -> Self {
        let state = State { requests: 0, idle_since: Instant::now(), head_since: None, linger: false };
        Self { state: Mutex::new(state) }
    }

    /// Bytes arrived.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.requests == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    /// The head of a request is whole.
    pub(super) fn request(&self) -> RequestGuard<'_> {
        let mut state = self.state();
        state.requests = state.requests.saturating_add(1);
        state.head_since = None;
        RequestGuard { activity: self }
    }

    /// An answer was given before its request was read whole: when the connection ends, the rest has to be let in, or
    /// the kernel answers it with a reset that takes our answer with it.
    pub(super) fn leave_rest_unread(&self) {
        self.state().linger = true;
    }

    pub(super) fn lingers(&self) -> bool {
        self.state().linger
    }

    pub(super) fn doing(&self) -> Doing {
        let state = self.state();
        match state.head_since {
            _ if state.requests > 0 => Doing::Answering,
            Some(since) => Doing::ReadingHead(since),
            None => Doing::Idle(state.idle_since),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl RequestGuard ===

impl Drop for RequestGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.requests = state.requests.saturating_sub(1);
        state.idle_since = Instant::now();
    }
}
