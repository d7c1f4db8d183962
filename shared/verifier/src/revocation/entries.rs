//! Entries of a list: read once in full, then found by serial number.

use std::fmt;

use super::entry_issuers::{EntryIssuer, EntryIssuers, EntryIssuersBuilder};
use super::error::RevocationListErrorKind;
use super::extensions::{Extension, identifier, read_extensions};
use super::points::names_directory;
use crate::x509::der::{Element, Elements, Malformed, Tag, shortest, single};
use crate::x509::oid::dotted;
use crate::x509::time::Timestamp;

/// Positions of the entries by serial number: eight octets for each, while the entries stay in the
/// list's DER.
///
/// Sorted. The upper half of each number is a fingerprint of the serial number, the lower half the
/// entry's position. A fingerprint only says where to look: whole serial numbers are compared.
pub(super) struct EntryIndex {
    keys: Vec<u64>,
    issuers: EntryIssuers,
}

/// Entry of a list for a certificate that it revokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Since when the issuer considers it revoked; `None` when the list gives no date that exists.
    pub revoked_at: Option<Timestamp>,
    /// Reason, if the list gives one.
    pub reason: Option<RevocationReason>,
}

/// The reasons of RFC 5280 §5.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationReason {
    /// None is given.
    Unspecified,
    /// The certificate's key is known to an attacker, or believed to be.
    KeyCompromise,
    /// A CA's key is.
    CaCompromise,
    /// The subject's data in the certificate has changed.
    AffiliationChanged,
    /// Another certificate takes its place.
    Superseded,
    /// The certificate is not needed any more.
    CessationOfOperation,
    /// The certificate is suspended, which counts as revoked.
    CertificateHold,
    /// Has a meaning in delta CRLs only; a complete list that says it still lists the certificate.
    RemoveFromCrl,
    /// A privilege in the certificate was withdrawn.
    PrivilegeWithdrawn,
    /// An attribute authority's key is known to an attacker, or believed to be.
    AaCompromise,
    /// The entry of a large list cannot be read from its storage again. The certificate counts as
    /// revoked.
    Unreadable,
    /// Code that RFC 5280 §5.3.1 does not define. The certificate is revoked nevertheless.
    Unknown(u8),
}

impl RevocationReason {
    /// Reads the content of the ENUMERATED. Returns `None` for a code that has more than one octet,
    /// or none.
    pub(crate) fn from_code(code: &[u8]) -> Option<Self> {
        let [code] = *code else {
            return None;
        };
        Some(match code {
            0 => Self::Unspecified,
            1 => Self::KeyCompromise,
            2 => Self::CaCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            6 => Self::CertificateHold,
            8 => Self::RemoveFromCrl,
            9 => Self::PrivilegeWithdrawn,
            10 => Self::AaCompromise,
            other => Self::Unknown(other),
        })
    }

    /// Returns the name in RFC 5280.
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
            Self::Unreadable => "entry that cannot be read again",
            Self::Unknown(_) => "unknown reason",
        }
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(code) => write!(formatter, "unknown reason code {code}"),
            _ => formatter.write_str(self.as_str()),
        }
    }
}

impl EntryIndex {
    /// Reads every octet of the entries. Returns the index with the first defect, if there is one.
    ///
    /// An entry whose serial number can be read is in the index, whatever else is wrong with it:
    /// its issuer revokes that certificate (ITU-T X.509, clause on critical CRL entry extensions,
    /// says so of extensions that are not understood). An entry is of the issuer that it or the
    /// last entry before it names (RFC 5280 §5.3.3). Only the entries of an indirect CRL may name
    /// one.
    pub(super) fn build(
        mut entries: Elements<'_>,
        is_indirect: bool,
    ) -> (Self, Option<RevocationListErrorKind>) {
        /// The usual entry has a serial number of 16 to 20 octets; growing from here costs little.
        const USUAL_LENGTH: usize = 36;

        let mut keys = Vec::with_capacity(entries.octets_left() / USUAL_LENGTH);
        let mut issuers = EntryIssuersBuilder::default();
        let mut defect = None;
        while !entries.at_end() {
            let offset = entries.position();
            let malformed = || RevocationListErrorKind::Malformed {
                field: "an entry",
                offset,
            };
            // A list of more than 4 GiB does not fit the index; no CA publishes one.
            let (Ok(element), Ok(position)) = (entries.next_element(), u32::try_from(offset)) else {
                defect.get_or_insert_with(malformed);
                break;
            };
            let Ok(entry) = Entry::read(element) else {
                defect.get_or_insert_with(malformed);
                continue;
            };
            if !entry.is_whole {
                defect.get_or_insert_with(malformed);
            }
            if !entry.is_usual() {
                let notes = entry.notes(is_indirect);
                if let Some(value) = notes.issuer {
                    issuers.note(position, value);
                }
                if let Some(problem) = notes.problem {
                    defect.get_or_insert(problem);
                }
            }
            keys.push(fingerprint(entry.serial_number) | u64::from(position));
        }
        keys.shrink_to_fit();
        // Keys are unique by their position, so stability does not matter; unstable sorting takes
        // no memory.
        keys.sort_unstable();
        let issuers = issuers.finish();
        (Self { keys, issuers }, defect)
    }

