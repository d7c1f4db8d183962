//! The bare structures, every field open, for certificates and CRLs that no sound authority would
//! issue.

use der::asn1::{Any, BitString, Int, ObjectIdentifier};
use der::{Decode, Encode, Sequence};
use x509_cert::ext::Extension;

use crate::{Error, Key, SignatureAlgorithm};

/// `TBSCertificate` (RFC 5280 section 4.1) whose fields may hold any DER at all.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct TbsCertificate {
    /// Absent for version 1, 2 for version 3.
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub version: Option<Int>,
    pub serial_number: Int,
    pub signature: Any,
    pub issuer: Any,
    pub validity: Any,
    pub subject: Any,
    pub subject_public_key_info: Any,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub issuer_unique_id: Option<BitString>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    pub subject_unique_id: Option<BitString>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub extensions: Option<Vec<Extension>>,
}

impl TbsCertificate {
    /// Returns the first extension with this identifier.
    pub fn extension(&mut self, identifier: ObjectIdentifier) -> Option<&mut Extension> {
        self.extensions
            .iter_mut()
            .flatten()
            .find(|extension| extension.extn_id == identifier)
    }
}

/// `TBSCertList` (RFC 5280 section 5.1) whose fields may hold any DER at all.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct TbsCertList {
    /// Absent for version 1, 1 for version 2.
    #[asn1(optional = "true")]
    pub version: Option<Int>,
    pub signature: Any,
    pub issuer: Any,
    pub this_update: x509_cert::time::Time,
    #[asn1(optional = "true")]
    pub next_update: Option<x509_cert::time::Time>,
    #[asn1(optional = "true")]
    pub revoked_certificates: Option<Vec<RevokedCertificate>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub extensions: Option<Vec<Extension>>,
}

/// Entry of a [`TbsCertList`].
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct RevokedCertificate {
    pub serial_number: Int,
    pub revocation_date: x509_cert::time::Time,
    #[asn1(optional = "true")]
    pub extensions: Option<Vec<Extension>>,
}

/// Signed structure of certificates and CRLs: content, algorithm and signature.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct Signed {
    pub to_be_signed: Any,
    pub algorithm: Any,
    pub signature: BitString,
}

impl Signed {
    /// Takes a certificate or CRL apart.
    ///
    /// # Errors
    ///
    /// When the DER is not of that form.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        <Self as Decode<'_>>::from_der(der).map_err(|error| Error::malformed("signed structure", error))
    }

    /// Puts it together again, whatever its fields hold.
    ///
    /// # Errors
    ///
    /// When it is too long for DER.
    pub fn to_der(&self) -> Result<Vec<u8>, Error> {
        Encode::to_der(self).map_err(Error::encode("signed structure"))
    }

    /// Signs DER as it stands.
    pub(crate) fn sign(
        to_be_signed: &[u8],
        key: &Key,
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<u8>, Error> {
        let signature = key.sign(algorithm, to_be_signed)?;
        Self {
            to_be_signed: any(to_be_signed)?,
            algorithm: algorithm_identifier(algorithm)?,
            signature: BitString::from_bytes(&signature).map_err(Error::encode("signature"))?,
        }
        .to_der()
    }
}

/// Returns the `AlgorithmIdentifier` of a signature algorithm.
///
/// # Errors
///
/// Never in practice: when it is too long for DER.
pub fn algorithm_identifier(algorithm: SignatureAlgorithm) -> Result<Any, Error> {
    let content: &[u8] = &algorithm.identifier();
    Any::new(der::Tag::Sequence, content).map_err(Error::encode("algorithm identifier"))
}

/// DER that is already encoded, as a value to put into a field.
///
/// # Errors
///
/// When the bytes are not exactly one DER value.
pub fn any(der: &[u8]) -> Result<Any, Error> {
    Any::from_der(der).map_err(|error| Error::malformed("DER value", error))
}

/// Encodes something as a value to put into a field.
///
/// # Errors
///
/// When it cannot be encoded.
pub fn any_of(value: &impl Encode) -> Result<Any, Error> {
    any(&value.to_der().map_err(Error::encode("value"))?)
}

/// A signed integer of any length from its big-endian two's complement bytes.
///
/// # Errors
///
/// When it is too long for DER.
pub fn integer(bytes: &[u8]) -> Result<Int, Error> {
    Int::new(bytes).map_err(Error::encode("integer"))
}

/// Encodes one DER value of any tag of one octet, with its length in the shortest form.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let octets = content.len().to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let significant = octets.get(zeros..).unwrap_or_default();
    let header = match significant {
        [] => vec![tag, 0],
        [short] if *short < 0x80 => vec![tag, *short],
        long => [&[tag, 0x80 | u8::try_from(long.len()).unwrap_or(8)], long].concat(),
    };
    [&header, content].concat()
}
