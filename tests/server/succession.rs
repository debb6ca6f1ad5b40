//! Another certificate authority takes over while an API server calls without pause (`guarantees.md` R21).

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube_iam::server::authority::Pair;
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
    let mut known = read(&site);
    let mut configuration = site.file("authorization-config.yaml");
    let mut changed: Option<Instant> = None;
    let (mut calls, mut followed) = (0, 0);
    std::fs::write(site.folder.path().join("tls/rotate"), "").unwrap();

    let began = Instant::now();
    let mut steady = false;
    while !steady || changed.is_some() {
        assert!(began.elapsed() < Duration::from_secs(30), "the succession does not end");
        renew(&settings, &tls, unix_now(), Announced::Everywhere).unwrap();
        assert_eq!(call(&site, &known).await, 200);
        calls += 1;
        if changed.is_none() && site.file("authorization-config.yaml") != configuration {
            changed = Some(Instant::now());
        }
        if changed.is_some_and(|at| at.elapsed() > LATE) {
            configuration = site.file("authorization-config.yaml");
            known = read(&site);
            changed = None;
            followed += 1;
        }
        let files = ["tls/next-ca.crt", "tls/previous-ca.crt", "tls/rotate"];
        steady = files.iter().all(|name| !site.folder.path().join(name).exists());
    }
    assert_ne!(site.file("tls/ca.crt"), first);
    assert_eq!(tls.trusted(), site.file("tls/ca.crt"));
    assert!(calls > 20 && followed == 3, "{calls} calls, {followed} changes followed");
    assert_eq!(known.trusted.len(), 1);
    assert_eq!(call(&site, &known).await, 200);
}
