//! `config`: what a kube-apiserver or a cluster needs, ready to use.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::config::ServeConfig;
use crate::server::{Reach, authorization_configuration, state_folder, webhook_registration};

#[derive(Clone, Debug, Args)]
#[command(subcommand_required = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// The AuthorizationConfiguration for kube-apiserver's --authorization-config
    Authorization(Box<ServeConfig>),
    /// The ValidatingWebhookConfiguration for kubectl apply
    Admission(Box<Admission>),
}

#[derive(Clone, Debug, Args)]
struct Admission {
    /// The Service through which API servers reach kube-iam, at port 443 [default: the address of --listen]
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service)]
    service: Option<Reach>,

    #[command(flatten)]
    serve: ServeConfig,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let text = match &arguments.what {
        What::Authorization(config) => {
            let kubeconfig = state(config)?.join(state_folder::AUTHORIZER_KUBECONFIG);
            authorization_configuration(config.mode, &kubeconfig, None)
        }
        What::Admission(admission) => registration(admission)?,
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(0)
}

fn registration(admission: &Admission) -> anyhow::Result<String> {
    let config = &admission.serve;
    let reach = match &admission.service {
        Some(service) => service.clone(),
        None if config.listen.port() == 0 => {
            anyhow::bail!("--listen {} picks a free port; name the port that API servers are to call", config.listen)
        }
        None => Reach::Address(config.listen),
    };
    let trusted = state_folder::trusted(&state(config)?, config.tls_cert.as_deref()).context(
        "cannot tell which certificate API servers are to trust; `kube-iam serve` makes it at its first start",
    )?;
    Ok(webhook_registration(&reach, &trusted))
}

fn state(config: &ServeConfig) -> anyhow::Result<PathBuf> {
    let state = config.state_dir(|name| std::env::var_os(name))?;
    std::path::absolute(&state).with_context(|| format!("cannot find `{}`", state.display()))
}

/// `NAMESPACE/NAME`.
fn service(text: &str) -> Result<Reach, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Reach::Service { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("expected NAMESPACE/NAME".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_namespace_and_name() {
        let expected = Reach::Service { namespace: "kube-iam-system".to_owned(), name: "kube-iam".to_owned() };
        assert_eq!(service("kube-iam-system/kube-iam"), Ok(expected));
        for text in ["kube-iam", "/", "a/", "/b", "a/b/c", ""] {
            assert_eq!(service(text), Err("expected NAMESPACE/NAME".to_owned()), "{text}");
        }
    }
}
