//! The state folder of `serve`: our own certificates, and the files that put us in front of a kube-apiserver
//! (`interface.md` §3).
//!
//! ```text
//! tls/ca.crt tls/ca.key           our authority, kept for ten years; beside it another one while that takes over
//! tls/tls.crt tls/tls.key         the serving certificate, a day old at most
//! tls/client.crt tls/client.key   what kube-apiservers present, for a year
//! tls/client.pem                  both in one file, so that nobody reads one of them alone
//! authorizer.kubeconfig           for connectionInfo.kubeConfigFile
//! admission.kubeconfig            for admission-config.yaml
//! admission-config.yaml           for --admission-control-config-file
//! authorization-config.yaml       for --authorization-config; written last
//! replica-id                      which replica this is, from restart to restart
//! ```
//!
//! Guarantees: every file has mode 0600 and is whole at any moment, whoever else writes (a lock, and renames). A file
//! whose content would stay the same is not touched. What has been damaged is an error that names the file.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use siphasher::sip::SipHasher13;

use super::api_server_files::{
    ClientIdentity, admission_configuration, admission_kubeconfig, authorization_configuration, authorizer_kubeconfig,
    base64, marked_ttl, reachable,
};
use super::authority::{Authority, AuthorityError, Pair, ServingNames};
use super::private_file;
use super::provided::{Provided, trusted_for};
pub use super::succession::PATIENCE;
use super::succession::{self, Announced, Authorities, ended_line};
use super::tls::{CertificateError, ClientAuth, ClientSource, ServingSource, Sources, Tls};
use super::validity::Validity;
use crate::name::Mode;

/// The file for `connectionInfo.kubeConfigFile`, in the folder.
pub const AUTHORIZER_KUBECONFIG: &str = "authorizer.kubeconfig";
const AUTHORIZATION_CONFIGURATION: &str = "authorization-config.yaml";
/// Before what tells the kubeconfig from another, in the configuration.
const KUBECONFIG_MARK: &str = "# kubeconfig ";
/// The certificate of our own authority, in the folder.
pub const AUTHORITY_CERTIFICATE: &str = "tls/ca.crt";

/// The name of our Service in a cluster: always a name of the serving certificate.
const SERVICE_HOST: &str = "kube-iam.kube-iam-system.svc";

/// What the folder is filled for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder.
    pub root: PathBuf,
    /// Where the webhooks listen, with the port that was taken.
    pub address: SocketAddr,
    /// The mode.
    pub mode: Mode,
    /// Serving certificate and key that somebody else provides.
    pub serving: Option<(PathBuf, PathBuf)>,
    /// Client authorities that somebody else provides.
    pub client_ca: Option<PathBuf>,
    /// Whether every connection must show a client certificate.
    pub client_auth: ClientAuth,
    /// How long each step of a succession of authorities lasts at least; [`PATIENCE`].
    pub patience: Duration,
}

/// The certificates that an API server must trust to meet a process that serves from this folder, PEM. `certificate` is
/// one that somebody else provides.
///
/// # Errors
/// When they cannot be read: nothing has served from this folder yet.
pub fn trusted(root: &Path, certificate: Option<&Path>) -> Result<String, StateFolderError> {
    match certificate {
        Some(certificate) => trusted_for(certificate).map_err(StateFolderError::Tls),
        None => succession::trusted_pem(&root.join("tls")),
    }
}

