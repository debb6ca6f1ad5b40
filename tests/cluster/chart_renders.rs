//! What the chart renders to: no more than was asked for, and nothing that opens a door.

use std::collections::BTreeSet;
use std::process::Command;

use ::kube_iam::name::Mode;
use ::kube_iam::server::{Reach, authorization_configuration, webhook_registration};
use serde_json::{Value, json};

use crate::chart::{CHART, RELEASE, beside, file, helm, inventory, list, object, rendered, text};
use crate::control_plane::helm::Line;
use crate::site::MANAGEMENT;

/// Neither Pods nor what serves them.
const WITHOUT_WORKLOAD: [&str; 10] = [
    "ClusterRole kube-iam",
    "ClusterRoleBinding kube-iam",
    "CustomResourceDefinition iamgroups.kube-iam.dev",
    "CustomResourceDefinition iampolicies.kube-iam.dev",
    "CustomResourceDefinition iamroles.kube-iam.dev",
    "CustomResourceDefinition iamusers.kube-iam.dev",
    "Role kube-iam",
    "RoleBinding kube-iam",
    "ServiceAccount kube-iam",
    "ValidatingWebhookConfiguration kube-iam",
];

fn with<'a>(more: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut all: Vec<String> = WITHOUT_WORKLOAD.into_iter().chain(more).map(str::to_owned).collect();
    all.sort();
    all
}

/// The template of the Pods.
fn pod(objects: &[Value]) -> &Value {
    let workload = objects.iter().find(|object| object["kind"] == "Deployment" || object["kind"] == "DaemonSet");
    &workload.expect("no workload")["spec"]["template"]
}

fn environment(objects: &[Value], name: &str) -> Option<String> {
    let variables = list(&pod(objects)["spec"]["containers"][0]["env"]);
    variables.iter().find(|variable| variable["name"] == name).map(|variable| text(&variable["value"]).to_owned())
}

#[test]
fn every_way_to_run_brings_what_it_needs_and_no_more() {
    assert_eq!(
        inventory(&rendered(&json!({}))),
        with([
            "Deployment kube-iam",
            "NetworkPolicy kube-iam",
            "PodDisruptionBudget kube-iam",
            "Service kube-iam",
            "Service kube-iam-metrics",
        ])
    );
    assert_eq!(
        inventory(&rendered(&json!({"workload": "DaemonSet"}))),
        with(["DaemonSet kube-iam", "PodDisruptionBudget kube-iam"])
    );
    let elsewhere = json!({"workload": "None", "webhook": {"url": "https://127.0.0.1:9443"}});
    assert_eq!(inventory(&rendered(&elsewhere)), with([]));
    let everything = json!({
        "serviceMonitor": {"enabled": true},
        "prometheusRule": {"enabled": true},
        "grafanaDashboard": {"enabled": true},
        "certManager": {"enabled": true},
    });
    assert_eq!(
        inventory(&rendered(&everything)),
        with([
            "Certificate kube-iam",
            "Certificate kube-iam-ca",
            "ConfigMap kube-iam-dashboard",
            "Deployment kube-iam",
            "Issuer kube-iam",
            "Issuer kube-iam-ca",
            "NetworkPolicy kube-iam",
            "PodDisruptionBudget kube-iam",
            "PrometheusRule kube-iam",
            "Service kube-iam",
            "Service kube-iam-metrics",
            "ServiceMonitor kube-iam",
        ])
    );
    let nothing = json!({
        "workload": "None", "webhook": {"enabled": false}, "crds": {"enabled": false},
    });
    let rights: Vec<String> =
        with([]).into_iter().filter(|name| name.contains("Role") || name.contains("Account")).collect();
    assert_eq!(inventory(&rendered(&nothing)), rights);
}

#[test]
fn objects_lie_in_the_namespace_of_the_release() {
    for object in rendered(&json!({"serviceMonitor": {"enabled": true}, "grafanaDashboard": {"enabled": true}})) {
        let kind = text(&object["kind"]);
        let namespaced = !kind.starts_with("Cluster")
            && !matches!(kind, "CustomResourceDefinition" | "ValidatingWebhookConfiguration");
        let expected = if namespaced { json!(MANAGEMENT) } else { Value::Null };
        assert_eq!(object["metadata"]["namespace"], expected, "{kind}");
    }
}

