//! A control plane: etcd, kube-apiserver and, where asked for, kube-controller-manager.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::build::Programs;
use super::certificates::{Authority, TokenKeys};
use super::component::Component;
use super::deadline::holds_within;
use super::folder::Folder;
use super::http;
use super::kubeconfig::Kubeconfig;
use super::kubectl::{Kubectl, Output};
use super::port::free_port;
use super::process::Program;

/// The controllers that work without nodes.
const CONTROLLERS: [&str; 8] = [
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "deployment-controller",
    "replicaset-controller",
    "clusterrole-aggregation-controller",
];
const FIRST_OBJECTS: Duration = Duration::from_secs(30);

/// What a cluster is made of. The default: Node and RBAC as authorizers, no kube-controller-manager.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// An AuthorizationConfiguration file, read by kube-apiserver where it lies.
    pub authorization_config: Option<PathBuf>,
    /// Further flags of kube-apiserver, each as `--name=value`.
    pub api_server_flags: Vec<String>,
    /// Feature gates of kube-apiserver and kube-controller-manager, each as `Name=true`.
    pub feature_gates: Vec<String>,
    pub controllers: Controllers,
}

/// Whether there is a kube-controller-manager. Without one a namespace is never deleted, and has no ServiceAccounts
/// but those that a test makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Controllers {
    #[default]
    Absent,
    Running,
}

/// A running control plane with data, ports and certificates of its own, all gone when it is dropped.
///
/// Assumptions: tests on a shared cluster (see [`super::shared`]) keep to namespaces and names of their own.
pub struct Cluster {
    // Dropped first to last: the API server before what it stands on, the folder when all have ended.
    controller_manager: Option<Component>,
    api_server: Component,
    etcd: Component,
    people: People,
    kubectl: Arc<Kubectl>,
    folder: Folder,
}

/// Makes kubeconfigs for one API server.
struct People {
    authority: Authority,
    server: String,
    ca_file: PathBuf,
    admin: Kubeconfig,
    count: AtomicU32,
}

/// The files that the servers are told.
struct Files {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    token_key: PathBuf,
    token_public_key: PathBuf,
}

// === impl Cluster ===

impl Cluster {
    /// A cluster that answers, or a failed test.
    #[track_caller]
    pub fn start(options: &Options) -> Self {
        match Self::try_start(options) {
            Ok(cluster) => cluster,
            Err(message) => panic!("{message}"),
        }
    }

    /// Starts a cluster. When this returns, `/readyz` is ok and the namespace `default` exists; with a
    /// kube-controller-manager its ServiceAccount too.
    ///
    /// # Errors
    /// When the programs cannot be built, or one of them does not become ready; the message carries the end of its log.
    pub fn try_start(options: &Options) -> Result<Self, String> {
        let folder = Folder::new("cluster")?;
        let authority = Authority::new()?;
        let serving = authority.server()?;
        let token_keys = TokenKeys::new()?;
        let files = Files {
            ca: folder.write("ca.crt", authority.certificate_pem())?,
            certificate: folder.write("server.crt", &serving.certificate_pem)?,
            key: folder.write("server.key", &serving.key_pem)?,
            token_key: folder.write("service-account.key", &token_keys.private_pem)?,
            token_public_key: folder.write("service-account.pub", &token_keys.public_pem)?,
        };
        let kubectl = Arc::new(Kubectl::new(&folder)?);
        let api_server_port = free_port()?;
        let server = format!("https://127.0.0.1:{api_server_port}");
        let people = People::new(&folder, authority, server, files.ca.clone())?;
        let probe = Probe { kubectl: Arc::clone(&kubectl), admin: people.admin.clone() };

        let (etcd, etcd_url) = etcd(&folder)?;
        let api_server = api_server(&folder, &files, api_server_port, &etcd_url, options, probe.clone())?;
        let controller_manager = match options.controllers {
            Controllers::Absent => None,
            Controllers::Running => Some(controller_manager(&folder, &files, options, probe)?),
        };
        let cluster = Self { controller_manager, api_server, etcd, people, kubectl, folder };

        cluster.etcd.try_start()?;
        cluster.api_server.try_start()?;
        cluster.wait_for_object(&["get", "namespace", "default"])?;
        if let Some(controller_manager) = &cluster.controller_manager {
            controller_manager.try_start()?;
            cluster.wait_for_object(&["get", "serviceaccount", "default", "--namespace", "default"])?;
        }
        Ok(cluster)
    }