/// Issues serving certificates and leaves them in the folder.
pub struct SelfIssued {
    authority: Authority,
    names: ServingNames,
    folder: PathBuf,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFolderError {
    /// The folder cannot be made, or locked.
    #[error("cannot use the state folder `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// Our authority's certificate is there and its key is not.
    #[error("`{}` is missing: restore it, or remove the folder `tls` beside it to start a new authority", path.display())]
    NoAuthorityKey {
        /// The missing file.
        path: PathBuf,
    },
    /// A certificate and key of ours cannot be used.
    #[error("`{}` and the key beside it cannot be used: restore them, or remove both to have new ones made", path.display())]
    Damaged {
        /// The certificate.
        path: PathBuf,
        /// What is wrong.
        source: AuthorityError,
    },
    /// A certificate cannot be issued.
    #[error("cannot make certificates for `{}`", path.display())]
    Issue {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        source: AuthorityError,
    },
    /// The certificates cannot be used.
    #[error("cannot use the certificates for HTTPS")]
    Tls(#[source] CertificateError),
}

/// Fills the folder and returns the certificates to serve with.
///
/// Flow: our authority is read, or made when there is none; it issues a new serving certificate, and a new client
/// certificate when less than a third of the old one's time is left; the certificates are tried; then the files for the
/// API server are written, `authorization-config.yaml` last.
///
/// # Errors
/// When a file cannot be read or written, when one has been damaged, or when certificates that somebody else provides
/// cannot be used. `authorization-config.yaml` has not been touched then.
pub fn prepare(settings: &Settings, now: i64) -> Result<Tls, StateFolderError> {
    let held = Held::new(settings)?;
    let folder = held.folder(settings, now);
    let prepared = folder.prepare(None)?;
    let tls = Tls::start(prepared.sources.clone(), settings.client_auth, now).map_err(StateFolderError::Tls)?;
    folder.write_api_server_files(&prepared, Edits::Replaced)?;
    Ok(tls)
}

/// Takes the step of a succession of authorities that is due, if one is, and puts what follows from it in use: new
/// connections meet it, and the files for the API server name it. The same where somebody else provides certificates that
/// name another authority. `announced` says whether everybody who was told whom to trust has been seen to know.
///
/// # Errors
/// As [`prepare`]; the certificates in use stay.
pub fn renew(settings: &Settings, tls: &Tls, now: i64, announced: Announced) -> Result<(), StateFolderError> {
    let held = Held::new(settings)?;
    let folder = held.folder(settings, now);
    if settings.serving.is_none() || settings.client_ca.is_none() {
        succession::advance(&held.tls, now, settings.patience, announced)?;
    }
    let is_due = folder.client_is_due()?;
    let prepared = folder.prepare(Some(tls))?;
    // Also what an earlier look could not put in use is done now. Files are left alone otherwise: people edit them.
    let sources = &prepared.sources;
    let is_in_use = tls.trusted() == sources.trusted
        && tls.accepts(&sources.clients)
        && match &sources.serving {
            ServingSource::Files { authority, .. } => tls.authority() == *authority,
            ServingSource::SelfIssued(_) => true,
        };
    if is_in_use && folder.are_written(&prepared).unwrap_or(!is_due) {
        return Ok(());
    }
    folder.write_api_server_files(&prepared, Edits::Kept)?;
    tls.adopt(prepared.sources, now).map_err(StateFolderError::Tls)
}

/// The identity of the replica that this folder belongs to: 16 hexadecimal digits, made once and kept.
///
/// # Errors
/// When the file cannot be read or written, or no random number can be had.
pub fn replica_id(root: &Path) -> Result<String, StateFolderError> {
    let path = root.join("replica-id");
    if let Some(kept) = read(&path)? {
        return Ok(kept.trim().to_owned());
    }
    let mut random = [0; 8];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut random).map_err(|_| {
        StateFolderError::Write { path: path.clone(), source: io::Error::other("no random number can be had") }
    })?;
    let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    write(&path, &id)?;
    Ok(id)
}

/// The folder, under its lock.
struct Held {
    root: PathBuf,
    tls: PathBuf,
    /// Held until the last write is done.
    _lock: File,
}

/// What becomes of what people wrote into the configuration for the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edits {
    Kept,
    Replaced,
}

/// What to serve with, and what an API server must know.
struct Prepared {
    sources: Sources,
    client_pair: Option<Pair>,
    hosts: Vec<String>,
}

/// One filling of the folder, under its lock.
struct Folder<'a> {
    root: &'a Path,
    tls: &'a Path,
    settings: &'a Settings,
    now: i64,
}

// === impl Held ===

impl Held {
    fn new(settings: &Settings) -> Result<Self, StateFolderError> {
        let folder_error = |source| StateFolderError::Folder { path: settings.root.clone(), source };
        let root = std::path::absolute(&settings.root).map_err(folder_error)?;
        let tls = root.join("tls");
        private_file::create_folder(&tls).map_err(folder_error)?;
        let lock = private_file::lock(&root).map_err(folder_error)?;
        private_file::remove_leftovers(&root);
        private_file::remove_leftovers(&tls);
        Ok(Self { root, tls, _lock: lock })
    }

    fn folder<'a>(&'a self, settings: &'a Settings, now: i64) -> Folder<'a> {
        Folder { root: &self.root, tls: &self.tls, settings, now }
    }
}

// === impl Folder ===

