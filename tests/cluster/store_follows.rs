//! What the API server holds is in force, soon and whole.

use std::time::Duration;

use ::kube_iam::decide::Verdict;
use ::kube_iam::name::Revision;
use ::kube_iam::snapshot::Snapshot;
use ::kube_iam::source::cluster::load;
use ::kube_iam::world::Settings;
use serde_json::json;

use crate::control_plane::cluster::{Cluster, Options};
use crate::followed::{Followed, Writer, client, install, object, took};

#[test]
fn a_replica_waits_for_the_kinds_and_then_follows_them() {
    let cluster = Cluster::start(&Options::default());
    let followed = Followed::begin(cluster.admin());
    let writer = Writer::new(cluster.admin());
    writer.namespace("payments");
    std::thread::sleep(Duration::from_secs(2));
    assert!(followed.reader.load().is_none(), "something is in force before all kinds were listed");

    install(&cluster);
    followed.until("a first snapshot", |followed| followed.reader.load().is_some());
    let policy = |effect: &str| json!({"statements": [{"sid": "A", "effect": effect, "actions": ["k8s:get"], "resources": ["*"]}]});
    writer.create(&object("IamPolicy", "payments", "all", &policy("Allow")));
    let alice = json!({"identities": [{"kind": "User", "name": "alice"}], "policies": ["all"]});
    writer.create(&object("IamUser", "payments", "alice", &alice));
    followed.until_verdict("alice", "get", "payments", "pods", Verdict::Allow);
    assert_eq!(followed.verdict("alice", "get", "elsewhere", "pods"), Verdict::ImplicitDeny);

    let no = object("IamPolicy", "payments", "no", &policy("Deny"));
    writer.create(&no);
    writer.respecify(
        &object("IamUser", "payments", "alice", &json!({})),
        &json!({"identities": [{"kind": "User", "name": "alice"}], "policies": ["all", "no"]}),
    );
    followed.until_verdict("alice", "get", "payments", "pods", Verdict::ExplicitDeny);
    writer.delete(&no);
    let back = took(|| followed.verdict("alice", "get", "payments", "pods") == Verdict::Allow);
    eprintln!("a deletion took {back:?}");

    // Whoever looks once sees the same.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let once = runtime.block_on(async {
        let client = client(cluster.admin().path()).await;
        load(&client, Settings::default()).await.unwrap()
    });
    let in_force = followed.in_force();
    assert_eq!(*in_force.world, once.0);
    assert_eq!(Snapshot::compile(&once.0, Revision(1)).digest(), in_force.snapshot.digest());
}
