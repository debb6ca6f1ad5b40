//! Certificates as text: the union of what replicas are served under.

use std::collections::BTreeSet;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates in a PEM text, each in one way of writing it.
pub(super) fn certificates(pem: &str) -> BTreeSet<String> {
    in_order(pem).into_iter().collect()
}

/// The certificates in a PEM text, in its order, each in one way of writing it. What is no certificate is passed over: one
/// replica's bad text must not keep the others from being trusted.
pub fn in_order(pem: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in pem.split(BEGIN).skip(1) {
        let Some((body, _)) = part.split_once(END) else { continue };
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        // `MI`: the first bytes of every certificate, a sequence of more than 127 bytes.
        if body.starts_with("MI") && body.len().is_multiple_of(4) && body.bytes().all(is_base64) {
            let mut text = format!("{BEGIN}\n");
            for (index, c) in body.chars().enumerate() {
                if index > 0 && index.is_multiple_of(64) {
                    text.push('\n');
                }
                text.push(c);
            }
            found.push(format!("{text}\n{END}\n"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(body: &str) -> String {
        format!("{BEGIN}\n{body}\n{END}\n")
    }

    #[test]
    fn certificates_are_the_same_however_they_are_written() {
        let body = format!("MI{}==", "A".repeat(100));
        let (start, rest) = body.split_at(30);
        let wrapped = format!("{start}\r\n{rest}");
        let both = certificates(&format!("# ours\n{}{}junk{}", pem(&body), pem(&wrapped), pem("MIIB")));
        assert_eq!(both.len(), 2);
        for certificate in &both {
            assert_eq!(certificates(certificate), BTreeSet::from([certificate.clone()]));
        }
    }

    #[test]
    fn what_is_no_certificate_is_passed_over() {
        for text in ["", "x", BEGIN, &pem(""), &pem("MII!"), &pem("AAAA"), &pem("MII"), &format!("{BEGIN}MIIB")] {
            assert_eq!(certificates(text), BTreeSet::new(), "{text}");
        }
    }
}
