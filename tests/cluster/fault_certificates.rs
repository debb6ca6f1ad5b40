//! Another authority takes over under load (`guarantees.md` R21).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ::kube_iam::server::authority::{Authority, ServingNames};
use ::kube_iam::server::unix_now;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::chart::RELEASE;
use crate::control_plane::cluster::{Cluster, Options};
use crate::control_plane::deadline::{holds_within, wait_until};
use crate::control_plane::folder::Folder;
use crate::fault_load::{Load, Opinion, People, Question, SETTINGS, Work};
use crate::https::{Client, Connection, Pair};
use crate::installed::{Installed, iam};
use crate::kube_iam::{KubeIam, World};

/// How long a step of a succession takes to begin once it is due, and what a busy machine adds.
const STEP: Duration = Duration::from_secs(20);
/// An API server looks at its configuration once a minute at least; it often sees a change at once.
const RELOAD: Duration = Duration::from_secs(90);
/// How long the load goes on in each step, at least.
const EACH: Duration = Duration::from_secs(2);
/// How late a caller of the webhook reads what it is given.
const LATE: Duration = Duration::from_secs(1);
/// Longer than a step has to last.
const LONG: Duration = Duration::from_secs(600);

/// A kube-iam whose authority is succeeded, seen from outside.
struct Succession<'a> {
    installed: &'a Installed,
    /// How often the API server has put another configuration in use.
    reads: usize,
}

// === impl Succession ===

impl<'a> Succession<'a> {
    fn new(installed: &'a Installed) -> Self {
        let mut new = Self { installed, reads: 0 };
        new.reads = new.configurations();
        new
    }

