//! Questions without pause while many objects are written: every answer is one of what was declared just then
//! (`guarantees.md` I20, I21).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fault_load::{Asker, Load, Opinion, Work, review};
use crate::followed::path;
use crate::https::{Client, Connection};
use crate::installed::{Installed, iam};

/// How long a written state may take to be in force: Allows wait for a second at most, and the machine is busy.
const IN_FORCE: Duration = Duration::from_secs(2);
const STORM: Duration = Duration::from_secs(10);
/// How many states of before are asked about.
const BACK: usize = 14;

/// When each state of the policy was declared.
#[derive(Clone, Default)]
struct Timeline(Arc<Mutex<Vec<Declared>>>);

#[derive(Clone, Copy)]
struct Declared {
    /// It may be in force from here on.
    sent: Instant,
    /// It is in force soon after this.
    acknowledged: Option<Instant>,
}

/// The states that may be in force during a question.
#[derive(Clone, Copy, Debug)]
struct Window {
    first: usize,
    last: usize,
}

/// Asks about the states of a timeline, and remembers how far it has seen them.
struct Witness {
    asker: Asker,
    timeline: Timeline,
    turn: usize,
    seen: usize,
}

// === impl Timeline ===

impl Timeline {
    fn begin(&self) -> usize {
        let mut declared = self.0.lock().unwrap();
        declared.push(Declared { sent: Instant::now(), acknowledged: None });
        declared.len() - 1
    }

    fn acknowledge(&self, state: usize) {
        self.0.lock().unwrap()[state].acknowledged = Some(Instant::now());
    }

    fn newest(&self) -> usize {
        self.0.lock().unwrap().len() - 1
    }

    fn window(&self, asked: Instant, answered: Instant) -> Window {
        let declared = self.0.lock().unwrap();
        let settled = |state: &Declared| state.acknowledged.is_some_and(|since| since + IN_FORCE <= asked);
        let first = declared.iter().rposition(settled).unwrap_or(0);
        let last = declared.iter().rposition(|state| state.sent <= answered).unwrap_or(0);
        Window { first, last }
    }
}

// === impl Witness ===

impl Witness {
    fn work(asker: Asker, timeline: Timeline) -> Work {
        let mut witness = Self { asker, timeline, turn: 0, seen: 0 };
        Box::new(move || witness.look())
    }

    fn look(&mut self) -> Result<(), String> {
        self.turn += 1;
        match self.turn % 5 {
            0 => self.expect("pods", "x", |_| Opinion::Allowed),
            1 => self.expect("secrets", "x", |_| Opinion::None),
            2 => self.expect("services", "x", |state| if is_shut(state) { Opinion::Denied } else { Opinion::Allowed }),
            _ => {
                let about = (self.timeline.newest() + 1).saturating_sub(self.turn * 7 % BACK);
                let is_it = |state| if state == about { Opinion::Allowed } else { Opinion::None };
                self.expect("configmaps", &step(about), is_it)
            }
        }
    }

    fn expect(&mut self, resource: &str, name: &str, opinion: impl Fn(usize) -> Opinion) -> Result<(), String> {
        let asked = Instant::now();
        let answer = self.asker.ask(&review("alice", "storm", resource, name))?;
        let mut window = self.timeline.window(asked, Instant::now());
        // What was seen once does not go back.
        window.first = window.first.max(self.seen);
        let possible: Vec<usize> = (window.first..=window.last).filter(|state| opinion(*state) == answer).collect();
        if let ([state], "configmaps", Opinion::Allowed) = (possible.as_slice(), resource, answer) {
            self.seen = *state;
        }
        if possible.is_empty() {
            return Err(format!("{resource}/{name} is {answer:?} while states {window:?} may be in force"));
        }
        Ok(())
    }
}

/// Allows one ConfigMap more than nothing, by the number of the state; Pods in every state, Secrets in none.
fn policy(state: usize) -> Value {
    let statement = |sid: &str, effect: &str, resource: &str| {
        let arn = format!("arn:k8s:core::storm:{resource}");
        json!({"sid": sid, "effect": effect, "actions": ["k8s:get"], "resources": [arn]})
    };
    let mut statements = vec![
        statement("Pods", "Allow", "pods/*"),
        statement("Services", "Allow", "services/*"),
        statement("Step", "Allow", &format!("configmaps/{}", step(state))),
    ];
    if is_shut(state) {
        statements.push(statement("NoServices", "Deny", "services/*"));
    }
    iam("IamPolicy", "storm", "steps", &json!({"statements": statements}))
}

