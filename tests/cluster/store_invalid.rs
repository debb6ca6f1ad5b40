//! What is stored past the webhooks and is not valid keeps its Denies (`guarantees.md` R4).

use ::kube_iam::decide::Verdict;
use serde_json::{Value, json};

use crate::control_plane::deadline::holds_within;
use crate::followed::{Followed, object, path, started};
use crate::kube_iam::{KubeIam, World};

fn allow() -> Value {
    json!({"sid": "All", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]})
}

#[test]
fn the_denies_of_the_last_valid_form_outlive_every_replica() {
    let (cluster, writer) = started();
    for account in ["shop", "kube-iam-system"] {
        writer.namespace(account);
    }
    let deny =
        json!({"sid": "No", "effect": "Deny", "actions": ["k8s:get"], "resources": ["arn:k8s:core::shop:secrets/*"]});
    let work = object("IamPolicy", "shop", "work", &json!({"statements": [allow(), deny]}));
    writer.create(&work);
    let alice = json!({"identities": [{"kind": "User", "name": "alice"}], "policies": ["work"]});
    writer.create(&object("IamUser", "shop", "alice", &alice));
    // The operator that keeps the record; no webhook is registered, so nothing is refused.
    let operator = KubeIam::start(World::Cluster(cluster.admin().clone()), &[]);
    let followed = Followed::start(cluster.admin());
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::Allow);

    let mut broken = allow();
    broken["unless"] = json!("friday");
    writer.respecify(&work, &json!({"statements": [broken]}));
    followed.until_verdict("alice", "get", "shop", "pods", Verdict::ImplicitDeny);
    assert_eq!(followed.verdict("alice", "get", "shop", "secrets"), Verdict::ExplicitDeny);

    let recorded = || {
        let stored = writer.send(http::Method::GET, &path(&work), &Value::Null);
        stored["status"]["lastGood"]["spec"]["statements"].as_array().is_some_and(|statements| statements.len() == 2)
    };
    assert!(holds_within(std::time::Duration::from_secs(30), recorded), "no record{}", operator.log_tails());
    let condition = writer.send(http::Method::GET, &path(&work), &Value::Null)["status"]["conditions"].to_string();
    assert!(condition.contains("PolicyInvalid"), "{condition}");
    // Nobody who saw the valid form is left.
    drop((operator, followed));
    let later = Followed::start(cluster.admin());
    assert_eq!(later.verdict("alice", "get", "shop", "secrets"), Verdict::ExplicitDeny);
    assert_eq!(later.verdict("alice", "get", "shop", "pods"), Verdict::ImplicitDeny);
    // Valid again, without the Deny: then it is gone.
    writer.respecify(&work, &json!({"statements": [allow()]}));
    later.until_verdict("alice", "get", "shop", "secrets", Verdict::Allow);
}