#[test]
fn rights_are_these_and_no_others() {
    let objects = rendered(&json!({}));
    let kinds = ["iamgroups", "iampolicies", "iamroles", "iamusers"];
    let mut expected = BTreeSet::new();
    let mut grant = |group: &str, resources: &[&str], name: &str, verbs: &[&str]| {
        for resource in resources {
            expected.extend(verbs.iter().map(|verb| format!("{verb} {resource}.{group}{name}")));
        }
    };
    grant("kube-iam.dev", &kinds, "", &["list", "watch"]);
    grant("kube-iam.dev", &["iamgroups", "iampolicies"], "", &["patch"]);
    grant("kube-iam.dev", &kinds.map(|kind| format!("{kind}/status")).each_ref().map(String::as_str), "", &["patch"]);
    grant("", &["namespaces"], "", &["get", "list", "watch"]);
    grant("apiextensions.k8s.io", &["customresourcedefinitions"], "", &["get", "list", "watch"]);
    grant("apiregistration.k8s.io", &["apiservices"], "", &["list", "watch"]);
    let registrations = ["validatingwebhookconfigurations"];
    grant("admissionregistration.k8s.io", &registrations, "", &["list", "watch"]);
    grant("admissionregistration.k8s.io", &registrations, "/kube-iam", &["patch"]);
    grant("", &["events"], "", &["create", "patch"]);
    grant("authorization.k8s.io", &["subjectaccessreviews"], "", &["create"]);
    assert_eq!(granted(object(&objects, "ClusterRole", "kube-iam")), expected);
    let leases = ["get", "list", "watch", "create", "update", "patch", "delete"];
    let leases = leases.map(|verb| format!("{verb} leases.coordination.k8s.io"));
    assert_eq!(granted(object(&objects, "Role", "kube-iam")), BTreeSet::from(leases));

    for (binding, role) in [("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")] {
        let binding = object(&objects, binding, "kube-iam");
        assert_eq!(binding["roleRef"]["kind"], role);
        assert_eq!(binding["roleRef"]["name"], "kube-iam");
        let subject = json!({"kind": "ServiceAccount", "name": "kube-iam", "namespace": MANAGEMENT});
        assert_eq!(binding["subjects"], json!([subject]));
    }
}

/// `verb resource.group/name` for everything that a role grants. No wildcards, nothing by aggregation, and never what
/// hands on rights.
fn granted(role: &Value) -> BTreeSet<String> {
    assert_eq!(role["aggregationRule"], Value::Null);
    let labels = role["metadata"]["labels"].as_object().unwrap();
    assert!(!labels.keys().any(|label| label.contains("aggregate")), "{labels:?}");
    let mut granted = BTreeSet::new();
    for rule in list(&role["rules"]) {
        assert_eq!(rule["nonResourceURLs"], Value::Null);
        let names = rule["resourceNames"]
            .as_array()
            .map_or(vec![String::new()], |names| names.iter().map(|name| format!("/{}", text(name))).collect());
        for group in list(&rule["apiGroups"]).iter().map(text) {
            for resource in list(&rule["resources"]).iter().map(text) {
                for verb in list(&rule["verbs"]).iter().map(text) {
                    assert!(![group, resource, verb].iter().any(|part| part.contains('*')), "{rule}");
                    assert!(!["escalate", "bind", "impersonate"].contains(&verb) && resource != "secrets", "{rule}");
                    granted.extend(names.iter().map(|name| format!("{verb} {resource}.{group}{name}")));
                }
            }
        }
    }
    granted
}

