//! The world from the objects of a cluster.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{oneshot, watch};

use super::process::Process;
use super::trust::{self, Trust};
use crate::command::connect;
use crate::command::world::settings;
use crate::config::ServeConfig;
use crate::operator::{Authorities, Heard, Operator, Parts, ReplicaId, Trusted};
use crate::server::{AdmissionWebhook, Condition, Readiness, state_folder};
use crate::snapshot::Snapshot;
use crate::source::cluster::{self, Cluster};
use crate::store::{self, InForce, Reader, WatchedKind};

pub(super) async fn serve(config: &ServeConfig) -> anyhow::Result<()> {
    let settings = settings(&config.cluster_name, &config.management_account, config.management_root.as_deref())?;
    let api_server = connect::config(config.kubeconfig.as_deref(), config.context.as_deref()).await?;
    let process = Process::begin(config).await?;
    // An API server may be waiting for what is written here.
    let (state, folder, tls) = process.prepare().await?;
    let id = ReplicaId::parse(&state_folder::replica_id(&state.root)?)
        .with_context(|| format!("remove `{}`", state.root.join("replica-id").display()))?;

    let watching = cluster::client(api_server.clone()).context("cannot make a client for the API server")?;
    let asking = kube::Client::try_from(api_server).context("cannot make a client for the API server")?;
    let (publisher, in_force) = store::channel();
    let (catalog, objects) = store::catalog(settings);
    let cluster = Cluster::new(watching, publisher, catalog, Arc::clone(&process.metrics));

    let announcement = process.announcement("kubectl get iam -A");
    let announced =
        tokio::spawn(announce(in_force.clone(), cluster.awaited(), process.readiness.clone(), announcement));
    let (uses, root_uses) = store::root_uses();
    let (ours, certificates) = watch::channel(tls.trusted());
    let (trusted, registered) = watch::channel(match config.tls_cert {
        None => Trusted::Unseen,
        Some(_) => Trusted::Nowhere,
    });
    let (heard, hears) = watch::channel(Heard::No("it has not reported yet".to_owned()));
    let known = tokio::spawn(trust::watch(process.readiness.clone(), certificates.clone(), registered.clone(), hears));
    let operator = Operator::new(Parts {
        client: asking.clone(),
        id,
        catalog: objects.clone(),
        in_force: in_force.clone(),
        metrics: Arc::clone(&process.metrics),
        authorities: match config.tls_cert {
            None => Authorities::Ours { certificates, trusted },
            Some(_) => Authorities::Theirs,
        },
        root_uses,
        heard,
        epoch: cluster.epoch(),
    });
    let (stop, stopped) = oneshot::channel::<()>();

    let admission = AdmissionWebhook::new(
        objects,
        in_force.clone(),
        asking,
        config.installer.clone(),
        config.mode,
        Arc::clone(&process.metrics),
    );
    let webhooks = (process.authorization(in_force).telling(uses), admission);
    let serving = async {
        let served = process.serve(tls, folder, Trust::registered(ours, registered), webhooks, cluster.run()).await;
        announced.abort();
        known.abort();
        // Another replica need not wait for this one.
        drop(stop);
        served
    };
    let operating = operator.run(async {
        let _ = stopped.await;
    });
    let (served, ()) = tokio::join!(serving, operating);
    served
}

/// Waits until every kind has been read and is in force, and says so; until then, what is missing.
async fn announce(
    in_force: Reader<InForce>,
    mut awaited: watch::Receiver<Vec<WatchedKind>>,
    readiness: Readiness,
    announcement: impl Fn(&Snapshot) -> std::io::Result<()>,
) {
    let mut publications = in_force.publications();
    loop {
        if let Some(first) = in_force.load() {
            readiness.clear(Condition::Snapshot);
            if let Err(error) = announcement(&first.snapshot) {
                tracing::warn!(%error, "cannot write to standard output");
            }
            return;
        }
        readiness.block(Condition::Snapshot, not_yet(&awaited.borrow_and_update()));
        tokio::select! {
            changed = publications.changed() => if changed.is_err() { return },
            Ok(()) = awaited.changed() => {}
        }
    }
}

/// Why nothing is in force while these kinds are missing.
fn not_yet(awaited: &[WatchedKind]) -> String {
    let kinds: Vec<&str> = awaited.iter().map(|kind| kind.as_str()).collect();
    match kinds.as_slice() {
        [] => "no snapshot yet".to_owned(),
        kinds => format!("no snapshot yet: waiting for the API server to list {}", kinds.join(", ")),
    }
}
