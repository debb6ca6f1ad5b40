//! What is to be done now, of all that has changed: looks, plans and remembers, and never waits.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use smol_str::SmolStr;
use tokio::time::Instant;

use super::call::RefusalKind;
use super::observe::{Observed, observe};
use super::queue::{Done, Queue};
use super::replicas::View;
use super::track::Track;
use crate::plan::{Observation, Status, Step};
use crate::store::{CatalogReader, Entry, InForce};
use crate::telemetry::Metrics;
use crate::world::ObjectKey;

/// From an observation to the steps: [`crate::plan::steps`].
pub(super) type Planner = fn(&Observation) -> Vec<Step>;

/// What is known of all objects while this replica is the holder.
pub(super) struct Agenda {
    catalog: CatalogReader,
    metrics: Arc<Metrics>,
    planner: Planner,
    queue: Queue,
    track: Track,
    /// Objects that in this form, with a record of their last good one, would be larger than the API server stores.
    too_large: BTreeMap<ObjectKey, Form>,
    /// When generations were first seen that do not run on every replica yet.
    arrivals: BTreeMap<ObjectKey, (i64, Instant)>,
}

/// Which object of a name it is, and in which of its generations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    uid: Option<SmolStr>,
    generation: i64,
}

/// What one turn came to.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nothing is due.
    Idle,
    /// An object was looked at, and there is nothing to do about it now.
    Looked,
    /// This is to be done. [`Agenda::end`] wants to know how it went.
    Work(Box<Work>),
}

/// Steps for one object.
#[derive(Debug)]
pub(super) struct Work {
    /// The object that they are meant for, in this very version.
    pub entry: Entry,
    /// The steps.
    pub steps: Vec<Step>,
    /// The status among them, shortened.
    pub fingerprint: Option<u64>,
}

// === impl Agenda ===

impl Agenda {
    pub(super) fn new(catalog: CatalogReader, metrics: Arc<Metrics>, planner: Planner) -> Self {
        let (queue, track) = (Queue::default(), Track::default());
        Self { catalog, metrics, planner, queue, track, too_large: BTreeMap::new(), arrivals: BTreeMap::new() }
    }

    /// Finds out what has changed since the last look.
    pub(super) fn look(&mut self, in_force: &InForce, now: Instant) {
        let changes = self.catalog.read(|catalog| self.track.catalog(catalog));
        for key in &changes.gone {
            self.queue.forget(key);
            self.too_large.remove(key);
            self.arrivals.remove(key);
        }
        self.arrivals.extend(changes.arrived.into_iter().map(|(key, generation)| (key, (generation, now))));
        for key in changes.touched.iter().chain(&self.track.world(&in_force.world)) {
            self.queue.touch(key, now);
        }
    }

    /// A replica is further than it was, or another one lives.
    pub(super) fn replicas_moved(&mut self, now: Instant) {
        self.queue.touch_waiting(now);
    }

