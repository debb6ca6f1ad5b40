//! What the chart takes and what it refuses.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::chart::{CHART, CRDS_CHART, file, helm, template};
use crate::control_plane::helm::Line;

#[test]
fn both_lines_of_helm_lint_the_charts_without_a_warning() {
    for line in Line::ALL {
        for chart in [CHART, CRDS_CHART] {
            let output = helm(line).run(["lint", "--strict", chart]).succeeded();
            assert!(!output.contains("[WARNING]") && !output.contains("[ERROR]"), "{line:?}: {output}");
        }
        let version = helm(line).run(["version", "--short"]).succeeded();
        let expected = match line {
            Line::Four => "v4.3.1",
            Line::Three => "v3.22.0",
        };
        assert!(version.starts_with(expected), "{version}");
    }
}

#[test]
fn values_that_mean_nothing_are_refused() {
    let wrong = [
        (json!({"mod": "shadow"}), "mod"),
        (json!({"mode": "enforce"}), "mode"),
        (json!({"mode": null}), "mode"),
        (json!({"workload": "StatefulSet"}), "workload"),
        (json!({"replicaCount": 0}), "replicaCount"),
        (json!({"replicaCount": "2"}), "replicaCount"),
        (json!({"clusterName": "a:b"}), "clusterName"),
        (json!({"clusterName": "prod-*"}), "clusterName"),
        (json!({"managementNamespace": "Not a namespace"}), "managementNamespace"),
        (json!({"installers": "alice"}), "installers"),
        (json!({"installers": ["alice\nbob"]}), "installers"),
        (json!({"installers": [""]}), "installers"),
        (json!({"impersonatedRoles": true}), "impersonatedRoles"),
        (json!({"admissionClientAuth": "optional"}), "admissionClientAuth"),
        (json!({"logFormat": "xml"}), "logFormat"),
        (json!({"image": {"repositry": "x"}}), "repositry"),
        (json!({"image": {"digest": "sha256:12"}}), "digest"),
        (json!({"listen": {"port": 0}}), "port"),
        (json!({"state": {"hostPath": "var/lib"}}), "hostPath"),
        (json!({"webhook": {"url": "http://127.0.0.1:9443"}}), "url"),
        (json!({"webhook": {"url": "https://127.0.0.1:9443/admit-iam"}}), "url"),
        (json!({"workload": "None"}), "webhook.url"),
        (json!({"webhook": {"failurePolicy": "ignore"}}), "failurePolicy"),
        (json!({"webhook": {"timeoutSeconds": 31}}), "timeoutSeconds"),
        (json!({"webhook": {"caBundle": "-----BEGIN"}}), "caBundle"),
        (json!({"webhook": {"namespaceSelector": {}}}), "namespaceSelector"),
        (json!({"crds": {"keep": "yes"}}), "keep"),
        (json!({"crds": {"purge": true}}), "purge"),
        (json!({"certManager": {"enabled": true, "issuerRef": {"kind": "ClusterIssuer"}}}), "issuerRef"),
        (json!({"networkPolicy": {"apiServerCIDRs": ["10.0.0.1"]}}), "apiServerCIDRs"),
        (json!({"nodeSelector": ["a"]}), "nodeSelector"),
        (json!({"certManager": {"enabled": true}, "existingSecret": "tls"}), "not both"),
        (json!({"existingSecret": "tls"}), "webhook.caBundle"),
        (json!({"webhook": {"caBundle": "QUJD"}}), "existingSecret"),
        (json!({"certManager": {"enabled": true}, "webhook": {"caBundle": "QUJD"}}), "existingSecret"),
        (json!({"state": {"hostPath": "/var/lib/kube-iam"}}), "DaemonSet"),
        (json!({"workload": "DaemonSet", "serviceMonitor": {"enabled": true}}), "listen.healthAddress"),
    ];
    for (values, named) in wrong {
        for line in Line::ALL {
            let refusal = template(line, CHART, &values).failed();
            assert!(refusal.contains(named), "{line:?} refuses {values} without naming {named}: {refusal}");
        }
    }
    let refusal = template(Line::Four, CRDS_CHART, &json!({"kep": true})).failed();
    assert!(refusal.contains("kep"), "{refusal}");
}

#[test]
fn the_schema_and_the_defaults_speak_of_the_same_values() {
    let schema: Value = serde_json::from_str(&file("values.schema.json")).unwrap();
    let defaults: Value = serde_yaml::from_str(&file("values.yaml")).unwrap();
    assert_same_keys(&schema, &defaults, "");
}

/// Wherever the schema lists the keys of an object, the defaults have them all.
fn assert_same_keys(schema: &Value, defaults: &Value, at: &str) {
    let Some(properties) = schema["properties"].as_object() else { return };
    assert_eq!(schema["additionalProperties"], false, "{at}: other keys are let through");
    // What people choose one of need not all be there.
    if matches!(at, ".certManager.issuerRef" | ".networkPolicy.monitoring" | ".networkPolicy.dns") {
        return;
    }
    let known: BTreeSet<&str> = properties.keys().map(String::as_str).filter(|key| *key != "global").collect();
    let given: BTreeSet<&str> = defaults.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(known, given, "{at}");
    for key in given {
        assert_same_keys(&properties[key], &defaults[key], &format!("{at}.{key}"));
    }
}
