//! `-f PATH`, `--kubeconfig`: the world that a command asks.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use super::connect::Connection;
use super::facts::{self, Pairs};
use crate::name::Revision;
use crate::snapshot::Snapshot;
use crate::source::folder;
use crate::world::{self, Input, Settings, World, user_name};

/// Where the world comes from.
#[derive(Clone, Debug, Args)]
pub(super) struct WorldArguments {
    /// Manifests: a folder, a file, or - for standard input; repeat for several [default: the objects of a cluster]
    #[arg(short = 'f', long = "filename", value_name = "PATH", conflicts_with = "kubeconfig")]
    filename: Vec<PathBuf>,

    /// Kubeconfig of the cluster [default: in-cluster, then KUBECONFIG, then ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// With =: a fact that a session would carry; repeat a key for several values.
    /// Without: the context of the kubeconfig
    #[arg(long, value_name = "KEY=VALUE | NAME")]
    context: Vec<String>,

    /// Name of the cluster: the region segment of its ARNs
    #[arg(long, value_name = "NAME", default_value = "", env = "KUBE_IAM_CLUSTER_NAME")]
    cluster_name: String,

    /// Namespace that is the management account
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-iam-system", env = "KUBE_IAM_MANAGEMENT_ACCOUNT")]
    management_account: String,

    /// Kubernetes user that is root of the management account
    #[arg(long, value_name = "USER", env = "KUBE_IAM_MANAGEMENT_ROOT")]
    management_root: Option<String>,
}

/// A world, and the cluster that it is of.
pub(super) struct Opened {
    pub(super) snapshot: Snapshot,
    /// `None` for manifests.
    pub(super) cluster: Option<Connection>,
}

/// Warnings about objects of a cluster.
const MOST_WARNINGS: usize = 10;

// === impl WorldArguments ===

impl WorldArguments {
    /// Reads and compiles the world, for a command that is given no facts.
    pub(super) fn load(&self) -> anyhow::Result<Snapshot> {
        if let Some((key, _)) = self.facts()?.first() {
            bail!("--context: `{key}`: facts cannot be given here");
        }
        Ok(self.open()?.snapshot)
    }

    /// Reads and compiles the world. What is wrong with single objects is told on standard error: it restricts and
    /// grants nothing.
    pub(super) fn open(&self) -> anyhow::Result<Opened> {
        let (input, cluster) = self.read()?;
        if input.objects.is_empty() {
            eprintln!("warning: there is no IAM object{}", if cluster.is_some() { "" } else { " in the manifests" });
        }
        let world = world::build(&input);
        let warnings = match cluster {
            // Of what others wrote there, as much as leaves the answer in sight.
            Some(_) => warnings(&world, "Namespace", MOST_WARNINGS),
            None => warnings(&world, "Namespace manifest", usize::MAX),
        };
        for warning in warnings {
            eprintln!("warning: {warning}");
        }
        Ok(Opened { snapshot: Snapshot::compile(&world, Revision(1)), cluster })
    }

    /// Reads the objects, and says of which cluster they are.
    pub(super) fn read(&self) -> anyhow::Result<(Input, Option<Connection>)> {
        let settings = settings(&self.cluster_name, &self.management_account, self.management_root.as_deref())?;
        if !self.filename.is_empty() {
            return Ok((folder::read(&self.filename, settings).context("cannot read the manifests")?, None));
        }
        let cluster = Connection::open(self.kubeconfig.as_deref(), self.kubeconfig_context()?)?;
        let input = cluster.read(settings).context("cannot read the objects of the cluster")?;
        Ok((input, Some(cluster)))
    }

    /// Facts that a session would carry.
    pub(super) fn facts(&self) -> anyhow::Result<Pairs<'_>> {
        let of_a_cluster = self.filename.is_empty();
        let facts = self.context.iter().map(String::as_str).filter(|text| !of_a_cluster || text.contains('='));
        facts::facts(facts)
    }

    fn kubeconfig_context(&self) -> anyhow::Result<Option<&str>> {
        let mut names = self.context.iter().map(String::as_str).filter(|text| !text.contains('='));
        match (names.next(), names.next()) {
            (Some(first), Some(second)) => bail!("--context: `{first}` and `{second}`; one kubeconfig context is used"),
            (name, _) => Ok(name),
        }
    }
}

/// What is wrong with objects, up to so many of them.
fn warnings(world: &World, namespace: &str, most: usize) -> Vec<String> {
    let wrong = world.outcomes.iter().flat_map(|(key, outcome)| {
        outcome.findings.iter().map(move |finding| {
            let place = outcome.place(finding).map(|place| format!("{place}: ")).unwrap_or_default();
            let path = if finding.path.is_empty() { String::new() } else { format!("{}: ", finding.path) };
            format!("{place}{key}: {path}{} ({})", finding.message, finding.reason.as_str())
        })
    });
    let unseen = world.accounts_selected_unseen().into_iter();
    let unseen = unseen
        .map(|account| format!("account {account} has no {namespace}: guardrails that select by label apply to it"));
    let mut all = wrong.chain(unseen);
    let mut warnings: Vec<String> = all.by_ref().take(most).collect();
    match all.count() {
        0 => {}
        more => warnings.push(format!("and {more} more; `kubectl get iam -A` shows what is not ready")),
    }
    warnings
}

/// The settings that flags name.
pub(super) fn settings(cluster: &str, management_account: &str, root: Option<&str>) -> anyhow::Result<Settings> {
    let management_root =
        root.map(|root| user_name(root).map_err(|why| anyhow::anyhow!("--management-root: {why}"))).transpose()?;
    Ok(Settings { cluster: cluster.into(), management_account: management_account.into(), management_root })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::tree::Node;
    use crate::world::{Kind, Object, ObjectKey, Spec};

    #[test]
    fn what_is_wrong_elsewhere_leaves_the_answer_in_sight() {
        let broken = |number: usize| Object {
            key: ObjectKey { kind: Kind::Group, account: "shop".into(), name: format!("g{number:02}").into() },
            uid: None,
            spec: Spec::Read(Arc::new(Node::from(&serde_json::json!({"policies": ["missing"]})))),
            last_good: None,
            deleting: false,
            origin: None,
        };
        let world = world::build(&Input { objects: (0..13).map(broken).collect(), ..Input::default() });
        assert_eq!(warnings(&world, "Namespace", usize::MAX).len(), 13);
        let some = warnings(&world, "Namespace", MOST_WARNINGS);
        assert!(some[9].starts_with("IamGroup shop/g09: "), "{some:?}");
        assert_eq!(some[10], "and 3 more; `kubectl get iam -A` shows what is not ready");
    }
}
