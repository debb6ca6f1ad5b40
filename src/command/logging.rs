//! The log: one event a line, on standard error.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::LogFormat;

/// What libraries log that is told here, too, with what it means. `RUST_LOG` may name them.
const TOLD_ELSEWHERE: &str = "kube_client=off";

/// Sets the log up for the life of the process. `RUST_LOG` chooses levels; info by default.
pub(super) fn start(format: Option<LogFormat>) -> anyhow::Result<()> {
    let on_terminal = std::io::stderr().is_terminal();
    let format = format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json });
    let chosen = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let chosen = if chosen.trim().is_empty() { LevelFilter::INFO.to_string() } else { chosen };
    let filter = EnvFilter::builder()
        .parse(format!("{TOLD_ELSEWHERE},{chosen}"))
        .with_context(|| format!("{} `{chosen}`", EnvFilter::DEFAULT_ENV))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.with_ansi(on_terminal).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}
