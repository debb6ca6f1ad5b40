//! The certificates of a cluster: one authority for servers and people.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SigningKey,
};

const AUTHORITY: &str = "kube-iam-test-ca";

/// A certificate authority, made anew for each cluster.
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, PEM.
pub struct Identity {
    pub certificate_pem: String,
    pub key_pem: String,
}

/// The keys of ServiceAccount tokens, PEM.
pub struct TokenKeys {
    pub private_pem: String,
    pub public_pem: String,
}

// === impl Authority ===

impl Authority {
    /// # Errors
    /// When no key can be made.
    pub fn new() -> Result<Self, String> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = named(AUTHORITY)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate_pem = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { certificate_pem, issuer: Issuer::new(params, key) })
    }

    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A certificate for servers on 127.0.0.1, also under the names that Pods would use.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn server(&self) -> Result<Identity, String> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = named("kube-apiserver")?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        for name in ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"] {
            params.subject_alt_names.push(SanType::DnsName(name.try_into().map_err(failed)?));
        }
        let certificate_pem = params.signed_by(&key, &self.issuer).map_err(failed)?.pem();
        Ok(Identity { certificate_pem, key_pem: key.serialize_pem() })
    }

    /// A client certificate: the user name is its common name, every group an organisation.
    ///
    /// Written by hand, because rcgen keeps one value for each kind of name and people have several groups.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn client(&self, user: &str, groups: &[&str]) -> Result<Identity, String> {
        let key = KeyPair::generate().map_err(failed)?;
        let subject: Vec<(&[u8], &str)> =
            groups.iter().map(|group| (ORGANIZATION, *group)).chain([(COMMON_NAME, user)]).collect();
        let extensions = der(
            SEQUENCE,
            &[&der(
                SEQUENCE,
                &[
                    &der(OBJECT_ID, &[EXTENDED_KEY_USAGE]),
                    &der(OCTET_STRING, &[&der(SEQUENCE, &[&der(OBJECT_ID, &[CLIENT_AUTH])])]),
                ],
            )],
        );
        let algorithm = der(SEQUENCE, &[&der(OBJECT_ID, &[ECDSA_WITH_SHA256])]);
        let to_be_signed = der(
            SEQUENCE,
            &[
                &der(EXPLICIT_0, &[&der(INTEGER, &[&[2]])]),
                &der(INTEGER, &[&[1]]),
                &algorithm,
                &distinguished_name(&[(COMMON_NAME, AUTHORITY)]),
                &der(SEQUENCE, &[&der(UTC_TIME, &[b"000101000000Z"]), &der(UTC_TIME, &[b"491231235959Z"])]),
                &distinguished_name(&subject),
                &key.subject_public_key_info(),
                &der(EXPLICIT_3, &[&extensions]),
            ],
        );
        let signature = self.issuer.key().sign(&to_be_signed).map_err(failed)?;
        let certificate = der(SEQUENCE, &[&to_be_signed, &algorithm, &der(BIT_STRING, &[&[0], &signature])]);
        Ok(Identity { certificate_pem: pem(&certificate), key_pem: key.serialize_pem() })
    }
}

// === impl TokenKeys ===

impl TokenKeys {
    /// # Errors
    /// When no key can be made.
    pub fn new() -> Result<Self, String> {
        let key = KeyPair::generate().map_err(failed)?;
        Ok(Self { private_pem: key.serialize_pem(), public_pem: key.public_key_pem() })
    }
}

fn named(common_name: &str) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

fn failed(e: rcgen::Error) -> String {
    format!("cannot make a certificate: {e}")
}

// === DER (X.690), as much as a client certificate (RFC 5280) needs ===

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXPLICIT_0: u8 = 0xa0;
const EXPLICIT_3: u8 = 0xa3;

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.4.10
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
/// 2.5.29.37
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 1.3.6.1.5.5.7.3.2
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
/// 1.2.840.10045.4.3.2, what rcgen's default keys sign with
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut bytes = vec![tag];
    match length {
        [] => bytes.push(0),
        [short] if *short < 0x80 => bytes.push(*short),
        long => {
            bytes.push(0x80 | long.len() as u8);
            bytes.extend_from_slice(long);
        }
    }
    bytes.extend(content);
    bytes
}

fn distinguished_name(attributes: &[(&[u8], &str)]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(kind, value)| {
            let value = der(UTF8_STRING, &[value.as_bytes()]);
            der(SET, &[&der(SEQUENCE, &[&der(OBJECT_ID, &[kind]), &value])])
        })
        .collect();
    der(SEQUENCE, &[&names.concat()])
}

fn pem(certificate: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "-----BEGIN CERTIFICATE-----".to_owned();
    for (number, chunk) in certificate.chunks(3).enumerate() {
        if number % 16 == 0 {
            text.push('\n');
        }
        let bits = (0..3).fold(0, |bits, i| bits << 8 | usize::from(chunk.get(i).copied().unwrap_or(0)));
        for place in 0..4 {
            text.push(if place <= chunk.len() { char::from(ALPHABET[bits >> (18 - 6 * place) & 63]) } else { '=' });
        }
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}
