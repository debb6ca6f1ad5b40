//! The chart on a real API server, from install to uninstall.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::chart::{CHART, RELEASE, beside, file, helm, list, object, rendered, text};
use crate::control_plane::build::Programs;
use crate::control_plane::cluster::{Cluster, Controllers, Options};
use crate::control_plane::deadline::wait_until;
use crate::control_plane::helm::{Helm, Line};
use crate::control_plane::kubectl::{Output, run_to_end};
use crate::control_plane::port::free_port;
use crate::control_plane::shared::Shared;
use crate::crds::{self, PLURALS};
use crate::site::MANAGEMENT;

/// For tests that store nothing.
static EMPTY: Shared<Cluster> = Shared::new(|| Cluster::try_start(&Options::default()));

const ALICE: &str = "{apiVersion: kube-iam.dev/v1alpha1, kind: IamUser, metadata: {name: alice, namespace: people, \
                     finalizers: [example.org/other, kube-iam.dev/in-use]}, spec: {}}";

fn cluster() -> Cluster {
    Cluster::start(&Options { controllers: Controllers::Running, ..Options::default() })
}

/// A subcommand of helm on the release, with values.
#[track_caller]
fn on_release(helm: &Helm, cluster: &Cluster, command: &[&str], values: &Value) -> Output {
    let values = helm.values(values).display().to_string();
    let release = [RELEASE, CHART, "--namespace", MANAGEMENT, "--timeout", "60s", "--values", &values];
    helm.run_as(cluster.admin(), command.iter().copied().chain(release))
}

/// An object of the cluster.
#[track_caller]
fn get(cluster: &Cluster, kind: &str, name: &str) -> Value {
    let get = ["get", kind, name, "-n", MANAGEMENT, "-o", "json"];
    serde_json::from_str(&cluster.kubectl(cluster.admin(), get).succeeded()).unwrap()
}

#[track_caller]
fn exists(cluster: &Cluster, kind: &str, name: &str) -> bool {
    let get = ["get", kind, name, "-n", MANAGEMENT, "--ignore-not-found", "-o", "name"];
    !cluster.kubectl(cluster.admin(), get).succeeded().is_empty()
}

#[test]
fn helm_4_installs_upgrades_and_uninstalls() {
    goes_through_its_life(Line::Four);
}

#[test]
fn helm_3_installs_upgrades_and_uninstalls() {
    goes_through_its_life(Line::Three);
}

