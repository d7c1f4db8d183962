//! Object identifiers of any size (X.690 §8.19).

use std::fmt;

use der::asn1::ObjectIdentifier;

use crate::excerpt::MAX_SHOWN;
use crate::x509::der::Malformed;

pub(crate) const ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32.0");
pub(crate) const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
pub(crate) const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
pub(crate) const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
pub(crate) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
pub(crate) const INHIBIT_ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.54");
pub(crate) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(crate) const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
pub(crate) const POLICY_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.36");
pub(crate) const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
pub(crate) const POLICY_MAPPINGS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.33");
pub(crate) const QC_STATEMENTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.3");
pub(crate) const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

pub(crate) const ANY_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
pub(crate) const CLIENT_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// SmtpUTF8Mailbox (RFC 9598): an email address as an otherName.
pub(crate) const INTERNATIONAL_MAILBOX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9");
pub(crate) const QUALIFIER_CERTIFICATION_PRACTICE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.1");
pub(crate) const QUALIFIER_USER_NOTICE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.2");

pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(crate) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Octets of one arc at most: 4096 bits, where OpenSSL stops too since CVE-2023-2650. To write a
/// number in decimal takes time that grows with the square of its length.
const MAX_ARC_OCTETS: usize = 586;

/// Object identifier whose arcs may be of any size, such as the UUIDs under 2.25.
///
/// Equal when the content octets are equal: each identifier has one encoding. Displays in dotted
/// form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid<'a>(&'a [u8]);

impl<'a> Oid<'a> {
    /// Takes the content octets of an OBJECT IDENTIFIER.
    pub(crate) fn parse(content: &'a [u8]) -> Result<Self, Malformed> {
        // X.690 §8.19.2: bit 8 is set in every octet of an arc but the last.
        let ends_inside_an_arc = content.last().is_none_or(|octet| octet & 0x80 != 0);
        let is_arc = |arc: &[u8]| arc.first() != Some(&0x80) && arc.len() <= MAX_ARC_OCTETS;
        if ends_inside_an_arc || !arcs(content).all(is_arc) {
            return Err(Malformed);
        }
        Ok(Self(content))
    }

    /// Returns the content octets.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

/// Writes the content octets of an OBJECT IDENTIFIER in dotted form, or in hexadecimal where they
/// are not valid.
pub(crate) fn dotted(content: &[u8]) -> String {
    Oid::parse(content).map_or_else(
        |Malformed| format!("#{}", base16ct::lower::encode_string(content)),
        |oid| oid.to_string(),
    )
}

/// Encodes an identifier in dotted form as the content octets of an OBJECT IDENTIFIER; `None` for
/// text that is not one in its only spelling, without leading zeros (RFC 4512 §1.4).
///
/// An arc has at most 128 bits, enough for a UUID under 2.25.
pub(crate) fn encode_dotted(text: &str) -> Option<Vec<u8>> {
    let mut arcs = text.split('.').map(|arc| {
        let is_number = arc.bytes().all(|byte| byte.is_ascii_digit());
        let is_shortest = arc == "0" || !arc.starts_with('0');
        arc.parse::<u128>().ok().filter(|_| is_number && is_shortest)
    });
    let (first, second) = (arcs.next()??, arcs.next()??);
    if first > 2 || (first < 2 && second >= 40) {
        return None;
    }
    let mut content = Vec::new();
    push_arc(&mut content, second.checked_add(first * 40)?);
    for arc in arcs {
        push_arc(&mut content, arc?);
    }
    Some(content)
}

/// Writes an arc in groups of seven bits, the highest first; bit 8 is set in all but the last
/// (X.690 §8.19.2).
fn push_arc(content: &mut Vec<u8>, arc: u128) {
    let groups = (128 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let bits = u8::try_from((arc >> (7 * group)) & 0x7F).unwrap_or_default();
        content.push(if group == 0 { bits } else { bits | 0x80 });
    }
}

/// Lists identifiers in dotted form, for a message: no more of them than a message shows, because a
/// client chooses how many and how large they are.
pub(crate) fn dotted_list<'a>(contents: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut list = String::new();
    for content in contents {
        if list.len() > MAX_SHOWN {
            break;
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(&dotted(content));
    }
    list
}

fn arcs(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split_inclusive(|octet| octet & 0x80 == 0)
}

impl fmt::Display for Oid<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arcs = arcs(self.0);
        // The first two arcs are one number: 40 times the first plus the second, which is below 40
        // unless the first is 2.
        let both = Decimal::of_arc(arcs.next().unwrap_or_default());
        let first = both.small().map_or(2, |both| (both / 40).min(2));
        write!(formatter, "{first}.{}", both.minus(first * 40))?;
        arcs.try_for_each(|arc| write!(formatter, ".{}", Decimal::of_arc(arc)))
    }
}

impl fmt::Debug for Oid<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl PartialEq<ObjectIdentifier> for Oid<'_> {
    fn eq(&self, other: &ObjectIdentifier) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<Oid<'_>> for ObjectIdentifier {
    fn eq(&self, other: &Oid<'_>) -> bool {
        other == self
    }
}

/// Natural number in groups of nine decimal digits, the last group first.
struct Decimal(Vec<u64>);

impl Decimal {
    /// First number with one digit more than a group has.
    const BASE: u64 = 1_000_000_000;

