//! Problems of CRLs: those that make a file unusable, and defects that keep a list from clearing
//! certificates.

use super::number::CrlNumber;
use crate::x509::time::Timestamp;

/// Problem of a CRL: which one of a file (counted from 1), whose it is and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(*entry, issuer.as_deref()))]
pub struct RevocationListError {
    /// Number of the CRL in its file, from 1, where the problem is with one of several.
    pub entry: Option<usize>,
    /// Name of its issuer, as far as the CRL could be read.
    pub issuer: Option<String>,
    /// Defect.
    pub problem: RevocationListErrorKind,
}

fn place(entry: Option<usize>, issuer: Option<&str>) -> String {
    match (entry, issuer) {
        (Some(entry), Some(issuer)) => format!("CRL {entry}, of {issuer}: "),
        (Some(entry), None) => format!("CRL {entry}: "),
        (None, Some(issuer)) => format!("the CRL of {issuer}: "),
        (None, None) => String::new(),
    }
}

/// Problem of a CRL or of a file of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationListErrorKind {
    /// There is no CRL in the file.
    #[error("there is no CRL in it")]
    Empty,
    /// The file is larger, unpacked, than may be read.
    #[error("is larger than {max_bytes} bytes when unpacked")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// The file is compressed and damaged, or its source failed.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The file holds a private key.
    #[error("holds a private key: replace that key, and publish CRLs only")]
    PrivateKey,
    /// A PEM block that is not a CRL.
    #[error("{0}")]
    NotPem(String),
    /// Not DER of a CRL; cut off, perhaps.
    #[error("is not the DER encoding of a whole CRL: octet {offset} should begin {field}")]
    Malformed {
        /// Part that cannot be read.
        field: &'static str,
        /// Position of that part, in octets from the start of the list.
        offset: usize,
    },
    /// Neither version 1 nor version 2.
    #[error("has the version field {found}, and only 0 and 1, for versions 1 and 2, are defined")]
    Version {
        /// Content of the field, in hexadecimal.
        found: String,
    },
    /// The two places that name the signature algorithm differ (RFC 5280 §5.1.1.2).
    #[error(
        "names two different signature algorithms, {signed} in what is signed and {outer} beside the signature"
    )]
    SignatureAlgorithmMismatch {
        /// Algorithm in what is signed.
        signed: String,
        /// Algorithm beside the signature.
        outer: String,
    },
    /// No nextUpdate (RFC 5280 §5.1.2.5), so that it could never be known to be stale.
    #[error("has no nextUpdate (RFC 5280 section 5.1.2.5), so that it would never end: give CRLs an end")]
    NextUpdateMissing,
    /// nextUpdate before thisUpdate.
    #[error("ends before it begins: its thisUpdate is {this_update}, its nextUpdate {next_update}")]
    ValidityInverted {
        /// Begin.
        this_update: Timestamp,
        /// End.
        next_update: Timestamp,
    },
    /// An extension occurs twice.
    #[error("has the extension {oid} again at octet {offset} (RFC 5280 section 4.2 allows one)")]
    RepeatedExtension {
        /// Object identifier of the extension.
        oid: String,
        /// Position of the second extension, in octets from the start of the list.
        offset: usize,
    },
    /// More extensions in one place than any CA writes.
    #[error("has more than {max} extensions in one place")]
    TooManyExtensions {
        /// The limit.
        max: usize,
    },
    /// A critical extension that is not understood (RFC 5280 §5.2).
    #[error(
        "has the critical extension {oid} at octet {offset}, which is not understood (RFC 5280 section 5.2)"
    )]
    CriticalExtension {
        /// Object identifier of the extension.
        oid: String,
        /// Position of the extension, in octets from the start of the list.
        offset: usize,
    },
    /// An extension that is processed, with a value that cannot be.
    #[error("has the extension {oid} at octet {offset}, whose value cannot be read")]
    MalformedExtension {
        /// Object identifier of the extension.
        oid: String,
        /// Position of the extension, in octets from the start of the list.
        offset: usize,
    },
    /// An entry with a critical extension that is not understood or cannot be read (RFC 5280 §5.3).
    #[error(
        "has an entry with the critical extension {oid} at octet {offset}, which is not understood (RFC 5280 section 5.3)"
    )]
    CriticalEntryExtension {
        /// Object identifier of the extension.
        oid: String,
        /// Position of the extension, in octets from the start of the list.
        offset: usize,
    },
    /// An entry of a CRL that is not indirect, with a certificateIssuer (RFC 5280 §5.3.3).
    #[error(
        "has an entry with a certificateIssuer at octet {offset}, which only indirect CRLs have (RFC 5280 section 5.3.3)"
    )]
    EntryIssuerUnexpected {
        /// Position of the extension, in octets from the start of the list.
        offset: usize,
    },
    /// An entry with a certificateIssuer that is not critical (RFC 5280 §5.3.3).
    #[error(
        "has an entry with a certificateIssuer at octet {offset} that is not critical (RFC 5280 section 5.3.3)"
    )]
    EntryIssuerNotCritical {
        /// Position of the extension, in octets from the start of the list.
        offset: usize,
    },
    /// A delta CRL without a number, or with one that is lower than that of its base (RFC 5280
    /// §5.2.4), so that it cannot be put into an order with complete CRLs.
    #[error(
        "is a delta CRL whose number is missing or below BaseCRLNumber {base}, so that it continues no complete CRL \
         (RFC 5280 section 5.2.4)"
    )]
    DeltaNumber {
        /// Number of the complete CRL that it continues.
        base: CrlNumber,
    },
    /// A kind of CRL that clears no certificate.
    #[error("{0}")]
    Unsupported(UnsupportedList),
}

/// Kinds of CRL that clear no certificate. They revoke those that they list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedList {
    /// Speaks of some reasons only (RFC 5280 §5.2.5).
    #[error("is for some reasons only: publish CRLs for all of them")]
    SomeReasons,
    /// Speaks of attribute certificates (RFC 5280 §5.2.5): it does not revoke any client either.
    #[error("is for attribute certificates, which clients do not present")]
    AttributeCertificates,
}
