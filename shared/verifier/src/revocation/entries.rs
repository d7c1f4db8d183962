//! The entries of a list: one walk over all of them, then exact look-ups by serial number.

use std::fmt;
use std::ops::Range;

use super::cursor::{Cursor, ENUMERATED, GENERALIZED_TIME, INTEGER, Place, SEQUENCE, UTC_TIME, shortest};
use super::extensions::{ExtensionError, identifier, read_extensions};
use super::list::UnsupportedList;
use crate::der_reader::{Element, Malformed, Tag};
use crate::timestamp::Timestamp;

/// Where to find the entry of a serial number: eight octets an entry, the entries themselves stay in the list's DER.
///
/// Sorted; the upper half of each number is a fingerprint of the serial number, the lower half the entry's position.
/// A fingerprint only says where to look: whole serial numbers are compared.
pub(super) struct EntryIndex(Vec<u64>);

/// What a list says about a certificate that it revokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Since when the issuer considers it revoked; `None` when the list gives no date that exists.
    pub revoked_at: Option<Timestamp>,
    /// Why, when the list says so.
    pub reason: Option<RevocationReason>,
}

/// The reasons of RFC 5280 §5.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationReason {
    /// None is given.
    Unspecified,
    /// The certificate's key is known to somebody else, or believed to be.
    KeyCompromise,
    /// A CA's key is.
    CaCompromise,
    /// What the certificate says about its subject has changed.
    AffiliationChanged,
    /// Another certificate takes its place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// It is suspended, which counts as revoked.
    CertificateHold,
    /// Has a meaning in delta CRLs only; a complete list that says it still lists the certificate.
    RemoveFromCrl,
    /// A privilege in the certificate was withdrawn.
    PrivilegeWithdrawn,
    /// An attribute authority's key is known to somebody else, or believed to be.
    AaCompromise,
}

impl RevocationReason {
    fn from_code(code: &[u8]) -> Result<Self, Malformed> {
        Ok(match code {
            [0] => Self::Unspecified,
            [1] => Self::KeyCompromise,
            [2] => Self::CaCompromise,
            [3] => Self::AffiliationChanged,
            [4] => Self::Superseded,
            [5] => Self::CessationOfOperation,
            [6] => Self::CertificateHold,
            [8] => Self::RemoveFromCrl,
            [9] => Self::PrivilegeWithdrawn,
            [10] => Self::AaCompromise,
            _ => return Err(Malformed),
        })
    }

    /// The name in RFC 5280.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl EntryIndex {
    /// Walks over the entries between two positions of `der` and looks at every octet of them.
    pub(super) fn build(der: &[u8], entries: Range<usize>) -> Result<Self, ExtensionError> {
        /// The usual entry has a serial number of 16 to 20 octets; growing from here costs little.
        const USUAL_LENGTH: usize = 36;

        let mut cursor = Cursor::new(der).within(entries.clone());
        let mut index = Vec::with_capacity(entries.len() / USUAL_LENGTH);
        while !cursor.at_end() {
            let position = u32::try_from(cursor.position()).map_err(Malformed::from)?;
            let serial_number = Entry::check(&mut cursor)?;
            index.push(fingerprint(serial_number) | u64::from(position));
        }
        index.shrink_to_fit();
        index.sort_unstable();
        Ok(Self(index))
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Serial number of each entry; `None` for an entry that cannot be read again.
    pub(super) fn serial_numbers<'d>(&self, der: &'d [u8]) -> impl Iterator<Item = Option<&'d [u8]>> {
        self.0.iter().map(|key| {
            let position = usize::try_from(key & !FINGERPRINT).ok()?;
            Some(Entry::at(der, position)?.serial_number)
        })
    }

    /// The entry of this serial number, given as the content of a DER INTEGER.
    pub(super) fn find(&self, der: &[u8], serial_number: &[u8]) -> Option<RevokedCertificate> {
        let wanted = fingerprint(serial_number);
        let first = self.0.partition_point(|key| key & FINGERPRINT < wanted);
        let candidates = self.0.get(first..).unwrap_or_default();
        candidates
            .iter()
            .take_while(|key| *key & FINGERPRINT == wanted)
            .filter_map(|key| usize::try_from(key & !FINGERPRINT).ok())
            .find_map(|position| Entry::at(der, position).filter(|entry| entry.is_of(serial_number)))
            .map(|entry| entry.details())
    }
}

