//! The commands that ask, against a cluster that holds the examples.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::control_plane::cluster::{Cluster, Options};
use crate::control_plane::folder::Folder;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::control_plane::shared::Shared;

/// One for all tests: nothing here changes what it holds.
pub static LIBRARY: Shared<Library> = Shared::new(Library::try_start);

/// The root of the checkout.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What is not in the examples: an object with something to say about it, and a kind that only the cluster knows.
const BESIDE: &str = r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: otto, namespace: payments}
spec:
  identities: [{kind: User, name: otto}]
  policies: [nowhere]
  inlinePolicies:
  - name: own
    statements:
    - {sid: Own, effect: Allow, actions: ["k8s:get"], resources: ["arn:k8s:x.example.org::payments:widgets/*"]}
    - {sid: Url, effect: Allow, actions: ["http:get"], resources: ["arn:k8s:url:::/metrics"]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.x.example.org}
spec:
  group: x.example.org
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
"#;

/// A cluster with the examples, and what a command said before our kinds were there.
pub struct Library {
    // Dropped first to last.
    pub cluster: Cluster,
    pub without_kinds: Said,
    /// Somebody who may list what decisions are made from.
    pub reader: Kubeconfig,
    pub folder: Folder,
    /// [`BESIDE`] as a file.
    pub beside: PathBuf,
}

/// What a command said.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

// === impl Library ===

impl Library {
    fn try_start() -> Result<Self, String> {
        let folder = Folder::new("cli")?;
        let beside = folder.write("beside.yaml", BESIDE)?;
        let cluster = Cluster::try_start(&Options::default())?;
        let admin = cluster.admin().path().display().to_string();
        let without_kinds = run(&["can-i", "get", "pods", "--as", "alice", "--kubeconfig", &admin], &[]);
        let kubectl = |arguments: &[&str]| cluster.kubectl(cluster.admin(), arguments).succeeded();
        kubectl(&["apply", "--server-side", "-f", &format!("{ROOT}/crds")]);
        kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
        kubectl(&["apply", "-f", &format!("{ROOT}/examples"), "-f", &beside.display().to_string()]);
        kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
        kubectl(&[
            "create",
            "clusterrole",
            "world-reader",
            "--verb=get,list",
            "--resource=iamusers.kube-iam.dev,iamgroups.kube-iam.dev,iamroles.kube-iam.dev,iampolicies.kube-iam.dev,\
             namespaces,customresourcedefinitions.apiextensions.k8s.io,apiservices.apiregistration.k8s.io",
        ]);
        kubectl(&[
            "create",
            "clusterrolebinding",
            "world-readers",
            "--clusterrole=world-reader",
            "--group=world-readers",
        ]);
        let reader = cluster.client_certificate("reader", &["world-readers"]);
        Ok(Self { cluster, without_kinds, reader, folder, beside })
    }

    /// Somebody with this name and these groups who may read the world.
    #[track_caller]
    pub fn person(&self, user: &str, groups: &[&str]) -> Kubeconfig {
        self.cluster.client_certificate(user, &[groups, &["world-readers"]].concat())
    }

    /// The kubeconfig of somebody with a second context, `payments`, which names that namespace.
    #[track_caller]
    pub fn with_second_context(&self, who: &Kubeconfig, name: &str) -> PathBuf {
        let mut config: Value = serde_json::from_slice(&fs::read(who.path()).unwrap()).unwrap();
        let first = config["contexts"][0].clone();
        let mut second = first;
        second["name"] = json!("payments");
        second["context"]["namespace"] = json!("payments");
        config["contexts"].as_array_mut().unwrap().push(second);
        self.folder.write(name, &config.to_string()).unwrap()
    }

    /// What a command says about the cluster, which is read with this kubeconfig.
    pub fn ask(&self, kubeconfig: &Path, arguments: &[&str]) -> Said {
        let kubeconfig = kubeconfig.display().to_string();
        run(&[arguments, &["--kubeconfig", &kubeconfig]].concat(), &[])
    }

    /// What a command says about the same objects as manifests.
    pub fn ask_manifests(&self, arguments: &[&str]) -> Said {
        let beside = self.beside.display().to_string();
        run(&[arguments, &["-f", "examples", "-f", &beside]].concat(), &[])
    }
}

// === free functions ===

/// Runs the program in the root of the checkout, with nothing in its environment but this.
pub fn run(arguments: &[&str], environment: &[(&str, &Path)]) -> Said {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kube-iam"));
    program.args(arguments).current_dir(ROOT).env_clear().stdin(Stdio::null());
    for (name, value) in environment {
        program.env(name, value);
    }
    let output = program.output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
