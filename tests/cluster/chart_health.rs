//! Argo CD's health checks of the four kinds, in the Lua that Argo CD runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::chart::{CHART, list, text};
use crate::control_plane::build::CHART_TOOLS;
use crate::control_plane::kubectl::run_to_end;
use crate::crds;

fn folder(kind: &str) -> PathBuf {
    PathBuf::from(CHART).join("argocd/kube-iam.dev").join(kind)
}

fn kinds() -> Vec<String> {
    crds::documents(&crds::printed()).iter().map(|crd| text(&crd["spec"]["names"]["kind"]).to_owned()).collect()
}

#[test]
fn health_checks_say_of_every_state_what_it_is() {
    let program = CHART_TOOLS.programs().unwrap().path("health");
    for kind in kinds() {
        let tests: Value =
            serde_yaml::from_str(&fs::read_to_string(folder(&kind).join("health_test.yaml")).unwrap()).unwrap();
        let tests = list(&tests["tests"]);
        let states: BTreeSet<&str> = tests.iter().map(|test| text(&test["healthStatus"]["status"])).collect();
        assert_eq!(states, BTreeSet::from(["Degraded", "Healthy", "Progressing"]), "{kind}");
        let inputs: BTreeSet<&str> = tests.iter().map(|test| text(&test["inputPath"])).collect();
        let files = fs::read_dir(folder(&kind).join("testdata")).unwrap();
        let files: Vec<_> = files.map(|file| format!("testdata/{}", file.unwrap().file_name().display())).collect();
        assert_eq!(inputs, files.iter().map(String::as_str).collect(), "{kind}");

        let said = run_to_end(Command::new(&program).arg(folder(&kind)), "").unwrap().succeeded();
        assert_eq!(said, format!("{} cases\n", tests.len()), "{kind}");
    }
}

#[test]
fn the_kinds_are_judged_alike() {
    let check = |kind: &str| fs::read_to_string(folder(kind).join("health.lua")).unwrap();
    for kind in kinds() {
        assert!(check(&kind) == check("IamUser"), "{kind} has another check than IamUser");
    }
    let folders = fs::read_dir(folder("")).unwrap().count();
    assert_eq!(folders, kinds().len());
}
