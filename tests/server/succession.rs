//! Another certificate authority takes over while an API server calls without pause (`guarantees.md` R21).

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube_iam::server::authority::{Authority, Pair, ServingNames};
use kube_iam::server::state_folder::{Settings, prepare, renew};
use kube_iam::server::{Announced, ClientAuth, Limits, unix_now};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpListener;

use crate::client::{Client, post, tls_config_trusting};
use crate::folder::TestFolder;
use crate::site::{Site, settings};

/// How long a step lasts, and how late the API server follows its files.
const PATIENCE: Duration = Duration::from_millis(600);
const LATE: Duration = Duration::from_millis(300);

/// What an API server knows from its kubeconfig.
struct Known {
    trusted: Vec<CertificateDer<'static>>,
    pair: Pair,
}

/// Reads the kubeconfig, once the configuration that names it has changed.
fn read(site: &Site) -> Known {
    let kubeconfig: serde_json::Value = serde_yaml::from_str(&site.file("authorizer.kubeconfig")).unwrap();
    let decoded = |value: &serde_json::Value| {
        let bytes: k8s_openapi::ByteString = serde_json::from_value(value.clone()).unwrap();
        String::from_utf8(bytes.0).unwrap()
    };
    let trusted = decoded(&kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]);
    let user = &kubeconfig["users"][0]["user"];
    Known {
        trusted: CertificateDer::pem_slice_iter(trusted.as_bytes()).map(Result::unwrap).collect(),
        pair: Pair {
            certificate_pem: decoded(&user["client-certificate-data"]),
            key_pem: decoded(&user["client-key-data"]),
        },
    }
}

async fn call(site: &Site, known: &Known) -> u16 {
    let config = tls_config_trusting(&known.trusted, Some(&known.pair), &["http/1.1"]);
    let mut client = Client::with_config(site, config).await.expect("no connection");
    client.send(post("/authorize", "x")).await.unwrap();
    client.answer().await.expect("no answer").status
}

/// An API server that calls without pause and follows its files late.
struct Caller {
    known: Known,
    configuration: String,
    changed: Option<Instant>,
    calls: u32,
    followed: u32,
}

impl Caller {
    fn new(site: &Site) -> Self {
        let configuration = site.file("authorization-config.yaml");
        Self { known: read(site), configuration, changed: None, calls: 0, followed: 0 }
    }

    /// Calls once; whether it has followed everything.
    async fn call(&mut self, site: &Site) -> bool {
        assert_eq!(call(site, &self.known).await, 200);
        self.calls += 1;
        if self.changed.is_none() && site.file("authorization-config.yaml") != self.configuration {
            self.changed = Some(Instant::now());
        }
        if self.changed.is_some_and(|at| at.elapsed() > LATE) {
            self.configuration = site.file("authorization-config.yaml");
            self.known = read(site);
            self.changed = None;
            self.followed += 1;
        }
        self.changed.is_none()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_while_another_authority_takes_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = TestFolder::new();
    let settings = Settings {
        patience: PATIENCE,
        ..settings(folder.path(), listener.local_addr().unwrap(), ClientAuth::Required)
    };
    let tls = Arc::new(prepare(&settings, unix_now()).unwrap());
    let site = Site::serve(listener, folder, Arc::clone(&tls), Limits::default());
    let first = site.file("tls/ca.crt");
    assert_eq!(tls.trusted(), first);
    let mut caller = Caller::new(&site);
    std::fs::write(site.folder.path().join("tls/rotate"), "").unwrap();

    let began = Instant::now();
    let mut steady = false;
    while !steady {
        assert!(began.elapsed() < Duration::from_secs(30), "the succession does not end");
        renew(&settings, &tls, unix_now(), Announced::Everywhere).unwrap();
        steady = caller.call(&site).await && is_steady(&site);
    }
    assert_ne!(site.file("tls/ca.crt"), first);
    assert_eq!(tls.trusted(), site.file("tls/ca.crt"));
    assert!(caller.calls > 20 && caller.followed == 3, "{} calls, {} followed", caller.calls, caller.followed);
    assert_eq!(caller.known.trusted.len(), 1);
    assert!(caller.call(&site).await);
}

/// Whether our own authority is alone.
fn is_steady(site: &Site) -> bool {
    let files = ["tls/next-ca.crt", "tls/previous-ca.crt", "tls/rotate"];
    files.iter().all(|name| !site.folder.path().join(name).exists())
}

/// A serving certificate that somebody else provides, in a folder of its own.
struct Foreign(TestFolder);

impl Foreign {
    /// As a mounted Secret changes: the certificate, its key and the authority, whose certificate is returned.
    fn provide(&self) -> CertificateDer<'static> {
        let authority = Authority::create(unix_now()).unwrap();
        let names = ServingNames { hosts: vec!["localhost".into()], addresses: vec!["127.0.0.1".parse().unwrap()] };
        let serving = authority.issue_serving(&names, unix_now()).unwrap();
        let pem = [authority.certificate_pem(), &serving.certificate_pem, &serving.key_pem];
        for (path, pem) in ["ca.crt", "tls.crt", "tls.key"].iter().zip(pem) {
            std::fs::write(self.0.path().join(path), pem).unwrap();
        }
        authority.certificate().clone()
    }

