//! The certificate authority of our own, for installations that bring none: it issues the serving certificate and the
//! client certificate of kube-apiservers. Where its files lie is the business of [`super::state_folder`].

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;

use super::validity::Validity;

const DAY: i64 = 86_400;
const AUTHORITY_LIFE: i64 = 3_650 * DAY;
const SERVING_LIFE: i64 = DAY;
const CLIENT_LIFE: i64 = 365 * DAY;
/// Certificates hold from a little before they are made, for clocks differ.
const BACKDATED: i64 = 300;

/// The common name of the authority. It differs from those of the leaves: OpenSSL takes a certificate whose issuer has
/// its own name for self-signed.
const AUTHORITY_NAME: &str = "kube-iam-ca";
/// The common name of serving certificates.
const SERVING_NAME: &str = "kube-iam";
/// The common name of the client certificate that kube-apiservers present.
pub const CLIENT_NAME: &str = "kube-apiserver";

/// An authority: its key and its certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    validity: Validity,
}

/// A certificate and its key, both PEM. The certificate file holds the leaf only: who trusts us has the authority.
pub struct Pair {
    /// The certificate.
    pub certificate_pem: String,
    /// Its key.
    pub key_pem: String,
}

/// Whom a serving certificate speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServingNames {
    /// Host names.
    pub hosts: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

