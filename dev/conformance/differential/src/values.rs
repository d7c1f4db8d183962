//! Values of certificates and CRLs, encoded: names, times, algorithms, extensions.

use crate::der::{
    self, BOOLEAN, GENERALIZED_TIME, NULL, OCTET_STRING, PRINTABLE_STRING, SET, UTC_TIME, UTF8_STRING,
    nested, oid, sequence, tlv,
};

/// Time of every case: 2027-01-15T08:00:00Z.
pub(crate) const NOW: i64 = 1_800_000_000;

/// Returns the content of the object identifier of an extension below id-ce (2.5.29).
pub(crate) const fn id_ce(last: u8) -> [u8; 3] {
    [0x55, 0x1D, last]
}

pub(crate) const SUBJECT_KEY_IDENTIFIER: [u8; 3] = id_ce(14);
pub(crate) const KEY_USAGE: [u8; 3] = id_ce(15);
pub(crate) const SUBJECT_ALTERNATIVE_NAME: [u8; 3] = id_ce(17);
pub(crate) const BASIC_CONSTRAINTS: [u8; 3] = id_ce(19);
pub(crate) const CRL_NUMBER: [u8; 3] = id_ce(20);
pub(crate) const CRL_REASON: [u8; 3] = id_ce(21);
pub(crate) const DELTA_INDICATOR: [u8; 3] = id_ce(27);
pub(crate) const ISSUING_DISTRIBUTION_POINT: [u8; 3] = id_ce(28);
pub(crate) const CERTIFICATE_ISSUER: [u8; 3] = id_ce(29);
pub(crate) const NAME_CONSTRAINTS: [u8; 3] = id_ce(30);
pub(crate) const DISTRIBUTION_POINTS: [u8; 3] = id_ce(31);
pub(crate) const CERTIFICATE_POLICIES: [u8; 3] = id_ce(32);
pub(crate) const POLICY_MAPPINGS: [u8; 3] = id_ce(33);
pub(crate) const AUTHORITY_KEY_IDENTIFIER: [u8; 3] = id_ce(35);
pub(crate) const POLICY_CONSTRAINTS: [u8; 3] = id_ce(36);
pub(crate) const EXTENDED_KEY_USAGE: [u8; 3] = id_ce(37);
pub(crate) const INHIBIT_ANY_POLICY: [u8; 3] = id_ce(54);

/// Content of the object identifier of `clientAuth`; the last octet of `serverAuth` is 1.
pub(crate) const CLIENT_AUTHENTICATION: [u8; 8] = [0x2B, 6, 1, 5, 5, 7, 3, 2];

/// Extension, with the encoding of its flag for what it must not leave out.
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    pub(crate) identifier: Vec<u8>,
    /// Whole encoding of the BOOLEAN; empty for the default.
    pub(crate) critical: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl Extension {
    pub(crate) fn new(identifier: &[u8], is_critical: bool, value: Vec<u8>) -> Self {
        Self {
            identifier: identifier.to_vec(),
            critical: critical(is_critical),
            value,
        }
    }

    pub(crate) fn is(&self, identifier: &[u8]) -> bool {
        self.identifier == identifier
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        sequence([
            &oid(&self.identifier),
            &self.critical,
            &tlv(OCTET_STRING, &self.value),
        ])
    }
}

pub(crate) fn critical(is_critical: bool) -> Vec<u8> {
    if is_critical {
        tlv(BOOLEAN, [0xFF])
    } else {
        Vec::new()
    }
}

/// Encodes a name of one attribute with each of these types, tags and values.
pub(crate) fn name(attributes: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let sets: Vec<u8> = attributes
        .iter()
        .flat_map(|(kind, tag, value)| nested(SET, [&sequence([&oid(&[0x55, 4, *kind]), &tlv(*tag, value)])]))
        .collect();
    tlv(der::SEQUENCE, sets)
}

/// Attribute types below id-at (2.5.4).
pub(crate) const COMMON_NAME: u8 = 3;
pub(crate) const ORGANIZATION: u8 = 10;

/// Encodes the usual name: a common name and an organisation.
pub(crate) fn usual_name(common_name: &str) -> Vec<u8> {
    name(&[
        (ORGANIZATION, PRINTABLE_STRING, b"Example"),
        (COMMON_NAME, UTF8_STRING, common_name.as_bytes()),
    ])
}

/// Encodes a time before 2050.
pub(crate) fn utc_time(seconds: i64) -> Vec<u8> {
    tlv(UTC_TIME, digits(seconds).get(2..).unwrap_or_default())
}

pub(crate) fn generalized_time(seconds: i64) -> Vec<u8> {
    tlv(GENERALIZED_TIME, digits(seconds))
}

/// Returns a time as `YYYYMMDDHHMMSSZ`.
fn digits(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, so that a leap day is the last of its year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}{month:02}{day:02}{:02}{:02}{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Encodes an AlgorithmIdentifier with these parameters.
pub(crate) fn algorithm(identifier: &[u8], parameters: &[u8]) -> Vec<u8> {
    sequence([&oid(identifier), parameters])
}

/// Content of the object identifiers of ECDSA with SHA-256, SHA-384 and SHA-512: the last octet is
/// 2, 3 or 4.
pub(crate) const ECDSA_WITH_SHA2: [u8; 8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];

/// Encodes NULL, as the parameters of RSA.
pub(crate) fn null() -> Vec<u8> {
    tlv(NULL, [])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_calendar() {
        assert_eq!(digits(NOW), "20270115080000Z");
        assert_eq!(digits(0), "19700101000000Z");
        assert_eq!(digits(951_782_400), "20000229000000Z");
        assert_eq!(digits(-1), "19691231235959Z");
        assert_eq!(digits(253_402_300_799), "99991231235959Z");
    }
}
