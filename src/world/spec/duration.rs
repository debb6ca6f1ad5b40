//! Lengths and points of time as Kubernetes writes them.

use crate::world::finding::Quoted;

/// Seconds of a duration: numbers, each with one of the units `d`, `h`, `m`, `s`: `90d`, `1h30m`. At most four of them,
/// at most five digits each, as in Kubernetes' gateway durations, and `d` beside.
///
/// # Errors
/// With a message when the text is no such duration.
pub(in crate::world) fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("{} is no duration; expected numbers with units, like `1h30m` or `90d`", Quoted(text));
    let mut total = 0u32;
    let mut rest = text;
    for _ in 0..4 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest.get(..digits).filter(|n| (1..=5).contains(&n.len())).ok_or_else(wrong)?;
        let number: u32 = number.parse().map_err(|_| wrong())?;
        let unit = rest.get(digits..).and_then(|rest| rest.chars().next());
        let seconds = match unit {
            Some('d') => 86_400,
            Some('h') => 3_600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(wrong()),
        };
        total = number.checked_mul(seconds).and_then(|n| n.checked_add(total)).ok_or_else(wrong)?;
        rest = rest.get(digits.saturating_add(1)..).unwrap_or("");
        if rest.is_empty() {
            return Ok(total);
        }
    }
    Err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, right) in [
            ("1h", Some(3_600)),
            ("12h", Some(43_200)),
            ("1h30m", Some(5_400)),
            ("3600s", Some(3_600)),
            ("90d", Some(7_776_000)),
            ("1d1h1m1s", Some(90_061)),
            ("", None),
            ("1", None),
            ("h", None),
            ("1.5h", None),
            ("-1h", None),
            ("1 h", None),
            ("1h ", None),
            ("100000s", None),
            ("99999d", None),
            ("1s1s1s1s1s", None),
            ("1ms", None),
            ("1ħ", None),
        ] {
            assert_eq!(seconds(text).ok(), right, "{text:?}");
        }
    }
}
