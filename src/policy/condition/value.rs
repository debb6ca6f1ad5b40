//! Typed condition values.
//!
//! A value that cannot be read as its operator's type is kept as `None` (*bad*): a positive comparison with it is false
//! and so is a negated one (`iam-semantics.md` §6.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::decimal::Decimal;
use super::instant::Instant;
use super::operator::Base;
use crate::policy::pattern::{Syntax, Template, Variables, Wildcards};
use crate::policy::statement::Version;

/// The values of one condition, by the type that its operator compares.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// `String*` and `Bool`, with policy variables.
    Text(Box<[Template]>),
    /// `Numeric*`.
    Number(Box<[Option<Decimal>]>),
    /// `Date*`.
    Date(Box<[Option<Instant>]>),
    /// `BinaryEquals`: the decoded bytes.
    Binary(Box<[Option<Box<[u8]>>]>),
    /// `IpAddress`, `NotIpAddress`.
    Address(Box<[Option<Network>]>),
    /// `Arn*`.
    Arn(Box<[Option<ArnTemplate>]>),
    /// `Null`: is the key expected to be absent?
    Null(Box<[Option<bool>]>),
}

/// The six segments of an ARN in a condition value; each may hold wildcards and variables.
#[derive(Clone, Debug, PartialEq)]
pub struct ArnTemplate {
    /// Partition, service, region, account and resource; the first segment is `arn`.
    pub segments: Box<[Template; 5]>,
}

/// A network in CIDR form, host bits cleared. A bare address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

// === impl Values ===

impl Values {
    /// Reads the values of a condition by the type of its operator (`iam-semantics.md` §5.1, §6.3). Every text can be
    /// read: one that does not fit the type is bad.
    pub fn parse<'a>(base: Base, version: Version, texts: impl Iterator<Item = &'a str>) -> Self {
        match base {
            Base::StringEquals
            | Base::StringNotEquals
            | Base::StringEqualsIgnoreCase
            | Base::StringNotEqualsIgnoreCase
            | Base::Bool
            | Base::StringLike
            | Base::StringNotLike => {
                let syntax = text_syntax(base, version);
                Self::Text(texts.map(|text| Template::parse(text, syntax)).collect())
            }
            Base::NumericEquals
            | Base::NumericNotEquals
            | Base::NumericLessThan
            | Base::NumericLessThanEquals
            | Base::NumericGreaterThan
            | Base::NumericGreaterThanEquals => Self::Number(texts.map(Decimal::parse).collect()),
            Base::DateEquals
            | Base::DateNotEquals
            | Base::DateLessThan
            | Base::DateLessThanEquals
            | Base::DateGreaterThan
            | Base::DateGreaterThanEquals => Self::Date(texts.map(Instant::parse).collect()),
            Base::BinaryEquals => Self::Binary(texts.map(decode_base64).collect()),
            Base::IpAddress | Base::NotIpAddress => Self::Address(texts.map(Network::parse).collect()),
            Base::ArnEquals | Base::ArnNotEquals | Base::ArnLike | Base::ArnNotLike => {
                Self::Arn(texts.map(|text| ArnTemplate::parse(text, version)).collect())
            }
            Base::Null => Self::Null(texts.map(parse_bool).collect()),
        }
    }

    /// The texts that [`Values::parse`] reads as these values; for a bad one, a text that is bad too.
    pub fn written(&self, base: Base, version: Version) -> Vec<String> {
        // AWS accepts this on write, and evaluation reads no date in it.
        const BAD_DATE: &str = "1T";
        fn all<T>(values: &[Option<T>], text: impl Fn(&T) -> String) -> Vec<String> {
            values.iter().map(|value| value.as_ref().map_or_else(|| "?".to_owned(), &text)).collect()
        }
        match self {
            Self::Text(values) => {
                let syntax = text_syntax(base, version);
                values.iter().map(|value| value.written(syntax)).collect()
            }
            Self::Number(values) => all(values, Decimal::to_string),
            Self::Date(values) => {
                values.iter().map(|date| date.as_ref().map_or_else(|| BAD_DATE.to_owned(), write_instant)).collect()
            }
            Self::Binary(values) => all(values, |bytes| encode_base64(bytes)),
            Self::Address(values) => all(values, |network| network.0.to_string()),
            Self::Arn(values) => all(values, |arn| arn.written(version)),
            Self::Null(values) => all(values, bool::to_string),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Date(values) => values.len(),
            Self::Binary(values) => values.len(),
            Self::Address(values) => values.len(),
            Self::Arn(values) => values.len(),
            Self::Null(values) => values.len(),
        }
    }

    /// Whether there is none: a positive operator is then false, a negated one true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl ArnTemplate ===