    /// Reads the seven low bits of each octet.
    fn of_arc(arc: &[u8]) -> Self {
        let mut groups = vec![0];
        // Four octets at once: their 28 bits and a group fit 64 bits.
        for octets in arc.chunks(4) {
            let mut carry = octets
                .iter()
                .fold(0, |value, octet| (value << 7) | u64::from(octet & 0x7F));
            let shift = 7 * octets.len();
            for group in &mut groups {
                let value = (*group << shift) + carry;
                *group = value % Self::BASE;
                carry = value / Self::BASE;
            }
            if carry > 0 {
                groups.push(carry);
            }
        }
        Self(groups)
    }

    /// Returns the number if it has one group.
    fn small(&self) -> Option<u64> {
        match self.0.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// Subtracts a number that is not larger.
    fn minus(mut self, small: u64) -> Self {
        let mut borrow = small;
        for group in &mut self.0 {
            let is_less = *group < borrow;
            *group = *group + if is_less { Self::BASE } else { 0 } - borrow;
            borrow = u64::from(is_less);
        }
        self
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = self.0.iter().rev().skip_while(|group| **group == 0);
        write!(formatter, "{}", groups.next().unwrap_or(&0))?;
        groups.try_for_each(|group| write!(formatter, "{group:09}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn displayed(content: &[u8]) -> String {
        Oid::parse(content).unwrap().to_string()
    }

    #[test]
    fn arcs_of_any_size_display_in_decimal() {
        for (content, dotted) in [
            (&[0x00][..], "0.0"),
            (&[0x27], "0.39"),
            (&[0x28], "1.0"),
            (&[0x4F], "1.39"),
            (&[0x50], "2.0"),
            (&[0x55, 4, 3], "2.5.4.3"),
            (&[0x78], "2.40"),
            (&[0x88, 0x37], "2.999"),
            // 80 less than a number whose lower nine digits are less than that.
            (&[0x83, 0xDC, 0xEB, 0x94, 0x28], "2.999999960"),
            (&[0x69, 0x8F, 0xFF, 0xFF, 0xFF, 0x7F], "2.25.4294967295"),
            (&[0x69, 0x90, 0x80, 0x80, 0x80, 0x00], "2.25.4294967296"),
            // 2^64 - 1, 2^64 and 2^128 - 1.
            (
                &[0x2A, 0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
                "1.2.18446744073709551615",
            ),
            (
                &[0x2A, 0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
                "1.2.18446744073709551616",
            ),
            (
                &[&[0x69, 0x83][..], &[0xFF; 17], &[0x7F]].concat(),
                "2.25.340282366920938463463374607431768211455",
            ),
            // The second arc is large, and loses the 80 of the first.
            (&[0x84, 0x80, 0x80, 0x80, 0x00], "2.1073741744"),
            (
                &[0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
                "2.18446744073709551536",
            ),
        ] {
            assert_eq!(displayed(content), dotted);
        }
    }

    #[test]
    fn groups_of_zeros_keep_their_zeros() {
        // 10^9 and 10^18.
        assert_eq!(displayed(&[0x2A, 0x83, 0xDC, 0xEB, 0x94, 0x00]), "1.2.1000000000");
        assert_eq!(
            displayed(&[0x2A, 0x8D, 0xF0, 0xAD, 0xD6, 0xBA, 0xBB, 0x90, 0x80, 0x00]),
            "1.2.1000000000000000000"
        );
    }

    #[test]
    fn arc_of_4096_bits_is_the_longest() {
        let arc = |octets: usize| [vec![0x2A], vec![0x81; octets - 1], vec![0x01]].concat();
        assert_eq!(displayed(&arc(586)).len(), 4 + 1233);
        assert_eq!(Oid::parse(&arc(587)), Err(Malformed));
    }

    #[test]
    fn list_ends_where_a_message_is_cut() {
        let long = [vec![0x2A], vec![0x81; 585], vec![0x01]].concat();
        let identifiers = [&[0x55, 4, 3][..], &long, &[0x55, 4, 6]];
        let list = dotted_list(identifiers);
        assert!(
            list.starts_with("2.5.4.3, 1.2.") && !list.contains("2.5.4.6"),
            "{list}"
        );
        assert_eq!(
            dotted_list([&[0x55, 4, 3][..], &[0x55, 4, 6]]),
            "2.5.4.3, 2.5.4.6"
        );
    }

    #[test]
    fn dotted_form_has_one_spelling_and_one_encoding() {
        for text in [
            "0.0",
            "1.39",
            "2.5.29.17",
            "2.999",
            "1.3.6.1.4.1.57264.1.8",
            "1.2.18446744073709551616",
            "2.25.340282366920938463463374607431768211455",
        ] {
            assert_eq!(dotted(&encode_dotted(text).unwrap()), text);
        }
        for text in [
            "",
            "1",
            "1.",
            ".1.2",
            "1..2",
            "3.1",
            "1.40",
            "1.2.03",
            "01.2",
            "1.2.+3",
            "1.2.-3",
            "1.2.x",
            "1.2.3 ",
            "1,2,3",
            "1.2.\u{661}",
            "2.25.340282366920938463463374607431768211456",
            "2.340282366920938463463374607431768211455",
        ] {
            assert_eq!(encode_dotted(text), None, "{text:?}");
        }
    }

    #[test]
    fn content_that_is_not_an_identifier_is_malformed() {
        for content in [&[][..], &[0x80], &[0x55, 0x80, 0x01], &[0x55, 0x81]] {
            assert_eq!(Oid::parse(content), Err(Malformed), "{content:02x?}");
        }
        assert_eq!(dotted(&[0x55, 0x81]), "#5581");
    }
}
