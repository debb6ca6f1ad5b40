//! The control plane itself: what every other cluster test relies on.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::process::{self, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::build::Programs;
use crate::control_plane::cluster::{Cluster, Controllers, Options};
use crate::control_plane::deadline::{holds_within, wait_until};
use crate::control_plane::folder::Folder;
use crate::control_plane::shared::Shared;

static RBAC: Shared<Cluster> =
    Shared::new(|| Cluster::try_start(&Options { controllers: Controllers::Running, ..Options::default() }));

#[test]
fn control_plane_answers() {
    let cluster = RBAC.get();
    assert_eq!(cluster.kubectl(cluster.admin(), ["get", "--raw", "/readyz"]).succeeded(), "ok");
    let elsewhere = ["--server", cluster.server(), "--certificate-authority"].map(OsString::from);
    let elsewhere = elsewhere.into_iter().chain([cluster.ca_file().into()]);
    let list = ["get", "namespaces", "-o", "name"].map(OsString::from);
    let namespaces = cluster.kubectl(cluster.admin(), list.into_iter().chain(elsewhere)).succeeded();
    assert!(namespaces.lines().any(|name| name == "namespace/default"), "{namespaces}");

    let alice = cluster.client_certificate("alice", &["dev"]);
    let refusal = cluster.kubectl(&alice, ["get", "namespaces"]).failed();
    assert!(refusal.contains(r#"(Forbidden): namespaces is forbidden: User "alice" cannot list"#), "{refusal}");
}

#[test]
fn people_carry_their_name_and_all_their_groups() {
    let cluster = RBAC.get();
    let long = "x".repeat(300);
    let groups = ["dev", "ops", "entwickler-münchen", &long];
    let alice = cluster.client_certificate("alice@example.com", &groups);
    let who = ["auth", "whoami", "-o", "json"];
    let review: Value = serde_json::from_str(&cluster.kubectl(&alice, who).succeeded()).unwrap();
    let info = &review["status"]["userInfo"];
    assert_eq!(info["username"], "alice@example.com");
    let mut expected = groups.to_vec();
    expected.push("system:authenticated");
    assert_eq!(info["groups"], json!(expected));

    let robot = cluster.service_account_token("default", "default");
    let review = cluster.kubectl(&robot, who).succeeded();
    assert!(review.contains("system:serviceaccount:default:default"), "{review}");
}

#[test]
fn controller_manager_deletes_a_namespace() {
    let cluster = RBAC.get();
    let admin = cluster.admin();
    let manifest = "{apiVersion: v1, kind: Namespace, metadata: {name: short-lived}}";
    cluster.kubectl_with_input(admin, ["create", "-f", "-"], manifest).succeeded();
    cluster.kubectl(admin, ["create", "configmap", "inside", "-n", "short-lived"]).succeeded();
    cluster.kubectl(admin, ["delete", "namespace", "short-lived", "--timeout=60s"]).succeeded();
    let gone = cluster.kubectl(admin, ["get", "namespace", "short-lived"]).failed();
    assert!(gone.contains("NotFound"), "{gone}");
}

#[test]
fn components_keep_their_data_and_address_from_run_to_run() {
    let cluster = Cluster::start(&Options { controllers: Controllers::Running, ..Options::default() });
    let admin = cluster.admin();
    cluster.kubectl(admin, ["create", "configmap", "kept"]).succeeded();
    let find = ["get", "--raw", "/api/v1/namespaces/default/configmaps/kept", "--request-timeout=1s"];

    cluster.api_server().kill();
    cluster.kubectl(admin, find).failed();
    cluster.etcd().kill();
    cluster.etcd().start();
    cluster.api_server().start();
    cluster.kubectl(admin, find).succeeded();

    cluster.api_server().suspend();
    wait_until(Duration::from_secs(30), || !cluster.kubectl(admin, find).status.success());
    cluster.api_server().resume();
    wait_until(Duration::from_secs(30), || cluster.kubectl(admin, find).status.success());

    assert!(cluster.api_server().stop().is_some_and(|status| status.success()));
    cluster.api_server().start();
    cluster.kubectl(admin, find).succeeded();

    cluster.controller_manager().stop();
    cluster.kubectl(admin, ["create", "namespace", "orphan"]).succeeded();
    cluster.kubectl(admin, ["delete", "namespace", "orphan", "--wait=false"]).succeeded();
    cluster.kubectl(admin, ["get", "namespace", "orphan"]).succeeded();
    cluster.controller_manager().start();
    cluster.kubectl(admin, ["wait", "--for=delete", "namespace/orphan", "--timeout=60s"]).succeeded();

    let folder = cluster.folder().to_owned();
    drop(cluster);
    assert!(env::var_os("KUBE_IAM_TEST_KEEP").is_some() || !folder.exists(), "{}", folder.display());
}

#[test]
fn an_authorization_config_decides() {
    let folder = Folder::new("config").unwrap_or_else(|message| panic!("{message}"));
    let config = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": [{"type": "AlwaysAllow", "name": "alwaysallow"}],
    });
    let cluster = Cluster::start(&Options {
        authorization_config: Some(folder.write("authorization.yaml", &config.to_string()).unwrap()),
        feature_gates: vec!["AllAlpha=false".to_owned()],
        ..Options::default()
    });
    let nobody = cluster.client_certificate("nobody", &[]);
    cluster.kubectl(&nobody, ["get", "secrets", "--all-namespaces"]).succeeded();
}

