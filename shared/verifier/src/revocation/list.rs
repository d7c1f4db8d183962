//! CRL that is read in full and kept with an index of its entries.

use std::fmt;
use std::io;
use std::ops::Range;

use aws_lc_rs::digest::{self, Digest};

use super::entries::{EntryIndex, RevocationReason, RevokedCertificate};
use super::entry_issuers::EntryIssuer;
use super::error::{RevocationListError, RevocationListErrorKind, UnsupportedList};
use super::list_extensions::ListExtensions;
use super::number::{CrlNumber, CrlVersion};
use super::scope::Scope;
use super::stored::StoredEntries;
use super::stream::StreamedParts;
use crate::x509::algorithm_name::describe_signature_algorithm;
use crate::x509::der::{Elements, Malformed, Tag, context_tag, whole_octets};
use crate::x509::name::DistinguishedName;
use crate::x509::time::Timestamp;

/// A certificate revocation list of version 1 or 2. Nothing about its signature is known yet: that
/// is what [`RevocationLists`](super::RevocationLists) finds out.
///
/// The part of a list that can be read revokes; only a list that is understood whole clears
/// certificates. See [`defect`](Self::defect).
///
/// It keeps its DER encoding and eight octets for each entry.
pub struct RevocationList {
    /// Whole encoding; without the entries, if they are in a storage.
    der: Box<[u8]>,
    /// Octets of the whole encoding.
    length: usize,
    signed: SignedRange,
    signature_algorithm: Range<usize>,
    signature: Range<usize>,
    issuer: DistinguishedName,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    number: Option<CrlNumber>,
    base_number: Option<CrlNumber>,
    authority_key_identifier: Option<Box<[u8]>>,
    scope: Scope,
    delta_locations: Box<[String]>,
    entries: Entries,
    defect: Option<RevocationListErrorKind>,
}

enum Entries {
    /// In the encoding.
    Kept(EntryIndex),
    Stored(StoredEntries),
}

enum SignedRange {
    /// In the encoding.
    Octets(Range<usize>),
    Digest(Digest),
}

/// Content that the issuer signed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signed<'l> {
    Octets(&'l [u8]),
    /// Digest of the octets.
    Digest(&'l Digest),
}

impl Signed<'_> {
    /// Returns true if it is known to be the same.
    pub(super) fn is(self, other: Signed<'_>) -> bool {
        match (self, other) {
            (Signed::Octets(own), Signed::Octets(theirs)) => own == theirs,
            (Signed::Digest(own), Signed::Digest(theirs)) => {
                own.algorithm() == theirs.algorithm() && own.as_ref() == theirs.as_ref()
            }
            (Signed::Octets(octets), Signed::Digest(digest))
            | (Signed::Digest(digest), Signed::Octets(octets)) => {
                digest::digest(digest.algorithm(), octets).as_ref() == digest.as_ref()
            }
        }
    }
}

impl RevocationList {
    /// Reads one CRL from its DER encoding, which is kept.
    ///
    /// # Errors
    /// [`RevocationListError`] unless its signature, issuer, date, scope and entries can be found.
    /// Whatever else is wrong with it is a [`defect`](Self::defect).
    pub fn from_der(der: Vec<u8>) -> Result<Self, RevocationListError> {
        Self::from_encoding(der, None)
    }

    /// Reads a list of which `parts` were read while it arrived, from its encoding without the
    /// entries.
    pub(super) fn from_parts(skeleton: Vec<u8>, parts: StreamedParts) -> Result<Self, RevocationListError> {
        Self::from_encoding(skeleton, Some(parts))
    }

    fn from_encoding(der: Vec<u8>, parts: Option<StreamedParts>) -> Result<Self, RevocationListError> {
        let mut issuer = None;
        Self::read(der, parts, &mut issuer).map_err(|problem| RevocationListError {
            entry: None,
            issuer: issuer.map(|name| name.to_string()),
            problem,
        })
    }

