//! The certificates in use: read, checked, renewed and swapped while connections go on.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::lifecycle::{Lifecycle, stopped};
use super::provided::trusted_for;
use super::readiness::{Condition, Readiness};
use super::state_folder::SelfIssued;
use super::validity::Validity;
use crate::telemetry::Metrics;

/// Where the serving certificate comes from.
#[derive(Clone)]
pub enum ServingSource {
    /// Issued by our own authority, renewed at two thirds of its life.
    SelfIssued(Arc<SelfIssued>),
    /// PEM files that somebody else renews.
    Files {
        /// The certificate and its chain.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
        /// Whom callers trust to meet what the files held, PEM: while they name others, what they held is served. `None`:
        /// whatever they hold is.
        authority: Option<String>,
    },
}

/// Who may sign client certificates.
#[derive(Clone)]
pub enum ClientSource {
    /// Our own authority, and the one of before or to come.
    SelfIssued(Vec<CertificateDer<'static>>),
    /// The authorities in a PEM file that somebody else renews.
    File(PathBuf),
}

/// Where certificates come from.
#[derive(Clone)]
pub struct Sources {
    /// The serving certificate.
    pub serving: ServingSource,
    /// Who may sign client certificates.
    pub clients: ClientSource,
    /// Whom callers must trust to meet the serving certificate, PEM.
    pub trusted: String,
}

/// Whether every connection must show a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Every connection; refused in the handshake without one.
    Required,
    /// A connection may show none: it is refused per path, `/authorize` with 403. A wrong one is refused in the
    /// handshake all the same.
    PerPath,
}