    /// Returns the number of entries.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns true if an entry names its issuer.
    pub(super) fn name_issuers(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// Returns the serial number of each entry; `None` for an entry that cannot be read again.
    pub(super) fn serial_numbers<'d>(&self, der: &'d [u8]) -> impl Iterator<Item = Option<&'d [u8]>> {
        self.keys.iter().map(|key| {
            let position = usize::try_from(key & !FINGERPRINT).ok()?;
            Some(Entry::at(der, position)?.serial_number)
        })
    }

    /// Returns the entries of an issuer with this serial number, given as the content of a DER
    /// INTEGER.
    pub(super) fn find<'s>(
        &'s self,
        der: &'s [u8],
        issuer: EntryIssuer<'s>,
        serial_number: &'s [u8],
    ) -> impl Iterator<Item = RevokedCertificate> + 's {
        let wanted = fingerprint(serial_number);
        let first = self.keys.partition_point(|key| key & FINGERPRINT < wanted);
        let candidates = self.keys.get(first..).unwrap_or_default();
        candidates
            .iter()
            .take_while(move |key| *key & FINGERPRINT == wanted)
            .filter_map(|key| u32::try_from(key & !FINGERPRINT).ok())
            .filter_map(move |position| {
                let entry = Entry::at(der, usize::try_from(position).ok()?)?;
                let is_wanted = entry.is_of(serial_number) && self.issuers.are(issuer, position);
                is_wanted.then(|| entry.details())
            })
    }
}

/// The half of a key that is a fingerprint.
const FINGERPRINT: u64 = 0xFFFF_FFFF_0000_0000;

/// Spreads serial numbers over the upper 32 bits. Only the owner of the issuer's key can choose
/// them to collide.
fn fingerprint(serial_number: &[u8]) -> u64 {
    let mixed = shortest(serial_number).chunks(8).fold(0_u64, |mixed, chunk| {
        let word = chunk
            .iter()
            .fold(0_u64, |word, octet| word << 8 | u64::from(*octet));
        (mixed.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    });
    mixed & FINGERPRINT
}

/// Element of `revokedCertificates`.
pub(super) struct Entry<'a> {
    pub(super) serial_number: &'a [u8],
    date: Option<Element<'a>>,
    extensions: Option<Element<'a>>,
    /// Set if nothing but what an entry may have is in it.
    pub(super) is_whole: bool,
}

/// Content of the extensions of an entry.
#[derive(Default)]
pub(super) struct EntryNotes<'a> {
    reason: Option<RevocationReason>,
    /// Value of a certificateIssuer (RFC 5280 §5.3.3) that can be read.
    pub(super) issuer: Option<&'a [u8]>,
    pub(super) problem: Option<RevocationListErrorKind>,
}

/// Extensions of nearly every entry that has any: reasonCode alone, not critical.
const REASON_ALONE: [u8; 13] = [
    0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55, 0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01,
];

