//! A folder whose whole content is swapped by renaming a link, as mounted ConfigMaps and checkouts are.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::control_plane::deadline::wait_until;
use crate::control_plane::folder::Folder;
use crate::https::Client;
use crate::kube_iam::{KubeIam, World};

const IN_FORCE: Duration = Duration::from_secs(2);

fn question(resource: &str) -> Value {
    let attributes = json!({"namespace": "prod", "verb": "get", "version": "v1", "resource": resource, "name": "x"});
    json!({"user": "ann", "groups": ["system:authenticated"], "resourceAttributes": attributes})
}

/// A Deny on secrets, and an Allow on something else, as one generation of the folder.
fn write_generation(root: &Path, name: &str, allowed: &str) {
    let folder = root.join(name);
    fs::create_dir(&folder).unwrap();
    let policy = |name: &str, effect: &str, kind: &str| {
        let statement = json!({
            "sid": "S", "effect": effect, "principals": ["*"], "actions": ["k8s:get"],
        });
        let spec = json!({
            "type": "Resource", "targets": {"resources": [format!("arn:k8s:core::prod:{kind}/*")]}, "statements": [statement],
        });
        let metadata = json!({"name": name, "namespace": "prod"});
        json!({"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamPolicy", "metadata": metadata, "spec": spec})
            .to_string()
    };
    fs::write(folder.join("deny.yaml"), policy("deny", "Deny", "secrets")).unwrap();
    fs::write(folder.join("allow.json"), policy("allow", "Allow", allowed)).unwrap();
}

fn swap(root: &Path, to: &str) {
    symlink(to, root.join("..new")).unwrap();
    fs::rename(root.join("..new"), root.join("..data")).unwrap();
}

#[test]
fn a_tree_that_is_swapped_by_a_link_is_taken_whole_and_never_without_its_denies() {
    let folder = Folder::new("swapped").unwrap_or_else(|message| panic!("{message}"));
    let root = folder.path();
    write_generation(root, "..one", "configmaps");
    write_generation(root, "..two", "services");
    swap(root, "..one");
    for file in ["deny.yaml", "allow.json"] {
        symlink(Path::new("..data").join(file), root.join(file)).unwrap();
    }
    let kube_iam = KubeIam::start(World::Folder(root.to_owned()), &[]);
    let webhook = Client::of_webhook(&kube_iam);
    let allowed = |resource: &str| webhook.review(&question(resource)).allowed;
    assert!(allowed("configmaps") && !allowed("services"));

    swap(root, "..two");
    wait_until(IN_FORCE, || allowed("services") && !allowed("configmaps"));

    let end = Instant::now() + Duration::from_secs(3);
    let mut swaps = 0;
    while swaps < 20 || Instant::now() < end {
        swap(root, if swaps % 2 == 0 { "..one" } else { "..two" });
        swaps += 1;
        for _ in 0..3 {
            assert!(webhook.review(&question("secrets")).denied, "after {swaps} swaps");
        }
    }

    // A mount that is gone for a moment was never gone.
    fs::rename(root.join("..data"), root.join("..gone")).unwrap();
    fs::remove_dir_all(root.join("..one")).unwrap();
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_millis(300) {
        let verdict = webhook.review(&question("secrets"));
        assert!(verdict.denied || gone.elapsed() > Duration::from_millis(400), "{verdict:?}");
    }
    swap(root, "..two");
    wait_until(IN_FORCE, || allowed("services"));
    assert!(webhook.review(&question("secrets")).denied);
}
