//! `docs/operations.md`, followed by the break-glass admin on a cluster with kube-iam in it: each block does what the
//! document says that it does.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chart::{list, object, text};
use crate::control_plane::deadline::{holds_within, wait_until};
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::control_plane::kubectl::{Output, run_to_end};
use crate::crds;
use crate::document::{Document, Shell};
use crate::installed::{INSTALLED, Installed, iam};
use crate::site::MANAGEMENT;

const DOCUMENT: &str = "docs/operations.md";
/// The state folder, as the document calls it.
const STATE: &str = "/etc/kubernetes/kube-iam";
/// An API server looks at its configuration once a minute; certificates are looked at four times a minute.
const FOLLOWED: Duration = Duration::from_secs(100);
const SOON: Duration = Duration::from_secs(40);

/// The document and the cluster on which it is followed.
struct Operations {
    document: Document,
    shell: Shell,
    installed: Installed,
    followed: BTreeSet<String>,
}

// === impl Operations ===

impl Operations {
    #[track_caller]
    fn start() -> Self {
        let installed = Installed::start(&["--mode", "coexist"]);
        let shell = Shell::new(&installed.cluster);
        shell.run("kubectl apply -f examples").succeeded();
        Self { document: Document::read(DOCUMENT), shell, installed, followed: BTreeSet::new() }
    }

    /// Runs the block of this name, which must go well.
    #[track_caller]
    fn follow(&mut self, name: &str) -> String {
        self.followed.insert(name.to_owned());
        let state = self.installed.kube_iam.state_dir().display().to_string();
        self.shell.run(&self.document.named(name).replace(STATE, &state)).succeeded()
    }

    #[track_caller]
    fn person(&self, user: &str) -> Kubeconfig {
        self.installed.cluster.client_certificate(user, &[])
    }

    /// Somebody whom RBAC permits everything.
    #[track_caller]
    fn cluster_admin(&self, user: &str) -> Kubeconfig {
        let user_flag = format!("--user={user}");
        self.installed.by_admin(["create", "clusterrolebinding", user, "--clusterrole=cluster-admin", &user_flag]);
        self.person(user)
    }

    /// kubectl as somebody; the words are parted by blanks.
    #[track_caller]
    fn kubectl(&self, who: &Kubeconfig, words: &str) -> Output {
        self.installed.kubectl(who, words.split(' '))
    }

    /// Waits until this goes well for somebody.
    #[track_caller]
    fn wait_for(&self, who: &Kubeconfig, words: &str) {
        let mut said = String::new();
        let went_well = holds_within(FOLLOWED, || {
            let output = self.kubectl(who, words);
            said = output.stderr;
            output.status.success()
        });
        assert!(went_well, "{words}: {said}{}", self.installed.kube_iam.log_tails());
    }

    /// Certificates that API servers trust, in the registration.
    #[track_caller]
    fn trusted(&self) -> BTreeSet<String> {
        let registration = self.installed.get("validatingwebhookconfiguration", MANAGEMENT, "kube-iam");
        let bundles = list(&registration["webhooks"]).iter().map(|webhook| &webhook["clientConfig"]["caBundle"]);
        let bundles: BTreeSet<Vec<u8>> = bundles
            .map(|bundle| serde_json::from_value::<k8s_openapi::ByteString>(bundle.clone()).unwrap().0)
            .collect();
        assert_eq!(bundles.len(), 1, "every webhook trusts the same");
        let pem = bundles.into_iter().next().unwrap();
        let pem = String::from_utf8(pem).unwrap();
        pem.split_inclusive("-----END CERTIFICATE-----\n").map(str::to_owned).collect()
    }

    fn registered(&self) -> bool {
        let get = "get validatingwebhookconfiguration kube-iam --ignore-not-found -o name";
        !self.kubectl(self.installed.admin(), get).succeeded().is_empty()
    }

    fn state_file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.installed.kube_iam.state_dir().join(name)).ok()
    }
}

