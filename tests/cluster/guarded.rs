//! A cluster whose IAM objects and accounts are guarded: `kube-iam serve` beside an API server on which it is registered by
//! what `kube-iam config admission` prints.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::cluster::{Cluster, Controllers, Options};
use crate::control_plane::deadline::holds_within;
use crate::control_plane::folder::Folder;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::control_plane::kubectl::Output;
use crate::control_plane::shared::Shared;
use crate::followed;
use crate::kube_iam::{KubeIam, World};

/// The cluster of most admission tests.
pub static GUARDED: Shared<Guarded> = Shared::new(|| Guarded::try_start(Setup::Beside));

const REGISTERED: Duration = Duration::from_secs(30);
/// How long a watch may take to bring an object.
const SEEN: Duration = Duration::from_secs(20);

/// The rights of kube-iam, about those that the chart gives it, and those of people.
const ROLES: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: kube-iam, namespace: kube-iam-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: kube-iam}
rules:
- {apiGroups: [kube-iam.dev], resources: [iamgroups, iampolicies, iamroles, iamusers], verbs: [get, list, watch, patch]}
- {apiGroups: [kube-iam.dev], resources: [iamgroups/status, iampolicies/status, iamroles/status, iamusers/status], verbs: [patch]}
- {apiGroups: [""], resources: [namespaces], verbs: [get, list, watch]}
- {apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [get, list, watch]}
- {apiGroups: [apiregistration.k8s.io], resources: [apiservices], verbs: [get, list, watch]}
- {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
- {apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], verbs: [get, list, watch, patch]}
- {apiGroups: [""], resources: [events], verbs: [create, patch]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, update, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: kube-iam}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kube-iam}
subjects: [{kind: ServiceAccount, name: kube-iam, namespace: kube-iam-system}]
---
# Everything with IAM objects but `escalate`.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: iam-writer}
rules:
- apiGroups: [kube-iam.dev]
  resources: [iamgroups, iampolicies, iamroles, iamusers, iamgroups/status, iampolicies/status, iamroles/status, iamusers/status]
  verbs: [get, list, watch, create, update, patch, delete, deletecollection]
---
# Everything with namespaces but `escalate`.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: namespace-writer}
rules:
- apiGroups: [""]
  resources: [namespaces, namespaces/status, namespaces/finalize]
  verbs: [get, list, watch, create, update, patch, delete]
"#;

/// How API server and kube-iam are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// RBAC alone authorizes, so that nothing but admission refuses. The API server presents its client certificate.
    Beside,
    /// kube-iam authorizes, too. Admission asks for no client certificate, and gets none.
    InFront,
}

/// Assumptions: tests on a shared one keep to accounts and names of people of their own.
pub struct Guarded {
    // Dropped first to last.
    cluster: Cluster,
    pub kube_iam: KubeIam,
    _nothing: Folder,
}

// === impl Guarded ===

impl Guarded {
    /// Starts an API server, kube-iam beside it as its ServiceAccount, and registers the one with the other.
    ///
    /// # Errors
    /// When one of them does not become ready.
    pub fn try_start(setup: Setup) -> Result<Self, String> {
        // Its files come first: an API server reads them at its start.
        let nothing = Folder::new("nothing")?;
        let flags: &[&str] = match setup {
            Setup::Beside => &["--installer", "the-installer"],
            Setup::InFront => &["--admission-client-auth", "none"],
        };
        let mut kube_iam = KubeIam::try_start(World::Folder(nothing.path().to_owned()), flags)?;
        kube_iam.kill();
        let admission = kube_iam.state_dir().join("admission-config.yaml");
        let (authorization_config, api_server_flags) = match setup {
            Setup::Beside => (None, vec![format!("--admission-control-config-file={}", admission.display())]),
            Setup::InFront => (Some(kube_iam.authorization_config()), Vec::new()),
        };
        let options =
            Options { authorization_config, api_server_flags, controllers: Controllers::Running, ..Options::default() };
        let cluster = Cluster::try_start(&options)?;
        followed::install(&cluster);
        cluster.kubectl(cluster.admin(), ["create", "namespace", "kube-iam-system"]).succeeded();
        cluster.kubectl_with_input(cluster.admin(), ["apply", "-f", "-"], ROLES).succeeded();
        seed(&cluster);
        let operator = cluster.service_account_token("kube-iam-system", "kube-iam");
        kube_iam.follow(World::Cluster(operator));
        kube_iam.start_again();
        let guarded = Self { cluster, kube_iam, _nothing: nothing };
        guarded.register()?;
        Ok(guarded)
    }

    fn register(&self) -> Result<(), String> {
        let registration = self.registration();
        self.cluster.kubectl_with_input(self.admin(), ["apply", "-f", "-"], &registration).succeeded();
        let probe = json!({
            "apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamGroup",
            "metadata": {"name": "probe", "namespace": "default"}, "spec": {"nonsense": true},
        });
        let is_asked = || {
            let create = ["create", "-f", "-", "--dry-run=server"];
            let output = self.cluster.kubectl_with_input(self.admin(), create, &probe.to_string());
            output.stderr.contains("objects.kube-iam.dev")
        };
        if holds_within(REGISTERED, is_asked) { Ok(()) } else { Err("the webhook is never asked".to_owned()) }
    }

