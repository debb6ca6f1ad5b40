//! The whole: `kube-iam serve` on a folder of manifests, in front of an API server that was given its generated files.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ::kube_iam::policy::tree::Node;
use ::kube_iam::world::{self, Declaration};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control_plane::cluster::{Cluster, Controllers, Options};
use crate::control_plane::deadline::holds_within;
use crate::control_plane::folder::Folder;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::control_plane::kubectl::Output;
use crate::control_plane::shared::Shared;
use crate::https::Client;
use crate::kube_iam::{KubeIam, World};

/// The cluster of most tests: RBAC decides where no policy speaks.
pub static COEXIST: Shared<Site> = Shared::new(|| Site::try_start("coexist"));

/// The management account.
pub const MANAGEMENT: &str = "kube-iam-system";

const IN_FORCE: Duration = Duration::from_secs(20);

/// An API server that asks kube-iam, and the folder that kube-iam decides from.
///
/// Assumptions: tests on a shared site keep to accounts and names of people of their own.
pub struct Site {
    // Dropped first to last.
    cluster: Cluster,
    pub kube_iam: KubeIam,
    manifests: Folder,
}

// === impl Site ===

impl Site {
    /// Starts kube-iam with an empty folder, then a control plane in front of which it stands.
    ///
    /// # Errors
    /// When one of them does not become ready.
    pub fn try_start(mode: &str) -> Result<Self, String> {
        let manifests = Folder::new("manifests")?;
        let kube_iam = KubeIam::try_start(World::Folder(manifests.path().to_owned()), &["--mode", mode])?;
        let options = Options {
            authorization_config: Some(kube_iam.authorization_config()),
            controllers: Controllers::Running,
            ..Options::default()
        };
        let cluster = Cluster::try_start(&options)?;
        let site = Self { cluster, kube_iam, manifests };
        site.account(MANAGEMENT);
        Ok(site)
    }

    /// [`Self::try_start`] for a test that needs a site of its own.
    #[track_caller]
    pub fn start(mode: &str) -> Self {
        match Self::try_start(mode) {
            Ok(site) => site,
            Err(message) => panic!("{message}"),
        }
    }

    pub fn admin(&self) -> &Kubeconfig {
        self.cluster.admin()
    }

    /// A person with a client certificate.
    #[track_caller]
    pub fn person(&self, user: &str, groups: &[&str]) -> Kubeconfig {
        self.cluster.client_certificate(user, groups)
    }

    /// A Pod's identity: a token of a ServiceAccount, which is made.
    #[track_caller]
    pub fn service_account(&self, account: &str, name: &str) -> Kubeconfig {
        self.by_admin(["create", "serviceaccount", name, "-n", account]);
        self.cluster.service_account_token(account, name)
    }

    #[track_caller]
    pub fn kubectl<A: Into<OsString>>(&self, who: &Kubeconfig, arguments: impl IntoIterator<Item = A>) -> Output {
        self.cluster.kubectl(who, arguments)
    }

    #[track_caller]
    pub fn kubectl_with_input<A: Into<OsString>>(
        &self,
        who: &Kubeconfig,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Output {
        self.cluster.kubectl_with_input(who, arguments, input)
    }

    /// kubectl as the admin, which must go well.
    #[track_caller]
    pub fn by_admin<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        self.cluster.kubectl(self.admin(), arguments).succeeded()
    }

    /// `kubectl apply` as the admin, which must go well.
    #[track_caller]
    pub fn apply(&self, manifests: &str) {
        self.cluster.kubectl_with_input(self.admin(), ["apply", "-f", "-"], manifests).succeeded();
    }

    /// Makes a namespace.
    #[track_caller]
    pub fn account(&self, name: &str) {
        self.by_admin(["create", "namespace", name]);
    }

    /// Grants a ClusterRole by RBAC, in a namespace or everywhere, to a user.
    #[track_caller]
    pub fn grant_by_rbac(&self, role: &str, user: &str, account: Option<&str>) {
        let (role, user) = (format!("--clusterrole={role}"), format!("--user={user}"));
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        match account {
            Some(account) => self.by_admin(["create", "rolebinding", &name, &role, &user, "-n", account]),
            None => self.by_admin(["create", "clusterrolebinding", &name, &role, &user]),
        };
    }

    /// Where a manifest of the folder lies.
    pub fn manifest(&self, name: &str) -> PathBuf {
        self.manifests.path().join(format!("{name}.yaml"))
    }

    /// Writes a file of the folder, in one step as checkouts do, and returns when it is in force. Every object in it
    /// must be good.
    #[track_caller]
    pub fn declare(&self, name: &str, manifests: &str) {
        let (text, marker) = with_marker(manifests);
        for document in serde_yaml::Deserializer::from_str(&text) {
            let document = Value::deserialize(document).unwrap_or_else(|e| panic!("{e}: {manifests}"));
            let declaration = Declaration::read(&Node::from(&document), None);
            match declaration.unwrap_or_else(|e| panic!("{e}: {document}")) {
                Declaration::Object(object) => assert_eq!(world::check(&object), [], "{document}"),
                Declaration::Namespace(_) | Declaration::Kind(_) | Declaration::Other { .. } => {}
            }
        }
        let draft = self.manifests.write(&format!(".{name}.draft"), &text).unwrap();
        fs::rename(draft, self.manifest(name)).unwrap();
        let webhook = Client::of_webhook(&self.kube_iam);
        // In shadow the verdict is in the reason alone.
        let in_force = holds_within(IN_FORCE, || webhook.review(&marker).reason.contains("Allow by"));
        assert!(in_force, "{name} is not in force after {IN_FORCE:?}{}", self.kube_iam.log_tails());
    }
}

/// Manifests with a user behind them who may do one thing, and the question whether that user may.
fn with_marker(manifests: &str) -> (String, Value) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("marker-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let text = format!(
        r#"{manifests}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {{name: {name}, namespace: markers}}
spec:
  identities: [{{kind: User, name: {name}}}]
  inlinePolicies:
  - name: own
    statements: [{{sid: Read, effect: Allow, actions: ["k8s:get"], resources: ["arn:k8s:core::markers:pods/*"]}}]
"#
    );
    let question = json!({
        "user": name,
        "groups": ["system:authenticated"],
        "resourceAttributes": {"namespace": "markers", "verb": "get", "version": "v1", "resource": "pods", "name": "x"},
    });
    (text, question)
}
