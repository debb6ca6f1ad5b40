//! The alerts of the chart fire when they should, and every metric that alerts and dashboard name is there.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::chart::{CHART, file, list, object, rendered, text};
use crate::control_plane::build::CHART_TOOLS;
use crate::control_plane::kubectl::run_to_end;
use crate::installed::INSTALLED;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/chart-tools/alerts/cases.yaml");

/// Metrics of API servers that are there once something went wrong (`k8s.io/apiserver`: `pkg/admission/metrics`,
/// `plugin/pkg/authorizer/webhook/metrics`).
const AFTER_FAILURES: [&str; 2] =
    ["apiserver_admission_webhook_rejection_count", "apiserver_authorization_webhook_evaluations_fail_open_total"];

#[track_caller]
fn alerts(arguments: &[&str]) -> String {
    let program = CHART_TOOLS.programs().unwrap().path("alerts");
    run_to_end(Command::new(program).args(arguments), "").unwrap().succeeded()
}

fn chart_file(name: &str) -> String {
    PathBuf::from(CHART).join(name).display().to_string()
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    alerts(&["test", CASES]);
}

#[test]
fn every_alert_has_a_case_that_fires_and_one_that_does_not() {
    let rules: Value = serde_yaml::from_str(&file("files/rules.yaml")).unwrap();
    let cases: Value = serde_yaml::from_str(&std::fs::read_to_string(CASES).unwrap()).unwrap();
    let cases: BTreeSet<(&str, bool)> = list(&cases["tests"])
        .iter()
        .flat_map(|case| list(&case["alert_rule_test"]))
        .map(|test| (text(&test["alertname"]), !list(&test["exp_alerts"]).is_empty()))
        .collect();
    let mut names = BTreeSet::new();
    for rule in list(&rules["groups"]).iter().flat_map(|group| list(&group["rules"])) {
        let name = text(&rule["alert"]);
        assert!(names.insert(name), "{name} twice");
        assert!(["critical", "warning"].contains(&text(&rule["labels"]["severity"])), "{name}");
        for fires in [true, false] {
            assert!(cases.contains(&(name, fires)), "{name} has no case for fires = {fires}");
        }
    }
}

#[test]
fn every_metric_of_alerts_and_dashboard_exists() {
    let named = alerts(&["metrics", &chart_file("files/rules.yaml"), &chart_file("files/dashboard.json")]);
    let named: BTreeSet<&str> = named.lines().collect();
    let site = INSTALLED.get();
    // So that the API server has asked.
    let stranger = site.cluster.client_certificate("chart-alerts-stranger", &[]);
    site.kubectl(&stranger, ["get", "pods"]).failed();
    let ours = site.kube_iam.health("metrics").expect("no metrics").body;
    let of_the_api_server = site.by_admin(["get", "--raw", "/metrics"]);
    let exposed: BTreeSet<String> = samples(&ours).chain(samples(&of_the_api_server)).collect();
    let may_be_missing = |name: &&&str| AFTER_FAILURES.contains(name);
    let missing: Vec<_> = named.iter().filter(|name| !exposed.contains(**name)).collect();
    assert!(missing.iter().all(may_be_missing), "not there: {missing:?}");
}

/// The names of the samples that the families of an exposition have, whether or not there are any yet.
fn samples(exposition: &str) -> impl Iterator<Item = String> {
    exposition.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).flat_map(|(name, kind)| {
        match kind {
            // Prometheus' own text format has the suffix in the name, OpenMetrics has not.
            "counter" => vec![format!("{}_total", name.trim_end_matches("_total")), name.to_owned()],
            "histogram" => ["bucket", "sum", "count"].map(|sample| format!("{name}_{sample}")).to_vec(),
            _ => vec![name.to_owned()],
        }
    })
}

#[test]
fn the_objects_of_the_operator_and_of_grafana_carry_the_files() {
    let objects = rendered(&json!({
        "prometheusRule": {"enabled": true, "labels": {"release": "prometheus"}},
        "grafanaDashboard": {"enabled": true},
        "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
    }));
    let rules: Value = serde_yaml::from_str(&file("files/rules.yaml")).unwrap();
    let rule = object(&objects, "PrometheusRule", "kube-iam");
    assert_eq!(rule["spec"], rules);
    assert_eq!(rule["metadata"]["labels"]["release"], "prometheus");
    let dashboard = object(&objects, "ConfigMap", "kube-iam-dashboard");
    assert_eq!(dashboard["data"]["kube-iam.json"], json!(file("files/dashboard.json")));
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    let monitor = object(&objects, "ServiceMonitor", "kube-iam");
    let service = object(&objects, "Service", "kube-iam-metrics");
    for (key, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&service["metadata"]["labels"][key], value, "{key}");
    }
    assert_ne!(object(&objects, "Service", "kube-iam")["metadata"]["labels"]["app.kubernetes.io/component"], "metrics");
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
}