/// The half of a key that is a fingerprint.
const FINGERPRINT: u64 = 0xFFFF_FFFF_0000_0000;

/// Spreads serial numbers over the upper 32 bits. Whoever could choose them to collide has the issuer's key.
fn fingerprint(serial_number: &[u8]) -> u64 {
    let mixed = shortest(serial_number).chunks(8).fold(0_u64, |mixed, chunk| {
        let word = chunk
            .iter()
            .fold(0_u64, |word, octet| word << 8 | u64::from(*octet));
        (mixed.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    });
    mixed & FINGERPRINT
}

/// One element of `revokedCertificates`.
struct Entry<'a> {
    cursor: Cursor<'a>,
    serial_number: &'a [u8],
    date: Place,
    extensions: Option<Place>,
}

impl<'a> Entry<'a> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let mut fields = cursor.enter(SEQUENCE)?;
        let serial_number = fields.content(INTEGER)?;
        let date = fields.next_place()?;
        let extensions = if fields.at_end() {
            None
        } else {
            Some(fields.expect(SEQUENCE)?)
        };
        fields.finish()?;
        Ok(Self {
            cursor: fields,
            serial_number,
            date,
            extensions,
        })
    }

    /// Reads an entry, refuses it unless all of it is understood, and gives its serial number.
    #[inline]
    fn check(cursor: &mut Cursor<'a>) -> Result<&'a [u8], ExtensionError> {
        let entry = Self::read(cursor)?;
        if entry.serial_number.is_empty() {
            return Err(Malformed.into());
        }
        entry.check_date()?;
        entry.reason()?;
        Ok(entry.serial_number)
    }

    fn at(der: &'a [u8], position: usize) -> Option<Self> {
        let mut cursor = Cursor::new(der).within(position..der.len());
        Self::read(&mut cursor).ok()
    }

    fn is_of(&self, serial_number: &[u8]) -> bool {
        shortest(self.serial_number) == shortest(serial_number)
    }

    fn details(&self) -> RevokedCertificate {
        RevokedCertificate {
            revoked_at: self.revoked_at(),
            reason: self.reason().ok().flatten(),
        }
    }

    /// Whether the date has the form of one. Whether that day exists matters to nobody but the reader of a record.
    fn check_date(&self) -> Result<(), Malformed> {
        let length = match self.date.tag {
            UTC_TIME => 12,
            GENERALIZED_TIME => 14,
            _ => return Err(Malformed),
        };
        match self.cursor.slice(self.date.content.clone()).split_last() {
            Some((b'Z', digits)) if digits.len() == length && digits.iter().all(u8::is_ascii_digit) => Ok(()),
            _ => Err(Malformed),
        }
    }

    fn revoked_at(&self) -> Option<Timestamp> {
        let tag = match self.date.tag {
            UTC_TIME => Tag::UTC_TIME,
            _ => Tag::GENERALIZED_TIME,
        };
        let element = Element {
            tag,
            content: self.cursor.slice(self.date.content.clone()),
            encoding: self.cursor.slice(self.date.encoding()),
        };
        Timestamp::from_element(element).ok()
    }

    /// Reads the entry's extensions, of which the reason is the only one that says something here.
    fn reason(&self) -> Result<Option<RevocationReason>, ExtensionError> {
        /// What nearly every entry with extensions holds: reasonCode alone, not critical.
        const REASON_ALONE: [u8; 13] = [
            0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55, 0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01,
        ];

        let Some(extensions) = &self.extensions else {
            return Ok(None);
        };
        let encoding = self.cursor.slice(extensions.encoding());
        if let Some(code) = encoding.strip_prefix(&REASON_ALONE) {
            return Ok(Some(RevocationReason::from_code(code)?));
        }
        let mut reason = None;
        read_extensions(&self.cursor, extensions.content.clone(), |extension| {
            match extension.oid {
                identifier::REASON_CODE => {
                    let mut value = Cursor::new(extension.value);
                    reason = Some(RevocationReason::from_code(value.content(ENUMERATED)?)?);
                    value.finish()?;
                }
                // Only indirect CRLs have entries that name another issuer.
                identifier::CERTIFICATE_ISSUER => {
                    return Err(ExtensionError::Unsupported(UnsupportedList::Indirect));
                }
                _ if extension.critical => return Err(ExtensionError::critical_of_entry(extension.oid)),
                _ => {}
            }
            Ok(())
        })?;
        Ok(reason)
    }
}