fn step(state: usize) -> String {
    format!("step-{state}")
}

/// Whether a state denies services.
fn is_shut(state: usize) -> bool {
    !state.is_multiple_of(2)
}

/// Declares the next state.
fn declaring(mut admin: Connection, timeline: Timeline) -> Work {
    Box::new(move || {
        let state = timeline.begin();
        let policy = policy(state);
        let (media_type, body) = ("application/merge-patch+json", json!({"spec": policy["spec"]}).to_string());
        let answer = admin.request_as("PATCH", &path(&policy), media_type, body.as_bytes());
        match answer.map_err(|error| error.to_string())? {
            answer if answer.status == 200 => {
                timeline.acknowledge(state);
                Ok(())
            }
            answer => Err(format!("{} {}", answer.status, answer.body)),
        }
    })
}

/// Creates objects that have nothing to do with alice, and deletes every other one again.
fn littering(mut admin: Connection, writer: usize, count: &Arc<AtomicUsize>) -> Work {
    let count = Arc::clone(count);
    let mut turn = 0;
    Box::new(move || {
        let spec = json!({"identities": [{"kind": "User", "name": format!("nobody-{writer}-{}", turn / 3)}]});
        let user = iam("IamUser", "storm", &format!("nobody-{writer}-{}", turn / 3), &spec);
        let answer = match turn % 3 {
            0 => {
                let place = path(&user);
                let (collection, _) = place.rsplit_once('/').unwrap();
                admin.request("POST", collection, user.to_string().as_bytes())
            }
            1 => {
                let (media_type, body) = ("application/merge-patch+json", json!({"spec": {"disabled": true}}));
                admin.request_as("PATCH", &path(&user), media_type, body.to_string().as_bytes())
            }
            _ => admin.request("DELETE", &path(&user), b""),
        };
        turn += 1;
        match answer.map_err(|error| error.to_string())? {
            answer if matches!(answer.status, 200..=202) => {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            answer => Err(format!("{} {}", answer.status, answer.body)),
        }
    })
}

#[test]
fn every_answer_during_a_storm_of_writes_is_one_of_what_was_declared_just_then() {
    let installed = Installed::start(&["--mode", "coexist"]);
    installed.by_admin(["create", "namespace", "storm"]);
    let timeline = Timeline::default();
    let first = timeline.begin();
    let alice = json!({"identities": [{"kind": "User", "name": "alice"}], "policies": ["steps"]});
    installed.apply(&[policy(first), iam("IamUser", "storm", "alice", &alice)]);
    let wait = ["wait", "--for=condition=Ready", "iampolicy/steps", "iamuser/alice", "-n", "storm", "--timeout=20s"];
    installed.by_admin(wait);
    timeline.acknowledge(first);

    let admin = Client::of(installed.admin());
    let witness = || Witness::work(Asker::new(&[&installed.kube_iam]), timeline.clone());
    let questions = Load::start((0..4).map(|_| witness()).collect(), 75);
    let written = Arc::new(AtomicUsize::new(0));
    let litter = |writer| littering(admin.connect().unwrap(), writer, &written);
    let writes = Load::start((0..4).map(litter).collect(), 25);
    let steps = Load::start(vec![declaring(admin.connect().unwrap(), timeline.clone())], 4);
    let began = Instant::now();
    while began.elapsed() < STORM || (written.load(Ordering::Relaxed) < 500 && began.elapsed() < STORM * 2) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let (steps, writes, questions) = (steps.stop(), writes.stop(), questions.stop());
    steps.assert_clean("states", 1.0);
    writes.assert_clean("writes", 20.0);
    questions.assert_clean("questions", 200.0);
    assert!(written.load(Ordering::Relaxed) >= 500, "{written:?} objects written in {:?}", began.elapsed());

    // The last state stands.
    std::thread::sleep(IN_FORCE);
    let mut witness = Witness { asker: Asker::new(&[&installed.kube_iam]), timeline, turn: 0, seen: 0 };
    let last = witness.timeline.newest();
    witness
        .expect("configmaps", &step(last), |state| if state == last { Opinion::Allowed } else { Opinion::None })
        .unwrap();
    assert_eq!(witness.seen, last);
}