impl Folder<'_> {
    fn prepare(&self, in_use: Option<&Tls>) -> Result<Prepared, StateFolderError> {
        let names = self.names();
        let hosts = admission_hosts(&names, self.settings.address);
        let own_clients = self.settings.client_ca.is_none();
        let authorities = match self.settings.serving {
            Some(_) if !own_clients => None,
            _ => Some(Authorities::load(self.tls, self.now)?),
        };
        let client_pair = match &authorities {
            Some(authorities) if own_clients => Some(self.client_pair(&authorities.issuing)?),
            _ => None,
        };
        let clients = match (&self.settings.client_ca, &authorities) {
            (Some(path), _) => ClientSource::File(absolute(path)),
            (None, Some(authorities)) => ClientSource::SelfIssued(authorities.certificates()),
            (None, None) => return Err(StateFolderError::NoAuthorityKey { path: self.tls.join("ca.key") }),
        };
        let (serving, trusted) = match (&self.settings.serving, authorities) {
            (Some((certificate, key)), _) => {
                let files = (absolute(certificate), absolute(key));
                let provided = Provided::look(files, in_use, self.settings.patience, self.now);
                let Provided { serving, trusted } = provided.map_err(StateFolderError::Tls)?;
                (serving, trusted)
            }
            (None, Some(authorities)) => {
                let trusted = authorities.trusted_pem();
                let issuing = SelfIssued { authority: authorities.issuing, names, folder: self.tls.to_owned() };
                (ServingSource::SelfIssued(Arc::new(issuing)), trusted)
            }
            (None, None) => return Err(StateFolderError::NoAuthorityKey { path: self.tls.join("ca.key") }),
        };
        Ok(Prepared { sources: Sources { serving, clients, trusted }, client_pair, hosts })
    }

    /// Whether the client certificate that we issued needs to be renewed.
    fn client_is_due(&self) -> Result<bool, StateFolderError> {
        if self.settings.client_ca.is_some() {
            return Ok(false);
        }
        let Some(certificate) = read(&self.tls.join("client.crt"))? else { return Ok(true) };
        let validity =
            CertificateDer::from_pem_slice(certificate.as_bytes()).ok().and_then(|der| Validity::of(&der).ok());
        Ok(validity.is_none_or(|validity| validity.less_than_one_part_left(3, self.now)))
    }

    fn names(&self) -> ServingNames {
        let hosts = vec!["localhost".to_owned(), SERVICE_HOST.to_owned()];
        let mut addresses = vec![std::net::Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()];
        let listen = reachable(self.settings.address).ip();
        if !addresses.contains(&listen) {
            addresses.push(listen);
        }
        ServingNames { hosts, addresses }
    }

    fn client_pair(&self, authority: &Authority) -> Result<Pair, StateFolderError> {
        let (certificate_path, key_path) = (self.tls.join("client.crt"), self.tls.join("client.key"));
        if let (Some(certificate_pem), Some(key_pem)) = (read(&certificate_path)?, read(&key_path)?) {
            let pair = Pair { certificate_pem, key_pem };
            let (certificate, validity) =
                pair.check().map_err(|source| StateFolderError::Damaged { path: certificate_path.clone(), source })?;
            let due = validity.less_than_one_part_left(3, self.now);
            if !due && accepted(authority, &certificate, self.now) {
                return Ok(pair);
            }
        }
        let pair = authority
            .issue_client(self.now)
            .map_err(|source| StateFolderError::Issue { path: self.root.to_owned(), source })?;
        write(&key_path, &pair.key_pem)?;
        write(&certificate_path, &pair.certificate_pem)?;
        Ok(pair)
    }

    fn authorizer_kubeconfig(&self, prepared: &Prepared) -> String {
        let (certificate, key) = (self.tls.join("client.crt"), self.tls.join("client.key"));
        // Without a pair the client authority is somebody else's: so is the certificate, to be put into these files.
        let identity = match &prepared.client_pair {
            Some(pair) => ClientIdentity::Embedded { certificate_pem: &pair.certificate_pem, key_pem: &pair.key_pem },
            None => ClientIdentity::Files { certificate: &certificate, key: &key },
        };
        authorizer_kubeconfig(self.settings.address, &prepared.sources.trusted, &identity)
    }

    /// Whether the files for the API server were written to the last, as the configuration says of the kubeconfig. Where
    /// nobody can read that, or somebody took it out, the kubeconfig has our client certificate or it is not known: `None`.
    fn are_written(&self, prepared: &Prepared) -> Option<bool> {
        match self.written() {
            Some((_, written)) => Some(written == fingerprint(&self.authorizer_kubeconfig(prepared))),
            None => {
                let pair = prepared.client_pair.as_ref()?;
                let kubeconfig = std::fs::read_to_string(self.root.join(AUTHORIZER_KUBECONFIG)).ok()?;
                (!kubeconfig.contains(&base64(&pair.certificate_pem))).then_some(false)
            }
        }
    }

    /// The configuration for the API server as it is, and which kubeconfig it was written with.
    fn written(&self) -> Option<(String, u64)> {
        // It may be somebody else's file by now: who may read it is theirs to say.
        let configuration = std::fs::read_to_string(self.root.join(AUTHORIZATION_CONFIGURATION)).ok()?;
        let mark = configuration.lines().find_map(|line| line.strip_prefix(KUBECONFIG_MARK))?;
        let content = u64::from_str_radix(mark.trim(), 16).ok()?;
        Some((configuration, content))
    }

    fn write_api_server_files(&self, prepared: &Prepared, edits: Edits) -> Result<(), StateFolderError> {
        let authorizer = self.root.join(AUTHORIZER_KUBECONFIG);
        let admission = self.root.join("admission.kubeconfig");
        let kubeconfig = self.authorizer_kubeconfig(prepared);
        write(&authorizer, &kubeconfig)?;
        // An API server reads this kubeconfig at its start and never again, but files that it names with each connection.
        let [both, certificate, key] = ["client.pem", "client.crt", "client.key"].map(|name| self.tls.join(name));
        let identity = match &prepared.client_pair {
            Some(Pair { certificate_pem, key_pem }) => {
                write(&both, &format!("{}{key_pem}", ended_line(certificate_pem)))?;
                ClientIdentity::Files { certificate: &both, key: &both }
            }
            None => ClientIdentity::Files { certificate: &certificate, key: &key },
        };
        write(&admission, &admission_kubeconfig(&prepared.hosts, &identity))?;
        write(&self.root.join("admission-config.yaml"), &admission_configuration(&admission))?;
        // An API server follows the configuration, not the kubeconfig.
        let content = fingerprint(&kubeconfig);
        let marked = |content: u64| [marked_ttl(Some(content)), format!("{KUBECONFIG_MARK}{content:016x}")];
        let kept = self.written().filter(|_| edits == Edits::Kept).and_then(|(configuration, before)| {
            let mut lines = marked(before).into_iter().zip(marked(content));
            lines.try_fold(configuration, |text, (old, new)| {
                (text.matches(&old).count() == 1).then(|| text.replace(&old, &new))
            })
        });
        let configuration = kept.unwrap_or_else(|| {
            let [_, mark] = marked(content);
            format!("{}{mark}\n", authorization_configuration(self.settings.mode, &authorizer, Some(content)))
        });
        write(&self.root.join(AUTHORIZATION_CONFIGURATION), &configuration)
    }
}

