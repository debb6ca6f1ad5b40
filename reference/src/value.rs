//! Typed values: text of JSON scalars, numbers, dates, addresses, bytes (§6.3).
//!
//! Every reader returns `None` for text that it cannot read; the comparison is then "bad", which is neither true nor false.

use std::cmp::Ordering;
use std::net::IpAddr;

use serde_json::Value;

/// The text of a JSON scalar (§2 rule 11): booleans as `true`, `false`, numbers as shortest decimal; else `None`.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) if number.is_f64() => number.as_f64().map(|number| number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Simple lower-casing, one character at a time (§3).
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether the text is one or more ASCII digits.
fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An exact decimal: `sign * 0.digits * 10^point`. `digits` has no zero at either end; zero has no digits at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    digits: String,
    point: i64,
}

impl Number {
    /// Reads sign, digits, fraction and exponent; the last three optional as in `-12.50e3`.
    pub fn read(text: &str) -> Option<Self> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        if !is_digits(whole)
            || !is_digits(fraction)
            || !is_digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))
        {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let shift = i64::try_from(whole.len()).ok()? - i64::try_from(all.len() - significant.len()).ok()?;
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, point: 0 });
        }
        Some(Self { negative, digits, point: exponent.parse::<i64>().ok()?.checked_add(shift)? })
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, negative) => {
                if negative {
                    -1
                } else {
                    1
                }
            }
        };
        let magnitude = || self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then_with(|| if self.negative { magnitude().reverse() } else { magnitude() })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An instant: seconds since 1970-01-01 UTC, rounded down, and the digits of the fraction without zeros at the end.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(i128, String);

impl Instant {
    /// Reads epoch seconds or the W3C profile of ISO 8601 (D9: a bare integer is seconds).
    pub fn read(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if is_digits(whole) {
            let fraction = is_digits(fraction).then(|| fraction.trim_end_matches('0').to_owned())?;
            return Some(Self(whole.parse().ok()?, fraction));
        }
        let (date, time) = text.split_once(['T', 't']).unwrap_or((text, "00:00"));
        let (year, month, day) = match *date.split('-').collect::<Vec<_>>() {
            [year, month] if date == text => (year, month, "01"),
            [year, month, day] => (year, month, day),
            _ => return None,
        };
        let (year, month) = (field(year, 4, 0, 9999)?, field(month, 2, 1, 12)?);
        let days = days_before(year, month) + field(day, 2, 1, days_in(year, month))? - 1;
        let (clock, offset) = match time.find(['Z', '+', '-']).and_then(|at| time.split_at_checked(at)) {
            Some((clock, zone)) => (clock, offset(zone)?),
            None => (time, 0),
        };
        let (hour, minute, second) = match *clock.split(':').collect::<Vec<_>>() {
            [hour, minute] => (hour, minute, "00"),
            [hour, minute, second] => (hour, minute, second),
            _ => return None,
        };
        let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
        if !is_digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let seconds = field(hour, 2, 0, 23)? * 3600 + field(minute, 2, 0, 59)? * 60 + field(second, 2, 0, 59)?;
        Some(Self(i128::from(days * 86_400 + seconds - offset), fraction.trim_end_matches('0').to_owned()))
    }
}

/// Seconds that the clocks of a zone are ahead of UTC: `Z`, `+hh:mm`, `-hh:mm`, `+hh`, `-hh`.
fn offset(zone: &str) -> Option<i64> {
    let Some(amount) = zone.strip_prefix(['+', '-']) else { return (zone == "Z").then_some(0) };
    let (hours, minutes) = amount.split_once(':').unwrap_or((amount, "00"));
    let seconds = field(hours, 2, 0, 23)? * 3600 + field(minutes, 2, 0, 59)? * 60;
    Some(if zone.starts_with('-') { -seconds } else { seconds })
}

/// A field of exactly `width` digits within the bounds, both inclusive.
fn field(text: &str, width: usize, least: i64, most: i64) -> Option<i64> {
    let value = (is_digits(text) && text.len() == width).then(|| text.parse::<i64>().ok())??;
    (least..=most).contains(&value).then_some(value)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first day of the month, counted one year and one month at a time.
fn days_before(year: i64, month: i64) -> i64 {
    let length = |year: i64| if is_leap(year) { 366 } else { 365 };
    let years: i64 = if year >= 1970 { (1970..year).map(length).sum() } else { -(year..1970).map(length).sum::<i64>() };
    years + (1..month).map(|month| days_in(year, month)).sum::<i64>()
}

/// Whether the request address lies in the policy's network; `None` if either is unreadable (D16, D17).
pub fn ip_inside(network: &str, address: &str) -> Option<bool> {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, Some(length)),
        None => (network, None),
    };
    let base: IpAddr = base.parse().ok()?;
    let width = if base.is_ipv4() { 32 } else { 128 };
    let length: u32 = match length {
        Some(length) => is_digits(length).then(|| length.parse().ok())??,
        None => width,
    };
    if length > width {
        return None;
    }
    // A network of mapped addresses only is the IPv4 network that they stand for, as the request side is read (D16).
    let (base, width, length) = match base.to_canonical() {
        IpAddr::V4(mapped) if !base.is_ipv4() && length >= 96 => (IpAddr::V4(mapped), 32, length - 96),
        _ => (base, width, length),
    };
    let address: IpAddr = address.parse().ok()?;
    let address = address.to_canonical();
    if base.is_ipv4() != address.is_ipv4() {
        return Some(false);
    }
    let bits = |address: &IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    Some((0..width).rev().take(length as usize).all(|bit| bits(&base) >> bit & 1 == bits(&address) >> bit & 1))
}

