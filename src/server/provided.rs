//! A serving certificate that somebody else provides, and how another authority behind it takes over without a failed
//! call.
//!
//! An API server learns whom to trust from a file, up to a minute later. So while the provided files name another
//! authority than before, the certificate of before goes on being served, and API servers are told to trust both; the new
//! one is served when that has lasted, and trusted alone from then on. It is served at once when the old one has expired.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::succession::ended_line;
use super::tls::{CertificateError, ServingSource, Tls, certificates};

/// What to serve, and whom API servers are to trust meanwhile, PEM.
pub(super) struct Provided {
    pub serving: ServingSource,
    pub trusted: String,
}

// === impl Provided ===

impl Provided {
    /// What follows from the files as they are now. `in_use` is `None` at the start: nobody is met with an older
    /// certificate then.
    ///
    /// # Errors
    /// When the files do not say whom to trust.
    pub(super) fn look(
        (certificate, key): (PathBuf, PathBuf),
        in_use: Option<&Tls>,
        patience: Duration,
        now: i64,
    ) -> Result<Self, CertificateError> {
        let named = trusted_for(&certificate)?;
        let files = |authority| ServingSource::Files { certificate, key, authority: Some(authority) };
        let held = in_use.and_then(|tls| Some((tls, tls.authority()?))).filter(|(_, authority)| *authority != named);
        let Some((tls, authority)) = held else { return Ok(Self { serving: files(named.clone()), trusted: named }) };
        let both = format!("{}{named}", ended_line(&authority));
        let followed = tls.has_told(&both, patience);
        let serving = files(if followed || tls.validity().until < now { named } else { authority });
        Ok(Self { serving, trusted: both })
    }
}

// === free functions ===

/// Whom an API server must trust to meet a certificate that somebody else provides: `ca.crt` beside it, as in a mounted
/// Secret, else the certificate and its chain themselves.
///
/// # Errors
/// When that cannot be read, or holds no certificate: it would be told to trust nobody.
pub(super) fn trusted_for(certificate: &Path) -> Result<String, CertificateError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
    };
    let beside = certificate.with_file_name("ca.crt");
    // An issuer that has no authority to name leaves it empty.
    let named = if beside.is_file() { Some(read(&beside)?).filter(|text| !text.trim().is_empty()) } else { None };
    let (path, text) = match named {
        Some(text) => (beside.as_path(), text),
        None => (certificate, read(certificate)?),
    };
    match certificates(text.as_bytes()) {
        Some(_) => Ok(text),
        None => Err(CertificateError::Certificate { place: path.display().to_string() }),
    }
}
