//! A cluster in which kube-iam keeps its objects: `kube-iam serve` as one or more replicas beside an API server. No webhook
//! of ours is registered, so whatever the schema takes is stored. Everything that is ever stored is recorded.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::kube_iam::api::v1alpha1::{IamGroup, IamPolicy, IamRole, IamUser};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::{Resource, ResourceExt as _};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::control_plane::cluster::{Cluster, Controllers, Options};
use crate::control_plane::deadline::holds_within;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::control_plane::shared::Shared;
use crate::followed::{self, Writer, client, object};
use crate::https::Client;
use crate::kube_iam::{KubeIam, World};
use crate::site::MANAGEMENT;

/// One replica, for tests that keep to accounts of their own and stop nothing.
pub static OPERATED: Shared<Operated> = Shared::new(|| Operated::try_start(1));

const SOON: Duration = Duration::from_secs(30);

pub struct Operated {
    // Dropped first to last.
    pub replicas: Vec<KubeIam>,
    pub writer: Writer,
    recorder: Recorder,
    pub cluster: Cluster,
}

/// Everything that was ever stored of our kinds.
struct Recorder {
    seen: Arc<Mutex<Vec<Value>>>,
    _runtime: Runtime,
}

// === impl Operated ===

impl Operated {
    /// Starts a cluster with the four kinds and the management account, and replicas on it.
    ///
    /// # Errors
    /// When something does not become ready.
    pub fn try_start(replicas: usize) -> Result<Self, String> {
        let options = Options { controllers: Controllers::Running, ..Options::default() };
        let cluster = Cluster::try_start(&options)?;
        followed::install(&cluster);
        let writer = Writer::new(cluster.admin());
        writer.namespace(MANAGEMENT);
        let recorder = Recorder::start(cluster.admin());
        let mut operated = Self { replicas: Vec::new(), writer, recorder, cluster };
        for _ in 0..replicas {
            operated.replicas.push(KubeIam::try_start(operated.world(), &[])?);
        }
        Ok(operated)
    }

    /// [`Self::try_start`] for a test that needs one of its own.
    #[track_caller]
    pub fn start(replicas: usize) -> Self {
        match Self::try_start(replicas) {
            Ok(operated) => operated,
            Err(message) => panic!("{message}"),
        }
    }

    pub fn world(&self) -> World {
        World::Cluster(self.cluster.admin().clone())
    }

    /// kubectl as the admin, which must go well.
    #[track_caller]
    pub fn by_admin<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> String {
        self.cluster.kubectl(self.cluster.admin(), arguments).succeeded()
    }