#[test]
fn every_command_of_the_document_does_what_it_promises() {
    let mut operations = Operations::start();
    let o = &mut operations;
    let (erin, carol) = (o.person("erin"), o.cluster_admin("carol"));

    let seen = o.follow("see what is in force");
    assert!(seen.contains("iamuser.kube-iam.dev/bob condition met"), "{seen}");
    assert!(seen.contains("iamgroup.kube-iam.dev/developers") && seen.contains("in force on every replica"), "{seen}");

    // The registration outlives both upgrades, with what kube-iam wrote into it.
    let trusted = o.trusted();
    for (name, revision) in [("enforce", 2), ("upgrade", 3)] {
        let printed = o.follow(name);
        assert!(printed.contains(&format!("REVISION: {revision}")), "{printed}");
        assert_eq!(o.trusted(), trusted);
        o.installed.wait_until_registered().unwrap();
    }
    let values = o.shell.run("helm get values kube-iam -n kube-iam-system -o json").succeeded();
    let values: Value = serde_json::from_str(&values).unwrap();
    assert_eq!((&values["mode"], &values["workload"]), (&json!("coexist"), &json!("None")));

    let annotate = "annotate namespace payments kube-iam.dev/root-identity=judy --overwrite";
    o.kubectl(&erin, annotate).failed();
    o.follow("let somebody make reserved changes");
    o.wait_for(&erin, annotate);
    o.kubectl(&erin, "annotate namespace audit kube-iam.dev/root-identity=judy").failed();

    guarded(o, &carol);
    locked_out(o, &erin, &carol);

    assert_eq!((o.trusted().len(), o.state_file("tls/next-ca.crt")), (1, None));
    o.follow("another authority");
    wait_until(SOON, || o.state_file("tls/next-ca.crt").is_some() && o.trusted().len() == 2);

    broken_glass(o, &carol);
    lost(o, &carol);

    // In the order of the document nothing waits for anybody.
    o.follow("ask kube-iam about no request");
    o.installed.kube_iam.kill();
    o.follow("uninstall");
    o.wait_for(&carol, "get namespaces");
    assert!(!o.registered());
    o.kubectl(&carol, "get iamuser/bob iampolicy/read-web -n payments").succeeded();
    o.kubectl(&carol, "label namespace payments env=prod").succeeded();
    o.kubectl(&carol, "delete iamuser alice -n payments --timeout=10s").succeeded();
    o.kubectl(&carol, "create namespace later").succeeded();
    o.kubectl(&carol, "delete namespace later --timeout=60s").succeeded();

    assert_eq!(o.followed, o.document.names().into_iter().collect(), "every block is run");
}

/// What kube-iam consists of is left to the installer.
fn guarded(o: &mut Operations, carol: &Kubeconfig) {
    let installer = o.cluster_admin("installer@example.org");
    let changes = [
        "delete validatingwebhookconfiguration kube-iam --dry-run=server",
        "label crd iamusers.kube-iam.dev a=b --dry-run=server",
        "create configmap any -n kube-iam-system --dry-run=server",
        "delete lease kube-iam-operator -n kube-iam-system --dry-run=server",
        "delete namespace kube-iam-system --dry-run=server",
        "create token kube-iam -n kube-iam-system",
        "label clusterrole kube-iam a=b --dry-run=server",
        "delete clusterrolebinding kube-iam --dry-run=server",
    ];
    for change in changes {
        o.kubectl(carol, change).succeeded();
    }
    o.follow("guard kube-iam itself");
    wait_until(SOON, || !o.kubectl(carol, changes[0]).status.success());
    for change in changes {
        let refusal = o.kubectl(carol, change).failed();
        assert!(refusal.contains("ExplicitDeny by resource policy kube-iam-system/guard-kube-iam"), "{refusal}");
        o.kubectl(&installer, change).succeeded();
    }
    let guard = "label iampolicy guard-kube-iam -n kube-iam-system a=b --dry-run=server";
    assert!(o.kubectl(carol, guard).failed().contains("kube-iam-system/guard-kube-iam"));
    o.kubectl(&installer, guard).succeeded();
    // Others' registrations and kinds, what is to be read, and guardrails are none of its business.
    for other in [
        "get leases -n kube-iam-system",
        "annotate iampolicy keep-prod-secret -n kube-iam-system a=b --dry-run=server",
        "create configmap any -n payments --dry-run=server",
        "create namespace any --dry-run=server",
    ] {
        o.kubectl(carol, other).succeeded();
    }
    let registration = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "other"}, "webhooks": []});
    let create = ["create", "--dry-run=server", "-f", "-"];
    o.installed.cluster.kubectl_with_input(carol, create, &registration.to_string()).succeeded();
}

/// A policy that denies everybody everything goes by break-glass alone.
fn locked_out(o: &mut Operations, erin: &Kubeconfig, carol: &Kubeconfig) {
    let everything = json!({
        "type": "Resource",
        "targets": {"resources": ["*"]},
        "statements": [{"sid": "Everything", "effect": "Deny", "principals": ["*"], "actions": ["*"]}],
    });
    let read = "get deployments -n payments";
    o.kubectl(erin, read).succeeded();
    o.installed.apply(&[iam("IamPolicy", MANAGEMENT, "deny-everything", &everything)]);
    wait_until(SOON, || !o.kubectl(erin, read).status.success());
    for who in [erin, carol] {
        let refusal = o.kubectl(who, "delete iampolicy deny-everything -n kube-iam-system").failed();
        assert!(refusal.contains("ExplicitDeny by resource policy kube-iam-system/deny-everything"), "{refusal}");
    }
    o.follow("locked out by a policy");
    o.wait_for(erin, read);
}

