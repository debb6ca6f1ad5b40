//! The whole, as a person installs it: helm brings kinds, rights and registration, and `kube-iam serve` runs beside the
//! API server with the token of the chart's ServiceAccount and no other right. The API server asks it about requests and
//! about objects, and keeps a record of everything that kube-iam itself did.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chart::{CHART, RELEASE, beside, helm};
use crate::control_plane::cluster::{Cluster, Controllers, Options};
use crate::control_plane::deadline::holds_within;
use crate::control_plane::folder::Folder;
use crate::control_plane::helm::Line;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::control_plane::kubectl::Output;
use crate::control_plane::shared::Shared;
use crate::kube_iam::{KubeIam, World};
use crate::site::MANAGEMENT;

/// For tests that stop nothing; they keep to accounts and names of people of their own.
pub static INSTALLED: Shared<Installed> = Shared::new(|| Installed::try_start(&["--mode", "coexist"]));

/// Who kube-iam is.
pub const SELF: &str = "system:serviceaccount:kube-iam-system:kube-iam";

const REGISTERED: Duration = Duration::from_secs(30);

const AUDIT_POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, users: ["system:serviceaccount:kube-iam-system:kube-iam"]}
- {level: None}
"#;

/// A cluster with kube-iam installed.
pub struct Installed {
    // Dropped first to last.
    pub cluster: Cluster,
    pub kube_iam: KubeIam,
    /// The token of the chart's ServiceAccount.
    pub token: Kubeconfig,
    audit: Folder,
}

/// One thing that kube-iam asked of the API server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub verb: String,
    pub group: String,
    /// With its subresource: `iamusers/status`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub code: u64,
}

// === impl Installed ===

impl Installed {
    /// Installs, with further flags of `serve`.
    ///
    /// # Errors
    /// When something does not become ready.
    pub fn try_start(flags: &[&str]) -> Result<Self, String> {
        let mut installed = Self::try_prepare(flags, &json!({}))?;
        installed.kube_iam.start_again();
        installed.wait_until_registered()?;
        Ok(installed)
    }

    /// All but kube-iam itself, which has left its files and does not run; with further values of the chart.
    ///
    /// # Errors
    /// When something does not become ready.
    pub fn try_prepare(flags: &[&str], further: &Value) -> Result<Self, String> {
        let audit = Folder::new("audit")?;
        let policy = audit.write("policy.yaml", AUDIT_POLICY)?;
        let log = audit.path().join("audit.log");
        // Its files come first: an API server reads them at its start.
        let empty = audit.path().join("empty");
        fs::create_dir(&empty).map_err(|error| error.to_string())?;
        let mut kube_iam = KubeIam::try_start(World::Folder(empty), flags)?;
        kube_iam.kill();
        let admission = kube_iam.state_dir().join("admission-config.yaml");
        let options = Options {
            authorization_config: Some(kube_iam.authorization_config()),
            api_server_flags: vec![
                format!("--admission-control-config-file={}", admission.display()),
                format!("--audit-policy-file={}", policy.display()),
                format!("--audit-log-path={}", log.display()),
            ],
            controllers: Controllers::Running,
            ..Options::default()
        };
        let cluster = Cluster::try_start(&options)?;
        let helm = helm(Line::Four);
        let port = kube_iam.ready().authorize_url.rsplit(':').next().and_then(|rest| rest.split('/').next());
        let port = port.and_then(|port| port.parse().ok()).ok_or("no port in the ready line")?;
        let mut values = beside(port);
        values.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        let values = helm.values(&values).display().to_string();
        let install = ["install", RELEASE, CHART, "--namespace", MANAGEMENT, "--create-namespace", "--values", &values];
        helm.run_as(cluster.admin(), install).succeeded();
        let token = cluster.service_account_token(MANAGEMENT, "kube-iam");
        kube_iam.follow(World::Cluster(token.clone()));
        Ok(Self { cluster, kube_iam, token, audit })
    }

    /// [`Self::try_start`] for a test that needs one of its own.
    #[track_caller]
    pub fn start(flags: &[&str]) -> Self {
        match Self::try_start(flags) {
            Ok(installed) => installed,
            Err(message) => panic!("{message}"),
        }
    }

    /// One more replica, ready.
    #[track_caller]
    pub fn replica(&self, flags: &[&str]) -> KubeIam {
        KubeIam::start(World::Cluster(self.token.clone()), flags)
    }

    /// Waits until the API server asks about objects, and trusts the answer.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn wait_until_registered(&self) -> Result<(), String> {
        let probe = iam("IamGroup", "default", "probe", &json!({"nonsense": true}));
        let mut said = String::new();
        let is_asked = || {
            let create = ["create", "-f", "-", "--dry-run=server"];
            said = self.cluster.kubectl_with_input(self.admin(), create, &probe.to_string()).stderr;
            said.contains("\"objects.kube-iam.dev\" denied the request")
        };
        if holds_within(REGISTERED, is_asked) {
            Ok(())
        } else {
            Err(format!("the webhook does not answer: {said}{}", self.kube_iam.log_tails()))
        }
    }

    pub fn admin(&self) -> &Kubeconfig {
        self.cluster.admin()
    }

    #[track_caller]
    pub fn kubectl<A: Into<OsString>>(&self, who: &Kubeconfig, arguments: impl IntoIterator<Item = A>) -> Output {
        self.cluster.kubectl(who, arguments)
    }

    /// kubectl as the admin, which must go well.
    #[track_caller]
    pub fn by_admin<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        self.cluster.kubectl(self.admin(), arguments).succeeded()
    }

    /// `kubectl apply` as the admin, which must go well.
    #[track_caller]
    pub fn apply(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.cluster.kubectl_with_input(self.admin(), ["apply", "-f", "-"], &list.to_string()).succeeded();
    }

    /// An object as it is stored.
    #[track_caller]
    pub fn get(&self, kind: &str, account: &str, name: &str) -> Value {
        let get = ["get", kind, name, "-n", account, "-o", "json"];
        serde_json::from_str(&self.by_admin(get)).unwrap()
    }

    /// The identity of the replica that writes status; empty while none does.
    #[track_caller]
    pub fn holder(&self) -> String {
        let lease = self.get("lease", MANAGEMENT, "kube-iam-operator");
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }

    /// Everything that kube-iam has asked of the API server so far.
    pub fn asked(&self) -> Vec<Asked> {
        let text = fs::read_to_string(self.audit_log()).unwrap_or_default();
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.map(|event| Asked::read(&event)).collect()
    }

    fn audit_log(&self) -> PathBuf {
        self.audit.path().join("audit.log")
    }
}

// === impl Asked ===

impl Asked {
    fn read(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &event["objectRef"];
        let subresource = text(&object["subresource"]);
        let slash = if subresource.is_empty() { "" } else { "/" };
        Self {
            verb: text(&event["verb"]),
            group: text(&object["apiGroup"]),
            resource: format!("{}{slash}{subresource}", text(&object["resource"])),
            namespace: text(&object["namespace"]),
            name: text(&object["name"]),
            code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
        }
    }
}

/// An object of ours.
pub fn iam(kind: &str, account: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "kube-iam.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": account}, "spec": spec,
    })
}
