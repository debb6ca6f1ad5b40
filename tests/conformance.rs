//! What other evaluators and AWS itself answer, through `simulate --cases`. The records lie beside the checkout and are
//! read in place; where they are not, the tests say so and pass.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Records of AWS's own verdicts where the reading is another one, and why.
const EXCEPTIONS: [(&str, &str); 3] = [
    ("moto/valid_policy_documents#39", "`iam-semantics.md` §2 rule 8: a Sid holds letters and digits"),
    ("moto/valid_policy_documents#40", "`iam-semantics.md` §2 rule 8: a Sid holds letters and digits"),
    ("moto/valid_policy_documents#41", "`iam-semantics.md` §2 rule 7: a null in a resource list is refused on write"),
];

/// One record and what the program answers.
struct Answered {
    record: Value,
    answer: Value,
}

/// Every record of a file with its answer; `None` where the corpus is not there.
fn answered(name: &str) -> Option<Vec<Answered>> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "shared", "corpus", name].iter().collect();
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no corpus at {}", path.display());
        return None;
    };
    let output =
        Command::new(env!("CARGO_BIN_EXE_kube-iam")).args(["simulate", "--cases"]).arg(&path).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), records.len(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(records.into_iter().zip(answers).map(|(record, answer)| Answered { record, answer }).collect())
}

fn every_record_is_answered_as_expected(name: &str, at_least: usize) {
    let Some(all) = answered(name) else { return };
    assert!(all.len() >= at_least, "{name}: only {} records", all.len());
    let mut wrong = Vec::new();
    for Answered { record, answer } in &all {
        assert_eq!(record["id"], answer["id"]);
        assert!(matches!(record["status"].as_str(), Some("ok" | "disputed")), "{}", record["id"]);
        if answer["pass"] != true {
            wrong.push(format!("{}: {} instead of {}", record["id"], answer["verdict"], record["expected"]));
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

#[test]
fn decisions_are_those_of_aws_and_of_other_evaluators() {
    every_record_is_answered_as_expected("decision.jsonl", 268);
}

#[test]
fn conditions_are_those_of_aws_and_of_other_evaluators() {
    every_record_is_answered_as_expected("condition.jsonl", 457);
}

#[test]
fn patterns_are_those_of_other_evaluators() {
    every_record_is_answered_as_expected("pattern.jsonl", 95);
}

#[test]
fn documents_are_accepted_and_refused_as_by_aws() {
    let Some(all) = answered("lint.jsonl") else { return };
    let exceptions: BTreeMap<&str, &str> = EXCEPTIONS.into_iter().collect();
    let mut wrong = Vec::new();
    let mut judged = 0;
    for Answered { record, answer } in &all {
        // Nothing panics on the others; what they hold against a document is not weighed here.
        if record["source"]["project"] != "getmoto/moto" {
            continue;
        }
        judged += 1;
        let agrees = answer["verdict"] == record["expected"];
        if agrees == exceptions.contains_key(record["id"].as_str().unwrap()) {
            wrong.push(format!("{}: {}", record["id"], answer));
        }
        let says_why = answer["problems"].as_array().is_some_and(|problems| !problems.is_empty());
        assert_eq!(answer["verdict"] == "invalid", says_why, "{answer}");
    }
    assert!(judged > 100);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
