//! Durations as operators write them.

use std::time::Duration;

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Parses a whole number and a unit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
    let digits = text.strip_suffix(unit)?;
    // `u64`'s own parser also takes a `+`.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let total = digits.parse::<u64>().ok()?.checked_mul(seconds)?;
    Some(Duration::from_secs(total))
}

/// Writes a duration in the largest unit of which it is a multiple.
pub(crate) fn write(seconds: u64) -> String {
    let whole = |(_, unit): &(char, u64)| seconds >= *unit && seconds.is_multiple_of(*unit);
    match UNITS.into_iter().find(whole) {
        Some((name, unit)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_digits_and_one_unit() {
        for (text, seconds) in [
            ("0s", Some(0)),
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("", None),
            ("s", None),
            ("5", None),
            ("5 s", None),
            ("+5s", None),
            ("-5s", None),
            ("1.5h", None),
            ("5S", None),
            ("1h30m", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(parse(text), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["0s", "1s", "90s", "5m", "1h", "25h", "365d"] {
            assert_eq!(write(parse(text).unwrap().as_secs()), text);
        }
    }
}
