//! The conformance corpus, read in place: every settled and every disputed record has the expected answer.

use std::fs;
use std::path::Path;

use crate::record::{answer, passes};
use serde_json::Value;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus");

fn all_records_pass(file: &str) {
    let path = Path::new(CORPUS).join(file);
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: no corpus at {}", path.display());
        return;
    };
    let mut asked = 0;
    let mut failed = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["status"] != "ok" && record["status"] != "disputed" {
            continue;
        }
        asked += 1;
        let answer = answer(&record).unwrap();
        if !passes(&answer, &record["expected"]) {
            failed.push(format!("{}: {answer}, expected {}", record["id"], record["expected"]));
        }
    }
    println!("{asked} records of {file}");
    assert!(asked > 0 && failed.is_empty(), "{} of {asked} failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn decisions_agree_with_the_corpus() {
    all_records_pass("decision.jsonl");
}

#[test]
fn conditions_agree_with_the_corpus() {
    all_records_pass("condition.jsonl");
}

#[test]
fn patterns_agree_with_the_corpus() {
    all_records_pass("pattern.jsonl");
}
