//! The four kinds, as `kube-iam crds` prints them, in the cluster of most tests.

use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::control_plane::shared::Shared;
use crate::site::{COEXIST, Site};

/// Their plurals.
pub const PLURALS: [&str; 4] = ["iamgroups", "iampolicies", "iamroles", "iamusers"];

/// What `kube-iam crds` prints.
pub fn printed() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kube-iam")).arg("crds").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The documents of a YAML text.
pub fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// The cluster with the four kinds in it, applied as people apply them.
#[track_caller]
pub fn installed() -> &'static Site {
    static INSTALLED: Shared<()> = Shared::new(|| {
        let site = COEXIST.get();
        site.apply(&printed());
        for plural in PLURALS {
            let name = format!("crd/{plural}.kube-iam.dev");
            site.by_admin(["wait", "--for=condition=Established", &name, "--timeout=60s"]);
        }
        Ok(())
    });
    INSTALLED.get();
    COEXIST.get()
}
