//! Exact decimal numbers (`iam-semantics.md` §6.3, *Number*).

use std::cmp::Ordering;
use std::fmt::Write as _;

/// An exact decimal number.
///
/// Kept as sign, significant digits without leading or trailing zeros, and a power of ten, so that `10`, `10.0` and
/// `1e1` are equal and nothing is rounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// `0`–`9` each; empty for zero.
    digits: Box<[u8]>,
    /// The value is `0.digits × 10^exponent`.
    exponent: i64,
}

// === impl Decimal ===

impl Decimal {
    /// The largest power of ten of a number that is read, and its negation the smallest.
    pub const MAX_EXPONENT: i64 = 1_000_000;
    /// Characters of the longest number that is written without an exponent.
    const PLAIN_CHARS: i64 = 64;

    /// The parts of a number: its sign, digits `0`–`9` (values, not characters) and the power of ten, so that the value
    /// is `0.digits × 10^exponent`. Leading and trailing zeros are removed.
    pub fn from_parts(negative: bool, digits: &[u8], exponent: i64) -> Self {
        let leading = digits.iter().take_while(|d| **d == 0).count();
        let digits = digits.get(leading..).unwrap_or(&[]);
        let trailing = digits.iter().rev().take_while(|d| **d == 0).count();
        let digits = digits.get(..digits.len().saturating_sub(trailing)).unwrap_or(&[]);
        if digits.is_empty() {
            return Self { negative: false, digits: Box::default(), exponent: 0 };
        }
        let exponent = exponent.saturating_sub(i64::try_from(leading).unwrap_or(i64::MAX));
        Self { negative, digits: digits.into(), exponent }
    }

    /// Reads an optional sign, digits, an optional fraction and an optional exponent, and nothing else.
    ///
    /// `None` for any other text, and when the power of ten is beyond [`Decimal::MAX_EXPONENT`].
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|b| b.saturating_sub(b'0')).collect();
        let decimal = Self::from_parts(negative, &digits, exponent.saturating_add(i64::try_from(whole.len()).ok()?));
        (-Self::MAX_EXPONENT..=Self::MAX_EXPONENT).contains(&decimal.exponent).then_some(decimal)
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The shortest decimal text: no zeros that say nothing, no exponent unless the number is very long without.
impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.negative {
            f.write_char('-')?;
        }
        let digit = |d: &u8| char::from(d.saturating_add(b'0'));
        let count = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        let length = self.exponent.max(count.saturating_sub(self.exponent)).max(count);
        if length > Self::PLAIN_CHARS {
            for (index, d) in self.digits.iter().enumerate() {
                if index == 1 {
                    f.write_char('.')?;
                }
                f.write_char(digit(d))?;
            }
            return write!(f, "e{}", self.exponent.saturating_sub(1));
        }
        if self.exponent <= 0 {
            f.write_char('0')?;
        }
        let mut place = self.exponent;
        if place < 0 && !self.digits.is_empty() {
            f.write_char('.')?;
            for _ in place..0 {
                f.write_char('0')?;
            }
        }
        for d in &*self.digits {
            if place == 0 {
                f.write_char('.')?;
            }
            f.write_char(digit(d))?;
            place = place.saturating_sub(1);
        }
        for _ in 0..place {
            f.write_char('0')?;
        }
        Ok(())
    }
}

// === free functions ===

/// A sign and digits; beyond `i64` it stops at the limit, which is out of bounds anyway unless the number is zero.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits
        .bytes()
        .fold(0i64, |value, b| value.saturating_mul(10).saturating_add(i64::from(b.saturating_sub(b'0'))))
        .min(i64::MAX / 4);
    Some(if negative { magnitude.saturating_neg() } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shortest(text: &str) -> Option<String> {
        Decimal::parse(text).map(|decimal| decimal.to_string())
    }

    #[test]
    fn a_number_has_one_shortest_text() {
        for (text, expected) in [
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("+007", "7"),
            ("-0", "0"),
            ("0e99999999999999999999", "0"),
            ("0.1", "0.1"),
            ("-12.5e-3", "-0.0125"),
            ("100", "100"),
            ("12345678901234567890123456789", "12345678901234567890123456789"),
            ("1e100", "1e100"),
            ("15e-100", "1.5e-99"),
        ] {
            assert_eq!(shortest(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in [
            "",
            "-",
            "10abc",
            " 1",
            "1 ",
            "1.",
            ".5",
            "1e",
            "1e+",
            "0x10",
            "NaN",
            "1,5",
            "1e1000001",
            "1e-1000002",
            "--1",
        ] {
            assert_eq!(shortest(text), None, "{text}");
        }
    }

    #[test]
    fn order_is_by_value() {
        let read = |text: &str| Decimal::parse(text).unwrap();
        assert_eq!(read("10"), read("10.0"));
        assert_eq!(read("10"), read("1e1"));
        assert!(read("9") < read("10"));
        assert!(read("-10") < read("-9"));
        assert!(read("0.09") < read("0.1"));
        assert!(read("-1") < read("0"));
        assert!(read("9007199254740993") > read("9007199254740992"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn text_and_value_agree(text in "[+-]?[0-9]{1,30}(\\.[0-9]{1,30})?(e[+-]?[0-9]{1,6})?") {
            if let Some(decimal) = Decimal::parse(&text) {
                prop_assert_eq!(Decimal::parse(&decimal.to_string()), Some(decimal));
            }
        }

        #[test]
        fn integers_compare_as_integers(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (Decimal::parse(&a.to_string()).unwrap(), Decimal::parse(&b.to_string()).unwrap());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.to_string(), a.to_string());
        }
    }
}
