//! The objects of a configuration arrive in any order (`guarantees.md` R1, I20).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::kube_iam::decide::Verdict;
use ::kube_iam::source::cluster::load;
use ::kube_iam::store::InForce;
use ::kube_iam::world::Settings;
use serde_json::{Value, json};

use crate::followed::{Followed, client, object, started, verdict};

/// Twelve objects that belong together.
fn configuration() -> Vec<Value> {
    let allow = |actions: Value, resource: &str| json!({"sid": "Allow", "effect": "Allow", "actions": actions, "resources": [resource]});
    let never = json!({"sid": "Never", "effect": "Deny", "actions": ["k8s:delete"], "resources": ["arn:k8s:core::shop:configmaps/*"]});
    let user = |name: &str, mut spec: Value| {
        spec["identities"] = json!([{"kind": "User", "name": name}]);
        spec
    };
    let public = json!({"type": "Resource", "targets": {"resources": ["arn:k8s:core::shop:configmaps/x"]},
        "statements": [{"sid": "Public", "effect": "Allow", "principals": ["*"], "actions": ["k8s:get"]}]});
    vec![
        object("IamPolicy", "shop", "read", &json!({"statements": [allow(json!(["k8s:get", "k8s:list"]), "*")]})),
        object("IamPolicy", "shop", "work", &json!({"statements": [allow(json!(["k8s:*"]), "*"), never]})),
        object("IamPolicy", "shop", "limits", &json!({"statements": [allow(json!(["k8s:get"]), "*")]})),
        object("IamPolicy", "shop", "public", &public),
        object("IamPolicy", "lab", "work", &json!({"statements": [allow(json!(["k8s:*"]), "*")]})),
        object("IamPolicy", "kube-iam-system", "base", &json!({"statements": [allow(json!(["k8s:list"]), "*")]})),
        object("IamGroup", "shop", "devs", &json!({"policies": ["work"]})),
        object("IamUser", "shop", "alice", &user("alice", json!({"policies": ["read"], "groups": ["devs"]}))),
        object("IamUser", "shop", "bob", &user("bob", json!({"groups": ["devs"], "permissionsBoundary": "limits"}))),
        object("IamUser", "lab", "carol", &user("carol", json!({"policies": ["work"]}))),
        object("IamUser", "kube-iam-system", "dave", &user("dave", json!({"policies": ["base"]}))),
        object(
            "IamUser",
            "shop",
            "erin",
            &user(
                "erin",
                json!({"policies": ["work"], "permissionsBoundary": "arn:k8s:iam::kube-iam-system:policy/base"}),
            ),
        ),
    ]
}

/// Whether each of 216 questions is allowed.
fn allowed(in_force: &InForce) -> Vec<bool> {
    let mut allowed = Vec::new();
    for user in ["alice", "bob", "carol", "dave", "erin", "nobody"] {
        for account in ["shop", "lab", "kube-iam-system"] {
            for verb in ["get", "list", "delete", "create"] {
                for resource in ["configmaps", "secrets", "pods"] {
                    allowed.push(verdict(in_force, user, verb, account, resource) == Verdict::Allow);
                }
            }
        }
    }
    allowed
}

/// The places of the configuration in another order, the same for the same seed.
fn shuffled(mut seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..12).collect();
    for place in (1..order.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(place, usize::try_from(seed >> 33).unwrap() % (place + 1));
    }
    order
}

#[test]
fn no_order_of_arrival_opens_a_door_that_neither_the_old_nor_the_new_state_opens() {
    let (cluster, writer) = started();
    for account in ["shop", "lab", "kube-iam-system"] {
        writer.namespace(account);
    }
    let configuration = configuration();
    let followed = Followed::start(cluster.admin());
    followed.until("the accounts are known", |followed| {
        followed.in_force().world.namespaces.contains_key("kube-iam-system")
    });
    let old = allowed(&followed.in_force());
    assert!(old.len() >= 200 && !old.contains(&true));

    let mut new: Option<Vec<bool>> = None;
    for seed in 0..6 {
        let (done, reader) = (Arc::new(AtomicBool::new(false)), followed.reader.clone());
        let watching = {
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                let mut steps: Vec<Vec<bool>> = Vec::new();
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let in_force = reader.load().unwrap();
                    if std::mem::replace(&mut last, in_force.snapshot.revision().0) != last {
                        steps.push(allowed(&in_force));
                    }
                    std::thread::yield_now();
                }
                steps
            })
        };
        for place in shuffled(seed) {
            writer.create(&configuration[place]);
        }
        followed.until("all twelve are in force", |followed| followed.in_force().world.outcomes.len() == 12);
        let now = allowed(&followed.in_force());
        done.store(true, Ordering::Relaxed);
        let steps = watching.join().unwrap();
        let new = new.get_or_insert_with(|| now.clone());
        assert!(new.iter().filter(|yes| **yes).count() > 30);
        assert_eq!(*new, now, "order {seed}");
        assert!(!steps.is_empty());
        for step in &steps {
            let wrong = step.iter().zip(new.iter()).position(|(now, new)| *now && !*new);
            assert_eq!(wrong, None, "a question is allowed that neither state allows, in order {seed}");
        }
        // A build from scratch of what the API server holds is the same to the bit.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (world, _) =
            runtime.block_on(async { load(&client(cluster.admin().path()).await, Settings::default()).await.unwrap() });
        assert_eq!(world, *followed.in_force().world);
        assert_eq!(world.digest, followed.digest());
        for object in &configuration {
            writer.delete(object);
        }
        followed.until("all are gone", |followed| followed.in_force().world.outcomes.is_empty());
    }
}