impl fmt::Debug for EntryIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EntryIndex({} entries)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(serial_number: &[u8], rest: &[u8]) -> Vec<u8> {
        let date = b"\x17\x0D250101000000Z";
        let length = 2 + serial_number.len() + date.len() + rest.len();
        let mut der = vec![
            0x30,
            u8::try_from(length).unwrap(),
            0x02,
            u8::try_from(serial_number.len()).unwrap(),
        ];
        der.extend_from_slice(serial_number);
        der.extend_from_slice(date);
        der.extend_from_slice(rest);
        der
    }

    fn reason(code: u8) -> Vec<u8> {
        vec![
            0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55, 0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01, code,
        ]
    }

    fn index(der: &[u8]) -> Result<EntryIndex, ExtensionError> {
        EntryIndex::build(der, 0..der.len())
    }

    #[test]
    fn finds_every_serial_number_and_no_other() {
        let der: Vec<u8> = (0..5_000_u32)
            .flat_map(|number| entry(&[&[1][..], &(number * 2).to_be_bytes()].concat(), &[]))
            .collect();
        let index = index(&der).unwrap();
        assert_eq!(index.len(), 5_000);
        for number in 0..10_000_u32 {
            let found = index.find(&der, &[&[1][..], &number.to_be_bytes()].concat());
            assert_eq!(found.is_some(), number % 2 == 0, "{number}");
        }
    }

    #[test]
    fn equal_fingerprints_do_not_make_equal_serial_numbers() {
        let der = [
            entry(&[1], &reason(1)),
            entry(&[2], &reason(3)),
            entry(&[3], &reason(4)),
        ]
        .concat();
        let positions = [0, 34, 68];
        let same = EntryIndex(
            positions
                .iter()
                .map(|position| fingerprint(&[2]) | position)
                .collect(),
        );
        assert_eq!(
            same.find(&der, &[2]).unwrap().reason,
            Some(RevocationReason::AffiliationChanged)
        );
        assert_eq!(EntryIndex(vec![fingerprint(&[9])]).find(&der, &[9]), None);
    }

    #[test]
    fn finds_a_serial_number_written_with_leading_zeros() {
        let der = [entry(&[0, 0, 0x85], &[]), entry(&[0x05], &[])].concat();
        let index = index(&der).unwrap();
        assert!(index.find(&der, &[0, 0x85]).is_some());
        assert!(index.find(&der, &[0, 0, 5]).is_some());
        assert!(index.find(&der, &[0x85]).is_none(), "that is a negative number");
    }

    #[test]
    fn reads_reasons_in_the_usual_form_and_in_others() {
        let critical = [
            0x30, 0x0F, 0x30, 0x0D, 0x06, 0x03, 0x55, 0x1D, 0x15, 0x01, 0x01, 0xFF, 0x04, 0x03, 0x0A, 0x01, 6,
        ];
        let der = [entry(&[1], &reason(1)), entry(&[2], &critical), entry(&[3], &[])].concat();
        let index = index(&der).unwrap();
        let found = |serial_number| index.find(&der, &[serial_number]).unwrap();
        assert_eq!(found(1).reason, Some(RevocationReason::KeyCompromise));
        assert_eq!(found(2).reason, Some(RevocationReason::CertificateHold));
        assert_eq!(found(3).reason, None);
        assert_eq!(found(3).revoked_at.unwrap().to_string(), "2025-01-01T00:00:00Z");
    }

    #[test]
    fn refuses_a_reason_that_does_not_exist() {
        for code in [7, 11, 255] {
            assert_eq!(
                index(&entry(&[1], &reason(code))).unwrap_err(),
                ExtensionError::Malformed
            );
        }
    }

    #[test]
    fn refuses_entries_with_more_or_less_than_they_may_have() {
        for der in [
            entry(&[], &[]),
            entry(&[1], &[0x05, 0x00]),
            entry(&[1], &[0x30, 0x00]),
            entry(&[1], &[reason(1), reason(1)].concat()),
            [entry(&[1], &[]), vec![0x05, 0x00]].concat(),
            b"\x30\x10\x02\x01\x01\x17\x0B2501010000Z".to_vec(),
            b"\x30\x12\x02\x01\x01\x17\x0D25010100000aZ".to_vec(),
            b"\x30\x03\x02\x01\x01".to_vec(),
        ] {
            assert_eq!(index(&der).unwrap_err(), ExtensionError::Malformed, "{der:x?}");
        }
    }
}
