//! A cluster as a replica follows it, inside the test: what is in force at every moment, without asking anybody.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::kube_iam::decide::{Verdict, decide};
use ::kube_iam::mapping::{self, Attributes, Now, ResourceAttributes, ScopeFacts, Setting, Target};
use ::kube_iam::name::{Digest, Mode};
use ::kube_iam::source::cluster;
use ::kube_iam::store::{self, CatalogReader, InForce, Reader};
use ::kube_iam::telemetry::Metrics;
use ::kube_iam::world::Settings;
use http::{Method, Request};
use kube::config::{KubeConfigOptions, Kubeconfig as KubeConfigFile};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::control_plane::cluster::{Cluster, Options};
use crate::control_plane::deadline::holds_within;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::crds::{PLURALS, documents, printed};

const SOON: Duration = Duration::from_secs(20);

/// A replica without its doors: it follows and publishes. Dropping it ends it.
pub struct Followed {
    pub reader: Reader<InForce>,
    pub catalog: CatalogReader,
    pub metrics: Arc<Metrics>,
    // Dropped last: everything above may still be running on it.
    _runtime: Runtime,
}

/// Writes objects as somebody, as fast as the API server takes them.
pub struct Writer {
    client: kube::Client,
    runtime: Runtime,
}

// === impl Followed ===

impl Followed {
    /// Begins to follow. Nothing is in force yet.
    pub fn begin(who: &Kubeconfig) -> Self {
        let runtime = Runtime::new().unwrap();
        let (publisher, reader) = store::channel();
        let (writer, catalog) = store::catalog(Settings::default());
        let metrics = Arc::new(Metrics::new());
        let client = runtime.block_on(client(who.path()));
        let cluster = cluster::Cluster::new(client, publisher, writer, Arc::clone(&metrics));
        runtime.spawn(async move {
            let ended = cluster.run().await;
            eprintln!("following ended: {ended:?}");
        });
        Self { reader, catalog, metrics, _runtime: runtime }
    }

    /// Follows, and returns when something is in force.
    #[track_caller]
    pub fn start(who: &Kubeconfig) -> Self {
        let followed = Self::begin(who);
        followed.until("a first snapshot", |followed| followed.reader.load().is_some());
        followed
    }

    #[track_caller]
    pub fn in_force(&self) -> Arc<InForce> {
        self.reader.load().expect("nothing is in force")
    }

    #[track_caller]
    pub fn digest(&self) -> Digest {
        self.in_force().world.digest
    }

    /// Waits until something is so.
    #[track_caller]
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        assert!(holds_within(SOON, || holds(self)), "not within {SOON:?}: {what}");
    }

    /// How an account's object of a kind of the core group is decided for a user.
    #[track_caller]
    pub fn verdict(&self, user: &str, verb: &str, account: &str, resource: &str) -> Verdict {
        verdict(&self.in_force(), user, verb, account, resource)
    }

    #[track_caller]
    pub fn until_verdict(&self, user: &str, verb: &str, account: &str, resource: &str, expected: Verdict) {
        let what = format!("{user} {verb} {account}/{resource}: {expected:?}");
        self.until(&what, |followed| followed.verdict(user, verb, account, resource) == expected);
    }

    /// The sum of the series of a metric, by the beginning of their lines.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.metrics.expose();
        let lines = text.lines().filter(|line| line.starts_with(series));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }
}

// === impl Writer ===

impl Writer {
    pub fn new(who: &Kubeconfig) -> Self {
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(client(who.path()));
        Self { client, runtime }
    }

    /// Sends a request and returns the answer, or the refusal as an error.
    pub fn try_send(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let content = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        self.request(method, path, content, body)
    }

    fn request(&self, method: Method, path: &str, content: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let request = Request::builder().method(method).uri(path).header("content-type", content).body(body).unwrap();
        self.runtime.block_on(self.client.request(request)).map_err(|error| error.to_string())
    }