    /// Reads one CRL; `issuer_found` is its issuer from the moment at which it is known.
    fn read(
        der: Vec<u8>,
        parts: Option<StreamedParts>,
        issuer_found: &mut Option<DistinguishedName>,
    ) -> Result<Self, RevocationListErrorKind> {
        let mut file = Elements::new(&der);
        let mut outer = field(&mut file, "the CRL", |file| file.enter(Tag::SEQUENCE))?;
        field(&mut file, "nothing more", |file| file.finish())?;
        let to_be_signed = field(&mut outer, "what is signed", |outer| outer.expect(Tag::SEQUENCE))?;
        let algorithm = "the signature algorithm";
        let signature_algorithm = field(&mut outer, algorithm, |outer| outer.expect(Tag::SEQUENCE))?;
        let signature = field(&mut outer, "the signature", |outer| {
            let bits = outer.expect(Tag::BIT_STRING)?;
            let octets = whole_octets(bits.content)?;
            let end = bits.content_range().end;
            Ok(end - octets.len()..end)
        })?;
        field(&mut outer, "nothing more", |outer| outer.finish())?;

        // From here on, most faults make the list useless for clearing and not for revoking: the
        // issuer has signed what can be read.
        let mut defect = None;
        let mut fields = to_be_signed.elements();
        let version = field(&mut fields, "the version", |fields| fields.optional(Tag::INTEGER))?;
        match version.map(|version| version.content) {
            // Nothing, 0 and 1 are versions 1, 1 and 2. What version 1 lacks may be lacking in
            // version 2 as well.
            None | Some([0 | 1]) => {}
            Some(other) => {
                let found = format!("0x{}", base16ct::lower::encode_string(other));
                defect = Some(RevocationListErrorKind::Version { found });
            }
        }
        let inner_algorithm = field(&mut fields, algorithm, |fields| fields.content(Tag::SEQUENCE))?;
        let issuer = field(&mut fields, "the name of the issuer", |fields| {
            let name = fields.expect(Tag::SEQUENCE)?.encoding;
            DistinguishedName::parse(name).map_err(|_| Malformed)
        })?;
        let issuer = issuer_found.insert(issuer);
        // Only the inner one is signed (RFC 5280 §5.1.1.2).
        let outer_algorithm = signature_algorithm.content;
        if inner_algorithm != outer_algorithm {
            return Err(RevocationListErrorKind::SignatureAlgorithmMismatch {
                signed: describe_signature_algorithm(inner_algorithm),
                outer: describe_signature_algorithm(outer_algorithm),
            });
        }
        let this_update = field(&mut fields, "thisUpdate", |fields| {
            Timestamp::from_element(fields.next_element()?)
        })?;
        let next_update = next_update(&mut fields, &mut defect)?;
        let entries = field(&mut fields, "the entries", |fields| {
            fields.optional(Tag::SEQUENCE)
        })?;
        // The entries of a list that arrived in parts were taken out: these would be second ones.
        if parts.is_some()
            && let Some(second) = entries
        {
            return Err(RevocationListErrorKind::Malformed {
                field: "the extensions",
                offset: second.offset,
            });
        }
        let entries = entries.map_or(Elements::new(&[]), |entries| entries.elements());
        let extensions = field(&mut fields, "the extensions", |fields| {
            let Some(explicit) = fields.optional(context_tag(0, true))? else {
                return Ok(Elements::new(&[]));
            };
            let mut explicit = explicit.elements();
            let extensions = explicit.enter(Tag::SEQUENCE)?;
            explicit.finish()?;
            Ok(extensions)
        })?;
        field(&mut fields, "nothing more", |fields| fields.finish())?;
        let extensions = ListExtensions::read(extensions, issuer.der());
        if let Some(next_update) = next_update
            && next_update < this_update
        {
            defect.get_or_insert(RevocationListErrorKind::ValidityInverted {
                this_update,
                next_update,
            });
        }
        let is_indirect = extensions.scope.is_indirect();
        let (entries, defect_of_entries, signed, length) = match parts {
            None => {
                let (index, defect) = EntryIndex::build(entries, is_indirect);
                let signed = SignedRange::Octets(to_be_signed.range());
                (Entries::Kept(index), defect, signed, der.len())
            }
            Some(parts) => {
                let defect = parts.defects.first(is_indirect);
                let signed = SignedRange::Digest(parts.digest);
                (Entries::Stored(parts.entries), defect, signed, parts.length)
            }
        };
        let kind = extensions.scope.limit().map(RevocationListErrorKind::Unsupported);

        Ok(Self {
            length,
            signed,
            signature_algorithm: signature_algorithm.content_range(),
            signature,
            issuer: issuer.clone(),
            this_update,
            next_update,
            number: extensions.number,
            base_number: extensions.base_number,
            authority_key_identifier: extensions.authority_key_identifier,
            scope: extensions.scope,
            delta_locations: extensions.delta_locations.into(),
            entries,
            defect: kind.or(defect).or(extensions.defect).or(defect_of_entries),
            der: der.into_boxed_slice(),
        })
    }

    /// Returns the DER encoding; `None` for a list whose entries are in a storage.
    pub fn der(&self) -> Option<&[u8]> {
        match self.entries {
            Entries::Kept(_) => Some(&self.der),
            Entries::Stored(_) => None,
        }
    }

