//! Several replicas: who writes, whom an object waits for, and who is counted no more.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::control_plane::deadline::holds_within;
use crate::control_plane::process::Signal;
use crate::followed::{self, object};
use crate::https::Client;
use crate::kube_iam::{KubeIam, World};
use crate::operated::{Operated, condition, metric, path, reads, statements, took};
use crate::site::MANAGEMENT;
use crate::store_outages::{back_up_etcd, restore_etcd};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-iam-system/leases/kube-iam-operator";

fn is_ready(operated: &Operated, account: &str, name: &str) -> bool {
    let policy = operated.get("IamPolicy", account, name);
    let ready = condition(&policy, "Ready");
    ready["status"] == "True" && ready["observedGeneration"] == policy["metadata"]["generation"]
}

fn enforced(operated: &Operated, account: &str, name: &str) -> String {
    let policy = operated.get("IamPolicy", account, name);
    condition(&policy, "Enforced")["message"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn until_replicas(operated: &Operated, count: u64) {
    let counted = |replica: &KubeIam| metric(replica, "kube_iam_live_replicas") == Some(count);
    let held = holds_within(Duration::from_secs(30), || operated.replicas.iter().all(counted));
    assert!(held, "not {count} replicas{}", operated.log_tails());
}

#[test]
fn ready_waits_for_each_live_replica_and_for_no_dead_one() {
    let mut operated = Operated::start(3);
    let account = "replicas-wait";
    operated.writer.namespace(account);
    until_replicas(&operated, 3);
    let holder = operated.holder();
    operated.writer.create(&reads(account, "first"));
    took(Duration::from_secs(10), || is_ready(&operated, account, "first"));
    assert_eq!(enforced(&operated, account, "first"), "3 of 3 replicas run this version");

    // One is held: what is new waits for it, and what was ready stays so.
    let other = (holder + 1) % 3;
    operated.replicas[other].signal(Signal::Stop);
    operated.writer.create(&reads(account, "second"));
    let told = || enforced(&operated, account, "second") == "2 of 3 replicas run this version";
    took(Duration::from_secs(5), told);
    let policy = operated.get("IamPolicy", account, "second");
    assert_eq!(condition(&policy, "Reconciling")["status"], "True", "{policy:#}");
    assert!(!is_ready(&operated, account, "second") && is_ready(&operated, account, "first"));
    operated.replicas[other].signal(Signal::Continue);
    let released = took(Duration::from_secs(5), || is_ready(&operated, account, "second"));
    eprintln!("ready {released:?} after a held replica was released");

    // One is killed: it is waited for until its life has lapsed.
    let first = operated.get("IamPolicy", account, "first");
    operated.replicas[other].kill();
    operated.writer.create(&reads(account, "third"));
    let began = Instant::now();
    took(Duration::from_secs(20), || is_ready(&operated, account, "third"));
    eprintln!("ready {:?} after a replica was killed", began.elapsed());
    assert!(began.elapsed() > Duration::from_secs(4), "a dead replica was never waited for");
    assert_eq!(enforced(&operated, account, "third"), "2 of 2 replicas run this version");

    // It comes back as itself, and nothing is written on its account.
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-iam-system/leases";
    let count = |operated: &Operated| {
        let leases = operated.writer.send(Method::GET, leases, &Value::Null);
        leases["items"].as_array().unwrap().len()
    };
    assert_eq!(count(&operated), 4);
    operated.replicas[other].start_again();
    until_replicas(&operated, 3);
    assert_eq!(count(&operated), 4);
    assert_eq!(operated.get("IamPolicy", account, "first"), first);
    operated.check_history(None);
}

#[test]
fn a_successor_of_a_killed_holder_writes_within_twenty_seconds() {
    let mut operated = Operated::start(2);
    let account = "replicas-successor";
    operated.writer.namespace(account);
    until_replicas(&operated, 2);
    operated.writer.create(&reads(account, "first"));
    took(Duration::from_secs(10), || is_ready(&operated, account, "first"));
    let holder = operated.holder();
    operated.replicas[holder].kill();
    operated.writer.create(&reads(account, "second"));
    let waited = took(Duration::from_secs(20), || is_ready(&operated, account, "second"));
    eprintln!("a successor wrote after {waited:?}");
    operated.replicas[holder].start_again();

    // One that ends in order hands over at once.
    let holder = operated.holder();
    operated.replicas[holder].stop_gracefully();
    operated.writer.create(&reads(account, "third"));
    let waited = took(Duration::from_secs(10), || is_ready(&operated, account, "third"));
    eprintln!("after an orderly end another wrote after {waited:?}");
    operated.check_history(None);
}

#[test]
fn a_lease_that_is_deleted_or_stolen_costs_no_status_and_nobody_fights() {
    let operated = Operated::start(3);
    let account = "replicas-lease";
    operated.writer.namespace(account);
    until_replicas(&operated, 3);
    operated.holder();
    for round in 0..3 {
        took(Duration::from_secs(10), || operated.writer.try_send(Method::DELETE, LEASE, &Value::Null).is_ok());
        let name = format!("deleted-{round}");
        operated.writer.create(&reads(account, &name));
        took(Duration::from_secs(20), || is_ready(&operated, account, &name));
    }
    // A thief, whose clock is decades off, and who never renews.
    let thief = json!({"spec": {"holderIdentity": "thief", "renewTime": "2099-01-01T00:00:00.000000Z"}});
    took(Duration::from_secs(10), || operated.writer.try_send(Method::PATCH, LEASE, &thief).is_ok());
    took(Duration::from_secs(5), || operated.replicas.iter().all(|one| metric(one, "kube_iam_leader") == Some(0)));
    operated.writer.create(&reads(account, "stolen"));
    let waited = took(Duration::from_secs(20), || is_ready(&operated, account, "stolen"));
    eprintln!("after a theft a holder wrote after {waited:?}");
    // Leases that change hands all the time: the same end, and few writes.
    let before = operated.writes("status");
    for round in 0..20 {
        let replica = format!("nobody-{round}");
        let _ = operated.writer.try_send(Method::PATCH, LEASE, &json!({"spec": {"holderIdentity": replica}}));
        let _ = operated.writer.try_send(Method::DELETE, LEASE, &Value::Null);
        operated.writer.create(&reads(account, &format!("spam-{round}")));
        std::thread::sleep(Duration::from_millis(300));
    }
    for round in 0..20 {
        took(Duration::from_secs(30), || is_ready(&operated, account, &format!("spam-{round}")));
    }
    let written = operated.writes("status") - before;
    eprintln!("{written} statuses for 20 objects under a Lease that changed hands 20 times");
    assert!(written <= 60, "{written}");
    operated.check_history(None);
}

#[test]
fn at_rest_nothing_is_written_but_leases() {
    let operated = Operated::start(2);
    let account = "replicas-rest";
    operated.writer.namespace(account);
    until_replicas(&operated, 2);
    for index in 0..20 {
        operated.writer.create(&reads(account, &format!("policy-{index}")));
        let user = json!({"policies": [format!("policy-{index}"), "missing"]});
        operated.writer.create(&object("IamUser", account, &format!("user-{index}"), &user));
    }
    for index in 0..20 {
        operated.until_ready("IamUser", account, &format!("user-{index}"), "False", "ReferenceNotFound");
        operated.until("IamPolicy", account, &format!("policy-{index}"), "attached", |policy| {
            policy["status"]["attachmentCount"] == 1
        });
    }
    std::thread::sleep(Duration::from_secs(3));
    let versions = || -> Vec<String> {
        let all = ["iamusers", "iampolicies"].map(|plural| {
            let list = format!("/apis/kube-iam.dev/v1alpha1/namespaces/{account}/{plural}");
            operated.writer.send(Method::GET, &list, &Value::Null)["items"].as_array().unwrap().clone()
        });
        all.concat().iter().map(|object| object["metadata"]["resourceVersion"].to_string()).collect()
    };
    let targets = ["status", "finalizer", "event", "ca_bundle"];
    let (before, writes) = (versions(), targets.map(|target| operated.writes(target)));
    std::thread::sleep(Duration::from_secs(15));
    assert_eq!(versions(), before);
    assert_eq!(targets.map(|target| operated.writes(target)), writes);
}

#[test]
fn an_api_server_that_goes_and_comes_back_finds_the_operator_at_work() {
    let operated = Operated::start(2);
    let account = "replicas-outage";
    operated.writer.namespace(account);
    until_replicas(&operated, 2);
    operated.writer.create(&reads(account, "first"));
    took(Duration::from_secs(10), || is_ready(&operated, account, "first"));
    let api_server = operated.cluster.api_server();
    api_server.kill();
    std::thread::sleep(Duration::from_secs(15));
    api_server.start();
    let create = || operated.writer.try_send(Method::POST, &collection(account), &reads(account, "second")).is_ok();
    took(Duration::from_secs(30), create);
    let waited = took(Duration::from_secs(30), || is_ready(&operated, account, "second"));
    eprintln!("ready {waited:?} after the API server was back");
    until_replicas(&operated, 2);
    assert_eq!(enforced(&operated, account, "second"), "2 of 2 replicas run this version");
}

#[test]
fn the_operator_waits_for_its_namespace() {
    let (cluster, writer) = followed::started();
    let replica = KubeIam::start(World::Cluster(cluster.admin().clone()), &[]);
    writer.namespace("early");
    writer.create(&reads("early", "read"));
    std::thread::sleep(Duration::from_secs(3));
    let get = || writer.send(Method::GET, &path("IamPolicy", "early", "read"), &Value::Null);
    assert!(get()["status"].is_null());
    assert_eq!(metric(&replica, "kube_iam_leader"), Some(0));
    writer.namespace(MANAGEMENT);
    took(Duration::from_secs(15), || condition(&get(), "Ready")["status"] == "True");
}

#[test]
fn a_record_keeps_what_was_denied_for_a_replica_that_never_saw_it() {
    let operated = Operated::start(1);
    let account = "replicas-record";
    operated.writer.namespace(account);
    let policy = object("IamPolicy", account, "no", &json!({"statements": statements("Deny")}));
    operated.writer.create(&policy);
    let alice = json!({"identities": [{"kind": "User", "name": "record-alice"}], "policies": ["no"]});
    operated.writer.create(&object("IamUser", account, "alice", &alice));
    operated.until_ready("IamUser", account, "alice", "True", "InForce");
    operated.writer.respecify(&policy, &json!({"statements": [], "nonsense": true}));
    operated.until("IamPolicy", account, "no", "a record", |policy| {
        policy["status"]["lastGood"] == json!({"generation": 1, "spec": {"statements": statements("Deny")}})
    });
    let newcomer = KubeIam::start(operated.world(), &[]);
    let review = json!({
        "user": "record-alice", "groups": ["system:authenticated"],
        "resourceAttributes": {"namespace": account, "verb": "get", "version": "v1", "resource": "pods", "name": "x"},
    });
    let reason = Client::of_webhook(&newcomer).review(&review).reason;
    assert!(reason.contains("ExplicitDeny"), "{reason}");
}

fn collection(account: &str) -> String {
    format!("/apis/kube-iam.dev/v1alpha1/namespaces/{account}/iampolicies")
}

#[test]
fn after_a_restore_replicas_wait_for_each_other_to_have_listed_anew() {
    let operated = Operated::start(2);
    let account = "replicas-restored";
    operated.writer.namespace(account);
    operated.writer.create(&reads(account, "first"));
    took(Duration::from_secs(10), || is_ready(&operated, account, "first"));
    back_up_etcd(&operated.cluster);
    for number in 0..40 {
        operated.writer.create(&reads(account, &format!("future-{number}")));
    }
    took(Duration::from_secs(20), || is_ready(&operated, account, "future-39"));

    restore_etcd(&operated.cluster);
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-iam-system/leases?labelSelector=kube-iam.dev/replica";
    let vectors = |operated: &Operated| -> Vec<String> {
        let leases = operated.writer.try_send(Method::GET, leases, &Value::Null).unwrap_or_default();
        let leases = leases["items"].as_array().cloned().unwrap_or_default();
        let vector =
            |lease: &Value| lease["metadata"]["annotations"]["kube-iam.dev/vector"].as_str().map(str::to_owned);
        leases.iter().filter_map(vector).collect()
    };
    let in_one_epoch = |vector: &String| vector.split(',').all(|kind| kind.contains("=1/"));
    let held = holds_within(Duration::from_secs(90), || {
        let vectors = vectors(&operated);
        vectors.len() == 2 && vectors.iter().all(in_one_epoch)
    });
    assert!(held, "{:?}{}", vectors(&operated), operated.log_tails());
    operated.writer.create(&reads(account, "second"));
    took(Duration::from_secs(20), || is_ready(&operated, account, "second"));
    assert_eq!(enforced(&operated, account, "second"), "2 of 2 replicas run this version");
}

#[test]
fn what_one_replica_alone_has_seen_of_an_object_is_recorded_whoever_is_the_holder() {
    let mut operated = Operated::start(2);
    let account = "replicas-remember";
    operated.writer.namespace(account);
    until_replicas(&operated, 2);
    let policy = object("IamPolicy", account, "no", &json!({"statements": statements("Allow")}));
    operated.writer.create(&policy);
    took(Duration::from_secs(10), || is_ready(&operated, account, "no"));
    // The holder is away for a moment. When it is back, before its time has lapsed, it is the holder still.
    let holder = operated.holder();
    operated.replicas[holder].kill();
    operated.writer.respecify(&policy, &json!({"statements": statements("Deny")}));
    std::thread::sleep(Duration::from_millis(300));
    operated.writer.respecify(&policy, &json!({"statements": [], "nonsense": true}));
    operated.replicas[holder].start_again();
    let recorded = json!({"generation": 2, "spec": {"statements": statements("Deny")}});
    operated.until("IamPolicy", account, "no", "a record", |policy| policy["status"]["lastGood"] == recorded);
    eprintln!("recorded while the holder is replica {}; it was {holder}", operated.holder());
    let digests = || operated.replicas.iter().map(digest).collect::<std::collections::BTreeSet<_>>();
    took(Duration::from_secs(10), || digests().len() == 1);
}

/// The line of the metrics that names the digest in force.
fn digest(replica: &KubeIam) -> String {
    let metrics = replica.health("metrics").map(|answer| answer.body).unwrap_or_default();
    let line = metrics.lines().find(|line| line.starts_with("kube_iam_store_digest_info"));
    line.expect("no digest").to_owned()
}