/// What a look at the sources led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// Nothing.
    Unchanged,
    /// New connections see other certificates.
    Swapped,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A file holds no certificate that can be read.
    #[error("`{place}` holds no readable PEM certificate")]
    Certificate {
        /// The file.
        place: String,
    },
    /// A file holds no private key that can be read.
    #[error("`{place}` holds no readable PEM private key")]
    Key {
        /// The file.
        place: String,
    },
    /// The certificate and the key do not go together.
    #[error("the certificate in `{place}` cannot be used with its key")]
    Pair {
        /// The file of the certificate.
        place: String,
        /// What the TLS library said.
        source: rustls::Error,
    },
    /// The files changed while they were read.
    #[error("the files beside `{place}` changed while they were read")]
    Changed {
        /// The file of the certificate.
        place: String,
    },
    /// The client authorities cannot be used.
    #[error("the client authorities in `{place}` cannot be used")]
    Clients {
        /// The file.
        place: String,
    },
    /// Our own authority failed to issue.
    #[error("cannot issue a serving certificate")]
    Issue(#[source] super::authority::AuthorityError),
    /// The TLS library does not know what we ask for.
    #[error("cannot set TLS up")]
    Setup(#[source] rustls::Error),
}

/// The certificates in use, and where the next ones come from.
///
/// Guarantees: a connection uses what was in place when it began. Sources that cannot be read or do not fit together
/// change nothing. Sessions are never resumed, so every connection meets the certificates in place.
pub struct Tls {
    client_auth: ClientAuth,
    current: ArcSwap<Loaded>,
}

/// Certificates as they were read, and what was made of them.
struct Loaded {
    sources: Sources,
    /// Since when callers are told to trust whom they are told to trust.
    told: Instant,
    material: Material,
    key: PrivateKeyDer<'static>,
    validity: Validity,
    config: Arc<ServerConfig>,
}

/// A certificate with its chain, and its key.
type Served = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The public part of what was read: when it is the same, so is the key.
#[derive(PartialEq, Eq)]
struct Material {
    chain: Vec<CertificateDer<'static>>,
    clients: Vec<CertificateDer<'static>>,
}

// === impl Tls ===

impl Tls {
    /// Reads the sources for the first time.
    ///
    /// # Errors
    /// When a source cannot be read, or is not what it should be.
    pub fn start(sources: Sources, client_auth: ClientAuth, now: i64) -> Result<Self, CertificateError> {
        Ok(Self { client_auth, current: ArcSwap::from_pointee(Loaded::read(sources, client_auth, now)?) })
    }

    /// Takes other sources, for the next connection.
    ///
    /// # Errors
    /// As [`Tls::start`]; the certificates in use stay.
    pub fn adopt(&self, sources: Sources, now: i64) -> Result<(), CertificateError> {
        let current = self.current.load_full();
        let (chain, key) = current.serving(&sources.serving, now)?;
        let material = Material { chain, clients: sources.clients.read()? };
        let mut loaded = Loaded::new(sources, material, key, self.client_auth)?;
        if loaded.sources.trusted == current.sources.trusted {
            loaded.told = current.told;
        }
        self.current.store(Arc::new(loaded));
        Ok(())
    }

    /// Whom callers must trust to meet the serving certificate, PEM.
    pub fn trusted(&self) -> String {
        self.current.load().sources.trusted.clone()
    }

    /// Whether callers have been told for so long to trust these.
    pub(super) fn has_told(&self, trusted: &str, patience: Duration) -> bool {
        let current = self.current.load();
        current.sources.trusted == trusted && current.told.elapsed() >= patience
    }

    /// Who is named by the files that somebody else provides, as far as they are in use.
    pub(super) fn authority(&self) -> Option<String> {
        match &self.current.load().sources.serving {
            ServingSource::Files { authority, .. } => authority.clone(),
            ServingSource::SelfIssued(_) => None,
        }
    }

    /// Whether the client certificates of these authorities are accepted, and no others.
    pub(super) fn accepts(&self, clients: &ClientSource) -> bool {
        match (&self.current.load().sources.clients, clients) {
            (ClientSource::SelfIssued(current), ClientSource::SelfIssued(clients)) => current == clients,
            (ClientSource::File(current), ClientSource::File(path)) => current == path,
            (ClientSource::SelfIssued(_), ClientSource::File(_))
            | (ClientSource::File(_), ClientSource::SelfIssued(_)) => false,
        }
    }

    /// What the next connection uses.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// From when and until when the serving certificate holds.
    pub fn validity(&self) -> Validity {
        self.current.load().validity
    }

    /// Looks at the sources again, by content, and renews what is self-issued and due.
    ///
    /// # Errors
    /// As [`Tls::start`]; the certificates in use stay.
    pub fn refresh(&self, now: i64) -> Result<Refreshed, CertificateError> {
        let current = self.current.load_full();
        let sources = &current.sources;
        let clients = sources.clients.read()?;
        let (chain, key) = match &sources.serving {
            ServingSource::SelfIssued(_) if !current.validity.less_than_one_part_left(3, now) => {
                // Held in memory only; the client authority is ours too or comes from a file that may have changed.
                if clients == current.material.clients {
                    return Ok(Refreshed::Unchanged);
                }
                sources.serving.read(now)?
            }
            source => current.serving(source, now)?,
        };
        let material = Material { chain, clients };
        if material == current.material {
            return Ok(Refreshed::Unchanged);
        }
        let mut loaded = Loaded::new(sources.clone(), material, key, self.client_auth)?;
        loaded.told = current.told;
        self.current.store(Arc::new(loaded));
        Ok(Refreshed::Swapped)
    }
}

// === impl Loaded ===

impl Loaded {
    fn read(sources: Sources, client_auth: ClientAuth, now: i64) -> Result<Self, CertificateError> {
        let (chain, key) = sources.serving.read(now)?;
        let material = Material { chain, clients: sources.clients.read()? };
        Self::new(sources, material, key, client_auth)
    }

    fn new(
        sources: Sources,
        material: Material,
        key: PrivateKeyDer<'static>,
        client_auth: ClientAuth,
    ) -> Result<Self, CertificateError> {
        let leaf = material.chain.first();
        let validity = leaf.and_then(|leaf| Validity::of(leaf).ok());
        let validity = validity.ok_or_else(|| CertificateError::Certificate { place: sources.serving.place() })?;
        let config = Arc::new(server_config(&material, key.clone_key(), client_auth, &sources)?);
        Ok(Self { sources, told: Instant::now(), material, key, validity, config })
    }

    /// What to serve next: what is served now while the files name others than callers trust.
    fn serving(&self, source: &ServingSource, now: i64) -> Result<Served, CertificateError> {
        let read = source.read(now)?;
        let ServingSource::Files { certificate, authority: Some(authority), .. } = source else { return Ok(read) };
        // Read last, for it is what tells whether the others are new.
        if trusted_for(certificate)? == *authority {
            return Ok(read);
        }
        match &self.sources.serving {
            ServingSource::Files { authority: Some(current), .. } if current == authority => {
                Ok((self.material.chain.clone(), self.key.clone_key()))
            }
            _ => Err(CertificateError::Changed { place: source.place() }),
        }
    }
}

// === impl ServingSource ===

impl ServingSource {
    fn read(&self, now: i64) -> Result<Served, CertificateError> {
        let (certificate, key) = match self {
            Self::SelfIssued(issuing) => {
                let pair = issuing.issue(now).map_err(CertificateError::Issue)?;
                (pair.certificate_pem.into_bytes(), pair.key_pem.into_bytes())
            }
            Self::Files { certificate, key, .. } => (read(certificate)?, read(key)?),
        };
        let chain = certificates(&certificate).ok_or_else(|| CertificateError::Certificate { place: self.place() })?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| CertificateError::Key { place: self.key_place() })?;
        Ok((chain, key))
    }

    fn place(&self) -> String {
        match self {
            Self::SelfIssued(_) => "the self-issued certificate".to_owned(),
            Self::Files { certificate, .. } => certificate.display().to_string(),
        }
    }

    fn key_place(&self) -> String {
        match self {
            Self::SelfIssued(_) => self.place(),
            Self::Files { key, .. } => key.display().to_string(),
        }
    }
}

