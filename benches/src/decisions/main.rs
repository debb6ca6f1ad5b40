//! Decisions per second of one thread: no server, no cache, strings in and a verdict out.
//!
//! A workload is a folder with `store.json` (policies, groups, principals), `requests.jsonl` and `expected.txt` (one
//! character per request). The runner loads the store, answers the requests in order, prints one JSON line of numbers
//! and writes one character per request, so that it can stand beside runners of other engines in one table.
//!
//! - [`arguments`]: the command line.
//! - [`store`]: `store.json` as a world, compiled.
//! - [`question`]: a neutral request, and the evaluator's own.
//! - [`measure`]: rounds, clocks, memory.

mod arguments;
mod measure;
mod question;
mod store;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use cpu_time::ThreadTime;
use kube_iam::decide::{Verdict, decide};

use arguments::Arguments;
use measure::{Memory, Rounds};

/// The only mode: one decision per call on the compiled store.
const MODE: &str = "single";

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let mode = arguments.mode.as_deref().unwrap_or(MODE);
    ensure!(mode == MODE, "unknown mode `{mode}`; expected `{MODE}`");

    let memory = Memory::now();
    let (clock, cpu) = (Instant::now(), ThreadTime::now());
    let snapshot = store::load(&arguments.workload)?;
    let (load, load_cpu) = (clock.elapsed(), cpu.elapsed());
    let loaded = Memory::now();

    let questions = question::load(&arguments.workload, arguments.limit)?;
    ensure!(!questions.is_empty(), "no requests in `{}`", arguments.workload.display());
    let rounds = Rounds::run(&questions, arguments.rounds, |question| match question.request() {
        Some(request) => decide(&snapshot, &request).verdict,
        // No ARN, no principal: nobody grants.
        None => Verdict::ImplicitDeny,
    });

    let expected = std::fs::read_to_string(arguments.workload.join("expected.txt")).context("read `expected.txt`")?;
    let wrong = rounds.verdicts.chars().zip(expected.trim_end().chars()).filter(|(got, wanted)| got != wanted).count();
    if let Some(out) = &arguments.out {
        std::fs::write(out, format!("{}\n", rounds.verdicts)).with_context(|| format!("write `{}`", out.display()))?;
    }
    println!(
        "{}",
        serde_json::json!({
            "engine": "kube-iam",
            "version": env!("CARGO_PKG_VERSION"),
            "mode": mode,
            "requests": questions.len(),
            "decisions_per_s": rounds.per_second().round(),
            "cpu_ns": rounds.median_cpu_ns().round(),
            "best_cpu_ns": rounds.best_cpu_ns().round(),
            "decisions_per_cpu_s": (1e9 / rounds.median_cpu_ns()).round(),
            "p50_ns": rounds.latency_ns(0.50),
            "p99_ns": rounds.latency_ns(0.99),
            "load_s": load.as_secs_f64(),
            "load_cpu_s": load_cpu.as_secs_f64(),
            "rss_store_kib": loaded.resident_kib.saturating_sub(memory.resident_kib),
            "peak_load_kib": loaded.peak_kib.saturating_sub(memory.resident_kib),
            "wrong": wrong,
        })
    );
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
