//! What every run has: listeners, the state folder, certificates, signals, an orderly end.

use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::trust::Trust;
use super::{cluster, folder};
use crate::command::logging;
use crate::config::{AdmissionClientAuth, ServeConfig};
use crate::name::Mode;
use crate::server::{
    AdmissionWebhook, AuthorizationWebhook, ClientAuth, Condition, Lifecycle, Limits, Readiness, Tls, keep_fresh,
    private_file, self_test, serve_health, serve_https, state_folder, unix_now,
};
use crate::snapshot::Snapshot;
use crate::store::{InForce, Reader};
use crate::telemetry::Metrics;

/// How long a process that is stopping may keep the state folder.
const PREDECESSOR: Duration = Duration::from_secs(12);

/// How often certificates are looked at.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(5);

pub(in crate::command) fn run(config: &ServeConfig) -> anyhow::Result<u8> {
    logging::start(config.log_format)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        match &config.manifests {
            Some(manifests) => folder::serve(config, manifests).await,
            None => cluster::serve(config).await,
        }
    })?;
    Ok(0)
}

/// A process that listens and does not answer yet.
pub(super) struct Process<'a> {
    pub config: &'a ServeConfig,
    pub metrics: Arc<Metrics>,
    pub readiness: Readiness,
    signals: [Signal; 2],
    https: TcpListener,
    health: TcpListener,
    address: SocketAddr,
    health_address: SocketAddr,
}

/// A state folder that is this process's alone.
pub(super) struct State {
    pub root: PathBuf,
    /// Held for as long as the process lives.
    _lock: std::fs::File,
}

// === impl Process ===

impl<'a> Process<'a> {
    /// Takes the ports, once the program has answered a table of questions right.
    pub async fn begin(config: &'a ServeConfig) -> anyhow::Result<Self> {
        self_test::run()
            .map_err(|wrong| anyhow::anyhow!("this program answers wrong, so it does not serve: {wrong}"))?;
        let signals = [SignalKind::terminate(), SignalKind::interrupt()];
        let [terminated, interrupted] = signals.map(|kind| signal(kind).context("cannot wait for signals"));
        let https = bind(config.listen, "--listen").await?;
        let health = bind(config.health_listen, "--health-listen").await?;
        Ok(Self {
            config,
            metrics: Arc::new(Metrics::new()),
            readiness: Readiness::new(),
            signals: [terminated?, interrupted?],
            address: https.local_addr()?,
            health_address: health.local_addr()?,
            https,
            health,
        })
    }

    /// Takes the state folder and writes what an API server needs, which may be waiting for it.
    pub async fn prepare(&self) -> anyhow::Result<(State, state_folder::Settings, Arc<Tls>)> {
        let root = self.config.state_dir(|name| std::env::var_os(name))?;
        let lock = hold(&root).await?;
        let settings = state_folder::Settings {
            root: root.clone(),
            address: self.address,
            mode: self.config.mode,
            serving: self.config.tls_cert.clone().zip(self.config.tls_key.clone()),
            client_ca: self.config.client_ca.clone(),
            client_auth: match self.config.admission_client_auth {
                AdmissionClientAuth::Required => ClientAuth::Required,
                AdmissionClientAuth::None => ClientAuth::PerPath,
            },
            patience: state_folder::PATIENCE,
        };
        let tls = Arc::new(state_folder::prepare(&settings, unix_now())?);
        Ok((State { root, _lock: lock }, settings, tls))
    }

    /// Serves until a signal comes, or `source` ends: what can no longer change must not go on answering. `ended` is told
    /// when it is over.
    pub async fn serve<E>(
        self,
        tls: Arc<Tls>,
        folder: state_folder::Settings,
        trust: Trust,
        (authorization, admission): (AuthorizationWebhook, AdmissionWebhook),
        source: impl Future<Output = E> + Send + 'static,
    ) -> anyhow::Result<()>
    where
        E: std::fmt::Debug + Send + 'static,
    {
        let [mut terminated, mut interrupted] = self.signals;
        let (lifecycle, states) = watch::channel(Lifecycle::Serving);
        let limits = Limits::default().within_open_files();
        let https = serve_https(self.https, Arc::clone(&tls), authorization, admission, limits, states.clone());
        let served = tokio::spawn(https);
        let health = tokio::spawn(serve_health(self.health, self.readiness.clone(), Arc::clone(&self.metrics)));
        let renewing = tokio::spawn(keep_renewed(folder, Arc::clone(&tls), trust));
        let fresh = tokio::spawn(keep_fresh(tls, CERTIFICATES_EVERY, self.readiness.clone(), self.metrics, states));
        let source = tokio::spawn(source);
        let ended = tokio::select! {
            _ = terminated.recv() => Ok(()),
            _ = interrupted.recv() => Ok(()),
            ended = source => Err(anyhow::anyhow!("the task that builds what is in force ended: {ended:?}")),
        };
        self.readiness.block(Condition::Running, "shutting down");
        tracing::info!("stopping: running requests may finish");
        lifecycle.send_replace(Lifecycle::Stopping);
        let finished = served.await;
        health.abort();
        fresh.abort();
        renewing.abort();
        ended?;
        finished.context("the listener failed")
    }

    /// Says that the process is ready, and what to try next.
    pub fn announcement(&self, next: &str) -> impl Fn(&Snapshot) -> std::io::Result<()> + Send + 'static {
        let (address, health, mode) = (self.address, self.health_address, self.config.mode);
        let next = next.to_owned();
        move |snapshot| {
            let mut out = std::io::stdout().lock();
            writeln!(
                out,
                "ready revision={} objects={} authorize=https://{address}/authorize health=http://{health}",
                snapshot.revision(),
                snapshot.objects(),
            )?;
            writeln!(out, "mode {mode}; next: {next}")?;
            if mode == Mode::Shadow {
                writeln!(out, "shadow: every answer is NoOpinion")?;
            }
            out.flush()
        }
    }

    /// The authorization webhook on what is in force.
    pub fn authorization(&self, in_force: Reader<InForce>) -> AuthorizationWebhook {
        AuthorizationWebhook::new(in_force, self.config.mode, Arc::clone(&self.metrics))
    }
}

// === free functions ===

/// Lets another authority take over when that is due, and tells who must be trusted.
async fn keep_renewed(folder: state_folder::Settings, tls: Arc<Tls>, trust: Trust) {
    let mut ticks = interval(CERTIFICATES_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (settings, serving, announced) = (folder.clone(), Arc::clone(&tls), trust.announced());
        let renewed = tokio::task::spawn_blocking(move || {
            state_folder::renew(&settings, &serving, unix_now(), announced).map_err(anyhow::Error::from)
        });
        if let Err(error) = renewed.await.unwrap_or_else(|error| Err(error.into())) {
            tracing::warn!(error = format!("{error:#}"), "certificate authorities stay as they are");
        }
        let trusted = tls.trusted();
        trust.ours.send_if_modified(|ours| std::mem::replace(ours, trusted.clone()) != trusted);
    }
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

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ({flag})"))
}
