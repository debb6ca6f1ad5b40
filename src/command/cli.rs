//! Arguments in, exit code out.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, Parser, Subcommand};

use super::connect::is_from_cluster;
use super::{can_i, config, crds, explain, review, serve, simulate};
use crate::config::ServeConfig;

/// A negative answer.
pub(super) const NEGATIVE: u8 = 1;
/// Wrong usage or input that cannot be read.
pub(super) const USAGE: u8 = 2;
/// A cluster that cannot be reached, refuses, or does not have what is needed.
pub(super) const UNREACHABLE: u8 = 3;

/// AWS-style IAM for Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "kube-iam", version, about, propagate_version = true, subcommand_required = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer a kube-apiserver's authorization webhook
    Serve(Box<ServeConfig>),
    /// Ask whether an action is allowed, as `kubectl auth can-i` does
    CanI(Box<can_i::Arguments>),
    /// Ask in AWS words: principals, actions and resources by ARN
    Simulate(simulate::Arguments),
    /// Show the whole walk behind an answer, layer by layer
    Explain(explain::Arguments),
    /// Answer one SubjectAccessReview or AdmissionReview, byte for byte as the webhook does
    Review(review::Arguments),
    /// Print the four CustomResourceDefinitions
    Crds,
    /// Print what a kube-apiserver or a cluster needs
    Config(config::Arguments),
}

/// Runs the command that the arguments name.
///
/// The same program answers to `kube-iam` and, as a kubectl plugin, to `kubectl-iam`; usage follows the name.
pub fn run() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let called = arguments.first().map(std::path::Path::new).and_then(|path| path.file_stem()).and_then(|s| s.to_str());
    let mut command = <Cli as clap::CommandFactory>::command();
    if called == Some("kubectl-iam") {
        command = command.name("kubectl-iam").bin_name("kubectl iam");
    }
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|matches| <Cli as clap::FromArgMatches>::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; everything else is wrong usage.
            let code = if error.use_stderr() { USAGE } else { 0 };
            // Nothing is left to do when the terminal is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let result = match cli.command {
        Command::Serve(config) => serve::run(&config),
        Command::CanI(arguments) => can_i::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Review(arguments) => review::run(&arguments),
        Command::Crds => crds::run(),
        Command::Config(arguments) => config::run(&arguments),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if is_from_cluster(&error) { UNREACHABLE } else { USAGE })
        }
    }
}

/// Whether a long flag is among arguments that are still to be parsed.
pub(super) fn given(arguments: &[OsString], flag: &str) -> bool {
    arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .any(|text| text.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

/// Parses the arguments of a command that has two forms; ends the process as [`run`] does when they are wrong.
pub(super) fn parse_again<T: CommandFactory>(command: &'static str, arguments: &[OsString]) -> ArgMatches {
    let all = std::iter::once(OsString::from(command)).chain(arguments.iter().cloned());
    let usage = format!("kube-iam {command}");
    match T::command().bin_name(usage).try_get_matches_from(all) {
        Ok(matches) => matches,
        Err(error) => error.exit(),
    }
}

/// Whoever read our output has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |kind| kind == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| broken(error.kind()))
            || cause.downcast_ref::<serde_json::Error>().is_some_and(|error| error.io_error_kind().is_some_and(broken))
    })
}