#[test]
fn a_failed_start_shows_what_the_server_said() {
    let options = Options { api_server_flags: vec!["--no-such-flag=1".to_owned()], ..Options::default() };
    let message = Cluster::try_start(&options).err().expect("it must not start");
    assert!(message.starts_with("kube-apiserver ended"), "{message}");
    assert!(message.contains("unknown flag: --no-such-flag"), "{message}");
}

/// A process inherits its starter's standard output; reading that to its end proves that everybody who had it is gone.
#[test]
fn processes_die_with_the_test_process() {
    // Before the victim needs it, so that a failed build shows here.
    drop(supervised_process());
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "control_plane_starts::holds_a_process_until_it_is_killed", "--ignored", "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(victim.stdout.take().unwrap());
    wait_for_line(&mut output, "the process runs");
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_ends(output);
}

#[cfg(target_os = "linux")]
#[test]
fn processes_die_with_their_supervisor() {
    let mut supervisor = supervised_process().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let orders = supervisor.stdin.take();
    let mut output = BufReader::new(supervisor.stdout.take().unwrap());
    wait_for_line(&mut output, "the process runs");
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    assert_ends(output);
    drop(orders);
}

const VICTIM: &str = "KUBE_IAM_TEST_VICTIM";

#[test]
#[ignore = "the victim of processes_die_with_the_test_process, which runs it"]
fn holds_a_process_until_it_is_killed() {
    if env::var_os(VICTIM).is_none() {
        return;
    }
    let mut supervisor = supervised_process().stdin(Stdio::piped()).spawn().unwrap();
    // With a bound, should nobody kill it.
    holds_within(Duration::from_secs(60), || supervisor.try_wait().unwrap().is_some());
    process::exit(1);
}

fn supervised_process() -> Command {
    let programs = Programs::get().unwrap_or_else(|message| panic!("{message}"));
    let mut command = Command::new(programs.path("supervise"));
    command.args(["sh", "-c", "echo the process runs; exec sleep 600"]);
    command
}

fn wait_for_line(output: &mut impl BufRead, wanted: &str) {
    let mut line = String::new();
    while line.trim() != wanted {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended before it said `{wanted}`");
    }
}

fn assert_ends(mut output: impl Read + Send + 'static) {
    let (done, end) = mpsc::channel();
    thread::spawn(move || {
        let _ = done.send(output.read_to_end(&mut Vec::new()));
    });
    end.recv_timeout(Duration::from_secs(10)).expect("a process outlives its starter").unwrap();
}