#[test]
fn the_registration_is_that_of_the_program() {
    // But for caBundle, which kube-iam writes.
    let webhooks = |registration: &Value| {
        let mut webhooks = list(&registration["webhooks"]).to_vec();
        for webhook in &mut webhooks {
            webhook["clientConfig"].as_object_mut().unwrap().remove("caBundle");
        }
        webhooks
    };
    let by_service = Reach::Service { namespace: MANAGEMENT.to_owned(), name: "kube-iam".to_owned() };
    let by_url = Reach::Address("127.0.0.1:4711".parse().unwrap());
    for (values, reach) in [(json!({}), by_service), (beside(4711), by_url)] {
        let objects = rendered(&values);
        let registration = object(&objects, "ValidatingWebhookConfiguration", "kube-iam");
        let expected: Value = serde_yaml::from_str(&webhook_registration(&reach, "")).unwrap();
        assert_eq!(registration["metadata"]["name"], expected["metadata"]["name"]);
        assert_eq!(webhooks(registration), webhooks(&expected), "{reach:?}");
        for webhook in list(&registration["webhooks"]) {
            assert_eq!(webhook["clientConfig"]["caBundle"], Value::Null);
            // Nobody is exempt by name.
            assert!(!webhook["matchConditions"].to_string().contains("userInfo"), "{webhook}");
        }
    }
    let lax = rendered(&json!({"webhook": {"failurePolicy": "Ignore", "timeoutSeconds": 9}}));
    for webhook in list(&object(&lax, "ValidatingWebhookConfiguration", "kube-iam")["webhooks"]) {
        assert_eq!(webhook["failurePolicy"], "Ignore");
        assert_eq!(webhook["timeoutSeconds"], 9);
    }
}

#[test]
fn webhooks_are_registered_by_url_where_services_are_not_reached() {
    let url = |values: Value| {
        let objects = rendered(&values);
        let registration = object(&objects, "ValidatingWebhookConfiguration", "kube-iam").clone();
        let configurations = list(&registration["webhooks"]).iter().map(|webhook| webhook["clientConfig"].clone());
        let mut configurations: Vec<Value> = configurations.collect();
        configurations.dedup();
        assert_eq!(configurations.len(), 1);
        configurations.remove(0)
    };
    let by_url = |url: &str| json!({"url": url});
    let given = |url: &str| json!({"workload": "None", "webhook": {"url": url}});
    assert_eq!(url(given("https://127.0.0.1:4711")), by_url("https://127.0.0.1:4711/admit-iam"));
    assert_eq!(url(given("https://[::1]:4711/")), by_url("https://[::1]:4711/admit-iam"));
    assert_eq!(url(json!({"workload": "DaemonSet"})), by_url("https://127.0.0.1:9443/admit-iam"));
    let everywhere = json!({"workload": "DaemonSet", "listen": {"address": "0.0.0.0", "port": 444}});
    assert_eq!(url(everywhere), by_url("https://127.0.0.1:444/admit-iam"));
    let fixed = json!({"workload": "DaemonSet", "listen": {"address": "169.254.20.20"}});
    assert_eq!(url(fixed), by_url("https://169.254.20.20:9443/admit-iam"));
    let others = json!({"existingSecret": "tls", "webhook": {"caBundle": "QUJD"}});
    assert_eq!(url(others)["caBundle"], "QUJD");
}

#[test]
fn certificates_come_from_kube_iam_from_cert_manager_or_from_a_secret() {
    let own = rendered(&json!({}));
    assert_eq!(environment(&own, "KUBE_IAM_TLS_CERT"), None);

    let secret = rendered(&json!({"existingSecret": "webhook-tls", "webhook": {"caBundle": "QUJD"}}));
    assert_eq!(environment(&secret, "KUBE_IAM_TLS_CERT").unwrap(), "/etc/kube-iam/tls/tls.crt");
    assert_eq!(environment(&secret, "KUBE_IAM_TLS_KEY").unwrap(), "/etc/kube-iam/tls/tls.key");
    let volumes = &pod(&secret)["spec"]["volumes"];
    assert!(list(volumes).iter().any(|volume| volume["secret"]["secretName"] == "webhook-tls"), "{volumes}");

    let manager =
        rendered(&json!({"certManager": {"enabled": true, "issuerRef": {"kind": "ClusterIssuer", "name": "ca"}}}));
    let certificate = object(&manager, "Certificate", "kube-iam");
    assert_eq!(certificate["spec"]["issuerRef"], json!({"kind": "ClusterIssuer", "name": "ca"}));
    assert!(!manager.iter().any(|object| object["kind"] == "Issuer"));
    let volumes = &pod(&manager)["spec"]["volumes"];
    let name = &certificate["spec"]["secretName"];
    assert!(list(volumes).iter().any(|volume| volume["secret"]["secretName"] == *name), "{volumes}");
    let registration = object(&manager, "ValidatingWebhookConfiguration", "kube-iam");
    let inject = &registration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"];
    assert_eq!(inject, &json!(format!("{MANAGEMENT}/kube-iam")));
}

