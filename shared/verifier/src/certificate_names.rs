//! Names under which an operator can know a certificate: its serial number and issuer, its
//! fingerprints, its URI names.

use rustls_pki_types::CertificateDer;

use crate::ecdsa_twin;
use crate::fingerprint::Fingerprint;
use crate::identity::upper_hexadecimal;
use crate::x509::alternative_name::AlternativeName;
use crate::x509::certificate::Certificate;
use crate::x509::name::{DistinguishedName, names_are_possibly_equal};
use crate::x509::oid;

/// Names of a certificate, for a list of certificates that an operator denies. Each is such that a
/// client cannot change it: a false match is the safe side, a match that is missed is not.
#[derive(Clone, Debug)]
pub struct CertificateNames {
    serial_numbers: Vec<String>,
    issuer: Box<[u8]>,
    fingerprints: Vec<Fingerprint>,
    public_key: Fingerprint,
    uris: Vec<String>,
}

impl CertificateNames {
    /// Reads the names of a certificate; `None` when it is not one.
    pub fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = Certificate::parse(certificate).ok()?;
        let names = parsed.extensions.find(oid::SUBJECT_ALTERNATIVE_NAME);
        let names = names.map(|extension| AlternativeName::parse_all(extension.value));
        let names = names.and_then(Result::ok).unwrap_or_default().into_iter();
        let twins = ecdsa_twin::twins(&parsed);
        Some(Self {
            serial_numbers: spellings(parsed.serial_number),
            issuer: parsed.issuer.into(),
            fingerprints: std::iter::once(parsed.der)
                .chain(twins.iter().map(Vec::as_slice))
                .map(Fingerprint::of)
                .collect(),
            public_key: Fingerprint::of(parsed.public_key_info.encoding),
            uris: names
                .filter_map(|name| match name {
                    AlternativeName::Uri(uri) => Some(uri),
                    _ => None,
                })
                .collect(),
        })
    }

    /// Returns the serial number in upper-case hexadecimal without leading zeros: see
    /// [`without_leading_zeros`]. A negative number, which some CAs make by leaving out a zero, has
    /// two spellings: with a sign as records have it, and the octets as other tools print them.
    pub fn serial_numbers(&self) -> &[String] {
        &self.serial_numbers
    }

    /// Returns false if the certificate certainly names another issuer. String types, case, white
    /// space and Unicode normalisation do not make another one.
    pub fn can_be_issued_by(&self, issuer: &DistinguishedName) -> bool {
        names_are_possibly_equal(&self.issuer, issuer.der())
    }

    /// Returns the SHA-256 of the certificate, and of each form of it that a client can make
    /// without the issuer's key: an ECDSA signature `(r, s)` is also valid as `(r, n - s)`.
    pub fn fingerprints(&self) -> &[Fingerprint] {
        &self.fingerprints
    }

    /// Returns the SHA-256 of the SubjectPublicKeyInfo.
    pub fn public_key_fingerprint(&self) -> Fingerprint {
        self.public_key
    }

    /// Returns the URIs among the subject alternative names.
    pub fn uris(&self) -> &[String] {
        &self.uris
    }
}

fn spellings(serial_number: &[u8]) -> Vec<String> {
    let numbers = [
        upper_hexadecimal(serial_number),
        base16ct::upper::encode_string(serial_number),
    ];
    let mut spellings = numbers.map(|number| without_leading_zeros(&number)).to_vec();
    spellings.dedup();
    spellings
}

/// Returns a serial number in hexadecimal without the zeros that some tools write before it, so
/// that two spellings of one number become equal.
pub fn without_leading_zeros(serial_number: &str) -> String {
    let (sign, digits) = match serial_number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", serial_number),
    };
    let digits = digits.trim_start_matches('0');
    format!("{sign}{}", if digits.is_empty() { "0" } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_serial_number_has_two_spellings() {
        assert_eq!(spellings(&[0x00, 0x9C, 0x50]), ["9C50"]);
        assert_eq!(spellings(&[0x0A]), ["A"]);
        assert_eq!(spellings(&[0x9C, 0x50]), ["-63B0", "9C50"]);
    }

    #[test]
    fn leading_zeros_are_not_part_of_a_serial_number() {
        for (text, expected) in [
            ("0A1B", "A1B"),
            ("00", "0"),
            ("-0080", "-80"),
            ("7", "7"),
            ("", "0"),
        ] {
            assert_eq!(without_leading_zeros(text), expected);
        }
    }
}
