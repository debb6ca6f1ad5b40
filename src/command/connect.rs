//! Which cluster, and as whom.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, UserInfo};
use kube::Api;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::source::cluster::{self, ClusterError};
use crate::world::{Input, Settings};

/// How long a person waits for one answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A cluster, for a command that asks a few things and ends.
pub(super) struct Connection {
    runtime: tokio::runtime::Runtime,
    client: kube::Client,
    /// The namespace that the kubeconfig's context names, or `default`.
    pub(super) namespace: String,
}

/// Why the cluster does not say who asks.
#[derive(Debug, thiserror::Error)]
enum WhoError {
    #[error("the API server says nothing for {} s", ANSWER.as_secs())]
    Silent,
    #[error("{0}")]
    Refused(kube::Error),
}

// === impl Connection ===

impl Connection {
    /// Finds the cluster; nothing is asked of it yet.
    pub(super) fn open(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
        let config = runtime.block_on(config(kubeconfig, context))?;
        let namespace = config.default_namespace.clone();
        let client = {
            let _entered = runtime.enter();
            // The text says what its source does.
            cluster::client(config).map_err(|error| anyhow!("cannot use the kubeconfig: {error}"))?
        };
        Ok(Self { runtime, client, namespace })
    }

    /// The objects of the cluster.
    pub(super) fn read(&self, settings: Settings) -> Result<Input, ClusterError> {
        self.runtime.block_on(cluster::read(&self.client, settings)).map(|(input, _)| input)
    }

    /// Asks something of the cluster, and waits for the answer.
    pub(super) fn ask<F: Future>(&self, ask: impl FnOnce(kube::Client) -> F) -> F::Output {
        self.runtime.block_on(ask(self.client.clone()))
    }

    /// Who we are to the cluster.
    pub(super) fn who(&self) -> anyhow::Result<UserInfo> {
        let reviews: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let (parameters, review) = (PostParams::default(), SelfSubjectReview::default());
        let review = self.runtime.block_on(async {
            match tokio::time::timeout(ANSWER, reviews.create(&parameters, &review)).await {
                Ok(answer) => answer.map_err(WhoError::Refused),
                Err(_) => Err(WhoError::Silent),
            }
        });
        let review = review.context("cannot tell who asks; give --as USER, or ask the cluster as somebody it knows")?;
        Ok(review.status.and_then(|status| status.user_info).unwrap_or_default())
    }
}

// === free functions ===

/// The API server that flags name: by default the one that this process runs on, else the one of `KUBECONFIG` or
/// `~/.kube/config`.
pub(super) async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<kube::Config> {
    let in_cluster = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    if kubeconfig.is_none() && context.is_none() && in_cluster {
        return kube::Config::incluster()
            .map_err(|error| anyhow!("cannot use the ServiceAccount of this Pod: {error}"));
    }
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let read = match kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let config = match read {
        Ok(file) => kube::Config::from_custom_kubeconfig(file, &options).await,
        Err(error) => Err(error),
    };
    config.map_err(|error| refused(error, kubeconfig))
}

/// Whether an error says that a cluster did not give what was asked of it.
pub(super) fn is_from_cluster(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<ClusterError>() || cause.is::<WhoError>())
}

fn refused(error: KubeconfigError, named: Option<&Path>) -> anyhow::Error {
    match error {
        KubeconfigError::ReadConfig(cause, path)
            if named.is_none()
                && std::env::var_os("KUBECONFIG").is_none()
                && cause.kind() == std::io::ErrorKind::NotFound =>
        {
            anyhow!(
                "no cluster is known here, there is no `{}`: name one with --kubeconfig FILE, or a folder of manifests",
                path.display()
            )
        }
        KubeconfigError::ReadConfig(cause, path) => anyhow!("cannot read the kubeconfig `{}`: {cause}", path.display()),
        KubeconfigError::LoadContext(name) => anyhow!("the kubeconfig has no context `{name}`"),
        KubeconfigError::CurrentContextNotSet => anyhow!("the kubeconfig has no current context: give --context NAME"),
        other => anyhow!("cannot use the kubeconfig: {other}"),
    }
}
