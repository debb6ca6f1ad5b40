//! Replicas that die, that stand still and that come back (`guarantees.md` F03, F04, R12).

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::control_plane::deadline::wait_until;
use crate::control_plane::process::Signal;
use crate::fault_load::{Asker, Load, People, Question, condition, until_live, until_ready};
use crate::followed::Writer;
use crate::installed::{Installed, iam};
use crate::kube_iam::KubeIam;

const COEXIST: [&str; 2] = ["--mode", "coexist"];

/// What a busy machine may add to any wait.
const BUSY: Duration = Duration::from_secs(3);
/// How long a replica counts that says nothing any more.
const LIVENESS: Duration = Duration::from_secs(10);
/// How long something takes for which nobody has to be waited for.
const SOON: Duration = Duration::from_secs(2);
/// A process has its signal by then, and its connections are broken.
const SIGNALLED: Duration = Duration::from_millis(500);
const READY: Duration = Duration::from_secs(20);

/// kube-iam twice: the API server asks the first, which writes status, and both answer.
struct Pair {
    installed: Installed,
    other: KubeIam,
    people: People,
    writer: Writer,
}

// === impl Pair ===

impl Pair {
    #[track_caller]
    fn start() -> Self {
        let installed = Installed::start(&COEXIST);
        let people = People::declare(&installed);
        let other = installed.replica(&COEXIST);
        let writer = Writer::new(installed.admin());
        for replica in [&installed.kube_iam, &other] {
            until_live(replica, 2.0, READY);
        }
        assert_eq!(installed.holder(), installed.kube_iam.replica_id());
        Self { installed, other, people, writer }
    }

    /// A new object.
    #[track_caller]
    fn create(&self, name: &str) -> Value {
        let group = iam("IamGroup", "payments", name, &json!({"policies": ["read"]}));
        self.writer.create(&group);
        group
    }

    /// An object waits for the other replica.
    #[track_caller]
    fn waits(&self, object: &Value) {
        let waiting = ("False".to_owned(), "1 of 2 replicas run this version".to_owned());
        wait_until(BUSY, || condition(&self.writer, object, "Enforced") == waiting);
        assert_eq!(condition(&self.writer, object, "Ready"), waiting);
    }

    /// An object becomes ready at once, on both.
    #[track_caller]
    fn is_soon_ready(&self, object: &Value) {
        until_ready(&self.writer, object, SOON + BUSY);
        let enforced = condition(&self.writer, object, "Enforced");
        assert_eq!(enforced, ("True".to_owned(), "2 of 2 replicas run this version".to_owned()));
    }
}

#[test]
fn no_question_is_lost_while_one_of_two_replicas_is_killed_and_comes_back() {
    let mut pair = Pair::start();
    let identities = (pair.installed.kube_iam.replica_id(), pair.other.replica_id());
    assert_ne!(identities.0, identities.1);
    let asker = || Asker::new(&[&pair.installed.kube_iam, &pair.other]).asking(Question::of_payments());
    let load = Load::start((0..4).map(|_| asker()).collect(), 75);

    pair.other.kill();
    let killed = Instant::now();
    let during = pair.create("during");
    pair.waits(&during);
    until_ready(&pair.writer, &during, LIVENESS + BUSY);
    eprintln!("ready {:?} after the kill", killed.elapsed());
    until_live(&pair.installed.kube_iam, 1.0, SOON);

    pair.other.start_again();
    until_live(&pair.installed.kube_iam, 2.0, SOON + BUSY);
    let after = pair.create("after");
    pair.is_soon_ready(&after);

    // The one that writes status, and comes back before anybody else may.
    pair.installed.kube_iam.kill();
    pair.installed.kube_iam.start_again();
    pair.installed.wait_until_registered().unwrap();
    let last = pair.create("last");
    pair.is_soon_ready(&last);
    assert_eq!(pair.installed.holder(), identities.0);

    load.stop().assert_clean("questions with two replicas", 200.0);
    assert_eq!((pair.installed.kube_iam.replica_id(), pair.other.replica_id()), identities);
}

#[test]
fn with_every_replica_down_nobody_gets_more_and_all_is_well_when_they_are_back() {
    let mut pair = Pair::start();
    pair.installed.by_admin(["create", "serviceaccount", "addon", "-n", "kube-system"]);
    let grant = ["create", "rolebinding", "addon", "--clusterrole=view", "--serviceaccount=kube-system:addon"];
    pair.installed.by_admin(grant.into_iter().chain(["-n", "payments"]));
    let addon = pair.installed.cluster.service_account_token("kube-system", "addon");
    assert!(pair.people.are_answered_right());

    pair.installed.kube_iam.kill();
    pair.other.kill();
    let asked = Instant::now();
    assert_eq!(pair.people.statuses(), (500, 500));
    assert!(asked.elapsed() < BUSY, "a refused connection is no reason to wait");
    pair.installed.kubectl(&addon, ["get", "configmaps", "-n", "payments"]).succeeded();
    pair.installed.by_admin(["create", "configmap", "during", "-n", "payments"]);
    let group = iam("IamGroup", "payments", "during", &json!({})).to_string();
    let refusal = pair.installed.cluster.kubectl_with_input(pair.installed.admin(), ["create", "-f", "-"], &group);
    let refusal = refusal.failed();
    assert!(refusal.contains("failed calling webhook \"objects.kube-iam.dev\""), "{refusal}");

    pair.installed.kube_iam.start_again();
    pair.other.start_again();
    wait_until(READY, || pair.people.are_answered_right());
    pair.installed.wait_until_registered().unwrap();
    until_live(&pair.installed.kube_iam, 2.0, SOON + BUSY);
    let after = pair.create("after");
    pair.is_soon_ready(&after);
}

#[test]
fn an_object_is_ready_when_every_replica_that_lives_runs_it() {
    let mut pair = Pair::start();
    let first = pair.create("first");
    pair.is_soon_ready(&first);

    // A replica stands still, and goes on.
    pair.other.signal(Signal::Stop);
    thread::sleep(SIGNALLED);
    let held = pair.create("held");
    pair.waits(&held);
    pair.other.signal(Signal::Continue);
    let released = until_ready(&pair.writer, &held, SOON + BUSY);
    eprintln!("ready {released:?} after the release");
    pair.is_soon_ready(&held);

    // A replica stands still for good.
    pair.other.signal(Signal::Stop);
    thread::sleep(SIGNALLED);
    let left = pair.create("left");
    pair.waits(&left);
    let took = until_ready(&pair.writer, &left, LIVENESS + BUSY);
    eprintln!("ready {took:?} after it was created without the other replica");
    assert_eq!(condition(&pair.writer, &left, "Enforced").1, "1 of 1 replicas run this version");

    // It comes back after all: what was ready stays so, and it counts again.
    pair.other.signal(Signal::Continue);
    until_live(&pair.installed.kube_iam, 2.0, SOON + BUSY);
    assert_eq!(condition(&pair.writer, &left, "Ready").0, "True");
    let last = pair.create("last");
    pair.is_soon_ready(&last);
}
