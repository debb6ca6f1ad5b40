//! `serve`: the webhook, from start to clean end.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::logging;
use super::world::settings;
use crate::config::ServeConfig;
use crate::name::Mode;
use crate::server::{
    AuthorizationWebhook, ClientAuth, Condition, Lifecycle, Limits, Readiness, keep_fresh, private_file, serve_health,
    serve_https, state_folder, unix_now,
};
use crate::snapshot::Snapshot;
use crate::source::reload::Reload;
use crate::store;
use crate::telemetry::Metrics;

/// How long a process that is stopping may keep the state folder.
const PREDECESSOR: Duration = Duration::from_secs(12);

/// How often certificates are looked at.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(15);

pub(super) fn run(config: &ServeConfig) -> anyhow::Result<u8> {
    logging::start(config.log_format)?;
    let Some(manifests) = &config.manifests else {
        anyhow::bail!("give --manifests DIR: this version reads its world from a folder");
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(serve(config, manifests))?;
    Ok(0)
}

async fn serve(config: &ServeConfig, manifests: &Path) -> anyhow::Result<()> {
    let settings = settings(&config.cluster_name, &config.management_account, config.management_root.as_deref())?;
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let metrics = Arc::new(Metrics::new());
    let readiness = Readiness::new();
    let https = bind(config.listen, "--listen").await?;
    let health = bind(config.health_listen, "--health-listen").await?;
    let address = https.local_addr()?;
    let health_address = health.local_addr()?;

    let (publisher, reader) = store::channel();
    let reload = Reload::start(manifests, settings, publisher, Arc::clone(&metrics))
        .with_context(|| format!("cannot read the manifests in `{}`", manifests.display()))?;
    let state = config.state_dir(|name| std::env::var_os(name))?;
    let _held = hold(&state).await?;
    let tls = Arc::new(state_folder::prepare(&folder_settings(config, state, address), unix_now())?);

    let (lifecycle, states) = watch::channel(Lifecycle::Serving);
    let webhook = AuthorizationWebhook::new(reader, config.mode, Arc::clone(&metrics));
    let limits = Limits::default().within_open_files();
    let served = tokio::spawn(serve_https(https, Arc::clone(&tls), webhook, limits, states.clone()));
    let health = tokio::spawn(serve_health(health, readiness.clone(), Arc::clone(&metrics)));
    let fresh = tokio::spawn(keep_fresh(tls, CERTIFICATES_EVERY, readiness.clone(), metrics, states));

    readiness.clear(Condition::Snapshot);
    if let Some(snapshot) = reload.current() {
        announce(&snapshot, config, manifests, address, health_address)?;
    }
    let reload = tokio::spawn(reload.run());
    let ended = tokio::select! {
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
        ended = reload => Err(anyhow::anyhow!("the task that follows the folder ended: {ended:?}")),
    };
    // A snapshot that can no longer change must not go on answering.
    readiness.block(Condition::Running, "shutting down");
    tracing::info!("stopping: running requests may finish");
    lifecycle.send_replace(Lifecycle::Stopping);
    let finished = served.await;
    health.abort();
    fresh.abort();
    ended?;
    finished.context("the listener failed")
}

/// Keeps the state folder to this process while it lives: another would write its own address into the files that an
/// API server follows. A predecessor that is on its way out is waited for.
async fn hold(state: &Path) -> anyhow::Result<std::fs::File> {
    private_file::create_folder(state)
        .with_context(|| format!("cannot make the state folder `{}`", state.display()))?;
    let path = state.join(".serving");
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    let began = std::time::Instant::now();
    while let Err(error) = file.try_lock() {
        match error {
            std::fs::TryLockError::WouldBlock if began.elapsed() < PREDECESSOR => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            std::fs::TryLockError::WouldBlock => {
                anyhow::bail!("another kube-iam serves from the state folder `{}`; give --state-dir", state.display());
            }
            std::fs::TryLockError::Error(error) => {
                return Err(error).with_context(|| format!("cannot lock `{}`", path.display()));
            }
        }
    }
    Ok(file)
}

/// The ready line, and on a terminal what to try next.
fn announce(
    snapshot: &Snapshot,
    config: &ServeConfig,
    manifests: &Path,
    address: std::net::SocketAddr,
    health: std::net::SocketAddr,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "ready revision={} objects={} authorize=https://{address}/authorize health=http://{health}",
        snapshot.revision(),
        snapshot.objects(),
    )?;
    writeln!(
        out,
        "mode {}; next: kube-iam can-i get secrets -n prod --as alice -f {}",
        config.mode,
        manifests.display()
    )?;
    if config.mode == Mode::Shadow {
        writeln!(out, "shadow: every answer is NoOpinion")?;
    }
    out.flush()?;
    Ok(())
}

async fn bind(address: std::net::SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ({flag})"))
}

fn folder_settings(config: &ServeConfig, root: PathBuf, address: std::net::SocketAddr) -> state_folder::Settings {
    state_folder::Settings {
        root,
        address,
        hosts: Vec::new(),
        mode: config.mode,
        serving: config.tls_cert.clone().zip(config.tls_key.clone()),
        client_ca: config.client_ca.clone(),
        // Every surface of this version needs a client certificate.
        client_auth: ClientAuth::Required,
    }
}
