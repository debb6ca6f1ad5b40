//! Records of last good forms that the holder cannot keep, because it never saw them (`guarantees.md` R4).
//!
//! A holder that was away for a moment may know less of an object than a replica that was there. What that replica alone
//! remembers would end with it, and the replicas would differ until then; so after a while it writes the record itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use smol_str::SmolStr;
use tokio::sync::watch;
use tokio::time::Instant;

use super::agenda::Work;
use super::call::RefusalKind;
use super::election::Role;
use super::observe::last_good;
use super::perform::Performer;
use super::queue::Done;
use crate::plan::{Status, Step, Urgency};
use crate::store::{CatalogReader, Entry};
use crate::world::ObjectKey;

/// How often it is looked whether a record is missing.
const EVERY: Duration = Duration::from_secs(5);
/// How long the holder has to write one.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause after a record was written and is missing still.
const LONGEST: Duration = Duration::from_secs(600);
/// Records of one look; others have their turn at the next.
const AT_ONCE: usize = 20;

/// Records that are missing.
#[derive(Debug, Default)]
struct Missing(BTreeMap<ObjectKey, Waiting>);

/// One of them.
#[derive(Debug)]
struct Waiting {
    /// Which form: the object's uid, and the generation.
    form: (Option<SmolStr>, i64),
    /// How long it is waited, and until when.
    pause: Duration,
    until: Instant,
    /// Since when the record is there: it may be taken away again, by a holder of another version that judges otherwise.
    there: Option<Instant>,
}

/// Writes records while this replica is not the holder. For ever.
pub(super) async fn run(catalog: &CatalogReader, performer: &Performer<'_>, role: &watch::Receiver<Role>) {
    let mut missing = Missing::default();
    loop {
        tokio::time::sleep(EVERY).await;
        if *role.borrow() == Role::Holder {
            missing.0.clear();
            continue;
        }
        // Objects are shared with the catalog; what they say is taken apart without its lock.
        let invalid = catalog.read(|catalog| {
            let is_invalid = |entry: &&Entry| entry.object.last_good.is_some();
            catalog.entries().filter(is_invalid).cloned().collect::<Vec<Entry>>()
        });
        for (entry, status) in missing.due(&invalid, Instant::now()) {
            let key = entry.object.key.clone();
            let steps = vec![Step::WriteStatus { status: Box::new(status), urgency: Urgency::Now }];
            let done = performer.perform(&Work { entry, steps, fingerprint: None }).await;
            if let Done::Wrote { .. } = done {
                tracing::info!(object = %key, "recorded its last good form, which only this replica had seen");
            }
            // Also what was written may not stay.
            missing.tried(&key, done, Instant::now());
        }
    }
}

// === impl Missing ===

impl Missing {
    /// The objects whose record the holder had the time to write, and has not, with the status that has it.
    fn due(&mut self, invalid: &[Entry], now: Instant) -> Vec<(Entry, Status)> {
        let mut still = BTreeMap::new();
        let mut due = Vec::new();
        for entry in invalid.iter().filter(|entry| is_missing(entry)) {
            let form = (entry.object.uid.clone(), entry.last_good_generation.unwrap_or_default());
            let waiting = match self.0.remove(&entry.object.key) {
                Some(Waiting { form: before, pause, there: Some(_), .. }) if before == form => {
                    Waiting { form, pause, until: later(now, pause), there: None }
                }
                Some(waiting) if waiting.form == form => waiting,
                Some(_) | None => Waiting { form, pause: PATIENCE, until: later(now, PATIENCE), there: None },
            };
            if waiting.until <= now && due.len() < AT_ONCE {
                due.extend(with_record(entry).map(|status| (entry.clone(), status)));
            }
            still.insert(entry.object.key.clone(), waiting);
        }
        for (key, mut waiting) in std::mem::take(&mut self.0) {
            let there = *waiting.there.get_or_insert(now);
            if now.saturating_duration_since(there) < LONGEST {
                still.insert(key, waiting);
            }
        }
        self.0 = still;
        due
    }

    /// Waits twice as long as before; as long as ever where nothing is there to be written, as when its kind is gone.
    fn tried(&mut self, key: &ObjectKey, done: Done, now: Instant) {
        if let Some(waiting) = self.0.get_mut(key) {
            let pause = match done {
                Done::Refused(RefusalKind::Gone) => LONGEST,
                Done::Refused(_) | Done::Settled | Done::Wrote { .. } | Done::Panicked => {
                    waiting.pause.saturating_mul(2)
                }
            };
            waiting.pause = pause.min(LONGEST);
            waiting.until = later(now, waiting.pause);
        }
    }
}

// === free functions ===

