//! What a scalar without quotes means to kubectl.
//!
//! kubectl reads YAML with sigs.k8s.io/yaml, which stands on go.yaml.in/yaml/v2: YAML 1.1 with a few rules of its own.
//! The rules here are those of its `resolve.go`, with the numbers as they leave kubectl: whole ones that fit into 64 bits
//! as integers, all others as the shortest decimal text of a double.

use smol_str::{SmolStr, format_smolstr};

/// The meaning of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    /// `~`, `null`, or nothing.
    Null,
    /// `yes`, `no`, `on`, `off`, `y`, `n`, `true`, `false`.
    Boolean(bool),
    /// A whole number, whatever base it was written in.
    Integer(i64),
    /// Any other number; also one too large for the integers of JSON's readers.
    Float(f64),
    /// Everything else, timestamps included.
    Text,
}

/// The meaning of a plain scalar without a tag.
pub(super) fn resolve(text: &str) -> Scalar {
    let Some(first) = text.chars().next() else {
        return Scalar::Null;
    };
    if let Some(word) = word(text) {
        return word;
    }
    match first {
        '.' => fraction(text).map_or(Scalar::Text, Scalar::Float),
        '0'..='9' | '+' | '-' => number(text),
        _ => Scalar::Text,
    }
}

/// The words with a meaning. Mixed case such as `yEs` is text.
fn word(text: &str) -> Option<Scalar> {
    Some(match text {
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Boolean(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Boolean(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

/// A scalar that begins with a digit or a sign. Underscores may stand anywhere in it.
fn number(text: &str) -> Scalar {
    let digits = text.replace('_', "");
    if let Some(value) = integer(&digits) {
        return whole(value);
    }
    if let Some(value) = decimal(&digits) {
        return Scalar::Float(value);
    }
    // What is left of a rule for `0b`, which lets a sign stand between the prefix and the digits.
    let binary = digits.strip_prefix("0b").and_then(|rest| signed(rest, 2));
    binary.map_or(Scalar::Text, whole)
}

/// The integers of Go's literals: `0x`, `0o`, `0b`, and a leading `0` for octal.
fn integer(text: &str) -> Option<i128> {
    let (negative, rest) = sign(text);
    let value = match rest.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => unsigned(rest.get(2..)?, 16)?,
        [b'0', b'o' | b'O', _, ..] => unsigned(rest.get(2..)?, 8)?,
        [b'0', b'b' | b'B', _, ..] => unsigned(rest.get(2..)?, 2)?,
        [b'0'] => 0,
        [b'0', ..] => unsigned(rest.get(1..)?, 8)?,
        _ => unsigned(rest, 10)?,
    };
    in_range(negative, value)
}

fn signed(text: &str, radix: u32) -> Option<i128> {
    let (negative, rest) = sign(text);
    in_range(negative, unsigned(rest, radix)?)
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// At least one digit and nothing else.
fn unsigned(digits: &str, radix: u32) -> Option<u64> {
    let all = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    if all { u64::from_str_radix(digits, radix).ok() } else { None }
}

fn in_range(negative: bool, value: u64) -> Option<i128> {
    let value = if negative { -i128::from(value) } else { i128::from(value) };
    (value >= i128::from(i64::MIN)).then_some(value)
}

/// An integer if it fits, else the double that every reader of JSON makes of it.
fn whole(value: i128) -> Scalar {
    match i64::try_from(value) {
        Ok(value) => Scalar::Integer(value),
        Err(_) => decimal(&value.to_string()).map_or(Scalar::Text, Scalar::Float),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, if it is not too large for a double.
fn decimal(text: &str) -> Option<f64> {
    let (_, rest) = sign(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(sign(exponent).1)),
        None => (rest, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction),
        None => !mantissa.is_empty() && all_digits(mantissa),
    } && exponent.is_none_or(|digits| !digits.is_empty() && all_digits(digits));
    let value: f64 = if well_formed { text.parse().ok()? } else { return None };
    value.is_finite().then_some(value)
}

/// A scalar that begins with a point: underscores only between digits.
fn fraction(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digit_at = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let separated = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'_')
        .all(|(at, _)| digit_at(at.checked_sub(1)) && digit_at(at.checked_add(1)));
    if separated { decimal(&text.replace('_', "")) } else { None }
}

/// The text of a double in JSON, as Go writes it.
pub(super) fn float_text(value: f64) -> SmolStr {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return SmolStr::new_static("0");
    }
    if (1e-6..1e21).contains(&magnitude) {
        return format_smolstr!("{value}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format_smolstr!("{mantissa}e+{exponent}"),
        _ => text.into(),
    }
}

/// The text of a double that stands as a key: shorter than as a value, since it goes through 32 bits.
pub(super) fn float_key(value: f64) -> SmolStr {
    if value.is_nan() {
        return SmolStr::new_static(".nan");
    }
    #[expect(clippy::cast_possible_truncation, reason = "the key that kubectl makes has lost these digits too")]
    let value = value as f32;
    if value.is_infinite() {
        return SmolStr::new_static(if value > 0.0 { ".inf" } else { "-.inf" });
    }
    let text = format!("{value:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text.into();
    };
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&power) {
        return format_smolstr!("{value}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format_smolstr!("{mantissa}e{sign}{:02}", power.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match resolve(text) {
            Scalar::Null => "null".to_owned(),
            Scalar::Boolean(value) => value.to_string(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Float(value) => float_text(value).to_string(),
            Scalar::Text => format!("{text:?}"),
        }
    }

    /// Each row was sent through sigs.k8s.io/yaml 1.6.0 and apimachinery 0.37.2.
    #[test]
    fn plain_scalars_mean_what_kubectl_sends() {
        for (text, sent) in [
            ("", "null"),
            ("~", "null"),
            ("null", "null"),
            ("Null", "null"),
            ("nUll", "\"nUll\""),
            ("y", "true"),
            ("Y", "true"),
            ("yes", "true"),
            ("On", "true"),
            ("TRUE", "true"),
            ("n", "false"),
            ("NO", "false"),
            ("off", "false"),
            ("False", "false"),
            ("yEs", "\"yEs\""),
            ("t", "\"t\""),
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("+12", "12"),
            ("012", "10"),
            ("-012", "-10"),
            ("08", "8"),
            ("0o14", "12"),
            ("0x1F", "31"),
            ("-0x1f", "-31"),
            ("0x", "\"0x\""),
            ("0b101", "5"),
            ("0b-1", "-1"),
            ("0b+1", "1"),
            ("-0b-1", "\"-0b-1\""),
            ("1_000", "1000"),
            ("1__0_", "10"),
            ("_1", "\"_1\""),
            ("1e3", "1000"),
            ("1E-2", "0.01"),
            ("1.", "1"),
            ("1.50", "1.5"),
            (".5", "0.5"),
            (".5_5", "0.55"),
            (".5_", "\".5_\""),
            ("._5", "\"._5\""),
            ("-.5", "-0.5"),
            ("1e21", "1e+21"),
            ("1e20", "100000000000000000000"),
            ("1e-6", "0.000001"),
            ("1e-7", "1e-7"),
            ("1e999", "\"1e999\""),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9223372036854776000"),
            ("18446744073709551615", "18446744073709552000"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("99999999999999999999", "100000000000000000000"),
            ("12:30", "\"12:30\""),
            ("190:20:30", "\"190:20:30\""),
            ("2012-10-17", "\"2012-10-17\""),
            ("2026-01-01T00:00:00Z", "\"2026-01-01T00:00:00Z\""),
            ("1.2.3", "\"1.2.3\""),
            ("10.0.0.0/8", "\"10.0.0.0/8\""),
            ("1h", "\"1h\""),
            ("-", "\"-\""),
            ("+", "\"+\""),
            (".", "\".\""),
            ("1e", "\"1e\""),
            ("e1", "\"e1\""),
            ("<<", "\"<<\""),
        ] {
            assert_eq!(shown(text), sent, "{text:?}");
        }
    }

    #[test]
    fn numbers_as_keys_are_shortened_to_32_bits() {
        for (value, key) in [
            (1e5, "100000"),
            (1e6, "1e+06"),
            (1.5, "1.5"),
            (1e22, "1e+22"),
            (123456789.5, "1.2345679e+08"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e40, ".inf"),
            (f64::NEG_INFINITY, "-.inf"),
            (1234567.0, "1.234567e+06"),
        ] {
            assert_eq!(float_key(value), key);
        }
    }

    #[test]
    fn infinities_are_no_text() {
        assert_eq!(resolve("-.Inf"), Scalar::Float(f64::NEG_INFINITY));
        assert!(matches!(resolve(".NaN"), Scalar::Float(value) if value.is_nan()));
    }
}
