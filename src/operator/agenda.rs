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
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::name::Revision;
    use crate::plan;
    use crate::policy::tree::Node;
    use crate::snapshot::Snapshot;
    use crate::store::{CatalogWriter, Vector, WatchedKind, catalog};
    use crate::world::{Kind, Object, Settings, Spec, build};

    /// An API server with a replica on it, without either.
    struct House {
        writer: CatalogWriter,
        agenda: Agenda,
        metrics: Arc<Metrics>,
        version: u64,
        start: Instant,
    }

    fn policy(name: &str) -> ObjectKey {
        ObjectKey { kind: Kind::Policy, account: "payments".into(), name: name.into() }
    }

    fn user(name: &str) -> ObjectKey {
        ObjectKey { kind: Kind::User, account: "payments".into(), name: name.into() }
    }

    fn statements() -> serde_json::Value {
        json!({"statements": [{"sid": "A", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]}]})
    }

    impl House {
        fn new(planner: Planner) -> Self {
            let (writer, reader) = catalog(Settings::default());
            let metrics = Arc::new(Metrics::new());
            let agenda = Agenda::new(reader, Arc::clone(&metrics), planner);
            Self { writer, agenda, metrics, version: 10, start: Instant::now() }
        }

        fn at(&self, millis: u64) -> Instant {
            self.start + Duration::from_millis(millis)
        }

        fn apply(&mut self, key: &ObjectKey, spec: &serde_json::Value) {
            self.version += 1;
            let version = self.version;
            let entry = Entry {
                object: Object {
                    key: key.clone(),
                    uid: Some(format!("uid-of-{}", key.name).into()),
                    spec: Spec::Read(Arc::new(Node::from(spec))),
                    last_good: None,
                    deleting: false,
                    origin: None,
                },
                last_good_generation: None,
                version,
                generation: 1,
                generation_version: version,
                finalizers: Vec::new(),
                status: None,
                change: 0,
            };
            self.writer.write(|catalog| catalog.insert(entry));
        }

        /// Somebody changes what is there.
        fn edit(&mut self, key: &ObjectKey, change: impl FnOnce(&mut Entry)) {
            self.version += 1;
            let mut entry = self.writer.read(|catalog| catalog.get(key).unwrap().clone());
            entry.version = self.version;
            change(&mut entry);
            self.writer.write(|catalog| catalog.insert(entry));
        }

        /// What a watch that has seen everything would have published.
        fn in_force(&self) -> InForce {
            let world = build(&self.writer.read(crate::store::Catalog::input));
            let mut vector = Vector::default();
            for kind in Kind::ALL {
                vector.set(WatchedKind::Ours(kind), self.version);
            }
            let snapshot = Arc::new(Snapshot::compile(&world, Revision(self.version)));
            InForce { snapshot, world: Arc::new(world), vector }
        }

        /// Everything that is due now, done. Returns what was written, in order.
        fn settle(&mut self, replicas: &View, millis: u64) -> Vec<String> {
            let (in_force, now) = (self.in_force(), self.at(millis));
            let mut written = Vec::new();
            loop {
                self.agenda.look(&in_force, now);
                let work = match self.agenda.turn(&in_force, replicas, now) {
                    Turn::Idle => return written,
                    Turn::Looked => continue,
                    Turn::Work(work) => work,
                };
                let (key, form, mut finalizer) = (work.entry.object.key.clone(), work.form(), false);
                self.version += 1;
                let mut entry = Entry { version: self.version, ..work.entry };
                for step in work.steps {
                    let what = match step {
                        Step::AddFinalizer => {
                            entry.finalizers.push(plan::IN_USE.into());
                            finalizer = true;
                            "finalizer".to_owned()
                        }
                        Step::RemoveFinalizer => {
                            entry.finalizers.clear();
                            "no finalizer".to_owned()
                        }
                        Step::WriteStatus { status, .. } => {
                            entry.status = Some(serde_json::to_string(&status).unwrap().into());
                            status.condition("Ready").map(|ready| ready.reason.clone()).unwrap()
                        }
                        Step::Event(event) => format!("event {}", event.reason.as_str()),
                    };
                    written.push(format!("{}: {what}", key.name));
                }
                self.writer.write(|catalog| catalog.insert(entry));
                let version = self.version;
                let done = Done::Wrote { version, fingerprint: work.fingerprint, finalizer };
                self.agenda.end(&key, Some(form), done, now);
            }
        }
    }

    #[test]
    fn what_comes_in_any_order_is_written_once() {
        let mut house = House::new(plan::steps);
        let alone = View::default();
        house.apply(&user("alice"), &json!({"policies": ["read"]}));
        // What is missing may be about to come.
        assert_eq!(house.settle(&alone, 0), [""; 0]);
        house.apply(&policy("read"), &statements());
        assert_eq!(house.settle(&alone, 100), ["alice: InForce", "read: finalizer", "read: InForce"]);
        for millis in [200, 1_000, 60_000] {
            assert_eq!(house.settle(&alone, millis), [""; 0]);
        }
    }

    #[test]
    fn what_stays_away_is_told_and_heals() {
        let mut house = House::new(plan::steps);
        let alone = View::default();
        house.apply(&user("alice"), &json!({"policies": ["read"]}));
        assert_eq!(house.settle(&alone, 0), [""; 0]);
        assert_eq!(house.agenda.next(), Some(house.at(400)));
        assert_eq!(house.settle(&alone, 400), ["alice: ReferenceNotFound", "alice: event ReferenceNotFound"]);
        house.apply(&policy("read"), &statements());
        assert_eq!(house.settle(&alone, 500), ["alice: InForce", "read: finalizer", "read: InForce"]);
    }

    #[test]
    fn other_replicas_are_waited_for_and_what_they_lack_is_told() {
        let mut house = House::new(plan::steps);
        house.apply(&policy("read"), &statements());
        let mut behind = View::default();
        behind.live.insert("other".into(), Vector::default());
        assert_eq!(house.settle(&behind, 0), [""; 0]);
        assert_eq!(house.settle(&behind, 400), ["read: NotEnforced"]);
        let mut level = behind.clone();
        level.live.insert("other".into(), house.in_force().vector);
        house.agenda.replicas_moved(house.at(500));
        assert_eq!(house.settle(&level, 500), ["read: InForce"]);
        // The first look is no arrival: nobody knows when that was.
        assert!(house.metrics.expose().contains("kube_iam_propagation_seconds_count 0"));
        house.apply(&policy("other"), &statements());
        assert_eq!(house.settle(&level, 550), [""; 0]);
        level.live.insert("other".into(), house.in_force().vector);
        house.agenda.replicas_moved(house.at(560));
        assert_eq!(house.settle(&level, 560), ["other: InForce"]);
        assert!(house.metrics.expose().contains("kube_iam_propagation_seconds_count 1"));
        // Nothing is taken back when another one joins.
        level.live.insert("third".into(), Vector::default());
        house.agenda.replicas_moved(house.at(600));
        assert_eq!(house.settle(&level, 600), [""; 0]);
    }

    #[test]
    fn numbers_gather() {
        let mut house = House::new(plan::steps);
        let alone = View::default();
        house.apply(&policy("read"), &statements());
        assert_eq!(house.settle(&alone, 0), ["read: InForce"]);
        for (index, name) in ["a", "b", "c"].into_iter().enumerate() {
            house.apply(&user(name), &json!({"policies": ["read"]}));
            let written = house.settle(&alone, 100 * u64::try_from(index).unwrap() + 100);
            assert!(written.contains(&format!("{name}: InForce")), "{written:?}");
            assert!(!written.contains(&"read: InForce".to_owned()), "{written:?}");
        }
        assert_eq!(house.settle(&alone, 1_100), ["read: InForce"]);
        let status = house.writer.read(|catalog| catalog.get(&policy("read")).unwrap().status.clone()).unwrap();
        assert_eq!(Status::read(&status).attachment_count, Some(3));
    }

    #[test]
    fn a_finalizer_goes_with_the_last_that_names_the_object() {
        let mut house = House::new(plan::steps);
        let alone = View::default();
        house.apply(&policy("read"), &statements());
        house.apply(&user("alice"), &json!({"policies": ["read"]}));
        house.settle(&alone, 0);
        house.writer.write(|catalog| catalog.remove(&user("alice")));
        assert_eq!(house.settle(&alone, 100), [""; 0]);
        assert_eq!(house.settle(&alone, 1_100), ["read: InForce"]);
        // Not at once: it may be named again.
        assert_eq!(house.settle(&alone, 60_000), [""; 0]);
        assert_eq!(house.agenda.next(), Some(house.at(60_100)));
        assert_eq!(house.settle(&alone, 60_100), ["read: no finalizer"]);
        assert_eq!(house.agenda.next(), None);
    }

    #[test]
    fn a_finalizer_goes_at_once_from_what_is_deleted() {
        let mut house = House::new(plan::steps);
        let alone = View::default();
        house.apply(&policy("read"), &statements());
        house.apply(&user("alice"), &json!({"policies": ["read"]}));
        house.settle(&alone, 0);
        house.writer.write(|catalog| catalog.remove(&user("alice")));
        house.settle(&alone, 100);
        house.edit(&policy("read"), |entry| entry.object.deleting = true);
        assert_eq!(house.settle(&alone, 200), ["read: no finalizer"]);
    }

    #[test]
    fn who_takes_a_finalizer_off_is_answered_ever_more_slowly_and_always() {
        let mut house = House::new(plan::steps);
        let alone = View::default();
        house.apply(&policy("read"), &statements());
        house.apply(&user("alice"), &json!({"policies": ["read"]}));
        house.settle(&alone, 0);
        let mut at = Vec::new();
        for second in 1..=600 {
            house.edit(&policy("read"), |entry| entry.finalizers.clear());
            let written = house.settle(&alone, second * 1_000);
            assert!(written.iter().all(|what| what == "read: finalizer"), "{written:?}");
            at.extend(written.iter().map(|_| second));
        }
        assert_eq!(at.first(), Some(&1));
        assert!((10..=20).contains(&at.len()), "{at:?}");
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] <= 61), "{at:?}");
        // Who stops has it answered at once when they begin again.
        house.edit(&policy("read"), |entry| entry.finalizers.clear());
        assert_eq!(house.settle(&alone, 1_000_000), ["read: finalizer"]);
    }

    #[test]
    fn one_object_that_names_many_by_turns_moves_few_writes() {
        let names = |prefix: &str, count: usize| (0..count).map(|index| format!("{prefix}{index}")).collect::<Vec<_>>();
        let (policies, groups) = (names("p", 20), names("g", 10));
        let many = json!({"policies": policies, "groups": groups});
        for (period, turns) in [(100, 400), (1_000, 200), (7_000, 60), (30_000, 30), (61_000, 20), (200_000, 6)] {
            let mut house = House::new(plan::steps);
            let alone = View::default();
            for name in &policies {
                house.apply(&policy(name), &statements());
            }
            for name in &groups {
                house.apply(&ObjectKey { kind: Kind::Group, ..policy(name) }, &json!({}));
            }
            house.apply(&user("alice"), &many);
            house.settle(&alone, 0);
            house.settle(&alone, 10_000);
            let (mut finalizers, mut others) = (0, 0);
            for turn in 0..turns {
                let spec = if turn % 2 == 0 { json!({}) } else { many.clone() };
                house.apply(&user("alice"), &spec);
                for part in 0..10 {
                    for written in house.settle(&alone, 20_000 + turn * period + part * period / 10) {
                        let count = if written.ends_with("finalizer") { &mut finalizers } else { &mut others };
                        *count += usize::from(!written.starts_with("alice"));
                    }
                }
            }
            // At most one write of either sort in a minute for each that is named, but for the first few.
            let minutes = usize::try_from(turns * period / 60_000).unwrap() + 1;
            assert!(finalizers <= 30 * minutes, "{period}: {finalizers} in {minutes} minutes");
            assert!(others <= 30 * (minutes + 4), "{period}: {others} in {minutes} minutes");
            if period < 60_000 {
                assert_eq!(finalizers, 0, "{period}");
            }
        }
    }

    #[test]
    fn an_object_of_the_same_name_is_not_the_one_without_room() {
        let mut house = House::new(plan::steps);
        house.apply(&policy("read"), &statements());
        let (in_force, now) = (house.in_force(), house.at(0));
        house.agenda.look(&in_force, now);
        let Turn::Work(work) = house.agenda.turn(&in_force, &View::default(), now) else { panic!() };
        house.agenda.end(&policy("read"), Some(work.form()), Done::Refused(RefusalKind::TooLarge), now);
        house.edit(&policy("read"), |entry| {
            entry.object.uid = Some("another".into());
            entry.object.last_good = Some(Arc::new(Node::from(&statements())));
            entry.object.spec = Spec::Read(Arc::new(Node::from(&json!({"statements": 3}))));
        });
        let (in_force, later) = (house.in_force(), house.at(1_000));
        house.agenda.look(&in_force, later);
        let Turn::Work(work) = house.agenda.turn(&in_force, &View::default(), later) else { panic!() };
        assert!(matches!(&work.steps[0], Step::WriteStatus { status, .. } if status.last_good.is_some()), "{work:?}");
    }

    #[test]
    fn a_panic_over_one_object_is_counted_and_holds_up_no_other() {
        let planner: Planner = |observation| {
            assert!(observation.key.name != "cursed", "a failpoint");
            plan::steps(observation)
        };
        let mut house = House::new(planner);
        let alone = View::default();
        for name in ["a", "cursed", "z"] {
            house.apply(&policy(name), &statements());
        }
        assert_eq!(house.settle(&alone, 0), ["a: InForce", "z: InForce"]);
        let panics = |house: &House| {
            let text = house.metrics.expose();
            let line = text.lines().find(|line| line.starts_with("kube_iam_operator_panics_total")).unwrap();
            line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
        };
        assert_eq!(panics(&house), 1);
        // It is tried again, ever more seldom.
        for (millis, expected) in [(100, 1), (700, 2), (900, 2), (2_000, 3)] {
            assert_eq!(house.settle(&alone, millis), [""; 0]);
            assert_eq!(panics(&house), expected, "{millis}");
        }
        // A planner that is sound again finds it.
        house.agenda.planner = plan::steps;
        assert_eq!(house.settle(&alone, 60_000), ["cursed: InForce"]);
    }

    #[test]
    fn who_undoes_what_is_written_is_answered_ever_more_slowly() {
        let mut house = House::new(plan::steps);
        let alone = View::default();
        house.apply(&policy("read"), &statements());
        assert_eq!(house.settle(&alone, 0), ["read: InForce"]);
        let mut writes = 0;
        for second in 1..=120 {
            let mut entry = house.writer.read(|catalog| catalog.get(&policy("read")).unwrap().clone());
            if entry.status.is_some() {
                house.version += 1;
                entry.version = house.version;
                entry.status = None;
                house.writer.write(|catalog| catalog.insert(entry));
            }
            writes += house.settle(&alone, second * 1_000).len();
        }
        assert!((3..=8).contains(&writes), "{writes}");
    }

    #[test]
    fn an_object_without_room_for_a_record_gets_its_status_without_one() {
        let mut house = House::new(plan::steps);
        let alone = View::default();
        house.apply(&policy("read"), &json!({"statements": 3}));
        house.writer.write(|catalog| {
            let mut entry = catalog.get(&policy("read")).unwrap().clone();
            entry.object.last_good = Some(Arc::new(Node::from(&statements())));
            catalog.insert(entry);
        });
        let (in_force, now) = (house.in_force(), house.at(0));
        house.agenda.look(&in_force, now);
        let Turn::Work(work) = house.agenda.turn(&in_force, &alone, now) else { panic!() };
        let record = |work: &Work| match &work.steps[0] {
            Step::WriteStatus { status, .. } => status.last_good.is_some(),
            step => panic!("{step:?}"),
        };
        assert!(record(&work));
        house.agenda.end(&policy("read"), Some(work.form()), Done::Refused(RefusalKind::TooLarge), now);
        let later = house.at(1_000);
        let Turn::Work(work) = house.agenda.turn(&in_force, &alone, later) else { panic!() };
        assert!(!record(&work));
    }
}