impl ArnTemplate {
    /// Splits a text at its first five colons, those inside `${…}` aside, so that the value of a variable cannot make a
    /// segment (`iam-semantics.md` §5.1). `None` unless it begins with `arn:` and has six segments.
    pub fn parse(text: &str, version: Version) -> Option<Self> {
        let syntax = Syntax { wildcards: Wildcards::Act, variables: variables(version) };
        let rest = text.strip_prefix("arn:")?;
        let (partition, rest) = split_at_colon(rest, syntax.variables)?;
        let (service, rest) = split_at_colon(rest, syntax.variables)?;
        let (region, rest) = split_at_colon(rest, syntax.variables)?;
        let (account, resource) = split_at_colon(rest, syntax.variables)?;
        Some(Self {
            segments: Box::new(
                [partition, service, region, account, resource].map(|segment| Template::parse(segment, syntax)),
            ),
        })
    }

    fn written(&self, version: Version) -> String {
        let syntax = Syntax { wildcards: Wildcards::Act, variables: variables(version) };
        let mut text = "arn".to_owned();
        for segment in &*self.segments {
            text.push(':');
            text.push_str(&segment.written(syntax));
        }
        text
    }
}

// === impl Network ===

impl Network {
    /// Reads `address` or `address/prefix`; host bits are ignored. `None` for any other text.
    ///
    /// IPv4-mapped IPv6 is IPv4, as on the request side (D16).
    pub fn parse(text: &str) -> Option<Self> {
        if !text.contains('/') {
            return Some(Self(IpNet::from(Self::parse_address(text)?)));
        }
        let network: IpNet = text.parse().ok()?;
        if let IpNet::V6(v6) = network
            && let Some(v4) = v6.addr().to_ipv4_mapped()
            && let Some(prefix) = v6.prefix_len().checked_sub(96)
        {
            return Some(Self(IpNet::V4(Ipv4Net::new(v4, prefix).ok()?.trunc())));
        }
        Some(Self(network.trunc()))
    }

    /// Reads the one address of a request, without a prefix. `None` for any other text.
    pub fn parse_address(text: &str) -> Option<IpAddr> {
        if let Ok(v4) = text.parse::<Ipv4Addr>() {
            return Some(IpAddr::V4(v4));
        }
        let v6: Ipv6Addr = text.parse().ok()?;
        Some(v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4))
    }

    /// Whether the address is inside; one of the other family is not (D17).
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

// === free functions ===

/// Whether `${…}` acts in a document of this version (D3).
pub fn variables(version: Version) -> Variables {
    match version {
        Version::V2008 => Variables::Literal,
        Version::V2012 => Variables::Act,
    }
}

/// `true` or `false` in any case.
pub fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Decodes base64: the standard alphabet of RFC 4648 §4, padded. `None` for any other text (D22).
pub fn decode_base64(text: &str) -> Option<Box<[u8]>> {
    let unpadded = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    if !text.len().is_multiple_of(4) || unpadded.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for b in unpadded.bytes() {
        let value = BASE64.iter().position(|c| *c == b)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xFF_FFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xFF).ok()?);
        }
    }
    Some(bytes.into())
}

/// Encodes base64: the standard alphabet of RFC 4648 §4, padded.
pub fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let value = usize::try_from(bits >> (18 - 6 * index) & 0x3F).unwrap_or(0);
            text.push(if index <= chunk.len() { BASE64.get(value).map_or('=', |c| char::from(*c)) } else { '=' });
        }
    }
    text
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn text_syntax(base: Base, version: Version) -> Syntax {
    let wildcards = match base {
        Base::StringLike | Base::StringNotLike => Wildcards::Act,
        _ => Wildcards::Literal,
    };
    Syntax { wildcards, variables: variables(version) }
}

/// Seconds since the epoch where RFC 3339 has no year.
fn write_instant(instant: &Instant) -> String {
    if instant.is_in_calendar() {
        return instant.to_string();
    }
    let nanoseconds = i128::from(instant.seconds) * 1_000_000_000 + i128::from(instant.nanoseconds);
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let magnitude = nanoseconds.unsigned_abs();
    let (seconds, fraction) = (magnitude / 1_000_000_000, magnitude % 1_000_000_000);
    if fraction == 0 { format!("{sign}{seconds}") } else { format!("{sign}{seconds}.{fraction:09}") }
}