    /// The break-glass admin: `system:masters`, for whom no authorizer is asked.
    pub fn admin(&self) -> &Kubeconfig {
        &self.people.admin
    }

    /// A person with a client certificate, to whom nothing is granted yet.
    #[track_caller]
    pub fn client_certificate(&self, user: &str, groups: &[&str]) -> Kubeconfig {
        match self.people.with_certificate(&self.folder, user, groups) {
            Ok(kubeconfig) => kubeconfig,
            Err(message) => panic!("{message}"),
        }
    }

    /// Somebody with a fresh token of a ServiceAccount, which must exist.
    #[track_caller]
    pub fn service_account_token(&self, namespace: &str, name: &str) -> Kubeconfig {
        let token = self.kubectl(self.admin(), ["create", "token", name, "--namespace", namespace]).succeeded();
        match self.people.with(&self.folder, json!({"token": token.trim()})) {
            Ok(kubeconfig) => kubeconfig,
            Err(message) => panic!("{message}"),
        }
    }

    /// Runs kubectl as somebody. A request times out after 30 s unless the arguments say otherwise; a call that runs
    /// longer than 90 s fails the test.
    #[track_caller]
    pub fn kubectl<A: Into<OsString>>(&self, who: &Kubeconfig, arguments: impl IntoIterator<Item = A>) -> Output {
        self.kubectl_with_input(who, arguments, "")
    }

    /// [`Self::kubectl`] with something on its standard input, for `apply -f -`.
    #[track_caller]
    pub fn kubectl_with_input<A: Into<OsString>>(
        &self,
        who: &Kubeconfig,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Output {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        match self.kubectl.run(who, &arguments, input) {
            Ok(output) => output,
            Err(message) => panic!("{message}"),
        }
    }

    /// `https://127.0.0.1:PORT` of the API server, the same after a restart.
    pub fn server(&self) -> &str {
        &self.people.server
    }

    /// The authority behind every certificate of the cluster, a PEM file.
    pub fn ca_file(&self) -> &Path {
        &self.people.ca_file
    }

    /// Logs, data and certificates; `<component>.log` is what a component wrote.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn etcd(&self) -> &Component {
        &self.etcd
    }

    pub fn api_server(&self) -> &Component {
        &self.api_server
    }

    /// Fails the test in a cluster that was started without one.
    #[track_caller]
    pub fn controller_manager(&self) -> &Component {
        self.controller_manager.as_ref().expect("the cluster has no kube-controller-manager")
    }

    fn wait_for_object(&self, get: &[&str]) -> Result<(), String> {
        let arguments: Vec<OsString> = get.iter().map(Into::into).collect();
        let found = || self.kubectl.run(self.admin(), &arguments, "").is_ok_and(|output| output.status.success());
        if holds_within(FIRST_OBJECTS, found) {
            Ok(())
        } else {
            Err(format!("kubectl {get:?} finds nothing after {FIRST_OBJECTS:?}{}", self.api_server.log_tails()))
        }
    }
}

// === impl People ===

impl People {
    fn new(folder: &Folder, authority: Authority, server: String, ca_file: PathBuf) -> Result<Self, String> {
        let count = AtomicU32::new(0);
        let user = certificate_user(folder, &authority, "admin", "admin", &["system:masters"])?;
        let admin = Kubeconfig::write(folder, "admin", &server, &ca_file, user)?;
        Ok(Self { authority, server, ca_file, admin, count })
    }

    fn with_certificate(&self, folder: &Folder, user: &str, groups: &[&str]) -> Result<Kubeconfig, String> {
        let file = format!("client-{}", self.count.fetch_add(1, Ordering::Relaxed));
        self.with(folder, certificate_user(folder, &self.authority, &file, user, groups)?)
    }

    fn with(&self, folder: &Folder, user: Value) -> Result<Kubeconfig, String> {
        let file = format!("person-{}", self.count.fetch_add(1, Ordering::Relaxed));
        Kubeconfig::write(folder, &file, &self.server, &self.ca_file, user)
    }
}