    #[track_caller]
    pub fn send(&self, method: Method, path: &str, body: &Value) -> Value {
        match self.try_send(method.clone(), path, body) {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// Creates an object of ours.
    #[track_caller]
    pub fn create(&self, object: &Value) -> Value {
        self.send(Method::POST, &collection(object), object)
    }

    /// Puts a `spec` in the place of an object's, whoever writes to the object beside us (an operator its finalizer and
    /// its status).
    #[track_caller]
    pub fn respecify(&self, object: &Value, spec: &Value) -> Value {
        self.replace(&path(object), "/spec", spec)
    }

    /// Puts a value in the place of one of what is stored at a path, whatever else has changed there.
    #[track_caller]
    pub fn replace(&self, path: &str, pointer: &str, value: &Value) -> Value {
        let replaced = serde_json::json!([{"op": "replace", "path": pointer, "value": value}]);
        match self.request(Method::PATCH, path, "application/json-patch+json", &replaced) {
            Ok(answer) => answer,
            Err(error) => panic!("{pointer} of {path}: {error}"),
        }
    }

    #[track_caller]
    pub fn delete(&self, object: &Value) -> Value {
        self.send(Method::DELETE, &path(object), &Value::Null)
    }

    #[track_caller]
    pub fn namespace(&self, name: &str) {
        let body = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.send(Method::POST, "/api/v1/namespaces", &body);
    }
}

// === free functions ===

/// Where an object of ours is created.
fn collection(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let plural = kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
    let account = object["metadata"]["namespace"].as_str().unwrap();
    format!("/apis/kube-iam.dev/v1alpha1/namespaces/{account}/{plural}")
}

/// Where an object of ours is.
pub fn path(object: &Value) -> String {
    format!("{}/{}", collection(object), object["metadata"]["name"].as_str().unwrap())
}

/// An object of ours.
pub fn object(kind: &str, account: &str, name: &str, spec: &Value) -> Value {
    serde_json::json!({
        "apiVersion": "kube-iam.dev/v1alpha1",
        "kind": kind,
        "metadata": {"namespace": account, "name": name},
        "spec": spec,
    })
}

/// A cluster that serves the four kinds, and somebody who writes to it.
#[track_caller]
pub fn started() -> (Cluster, Writer) {
    let cluster = Cluster::start(&Options::default());
    install(&cluster);
    let writer = Writer::new(cluster.admin());
    (cluster, writer)
}

/// The four kinds, as `kube-iam crds` prints them, established.
#[track_caller]
pub fn install(cluster: &Cluster) {
    cluster.kubectl_with_input(cluster.admin(), ["apply", "--server-side", "-f", "-"], &printed()).succeeded();
    for plural in PLURALS {
        let name = format!("crd/{plural}.kube-iam.dev");
        let wait = ["wait", "--for=condition=Established", &name, "--timeout=60s"];
        cluster.kubectl(cluster.admin(), wait).succeeded();
    }
}

/// The definition of a plural, without what an API server adds.
pub fn definition(plural: &str) -> Value {
    let all = documents(&printed());
    let named = |document: &Value| document["spec"]["names"]["plural"] == plural;
    all.into_iter().find(named).unwrap()
}

pub async fn client(kubeconfig: &Path) -> kube::Client {
    let file = KubeConfigFile::read_from(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    cluster::client(config).unwrap()
}

pub fn verdict(in_force: &InForce, user: &str, verb: &str, account: &str, resource: &str) -> Verdict {
    let snapshot = &in_force.snapshot;
    let attributes = Attributes {
        user: user.into(),
        groups: vec!["system:authenticated".into()],
        target: Target::Resource(ResourceAttributes {
            namespace: account.into(),
            verb: verb.into(),
            resource: resource.into(),
            name: "x".into(),
            ..ResourceAttributes::default()
        }),
        ..Attributes::default()
    };
    let scope = |group: &str, plural: &str| ScopeFacts::from(snapshot.kinds().scope(group, plural));
    let setting = Setting {
        cluster: "",
        management_account: "kube-iam-system",
        mode: Mode::Coexist,
        now: Now { epoch_seconds: 0, rfc3339: "1970-01-01T00:00:00Z" },
        scope: &scope,
    };
    decide(snapshot, &mapping::request(&attributes, &setting).unwrap()).verdict
}

/// How long something takes to become so, looked at all the time.
pub fn took(mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < SOON, "not within {SOON:?}");
        std::hint::spin_loop();
    }
    began.elapsed()
}