/// kube-iam is gone, and the break-glass admin goes on.
fn broken_glass(o: &mut Operations, carol: &Kubeconfig) {
    let allow = json!([{"sid": "A", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]}]);
    o.installed.apply(&[
        iam("IamPolicy", "payments", "shared", &json!({"statements": allow})),
        iam("IamGroup", "payments", "readers", &json!({"policies": ["shared"]})),
    ]);
    wait_until(SOON, || {
        o.installed.get("iampolicy", "payments", "shared")["metadata"]["finalizers"] == json!(["kube-iam.dev/in-use"])
    });
    o.installed.kube_iam.kill();

    let write = "annotate iamuser bob -n payments a=b --overwrite";
    let refusal = o.kubectl(o.installed.admin(), write).failed();
    assert!(refusal.contains("failed calling webhook \"objects.kube-iam.dev\""), "{refusal}");
    o.follow("break glass: objects can be written again");
    o.wait_for(o.installed.admin(), write);

    o.installed.by_admin(["delete", "iampolicy", "shared", "-n", "payments", "--wait=false"]);
    let shared = o.installed.get("iampolicy", "payments", "shared");
    assert!(shared["metadata"]["deletionTimestamp"].is_string(), "{shared}");
    o.follow("release a deletion by force");
    o.kubectl(o.installed.admin(), "get iampolicy shared -n payments").failed();

    // Who is no break-glass admin is refused until the API server asks no more.
    let refusal = o.kubectl(carol, "get namespaces").failed();
    assert!(refusal.contains("(InternalError)"), "{refusal}");
    o.follow("ask kube-iam about no request");
    o.wait_for(carol, "get namespaces");
}

/// kube-iam comes back under another authority, and everybody finds it.
fn lost(o: &mut Operations, carol: &Kubeconfig) {
    let before = o.state_file("tls/ca.crt").unwrap();
    o.follow("start a new authority");
    o.installed.kube_iam.start_again();
    assert_ne!(o.state_file("tls/ca.crt").unwrap(), before);
    o.follow("upgrade");
    assert!(o.registered(), "the registration is back");
    let refusal = "no policy allows";
    let asks = ["auth", "can-i", "get", "pods", "-n", "payments"];
    let alice = o.person("alice");
    wait_until(FOLLOWED, || o.installed.kubectl(&alice, asks).stdout.contains(refusal));
    o.installed.wait_until_registered().unwrap();
    assert_eq!(o.trusted(), BTreeSet::from([o.state_file("tls/ca.crt").unwrap()]));
    o.kubectl(carol, "get namespaces").succeeded();
}

#[test]
fn every_install_of_the_document_renders() {
    let document = Document::read(DOCUMENT).section("Install");
    let installs: Vec<String> =
        document.blocks("sh").into_iter().filter(|block| block.starts_with("helm install ")).collect();
    let shell = Shell::new(&INSTALLED.get().cluster);
    let rendered = installs.iter().map(|install| {
        let template = install.replace("helm install ", "helm template ").replace(" --create-namespace", "");
        crds::documents(&shell.run(&template).succeeded())
    });
    let workloads: Vec<Value> = rendered
        .map(|objects| {
            let registration = object(&objects, "ValidatingWebhookConfiguration", "kube-iam");
            let reach = registration["webhooks"][0]["clientConfig"].clone();
            let workload = objects.iter().find(|object| object["spec"]["template"].is_object());
            let pod = workload.map(|workload| {
                let pod = &workload["spec"]["template"]["spec"];
                json!([workload["kind"], pod["nodeSelector"], pod["volumes"][0]["hostPath"]["path"]])
            });
            json!([reach["url"], pod])
        })
        .collect();
    let beside = "https://127.0.0.1:9443/admit-iam";
    let nodes = "node-role.kubernetes.io/control-plane";
    assert_eq!(
        workloads,
        [
            json!([null, ["Deployment", null, null]]),
            json!([beside, ["DaemonSet", {nodes: ""}, STATE]]),
            json!([beside, null]),
            json!([beside, ["DaemonSet", {nodes: "true"}, "/var/lib/kube-iam"]]),
        ]
    );
}

#[test]
fn the_static_pod_of_the_document_is_one() {
    let document = Document::read(DOCUMENT).section("Install");
    let blocks = document.blocks("sh");
    let manifests = blocks.iter().filter_map(|block| block.split_once("<<'MANIFEST'\n"));
    let [(_, manifest)] = manifests.collect::<Vec<_>>()[..] else { panic!("one static Pod") };
    let manifest = manifest.split("MANIFEST\n").next().unwrap();
    let installed = INSTALLED.get();
    let create = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
    let output = installed.cluster.kubectl_with_input(installed.admin(), create, manifest);
    assert!(!output.stderr.contains("Warning"), "{}", output.stderr);
    output.succeeded();

    // What `serve` is told, another command that takes the same flags understands.
    let pod = crds::documents(manifest).remove(0);
    let arguments: Vec<&str> = list(&pod["spec"]["containers"][0]["args"]).iter().map(text).collect();
    assert_eq!(arguments[0], "serve");
    let mut config = std::process::Command::new(env!("CARGO_BIN_EXE_kube-iam"));
    let configuration = run_to_end(config.args(["config", "authorization"]).args(&arguments[1..]), "").unwrap();
    let configuration = configuration.succeeded();
    assert!(configuration.contains(&format!("{STATE}/authorizer.kubeconfig")), "{configuration}");
    assert!(configuration.contains("failurePolicy: NoOpinion"), "{configuration}");
}