    /// Copies octets of the DER encoding from a position on, as many as there is room for.
    ///
    /// # Errors
    /// Those of the storage, and that the encoding ends before.
    pub fn read_at(&self, position: u64, octets: &mut [u8]) -> io::Result<()> {
        match &self.entries {
            Entries::Stored(entries) => entries.storage().read_at(position, octets),
            Entries::Kept(_) => {
                let start = usize::try_from(position).ok();
                let rest = start.and_then(|start| self.der.get(start..));
                let wanted = rest.and_then(|rest| rest.get(..octets.len()));
                octets.copy_from_slice(wanted.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }

    /// Returns true if the other list has the same content and the same signature.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.length == other.length
            && self.signature() == other.signature()
            && self.signed().is(other.signed())
    }

    /// Returns the octets of the DER encoding.
    pub fn encoded_length(&self) -> usize {
        self.length
    }

    /// Returns the name of the issuer.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// Returns the time from which the list is valid.
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// Returns the time by which a newer list is due; `None` for a list without nextUpdate, which
    /// is a defect.
    pub fn next_update(&self) -> Option<Timestamp> {
        self.next_update
    }

    /// Returns the number, which the issuer raises with every list. Many CAs do not number their
    /// lists, and lists of version 1 cannot have one: these are ordered by their dates.
    pub fn number(&self) -> Option<CrlNumber> {
        self.number
    }

    /// Returns true for a delta CRL, which has only the changes since another list (RFC 5280
    /// §5.2.4).
    pub fn is_delta(&self) -> bool {
        self.scope.is_delta()
    }

    /// Returns the BaseCRLNumber of a delta CRL: it continues complete CRLs with this number or a
    /// higher one.
    pub fn base_number(&self) -> Option<CrlNumber> {
        self.base_number
    }

    /// Returns the URIs where the list says that its delta CRLs are (RFC 5280 §5.2.6).
    pub fn delta_locations(&self) -> &[String] {
        &self.delta_locations
    }

    /// Returns why the list clears no certificate, if that is so. A list with a defect that its
    /// issuer has signed still revokes the certificates on it.
    ///
    /// A list that is newer than one without a defect keeps that one from clearing too, unless it
    /// is of a kind that goes beside complete lists: the issuer has spoken, and what it said is not
    /// understood.
    pub fn defect(&self) -> Option<&RevocationListErrorKind> {
        self.defect.as_ref()
    }

    /// Returns true for a list that clears no certificate alone, and whose defect does not make the
    /// issuer's older lists useless. A delta CRL, a list for some reasons and the like stand beside
    /// complete lists.
    pub(super) fn is_beside_complete_ones(&self) -> bool {
        self.scope.limit().is_some() || self.is_delta()
    }

    /// Returns the name and object identifier of the signature algorithm, with the parameters that
    /// matter.
    pub fn signature_algorithm_name(&self) -> String {
        describe_signature_algorithm(self.signature_algorithm())
    }

    /// Returns the number of certificates that the list revokes.
    pub fn entry_count(&self) -> usize {
        match &self.entries {
            Entries::Kept(index) => index.len(),
            Entries::Stored(entries) => entries.len(),
        }
    }

    fn name_issuers(&self) -> bool {
        match &self.entries {
            Entries::Kept(index) => index.name_issuers(),
            Entries::Stored(entries) => entries.name_issuers(),
        }
    }

    /// Returns the first entry of an issuer with this serial number that is wanted.
    fn find_first(
        &self,
        issuer: EntryIssuer<'_>,
        serial_number: &[u8],
        is_wanted: impl Fn(&RevokedCertificate) -> bool,
    ) -> Option<RevokedCertificate> {
        match &self.entries {
            Entries::Kept(index) => index.find(&self.der, issuer, serial_number).find(is_wanted),
            Entries::Stored(entries) => entries.find(issuer, serial_number).into_iter().find(is_wanted),
        }
    }

    /// Returns the URIs of the distribution point, if the list is for one; other kinds of name are
    /// left out.
    pub fn distribution_points(&self) -> Vec<String> {
        self.scope.uris()
    }

    /// Describes the certificates of the issuer that the list covers. Lists of one issuer with the
    /// same description replace each other.
    pub fn coverage(&self) -> String {
        self.scope.to_string()
    }

    /// Returns true if the list covers every certificate of its issuer.
    pub fn is_complete(&self) -> bool {
        self.scope == Scope::default()
    }

    /// Returns the entry for the certificate of the issuer with this serial number, given as the
    /// content of a DER INTEGER. `None` does not clear the certificate: the list may not cover it.
    pub fn find(&self, serial_number: &[u8]) -> Option<RevokedCertificate> {
        self.find_of(self.own_issuer(), serial_number)
    }

    /// Returns the entry for a certificate of this issuer, who need not be that of the list.
    pub(super) fn find_of(
        &self,
        issuer: EntryIssuer<'_>,
        serial_number: &[u8],
    ) -> Option<RevokedCertificate> {
        // RFC 5280 §5.3.1: in a delta CRL it ends a hold.
        let revokes = |entry: &RevokedCertificate| {
            !self.is_delta() || entry.reason != Some(RevocationReason::RemoveFromCrl)
        };
        match self.scope.limit() {
            Some(UnsupportedList::AttributeCertificates) => None,
            _ => self.find_first(issuer, serial_number, revokes),
        }
    }

    /// Returns true for a delta CRL that says of a certificate of this issuer that it is not
    /// revoked any more, and nothing else.
    pub(super) fn removes(&self, issuer: EntryIssuer<'_>, serial_number: &[u8]) -> bool {
        let is_removal = |entry: &RevokedCertificate| entry.reason == Some(RevocationReason::RemoveFromCrl);
        self.is_delta()
            && self.find_first(issuer, serial_number, is_removal).is_some()
            && self
                .find_first(issuer, serial_number, |entry| !is_removal(entry))
                .is_none()
    }

    fn own_issuer(&self) -> EntryIssuer<'_> {
        EntryIssuer {
            name: self.issuer.der(),
            is_of_list: true,
        }
    }

    pub(super) fn signed(&self) -> Signed<'_> {
        match &self.signed {
            SignedRange::Octets(range) => Signed::Octets(self.der.get(range.clone()).unwrap_or_default()),
            SignedRange::Digest(digest) => Signed::Digest(digest),
        }
    }

