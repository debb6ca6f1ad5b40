//! The two forms of the command: a question, or a file of records.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, FromArgMatches as _, Parser};

use super::super::cli::{NEGATIVE, given, parse_again};
use super::super::output::Format;
use super::cases;
use super::named::NamedArguments;

/// Two forms, told apart by `--cases`.
#[derive(Clone, Debug, Args)]
#[command(disable_help_flag = true)]
pub(in super::super) struct Arguments {
    /// --principal, --action, --resource and -f; or --cases FILE
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Ask in AWS words: one verdict for each action on each resource
#[derive(Clone, Debug, Parser)]
#[command(name = "simulate", after_help = "Another form answers conformance records: simulate --cases FILE")]
struct Named {
    #[command(flatten)]
    named: NamedArguments,

    /// Form of the output
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Answer conformance records, one JSON object a line, without any world
#[derive(Clone, Debug, Parser)]
#[command(name = "simulate")]
struct Cases {
    /// The records; - for standard input
    #[arg(long, value_name = "FILE")]
    cases: PathBuf,
}

pub(in super::super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if given(&arguments.arguments, "--cases") {
        let matches = parse_again::<Cases>("simulate", &arguments.arguments);
        return run_cases(&Cases::from_arg_matches(&matches)?.cases);
    }
    let matches = parse_again::<Named>("simulate", &arguments.arguments);
    let named = Named::from_arg_matches(&matches)?;
    named.named.run(named.output)
}

fn run_cases(path: &Path) -> anyhow::Result<u8> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let tally = if path.as_os_str() == "-" {
        cases::run(std::io::stdin().lock(), &mut out)
    } else {
        let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        cases::run(BufReader::new(file), &mut out)
    }?;
    out.flush()?;
    eprintln!("{} passed, {} failed, {} without an expectation", tally.passed, tally.failed, tally.unjudged);
    Ok(if tally.failed == 0 { 0 } else { NEGATIVE })
}