impl<'a> Entry<'a> {
    /// Reads an entry, as far as it can be read after the serial number.
    #[inline]
    pub(super) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        if element.tag != Tag::SEQUENCE {
            return Err(Malformed);
        }
        let mut fields = element.elements();
        let serial_number = fields.content(Tag::INTEGER)?;
        if serial_number.is_empty() {
            return Err(Malformed);
        }
        // What is in the date decides nothing.
        let date = fields.next_element().ok();
        let date = date.filter(|date| matches!(date.tag, Tag::UTC_TIME | Tag::GENERALIZED_TIME));
        let extensions = match fields.at_end() {
            true => Ok(None),
            false => fields.expect(Tag::SEQUENCE).map(Some),
        };
        let is_whole = date.is_some() && extensions.is_ok() && fields.finish().is_ok();
        Ok(Self {
            serial_number,
            date,
            extensions: extensions.unwrap_or_default(),
            is_whole,
        })
    }

    fn at(der: &'a [u8], position: usize) -> Option<Self> {
        let element = Elements::new(der.get(position..)?).next_element().ok()?;
        Self::read(element).ok()
    }

    pub(super) fn is_of(&self, serial_number: &[u8]) -> bool {
        shortest(self.serial_number) == shortest(serial_number)
    }

    pub(super) fn details(&self) -> RevokedCertificate {
        RevokedCertificate {
            revoked_at: self.revoked_at(),
            reason: self.reason(),
        }
    }

    fn revoked_at(&self) -> Option<Timestamp> {
        Timestamp::from_element(self.date?).ok()
    }

    fn extensions_encoding(&self) -> &'a [u8] {
        self.extensions.map_or(&[], |extensions| extensions.encoding)
    }

    /// Returns true for an entry without extensions, or with a reason alone: it needs no second
    /// look.
    #[inline]
    pub(super) fn is_usual(&self) -> bool {
        self.extensions.is_none() || self.extensions_encoding().starts_with(&REASON_ALONE)
    }

    fn reason(&self) -> Option<RevocationReason> {
        match self.extensions_encoding().strip_prefix(&REASON_ALONE) {
            Some(code) => RevocationReason::from_code(code),
            None => self.notes(true).reason,
        }
    }

    /// Reads the extensions. One that is not critical and cannot be read says nothing.
    pub(super) fn notes(&self, is_indirect: bool) -> EntryNotes<'a> {
        let mut notes = EntryNotes::default();
        let Some(extensions) = self.extensions else {
            return notes;
        };
        let visited = read_extensions(extensions.elements(), |extension| {
            match extension.oid {
                identifier::REASON_CODE => match reason_code(&extension) {
                    Ok(reason) => notes.reason = reason,
                    Err(Malformed) if extension.critical => {
                        notes.problem.get_or_insert_with(|| critical(&extension));
                    }
                    Err(Malformed) => {}
                },
                // One that cannot be read changes nothing: the entry still revokes, as the one
                // before it would.
                identifier::CERTIFICATE_ISSUER => match names_directory(extension.value, &[]) {
                    Err(Malformed) => {
                        notes.problem.get_or_insert_with(|| extension.malformed());
                    }
                    Ok(_) => {
                        notes.issuer = Some(extension.value);
                        // A reader that skips it would take the entry for one of another issuer,
                        // and so may the CA's own tools.
                        if !is_indirect || !extension.critical {
                            let offset = extension.offset;
                            let problem = match is_indirect {
                                true => RevocationListErrorKind::EntryIssuerNotCritical { offset },
                                false => RevocationListErrorKind::EntryIssuerUnexpected { offset },
                            };
                            notes.problem.get_or_insert(problem);
                        }
                    }
                },
                _ if extension.critical => {
                    notes.problem.get_or_insert_with(|| critical(&extension));
                }
                _ => {}
            }
        });
        if let Err(problem) = visited {
            notes.problem.get_or_insert(problem);
        }
        notes
    }
}

fn reason_code(extension: &Extension<'_>) -> Result<Option<RevocationReason>, Malformed> {
    let code = single(extension.value, Tag::ENUMERATED)?;
    Ok(RevocationReason::from_code(code))
}

