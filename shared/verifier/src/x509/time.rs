//! Points in time as certificates state them.

use std::fmt;

use time::format_description::well_known::Rfc3339;

use crate::x509::der::{Element, Malformed, Tag};

/// A point in time: seconds since 1970-01-01T00:00:00Z, negative before it.
///
/// Displays as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Creates a point in time from seconds since the Unix epoch.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Returns the present time of the system's clock.
    pub fn now() -> Self {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(since_epoch.map_or(0, |duration| {
            i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
        }))
    }

    /// Returns the seconds since the Unix epoch.
    pub const fn unix_seconds(self) -> i64 {
        self.0
    }

    /// Returns this point in time moved by `seconds`, or the nearest that can be represented.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Reads an RFC 3339 time such as `2026-11-22T05:29:00Z`; a fraction of a second is cut off.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] for everything else.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTimestamp> {
        time::OffsetDateTime::parse(text, &Rfc3339)
            .map(|at| Self(at.unix_timestamp()))
            .map_err(|_| InvalidTimestamp)
    }

    /// Reads the `Time` of RFC 5280 §4.1.2.5: UTCTime or GeneralizedTime, with seconds, in Zulu.
    pub(crate) fn from_element(element: Element<'_>) -> Result<Self, Malformed> {
        let digits = element.content.strip_suffix(b"Z").ok_or(Malformed)?;
        match (element.tag, digits.len()) {
            (Tag::UTC_TIME, 12) => {
                // RFC 5280 §4.1.2.5.1: years from 50 on are of the 20th century.
                let century: &[u8] = if digits.first().is_some_and(|digit| *digit >= b'5') {
                    b"19"
                } else {
                    b"20"
                };
                from_digits(&[century, digits].concat())
            }
            (Tag::GENERALIZED_TIME, 14) => from_digits(digits),
            _ => Err(Malformed),
        }
    }

    /// Converts to webpki's type, which cannot represent times before 1970; these become 1970.
    pub(crate) fn to_webpki(self) -> rustls_pki_types::UnixTime {
        let seconds = u64::try_from(self.0).unwrap_or(0);
        rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    }
}

/// The text is not a point in time as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-11-22T05:29:00Z")]
pub struct InvalidTimestamp;

/// As [`Timestamp::parse_rfc3339`].
impl std::str::FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        Self::parse_rfc3339(text)
    }
}

/// Reads `YYYYMMDDhhmmss`.
fn from_digits(digits: &[u8]) -> Result<Timestamp, Malformed> {
    let mut fields = digits.chunks_exact(2).map(|pair| match pair {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok((tens - b'0') * 10 + (ones - b'0')),
        _ => Err(Malformed),
    });
    let mut field = || fields.next().ok_or(Malformed)?;
    let year = i32::from(field()?) * 100 + i32::from(field()?);
    let month = time::Month::try_from(field()?).map_err(|_| Malformed)?;
    let date = time::Date::from_calendar_date(year, month, field()?).map_err(|_| Malformed)?;
    // A leap second, 60, is not read: X.509 times do not have one in practice.
    let time = time::Time::from_hms(field()?, field()?, field()?).map_err(|_| Malformed)?;
    Ok(Timestamp(date.with_time(time).assume_utc().unix_timestamp()))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = time::OffsetDateTime::from_unix_timestamp(self.0).ok();
        // RFC 3339 knows the years 0 to 9999.
        match at.and_then(|at| at.format(&Rfc3339).ok()) {
            Some(text) => formatter.write_str(&text),
            None => write!(formatter, "{} seconds since 1970", self.0),
        }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_displays_the_same_text() {
        for text in [
            "1950-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "2024-02-29T23:59:59Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Timestamp::parse_rfc3339("2023-09-21T01:50:17Z")
                .unwrap()
                .unix_seconds(),
            1_695_261_017
        );
    }

    #[test]
    fn refuses_days_that_do_not_exist() {
        for text in [
            "2023-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(InvalidTimestamp), "{text}");
        }
    }

    #[test]
    fn two_digit_years_from_50_on_are_of_the_last_century() {
        let read = |content: &[u8]| {
            Timestamp::from_element(Element {
                tag: Tag::UTC_TIME,
                content,
                encoding: &[],
                offset: 0,
            })
        };
        assert_eq!(
            read(b"500101000000Z").unwrap().to_string(),
            "1950-01-01T00:00:00Z"
        );
        assert_eq!(
            read(b"491231235959Z").unwrap().to_string(),
            "2049-12-31T23:59:59Z"
        );
        assert_eq!(read(b"4912312359Z"), Err(Malformed), "seconds are mandatory");
        assert_eq!(read(b"491231235959+0000"), Err(Malformed), "Zulu is mandatory");
    }
}
