//! The examples, as a newcomer applies them: one file after the other.

use std::fs;
use std::path::Path;

use crate::control_plane::cluster::{Cluster, Options};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn kubectl_applies_every_example_in_its_order() {
    let cluster = Cluster::start(&Options::default());
    let kubectl = |arguments: &[&str]| cluster.kubectl(cluster.admin(), arguments).succeeded();
    let crds = Path::new(ROOT).join("crds");
    kubectl(&["apply", "--server-side", "-f", crds.to_str().unwrap()]);
    kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);

    let mut files: Vec<_> =
        fs::read_dir(Path::new(ROOT).join("examples")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in &files {
        let file = file.to_str().unwrap();
        let applied = kubectl(&["apply", "--validate=strict", "-f", file]);
        assert!(applied.lines().all(|line| line.ends_with(" created")), "{file}: {applied}");
        // What is stored is what was written.
        assert_eq!(kubectl(&["diff", "-f", file]), "", "{file}");
    }
    let users = kubectl(&["get", "iamusers", "-A", "-o", "name"]);
    assert!(users.contains("iamuser.kube-iam.dev/alice"), "{users}");
}