    /// What `kube-iam config admission` prints for this kube-iam.
    pub fn registration(&self) -> String {
        let listen = self.address().to_string();
        let state = self.kube_iam.state_dir().display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kube-iam"));
        let output =
            command.args(["config", "admission", "--listen", &listen, "--state-dir", &state]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Where kube-iam listens.
    pub fn address(&self) -> SocketAddr {
        let url = &self.kube_iam.ready().authorize_url;
        url.split('/').nth(2).unwrap().parse().unwrap()
    }

    pub fn admin(&self) -> &Kubeconfig {
        self.cluster.admin()
    }

    /// An account of its own, and somebody who may do everything with IAM objects and namespaces but `escalate`.
    #[track_caller]
    pub fn tenant(&self, account: &str) -> Kubeconfig {
        self.by_admin(["create", "namespace", account]);
        let user = format!("{account}-admin");
        self.grant("iam-writer", &user, Some(account));
        self.grant("namespace-writer", &user, None);
        self.cluster.client_certificate(&user, &[])
    }

    /// Somebody with the rights of RBAC's cluster-admin, in one namespace or everywhere.
    #[track_caller]
    pub fn cluster_admin(&self, user: &str, account: Option<&str>) -> Kubeconfig {
        self.grant("cluster-admin", user, account);
        self.cluster.client_certificate(user, &[])
    }

    /// Somebody to whom nothing is granted yet.
    #[track_caller]
    pub fn person(&self, user: &str) -> Kubeconfig {
        self.cluster.client_certificate(user, &[])
    }

    #[track_caller]
    pub fn grant(&self, role: &str, user: &str, account: Option<&str>) {
        let (name, role, user) = (format!("{user}-{role}"), format!("--clusterrole={role}"), format!("--user={user}"));
        match account {
            Some(account) => self.by_admin(["create", "rolebinding", &name, &role, &user, "-n", account]),
            None => self.by_admin(["create", "clusterrolebinding", &name, &role, &user]),
        };
    }

    /// kubectl as the admin, which must go well.
    #[track_caller]
    pub fn by_admin<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> String {
        self.kubectl(self.admin(), arguments).succeeded()
    }

    #[track_caller]
    pub fn kubectl<'a>(&self, who: &Kubeconfig, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        self.cluster.kubectl(who, arguments)
    }

    /// kubectl with objects on its standard input: `["apply"]`, `["create"]`, `["replace"]` and their flags.
    #[track_caller]
    pub fn send(&self, who: &Kubeconfig, how: &[&str], objects: &[Value]) -> Output {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let arguments = how.iter().copied().chain(["-f", "-"]);
        self.cluster.kubectl_with_input(who, arguments, &list.to_string())
    }

    /// Applies objects as the admin, and returns when kube-iam has seen them.
    #[track_caller]
    pub fn hold(&self, objects: &[Value]) {
        self.send(self.admin(), &["apply"], objects).succeeded();
        for object in objects {
            self.seen(object);
        }
    }

    /// Returns when kube-iam has seen an object: what is asked about it then counts.
    #[track_caller]
    fn seen(&self, object: &Value) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let account = text(&object["metadata"]["namespace"]);
        // A user who names an object that is not there is warned.
        let field = match kind.as_str() {
            "IamGroup" => "groups",
            "IamPolicy" => "policies",
            _ => return,
        };
        let probe = iam("IamUser", &account, "probe", json!({field: [name]}));
        let unseen = format!("there is no {kind} `{name}`");
        let seen = holds_within(SEEN, || {
            let output = self.send(self.admin(), &["create", "--dry-run=server"], std::slice::from_ref(&probe));
            assert!(output.status.success(), "{output:?}");
            !output.stderr.contains(&unseen)
        });
        assert!(seen, "{kind} {account}/{name} is not seen after {SEEN:?}{}", self.kube_iam.log_tails());
    }
}

/// What was stored before anybody judged it: [`crate::admission_objects`] changes it.
fn seed(cluster: &Cluster) {
    cluster.kubectl(cluster.admin(), ["create", "namespace", "before"]).succeeded();
    let mut statements = allow();
    statements[0]["conditoins"] = json!([]);
    let policy = iam("IamPolicy", "before", "misspelt", json!({"statements": statements, "description": "old"}));
    cluster.kubectl_with_input(cluster.admin(), ["create", "-f", "-"], &policy.to_string()).succeeded();
}

/// An object of ours.
pub fn iam(kind: &str, account: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "kube-iam.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": account}, "spec": spec,
    })
}

pub fn allow() -> Value {
    json!([{"sid": "A", "effect": "Allow", "actions": ["k8s:get"], "resources": ["arn:k8s:core:::nodes/*"]}])
}

/// What kubectl says when one of the two webhooks refuses, for this reason.
#[track_caller]
pub fn assert_refused(output: Output, webhook: &str, message: &str) {
    let stderr = output.failed();
    let expected = format!("admission webhook \"{webhook}.kube-iam.dev\" denied the request: {message}");
    assert!(stderr.contains(&expected), "{stderr}");
}