    /// kubectl as the admin with something on its standard input, which must go well.
    #[track_caller]
    pub fn send<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, input: &str) -> String {
        self.cluster.kubectl_with_input(self.cluster.admin(), arguments, input).succeeded()
    }

    /// An object as it is stored; null when it is not there.
    pub fn get(&self, kind: &str, account: &str, name: &str) -> Value {
        self.writer.try_send(Method::GET, &path(kind, account, name), &Value::Null).unwrap_or_default()
    }

    /// Waits until an object is as it should be, and returns it.
    #[track_caller]
    pub fn until(&self, kind: &str, account: &str, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut found = Value::Null;
        let held = holds_within(SOON, || {
            found = self.get(kind, account, name);
            holds(&found)
        });
        assert!(held, "{kind} {account}/{name} not within {SOON:?}: {what}\n{found:#}{}", self.log_tails());
        found
    }

    /// Waits for `Ready` of the present generation to have a status and a reason.
    #[track_caller]
    pub fn until_ready(&self, kind: &str, account: &str, name: &str, status: &str, reason: &str) -> Value {
        self.until(kind, account, name, &format!("Ready={status} {reason}"), |object| {
            let ready = condition(object, "Ready");
            ready["status"] == status
                && ready["reason"] == reason
                && ready["observedGeneration"] == object["metadata"]["generation"]
        })
    }

    #[track_caller]
    pub fn until_gone(&self, kind: &str, account: &str, name: &str) {
        self.until(kind, account, name, "gone", Value::is_null);
    }

    /// How often replicas that run have written into a target: `status`, `finalizer`, …
    pub fn writes(&self, target: &str) -> u64 {
        let series = format!(r#"kube_iam_operator_writes_total{{target="{target}",result="written"}}"#);
        self.replicas.iter().filter_map(|replica| metric(replica, &series)).sum()
    }

    /// The replica that writes.
    #[track_caller]
    pub fn holder(&self) -> usize {
        let mut holder = None;
        let found = holds_within(SOON, || {
            holder = self.replicas.iter().position(|replica| metric(replica, "kube_iam_leader") == Some(1));
            holder.is_some()
        });
        assert!(found, "no replica writes{}", self.log_tails());
        holder.unwrap()
    }

    /// What a replica answers when it is asked whether a user may read a Pod: the reason.
    #[track_caller]
    pub fn reason(&self, replica: usize, user: &str, account: &str) -> String {
        let attributes = json!({"namespace": account, "verb": "get", "version": "v1", "resource": "pods", "name": "x"});
        let review = json!({"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes});
        Client::of_webhook(&self.replicas[replica]).review(&review).reason
    }

    /// Everything that was ever stored in an account, or everywhere, in the order in which it was seen.
    pub fn history(&self, account: Option<&str>) -> Vec<Value> {
        let seen = self.recorder.seen.lock().unwrap();
        let of_account = |object: &&Value| account.is_none_or(|account| object["metadata"]["namespace"] == account);
        seen.iter().filter(of_account).cloned().collect()
    }

    /// Checks every status that was ever stored in an account, or everywhere.
    #[track_caller]
    pub fn check_history(&self, account: Option<&str>) {
        let history = self.history(account);
        assert!(!history.is_empty(), "nothing was recorded");
        for object in history.iter().filter(|object| !object["status"].is_null()) {
            check_status(object);
        }
    }

    pub fn log_tails(&self) -> String {
        self.replicas.iter().map(KubeIam::log_tails).collect()
    }
}

// === impl Recorder ===

impl Recorder {
    fn start(who: &Kubeconfig) -> Self {
        let runtime = Runtime::new().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for resource in kinds() {
            runtime.spawn(record(who.path().to_owned(), resource, Arc::clone(&seen)));
        }
        Self { seen, _runtime: runtime }
    }
}

// === free functions ===

async fn record(kubeconfig: std::path::PathBuf, resource: ApiResource, seen: Arc<Mutex<Vec<Value>>>) {
    let client = client(Path::new(&kubeconfig)).await;
    let objects: Api<DynamicObject> = Api::all_with(client, &resource);
    let mut version = String::new();
    loop {
        if version.is_empty() {
            match objects.list(&ListParams::default()).await {
                Ok(list) => version = list.metadata.resource_version.unwrap_or_default(),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
            continue;
        }
        let Ok(events) = objects.watch(&WatchParams::default().timeout(60), &version).await else {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let mut events = events.boxed();
        while let Ok(Some(event)) = events.try_next().await {
            if let WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) = event {
                version = object.resource_version().unwrap_or_default();
                seen.lock().unwrap().push(serde_json::to_value(&object).unwrap());
            }
        }
    }
}

fn kinds() -> [ApiResource; 4] {
    [erased::<IamUser>(), erased::<IamGroup>(), erased::<IamRole>(), erased::<IamPolicy>()]
}

fn erased<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

/// Where an object is.
pub fn path(kind: &str, account: &str, name: &str) -> String {
    followed::path(&object(kind, account, name, &Value::Null))
}

/// The condition of a type; null when there is none.
pub fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == kind).cloned().unwrap_or_default()
}

/// A number of a replica's metrics; `None` when it does not answer.
pub fn metric(replica: &KubeIam, series: &str) -> Option<u64> {
    let text = replica.health("metrics")?.body;
    let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse::<u64>().ok();
    Some(text.lines().filter_map(value).sum())
}

/// How long something takes.
#[track_caller]
pub fn took(within: Duration, holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    assert!(holds_within(within, holds), "not within {within:?}");
    began.elapsed()
}

/// What kstatus, as it is documented, makes of an object.
pub fn kstatus(object: &Value) -> &'static str {
    let holds = |kind: &str| condition(object, kind)["status"] == "True";
    if !object["metadata"]["deletionTimestamp"].is_null() {
        "Terminating"
    } else if object["status"]["observedGeneration"] != object["metadata"]["generation"] || holds("Reconciling") {
        "InProgress"
    } else if holds("Stalled") {
        "Failed"
    } else if holds("Ready") {
        "Current"
    } else {
        "InProgress"
    }
}

/// What must hold for a status whenever it is looked at.
#[track_caller]
fn check_status(object: &Value) {
    let status = &object["status"];
    let conditions = status["conditions"].as_array().unwrap_or_else(|| panic!("no conditions: {object:#}"));
    let holds = |kind: &str| condition(object, kind)["status"] == "True";
    for condition in conditions {
        assert_eq!(condition["observedGeneration"], status["observedGeneration"], "{object:#}");
        assert!(condition["message"].as_str().unwrap().len() <= 1_024, "{object:#}");
        assert!(condition["lastTransitionTime"].is_string(), "{object:#}");
    }
    assert!(!condition(object, "Ready").is_null() && !condition(object, "Enforced").is_null(), "{object:#}");
    if holds("Ready") {
        assert!(holds("Enforced") && !holds("Stalled") && !holds("Reconciling"), "{object:#}");
        assert!(status["lastGood"].is_null(), "{object:#}");
    }
    assert!(!(holds("Stalled") && holds("Reconciling")), "{object:#}");
    if status["observedGeneration"] == object["metadata"]["generation"] {
        let meant = match (condition(object, "Ready")["reason"].as_str().unwrap(), holds("Stalled")) {
            _ if !object["metadata"]["deletionTimestamp"].is_null() => "Terminating",
            ("InForce", false) => "Current",
            ("NotEnforced" | "ReferenceNotFound", false) => "InProgress",
            (
                "PolicyInvalid"
                | "SpecInvalid"
                | "Unreadable"
                | "IdentityConflict"
                | "QuotaExceeded"
                | "NotManagementAccount",
                true,
            ) => "Failed",
            other => panic!("{other:?}: {object:#}"),
        };
        assert_eq!(kstatus(object), meant, "{object:#}");
    }
}

/// A policy that allows to read Pods.
pub fn reads(account: &str, name: &str) -> Value {
    object("IamPolicy", account, name, &json!({"statements": statements("Allow")}))
}

/// One statement about reading Pods.
pub fn statements(effect: &str) -> Value {
    json!([{"sid": "Read", "effect": effect, "actions": ["k8s:get"], "resources": ["*"]}])
}
