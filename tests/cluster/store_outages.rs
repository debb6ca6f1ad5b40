//! The API server and its etcd end and come back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ::kube_iam::decide::Verdict;
use serde_json::{Value, json};

use crate::control_plane::cluster::Cluster;
use crate::followed::{Followed, Writer, object, started};

/// How long after its server is back everything must be fresh (`guarantees.md` F05).
const FRESH: Duration = Duration::from_secs(10);

fn statement(effect: &str) -> Value {
    json!([{"sid": "S", "effect": effect, "actions": ["k8s:get"], "resources": ["*"]}])
}

/// Alice may get everything in `shop`.
fn fill(writer: &Writer) {
    writer.namespace("shop");
    writer.create(&object("IamPolicy", "shop", "work", &json!({"statements": statement("Allow")})));
    let alice = json!({"identities": [{"kind": "User", "name": "alice"}], "policies": ["work"]});
    writer.create(&object("IamUser", "shop", "alice", &alice));
}

/// Nothing about alice changes, for a while.
#[track_caller]
fn stays(followed: &Followed, expected: Verdict, while_so: Duration) {
    let began = Instant::now();
    while began.elapsed() < while_so {
        assert_eq!(followed.verdict("alice", "get", "shop", "pods"), expected);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A change that is made now has its effect soon.
#[track_caller]
fn is_fresh(followed: &Followed, writer: &Writer, effect: &str, expected: Verdict) {
    let work = object("IamPolicy", "shop", "work", &json!({}));
    let began = Instant::now();
    writer.respecify(&work, &json!({"statements": statement(effect)}));
    followed.until_verdict("alice", "get", "shop", "pods", expected);
    assert!(began.elapsed() < FRESH, "fresh after {:?} only", began.elapsed());
}

#[test]
fn what_was_last_seen_stands_while_the_servers_are_gone_and_goes_on_when_they_are_back() {
    let (cluster, writer) = started();
    fill(&writer);
    let followed = Followed::start(cluster.admin());
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::Allow);
    let before = followed.in_force();

    cluster.api_server().kill();
    stays(&followed, Verdict::Allow, Duration::from_secs(3));
    cluster.api_server().start();
    is_fresh(&followed, &writer, "Deny", Verdict::ExplicitDeny);

    cluster.etcd().kill();
    stays(&followed, Verdict::ExplicitDeny, Duration::from_secs(3));
    cluster.etcd().start();
    cluster.api_server().kill();
    cluster.api_server().start();
    is_fresh(&followed, &writer, "Allow", Verdict::Allow);

    // Both were seen as one life: no version went back, nothing was refused, nothing was taken for a restore.
    let after = followed.in_force();
    for kind in ::kube_iam::store::WatchedKind::ALL {
        assert!(after.vector.get(kind) >= before.vector.get(kind), "{}", kind.as_str());
    }
    assert_eq!(followed.metric("kube_iam_store_epoch"), 0.0);
    assert_eq!(followed.metric("kube_iam_source_refused_older_total"), 0.0);
}

#[test]
fn objects_that_changed_during_an_outage_are_as_they_are_now() {
    let (cluster, writer) = started();
    fill(&writer);
    let followed = Followed::start(cluster.admin());
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::Allow);
    // The replica's connections are broken and it waits before it tries again: what is written first is seen as one
    // change, of an object that is another by then.
    cluster.api_server().kill();
    cluster.api_server().start();
    writer.delete(&object("IamPolicy", "shop", "work", &json!({})));
    writer.create(&object("IamPolicy", "shop", "work", &json!({"statements": statement("Deny")})));
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::ExplicitDeny);
    writer.delete(&object("IamUser", "shop", "alice", &json!({})));
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::ImplicitDeny);
}

#[test]
fn an_etcd_that_went_back_is_found_out_and_counts_as_it_is() {
    let (cluster, writer) = started();
    fill(&writer);
    back_up_etcd(&cluster);

    let followed = Followed::start(cluster.admin());
    let digest = followed.digest();
    is_fresh(&followed, &writer, "Deny", Verdict::ExplicitDeny);
    for number in 0..20 {
        writer.namespace(&format!("future-{number}"));
    }
    writer.create(&object(
        "IamUser",
        "shop",
        "bob",
        &json!({"disabled": true, "identities": [{"kind": "User", "name": "bob"}]}),
    ));
    followed.until_verdict("bob", "get", "shop", "pods", Verdict::ExplicitDeny);

    restore_etcd(&cluster);
    followed.until("the vanished future is gone", |followed| {
        followed.verdict("alice", "get", "shop", "pods") == Verdict::Allow
            && followed.verdict("bob", "get", "shop", "pods") == Verdict::ImplicitDeny
    });
    followed.until("everything is as it was", |followed| followed.digest() == digest);
    assert_eq!(followed.metric("kube_iam_store_epoch"), 1.0, "one restore is one epoch");
    assert!(followed.metric("kube_iam_source_refused_older_total") >= 1.0);
    is_fresh(&followed, &writer, "Deny", Verdict::ExplicitDeny);
}

#[test]
fn an_etcd_that_went_back_and_has_moved_on_since_counts_as_it_is() {
    let (cluster, writer) = started();
    fill(&writer);
    let work = object("IamPolicy", "shop", "work", &json!({}));
    writer.respecify(&work, &json!({"statements": statement("Deny")}));
    back_up_etcd(&cluster);
    let followed = Followed::start(cluster.admin());
    is_fresh(&followed, &writer, "Allow", Verdict::Allow);

    restore_etcd(&cluster);
    // Within the second that a broken watch waits, more is written than was lost.
    for number in 0..100 {
        writer.namespace(&format!("since-{number}"));
    }
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::ExplicitDeny);
}

/// Keeps a copy of everything that is stored now.
pub fn back_up_etcd(cluster: &Cluster) {
    cluster.api_server().kill();
    cluster.etcd().stop();
    copy_folder(&cluster.folder().join("etcd"), &cluster.folder().join("etcd-before"));
    cluster.etcd().start();
    cluster.api_server().start();
}

/// Everything that is stored is again what it was when the copy was made.
pub fn restore_etcd(cluster: &Cluster) {
    cluster.api_server().kill();
    cluster.etcd().stop();
    let data = cluster.folder().join("etcd");
    fs::rename(&data, cluster.folder().join("etcd-after")).unwrap();
    fs::rename(cluster.folder().join("etcd-before"), &data).unwrap();
    cluster.etcd().start();
    cluster.api_server().start();
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
