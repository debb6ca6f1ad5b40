//! Questions without pause while something breaks, and what must be answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::control_plane::deadline::holds_within;
use crate::control_plane::http::Answer;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::followed::{Writer, path};
use crate::https::{Client, Connection};
use crate::installed::{Installed, iam};
use crate::kube_iam::KubeIam;

/// How many failures a message shows.
const SHOWN: usize = 5;

/// What alice may read, by kube-iam alone.
pub const SETTINGS: &str = "/api/v1/namespaces/payments/configmaps/settings";

/// Something that is done over and over: `Err` says what went wrong.
pub type Work = Box<dyn FnMut() -> Result<(), String> + Send>;

/// Works that go on in threads of their own.
pub struct Load {
    stop: Arc<AtomicBool>,
    began: Instant,
    threads: Vec<JoinHandle<Tally>>,
}

/// What a load came to.
#[derive(Debug, Default)]
pub struct Tally {
    pub done: u32,
    pub failed: Vec<String>,
    pub took: Duration,
}

/// Asks replicas by turns, as a load balancer would: who does not answer is left for the next one.
pub struct Asker {
    replicas: Vec<(Client, Option<Connection>)>,
    turn: usize,
}

/// A SubjectAccessReview, and its answer.
#[derive(Clone, Debug)]
pub struct Question {
    pub body: String,
    pub expected: Opinion,
}

/// What kube-iam says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opinion {
    Allowed,
    Denied,
    None,
}

/// People in the account `payments`, none of whom RBAC gives anything.
pub struct People {
    /// May read ConfigMaps and Pods. Reading Secrets is denied to her.
    pub alice: Kubeconfig,
    /// Of whom nobody speaks.
    pub bob: Kubeconfig,
}

// === impl Load ===

impl Load {
    /// Does each of these so many times a second, as far as it takes no longer.
    pub fn start(works: Vec<Work>, per_second: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let threads = works.into_iter().map(|work| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || repeat(work, per_second, &stop))
        });
        Self { began, threads: threads.collect(), stop }
    }

    /// Ends it.
    #[track_caller]
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally { took: self.began.elapsed(), ..Tally::default() };
        for thread in self.threads {
            let tally = thread.join().expect("a load panicked");
            all.done += tally.done;
            all.failed.extend(tally.failed);
        }
        all
    }
}

fn repeat(mut work: Work, per_second: u32, stop: &AtomicBool) -> Tally {
    let pace = Duration::from_secs(1) / per_second;
    let mut tally = Tally::default();
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if let Err(message) = work() {
            tally.failed.push(message);
        }
        tally.done += 1;
        next += pace;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    tally
}

// === impl Tally ===

impl Tally {
    /// All went well, at this rate at least.
    #[track_caller]
    pub fn assert_clean(&self, what: &str, per_second: f64) {
        let rate = f64::from(self.done) / self.took.as_secs_f64();
        eprintln!("{what}: {} in {:?}, {rate:.0}/s, {} failed", self.done, self.took, self.failed.len());
        let shown = &self.failed[..self.failed.len().min(SHOWN)];
        assert!(self.failed.is_empty(), "{what}: {} of {} failed: {shown:#?}", self.failed.len(), self.done);
        assert!(rate >= per_second, "{what}: {rate:.0}/s, not {per_second}/s");
    }
}

// === impl Asker ===

impl Asker {
    pub fn new(replicas: &[&KubeIam]) -> Self {
        let replicas = replicas.iter().map(|replica| (Client::of_webhook(replica), None)).collect();
        Self { replicas, turn: 0 }
    }

    /// The opinion of the first replica that answers.
    pub fn ask(&mut self, review: &str) -> Result<Opinion, String> {
        self.turn += 1;
        let mut said = String::new();
        for attempt in 0..self.replicas.len() {
            let at = (self.turn + attempt) % self.replicas.len();
            match self.ask_one(at, review) {
                Ok(Answer { status: 200, body }) => return Opinion::read(&body),
                Ok(answer) => said.push_str(&format!("replica {at}: {} {}; ", answer.status, answer.body)),
                Err(error) => {
                    self.replicas[at].1 = None;
                    said.push_str(&format!("replica {at}: {error}; "));
                }
            }
        }
        Err(said)
    }

    fn ask_one(&mut self, at: usize, review: &str) -> std::io::Result<Answer> {
        let (client, connection) = &mut self.replicas[at];
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(client.connect()?),
        };
        connection.request("POST", "/authorize", review.as_bytes())
    }

    /// Questions by turns, each answered as it must be.
    pub fn asking(mut self, questions: Vec<Question>) -> Work {
        let mut turn = 0;
        Box::new(move || {
            let question = &questions[turn % questions.len()];
            turn += 1;
            let answer = self.ask(&question.body)?;
            if answer == question.expected {
                Ok(())
            } else {
                Err(format!("{answer:?} instead of {:?}: {}", question.expected, question.body))
            }
        })
    }
}