fn critical(extension: &Extension<'_>) -> RevocationListErrorKind {
    RevocationListErrorKind::CriticalEntryExtension {
        oid: dotted(extension.oid),
        offset: extension.offset,
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

    /// `CN=a`, the issuer of the entries.
    const ISSUER: &[u8] = &[
        0x30, 0x0C, 0x31, 0x0A, 0x30, 0x08, 0x06, 0x03, 0x55, 4, 3, 0x0C, 1, b'a',
    ];

    const OWN: EntryIssuer<'static> = EntryIssuer {
        name: ISSUER,
        is_of_list: true,
    };

    fn build(der: &[u8]) -> (EntryIndex, Option<RevocationListErrorKind>) {
        EntryIndex::build(Elements::new(der), false)
    }

    fn index(der: &[u8]) -> EntryIndex {
        let (index, defect) = build(der);
        assert_eq!(defect, None);
        index
    }

    fn find(index: &EntryIndex, der: &[u8], serial_number: &[u8]) -> Option<RevokedCertificate> {
        index.find(der, OWN, serial_number).next()
    }

    #[test]
    fn finds_every_serial_number_and_no_other() {
        let der: Vec<u8> = (0..5_000_u32)
            .flat_map(|number| entry(&[&[1][..], &(number * 2).to_be_bytes()].concat(), &[]))
            .collect();
        let index = index(&der);
        assert_eq!(index.len(), 5_000);
        for number in 0..10_000_u32 {
            let found = find(&index, &der, &[&[1][..], &number.to_be_bytes()].concat());
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
        let with_keys = |keys| EntryIndex {
            keys,
            issuers: EntryIssuers::default(),
        };
        let keys = positions.iter().map(|position| fingerprint(&[2]) | position);
        let same = with_keys(keys.collect());
        assert_eq!(
            find(&same, &der, &[2]).unwrap().reason,
            Some(RevocationReason::AffiliationChanged)
        );
        assert_eq!(find(&with_keys(vec![fingerprint(&[9])]), &der, &[9]), None);
    }

    #[test]
    fn finds_a_serial_number_written_with_leading_zeros() {
        let der = [entry(&[0, 0, 0x85], &[]), entry(&[0x05], &[])].concat();
        let index = index(&der);
        assert!(find(&index, &der, &[0, 0x85]).is_some());
        assert!(find(&index, &der, &[0, 0, 5]).is_some());
        assert!(find(&index, &der, &[0x85]).is_none(), "that is a negative number");
    }

    #[test]
    fn reads_reasons_in_the_usual_form_and_in_others() {
        let critical = [
            0x30, 0x0F, 0x30, 0x0D, 0x06, 0x03, 0x55, 0x1D, 0x15, 0x01, 0x01, 0xFF, 0x04, 0x03, 0x0A, 0x01, 6,
        ];
        let der = [entry(&[1], &reason(1)), entry(&[2], &critical), entry(&[3], &[])].concat();
        let index = index(&der);
        let found = |serial_number| find(&index, &der, &[serial_number]).unwrap();
        assert_eq!(found(1).reason, Some(RevocationReason::KeyCompromise));
        assert_eq!(found(2).reason, Some(RevocationReason::CertificateHold));
        assert_eq!(found(3).reason, None);
        assert_eq!(found(3).revoked_at.unwrap().to_string(), "2025-01-01T00:00:00Z");
    }

    #[test]
    fn codes_and_dates_that_are_not_defined_still_revoke() {
        let no_code = [
            &[0x30, 0x0B, 0x30, 0x09][..],
            &REASON_ALONE[4..10],
            &[2, 0x0A, 0x00],
        ]
        .concat();
        for (rest, expected) in [
            (reason(7), Some(RevocationReason::Unknown(7))),
            (reason(11), Some(RevocationReason::Unknown(11))),
            (reason(255), Some(RevocationReason::Unknown(255))),
            (vec![0x30, 0x00], None),
            (no_code, None),
        ] {
            let der = entry(&[1], &rest);
            assert_eq!(
                find(&index(&der), &der, &[1]).unwrap().reason,
                expected,
                "{rest:x?}"
            );
        }
        for der in [
            b"\x30\x10\x02\x01\x01\x17\x0B2501010000Z".to_vec(),
            b"\x30\x12\x02\x01\x01\x17\x0D25010100000aZ".to_vec(),
        ] {
            let found = find(&index(&der), &der, &[1]).unwrap();
            assert_eq!((found.revoked_at, found.reason), (None, None));
        }
        assert_eq!(RevocationReason::Unknown(7).to_string(), "unknown reason code 7");
    }

    #[test]
    fn an_entry_that_is_not_whole_revokes_and_is_a_defect() {
        let after = entry(&[9], &[]);
        for der in [
            entry(&[1], &[0x05, 0x00]),
            entry(&[1], &[reason(1), reason(1)].concat()),
            b"\x30\x03\x02\x01\x01".to_vec(),
        ] {
            let der = [der, after.clone()].concat();
            let (index, defect) = build(&der);
            let (field, offset) = ("an entry", 0);
            assert_eq!(
                defect,
                Some(RevocationListErrorKind::Malformed { field, offset }),
                "{der:x?}"
            );
            assert!(find(&index, &der, &[1]).is_some() && find(&index, &der, &[9]).is_some());
        }
        // Not an entry with a serial number, and what follows is found again.
        for der in [
            entry(&[], &[]),
            vec![0x05, 0x00],
            vec![0x30, 0x03, 0x01, 0x01, 0xFF],
        ] {
            let der = [der, after.clone()].concat();
            let (index, defect) = build(&der);
            assert!(defect.is_some(), "{der:x?}");
            assert_eq!(index.len(), 1);
            assert!(find(&index, &der, &[9]).is_some());
        }
        // The length is beyond the end: the entries before it count.
        let der = [after, vec![0x30, 0x40, 0x02, 0x01, 0x01]].concat();
        let (index, defect) = build(&der);
        assert!(defect.is_some() && find(&index, &der, &[9]).is_some());
    }

    #[test]
    fn entries_are_of_the_issuer_that_was_named_last() {
        let of = |name: &[u8], critical: u8| {
            let names = [
                &[0x30, u8::try_from(name.len() + 2).unwrap(), 0xA4][..],
                &[14],
                name,
            ]
            .concat();
            let value = [&[0x04, u8::try_from(names.len()).unwrap()][..], &names].concat();
            let fields = [&[0x06, 3, 0x55, 0x1D, 0x1D, 1, 1, critical][..], &value].concat();
            let length = u8::try_from(fields.len()).unwrap();
            [&[0x30, length + 2, 0x30, length][..], &fields].concat()
        };
        let mut other = ISSUER.to_vec();
        other[13] = b'b';
        let mut own = ISSUER.to_vec();
        (own[11], own[13]) = (0x13, b'A');
        let entries = |critical| {
            [
                entry(&[1], &[]),
                entry(&[2], &of(&other, critical)),
                entry(&[3], &[]),
                entry(&[4], &of(&own, critical)),
                entry(&[5], &[]),
            ]
            .concat()
        };
        let of_other = EntryIssuer {
            name: &other,
            is_of_list: false,
        };
        let third = EntryIssuer {
            name: &[0x30, 0],
            is_of_list: false,
        };
        let offset = 42;
        for (is_indirect, critical, defect) in [
            (true, 0xFF, None),
            (
                true,
                0,
                Some(RevocationListErrorKind::EntryIssuerNotCritical { offset }),
            ),
            (
                false,
                0xFF,
                Some(RevocationListErrorKind::EntryIssuerUnexpected { offset }),
            ),
        ] {
            let der = entries(critical);
            let (index, found) = EntryIndex::build(Elements::new(&der), is_indirect);
            assert_eq!(found, defect);
            let of_issuer = |issuer| {
                let numbers = [[1], [2], [3], [4], [5]];
                numbers.map(|serial| index.find(&der, issuer, &serial).next().is_some())
            };
            assert_eq!(
                of_issuer(OWN),
                [true, false, false, true, true],
                "names are compared as names"
            );
            assert_eq!(of_issuer(of_other), [false, true, true, false, false]);
            assert_eq!(of_issuer(third), [false; 5]);
        }
    }

    #[test]
    fn critical_extensions_that_are_not_understood_are_defects_of_the_list() {
        let unknown = [
            0x30, 0x0E, 0x30, 0x0C, 0x06, 0x03, 0x2A, 3, 4, 1, 1, 0xFF, 0x04, 2, 5, 0,
        ];
        let unreadable = [
            0x30, 0x0E, 0x30, 0x0C, 0x06, 0x03, 0x55, 0x1D, 0x15, 1, 1, 0xFF, 0x04, 2, 5, 0,
        ];
        for (extensions, oid) in [(unknown, "1.2.3.4"), (unreadable, "2.5.29.21")] {
            let der = entry(&[1], &extensions);
            let (index, defect) = build(&der);
            let (oid, offset) = (oid.to_owned(), 22);
            assert_eq!(
                defect,
                Some(RevocationListErrorKind::CriticalEntryExtension { oid, offset })
            );
            assert!(find(&index, &der, &[1]).is_some(), "its issuer revokes it");
        }
    }
}