/// Why there is no authority, or no certificate of it.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The key is no PEM private key.
    #[error("the key is not a PEM private key")]
    Key(#[source] rcgen::Error),
    /// The certificate is no PEM certificate.
    #[error("the certificate is not a PEM certificate")]
    Certificate,
    /// The key belongs to another certificate.
    #[error("the key does not belong to the certificate")]
    Mismatch,
    /// A name is no host name.
    #[error("`{0}` is not a host name")]
    Name(String),
    /// The cryptographic library refused.
    #[error("cannot issue a certificate")]
    Issue(#[source] rcgen::Error),
}

// === impl Authority ===

impl Authority {
    /// A new authority with a new key, valid for ten years.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn create(now: i64) -> Result<Self, AuthorityError> {
        Self::with_key(KeyPair::generate().map_err(AuthorityError::Issue)?, now)
    }

    /// An authority with a new certificate for a key that is there already.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub fn from_key(key_pem: &str, now: i64) -> Result<Self, AuthorityError> {
        Self::with_key(KeyPair::from_pem(key_pem).map_err(AuthorityError::Key)?, now)
    }

    /// The authority of an earlier run.
    ///
    /// # Errors
    /// When either cannot be read, or the two do not belong together.
    pub fn restore(key_pem: &str, certificate_pem: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::from_pem(key_pem).map_err(AuthorityError::Key)?;
        let certificate = certificate(certificate_pem)?;
        let validity = Validity::of(&certificate).map_err(|_| AuthorityError::Certificate)?;
        if !belongs(&certificate, key_pem)? {
            return Err(AuthorityError::Mismatch);
        }
        let issuer = Issuer::new(authority_params(validity), key);
        Ok(Self { issuer, certificate, certificate_pem: certificate_pem.to_owned(), validity })
    }

    fn with_key(key: KeyPair, now: i64) -> Result<Self, AuthorityError> {
        let validity = Validity { from: now.saturating_sub(BACKDATED), until: now.saturating_add(AUTHORITY_LIFE) };
        let params = authority_params(validity);
        let certificate = params.self_signed(&key).map_err(AuthorityError::Issue)?;
        let certificate_pem = certificate.pem();
        Ok(Self { certificate: certificate.into(), certificate_pem, issuer: Issuer::new(params, key), validity })
    }

    /// The certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The key, PEM.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// From when and until when the authority holds.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// A new serving certificate with a new key, valid for a day.
    ///
    /// # Errors
    /// When a name is no host name, or the cryptographic library fails.
    pub fn issue_serving(&self, names: &ServingNames, now: i64) -> Result<Pair, AuthorityError> {
        let mut params = leaf_params(SERVING_NAME, ExtendedKeyUsagePurpose::ServerAuth);
        for host in &names.hosts {
            let name = host.as_str().try_into().map_err(|_| AuthorityError::Name(host.escape_debug().to_string()))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.extend(names.addresses.iter().copied().map(SanType::IpAddress));
        self.issue(params, SERVING_LIFE, now)
    }

    /// A new client certificate for kube-apiservers with a new key, valid for a year.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn issue_client(&self, now: i64) -> Result<Pair, AuthorityError> {
        self.issue(leaf_params(CLIENT_NAME, ExtendedKeyUsagePurpose::ClientAuth), CLIENT_LIFE, now)
    }

    fn issue(&self, mut params: CertificateParams, life: i64, now: i64) -> Result<Pair, AuthorityError> {
        let from = now.saturating_sub(BACKDATED).max(self.validity.from);
        set_validity(&mut params, Validity { from, until: now.saturating_add(life).min(self.validity.until) });
        let key = KeyPair::generate().map_err(AuthorityError::Issue)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(AuthorityError::Issue)?;
        Ok(Pair { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

// === impl Pair ===

impl Pair {
    /// Until when the certificate holds, once both parts are readable and belong together.
    ///
    /// # Errors
    /// When either cannot be read, or the two do not belong together.
    pub fn check(&self) -> Result<(CertificateDer<'static>, Validity), AuthorityError> {
        let certificate = certificate(&self.certificate_pem)?;
        let validity = Validity::of(&certificate).map_err(|_| AuthorityError::Certificate)?;
        KeyPair::from_pem(&self.key_pem).map_err(AuthorityError::Key)?;
        if belongs(&certificate, &self.key_pem)? { Ok((certificate, validity)) } else { Err(AuthorityError::Mismatch) }
    }
}

fn certificate(pem: &str) -> Result<CertificateDer<'static>, AuthorityError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| AuthorityError::Certificate)
}

fn belongs(certificate: &CertificateDer<'static>, key_pem: &str) -> Result<bool, AuthorityError> {
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key_pem.as_bytes());
    let key = key.map_err(|_| AuthorityError::Key(rcgen::Error::CouldNotParseKeyPair))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    match CertifiedKey::from_der(vec![certificate.clone()], key, &provider) {
        Ok(_) => Ok(true),
        Err(rustls::Error::InconsistentKeys(_)) => Ok(false),
        Err(_) => Err(AuthorityError::Certificate),
    }
}

/// The same for every run, so that an authority read from disk issues what the one that wrote it would have.
fn authority_params(validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    set_validity(&mut params, validity);
    params
}

fn leaf_params(common_name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    // 9999-12-31: the last day that a certificate can name, and far enough from what the sum would overflow at.
    let since_1970 = |second: i64| Duration::from_secs(second.clamp(0, 253_402_214_400).unsigned_abs());
    let start = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = start + since_1970(validity.from);
    params.not_after = start + since_1970(validity.until);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn an_authority_read_back_issues_for_the_same_trust() {
        let first = Authority::create(NOW).unwrap();
        let again = Authority::restore(&first.key_pem(), first.certificate_pem()).unwrap();
        assert_eq!((again.validity(), again.certificate()), (first.validity(), first.certificate()));
        let names = ServingNames { hosts: vec!["localhost".into()], addresses: vec!["127.0.0.1".parse().unwrap()] };
        let (_, validity) = again.issue_serving(&names, NOW).unwrap().check().unwrap();
        assert_eq!(validity, Validity { from: NOW - 300, until: NOW + 86_400 });
    }

    #[test]
    fn no_leaf_outlives_its_authority() {
        let authority = Authority::create(NOW).unwrap();
        let late = authority.validity().until - 100;
        let (_, validity) = authority.issue_client(late).unwrap().check().unwrap();
        assert_eq!(validity.until, authority.validity().until);
    }

    #[test]
    fn no_leaf_has_the_name_of_its_issuer() {
        assert!(![SERVING_NAME, CLIENT_NAME].contains(&AUTHORITY_NAME));
    }

    #[test]
    fn damage_is_an_error_that_names_the_part() {
        let (one, other) = (Authority::create(NOW).unwrap(), Authority::create(NOW).unwrap());
        let text = |result: Result<Authority, AuthorityError>| result.err().unwrap().to_string();
        assert_eq!(text(Authority::restore("x", one.certificate_pem())), "the key is not a PEM private key");
        assert_eq!(text(Authority::restore(&one.key_pem(), "x")), "the certificate is not a PEM certificate");
        let mixed = Authority::restore(&one.key_pem(), other.certificate_pem());
        assert_eq!(text(mixed), "the key does not belong to the certificate");
        let names = ServingNames { hosts: vec!["é\n".into()], addresses: Vec::new() };
        let error = one.issue_serving(&names, NOW).err().unwrap();
        assert_eq!(error.to_string(), "`é\\n` is not a host name");
    }
}
