//! What is written, and when.

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

    /// One in which user `alice` names policy `read`, and that is settled.
    fn named() -> Self {
        let mut house = Self::new(plan::steps);
        house.apply(&policy("read"), &statements());
        house.apply(&user("alice"), &json!({"policies": ["read"]}));
        house.settle(&View::default(), 0);
        house
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
    let mut house = House::named();
    let alone = View::default();
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
    let mut house = House::named();
    let alone = View::default();
    house.writer.write(|catalog| catalog.remove(&user("alice")));
    house.settle(&alone, 100);
    house.edit(&policy("read"), |entry| entry.object.deleting = true);
    assert_eq!(house.settle(&alone, 200), ["read: no finalizer"]);
}

#[test]
fn who_takes_a_finalizer_off_is_answered_ever_more_slowly_and_always() {
    let mut house = House::named();
    let alone = View::default();
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
