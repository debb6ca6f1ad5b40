//! A cluster with kube-iam's kinds, and fast writers to it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::control_plane::cluster::{Cluster, Controllers, Options};
use crate::https::{Client, Connection};
use crate::kube_iam::{self, KubeIam, World};
use crate::objects;

/// Connections that write beside each other.
const WRITERS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster that holds the four kinds and some accounts.
pub struct Bench {
    /// The cluster.
    pub cluster: Cluster,
    admin: Client,
}

// === impl Bench ===

impl Bench {
    /// Starts a control plane, and stores the definitions and the accounts of so many objects.
    pub fn start(objects: usize) -> anyhow::Result<Self> {
        let options = Options { controllers: Controllers::Absent, ..Options::default() };
        let cluster = Cluster::try_start(&options).map_err(anyhow::Error::msg)?;
        let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds");
        let apply = ["apply", "--server-side", "-f", &crds.display().to_string()].map(str::to_owned);
        cluster.kubectl(cluster.admin(), apply).succeeded();
        let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
        cluster.kubectl(cluster.admin(), wait).succeeded();
        let admin = Client::of(cluster.admin());
        let bench = Self { cluster, admin };
        let mut connection = bench.connect()?;
        for account in objects::accounts(objects).chain(["kube-iam-system".to_owned()]) {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": account}});
            write(&mut connection, "POST", "/api/v1/namespaces", &namespace)?;
        }
        Ok(bench)
    }

    /// A replica that is ready.
    pub fn replica(&self) -> anyhow::Result<KubeIam> {
        self.replica_with(&[])
    }

    /// A replica with these flags that is ready.
    pub fn replica_with(&self, flags: &[&str]) -> anyhow::Result<KubeIam> {
        KubeIam::try_start(World::Cluster(self.cluster.admin().clone()), flags).map_err(anyhow::Error::msg)
    }

    /// A replica whose webhooks for IAM objects are registered and asked.
    pub fn replica_registered(&self) -> anyhow::Result<KubeIam> {
        let replica = self.replica_with(&["--admission-client-auth", "none"])?;
        let address = replica.ready().authorize_url.split('/').nth(2).context("an address")?.to_owned();
        let state = replica.state_dir().display().to_string();
        let printed = Command::new(kube_iam::executable())
            .args(["config", "admission", "--listen", &address, "--state-dir", &state])
            .output()?;
        let registration = String::from_utf8(printed.stdout)?;
        self.cluster.kubectl_with_input(self.cluster.admin(), ["apply", "-f", "-"], &registration).succeeded();
        let mut connection = self.connect()?;
        let probe = json!({
            "apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamGroup",
            "metadata": {"name": "probe", "namespace": "kube-iam-system"}, "spec": {"nonsense": true},
        });
        let path = "/apis/kube-iam.dev/v1alpha1/namespaces/kube-iam-system/iamgroups?dryRun=All";
        until("the webhooks are asked", || {
            let answer = connection.request("POST", path, probe.to_string().as_bytes());
            answer.is_ok_and(|answer| answer.body.contains("objects.kube-iam.dev"))
        })?;
        Ok(replica)
    }

    /// A connection to the API server.
    pub fn connect(&self) -> anyhow::Result<Connection> {
        self.admin.connect().context("connect to the API server")
    }

    /// Does something with each number, on several connections, at so many a second.
    pub fn each(
        &self,
        numbers: usize,
        per_second: Option<f64>,
        act: impl Fn(&mut Connection, usize) -> anyhow::Result<()> + Sync,
    ) -> anyhow::Result<()> {
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let work = || -> anyhow::Result<()> {
                let mut connection = self.connect()?;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers {
                        return Ok(());
                    }
                    if let Some(rate) = per_second {
                        let due = Duration::from_secs_f64(number as f64 / rate);
                        std::thread::sleep(due.saturating_sub(began.elapsed()));
                    }
                    act(&mut connection, number)?;
                }
            };
            let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(work)).collect();
            writers
                .into_iter()
                .try_for_each(|writer| writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?)
        })
    }

    /// Stores so many objects, as fast as the API server takes them.
    pub fn store(&self, number: usize) -> anyhow::Result<()> {
        self.each(number, None, |connection, number| {
            let object = objects::object(number, 0);
            write(connection, "POST", &object.collection(), &object.body)
        })
    }
}

/// One write that must be taken.
pub fn write(connection: &mut Connection, method: &str, path: &str, body: &Value) -> anyhow::Result<()> {
    let answer = connection.request(method, path, body.to_string().as_bytes())?;
    ensure!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
    Ok(())
}

/// Waits until something is so; how long that took.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<Duration> {
    let began = Instant::now();
    while !holds() {
        ensure!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(began.elapsed())
}

/// The value of a metric that has no labels, or the first series of one that has.
pub fn metric(replica: &KubeIam, name: &str) -> Option<String> {
    let text = replica.health("metrics")?.body;
    let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'))?;
    Some(line.strip_prefix(name)?.trim().to_owned())
}
