//! Who gets through the handshake (`guarantees.md` F24), and which certificate it meets.

use std::sync::Arc;

use kube_iam::server::authority::{Authority, Pair, ServingNames};
use kube_iam::server::{ClientAuth, ClientSource, Limits, Refreshed, ServingSource, Sources, Tls, unix_now};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::client::{Client, connect_tls, post, tls_config};
use crate::folder::TestFolder;
use crate::site::{DEADLINE, Site, foreign_pair};

/// In TLS 1.3 a client learns with its first read that its certificate was refused.
async fn is_refused(site: &Site, pair: Option<&Pair>) -> bool {
    match Client::with(site, pair).await {
        Err(_) => true,
        Ok(mut client) => client.send(post("/authorize", "")).await.is_err() || client.answer().await.is_err(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_of_the_client_authority_get_through_the_handshake() {
    for client_auth in [ClientAuth::Required, ClientAuth::PerPath] {
        let site = Site::with(Limits::default(), client_auth).await;
        let serving = Pair { certificate_pem: site.file("tls/tls.crt"), key_pem: site.file("tls/tls.key") };
        assert!(!is_refused(&site, Some(&site.client_pair())).await);
        assert!(is_refused(&site, Some(&foreign_pair())).await);
        // A certificate of the right authority that is not for clients.
        assert!(is_refused(&site, Some(&serving)).await);
    }
    let site = Site::start().await;
    assert!(is_refused(&site, None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_client_certificate_is_refused() {
    let site = Site::start().await;
    let authority = Authority::restore(&site.file("tls/ca.key"), &site.file("tls/ca.crt")).unwrap();
    let old = authority.issue_client(unix_now() - 400 * 86_400).unwrap();
    assert!(is_refused(&site, Some(&old)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn plaintext_gets_no_http_answer() {
    let site = Site::start().await;
    let mut tcp = TcpStream::connect(site.address).await.unwrap();
    tcp.write_all(post("/authorize", "").as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let _ = timeout(DEADLINE, tcp.read_to_end(&mut read)).await.unwrap();
    assert!(!read.starts_with(b"HTTP"), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_is_spoken_and_nothing_older_is_resumed() {
    let site = Site::start().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut config = tls_config(&site, Some(&site.client_pair()), &["http/1.1"]);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(site.file("tls/ca.crt").as_bytes()).unwrap()).unwrap();
        let versioned = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::clone(&config.client_auth_cert_resolver));
        config = versioned;
        for _ in 0..2 {
            let mut stream = connect_tls(&site, config.clone()).await.unwrap();
            stream.write_all(post("/authorize", "").as_bytes()).await.unwrap();
            let mut start = [0; 12];
            timeout(DEADLINE, stream.read_exact(&mut start)).await.unwrap().unwrap();
            assert_eq!(&start, b"HTTP/1.1 200");
            let session = stream.get_ref().1;
            assert_eq!(session.protocol_version(), Some(version.version));
            assert_eq!(session.handshake_kind(), Some(rustls::HandshakeKind::Full));
        }
    }
}

fn sources(serving: ServingSource, clients: ClientSource) -> Sources {
    Sources { serving, clients, trusted: String::new() }
}

fn names() -> ServingNames {
    ServingNames { hosts: vec!["localhost".into()], addresses: vec!["127.0.0.1".parse().unwrap()] }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_files_are_in_use_for_the_next_connection_and_bad_ones_never() {
    let folder = TestFolder::new();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let authority = Authority::create(unix_now()).unwrap();
    let client = authority.issue_client(unix_now()).unwrap();
    let (first, second) = (
        authority.issue_serving(&names(), unix_now()).unwrap(),
        authority.issue_serving(&names(), unix_now()).unwrap(),
    );
    std::fs::create_dir(path("tls")).unwrap();
    write("tls/ca.crt", authority.certificate_pem());
    write("tls/client.crt", &client.certificate_pem);
    write("tls/client.key", &client.key_pem);
    write("crt", &first.certificate_pem);
    write("key", &first.key_pem);
    let serving = ServingSource::Files { certificate: path("crt"), key: path("key"), authority: None };
    let clients = ClientSource::File(path("tls/ca.crt"));
    let tls = Arc::new(Tls::start(sources(serving, clients), ClientAuth::Required, unix_now()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = Site::serve(listener, folder, Arc::clone(&tls), Limits::default());

    let met = async || {
        let stream = connect_tls(&site, tls_config(&site, Some(&site.client_pair()), &[])).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let der = |pair: &Pair| CertificateDer::from_pem_slice(pair.certificate_pem.as_bytes()).unwrap();
    let mut kept = Client::connect(&site).await;
    assert_eq!(met().await, der(&first));
    assert_eq!(tls.refresh(unix_now()).unwrap(), Refreshed::Unchanged);

    let file = |name: &str| site.folder.path().join(name);
    // Half a change: the new certificate beside the old key.
    std::fs::write(file("crt"), &second.certificate_pem).unwrap();
    assert!(tls.refresh(unix_now()).unwrap_err().to_string().contains("cannot be used with its key"));
    for damaged in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(file("crt"), damaged).unwrap();
        assert!(tls.refresh(unix_now()).is_err());
    }
    std::fs::remove_file(file("crt")).unwrap();
    assert!(tls.refresh(unix_now()).is_err());
    assert_eq!(met().await, der(&first));

    std::fs::write(file("crt"), &second.certificate_pem).unwrap();
    std::fs::write(file("key"), &second.key_pem).unwrap();
    assert_eq!(tls.refresh(unix_now()).unwrap(), Refreshed::Swapped);
    assert_eq!(met().await, der(&second));
    assert_eq!(kept.post("/authorize", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_authority_can_be_rotated_with_an_overlap() {
    let site = Site::start().await;
    let file = site.folder.path().join("clients.pem");
    let other = Authority::create(unix_now()).unwrap();
    let newcomer = other.issue_client(unix_now()).unwrap();
    std::fs::write(&file, site.file("tls/ca.crt")).unwrap();
    let serving = ServingSource::Files {
        certificate: site.folder.path().join("tls/tls.crt"),
        key: site.folder.path().join("tls/tls.key"),
        authority: None,
    };
    let tls = Tls::start(sources(serving, ClientSource::File(file.clone())), ClientAuth::Required, unix_now()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let Site { folder, .. } = site;
    let site = Site::serve(listener, folder, Arc::new(tls), Limits::default());
    let old = site.client_pair();
    assert!(!is_refused(&site, Some(&old)).await);
    assert!(is_refused(&site, Some(&newcomer)).await);

    std::fs::write(&file, site.file("tls/ca.crt") + other.certificate_pem()).unwrap();
    assert_eq!(site.tls.refresh(unix_now()).unwrap(), Refreshed::Swapped);
    assert!(!is_refused(&site, Some(&old)).await);
    assert!(!is_refused(&site, Some(&newcomer)).await);

    std::fs::write(&file, other.certificate_pem()).unwrap();
    assert_eq!(site.tls.refresh(unix_now()).unwrap(), Refreshed::Swapped);
    assert!(is_refused(&site, Some(&old)).await);
    assert!(!is_refused(&site, Some(&newcomer)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_issued_certificate_is_renewed_at_two_thirds_of_its_life() {
    let site = Site::start().await;
    let before = site.file("tls/tls.crt");
    let until = site.tls.validity().until;
    assert_eq!(site.tls.refresh(until - 30_000).unwrap(), Refreshed::Unchanged);
    assert_eq!(site.tls.refresh(until - 28_000).unwrap(), Refreshed::Swapped);
    assert!(site.tls.validity().until > until);
    assert_ne!(site.file("tls/tls.crt"), before);
}