    fn file(&self, name: &str) -> PathBuf {
        self.installed.kube_iam.state_dir().join("tls").join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Waits until a step has been taken, and until everybody has followed: the registration trusts exactly these, the
    /// API server has put the new configuration in use. The load goes on meanwhile.
    #[track_caller]
    fn followed(&mut self, what: &str, step: impl Fn(&Self) -> bool, trusted: &[&str]) {
        let began = Instant::now();
        assert!(
            holds_within(STEP, || step(self)),
            "{what}: not within {STEP:?}{}",
            self.installed.kube_iam.log_tails()
        );
        let stepped = began.elapsed();
        wait_until(STEP, || self.bundles().iter().all(|bundle| same_certificates(bundle, trusted)));
        wait_until(RELOAD, || self.configurations() > self.reads);
        self.reads = self.configurations();
        eprintln!("{what}: {stepped:?}, followed after {:?}", began.elapsed());
        thread::sleep(EACH);
    }

    /// Lets a step have lasted for long, as its file tells: everybody has followed.
    fn age(&self, name: &str) {
        let file = File::options().append(true).open(self.file(name)).unwrap();
        file.set_modified(SystemTime::now() - LONG).unwrap();
    }

    fn bundles(&self) -> Vec<String> {
        let get = ["get", "validatingwebhookconfiguration", RELEASE, "-o", "json"];
        let registration: Value = serde_json::from_str(&self.installed.by_admin(get)).unwrap();
        let webhooks = registration["webhooks"].as_array().unwrap();
        let bundle = |webhook: &Value| {
            let bytes: ByteString = serde_json::from_value(webhook["clientConfig"]["caBundle"].clone()).unwrap();
            String::from_utf8(bytes.0).unwrap()
        };
        assert_eq!(webhooks.len(), 2);
        webhooks.iter().map(bundle).collect()
    }

    fn configurations(&self) -> usize {
        configurations(&self.installed.cluster)
    }
}

/// How often the API server has put another configuration in use, as it says in its log: with it, the kubeconfig.
fn configurations(cluster: &Cluster) -> usize {
    let log = fs::read_to_string(cluster.folder().join("kube-apiserver.log")).unwrap();
    log.lines().filter(|line| line.contains("reloaded authz config")).count()
}

/// Whom the generated kubeconfig trusts, PEM.
fn trusted(state_dir: &Path) -> String {
    let text = fs::read_to_string(state_dir.join("authorizer.kubeconfig")).unwrap();
    let kubeconfig: Value = serde_yaml::from_str(&text).unwrap();
    let data = &kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"];
    String::from_utf8(serde_json::from_value::<ByteString>(data.clone()).unwrap().0).unwrap()
}

/// The client that an API server is once it has read the generated kubeconfig: it trusts who is named there, and presents
/// what is in there.
fn of_authorizer(state_dir: &Path) -> Client {
    let text = fs::read_to_string(state_dir.join("authorizer.kubeconfig")).unwrap();
    let kubeconfig: Value = serde_yaml::from_str(&text).unwrap();
    let data = |value: &Value| {
        let bytes: ByteString = serde_json::from_value(value.clone()).unwrap();
        String::from_utf8(bytes.0).unwrap()
    };
    let (cluster, user) = (&kubeconfig["clusters"][0]["cluster"], &kubeconfig["users"][0]["user"]);
    let pair = Pair { certificate: data(&user["client-certificate-data"]), key: data(&user["client-key-data"]) };
    Client::new(cluster["server"].as_str().unwrap(), &data(&cluster["certificate-authority-data"]), Some(&pair))
}

fn same_certificates(bundle: &str, trusted: &[&str]) -> bool {
    let certificates = |pem: &str| -> Vec<String> {
        let parts = pem.split("-----END CERTIFICATE-----").map(|part| part.replace(['\n', '\r'], ""));
        parts.filter(|part| !part.is_empty()).collect()
    };
    let (mut found, mut expected) = (certificates(bundle), certificates(&trusted.concat()));
    found.sort();
    expected.sort();
    found == expected
}

/// Asks the webhook, each time on a connection of its own: as an API server that has read its kubeconfig a while ago.
fn calling(kube_iam: &KubeIam) -> Vec<Work> {
    let state_dir = kube_iam.state_dir().to_owned();
    let known = Arc::new(Mutex::new((Instant::now(), of_authorizer(&state_dir))));
    let questions = Question::of_payments();
    (0..2)
        .map(|number| -> Work {
            let (known, questions, state_dir) = (Arc::clone(&known), questions.clone(), state_dir.clone());
            let mut turn = number;
            Box::new(move || {
                let client = {
                    let mut known = known.lock().unwrap();
                    if known.0.elapsed() > LATE {
                        *known = (Instant::now(), of_authorizer(&state_dir));
                    }
                    known.1.clone()
                };
                turn += 1;
                let question = &questions[turn % questions.len()];
                let answer = client.post("/authorize", question.body.as_bytes()).map_err(|e| e.to_string())?;
                match answer.status {
                    200 if Opinion::of(&answer) == question.expected => Ok(()),
                    _ => Err(format!("{} {}", answer.status, answer.body)),
                }
            })
        })
        .collect()
}

/// Reads or writes on the API server, on one connection.
fn requesting(client: &Client, method: &'static str, path: &str, body: &Value, expected: u16) -> Work {
    let (client, path, body) = (client.clone(), path.to_owned(), body.to_string());
    let mut open: Option<Connection> = None;
    Box::new(move || {
        let connection = match &mut open {
            Some(connection) => connection,
            None => open.insert(client.connect().map_err(|error| error.to_string())?),
        };
        let answer = connection.request(method, &path, body.as_bytes()).map_err(|error| error.to_string())?;
        let right = answer.status == expected;
        if right { Ok(()) } else { Err(format!("{method} {path}: {} {}", answer.status, answer.body)) }
    })
}

#[test]
fn no_call_fails_while_another_authority_takes_over() {
    let mut installed = Installed::start(&["--mode", "coexist"]);
    let people = People::declare(&installed);
    let (alice, bob) = (Client::of(&people.alice), Client::of(&people.bob));
    let calls = Load::start(calling(&installed.kube_iam), 50);
    let reads = Load::start(
        vec![
            requesting(&alice, "GET", SETTINGS, &Value::Null, 200),
            requesting(&bob, "GET", SETTINGS, &Value::Null, 403),
        ],
        20,
    );
    let group = iam("IamGroup", "payments", "dry", &json!({"policies": ["read"]}));
    let collection = "/apis/kube-iam.dev/v1alpha1/namespaces/payments/iamgroups?dryRun=All";
    let admin = Client::of(installed.admin());
    let writes = Load::start(vec![requesting(&admin, "POST", collection, &group, 201)], 20);

    let mut succession = Succession::new(&installed);
    let (old, leaf) = (succession.read("ca.crt"), succession.read("tls.crt"));
    assert!(succession.bundles().iter().all(|bundle| same_certificates(bundle, &[&old])));
    fs::write(succession.file("rotate"), "").unwrap();
    let there = |name: &'static str| move |succession: &Succession<'_>| succession.file(name).exists();
    assert!(holds_within(STEP, || succession.file("next-ca.crt").exists()), "nothing is announced");
    let new = succession.read("next-ca.crt");
    succession.followed("announced", there("next-ca.crt"), &[&old, &new]);
    let second_leaf = succession.read("tls.crt");
    assert_ne!(second_leaf, leaf, "the serving certificate is not renewed");

    succession.age("next-ca.crt");
    succession.followed("switched", there("previous-ca.crt"), &[&old, &new]);
    assert_eq!((succession.read("ca.crt"), succession.read("previous-ca.crt")), (new.clone(), old.clone()));
    assert_ne!(succession.read("tls.crt"), second_leaf, "the new authority has issued nothing");

    succession.age("previous-ca.crt");
    succession.followed("steady", |succession| !succession.file("previous-ca.crt").exists(), &[&new]);
    installed.wait_until_registered().unwrap();
    assert!(people.are_answered_right());

    calls.stop().assert_clean("calls of the webhook", 50.0);
    reads.stop().assert_clean("reads through the API server", 20.0);
    writes.stop().assert_clean("writes through the API server", 10.0);

    // Connections that are made now meet the new authority alone, on every way.
    installed.kube_iam.kill();
    installed.kube_iam.start_again();
    installed.wait_until_registered().unwrap();
    assert!(people.are_answered_right());
}

#[test]
fn an_api_server_follows_an_authority_that_replaces_a_lost_one() {
    let mut installed = Installed::start(&["--mode", "coexist"]);
    let people = People::declare(&installed);
    assert!(people.are_answered_right());
    installed.kube_iam.kill();
    fs::remove_dir_all(installed.kube_iam.state_dir().join("tls")).unwrap();
    installed.kube_iam.start_again();
    wait_until(RELOAD, || people.are_answered_right());
}

#[test]
fn no_request_is_refused_while_the_authority_of_somebody_else_is_replaced() {
    let (provided, manifests) = (Folder::new("provided").unwrap(), Folder::new("manifests").unwrap());
    // As a mounted Secret changes.
    let provide = || {
        let authority = Authority::create(unix_now()).unwrap();
        let names = ServingNames { hosts: vec!["localhost".into()], addresses: vec!["127.0.0.1".parse().unwrap()] };
        let serving = authority.issue_serving(&names, unix_now()).unwrap();
        provided.write("ca.crt", authority.certificate_pem()).unwrap();
        provided.write("tls.crt", &serving.certificate_pem).unwrap();
        provided.write("tls.key", &serving.key_pem).unwrap();
        authority.certificate_pem().to_owned()
    };
    let old = provide();
    let [certificate, key] = ["tls.crt", "tls.key"].map(|name| provided.path().join(name).display().to_string());
    let flags = ["--mode", "coexist", "--tls-cert", &certificate, "--tls-key", &key];
    let mut kube_iam = KubeIam::start(World::Folder(manifests.path().to_owned()), &flags);
    let options = Options { authorization_config: Some(kube_iam.authorization_config()), ..Options::default() };
    let cluster = Cluster::try_start(&options).unwrap();
    for create in [
        ["clusterrole", "reader", "--verb=list", "--resource=namespaces"],
        ["clusterrolebinding", "reader", "--clusterrole=reader", "--user=alice"],
    ] {
        cluster.kubectl(cluster.admin(), ["create"].into_iter().chain(create)).succeeded();
    }
    let alice = Client::of(&cluster.client_certificate("alice", &[]));
    let list = requesting(&alice, "GET", "/api/v1/namespaces", &Value::Null, 200);
    let trusts = |expected: &[&str]| same_certificates(&trusted(kube_iam.state_dir()), expected);
    assert!(trusts(&[&old]));
    let load = Load::start(vec![list], 20);

    let before = configurations(&cluster);
    let new = provide();
    assert!(holds_within(STEP, || trusts(&[&old, &new])), "the new authority is not announced");
    assert!(holds_within(RELOAD + STEP, || trusts(&[&new])), "the old authority is never let go");
    assert!(holds_within(RELOAD, || configurations(&cluster) >= before + 2), "the API server does not follow");
    thread::sleep(EACH);
    load.stop().assert_clean("reads through the API server", 10.0);

    kube_iam.kill();
    kube_iam.start_again();
    let answer = Client::of(&cluster.client_certificate("alice", &[])).get("/api/v1/namespaces").unwrap();
    assert_eq!(answer.status, 200, "on a connection of now");
}