// === impl SelfIssued ===

impl SelfIssued {
    /// A new serving certificate. It is left in the folder too; when that fails, it serves all the same.
    ///
    /// # Errors
    /// When a name is no host name, or the cryptographic library fails.
    pub(super) fn issue(&self, now: i64) -> Result<Pair, AuthorityError> {
        let pair = self.authority.issue_serving(&self.names, now)?;
        let written = write(&self.folder.join("tls.key"), &pair.key_pem)
            .and_then(|()| write(&self.folder.join("tls.crt"), &pair.certificate_pem));
        if let Err(error) = written {
            tracing::warn!(%error, "the new serving certificate is in use, but not in the state folder");
        }
        Ok(pair)
    }
}

/// The names under which admission webhooks may be registered, as kube-apiserver looks a user up.
fn admission_hosts(names: &ServingNames, address: SocketAddr) -> Vec<String> {
    let mut hosts = vec![reachable(address).to_string()];
    for host in &names.hosts {
        hosts.push(format!("{host}:{}", address.port()));
        if host.ends_with(".svc") {
            hosts.push(host.clone());
        }
    }
    hosts.dedup();
    hosts
}

/// Whether our listener would take this client certificate.
fn accepted(authority: &Authority, certificate: &CertificateDer<'_>, now: i64) -> bool {
    let mut roots = RootCertStore::empty();
    if roots.add(authority.certificate().clone()).is_err() {
        return false;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let Ok(verifier) = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build() else {
        return false;
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.max(0).unsigned_abs()));
    verifier.verify_client_cert(certificate, &[], now).is_ok()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What tells two texts apart; it gives nothing of them away.
fn fingerprint(text: &str) -> u64 {
    SipHasher13::new().hash(text.as_bytes())
}

pub(super) fn read(path: &Path) -> Result<Option<String>, StateFolderError> {
    private_file::read(path).map_err(|source| StateFolderError::Read { path: path.to_owned(), source })
}

/// Writes a file unless it holds this content already.
pub(super) fn write(path: &Path, content: &str) -> Result<(), StateFolderError> {
    if private_file::read(path).is_ok_and(|found| found.as_deref() == Some(content)) {
        return Ok(());
    }
    private_file::replace(path, content.as_bytes())
        .map_err(|source| StateFolderError::Write { path: path.to_owned(), source })
}