/// Splits at the first colon that is not inside a variable.
fn split_at_colon(text: &str, variables: Variables) -> Option<(&str, &str)> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let colon = rest.find(':')?;
        let variable = match variables {
            Variables::Act => rest.find("${").filter(|start| *start < colon),
            Variables::Literal => None,
        };
        match variable.and_then(|start| Some((start, rest.get(start..)?))) {
            Some((start, from)) => {
                let length = Template::variable_len(from).unwrap_or("${".len());
                at = at.checked_add(start)?.checked_add(length)?;
            }
            None => {
                let colon = at.checked_add(colon)?;
                return Some((text.get(..colon)?, text.get(colon.checked_add(1)?..)?));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn networks_ignore_host_bits_and_fold_mapped_addresses() {
        for (text, expected) in [
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("10.1.2.3", Some("10.1.2.3/32")),
            ("fe80::1", Some("fe80::1/128")),
            ("2001:0DB8::/32", Some("2001:db8::/32")),
            ("::ffff:203.0.113.9", Some("203.0.113.9/32")),
            ("::ffff:203.0.113.9/120", Some("203.0.113.0/24")),
            ("::/0", Some("::/0")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("10.0.0.0/33", None),
            ("10.0.0/8", None),
            ("010.0.0.1", None),
            ("10.0.0.0/", None),
            ("${ip}", None),
            ("", None),
        ] {
            assert_eq!(Network::parse(text).map(|network| network.0.to_string()).as_deref(), expected, "{text}");
        }
        assert!(Network::parse_address("10.0.0.1/32").is_none());
        assert!(!Network::parse("::/0").unwrap().contains(Network::parse_address("10.0.0.1").unwrap()));
        assert!(Network::parse("10.0.0.0/8").unwrap().contains(Network::parse_address("::ffff:10.9.9.9").unwrap()));
    }

    #[test]
    fn base64_needs_its_padding() {
        assert_eq!(decode_base64("d29ybGQ=").as_deref(), Some(&b"world"[..]));
        assert_eq!(decode_base64("").as_deref(), Some(&b""[..]));
        for text in ["d29ybGQ", "d29ybGQ==", "=", "====", "a===", ":::illegal-base64!!@#", "YW_y", "YQ=a", "Y Q="] {
            assert_eq!(decode_base64(text), None, "{text}");
        }
    }

    #[test]
    fn colons_inside_variables_do_not_split_an_arn() {
        let arn =
            ArnTemplate::parse("arn:aws:iam::${aws:PrincipalAccount, 'a:b'}:user/${aws:username}:x", Version::V2012)
                .unwrap();
        let texts = arn.segments.each_ref().map(ToString::to_string);
        assert_eq!(texts, ["aws", "iam", "", "${aws:PrincipalAccount, 'a:b'}", "user/${aws:username}:x"]);
        let literal = ArnTemplate::parse("arn:a:b:c:${d:e", Version::V2012).unwrap();
        assert_eq!(literal.segments[4].to_string(), "e");
        let old = ArnTemplate::parse("arn:aws:iam::${a:b}:x", Version::V2008).unwrap();
        assert_eq!(old.segments[4].to_string(), "b}:x");
        for text in ["arn:aws:iam::x", "ARN:a:b:c:d:e", "*:a:b:c:d:e", "", "arn:${a:b:c:d:e}"] {
            assert_eq!(ArnTemplate::parse(text, Version::V2012), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn base64_is_read_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode_base64(&encode_base64(&bytes)), Some(bytes.into()));
        }

        #[test]
        fn values_are_read_back(base in 0usize..27, texts in prop::collection::vec(prop_oneof![
            "\\PC{0,12}", "arn(:[a${}*?':, ]{0,6}){3,7}", "[a*?${}, ':]{0,16}", "-?[0-9]{1,25}(\\.[0-9]{1,11})?", "[0-9a-f:.]{1,12}(/[0-9]{1,3})?"
        ], 0..4), old in any::<bool>()) {
            let version = if old { Version::V2008 } else { Version::V2012 };
            let (_, base) = Base::ALL[base];
            let values = Values::parse(base, version, texts.iter().map(String::as_str));
            let written = values.written(base, version);
            prop_assert_eq!(Values::parse(base, version, written.iter().map(String::as_str)), values, "{:?}", written);
        }
    }
}
