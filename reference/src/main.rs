//! `cases FILE` answers records of the conformance corpus; `generate` makes new ones with the answers filled in.

use std::error::Error;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use kube_iam_reference::decision::{Matched, decide};
use kube_iam_reference::generate::{Topic, generate};
use kube_iam_reference::record::{answer, passes};
use serde_json::{Value, json};

const USAGE: &str = "usage: kube-iam-reference cases FILE
       kube-iam-reference generate --kind decision|condition|pattern --seed S --count N";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["cases", file] => cases(file),
        ["generate", options @ ..] => print_generated(options),
        _ => Err(USAGE.into()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

/// Answers every record of a file; fails if an answer differs from the expected one.
fn cases(file: &str) -> Result<ExitCode, Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read `{file}`: {error}"))?;
    let mut output = BufWriter::new(io::stdout().lock());
    let (mut passed, mut failed) = (0, 0);
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let record: Value = serde_json::from_str(line).map_err(|error| format!("{file}:{}: {error}", index + 1))?;
        let Some(verdict) = answer(&record) else { continue };
        let mut result = json!({"id": record.get("id"), "verdict": verdict});
        if record.get("kind").and_then(Value::as_str) == Some("decision")
            && let Some(fields) = result.as_object_mut()
        {
            fields.insert("matched".to_owned(), decide(&record).matched.iter().map(Matched::to_json).collect());
        }
        if let (Some(expected), Some(fields)) = (record.get("expected"), result.as_object_mut()) {
            let pass = passes(&verdict, expected);
            *(if pass { &mut passed } else { &mut failed }) += 1;
            fields.insert("expected".to_owned(), expected.clone());
            fields.insert("pass".to_owned(), pass.into());
        }
        writeln!(output, "{result}")?;
    }
    output.flush()?;
    eprintln!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_generated(options: &[&str]) -> Result<ExitCode, Box<dyn Error>> {
    let (mut topic, mut seed, mut count) = (None, 1, 100);
    for pair in options.chunks(2) {
        match *pair {
            ["--kind", name] => topic = Some(Topic::named(name).ok_or_else(|| format!("unknown kind `{name}`"))?),
            ["--seed", number] => seed = number.parse().map_err(|_| format!("`{number}` is not a seed"))?,
            ["--count", number] => count = number.parse().map_err(|_| format!("`{number}` is not a count"))?,
            _ => return Err(USAGE.into()),
        }
    }
    let topic = topic.ok_or("`--kind` is missing")?;
    let mut output = BufWriter::new(io::stdout().lock());
    for record in generate(topic, seed, count) {
        writeln!(output, "{record}")?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