#[track_caller]
fn goes_through_its_life(line: Line) {
    let helm = helm(line);
    let cluster = cluster();
    let admin = cluster.admin();
    let run = |arguments: &[&str]| cluster.kubectl(admin, arguments.iter().copied()).succeeded();

    // The namespace exists before, with what it forbids: Pods beyond the Restricted profile.
    run(&["create", "namespace", MANAGEMENT]);
    run(&["label", "namespace", MANAGEMENT, "pod-security.kubernetes.io/enforce=restricted"]);
    run(&["create", "namespace", "people"]);
    // The kinds as somebody applied them before.
    cluster.kubectl_with_input(admin, ["apply", "--server-side", "-f", "-"], &crds::printed()).succeeded();
    // Nobody listens there.
    let values = beside(free_port().unwrap());
    let refusal = on_release(helm, &cluster, &["install"], &values).failed();
    assert!(refusal.contains("iamgroups.kube-iam.dev") && refusal.contains("invalid ownership metadata"), "{refusal}");
    let takes_over = match line {
        // It applies as servers do, where fields have owners.
        Line::Four => &["install", "--take-ownership", "--force-conflicts"][..],
        Line::Three => &["install", "--take-ownership"],
    };
    on_release(helm, &cluster, takes_over, &values).succeeded();
    for plural in PLURALS {
        run(&["wait", "--for=condition=Established", &format!("crd/{plural}.kube-iam.dev"), "--timeout=30s"]);
    }
    assert!(exists(&cluster, "serviceaccount", "kube-iam"));
    assert!(!exists(&cluster, "deployment", "kube-iam"));
    // The API server fills in what the chart leaves out, and keeps the rest.
    let declared = rendered(&values);
    let declared = object(&declared, "ValidatingWebhookConfiguration", "kube-iam");
    let stored = get(&cluster, "validatingwebhookconfiguration", "kube-iam");
    for (declared, stored) in list(&declared["webhooks"]).iter().zip(list(&stored["webhooks"])) {
        for (key, value) in declared.as_object().unwrap() {
            assert_eq!(&stored[key], value, "{key}");
        }
    }

    // What kube-iam writes into the registration stays its own.
    let bundle = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "kube-iam"},
        "webhooks": list(&stored["webhooks"]).iter().map(|webhook| json!({
            "name": webhook["name"],
            "clientConfig": {"caBundle": ca_bundle(&cluster)},
            "sideEffects": webhook["sideEffects"],
            "admissionReviewVersions": webhook["admissionReviewVersions"],
        })).collect::<Vec<_>>(),
    });
    let by_kube_iam = ["apply", "--server-side", "--field-manager=kube-iam-ca", "--force-conflicts", "-f", "-"];
    cluster.kubectl_with_input(admin, by_kube_iam, &bundle.to_string()).succeeded();
    let upgraded = json!({"mode": "coexist", "clusterName": "prod-1"});
    on_release(helm, &cluster, &["upgrade"], &upgraded).succeeded();
    let stored = get(&cluster, "validatingwebhookconfiguration", "kube-iam");
    for webhook in list(&stored["webhooks"]) {
        let service = json!({"name": "kube-iam", "namespace": MANAGEMENT, "port": 443, "path": "/admit-iam"});
        assert_eq!(webhook["clientConfig"], json!({"caBundle": ca_bundle(&cluster), "service": service}));
    }

    // The switch of the notes keeps what was chosen before.
    let switch =
        ["upgrade", RELEASE, CHART, "-n", MANAGEMENT, "--reset-then-reuse-values", "--set", "mode=authoritative"];
    helm.run_as(admin, switch).succeeded();
    let environment =
        get(&cluster, "deployment", "kube-iam")["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    for expected in [variable("KUBE_IAM_MODE", "authoritative"), variable("KUBE_IAM_CLUSTER_NAME", "prod-1")] {
        assert!(list(&environment).contains(&expected), "{environment}");
    }

    // There are no nodes, but the API server has let the Pods in.
    let pods = ["get", "pods", "-n", MANAGEMENT, "-l", "app.kubernetes.io/name=kube-iam", "-o", "json"];
    wait_until(Duration::from_secs(30), || {
        let pods: Value = serde_json::from_str(&run(&pods)).unwrap();
        list(&pods["items"]).len() >= 2
    });
    let pods: Value = serde_json::from_str(&run(&pods)).unwrap();
    let mounts = &pods["items"][0]["spec"]["containers"][0]["volumeMounts"];
    let token = "/var/run/secrets/kubernetes.io/serviceaccount";
    assert!(list(mounts).iter().any(|mount| mount["mountPath"] == token), "{mounts}");
    assert_eq!(pods["items"][0]["spec"]["priority"], 2_000_000_000);

    // With the registration gone first, nothing asks a webhook that goes away.
    run(&["delete", "validatingwebhookconfiguration", "kube-iam", "--ignore-not-found"]);
    cluster.kubectl_with_input(admin, ["apply", "-f", "-"], ALICE).succeeded();
    helm.run_as(admin, ["uninstall", RELEASE, "--namespace", MANAGEMENT, "--timeout", "60s"]).succeeded();
    for (kind, name) in [
        ("deployment", "kube-iam"),
        ("service", "kube-iam"),
        ("serviceaccount", "kube-iam"),
        ("clusterrole", "kube-iam"),
        ("clusterrolebinding", "kube-iam"),
        ("role", "kube-iam"),
        ("networkpolicy", "kube-iam"),
    ] {
        assert!(!exists(&cluster, kind, name), "{kind}");
    }
    assert!(run(&["get", "iamusers", "-n", "people", "-o", "name"]).contains("alice"));

    // The kinds that stayed are taken up again by the next release.
    on_release(helm, &cluster, &["install"], &values).succeeded();
    assert!(run(&["get", "iamusers", "-n", "people", "-o", "name"]).contains("alice"));
    helm.run_as(admin, ["uninstall", RELEASE, "--namespace", MANAGEMENT, "--timeout", "60s"]).succeeded();
    assert!(!exists(&cluster, "validatingwebhookconfiguration", "kube-iam"));
    assert!(run(&["get", "iamusers", "-n", "people", "-o", "name"]).contains("alice"));

    // Then the finalizers are released, as the README says, and everything can go.
    readme_command(&cluster, "release the finalizer");
    let finalizers = ["get", "iamuser", "alice", "-n", "people", "-o", "jsonpath={.metadata.finalizers}"];
    assert_eq!(run(&finalizers), r#"["example.org/other"]"#);
    run(&["patch", "iamuser", "alice", "-n", "people", "--type=merge", "-p", r#"{"metadata":{"finalizers":[]}}"#]);
    readme_command(&cluster, "delete the kinds");
    for plural in PLURALS {
        assert!(!exists(&cluster, "crd", &format!("{plural}.kube-iam.dev")));
    }
}

/// Runs the commands of the chart's README below the line `# <title>`, as the admin.
#[track_caller]
fn readme_command(cluster: &Cluster, title: &str) {
    let readme = file("README.md");
    let (_, after) =
        readme.split_once(&format!("# {title}\n")).unwrap_or_else(|| panic!("the README does not {title}"));
    let (command, _) = after.split_once("```").unwrap();
    let programs = Programs::get().unwrap().path("kubectl");
    let path = format!("{}:{}", programs.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", command]).env("PATH", path).env("KUBECONFIG", cluster.admin().path());
    shell.current_dir(env!("CARGO_MANIFEST_DIR"));
    run_to_end(&mut shell, "").unwrap().succeeded();
}

#[test]
fn the_registration_asks_about_our_kinds_and_about_what_accounts_are_known_by() {
    let cluster = cluster();
    let admin = cluster.admin();
    let helm = helm(Line::Four);
    cluster.kubectl(admin, ["create", "namespace", "plain"]).succeeded();
    // Whatever is asked about fails, since nobody answers.
    on_release(helm, &cluster, &["install", "--create-namespace"], &beside(free_port().unwrap())).succeeded();
    let asked = |arguments: &[&str]| {
        let output = cluster.kubectl(admin, arguments.iter().copied());
        let failed_call = output.stderr.contains("failed calling webhook");
        assert_ne!(output.status.success(), failed_call, "{arguments:?}: {}", output.stderr);
        failed_call
    };
    let asked_to_create = |manifest: &str| {
        let output = cluster.kubectl_with_input(admin, ["create", "-f", "-"], manifest);
        let failed_call = output.stderr.contains("failed calling webhook");
        assert_ne!(output.status.success(), failed_call, "{manifest}: {}", output.stderr);
        failed_call
    };
    let namespace = |name: &str, metadata: &str| {
        format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, {metadata}}}}}")
    };

    assert!(asked_to_create(&namespace("bare", "")));
    assert!(asked_to_create(&namespace("labelled", "labels: {env: prod}")));
    assert!(asked(&["label", "namespace", "plain", "env=prod"]));
    assert!(asked(&["annotate", "namespace", "plain", "kube-iam.dev/root-identity=alice"]));
    assert!(asked(&["annotate", "namespace", "plain", "kube-iam.dev/root-mfa="]));
    assert!(!asked(&["annotate", "namespace", "plain", "description=yours"]));
    let label = r#"{"metadata":{"labels":{"env":"prod"}}}"#;
    assert!(asked(&["patch", "namespace", "plain", "--subresource=status", "--type=merge", "-p", label]));
    // Deletion, and the controller that finishes it, ask nobody.
    assert!(!asked(&["delete", "namespace", "plain", "--timeout=60s"]));

    for (kind, spec) in [
        ("IamUser", "{}"),
        ("IamGroup", "{}"),
        ("IamPolicy", "{statements: []}"),
        ("IamRole", "{trustPolicy: {statements: []}}"),
    ] {
        let manifest = format!(
            "{{apiVersion: kube-iam.dev/v1alpha1, kind: {kind}, metadata: {{name: one, namespace: default}}, spec: {spec}}}"
        );
        assert!(asked_to_create(&manifest), "{kind}");
    }
    let others = ["create", "configmap", "one"];
    assert!(!asked(&others));
}