#[test]
fn a_certificate_of_cert_manager_holds_for_whatever_api_servers_call() {
    let sans = |further: Value| {
        let mut values = json!({"certManager": {"enabled": true}});
        values.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        let objects = rendered(&values);
        let spec = object(&objects, "Certificate", "kube-iam")["spec"].clone();
        let names = |field: &str| list(&spec[field]).iter().map(|name| text(name).to_owned()).collect::<Vec<_>>();
        (names("dnsNames")[2..].to_vec(), names("ipAddresses")[2..].to_vec())
    };
    let none: Vec<String> = Vec::new();
    let one = |name: &str| vec![name.to_owned()];
    assert_eq!(sans(json!({})), (none.clone(), none.clone()));
    assert_eq!(sans(json!({"workload": "DaemonSet"})), (none.clone(), none.clone()));
    let fixed = json!({"workload": "DaemonSet", "listen": {"address": "169.254.20.20"}});
    assert_eq!(sans(fixed), (none.clone(), one("169.254.20.20")));
    let everywhere =
        json!({"workload": "DaemonSet", "listen": {"address": "[::]"}, "webhook": {"url": "https://[fd00::7]:1"}});
    assert_eq!(sans(everywhere), (none.clone(), one("fd00::7")));
    let by_url = |url: &str| json!({"webhook": {"url": url}});
    assert_eq!(sans(by_url("https://10.0.0.9:8443/")), (none.clone(), one("10.0.0.9")));
    assert_eq!(sans(by_url("https://iam.example.org")), (one("iam.example.org"), none.clone()));
    assert_eq!(sans(by_url("https://localhost:9443")), (none.clone(), none));
}

#[test]
fn the_authority_of_the_release_outlives_its_serving_certificate() {
    let objects = rendered(&json!({"certManager": {"enabled": true}}));
    let certificate = |name: &str| object(&objects, "Certificate", name)["spec"].clone();
    assert_eq!(certificate("kube-iam")["issuerRef"]["name"], "kube-iam");
    let issuer = &object(&objects, "Issuer", "kube-iam")["spec"];
    assert_eq!(issuer, &json!({"ca": {"secretName": certificate("kube-iam-ca")["secretName"]}}));
    assert_eq!(certificate("kube-iam-ca")["isCA"], true);
    assert_eq!(
        object(&objects, "Issuer", text(&certificate("kube-iam-ca")["issuerRef"]["name"]))["spec"],
        json!({"selfSigned": {}})
    );
}

