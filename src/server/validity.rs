//! From when and until when a certificate holds: the two times of its DER (RFC 5280 §4.1.2.5), and nothing else of it.

use rustls::pki_types::CertificateDer;

/// From when and until when a certificate holds, in seconds since 1970, UTC, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: i64,
    /// Not after.
    pub until: i64,
}

/// The bytes are no certificate whose validity can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate with a readable validity")]
pub struct ValidityError;

/// DER tags that are met on the way.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

// === impl Validity ===

impl Validity {
    /// Reads the validity of a certificate.
    ///
    /// # Errors
    /// When the bytes up to the validity are not those of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, ValidityError> {
        let (_, certificate, _) = element(certificate.as_ref(), Some(SEQUENCE))?;
        let (_, body, _) = element(certificate, Some(SEQUENCE))?;
        let after_version = match element(body, None)? {
            (VERSION, _, rest) => rest,
            _ => body,
        };
        let (_, _, after_serial) = element(after_version, None)?;
        let (_, _, after_algorithm) = element(after_serial, Some(SEQUENCE))?;
        let (_, _, after_issuer) = element(after_algorithm, Some(SEQUENCE))?;
        let (_, validity, _) = element(after_issuer, Some(SEQUENCE))?;
        let (from_tag, from, rest) = element(validity, None)?;
        let (until_tag, until, _) = element(rest, None)?;
        Ok(Self { from: time(from_tag, from)?, until: time(until_tag, until)? })
    }

    /// Whether less than `1/parts` of the whole time is left.
    pub fn less_than_one_part_left(&self, parts: i64, now: i64) -> bool {
        let whole = self.until.saturating_sub(self.from);
        self.until.saturating_sub(now) < whole.checked_div(parts).unwrap_or(whole)
    }
}

/// The first element of `bytes`: its tag, its content, and what follows it.
fn element(bytes: &[u8], expected: Option<u8>) -> Result<(u8, &[u8], &[u8]), ValidityError> {
    let (tag, rest) = bytes.split_first().ok_or(ValidityError)?;
    let (first, rest) = rest.split_first().ok_or(ValidityError)?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(*short), rest),
        // Certificates are far below 2^24 bytes, so three bytes of length are enough.
        long @ 0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f)).ok_or(ValidityError)?;
            (length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        _ => return Err(ValidityError),
    };
    let (content, rest) = rest.split_at_checked(length).ok_or(ValidityError)?;
    if expected.is_some_and(|expected| expected != *tag) { Err(ValidityError) } else { Ok((*tag, content, rest)) }
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` in seconds since 1970.
fn time(tag: u8, text: &[u8]) -> Result<i64, ValidityError> {
    let text = std::str::from_utf8(text).ok().and_then(|text| text.strip_suffix('Z')).ok_or(ValidityError)?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits(text, 2)?;
            (if year < 50 { year + 2_000 } else { year + 1_900 }, rest)
        }
        GENERALIZED_TIME => digits(text, 4)?,
        _ => return Err(ValidityError),
    };
    let (month, rest) = digits(rest, 2)?;
    let (day, rest) = digits(rest, 2)?;
    let (hour, rest) = digits(rest, 2)?;
    let (minute, rest) = digits(rest, 2)?;
    let (second, rest) = digits(rest, 2)?;
    let small = |number: i16| i8::try_from(number).map_err(|_| ValidityError);
    let moment =
        jiff::civil::DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0)
            .and_then(|moment| jiff::tz::Offset::UTC.to_timestamp(moment))
            .map_err(|_| ValidityError)?;
    if rest.is_empty() { Ok(moment.as_second()) } else { Err(ValidityError) }
}

fn digits(text: &str, count: usize) -> Result<(i16, &str), ValidityError> {
    let (number, rest) = text.split_at_checked(count).ok_or(ValidityError)?;
    let number = number.bytes().all(|byte| byte.is_ascii_digit()).then_some(number).ok_or(ValidityError)?;
    number.parse().map(|number| (number, rest)).map_err(|_| ValidityError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> CertificateDer<'static> {
        let mut params = rcgen::CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn both_written_forms_of_time_are_read() {
        let validity = Validity::of(&certificate((1999, 12, 31), (2049, 12, 31))).unwrap();
        assert_eq!(validity, Validity { from: 946_598_400, until: 2_524_521_600 });
        let validity = Validity::of(&certificate((2020, 2, 29), (2050, 1, 1))).unwrap();
        assert_eq!(validity, Validity { from: 1_582_934_400, until: 2_524_608_000 });
    }

    #[test]
    fn no_cut_certificate_panics_or_reads_as_another() {
        let whole = certificate((2020, 1, 1), (2030, 1, 1));
        let expected = Validity::of(&whole).unwrap();
        for length in 0..whole.len() {
            let cut = CertificateDer::from(whole[..length].to_vec());
            assert!(Validity::of(&cut).map_or(true, |validity| validity == expected));
        }
        for at in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = whole.to_vec();
                bytes[at] ^= flip;
                let _ = Validity::of(&CertificateDer::from(bytes));
            }
        }
    }

    #[test]
    fn the_share_that_is_left_is_counted_from_the_end() {
        let validity = Validity { from: 0, until: 90 };
        assert!(!validity.less_than_one_part_left(3, 60));
        assert!(validity.less_than_one_part_left(3, 61));
        assert!(validity.less_than_one_part_left(3, 1_000));
    }
}
