//! Who may know whom: reads every `crate::` path of `src/` and fails on one that the ground plan does not allow.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The ground storey, which every second-storey room may know.
const GROUND: [&str; 8] = ["name", "policy", "world", "snapshot", "decide", "mapping", "lint", "plan"];

/// Each room and the rooms that it may import.
const PLAN: [(&str, &[&str]); 18] = [
    ("name", &[]),
    ("policy", &["name"]),
    ("world", &["name", "policy"]),
    ("snapshot", &["name", "policy", "world"]),
    ("decide", &["name", "policy", "snapshot"]),
    ("mapping", &["name", "decide"]),
    ("lint", &["name", "policy", "world", "mapping"]),
    ("plan", &["name", "world", "lint"]),
    ("api", &["name", "policy", "world"]),
    ("manifest", &["name", "policy", "api"]),
    ("store", &["name", "world", "snapshot"]),
    ("source", &["name", "policy", "api", "manifest", "world", "snapshot", "store", "telemetry"]),
    ("operator", &["name", "api", "world", "lint", "plan", "store", "telemetry"]),
    ("telemetry", &[]),
    ("config", &["name"]),
    (
        "server",
        &["name", "policy", "world", "snapshot", "decide", "mapping", "lint", "plan", "store", "api", "telemetry"],
    ),
    (
        "command",
        &[
            "name",
            "policy",
            "world",
            "snapshot",
            "decide",
            "mapping",
            "lint",
            "plan",
            "api",
            "manifest",
            "store",
            "source",
            "operator",
            "telemetry",
            "config",
            "server",
        ],
    ),
    ("main", &["command"]),
];

/// Crates that nothing in the ground storey may name.
const NOT_IN_GROUND: [&str; 10] =
    ["tokio", "kube", "k8s_openapi", "tracing", "hyper", "rustls", "clap", "anyhow", "serde_yaml", "jiff"];

/// Paths of the standard library that make a function depend on more than its arguments.
const IMPURE: [&str; 6] =
    ["std::time::SystemTime", "std::time::Instant", "std::env", "std::fs", "std::net::TcpStream", "std::thread"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(below: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every file with its room and its text without comments and without its tests.
fn rooms() -> Vec<(PathBuf, String, String)> {
    let mut found = Vec::new();
    files(&source(), &mut found);
    let room = |path: &Path| {
        let relative = path.strip_prefix(source()).unwrap();
        let first = relative.iter().next().unwrap().to_str().unwrap();
        first.trim_end_matches(".rs").to_owned()
    };
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs");
            let code = if is_test { "" } else { text.split("#[cfg(test)]\nmod tests").next().unwrap() };
            let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let room = room(&path);
            (path, room, code.join("\n"))
        })
        .collect()
}

/// The words after each `crate::` in a text, also those in braces: `use crate::{a, b}`.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String { text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect() };
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split_once("};").map_or(list, |(list, _)| list);
                let mut depth = 0;
                let mut item = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.insert(word(item.trim()));
                            item.clear();
                            continue;
                        }
                        _ => {}
                    }
                    item.push(c);
                }
                found.insert(word(item.trim()));
            }
            None => {
                found.insert(word(rest));
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn each_room_imports_only_what_the_plan_allows() {
    let plan: BTreeMap<&str, &[&str]> = PLAN.into_iter().collect();
    let mut broken = Vec::new();
    for (path, room, code) in rooms() {
        if room == "lib" {
            continue;
        }
        let Some(allowed) = plan.get(room.as_str()) else { panic!("`{room}` is not in the plan: {}", path.display()) };
        for import in imports(&code) {
            if import != room && plan.contains_key(import.as_str()) && !allowed.contains(&import.as_str()) {
                broken.push(format!("{}: {room} may not import {import}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_ground_storey_names_no_runtime_no_clock_and_no_network() {
    let mut broken = Vec::new();
    for (path, room, code) in rooms() {
        if !GROUND.contains(&room.as_str()) {
            continue;
        }
        for name in NOT_IN_GROUND {
            if code.contains(&format!("{name}::")) {
                broken.push(format!("{}: {name}", path.display()));
            }
        }
        for name in IMPURE {
            if code.contains(name) {
                broken.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn feature_gates_stand_in_the_map_only() {
    for (path, room, code) in rooms() {
        if room != "lib" {
            assert!(!code.contains("cfg(feature"), "{}", path.display());
        }
    }
}

#[test]
fn the_evaluator_returns_no_result() {
    for (path, room, code) in rooms() {
        if room == "decide" {
            for line in code.lines().filter(|line| line.contains("-> ")) {
                assert!(!line.contains("Result<"), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn modules_that_only_declare_hold_no_logic() {
    for (path, _, code) in rooms() {
        if path.ends_with("mod.rs") {
            for line in code.lines() {
                assert!(!line.trim_start().starts_with("fn "), "{}: {line}", path.display());
                assert!(!line.trim_start().starts_with("pub fn "), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::a::b;\nuse crate::{c, d::{e, f}};\nlet x = crate::g::h();";
    let found: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(found, ["a", "c", "d", "g"]);
}
