//! Points in time (`iam-semantics.md` §6.3, *Date*).

/// A point in time: seconds since 1970-01-01T00:00:00Z and a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// Nanoseconds above that, 0 to 999,999,999.
    pub nanoseconds: u32,
}

const SECONDS_PER_DAY: i64 = 86_400;

// === impl Instant ===

impl Instant {
    /// Reads seconds since the epoch (digits with an optional fraction, D9) or the W3C profile of
    /// ISO 8601: `YYYY-MM`, `YYYY-MM-DD` or `YYYY-MM-DDThh:mm[:ss[.f]]` with `Z`, an offset, or nothing for UTC.
    ///
    /// `2024` alone is second 2024 of the epoch. `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        parse_epoch(text).or_else(|| parse_calendar(text))
    }

    /// Days since the epoch and the seconds of that day.
    fn split(self) -> (i64, i64) {
        (self.seconds.div_euclid(SECONDS_PER_DAY), self.seconds.rem_euclid(SECONDS_PER_DAY))
    }

    /// Whether the year has four digits, which RFC 3339 needs.
    pub fn is_in_calendar(self) -> bool {
        let (year, _, _) = civil_from_days(self.split().0);
        (0..=9_999).contains(&year)
    }
}

/// RFC 3339 in UTC, `2026-01-02T03:04:05Z`, with the digits of the fraction that are needed.
impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (days, seconds) = self.split();
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanoseconds > 0 {
            let fraction = format!("{:09}", self.nanoseconds);
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

// === free functions ===

fn parse_epoch(text: &str) -> Option<Instant> {
    let (whole, nanoseconds) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, parse_fraction(fraction)?),
        None => (text, 0),
    };
    Some(Instant { seconds: digits(whole)?.parse().ok()?, nanoseconds })
}

fn parse_calendar(text: &str) -> Option<Instant> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 2)?;
    let day = parts.next().map_or(Some(1), |day| number(day, 2))?;
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let midnight = days_from_civil(year, month, day).checked_mul(SECONDS_PER_DAY)?;
    let Some(time) = time else { return Some(Instant { seconds: midnight, nanoseconds: 0 }) };
    if date.len() != "YYYY-MM-DD".len() {
        return None;
    }
    let (clock, offset) = split_zone(time)?;
    let mut parts = clock.splitn(3, ':');
    let hour = number(parts.next()?, 2)?;
    let minute = number(parts.next()?, 2)?;
    let (second, nanoseconds) = match parts.next() {
        None => (0, 0),
        Some(text) => match text.split_once('.') {
            None => (number(text, 2)?, 0),
            Some((second, fraction)) => (number(second, 2)?, parse_fraction(fraction)?),
        },
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = midnight.checked_add(hour * 3_600 + minute * 60 + second)?.checked_sub(offset)?;
    Some(Instant { seconds, nanoseconds })
}

/// The clock part of a time, and its offset from UTC in seconds.
fn split_zone(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let (clock, zone) = time.split_at_checked(at)?;
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some((clock, sign * (hours * 3_600 + minutes * 60)))
}

/// One to nine digits as nanoseconds.
fn parse_fraction(text: &str) -> Option<u32> {
    let digits = digits(text).filter(|text| text.len() <= 9)?;
    format!("{digits:0<9}").parse().ok()
}

/// A number of exactly so many digits.
fn number(text: &str, length: usize) -> Option<i64> {
    digits(text).filter(|text| text.len() == length)?.parse().ok()
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar: years begin in March, eras have 400 years.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        Instant::parse(text).map(|instant| instant.to_string())
    }

    #[test]
    fn epoch_seconds_and_calendar_dates_are_read() {
        for (text, expected) in [
            ("0", "1970-01-01T00:00:00Z"),
            ("1350432000", "2012-10-17T00:00:00Z"),
            ("1350432000.5", "2012-10-17T00:00:00.5Z"),
            ("1969-12-31T23:59:59.75Z", "1969-12-31T23:59:59.75Z"),
            ("2024", "1970-01-01T00:33:44Z"),
            ("2024-02", "2024-02-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2026-01-02T03:04", "2026-01-02T03:04:00Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.120+01:30", "2026-01-02T01:34:05.12Z"),
            ("2026-01-01T00:00:00-05:00", "2026-01-01T05:00:00Z"),
            ("0000-01-01", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "-",
            "-1",
            "+1",
            "1.",
            "1.0000000001",
            "9223372036854775808",
            "2023-02-29",
            "2024-13",
            "2024-1",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01 00:00:00",
            "2024-01-01T00:00:00+1",
            "2024-01T00:00",
            "01T",
            "sdfdsf",
            "2024-01-01T00:00:00Zx",
            "2024-01-01t00:00:00z",
            "${aws:CurrentTime}",
            "12345-01-01",
            "2024-01-01T00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01-01",
            "2024-01-01T00:00:00+24:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn days_and_dates_are_inverse(days in -1_000_000_000i64..1_000_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
            prop_assert!((1..=days_in_month(year, month)).contains(&day));
        }

        #[test]
        fn rfc_3339_is_read_back(seconds in -62_167_219_200i64..253_402_300_800, nanoseconds in 0u32..1_000_000_000) {
            let instant = Instant { seconds, nanoseconds };
            prop_assert!(instant.is_in_calendar());
            prop_assert_eq!(Instant::parse(&instant.to_string()), Some(instant));
        }

        #[test]
        fn any_instant_has_a_text(seconds in any::<i64>(), nanoseconds in 0u32..1_000_000_000) {
            let text = Instant { seconds, nanoseconds }.to_string();
            prop_assert!(!text.is_empty());
        }
    }
}
