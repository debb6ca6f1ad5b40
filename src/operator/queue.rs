//! Which object is looked at next, and when: the memory of the one who writes.
//!
//! Time is an argument. Nothing here knows what is written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::call::RefusalKind;
use crate::plan::Urgency;
use crate::world::ObjectKey;

/// How long a status that will soon be overtaken waits.
const PATIENCE: Duration = Duration::from_millis(400);
/// How often such a status may be written for one object, and how long numbers gather.
const GATHER: Duration = Duration::from_secs(1);
/// How long the finalizer of an object that nobody names any more is kept. Who names it and lets go of it by turns would
/// otherwise have it set and released each time, and that of everything else that they name.
const KEEP: Duration = Duration::from_secs(60);
/// Numbers that were written this long ago are not counted as changing all the time.
const CALM: Duration = Duration::from_secs(120);
/// How long one's own write may take to come back.
const ECHO: Duration = Duration::from_secs(5);
/// The first pause after a failure; it doubles up to the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Objects to look at.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: BTreeMap<ObjectKey, Item>,
    due: BTreeSet<(Instant, ObjectKey)>,
}

#[derive(Debug, Default)]
struct Item {
    /// When it is looked at next.
    due: Option<Instant>,
    state: State,
    failures: u32,
    /// Not looked at before this, whatever happens.
    pause: Option<Instant>,
    /// Since when a status waits that will soon be overtaken.
    passing: Option<Instant>,
    /// Since when numbers gather.
    numbers: Option<Instant>,
    /// When numbers were last written, and how often before without a calm.
    counted: Option<(Instant, u32)>,
    /// Since when nobody names it.
    unnamed: Option<Instant>,
    /// When its finalizer was last set, and how often before without having been released: somebody takes it off.
    finalizer: Option<(Instant, u32)>,
    /// The version that the object has since what was last written, and until when that is waited for.
    echo: Option<(u64, Instant)>,
    /// The status that was last written.
    written: Option<Written>,
    /// Whether replicas are waited for.
    waiting: bool,
}

/// A status that was written.
#[derive(Clone, Copy, Debug)]
struct Written {
    at: Instant,
    /// It, shortened.
    fingerprint: u64,
    /// How often it had been written before, one time right after the other: somebody undoes it.
    undone: u32,
}

/// Whether somebody works on an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Working,
    /// And it is to be looked at again.
    WorkingAgain,
}

/// How work on an object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// There was nothing to do, or it was done.
    Settled,
    /// Written: the object has this version since. `fingerprint` is that of its status, if that was written;
    /// `finalizer` says whether it was set.
    Wrote { version: u64, fingerprint: Option<u64>, finalizer: bool },
    /// Refused.
    Refused(RefusalKind),
    /// It panicked.
    Panicked,
}

// === impl Queue ===

impl Queue {
    /// Something about an object changed.
    pub(super) fn touch(&mut self, key: &ObjectKey, now: Instant) {
        let item = self.items.entry(key.clone()).or_default();
        match item.state {
            State::Idle => {
                let at = item.pause.map_or(now, |pause| pause.max(now));
                self.schedule(key, at);
            }
            State::Working | State::WorkingAgain => item.state = State::WorkingAgain,
        }
    }

    /// Something about the replicas changed.
    pub(super) fn touch_waiting(&mut self, now: Instant) {
        let waiting = self.items.iter().filter(|(_, item)| item.waiting);
        let waiting: Vec<ObjectKey> = waiting.map(|(key, _)| key.clone()).collect();
        for key in waiting {
            self.touch(&key, now);
        }
    }

    /// An object is gone.
    pub(super) fn forget(&mut self, key: &ObjectKey) {
        if let Some(due) = self.items.remove(key).and_then(|item| item.due) {
            self.due.remove(&(due, key.clone()));
        }
    }