#[test]
fn values_reach_the_program_in_variables_that_it_reads() {
    let objects = rendered(&json!({
        "mode": "coexist",
        "clusterName": "prod-1",
        "managementNamespace": "iam",
        "managementRoot": "oidc:root",
        "installers": ["cn=a,dc=b", "system:serviceaccount:argocd:argocd-application-controller"],
        "impersonatedRoles": "off",
        "admissionClientAuth": "required",
        "logFormat": "text",
        "logLevel": "kube_iam=debug,info",
        "existingSecret": "tls",
        "webhook": {"caBundle": "QUJD"},
        "extraArgs": ["--context=a"],
        "extraEnv": [{"name": "KUBE_IAM_CONTEXT", "value": "b"}],
    }));
    for (name, value) in [
        ("KUBE_IAM_LISTEN", "0.0.0.0:9443"),
        ("KUBE_IAM_HEALTH_LISTEN", "0.0.0.0:9440"),
        ("KUBE_IAM_STATE_DIR", "/var/lib/kube-iam"),
        ("KUBE_IAM_MODE", "coexist"),
        ("KUBE_IAM_CLUSTER_NAME", "prod-1"),
        ("KUBE_IAM_MANAGEMENT_ACCOUNT", "iam"),
        ("KUBE_IAM_MANAGEMENT_ROOT", "oidc:root"),
        ("KUBE_IAM_INSTALLER", "cn=a,dc=b\nsystem:serviceaccount:argocd:argocd-application-controller"),
        ("KUBE_IAM_IMPERSONATED_ROLES", "off"),
        ("KUBE_IAM_ADMISSION_CLIENT_AUTH", "required"),
        ("KUBE_IAM_LOG_FORMAT", "text"),
        ("RUST_LOG", "kube_iam=debug,info"),
        ("KUBE_IAM_CONTEXT", "b"),
    ] {
        assert_eq!(environment(&objects, name).as_deref(), Some(value), "{name}");
    }
    let container = &pod(&objects)["spec"]["containers"][0];
    assert_eq!(container["args"], json!(["serve", "--context=a"]));

    let help = Command::new(env!("CARGO_BIN_EXE_kube-iam")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for variable in list(&container["env"]).iter().map(|variable| text(&variable["name"])) {
        assert!(variable == "RUST_LOG" || help.contains(&format!("[env: {variable}=")), "{variable} is not read");
    }

    let defaults = rendered(&json!({}));
    assert_eq!(environment(&defaults, "KUBE_IAM_MODE").unwrap(), "shadow");
    assert_eq!(environment(&defaults, "KUBE_IAM_MANAGEMENT_ACCOUNT").unwrap(), MANAGEMENT);
    assert_eq!(environment(&defaults, "KUBE_IAM_ADMISSION_CLIENT_AUTH").unwrap(), "none");
    assert_eq!(environment(&defaults, "KUBE_IAM_MANAGEMENT_ROOT"), None);
    assert_eq!(environment(&defaults, "KUBE_IAM_INSTALLER"), None);
    // Text, even where YAML would read a number.
    let number = rendered(&json!({"managementNamespace": "123"}));
    assert_eq!(environment(&number, "KUBE_IAM_MANAGEMENT_ACCOUNT").unwrap(), "123");
}

#[test]
fn pods_are_restricted_and_spread() {
    let secret = json!({"existingSecret": "tls", "webhook": {"caBundle": "QUJD"}});
    for values in [json!({}), json!({"workload": "DaemonSet"}), secret] {
        let objects = rendered(&values);
        let pod = &pod(&objects)["spec"];
        assert_restricted(pod);
        assert_eq!(pod["serviceAccountName"], "kube-iam");
        assert_eq!(pod["priorityClassName"], "system-cluster-critical");
        assert_eq!(object(&objects, "ServiceAccount", "kube-iam")["automountServiceAccountToken"], false);
        let selector = &object(&objects, "PodDisruptionBudget", "kube-iam")["spec"]["selector"]["matchLabels"];
        let labels = &self::pod(&objects)["metadata"]["labels"];
        assert!(selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value));
        let probes = ["livenessProbe", "readinessProbe"].map(|probe| pod["containers"][0][probe]["httpGet"].clone());
        assert_eq!(probes.each_ref().map(|probe| text(&probe["path"])), ["/healthz", "/readyz"]);
    }
    let deployment = rendered(&json!({}));
    assert_eq!(object(&deployment, "Deployment", "kube-iam")["spec"]["replicas"], 2);
    assert_eq!(pod(&deployment)["spec"]["hostNetwork"], Value::Null);
    assert!(pod(&deployment)["spec"]["affinity"]["podAntiAffinity"].is_object());
    assert_eq!(list(&pod(&deployment)["spec"]["topologySpreadConstraints"]).len(), 2);
}

