//! Our authority on disk, and how another takes over from it without a failed call (`guarantees.md` R21).
//!
//! ```text
//! steady      ca.crt ca.key                      issues and is trusted
//! announced   next-ca.crt next-ca.key beside     is trusted too, and issues nothing
//! switched    previous-ca.crt beside             the new authority issues; the old one is trusted still
//! ```
//!
//! A step is due when the one before has lasted for [`PATIENCE`], which is longer than an API server takes to follow its
//! files, and when everybody who was told whom to trust has been seen to know. A succession begins when less than a third
//! of the authority's life is left, or when somebody puts a file `rotate` into the folder.
//!
//! Every step leaves the folder usable wherever a crash cuts it off.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::authority::{Authority, AuthorityError};
use super::state_folder::{StateFolderError, read, write};

/// How long a step lasts at least. A kube-apiserver looks at its configuration once a minute.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// An authority with less left than this, in seconds, is replaced at start: a succession was missed.
const REMAINDER: i64 = 30 * 86_400;

const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";
const NEXT_CERTIFICATE: &str = "next-ca.crt";
const NEXT_KEY: &str = "next-ca.key";
const PREVIOUS: &str = "previous-ca.crt";
const ROTATE: &str = "rotate";

/// Our authority, and who is trusted beside it.
pub(super) struct Authorities {
    /// The one that issues.
    pub issuing: Authority,
    /// The one that will issue, or did.
    pub beside: Option<Beside>,
}

/// The authority of before, or the one to come.
pub(super) struct Beside {
    pub certificate: CertificateDer<'static>,
    pub certificate_pem: String,
}

/// Whether everybody trusts what was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// As far as can be seen.
    Everywhere,
    /// Somebody has been seen who does not know yet.
    NotEverywhere,
}

// === impl Authorities ===

impl Authorities {
    /// Reads the authority of the folder, or makes one.
    ///
    /// # Errors
    /// When a file cannot be read or written, or one has been damaged.
    pub(super) fn load(folder: &Path, now: i64) -> Result<Self, StateFolderError> {
        finish(folder)?;
        let (certificate_path, key_path) = (folder.join(CERTIFICATE), folder.join(KEY));
        let damaged = |source| StateFolderError::Damaged { path: certificate_path.clone(), source };
        let found = match (read(&key_path)?, read(&certificate_path)?) {
            (Some(key), Some(certificate)) => Some(Authority::restore(&key, &certificate).map_err(damaged)?),
            // A crash came between the two; nobody has seen the certificate.
            (Some(key), None) => Some(Authority::from_key(&key, now).map_err(damaged)?),
            (None, Some(_)) => return Err(StateFolderError::NoAuthorityKey { path: key_path }),
            (None, None) => None,
        };
        let usable = |found: &Authority| found.validity().until.saturating_sub(now) > REMAINDER;
        let issuing = match found.filter(usable) {
            Some(authority) => authority,
            None => {
                let authority = create(folder, now)?;
                // A key without a certificate is usable, one beside a foreign certificate is not.
                remove(&certificate_path)?;
                authority
            }
        };
        write(&key_path, &issuing.key_pem())?;
        write(&certificate_path, issuing.certificate_pem())?;
        let beside = match next(folder)? {
            Some(next) => Some(Beside {
                certificate: next.certificate().clone(),
                certificate_pem: next.certificate_pem().to_owned(),
            }),
            None => previous(folder)?,
        };
        Ok(Self { issuing, beside })
    }

    /// Whom others must trust, PEM.
    pub(super) fn trusted_pem(&self) -> String {
        let beside = self.beside.iter().map(|beside| beside.certificate_pem.as_str());
        std::iter::once(self.issuing.certificate_pem()).chain(beside).map(ended_line).collect()
    }

    /// Who may have signed the client certificates that we issued.
    pub(super) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        let beside = self.beside.iter().map(|beside| beside.certificate.clone());
        std::iter::once(self.issuing.certificate().clone()).chain(beside).collect()
    }
}

