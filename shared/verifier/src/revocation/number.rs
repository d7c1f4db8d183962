//! Numbers and versions of CRLs.

use std::fmt;

use crate::x509::der::{Malformed, shortest};
use crate::x509::time::Timestamp;

/// The number of a CRL, which its issuer raises with every one (RFC 5280 §5.2.3): up to 20 octets.
///
/// Displays in hexadecimal, as `openssl crl -text` does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlNumber([u8; LENGTH]);

const LENGTH: usize = 20;

impl CrlNumber {
    /// Takes the content of a DER INTEGER. Returns `None` for a number that is negative or longer
    /// than 20 octets: it is not one that RFC 5280 §5.2.3 defines, and its list is ordered by date,
    /// like a list without a number.
    pub(crate) fn from_integer(content: &[u8]) -> Result<Option<Self>, Malformed> {
        let number = shortest(content);
        let magnitude = match number {
            [] => return Err(Malformed),
            [0x80..=0xFF, ..] => return Ok(None),
            [0x00, rest @ ..] => rest,
            _ => number,
        };
        let Some(padding) = LENGTH.checked_sub(magnitude.len()) else {
            return Ok(None);
        };
        let mut octets = [0; LENGTH];
        for (to, from) in octets.iter_mut().skip(padding).zip(magnitude) {
            *to = *from;
        }
        Ok(Some(Self(octets)))
    }
}

/// The text is not a CRL number as it is displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CRL number such as 0x2A")]
pub struct InvalidCrlNumber;

/// Reads what `Display` writes.
impl std::str::FromStr for CrlNumber {
    type Err = InvalidCrlNumber;

    fn from_str(text: &str) -> Result<Self, InvalidCrlNumber> {
        let digits = text.strip_prefix("0x").ok_or(InvalidCrlNumber)?;
        if digits.is_empty() || digits.len() > 2 * LENGTH {
            return Err(InvalidCrlNumber);
        }
        let mut octets = [0; LENGTH];
        base16ct::mixed::decode(format!("{digits:0>40}"), &mut octets).map_err(|_| InvalidCrlNumber)?;
        Ok(Self(octets))
    }
}

impl fmt::Display for CrlNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("0x")?;
        let mut significant = self.0.iter().skip_while(|octet| **octet == 0);
        match significant.next() {
            None => formatter.write_str("0"),
            Some(first) => {
                write!(formatter, "{first:X}")?;
                significant.try_for_each(|octet| write!(formatter, "{octet:02X}"))
            }
        }
    }
}

impl fmt::Debug for CrlNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl serde::Serialize for CrlNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Number and date of a CRL: its place among the others of its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlVersion {
    /// CRLNumber (RFC 5280 §5.2.3).
    pub number: Option<CrlNumber>,
    /// Date of the list.
    pub this_update: Timestamp,
}

impl CrlVersion {
    /// Returns true if a list of this version must not take the place of one of the `other`
    /// version.
    ///
    /// The number decides. The date decides between equal numbers, and where one of the two lists
    /// has no number: many CAs write none, and RFC 5280 §5.1.2.4 wants a thisUpdate in each.
    pub fn is_older_than(self, other: Self) -> bool {
        match (self.number, other.number) {
            (Some(own), Some(theirs)) if own != theirs => own < theirs,
            _ => self.this_update < other.this_update,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_order_by_value_whatever_their_length() {
        let number = |content: &[u8]| CrlNumber::from_integer(content).unwrap().unwrap();
        assert!(number(&[9]) < number(&[10]));
        assert!(number(&[0x7F]) < number(&[0x00, 0x80]));
        assert!(number(&[0x00, 0xFF]) < number(&[0x01, 0x00]));
        assert_eq!(number(&[0x00, 0x00, 0x07]), number(&[0x07]));
        assert_eq!(number(&[0x00, 0xAB, 0x0C]).to_string(), "0xAB0C");
        assert_eq!(number(&[0x00]).to_string(), "0x0");
        for written in [&[0x00][..], &[0x07], &[0x00, 0xAB, 0x0C], &[0x7F; 20]] {
            assert_eq!(number(written).to_string().parse(), Ok(number(written)));
        }
        for text in ["", "7", "0x", "0xG", "0x-1", &format!("0x{}", "1".repeat(41))] {
            assert_eq!(text.parse::<CrlNumber>(), Err(InvalidCrlNumber), "{text}");
        }
    }

    #[test]
    fn negative_and_overlong_numbers_order_nothing() {
        assert_eq!(CrlNumber::from_integer(&[]), Err(Malformed));
        for content in [&[0x80][..], &[0xFF; 3], &[0x01; 21], &[0x7F; 300]] {
            assert_eq!(CrlNumber::from_integer(content), Ok(None), "{content:x?}");
        }
        for content in [&[0x7F; 20][..], &[&[0][..], &[0xFF; 20]].concat(), &[0]] {
            assert!(
                matches!(CrlNumber::from_integer(content), Ok(Some(_))),
                "{content:x?}"
            );
        }
    }
}