fn certificate_user(
    folder: &Folder,
    authority: &Authority,
    file: &str,
    user: &str,
    groups: &[&str],
) -> Result<Value, String> {
    let identity = authority.client(user, groups)?;
    let certificate = folder.write(&format!("{file}.crt"), &identity.certificate_pem)?;
    let key = folder.write(&format!("{file}.key"), &identity.key_pem)?;
    Ok(json!({"client-certificate": certificate, "client-key": key}))
}

// === the components ===

/// Asks a server for its health with the admin's kubectl.
#[derive(Clone)]
struct Probe {
    kubectl: Arc<Kubectl>,
    admin: Kubeconfig,
}

impl Probe {
    fn is_ok(&self, port: u16, path: &str) -> bool {
        // Cheaper than a kubectl for nothing.
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            return false;
        }
        let server = format!("https://127.0.0.1:{port}");
        let arguments = ["get", "--raw", path, "--server", &server, "--request-timeout", "5s"].map(OsString::from);
        self.kubectl.run(&self.admin, &arguments, "").is_ok_and(|output| output.status.success())
    }
}

fn program(name: &str, folder: &Folder, arguments: Vec<String>) -> Result<Program, String> {
    Ok(Program {
        name: name.to_owned(),
        file: Programs::get()?.path(name),
        arguments,
        environment: Vec::new(),
        logs: folder.path().to_owned(),
    })
}

fn etcd(folder: &Folder) -> Result<(Component, String), String> {
    let clients = format!("http://127.0.0.1:{}", free_port()?);
    let peers = format!("http://127.0.0.1:{}", free_port()?);
    let arguments = vec![
        "--name=test".to_owned(),
        format!("--data-dir={}", folder.path().join("etcd").display()),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=test={peers}"),
        "--unsafe-no-fsync".to_owned(),
        "--logger=zap".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    let health = format!("{clients}/health");
    let ready = move || http::get(&health).is_some_and(|answer| answer.status == 200 && answer.body.contains("true"));
    Ok((Component::new(program("etcd", folder, arguments)?, ready), clients))
}

fn api_server(
    folder: &Folder,
    files: &Files,
    port: u16,
    etcd_url: &str,
    options: &Options,
    probe: Probe,
) -> Result<Component, String> {
    let mut arguments = vec![
        format!("--etcd-servers={etcd_url}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        // It refuses to advertise a loopback address as an endpoint.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--tls-cert-file={}", files.certificate.display()),
        format!("--tls-private-key-file={}", files.key.display()),
        format!("--client-ca-file={}", files.ca.display()),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", files.token_public_key.display()),
        format!("--service-account-signing-key-file={}", files.token_key.display()),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // Without it SIGTERM waits a minute for open watches.
        "--shutdown-watch-termination-grace-period=1s".to_owned(),
    ];
    arguments.push(match &options.authorization_config {
        Some(file) => format!("--authorization-config={}", file.display()),
        None => "--authorization-mode=Node,RBAC".to_owned(),
    });
    arguments.extend(feature_gates(options));
    arguments.extend(options.api_server_flags.iter().cloned());
    let ready = move || probe.is_ok(port, "/readyz");
    Ok(Component::new(program("kube-apiserver", folder, arguments)?, ready))
}

fn controller_manager(folder: &Folder, files: &Files, options: &Options, probe: Probe) -> Result<Component, String> {
    let port = free_port()?;
    let kubeconfig = probe.admin.path().display().to_string();
    let mut arguments = vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        format!("--service-account-private-key-file={}", files.token_key.display()),
        format!("--root-ca-file={}", files.ca.display()),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", files.certificate.display()),
        format!("--tls-private-key-file={}", files.key.display()),
        "--leader-elect=false".to_owned(),
        "--use-service-account-credentials=true".to_owned(),
        format!("--controllers={}", CONTROLLERS.join(",")),
    ];
    arguments.extend(feature_gates(options));
    let ready = move || probe.is_ok(port, "/healthz");
    Ok(Component::new(program("kube-controller-manager", folder, arguments)?, ready))
}

fn feature_gates(options: &Options) -> Option<String> {
    (!options.feature_gates.is_empty()).then(|| format!("--feature-gates={}", options.feature_gates.join(",")))
}