// === impl Question ===

impl Question {
    pub fn new(user: &str, account: &str, resource: &str, expected: Opinion) -> Self {
        Self { body: review(user, account, resource, "x"), expected }
    }

    /// What everybody asks about the people of `payments`.
    pub fn of_payments() -> Vec<Self> {
        vec![
            Self::new("alice", "payments", "configmaps", Opinion::Allowed),
            Self::new("alice", "payments", "secrets", Opinion::Denied),
            Self::new("bob", "payments", "configmaps", Opinion::None),
            Self::new("alice", "payments", "pods", Opinion::Allowed),
        ]
    }
}

/// A SubjectAccessReview of somebody who wants to get an object of the core group.
pub fn review(user: &str, account: &str, resource: &str, name: &str) -> String {
    let attributes = json!({"namespace": account, "verb": "get", "version": "v1", "resource": resource, "name": name});
    let spec = json!({"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes});
    json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}).to_string()
}

// === impl Opinion ===

impl Opinion {
    /// The opinion of an answer that must have one.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self::read(&answer.body).unwrap()
    }

    fn read(body: &str) -> Result<Self, String> {
        let answer: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?;
        match (answer["status"]["allowed"].as_bool(), answer["status"]["denied"].as_bool()) {
            (Some(true), None | Some(false)) => Ok(Self::Allowed),
            (Some(false), Some(true)) => Ok(Self::Denied),
            (Some(false), None | Some(false)) => Ok(Self::None),
            (_, _) => Err(format!("no answer: {body}")),
        }
    }
}

// === impl People ===

impl People {
    /// Makes them, and returns when what they may is in force.
    #[track_caller]
    pub fn declare(installed: &Installed) -> Self {
        installed.by_admin(["create", "namespace", "payments"]);
        installed.by_admin(["create", "configmap", "settings", "-n", "payments"]);
        let read = json!([
            {"sid": "Read", "effect": "Allow", "actions": ["k8s:get"],
             "resources": ["arn:k8s:core::payments:configmaps/*", "arn:k8s:core::payments:pods/*"]},
            {"sid": "NoSecrets", "effect": "Deny", "actions": ["k8s:*"], "resources": ["arn:k8s:core::payments:secrets/*"]},
        ]);
        let alice = json!({"identities": [{"kind": "User", "name": "alice"}], "policies": ["read"]});
        installed.apply(&[
            iam("IamPolicy", "payments", "read", &json!({"statements": read})),
            iam("IamUser", "payments", "alice", &alice),
        ]);
        let wait = ["wait", "--for=condition=Ready", "iampolicy/read", "iamuser/alice"];
        installed.by_admin(wait.into_iter().chain(["-n", "payments", "--timeout=30s"]));
        let person = |name| installed.cluster.client_certificate(name, &[]);
        Self { alice: person("alice"), bob: person("bob") }
    }

    /// The statuses of both who read the settings.
    #[track_caller]
    pub fn statuses(&self) -> (u16, u16) {
        let status = |who| Client::of(who).get(SETTINGS).map_or(0, |answer| answer.status);
        (status(&self.alice), status(&self.bob))
    }

    /// Whether both are answered right.
    #[track_caller]
    pub fn are_answered_right(&self) -> bool {
        self.statuses() == (200, 403)
    }
}

// === objects that are watched ===

/// The status of a condition of an object, and its message.
#[track_caller]
pub fn condition(writer: &Writer, object: &Value, kind: &str) -> (String, String) {
    let stored = writer.send(Method::GET, &path(object), &Value::Null);
    let conditions = stored["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == kind).cloned().unwrap_or_default();
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("message"))
}

/// How long it takes until an object is ready.
#[track_caller]
pub fn until_ready(writer: &Writer, object: &Value, within: Duration) -> Duration {
    let began = Instant::now();
    let mut said = Default::default();
    let ready = holds_within(within, || {
        said = condition(writer, object, "Ready");
        said.0 == "True"
    });
    assert!(ready, "not ready within {within:?}: {said:?}");
    began.elapsed()
}

/// Waits until a replica counts so many that live.
#[track_caller]
pub fn until_live(kube_iam: &KubeIam, count: f64, within: Duration) -> Duration {
    let began = Instant::now();
    let live = || kube_iam.metric("kube_iam_live_replicas");
    assert!(holds_within(within, || live() == count), "{} live replicas, not {count}, after {within:?}", live());
    began.elapsed()
}
