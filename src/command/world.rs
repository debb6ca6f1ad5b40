//! `-f PATH`: the world that a command asks.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::name::Revision;
use crate::snapshot::Snapshot;
use crate::source::folder;
use crate::world::{Settings, user_name};

/// Where the world comes from.
#[derive(Clone, Debug, Args)]
pub(super) struct WorldArguments {
    /// Manifests: a folder, a file, or - for standard input; repeat for several
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub(super) filename: Vec<PathBuf>,

    /// Name of the cluster: the region segment of its ARNs
    #[arg(long, value_name = "NAME", default_value = "", env = "KUBE_IAM_CLUSTER_NAME")]
    pub(super) cluster_name: String,

    /// Namespace that is the management account
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-iam-system", env = "KUBE_IAM_MANAGEMENT_ACCOUNT")]
    pub(super) management_account: String,

    /// Kubernetes user that is root of the management account
    #[arg(long, value_name = "USER", env = "KUBE_IAM_MANAGEMENT_ROOT")]
    pub(super) management_root: Option<String>,
}

// === impl WorldArguments ===

impl WorldArguments {
    /// Reads and compiles the world. What is wrong with single objects is told on standard error: it restricts and
    /// grants nothing.
    pub(super) fn load(&self) -> anyhow::Result<Snapshot> {
        let settings = settings(&self.cluster_name, &self.management_account, self.management_root.as_deref())?;
        let world = folder::load(&self.filename, settings).context("cannot read the manifests")?;
        for (key, outcome) in &world.outcomes {
            for finding in &outcome.findings {
                let place = outcome.place(finding).map(|place| format!("{place}: ")).unwrap_or_default();
                let path = if finding.path.is_empty() { String::new() } else { format!("{}: ", finding.path) };
                eprintln!("warning: {place}{key}: {path}{} ({})", finding.message, finding.reason.as_str());
            }
        }
        for account in world.accounts_selected_unseen() {
            eprintln!(
                "warning: account {account} has no Namespace manifest: guardrails that select by label apply to it"
            );
        }
        Ok(Snapshot::compile(&world, Revision(1)))
    }
}

/// The settings that flags name.
pub(super) fn settings(cluster: &str, management_account: &str, root: Option<&str>) -> anyhow::Result<Settings> {
    let management_root =
        root.map(|root| user_name(root).map_err(|why| anyhow::anyhow!("--management-root: {why}"))).transpose()?;
    Ok(Settings { cluster: cluster.into(), management_account: management_account.into(), management_root })
}