// === free functions ===

/// Whom others must trust, PEM, as the folder lies there: read only.
///
/// # Errors
/// When a file cannot be read, or there is no authority.
pub(super) fn trusted_pem(folder: &Path) -> Result<String, StateFolderError> {
    let path = folder.join(CERTIFICATE);
    let missing = || StateFolderError::Read { path: path.clone(), source: io::ErrorKind::NotFound.into() };
    let mut trusted = read(&path)?.ok_or_else(missing)?;
    for beside in [NEXT_CERTIFICATE, PREVIOUS] {
        trusted.push_str(&read(&folder.join(beside))?.unwrap_or_default());
    }
    Ok(trusted)
}

/// Takes the step that is due, if one is; whether it did.
///
/// # Errors
/// When a file cannot be read or written, or one has been damaged; the folder is usable all the same.
pub(super) fn advance(
    folder: &Path,
    now: i64,
    patience: Duration,
    announced: Announced,
) -> Result<bool, StateFolderError> {
    finish(folder)?;
    let path = |name: &str| folder.join(name);
    if next(folder)?.is_some() {
        if lasted(&path(NEXT_CERTIFICATE))? < patience || announced == Announced::NotEverywhere {
            return Ok(false);
        }
        if let Some(old) = read(&path(CERTIFICATE))? {
            // Written anew whatever it holds: the file's age is the step's.
            remove(&path(PREVIOUS))?;
            write(&path(PREVIOUS), &old)?;
        }
        take(&path(CERTIFICATE), std::fs::remove_file(path(CERTIFICATE)))?;
        take(&path(KEY), std::fs::rename(path(NEXT_KEY), path(KEY)))?;
        take(&path(CERTIFICATE), std::fs::rename(path(NEXT_CERTIFICATE), path(CERTIFICATE)))?;
        tracing::info!("a new certificate authority issues; the one before is trusted a little longer");
        return Ok(true);
    }
    if path(PREVIOUS).is_file() {
        if lasted(&path(PREVIOUS))? < patience {
            return Ok(false);
        }
        take(&path(PREVIOUS), std::fs::remove_file(path(PREVIOUS)))?;
        tracing::info!("the certificate authority of before is not trusted any more");
        return Ok(true);
    }
    let due = Authorities::load(folder, now)?.issuing.validity().less_than_one_part_left(3, now);
    if !due && !path(ROTATE).exists() {
        return Ok(false);
    }
    let next = create(folder, now)?;
    write(&path(NEXT_KEY), &next.key_pem())?;
    write(&path(NEXT_CERTIFICATE), next.certificate_pem())?;
    remove(&path(ROTATE))?;
    tracing::info!("a new certificate authority is announced");
    Ok(true)
}

/// Ends what a crash cut off: the key has moved, its certificate has not.
fn finish(folder: &Path) -> Result<(), StateFolderError> {
    let (certificate, next) = (folder.join(CERTIFICATE), folder.join(NEXT_CERTIFICATE));
    let moved = !certificate.exists() && next.exists() && !folder.join(NEXT_KEY).exists();
    if moved { take(&certificate, std::fs::rename(&next, &certificate)) } else { Ok(()) }
}

fn create(folder: &Path, now: i64) -> Result<Authority, StateFolderError> {
    Authority::create(now).map_err(|source| StateFolderError::Issue { path: folder.to_owned(), source })
}

/// The authority to come. A key or a certificate alone is what a crash left: it was announced to nobody.
fn next(folder: &Path) -> Result<Option<Authority>, StateFolderError> {
    let path = folder.join(NEXT_CERTIFICATE);
    match (read(&folder.join(NEXT_KEY))?, read(&path)?) {
        (Some(key), Some(certificate)) => Authority::restore(&key, &certificate)
            .map(Some)
            .map_err(|source| StateFolderError::Damaged { path, source }),
        _ => Ok(None),
    }
}

