//! One CRL, read whole and kept with an index of its entries.

use std::fmt;
use std::ops::Range;

use super::cursor::{BIT_STRING, Cursor, GENERALIZED_TIME, INTEGER, Place, SEQUENCE, UTC_TIME, constructed};
use super::entries::{EntryIndex, RevokedCertificate};
use super::extensions::{ExtensionError, identifier, read_extensions};
use super::history::CrlVersion;
use super::number::CrlNumber;
use super::scope::{Scope, ScopeError};
use crate::certificate::authority_key_identifier;
use crate::der_reader::{Element, Malformed, Tag};
use crate::name::DistinguishedName;
use crate::timestamp::Timestamp;

/// A certificate revocation list of version 2, read and understood whole. Nothing about its signature is known yet:
/// that is what [`RevocationLists`](super::RevocationLists) finds out.
///
/// It keeps its DER encoding and eight octets for each entry.
pub struct RevocationList {
    der: Box<[u8]>,
    to_be_signed: Range<usize>,
    signature_algorithm: Range<usize>,
    signature: Range<usize>,
    issuer: DistinguishedName,
    this_update: Timestamp,
    next_update: Timestamp,
    number: CrlNumber,
    authority_key_identifier: Option<Box<[u8]>>,
    scope: Scope,
    entries: EntryIndex,
}

/// Why a CRL cannot be used: which one of a file (counted from 1) and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", entry.map(|entry| format!("CRL {entry}: ")).unwrap_or_default())]
pub struct RevocationListError {
    /// Number of the CRL in its file, from 1, where the problem is with one of several.
    pub entry: Option<usize>,
    /// What is wrong.
    pub problem: RevocationListProblem,
}

/// What can be wrong with a CRL or a file of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationListProblem {
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
    #[error("is not the DER encoding of a whole CRL")]
    Malformed,
    /// Version 1, which has no extensions and so no number and no scope.
    #[error("is not of version 2")]
    Version,
    /// The two places that name the signature algorithm differ.
    #[error("names two different signature algorithms")]
    SignatureAlgorithmMismatch,
    /// No nextUpdate (RFC 5280 §5.1.2.5), so that it could never be known to be stale.
    #[error("has no nextUpdate")]
    NextUpdateMissing,
    /// No CRLNumber (RFC 5280 §5.2.3), so that an older one could not be told from a newer one.
    #[error("has no CRL number; with OpenSSL, set `crlnumber` in the CA's configuration")]
    NumberMissing,
    /// nextUpdate before thisUpdate.
    #[error("is out of date before it begins")]
    ValidityInverted,
    /// An extension occurs twice.
    #[error("holds the same extension twice")]
    RepeatedExtension,
    /// A critical extension that is not understood (RFC 5280 §5.2).
    #[error("holds the critical extension {0}, which is not understood")]
    CriticalExtension(String),
    /// An entry with one, which makes the whole list unusable (RFC 5280 §5.3).
    #[error("has an entry with the critical extension {0}, which is not understood")]
    CriticalEntryExtension(String),
    /// A kind of CRL that is not processed.
    #[error("{0}")]
    Unsupported(UnsupportedList),
}

/// Kinds of CRL that are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedList {
    /// Only the changes since another list (RFC 5280 §5.2.4).
    #[error("is a delta CRL: publish complete ones")]
    Delta,
    /// May hold entries of other issuers (RFC 5280 §5.2.5).
    #[error("is an indirect CRL: publish one for each issuer")]
    Indirect,
    /// Speaks of some reasons only (RFC 5280 §5.2.5).
    #[error("is for some reasons only: publish CRLs for all of them")]
    SomeReasons,
    /// Speaks of attribute certificates (RFC 5280 §5.2.5).
    #[error("is for attribute certificates, which clients do not present")]
    AttributeCertificates,
    /// Names its distribution point relative to the issuer's name.
    #[error("names its distribution point relative to its issuer: use a full name")]
    RelativeDistributionPoint,
}