    /// When the next object is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.next()
    }

    /// Looks at the next object that is due.
    pub(super) fn turn(&mut self, in_force: &InForce, replicas: &View, now: Instant) -> Turn {
        let Some(key) = self.queue.begin(now) else { return Turn::Idle };
        let planned = catch_unwind(AssertUnwindSafe(|| self.plan(in_force, replicas, &key)));
        let Ok(planned) = planned else {
            self.end(&key, None, Done::Panicked, now);
            return Turn::Looked;
        };
        let Some((observed, steps)) = planned else {
            self.queue.forget(&key);
            return Turn::Looked;
        };
        self.propagated(&observed.observation, now);
        if let Some(until) = self.queue.echo(&key, observed.entry.version, now) {
            self.queue.postpone(&key, until, now);
            return Turn::Looked;
        }
        let status = steps.iter().find_map(|step| match step {
            Step::WriteStatus { status, urgency } => Some((status, *urgency)),
            Step::AddFinalizer | Step::RemoveFinalizer | Step::Event(_) => None,
        });
        let standing = status.map_or(&observed.observation.status, |(status, _)| status);
        self.queue.set_waiting(&key, standing.waits_for_replicas());
        let fingerprint = status.map(|(status, _)| fingerprint(status));
        let status_waits =
            status.zip(fingerprint).and_then(|((_, urgency), status)| self.queue.hold(&key, urgency, status, now));
        if !steps.contains(&Step::RemoveFinalizer) {
            self.queue.set_named(&key);
        }
        let (mut due, mut waiting): (Vec<Step>, Option<Instant>) = (Vec::new(), None);
        for step in steps {
            let waits = match &step {
                Step::AddFinalizer => self.queue.hold_finalizer(&key, now),
                // Who deletes an object waits for it to go.
                Step::RemoveFinalizer if observed.observation.deleting => None,
                Step::RemoveFinalizer => self.queue.hold_release(&key, now),
                Step::WriteStatus { .. } | Step::Event(_) => status_waits,
            };
            match waits {
                None => due.push(step),
                Some(until) => waiting = Some(waiting.map_or(until, |waiting| waiting.min(until))),
            }
        }
        match waiting {
            // What waits is looked at again when what is written now comes back.
            _ if !due.is_empty() => {
                let fingerprint = fingerprint.filter(|_| status_waits.is_none());
                return Turn::Work(Box::new(Work { entry: observed.entry, steps: due, fingerprint }));
            }
            Some(until) => self.queue.postpone(&key, until, now),
            None => self.queue.end(&key, Done::Settled, now),
        }
        Turn::Looked
    }

    /// Work on an object, in this form if one was seen, ended.
    pub(super) fn end(&mut self, key: &ObjectKey, form: Option<Form>, done: Done, now: Instant) {
        match done {
            Done::Panicked => {
                self.metrics.operator_panic();
                tracing::error!(object = %key, "reconciling panicked; it is tried again later, others are not held up");
            }
            Done::Refused(RefusalKind::TooLarge) => {
                self.too_large.extend(form.map(|form| (key.clone(), form)));
            }
            Done::Refused(_) | Done::Settled | Done::Wrote { .. } => {}
        }
        self.queue.end(key, done, now);
    }

    /// Measures how long a generation took until every replica ran it.
    fn propagated(&mut self, observation: &Observation, now: Instant) {
        let Some((generation, arrived)) = self.arrivals.get(&observation.key) else { return };
        if observation.generation == *generation && observation.in_force.is_some() && observation.replicas.all_run() {
            self.metrics.propagated(now.saturating_duration_since(*arrived));
            self.arrivals.remove(&observation.key);
        }
    }

    /// `None` when the object is gone.
    fn plan(&self, in_force: &InForce, replicas: &View, key: &ObjectKey) -> Option<(Observed, Vec<Step>)> {
        let look = |catalog: &_| observe(catalog, in_force, replicas, key, Timestamp::now());
        let mut observed = self.catalog.read(look)?;
        if self.too_large.get(key) == Some(&Form::of(&observed.entry)) {
            observed.observation.last_good = None;
        }
        let steps = (self.planner)(&observed.observation);
        Some((observed, steps))
    }
}

// === impl Work ===

impl Work {
    /// The form of the object that the steps are meant for.
    pub(super) fn form(&self) -> Form {
        Form::of(&self.entry)
    }
}

// === impl Form ===

impl Form {
    fn of(entry: &Entry) -> Self {
        Self { uid: entry.object.uid.clone(), generation: entry.generation }
    }
}

// === free functions ===

/// A status, shortened, to tell whether it is the one that was written last. When that was is left out.
fn fingerprint(status: &Status) -> u64 {
    let mut status = Status { revision: None, ..status.clone() };
    for condition in &mut status.conditions {
        condition.last_transition_time.clear();
    }
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(&status).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