    /// An object that is to be looked at now. Work on it has begun.
    pub(super) fn begin(&mut self, now: Instant) -> Option<ObjectKey> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        let item = self.items.entry(key.clone()).or_default();
        item.due = None;
        item.state = State::Working;
        Some(key)
    }

    /// When the next object is to be looked at.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Whether what was written last is not seen yet; then until when it is waited for.
    pub(super) fn echo(&self, key: &ObjectKey, version: u64, now: Instant) -> Option<Instant> {
        let (written, until) = self.items.get(key)?.echo?;
        (written > version && until > now).then_some(until)
    }

    /// Until when a status waits; `None` when it is to be written now.
    pub(super) fn hold(
        &mut self,
        key: &ObjectKey,
        urgency: Urgency,
        fingerprint: u64,
        now: Instant,
    ) -> Option<Instant> {
        let item = self.items.get_mut(key)?;
        let since_written = |wait: Duration| item.written.and_then(|written| written.at.checked_add(wait));
        let until = match urgency {
            Urgency::Now => None,
            Urgency::Passing => {
                let patience = item.passing.get_or_insert(now).checked_add(PATIENCE);
                patience.max(since_written(GATHER))
            }
            // Numbers that change all the time gather ever longer, four times as long each time.
            Urgency::Numbers => {
                let gathered = item.numbers.get_or_insert(now).checked_add(GATHER);
                gathered
                    .max(item.counted.and_then(|(at, times)| at.checked_add(doubled(GATHER, times.saturating_mul(2)))))
            }
        };
        // Somebody undoes what is written: the first time it is put right at once, then ever more slowly.
        let undone =
            item.written.filter(|written| written.fingerprint == fingerprint).map_or(0, |written| written.undone);
        let tired = if undone == 0 { None } else { since_written(pause(undone.saturating_add(1))) };
        until.max(tired).filter(|until| *until > now)
    }

    /// Until when setting the finalizer waits; `None` when it is to be set now. Who takes it off is answered like one who
    /// undoes a status.
    pub(super) fn hold_finalizer(&self, key: &ObjectKey, now: Instant) -> Option<Instant> {
        let (at, times) = self.items.get(key)?.finalizer.filter(|(_, times)| *times > 0)?;
        at.checked_add(pause(times.saturating_add(1))).filter(|until| *until > now)
    }

    /// Until when releasing the finalizer of an object that nobody names waits; `None` when it is to be released now.
    pub(super) fn hold_release(&mut self, key: &ObjectKey, now: Instant) -> Option<Instant> {
        let item = self.items.get_mut(key)?;
        let until = item.unnamed.get_or_insert(now).checked_add(KEEP).filter(|until| *until > now);
        if until.is_none() {
            item.finalizer = None;
        }
        until
    }

    /// An object is named, or has no finalizer that it should not have.
    pub(super) fn set_named(&mut self, key: &ObjectKey) {
        if let Some(item) = self.items.get_mut(key) {
            item.unnamed = None;
        }
    }

    /// Work on an object ended without a write, and it is to be looked at again.
    pub(super) fn postpone(&mut self, key: &ObjectKey, until: Instant, now: Instant) {
        let Some(item) = self.items.get_mut(key) else { return };
        let again = std::mem::take(&mut item.state) == State::WorkingAgain;
        self.schedule(key, if again { now } else { until });
    }

    /// Work on an object ended.
    pub(super) fn end(&mut self, key: &ObjectKey, done: Done, now: Instant) {
        let Some(item) = self.items.get_mut(key) else { return };
        let again = std::mem::take(&mut item.state) == State::WorkingAgain;
        let failed = match done {
            Done::Settled => {
                item.passing = None;
                item.numbers = None;
                None
            }
            Done::Wrote { version, fingerprint, finalizer } => {
                item.passing = None;
                let had_numbers = item.numbers.take().is_some();
                if finalizer {
                    item.finalizer = Some((now, item.finalizer.map_or(0, |(_, times)| times.saturating_add(1))));
                }
                if had_numbers && fingerprint.is_some() {
                    let is_calm = |at: Instant| now.saturating_duration_since(at) > CALM;
                    let before = item.counted.filter(|(at, _)| !is_calm(*at));
                    item.counted = Some((now, before.map_or(0, |(_, times)| times.saturating_add(1))));
                }
                item.echo = now.checked_add(ECHO).map(|until| (version, until));
                if let Some(fingerprint) = fingerprint {
                    let before = item.written.filter(|before| before.fingerprint == fingerprint);
                    let undone = before.map_or(0, |before| before.undone.saturating_add(1));
                    item.written = Some(Written { at: now, fingerprint, undone });
                }
                None
            }
            // What it is now is about to be seen.
            Done::Refused(RefusalKind::Conflict | RefusalKind::Gone) => Some(FIRST_PAUSE),
            Done::Refused(RefusalKind::Throttled(wait)) => Some(wait),
            Done::Refused(RefusalKind::TooLarge | RefusalKind::Refused | RefusalKind::Unavailable) | Done::Panicked => {
                Some(Duration::ZERO)
            }
        };
        match failed {
            None => {
                item.failures = 0;
                item.pause = None;
                if again {
                    self.schedule(key, now);
                }
            }
            Some(least) => {
                let wait = pause(item.failures).max(least);
                item.failures = item.failures.saturating_add(1);
                let at = now.checked_add(jittered(wait, key)).unwrap_or(now);
                // A change of the object is a reason to look at once after a conflict, and after nothing else.
                let conflict = matches!(done, Done::Refused(RefusalKind::Conflict | RefusalKind::Gone));
                item.pause = (!conflict).then_some(at);
                self.schedule(key, if again && conflict { now } else { at });
            }
        }
    }

    /// Whether replicas are waited for on account of an object.
    pub(super) fn set_waiting(&mut self, key: &ObjectKey, waiting: bool) {
        if let Some(item) = self.items.get_mut(key) {
            item.waiting = waiting;
        }
    }

    fn schedule(&mut self, key: &ObjectKey, at: Instant) {
        let Some(item) = self.items.get_mut(key) else { return };
        let at = item.due.map_or(at, |due| due.min(at));
        if let Some(due) = item.due.replace(at) {
            self.due.remove(&(due, key.clone()));
        }
        self.due.insert((at, key.clone()));
    }
}

// === free functions ===

/// The pause after so many failures before this one.
fn pause(failures: u32) -> Duration {
    doubled(FIRST_PAUSE, failures)
}

/// So long, doubled so many times, up to the longest pause.
fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1u32.checked_shl(times.min(16)).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

/// A pause up to a quarter longer, by the object: many that failed together do not come back together.
fn jittered(pause: Duration, key: &ObjectKey) -> Duration {
    let spread = key.name.bytes().fold(key.account.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let percent = u32::try_from(spread % 26).unwrap_or(0);
    pause.saturating_add(pause.saturating_mul(percent) / 100)
}