#[test]
fn argo_cd_is_given_the_health_checks_beside_what_it_has() {
    let cluster = EMPTY.get();
    let existing = json!([
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"},
         "data": {"url": "https://argocd.example"}},
    ]);
    let existing = json!({"apiVersion": "v1", "kind": "List", "items": existing}).to_string();
    cluster.kubectl_with_input(cluster.admin(), ["apply", "-f", "-"], &existing).succeeded();
    readme_command(cluster, "add the health checks");
    let get = ["get", "configmap", "argocd-cm", "-n", "argocd", "-o", "json"];
    let stored: Value = serde_json::from_str(&cluster.kubectl(cluster.admin(), get).succeeded()).unwrap();
    assert_eq!(stored["data"]["url"], "https://argocd.example");
    for kind in ["IamGroup", "IamPolicy", "IamRole", "IamUser"] {
        let check = file(&format!("argocd/kube-iam.dev/{kind}/health.lua"));
        assert_eq!(stored["data"][format!("resource.customizations.health.kube-iam.dev_{kind}")], json!(check));
    }
}

#[test]
fn another_namespace_is_refused_on_a_cluster() {
    let cluster = EMPTY.get();
    for line in Line::ALL {
        let elsewhere = ["install", RELEASE, CHART, "--namespace", "elsewhere", "--create-namespace"];
        let refusal = helm(line).run_as(cluster.admin(), elsewhere).failed();
        assert!(refusal.contains("install into the namespace `kube-iam-system`, not `elsewhere`"), "{refusal}");
    }
}