/// Decodes base64 of the standard alphabet with padding (D22).
pub fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let body = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let mut bits = Vec::new();
    for character in body.chars() {
        let value = ALPHABET.chars().position(|known| known == character)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let (whole, rest) = bits.split_at_checked(bits.len() / 8 * 8)?;
    if !text.len().is_multiple_of(4) || rest.len() >= 6 || rest.contains(&1) {
        return None;
    }
    whole.chunks(8).map(|bits| u8::try_from(bits.iter().fold(0, |byte, bit| byte << 1 | bit)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_exactly() {
        let compare = |a: &str, b: &str| Number::read(a).unwrap().cmp(&Number::read(b).unwrap());
        assert_eq!(compare("10", "10.0"), Ordering::Equal);
        assert_eq!(compare("0.1", "1e-1"), Ordering::Equal);
        assert_eq!(compare("+1200", "1.2E3"), Ordering::Equal);
        assert_eq!(compare("-0", "0.00"), Ordering::Equal);
        assert_eq!(compare("9007199254740993", "9007199254740992"), Ordering::Greater);
        assert_eq!(compare("-2", "-10"), Ordering::Greater);
        assert_eq!(compare("-1", "0"), Ordering::Less);
        assert_eq!(compare("99", "100"), Ordering::Less);
        assert_eq!(compare("0.09", "0.1"), Ordering::Less);
        for bad in ["", "-", "10abc", " 1", "1 ", ".5", "5.", "1e", "0x10", "NaN", "1_0"] {
            assert_eq!(Number::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_compare_as_instants() {
        let read = |text: &str| Instant::read(text).unwrap();
        assert_eq!(read("2012-10-17T00:00:00Z"), read("1350432000"));
        assert_eq!(read("2012-10"), read("2012-10-01T00:00Z"));
        assert_eq!(read("2012-10-17T02:00+02:00"), read("2012-10-17"));
        assert_eq!(read("2012-10-16T23:30:00-00:30"), read("2012-10-17T00:00:00"));
        assert_eq!(read("1969-12-31T23:59:59.50Z"), Instant(-1, "5".to_owned()));
        assert_eq!(read("2024-02-29"), read("1709164800.0"));
        assert_eq!(read("2024"), Instant(2024, String::new()));
        assert!(read("1.25") > read("1.2") && read("1.25") < read("1.3"));
        for bad in [
            "",
            "now",
            "2023-02-29",
            "2024-1-1",
            "2024-13",
            "2024-01-01T24:00Z",
            "2024-01T00:00Z",
            "-5",
            "1.",
            "2024-01-01T00:00:00.1234567890Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01Z",
            "2024-01-01T10Z",
        ] {
            assert_eq!(Instant::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_compare_by_value_within_their_family() {
        assert_eq!(ip_inside("10.1.2.3/8", "10.9.9.9"), Some(true));
        assert_eq!(ip_inside("0.0.0.0/0", "203.0.113.9"), Some(true));
        assert_eq!(ip_inside("0.0.0.0/0", "::1"), Some(false));
        assert_eq!(ip_inside("2001:db8::/32", "2001:0DB8:0:0::1"), Some(true));
        assert_eq!(ip_inside("::1", "0:0:0:0:0:0:0:1"), Some(true));
        assert_eq!(ip_inside("203.0.113.0/24", "::ffff:203.0.113.9"), Some(true));
        assert_eq!(ip_inside("10.0.0.0/33", "10.0.0.1"), None);
        assert_eq!(ip_inside("10.0.0.0/8", "10.0.0.0/8"), None);
        assert_eq!(ip_inside("10.0.0/8", "10.0.0.1"), None);
    }

    #[test]
    fn base64_needs_padding_and_alphabet() {
        assert_eq!(base64("d29ybGQ=").unwrap(), b"world");
        assert_eq!(base64("YmFy").unwrap(), b"bar");
        assert_eq!(base64("YQ==").unwrap(), b"a");
        assert_eq!(base64("").unwrap(), b"");
        for bad in ["world", "YQ=", "YQ", "Y===", "=", "====", "Y Q=", "-_==", "YR=="] {
            assert_eq!(base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn scalars_have_one_text() {
        let of = |json: &str| text(&serde_json::from_str(json).unwrap());
        assert_eq!(of("10").as_deref(), Some("10"));
        assert_eq!(of("10.0").as_deref(), Some("10"));
        assert_eq!(of("0.1").as_deref(), Some("0.1"));
        assert_eq!(of("true").as_deref(), Some("true"));
        assert_eq!(of("null"), None);
    }
}
