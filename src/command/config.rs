//! `config`: what a kube-apiserver needs, ready to use.

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::config::ServeConfig;
use crate::server::{authorization_configuration, state_folder};

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
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let What::Authorization(config) = &arguments.what;
    let state = config.state_dir(|name| std::env::var_os(name))?;
    let state = std::path::absolute(&state).with_context(|| format!("cannot find `{}`", state.display()))?;
    let text = authorization_configuration(config.mode, &state.join(state_folder::AUTHORIZER_KUBECONFIG));
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(0)
}