impl RevocationList {
    /// Reads one CRL from its DER encoding, which is kept.
    ///
    /// # Errors
    /// [`RevocationListProblem`] unless every octet of it is understood.
    pub fn from_der(der: Vec<u8>) -> Result<Self, RevocationListProblem> {
        let mut cursor = Cursor::new(&der);
        let mut outer = cursor.enter(SEQUENCE)?;
        cursor.finish()?;
        let to_be_signed = outer.expect(SEQUENCE)?;
        let signature_algorithm = outer.expect(SEQUENCE)?.content;
        let signature = outer.expect(BIT_STRING)?;
        let signature = whole_octets(&outer, signature)?;
        outer.finish()?;

        let mut fields = outer.within(to_be_signed.content.clone());
        match fields.optional(INTEGER)? {
            Some(version) if *fields.slice(version.content.clone()) == [1] => {}
            _ => return Err(RevocationListProblem::Version),
        }
        let inner_algorithm = fields.content(SEQUENCE)?;
        if inner_algorithm != outer.slice(signature_algorithm.clone()) {
            return Err(RevocationListProblem::SignatureAlgorithmMismatch);
        }
        let issuer = fields.expect(SEQUENCE)?.encoding();
        let issuer = DistinguishedName::parse(fields.slice(issuer)).map_err(|_| Malformed)?;
        let this_update = fields.next_place()?;
        let this_update = time(&fields, this_update)?;
        let next_update = match fields.peek() {
            Some(UTC_TIME | GENERALIZED_TIME) => {
                let place = fields.next_place()?;
                time(&fields, place)?
            }
            _ => return Err(RevocationListProblem::NextUpdateMissing),
        };
        let entries = match fields.optional(SEQUENCE)? {
            None => 0..0,
            Some(entries) => entries.content,
        };
        let extensions = match fields.optional(constructed(0))? {
            None => ListExtensions::default(),
            Some(explicit) => {
                let mut explicit = fields.within(explicit.content);
                let extensions = explicit.expect(SEQUENCE)?.content;
                explicit.finish()?;
                ListExtensions::read(&fields, extensions)?
            }
        };
        fields.finish()?;
        let number = extensions.number.ok_or(RevocationListProblem::NumberMissing)?;
        if next_update < this_update {
            return Err(RevocationListProblem::ValidityInverted);
        }
        let entries = EntryIndex::build(&der, entries)?;

        Ok(Self {
            to_be_signed: to_be_signed.encoding(),
            signature_algorithm,
            signature,
            issuer,
            this_update,
            next_update,
            number,
            authority_key_identifier: extensions.authority_key_identifier,
            scope: extensions.scope,
            entries,
            der: der.into_boxed_slice(),
        })
    }

    /// The DER encoding.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Who issued it.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// From when on it speaks.
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// When there should be a newer one.
    pub fn next_update(&self) -> Timestamp {
        self.next_update
    }

    /// Its number, which its issuer raises with every one.
    pub fn number(&self) -> CrlNumber {
        self.number
    }

    /// How many certificates it revokes.
    pub fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// The URIs of its distribution point, when it is the list of one; other kinds of name are left out.
    pub fn distribution_points(&self) -> Vec<String> {
        self.scope.uris()
    }

    /// Which certificates of its issuer it speaks of, in words. Lists of one issuer with the same words replace each other.
    pub fn coverage(&self) -> String {
        self.scope.to_string()
    }

    /// Whether it speaks of every certificate of its issuer.
    pub fn is_complete(&self) -> bool {
        self.scope == Scope::default()
    }

    /// What it says about the certificate of its issuer with this serial number, given as the content of a DER
    /// INTEGER. `None` is not a clean bill: whether the list speaks of the certificate is another question.
    pub fn find(&self, serial_number: &[u8]) -> Option<RevokedCertificate> {
        self.entries.find(&self.der, serial_number)
    }

    pub(super) fn to_be_signed(&self) -> &[u8] {
        self.der.get(self.to_be_signed.clone()).unwrap_or_default()
    }

