//! A listener of our own for one test, and those who may call it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kube_iam::name::{Mode, Revision};
use kube_iam::server::authority::{Authority, Pair};
use kube_iam::server::state_folder::{PATIENCE, Settings, prepare};
use kube_iam::server::{Admit, Authorize, ClientAuth, Lifecycle, Limits, Reply, Tls, serve_https, unix_now};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::folder::TestFolder;

/// Everything that waits, waits no longer than this.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub struct Site {
    pub folder: TestFolder,
    pub address: SocketAddr,
    pub tls: Arc<Tls>,
    pub lifecycle: watch::Sender<Lifecycle>,
    pub server: JoinHandle<()>,
}

/// Answers with what it was asked, and does as the body says.
struct Echo;

impl Authorize for Echo {
    fn authorize(&self, api_server: &str, body: &[u8]) -> Reply {
        match body {
            b"panic" | b"panic twice" => panic!("as the test says"),
            b"not ready" => Reply::unavailable("no snapshot yet", None),
            b"malformed" => Reply::malformed("no review", Some(Revision(7))),
            _ => Reply::ok(format!("{api_server}:{}", body.len()).into_bytes(), Revision(7)),
        }
    }

    fn authorize_panicked(&self, body: &[u8]) -> Reply {
        assert_ne!(body, b"panic twice");
        Reply::ok(b"panicked".to_vec(), Revision(7))
    }
}

impl Admit for Echo {
    async fn admit(&self, body: &[u8]) -> Reply {
        // A judgement may wait.
        tokio::task::yield_now().await;
        match body {
            b"panic" | b"panic twice" => panic!("as the test says"),
            b"malformed" => Reply::malformed("no review", None),
            _ => Reply::ok(format!("admit-iam:{}", body.len()).into_bytes(), Revision(7)),
        }
    }

    fn admit_panicked(&self, body: &[u8]) -> Reply {
        self.authorize_panicked(body)
    }
}

impl Site {
    pub async fn start() -> Self {
        Self::with(Limits::default(), ClientAuth::Required).await
    }

    pub async fn with(limits: Limits, client_auth: ClientAuth) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let folder = TestFolder::new();
        let tls = Arc::new(prepare(&settings(folder.path(), address, client_auth), unix_now()).unwrap());
        Self::serve(listener, folder, tls, limits)
    }

    pub fn serve(listener: TcpListener, folder: TestFolder, tls: Arc<Tls>, limits: Limits) -> Self {
        let address = listener.local_addr().unwrap();
        let (lifecycle, states) = watch::channel(Lifecycle::Serving);
        let server = tokio::spawn(serve_https(listener, Arc::clone(&tls), Echo, Echo, limits, states));
        Self { folder, address, tls, lifecycle, server }
    }

    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// What an API server would present.
    pub fn client_pair(&self) -> Pair {
        Pair { certificate_pem: self.file("tls/client.crt"), key_pem: self.file("tls/client.key") }
    }
}

pub fn settings(root: &Path, address: SocketAddr, client_auth: ClientAuth) -> Settings {
    Settings {
        root: root.to_owned(),
        address,
        mode: Mode::Coexist,
        serving: None,
        client_ca: None,
        client_auth,
        patience: PATIENCE,
    }
}

/// A client certificate of an authority that nobody here knows.
pub fn foreign_pair() -> Pair {
    Authority::create(unix_now()).unwrap().issue_client(unix_now()).unwrap()
}