    /// Returns the content of the AlgorithmIdentifier.
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

    /// Returns number and date of the list.
    pub fn version(&self) -> CrlVersion {
        CrlVersion {
            number: self.number,
            this_update: self.this_update,
        }
    }

    /// Returns true if every certificate that `other` revokes is revoked by this list too.
    ///
    /// Of lists with entries of other issuers, of delta CRLs and of lists in a storage, this is not
    /// known.
    pub(super) fn revokes_all_of(&self, other: &Self) -> bool {
        let is_plain = |list: &Self| !list.name_issuers() && !list.is_delta();
        match &other.entries {
            Entries::Kept(index) if is_plain(self) && is_plain(other) => {
                let mut theirs = index.serial_numbers(&other.der);
                theirs.all(|serial_number| serial_number.is_some_and(|number| self.find(number).is_some()))
            }
            _ => false,
        }
    }
}

impl fmt::Display for RevocationList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CRL ")?;
        if let Some(number) = self.number {
            write!(formatter, "{number} ")?;
        }
        write!(
            formatter,
            "of {} for {}, {} ",
            self.issuer, self.scope, self.this_update
        )?;
        match self.next_update {
            Some(next_update) => write!(formatter, "to {next_update}"),
            None => formatter.write_str("on"),
        }
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entries {
            Entries::Kept(entries) => write!(formatter, "RevocationList({self}, {entries:?})"),
            Entries::Stored(entries) => write!(formatter, "RevocationList({self}, {entries:?})"),
        }
    }
}

/// Reads a field, and says which one it is and where it should be if that fails.
fn field<'a, T>(
    fields: &mut Elements<'a>,
    name: &'static str,
    read: impl FnOnce(&mut Elements<'a>) -> Result<T, Malformed>,
) -> Result<T, RevocationListErrorKind> {
    let offset = fields.position();
    read(fields).map_err(|Malformed| RevocationListErrorKind::Malformed { field: name, offset })
}

fn next_update(
    fields: &mut Elements<'_>,
    defect: &mut Option<RevocationListErrorKind>,
) -> Result<Option<Timestamp>, RevocationListErrorKind> {
    let (name, offset) = ("nextUpdate", fields.position());
    if !matches!(fields.peek(), Some(Tag::UTC_TIME | Tag::GENERALIZED_TIME)) {
        defect.get_or_insert(RevocationListErrorKind::NextUpdateMissing);
        return Ok(None);
    }
    let element = field(fields, name, |fields| fields.next_element())?;
    let time = Timestamp::from_element(element);
    if time.is_err() {
        defect.get_or_insert(RevocationListErrorKind::Malformed { field: name, offset });
    }
    Ok(time.ok())
}