/// The Restricted profile of the Pod Security Standards, and what goes beyond it.
fn assert_restricted(pod: &Value) {
    let context = &pod["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(context["runAsUser"], 65_532);
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    for forbidden in ["hostPID", "hostIPC", "initContainers", "ephemeralContainers", "shareProcessNamespace"] {
        assert_eq!(pod[forbidden], Value::Null, "{forbidden}");
    }
    let [container] = list(&pod["containers"]) else { panic!("{pod}") };
    let context = &container["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
    assert_eq!(context["privileged"], Value::Null);
    assert!(container["resources"]["limits"]["memory"].is_string());
    for volume in list(&pod["volumes"]) {
        assert!(volume["emptyDir"].is_object() || volume["secret"].is_object(), "{volume}");
    }
}

#[test]
fn a_daemon_set_stands_beside_each_api_server() {
    let objects = rendered(&json!({"workload": "DaemonSet", "state": {"hostPath": "/srv/kube-iam"}}));
    let pod = &pod(&objects)["spec"];
    assert_eq!(pod["hostNetwork"], true);
    assert_eq!(pod["nodeSelector"], json!({"node-role.kubernetes.io/control-plane": ""}));
    assert_eq!(pod["tolerations"], json!([{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]));
    assert_eq!(environment(&objects, "KUBE_IAM_LISTEN").unwrap(), "127.0.0.1:9443");
    assert_eq!(environment(&objects, "KUBE_IAM_HEALTH_LISTEN").unwrap(), "127.0.0.1:9440");
    assert_eq!(pod["containers"][0]["readinessProbe"]["httpGet"]["host"], "127.0.0.1");
    // The files in it name each other by their paths on the node.
    assert_eq!(environment(&objects, "KUBE_IAM_STATE_DIR").unwrap(), "/srv/kube-iam");
    assert_eq!(pod["containers"][0]["volumeMounts"][0]["mountPath"], "/srv/kube-iam");
    assert_eq!(pod["volumes"][0]["hostPath"], json!({"path": "/srv/kube-iam", "type": "Directory"}));
    let scraped = rendered(&json!({"workload": "DaemonSet", "listen": {"healthAddress": "0.0.0.0"}}));
    assert!(inventory(&scraped).contains(&"Service kube-iam-metrics".to_owned()));
    assert_eq!(self::pod(&scraped)["spec"]["containers"][0]["readinessProbe"]["httpGet"]["host"], Value::Null);
}

#[test]
fn only_api_servers_and_monitoring_reach_the_pods() {
    let policy = |values: Value| object(&rendered(&values), "NetworkPolicy", "kube-iam")["spec"].clone();
    let open = policy(json!({}));
    assert_eq!(open["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(open["ingress"][0], json!({"ports": [{"protocol": "TCP", "port": "webhooks"}]}));
    assert_eq!(open["ingress"][1]["ports"], json!([{"protocol": "TCP", "port": "health"}]));
    let monitoring = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}});
    assert_eq!(open["ingress"][1]["from"], json!([monitoring]));
    assert_eq!(list(&open["ingress"]).len(), 2);
    let ports: Vec<&Value> =
        list(&open["egress"]).iter().flat_map(|rule| list(&rule["ports"])).map(|port| &port["port"]).collect();
    assert_eq!(ports, [443, 6443, 53, 53]);
    assert_eq!(list(&open["egress"][1]["to"]).len(), 1);

    let closed = policy(json!({"networkPolicy": {"apiServerCIDRs": ["10.0.0.1/32", "fd00::1/128"]}}));
    let blocks = json!([{"ipBlock": {"cidr": "10.0.0.1/32"}}, {"ipBlock": {"cidr": "fd00::1/128"}}]);
    assert_eq!(closed["ingress"][0]["from"], blocks);
    assert_eq!(closed["egress"][0]["to"], blocks);
}

#[test]
fn people_shape_the_pods() {
    let objects = rendered(&json!({
        "replicaCount": 3,
        "image": {"repository": "images.example/kube-iam", "digest": format!("sha256:{}", "0".repeat(64))},
        "imagePullSecrets": [{"name": "pull"}],
        "podLabels": {"team": "iam"},
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [{"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}],
        "volumes": [{"name": "more", "emptyDir": {}}],
        "volumeMounts": [{"name": "more", "mountPath": "/more"}],
        "priorityClassName": "",
        "resources": {"limits": {"memory": "1Gi"}},
    }));
    assert_eq!(object(&objects, "Deployment", "kube-iam")["spec"]["replicas"], 3);
    let template = pod(&objects);
    assert_eq!(template["metadata"]["labels"]["team"], "iam");
    assert_eq!(template["metadata"]["annotations"], json!({"a": "b"}));
    let pod = &template["spec"];
    let image = format!("images.example/kube-iam@sha256:{}", "0".repeat(64));
    assert_eq!(pod["containers"][0]["image"], json!(image));
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(pod["nodeSelector"], json!({"disk": "ssd"}));
    assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
    assert_eq!(pod["affinity"], json!({"nodeAffinity": {}}));
    assert_eq!(pod["topologySpreadConstraints"][0]["topologyKey"], "rack");
    assert_eq!(pod["priorityClassName"], Value::Null);
    assert_eq!(pod["volumes"][1], json!({"name": "more", "emptyDir": {}}));
    assert_eq!(pod["containers"][0]["volumeMounts"][1], json!({"name": "more", "mountPath": "/more"}));
    let chart: Value = serde_yaml::from_str(&file("Chart.yaml")).unwrap();
    let default = rendered(&json!({}));
    let tag = format!("kube-iam:{}", text(&chart["appVersion"]));
    assert_eq!(self::pod(&default)["spec"]["containers"][0]["image"], json!(tag));
}

#[test]
fn the_versions_of_chart_and_program_are_one() {
    for name in ["Chart.yaml", "charts/kube-iam-crds/Chart.yaml"] {
        let chart: Value = serde_yaml::from_str(&file(name)).unwrap();
        assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"), "{name}");
        assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"), "{name}");
    }
}

#[test]
fn the_notes_print_the_configuration_that_the_program_writes() {
    let notes = |values: &Value| {
        let helm = helm(Line::Four);
        let values = helm.values(values).display().to_string();
        let dry = ["install", RELEASE, CHART, "--namespace", MANAGEMENT, "--dry-run=client", "--values", &values];
        let output = helm.run(dry).succeeded();
        output.split_once("\nNOTES:\n").expect("no notes").1.to_owned()
    };
    let kept = |mode: &str| json!({"mode": mode, "workload": "DaemonSet", "state": {"hostPath": "/srv/iam"}});
    for (values, mode, folder) in [
        (json!({}), Mode::Shadow, "/var/lib/kube-iam"),
        (json!({"mode": "coexist"}), Mode::Coexist, "/var/lib/kube-iam"),
        (kept("shadow"), Mode::Shadow, "/srv/iam"),
        (kept("authoritative"), Mode::Authoritative, "/srv/iam"),
    ] {
        let notes = notes(&values);
        let kubeconfig = format!("{folder}/authorizer.kubeconfig");
        let expected = authorization_configuration(mode, kubeconfig.as_ref(), None);
        let indented: String = expected.lines().map(|line| format!("     {line}\n")).collect();
        assert!(notes.contains(&indented), "{indented}\n---\n{notes}");
        assert_eq!(notes.contains("--set mode=coexist"), mode == Mode::Shadow, "{notes}");
        assert!(notes.contains(&format!("is installed in mode `{mode}`")), "{notes}");
    }
    let elsewhere =
        notes(&json!({"mode": "coexist", "workload": "None", "webhook": {"url": "https://127.0.0.1:9443"}}));
    assert!(!elsewhere.contains("is installed in mode"), "{elsewhere}");
    assert!(elsewhere.contains("kube-iam serve --mode coexist"), "{elsewhere}");
    assert!(notes(&json!({"webhook": {"enabled": false}})).contains("WARNING"));
}