    async fn serve(&self) -> (Settings, Site) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = TestFolder::new();
        let settings = Settings {
            patience: PATIENCE,
            serving: Some((self.0.path().join("tls.crt"), self.0.path().join("tls.key"))),
            ..settings(folder.path(), listener.local_addr().unwrap(), ClientAuth::Required)
        };
        let tls = Arc::new(prepare(&settings, unix_now()).unwrap());
        (settings, Site::serve(listener, folder, tls, Limits::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_while_somebody_elses_authority_takes_over() {
    let foreign = Foreign(TestFolder::new());
    let old = foreign.provide();
    let (settings, site) = foreign.serve().await;
    let mut caller = Caller::new(&site);
    assert_eq!(caller.known.trusted, [old]);
    let new = foreign.provide();

    let began = Instant::now();
    while caller.known.trusted != [new.clone()] {
        assert!(began.elapsed() < Duration::from_secs(30), "the new authority is never trusted alone");
        // Whichever looks first.
        site.tls.refresh(unix_now()).unwrap();
        caller.call(&site).await;
        renew(&settings, &site.tls, unix_now(), Announced::Everywhere).unwrap();
    }
    assert!(caller.calls > 20 && caller.followed == 2, "{} calls, {} followed", caller.calls, caller.followed);
    assert!(caller.call(&site).await);

    // What names nobody changes nothing.
    std::fs::write(foreign.0.path().join("ca.crt"), "junk").unwrap();
    assert!(renew(&settings, &site.tls, unix_now(), Announced::Everywhere).is_err());
    assert!(caller.call(&site).await);

    // Nobody waits for others to trust the new one when the old one is of no use any more.
    let newest = foreign.provide();
    let late = site.tls.validity().until + 1;
    renew(&settings, &site.tls, late, Announced::Everywhere).unwrap();
    let read = read(&site);
    assert_eq!(read.trusted, [new, newest.clone()]);
    let known = Known { trusted: vec![newest], pair: read.pair };
    assert_eq!(call(&site, &known).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_written_is_written_at_the_next_look() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = TestFolder::new();
    let settings = settings(folder.path(), listener.local_addr().unwrap(), ClientAuth::Required);
    let tls = Arc::new(prepare(&settings, unix_now()).unwrap());
    let site = Site::serve(listener, folder, Arc::clone(&tls), Limits::default());
    let kubeconfig = site.folder.path().join("authorizer.kubeconfig");
    let configuration = site.file("authorization-config.yaml");
    // The client certificate is to be renewed, and something stands in the way of the kubeconfig.
    std::fs::remove_file(site.folder.path().join("tls/client.crt")).unwrap();
    std::fs::remove_file(&kubeconfig).unwrap();
    std::fs::create_dir(&kubeconfig).unwrap();
    let look = || renew(&settings, &tls, unix_now(), Announced::Everywhere);
    assert!(look().is_err() && look().is_err());
    std::fs::remove_dir(&kubeconfig).unwrap();
    look().unwrap();
    assert_ne!(site.file("authorization-config.yaml"), configuration);
    assert_eq!(call(&site, &read(&site)).await, 200);
    // Otherwise the files are people's to edit.
    std::fs::write(&kubeconfig, "edited").unwrap();
    look().unwrap();
    assert_eq!(site.file("authorizer.kubeconfig"), "edited");
    // What they wrote into the configuration stays when it is told of another kubeconfig.
    let path = site.folder.path().join("authorization-config.yaml");
    let configuration = site.file("authorization-config.yaml");
    let edited = configuration.replace("timeout: 3s", "timeout: 2s");
    std::fs::write(&path, &edited).unwrap();
    std::fs::remove_file(site.folder.path().join("tls/client.crt")).unwrap();
    look().unwrap();
    let renewed = site.file("authorization-config.yaml");
    let changed: Vec<&str> = edited.lines().zip(renewed.lines()).filter(|(a, b)| a != b).map(|(_, b)| b).collect();
    assert!(matches!(changed[..], [ttl, mark] if ttl.contains("TTL: 5.0") && mark.starts_with("# kubeconfig ")));
    assert_eq!(call(&site, &read(&site)).await, 200);
    // Where nobody can tell which kubeconfig it was written with, the certificate in that tells whether it is to be renewed.
    for unmarked in
        [renewed.lines().filter(|line| !line.starts_with("# ")).collect::<Vec<_>>().join("\n").as_bytes(), b"\xff"]
    {
        std::fs::write(&path, unmarked).unwrap();
        look().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), unmarked);
        std::fs::remove_file(site.folder.path().join("tls/client.crt")).unwrap();
        std::fs::remove_file(&kubeconfig).unwrap();
        std::fs::create_dir(&kubeconfig).unwrap();
        assert!(look().is_err());
        std::fs::remove_dir(&kubeconfig).unwrap();
        std::fs::write(&kubeconfig, "with the certificate of before").unwrap();
        look().unwrap();
        assert_eq!(call(&site, &read(&site)).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_authority_is_replaced_beside_a_serving_certificate_of_somebody_else() {
    let foreign = Foreign(TestFolder::new());
    foreign.provide();
    let (settings, site) = foreign.serve().await;
    let mut caller = Caller::new(&site);
    let first = site.file("tls/client.crt");
    std::fs::write(site.folder.path().join("tls/rotate"), "").unwrap();

    let began = Instant::now();
    let mut steady = false;
    while !steady {
        assert!(began.elapsed() < Duration::from_secs(30), "the succession does not end");
        renew(&settings, &site.tls, unix_now(), Announced::Everywhere).unwrap();
        steady = caller.call(&site).await && is_steady(&site);
    }
    assert_ne!(caller.known.pair.certificate_pem, first);
    assert_ne!(site.file("tls/client.crt"), first);
}