fn previous(folder: &Path) -> Result<Option<Beside>, StateFolderError> {
    let path = folder.join(PREVIOUS);
    let Some(certificate_pem) = read(&path)? else { return Ok(None) };
    let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
        .map_err(|_| StateFolderError::Damaged { path, source: AuthorityError::Certificate })?;
    Ok(Some(Beside { certificate, certificate_pem }))
}

/// How long a file has been as it is.
fn lasted(path: &Path) -> Result<Duration, StateFolderError> {
    let changed = std::fs::metadata(path).and_then(|found| found.modified());
    let changed = changed.map_err(|source| StateFolderError::Read { path: path.to_owned(), source })?;
    Ok(SystemTime::now().duration_since(changed).unwrap_or_default())
}

/// Removes a file, which need not be there.
fn remove(path: &Path) -> Result<(), StateFolderError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => take(path, result),
    }
}

fn take(path: &Path, result: io::Result<()>) -> Result<(), StateFolderError> {
    result.map_err(|source| StateFolderError::Write { path: PathBuf::from(path), source })
}

pub(super) fn ended_line(pem: &str) -> String {
    if pem.ends_with('\n') { pem.to_owned() } else { format!("{pem}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("kube-iam-succession-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn load(&self) -> Authorities {
            Authorities::load(&self.0, NOW).unwrap()
        }

        fn advance(&self, patience: Duration, announced: Announced) -> bool {
            advance(&self.0, NOW, patience, announced).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_succession_never_leaves_anybody_without_trust() {
        let folder = Folder::new("steps");
        let old = folder.load();
        assert!(!folder.advance(Duration::ZERO, Announced::Everywhere), "nothing is due");
        std::fs::write(folder.0.join(ROTATE), "").unwrap();

        assert!(folder.advance(Duration::ZERO, Announced::Everywhere));
        let announced = folder.load();
        assert_eq!(announced.issuing.certificate(), old.issuing.certificate());
        let next = announced.beside.as_ref().unwrap().certificate.clone();
        assert!(announced.trusted_pem().starts_with(&old.trusted_pem()));

        assert!(!folder.advance(PATIENCE, Announced::Everywhere), "it has not lasted");
        assert!(!folder.advance(Duration::ZERO, Announced::NotEverywhere), "somebody does not know");
        assert!(folder.advance(Duration::ZERO, Announced::Everywhere));
        let switched = folder.load();
        assert_eq!(*switched.issuing.certificate(), next);
        assert_eq!(switched.beside.as_ref().unwrap().certificate, *old.issuing.certificate());
        assert_eq!(switched.certificates().len(), 2);

        assert!(!folder.advance(PATIENCE, Announced::Everywhere), "it has not lasted");
        assert!(folder.advance(Duration::ZERO, Announced::Everywhere));
        let steady = folder.load();
        assert_eq!(*steady.issuing.certificate(), next);
        assert!(steady.beside.is_none());
        assert!(!folder.advance(Duration::ZERO, Announced::Everywhere), "nothing is due");
    }

    #[test]
    fn a_crash_between_two_renames_is_ended() {
        let folder = Folder::new("crash");
        let _ = folder.load();
        std::fs::write(folder.0.join(ROTATE), "").unwrap();
        assert!(folder.advance(Duration::ZERO, Announced::Everywhere));
        let next = folder.load().beside.unwrap().certificate;
        std::fs::remove_file(folder.0.join(CERTIFICATE)).unwrap();
        std::fs::rename(folder.0.join(NEXT_KEY), folder.0.join(KEY)).unwrap();
        assert_eq!(*folder.load().issuing.certificate(), next);
        assert!(!folder.0.join(NEXT_CERTIFICATE).exists());
    }

    #[test]
    fn an_old_authority_has_its_successor_announced() {
        let folder = Folder::new("old");
        let _ = folder.load();
        let late = NOW + 7 * 365 * 86_400;
        assert!(advance(&folder.0, late, Duration::ZERO, Announced::Everywhere).unwrap());
        assert!(folder.load().beside.is_some());
    }
}
