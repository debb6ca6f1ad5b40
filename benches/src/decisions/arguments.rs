//! The command line.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

/// What to measure.
#[derive(Debug)]
pub struct Arguments {
    /// The folder of the workload.
    pub workload: PathBuf,
    /// The first so many requests only.
    pub limit: usize,
    /// Timed passes over the requests.
    pub rounds: usize,
    /// Where the verdicts go, one character each.
    pub out: Option<PathBuf>,
    /// How the store is asked.
    pub mode: Option<String>,
}

// === impl Arguments ===

impl Arguments {
    /// Reads `--name value` pairs.
    ///
    /// # Errors
    /// When a name is unknown, a value is missing or no number, or there is no `--workload`.
    pub fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut workload = None;
        let mut arguments = Self { workload: PathBuf::new(), limit: usize::MAX, rounds: 3, out: None, mode: None };
        while let Some(name) = words.next() {
            let value = words.next().with_context(|| format!("`{name}` needs a value"))?;
            let number = || value.parse().with_context(|| format!("`{name}` needs a number, found `{value}`"));
            match name.as_str() {
                "--workload" => workload = Some(PathBuf::from(value)),
                "--limit" => arguments.limit = number()?,
                "--rounds" => arguments.rounds = number()?.max(1),
                "--out" => arguments.out = Some(value.into()),
                "--mode" => arguments.mode = Some(value),
                _ => bail!(
                    "unknown argument `{name}`; expected `--workload`, `--limit`, `--rounds`, `--out` or `--mode`"
                ),
            }
        }
        arguments.workload = workload.context("`--workload` with the folder of the workload is missing")?;
        Ok(arguments)
    }
}
