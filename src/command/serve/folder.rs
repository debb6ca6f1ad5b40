//! The world from a folder of manifests.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::process::Process;
use super::trust::Trust;
use crate::command::world::settings;
use crate::config::ServeConfig;
use crate::server::{AdmissionWebhook, Condition};
use crate::source::reload::Reload;
use crate::store;

pub(super) async fn serve(config: &ServeConfig, manifests: &Path) -> anyhow::Result<()> {
    let settings = settings(&config.cluster_name, &config.management_account, config.management_root.as_deref())?;
    let process = Process::begin(config).await?;
    let (publisher, reader) = store::channel();
    let reload = Reload::start(manifests, settings, publisher, Arc::clone(&process.metrics))
        .with_context(|| format!("cannot read the manifests in `{}`", manifests.display()))?;
    let (_state, folder, tls) = process.prepare().await?;
    process.readiness.clear(Condition::Snapshot);
    let next = format!("kube-iam can-i get secrets -n prod --as alice -f {}", manifests.display());
    if let Some(in_force) = reload.current() {
        process.announcement(&next)(&in_force.snapshot)?;
    }
    let admission = AdmissionWebhook::without_cluster(config.mode, Arc::clone(&process.metrics));
    let webhooks = (process.authorization(reader), admission);
    process.serve(tls, folder, Trust::unregistered(), webhooks, reload.run()).await
}
