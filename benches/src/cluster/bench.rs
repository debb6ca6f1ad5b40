//! A cluster with kube-iam's kinds, and fast writers to it.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::control_plane::cluster::{Cluster, Controllers, Options};
use crate::https::{Client, Connection};
use crate::kube_iam::{KubeIam, World};
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
        self.replica_launched().and_then(|mut replica| {
            replica.wait_until_ready().map_err(anyhow::Error::msg)?;
            Ok(replica)
        })
    }

    /// A replica that has just been started.
    pub fn replica_launched(&self) -> anyhow::Result<KubeIam> {
        KubeIam::launch(World::Cluster(self.cluster.admin().clone()), &[]).map_err(anyhow::Error::msg)
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