    /// The content of the AlgorithmIdentifier.
    pub(super) fn signature_algorithm(&self) -> &[u8] {
        self.der.get(self.signature_algorithm.clone()).unwrap_or_default()
    }

    pub(super) fn signature(&self) -> &[u8] {
        self.der.get(self.signature.clone()).unwrap_or_default()
    }

    pub(super) fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.authority_key_identifier.as_deref()
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Number and date of the list.
    pub fn version(&self) -> CrlVersion {
        CrlVersion {
            number: Some(self.number),
            this_update: self.this_update,
        }
    }

    /// Returns true if every certificate that `other` revokes is revoked by this list too.
    pub(super) fn revokes_all_of(&self, other: &Self) -> bool {
        let mut theirs = other.entries.serial_numbers(&other.der);
        theirs.all(|serial_number| serial_number.is_some_and(|number| self.find(number).is_some()))
    }
}

impl fmt::Display for RevocationList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "CRL {} of {} for {}, {} to {}",
            self.number, self.issuer, self.scope, self.this_update, self.next_update
        )
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RevocationList({self}, {:?})", self.entries)
    }
}

impl From<Malformed> for RevocationListProblem {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<ExtensionError> for RevocationListProblem {
    fn from(error: ExtensionError) -> Self {
        match error {
            ExtensionError::Malformed => Self::Malformed,
            ExtensionError::Repeated => Self::RepeatedExtension,
            ExtensionError::Critical(oid) => Self::CriticalExtension(oid),
            ExtensionError::CriticalOfEntry(oid) => Self::CriticalEntryExtension(oid),
            ExtensionError::Unsupported(kind) => Self::Unsupported(kind),
        }
    }
}

/// The extensions that say something about the list as a whole.
#[derive(Debug, Default)]
struct ListExtensions {
    authority_key_identifier: Option<Box<[u8]>>,
    number: Option<CrlNumber>,
    scope: Scope,
}

impl ListExtensions {
    fn read(cursor: &Cursor<'_>, content: Range<usize>) -> Result<Self, ExtensionError> {
        let mut this = Self::default();
        read_extensions(cursor, content, |extension| {
            match extension.oid {
                identifier::AUTHORITY_KEY_IDENTIFIER => {
                    this.authority_key_identifier = authority_key_identifier(extension.value)?.map(Box::from);
                }
                identifier::CRL_NUMBER => {
                    let mut value = Cursor::new(extension.value);
                    this.number = Some(CrlNumber::from_integer(value.content(INTEGER)?)?);
                    value.finish()?;
                }
                identifier::DELTA_CRL_INDICATOR => {
                    return Err(ExtensionError::Unsupported(UnsupportedList::Delta));
                }
                identifier::ISSUING_DISTRIBUTION_POINT => {
                    this.scope = Scope::parse(extension.value)?;
                }
                _ if extension.critical => return Err(ExtensionError::critical(extension.oid)),
                _ => {}
            }
            Ok(())
        })?;
        Ok(this)
    }
}

impl From<ScopeError> for ExtensionError {
    fn from(error: ScopeError) -> Self {
        match error {
            ScopeError::Malformed => Self::Malformed,
            ScopeError::Unsupported(kind) => Self::Unsupported(kind),
        }
    }
}

/// The octets of a BIT STRING without unused bits.
fn whole_octets(cursor: &Cursor<'_>, place: Place) -> Result<Range<usize>, Malformed> {
    match cursor.slice(place.content.clone()) {
        [0, ..] => Ok(place.content.start + 1..place.content.end),
        _ => Err(Malformed),
    }
}

fn time(cursor: &Cursor<'_>, place: Place) -> Result<Timestamp, Malformed> {
    let tag = match place.tag {
        UTC_TIME => Tag::UTC_TIME,
        GENERALIZED_TIME => Tag::GENERALIZED_TIME,
        _ => return Err(Malformed),
    };
    Timestamp::from_element(Element {
        tag,
        content: cursor.slice(place.content.clone()),
        encoding: cursor.slice(place.encoding()),
    })
}