/// Whether a later form of an object is known than the one that is recorded.
fn is_missing(entry: &Entry) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Recorded {
        last_good: Option<Form>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Form {
        generation: Option<i64>,
    }
    let Some(known) = entry.last_good_generation.filter(|_| entry.object.last_good.is_some()) else { return false };
    let recorded: Recorded =
        entry.status.as_deref().and_then(|status| serde_json::from_str(status).ok()).unwrap_or_default();
    known > recorded.last_good.map_or(-1, |form| form.generation.unwrap_or_default())
}

/// The status of an object with the record that it lacks.
fn with_record(entry: &Entry) -> Option<Status> {
    let status = entry.status.as_deref().map(Status::read).unwrap_or_default();
    Some(Status { last_good: Some(last_good(entry)?), ..status })
}

fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::policy::tree::Node;
    use crate::world::{Kind, Object, Spec};

    /// An invalid object of which generation 3 was good.
    fn entry(status: &Value) -> Entry {
        let node = |value: &Value| Arc::new(Node::from(value));
        Entry {
            object: Object {
                key: ObjectKey { kind: Kind::Policy, account: "a".into(), name: "p".into() },
                uid: Some("u".into()),
                spec: Spec::Read(node(&json!({"typo": 1}))),
                last_good: Some(node(&json!({"statements": []}))),
                deleting: false,
                origin: None,
            },
            last_good_generation: Some(3),
            version: 9,
            generation: 4,
            generation_version: 9,
            finalizers: Vec::new(),
            status: (!status.is_null()).then(|| status.to_string().into()),
            change: 0,
        }
    }

    #[test]
    fn a_record_is_missing_while_a_later_form_is_known() {
        let record = |generation: Value| json!({"arn": "arn:k8s:iam::a:policy/p", "lastGood": {"generation": generation, "spec": {}}});
        for status in [Value::Null, json!({}), record(json!(2)), record(json!(null))] {
            assert!(is_missing(&entry(&status)), "{status}");
            let written = with_record(&entry(&status)).unwrap();
            let expected = json!({"generation": 3, "spec": {"statements": []}});
            assert_eq!(serde_json::to_value(&written.last_good).unwrap(), expected, "{status}");
            assert_eq!(written.arn.is_some(), status["arn"].is_string(), "the rest stays: {status}");
        }
        for generation in [3, 4] {
            assert!(!is_missing(&entry(&record(json!(generation)))), "{generation}");
        }
        let mut unknown = entry(&Value::Null);
        unknown.last_good_generation = None;
        assert!(!is_missing(&unknown));
        let mut valid = entry(&Value::Null);
        valid.object.last_good = None;
        assert!(!is_missing(&valid));
    }

    #[test]
    fn the_holder_has_its_time_and_a_refusal_is_not_asked_for_again_at_once() {
        let mut invalid = [entry(&Value::Null)];
        let key = entry(&Value::Null).object.key;
        let mut missing = Missing::default();
        let begin = Instant::now();
        let mut due = |invalid: &[Entry], after: u64, fails: bool| {
            let now = begin + Duration::from_secs(after);
            let due = missing.due(invalid, now).len();
            if fails {
                missing.tried(&key, Done::Refused(RefusalKind::Conflict), now);
            }
            due
        };
        let asked = [(0, false), (9, false), (10, true), (29, false), (30, true), (69, false), (70, false)];
        assert_eq!(asked.map(|(after, fails)| due(&invalid, after, fails)), [0, 0, 1, 0, 1, 0, 1]);
        // Another generation is another record.
        invalid[0].last_good_generation = Some(5);
        assert_eq!([71, 80, 81].map(|after| due(&invalid, after, false)), [0, 0, 1]);
        missing.tried(&key, Done::Refused(RefusalKind::Gone), begin + Duration::from_secs(81));
        let mut due = |after: u64| missing.due(&invalid, begin + Duration::from_secs(after)).len();
        assert_eq!([680, 681].map(&mut due), [0, 1], "its kind is gone");
    }

    #[test]
    fn who_is_undone_writes_ever_less_often() {
        let record = json!({"lastGood": {"generation": 3, "spec": {}}});
        let (without, with) = ([entry(&Value::Null)], [entry(&record)]);
        let key = entry(&Value::Null).object.key;
        let mut missing = Missing::default();
        let (begin, mut second) = (Instant::now(), 0);
        let mut written = Vec::new();
        while second < 400 {
            let now = begin + Duration::from_secs(second);
            if !missing.due(&without, now).is_empty() {
                written.push(second);
                missing.tried(&key, Done::Settled, now);
                // It is there for a moment, and taken away again.
                assert!(missing.due(&with, begin + Duration::from_secs(second + 1)).is_empty());
                second += 1;
            }
            second += 1;
        }
        assert_eq!(written, [10, 32, 74, 156, 318]);
        let hour = begin + Duration::from_secs(4_000);
        assert!(missing.due(&with, hour).is_empty() && missing.due(&with, hour + LONGEST).is_empty());
        assert!(missing.0.is_empty(), "at last it stays");
    }
}