// === impl ClientSource ===

impl ClientSource {
    fn read(&self) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
        match self {
            Self::SelfIssued(authorities) => Ok(authorities.clone()),
            Self::File(path) => certificates(&read(path)?)
                .ok_or_else(|| CertificateError::Certificate { place: path.display().to_string() }),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::SelfIssued(_) => "the self-issued authority".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// Keeps certificates fresh until the process stops: looks every `every`, tells [`Readiness`] whether the serving
/// certificate is valid now, and counts down to its end in the metrics.
pub async fn keep_fresh(
    tls: Arc<Tls>,
    every: Duration,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    mut lifecycle: watch::Receiver<Lifecycle>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_error = None;
    loop {
        tokio::select! {
            () = stopped(&mut lifecycle) => return,
            _ = ticks.tick() => {}
        }
        let now = unix_now();
        let looking = Arc::clone(&tls);
        let refreshed = tokio::task::spawn_blocking(move || looking.refresh(now).map_err(|error| chain(&error))).await;
        match refreshed.unwrap_or_else(|_| Err("reading certificates failed".to_owned())) {
            Ok(Refreshed::Unchanged) => last_error = None,
            Ok(Refreshed::Swapped) => {
                last_error = None;
                tracing::info!(until = tls.validity().until, "new certificates are in use");
            }
            Err(error) if last_error.as_ref() == Some(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "certificates stay as they are");
                last_error = Some(error);
            }
        }
        let validity = tls.validity();
        metrics.certificate_expiry(validity.until.saturating_sub(now));
        if now > validity.until {
            readiness.block(Condition::Certificate, "the serving certificate has expired");
        } else if now < validity.from {
            readiness.block(Condition::Certificate, "the serving certificate is not valid yet");
        } else {
            readiness.clear(Condition::Certificate);
        }
    }
}

/// Now, in seconds since 1970, UTC; 0 for a clock before that.
pub fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}

fn server_config(
    material: &Material,
    key: PrivateKeyDer<'static>,
    client_auth: ClientAuth,
    sources: &Sources,
) -> Result<ServerConfig, CertificateError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let unusable = || CertificateError::Clients { place: sources.clients.place() };
    let mut roots = RootCertStore::empty();
    for authority in &material.clients {
        roots.add(authority.clone()).map_err(|_| unusable())?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = match client_auth {
        ClientAuth::Required => verifier,
        ClientAuth::PerPath => verifier.allow_unauthenticated(),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(CertificateError::Setup)?
        .with_client_cert_verifier(verifier.build().map_err(|_| unusable())?)
        .with_single_cert(material.chain.clone(), key)
        .map_err(|source| CertificateError::Pair { place: sources.serving.place(), source })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// All certificates of a PEM text; none when there is none or one of them is damaged.
pub(super) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().ok()?;
    Some(certificates).filter(|certificates| !certificates.is_empty())
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
}

/// An error and what caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
