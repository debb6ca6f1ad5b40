//! The library against the reference evaluator, on records that the latter makes up.

use std::collections::{BTreeMap, BTreeSet};

use kube_iam::decide::Verdict;
use kube_iam_reference::decision::decide;
use kube_iam_reference::generate::{Topic, generate};
use serde_json::Value as Json;

use crate::dice::seed;
use crate::records;

const RECORDS: u64 = 20_000;

/// How many records of each class differ, and the first of them.
#[derive(Default)]
struct Differences(BTreeMap<String, (usize, String)>);

// === impl Differences ===

impl Differences {
    fn add(&mut self, class: String, record: &Json, answer: &str) {
        let first = self.0.entry(class).or_insert_with(|| (0, format!("{answer}: {record}")));
        first.0 += 1;
    }

    fn none(&self) {
        for (class, (count, first)) in &self.0 {
            println!("{count} records of class `{class}` differ, such as\n{first}");
        }
        assert!(self.0.is_empty(), "{} classes of records differ", self.0.len());
    }
}

/// The statements that made the answer, by policy and name, as the library names them.
fn expected_statements(record: &Json, verdict: Verdict) -> BTreeSet<(String, String)> {
    let effect = match verdict {
        Verdict::Allow => "Allow",
        Verdict::ExplicitDeny => "Deny",
        Verdict::ImplicitDeny => return BTreeSet::new(),
    };
    let matched: Vec<Json> = decide(record).matched.iter().map(|matched| matched.to_json()).collect();
    let counted = matched.iter().filter(|matched| matched["effect"] == effect);
    counted
        .map(|matched| {
            let kind = matched["kind"].as_str().unwrap();
            let at = |key: &str| usize::try_from(matched[key].as_u64().unwrap()).unwrap();
            let policies = &record["policies"][kind];
            let one = |list: &Json, index: usize| if list.is_array() { list[index].clone() } else { list.clone() };
            let (label, document) = if matches!(kind, "scp" | "rcp") {
                let level = one(policies, at("level"));
                (format!("{kind}[{}][{}]", at("level"), at("policy")), one(&level, at("policy")))
            } else {
                (format!("{kind}[{}]", at("policy")), one(policies, at("policy")))
            };
            let statement = one(&document["Statement"], at("statement"));
            let sid = statement["Sid"].as_str().filter(|sid| !sid.is_empty()).map(str::to_owned);
            (label, sid.unwrap_or_else(|| format!("statement {}", at("statement") + 1)))
        })
        .collect()
}

#[test]
fn decisions_are_those_of_the_reference() {
    let mut differences = Differences::default();
    let mut valid = 0;
    for record in generate(Topic::Decision, seed(), RECORDS) {
        let decision = records::decide(&record);
        let is_valid = records::is_valid(&record);
        valid += usize::from(is_valid);
        let expected = record["expected"].as_str().unwrap();
        let matched: BTreeSet<(String, String)> =
            decision.matched.iter().map(|m| (m.policy.to_string(), m.sid.to_string())).collect();
        let wrong = if decision.verdict.as_str() != expected {
            "verdict"
        } else if matched != expected_statements(&record, decision.verdict) {
            "statements"
        } else {
            continue;
        };
        let tags = record["tags"].to_string();
        let class = format!("{wrong} {}{tags}", if is_valid { "valid " } else { "" });
        differences.add(class, &record, &format!("{} {matched:?}", decision.verdict.as_str()));
    }
    println!("{valid} of {RECORDS} records hold only valid documents");
    assert!(valid > 2_000);
    differences.none();
}

#[test]
fn conditions_are_those_of_the_reference() {
    let mut differences = Differences::default();
    for record in generate(Topic::Condition, seed(), RECORDS) {
        let answer = records::condition(&record);
        if record["expected"] != answer {
            let operators: Vec<&String> = record["condition"].as_object().unwrap().keys().collect();
            differences.add(format!("{operators:?}"), &record, &answer.to_string());
        }
    }
    differences.none();
}

#[test]
fn patterns_are_those_of_the_reference() {
    let mut differences = Differences::default();
    for record in generate(Topic::Pattern, seed(), RECORDS) {
        let answer = records::pattern(&record);
        if record["expected"] != answer {
            differences.add(record["pattern_type"].to_string(), &record, &answer.to_string());
        }
    }
    differences.none();
}