#[test]
fn the_api_server_knows_every_field_that_the_chart_renders() {
    let cluster = EMPTY.get();
    let namespaces = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MANAGEMENT}});
    cluster.kubectl_with_input(cluster.admin(), ["apply", "-f", "-"], &namespaces.to_string()).succeeded();
    for values in [
        json!({"grafanaDashboard": {"enabled": true}}),
        json!({"workload": "DaemonSet", "state": {"hostPath": "/srv/kube-iam"}, "installers": ["a", "b"]}),
        beside(4711),
        json!({
            "podLabels": {"a": "b"}, "podAnnotations": {"a": "b"}, "imagePullSecrets": [{"name": "pull"}],
            "networkPolicy": {"apiServerCIDRs": ["10.0.0.1/32"]}, "podDisruptionBudget": {"maxUnavailable": "50%"},
            "existingSecret": "tls",
            "webhook": {"url": "https://127.0.0.1:4711", "caBundle": ca_bundle(cluster)},
        }),
    ] {
        let objects = rendered(&values);
        let kinds: BTreeSet<&str> = objects.iter().map(|object| text(&object["kind"])).collect();
        assert!(kinds.len() > 5);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        let dry = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
        let output = cluster.kubectl_with_input(cluster.admin(), dry, &list);
        assert!(!output.stderr.contains("Warning"), "{values}: {}", output.stderr);
        output.succeeded();
    }
}

/// Some certificate authority, as caBundle takes it.
fn ca_bundle(cluster: &Cluster) -> Value {
    json!(ByteString(std::fs::read(cluster.ca_file()).unwrap()))
}

#[test]
fn a_namespace_of_the_restricted_profile_lets_the_pods_in() {
    let cluster = EMPTY.get();
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "restricted", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    cluster.kubectl_with_input(cluster.admin(), ["apply", "-f", "-"], &namespace.to_string()).succeeded();
    let account = ["create", "serviceaccount", "kube-iam", "-n", "restricted"];
    cluster.kubectl(cluster.admin(), account).succeeded();
    let apply = |values: &Value| {
        let objects = rendered(values);
        let workload = objects.iter().find(|object| object["spec"]["template"].is_object()).unwrap();
        let mut pod = workload["spec"]["template"].clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!("kube-iam");
        pod["metadata"]["namespace"] = json!("restricted");
        let dry = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
        cluster.kubectl_with_input(cluster.admin(), dry, &pod.to_string())
    };
    let secret = json!({"existingSecret": "tls", "webhook": {"caBundle": ca_bundle(cluster)}});
    for values in [json!({}), secret, json!({"certManager": {"enabled": true}})] {
        apply(&values).succeeded();
    }
    // The host's network is what that profile forbids; the README says so.
    let refusal = apply(&json!({"workload": "DaemonSet"})).failed();
    assert!(refusal.contains("violates PodSecurity") && refusal.contains("host namespaces"), "{refusal}");
}
