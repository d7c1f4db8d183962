//! CRL that is read in full and kept with an index of its entries.

use std::fmt;
use std::ops::Range;

use super::entries::{EntryIndex, RevocationReason, RevokedCertificate};
use super::entry_issuers::EntryIssuer;
use super::error::{RevocationListError, RevocationListErrorKind, UnsupportedList};
use super::extensions::{Extension, identifier, read_extensions};
use super::number::{CrlNumber, CrlVersion};
use super::points::freshest_uris;
use super::scope::Scope;
use crate::x509::algorithm_name::describe_signature_algorithm;
use crate::x509::der::{Elements, Malformed, Tag, context_tag, single, whole_octets};
use crate::x509::extensions::authority_key_identifier;
use crate::x509::name::DistinguishedName;
use crate::x509::oid::dotted;
use crate::x509::time::Timestamp;

/// A certificate revocation list of version 1 or 2. Nothing about its signature is known yet: that
/// is what [`RevocationLists`](super::RevocationLists) finds out.
///
/// The part of a list that can be read revokes; only a list that is understood whole clears
/// certificates. See [`defect`](Self::defect).
///
/// It keeps its DER encoding and eight octets for each entry.
pub struct RevocationList {
    der: Box<[u8]>,
    to_be_signed: Range<usize>,
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
    entries: EntryIndex,
    defect: Option<RevocationListErrorKind>,
}

impl RevocationList {
    /// Reads one CRL from its DER encoding, which is kept.
    ///
    /// # Errors
    /// [`RevocationListError`] unless its signature, issuer, date, scope and entries can be found.
    /// Whatever else is wrong with it is a [`defect`](Self::defect).
    pub fn from_der(der: Vec<u8>) -> Result<Self, RevocationListError> {
        let mut issuer = None;
        Self::read(der, &mut issuer).map_err(|problem| RevocationListError {
            entry: None,
            issuer: issuer.map(|name| name.to_string()),
            problem,
        })
    }

    /// Reads one CRL; `issuer_found` is its issuer from the moment at which it is known.
    fn read(
        der: Vec<u8>,
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
        let (entries, defect_of_entries) = EntryIndex::build(entries, extensions.scope.is_indirect());
        let kind = extensions.scope.limit().map(RevocationListErrorKind::Unsupported);

        Ok(Self {
            to_be_signed: to_be_signed.range(),
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

    /// Returns the DER encoding.
    pub fn der(&self) -> &[u8] {
        &self.der
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
        self.entries.len()
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
        let mut found = self.entries.find(&self.der, issuer, serial_number);
        match self.scope.limit() {
            Some(UnsupportedList::AttributeCertificates) => None,
            // RFC 5280 §5.3.1: in a delta CRL it ends a hold.
            _ if self.is_delta() => found.find(|entry| entry.reason != Some(RevocationReason::RemoveFromCrl)),
            _ => found.next(),
        }
    }

    /// Returns true for a delta CRL that says of a certificate of this issuer that it is not
    /// revoked any more, and nothing else.
    pub(super) fn removes(&self, issuer: EntryIssuer<'_>, serial_number: &[u8]) -> bool {
        let is_removed = |entry: RevokedCertificate| entry.reason == Some(RevocationReason::RemoveFromCrl);
        let mut found = self.entries.find(&self.der, issuer, serial_number).peekable();
        self.is_delta() && found.peek().is_some() && found.all(is_removed)
    }

    fn own_issuer(&self) -> EntryIssuer<'_> {
        EntryIssuer {
            name: self.issuer.der(),
            is_of_list: true,
        }
    }

    pub(super) fn to_be_signed(&self) -> &[u8] {
        self.der.get(self.to_be_signed.clone()).unwrap_or_default()
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
    /// Of lists with entries of other issuers, and of delta CRLs, this is not known.
    pub(super) fn revokes_all_of(&self, other: &Self) -> bool {
        let is_plain = |list: &Self| !list.entries.name_issuers() && !list.is_delta();
        if !is_plain(self) || !is_plain(other) {
            return false;
        }
        let mut theirs = other.entries.serial_numbers(&other.der);
        theirs.all(|serial_number| serial_number.is_some_and(|number| self.find(number).is_some()))
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
        write!(formatter, "RevocationList({self}, {:?})", self.entries)
    }
}

/// The extensions that say something about the list as a whole.
#[derive(Debug, Default)]
struct ListExtensions {
    authority_key_identifier: Option<Box<[u8]>>,
    number: Option<CrlNumber>,
    base_number: Option<CrlNumber>,
    delta_locations: Vec<String>,
    scope: Scope,
    /// First thing that is wrong with them.
    defect: Option<RevocationListErrorKind>,
}

impl ListExtensions {
    fn read(extensions: Elements<'_>, issuer: &[u8]) -> Self {
        let mut this = Self::default();
        let mut is_delta = false;
        let visited = read_extensions(extensions, |extension| {
            let read = match extension.oid {
                identifier::AUTHORITY_KEY_IDENTIFIER => authority_key_identifier(extension.value)
                    .map(|identifier| this.authority_key_identifier = identifier.map(Box::from)),
                identifier::CRL_NUMBER => number(&extension).map(|number| this.number = number),
                identifier::DELTA_CRL_INDICATOR => {
                    is_delta = true;
                    match number(&extension) {
                        Ok(Some(number)) => {
                            this.base_number = Some(number);
                            Ok(())
                        }
                        Ok(None) | Err(Malformed) => Err(Malformed),
                    }
                }
                // It is a help in finding delta CRLs, and not critical.
                identifier::FRESHEST_CRL => {
                    this.delta_locations = freshest_uris(extension.value, issuer).unwrap_or_default();
                    Ok(())
                }
                identifier::ISSUING_DISTRIBUTION_POINT => match Scope::parse(extension.value, issuer) {
                    Ok(scope) => {
                        this.scope = scope;
                        Ok(())
                    }
                    Err(Malformed) => {
                        // A list whose scope is not known may cover any certificate, so it keeps
                        // others from clearing it.
                        this.scope = Scope::unreadable();
                        Err(Malformed)
                    }
                },
                _ if extension.critical => {
                    let (oid, offset) = (dotted(extension.oid), extension.offset);
                    this.defect
                        .get_or_insert(RevocationListErrorKind::CriticalExtension { oid, offset });
                    Ok(())
                }
                _ => Ok(()),
            };
            if read == Err(Malformed) {
                this.defect.get_or_insert_with(|| extension.malformed());
            }
        });
        if let Err(problem) = visited {
            // The scope may be among those that were not visited.
            this.scope = Scope::unreadable();
            this.defect.get_or_insert(problem);
        }
        if is_delta {
            this.scope = this.scope.of_changes();
            if let Some(base) = this.base_number
                && this.number.is_none_or(|number| number < base)
            {
                this.defect
                    .get_or_insert(RevocationListErrorKind::DeltaNumber { base });
            }
        }
        this
    }
}

fn number(extension: &Extension<'_>) -> Result<Option<CrlNumber>, Malformed> {
    CrlNumber::from_integer(single(extension.value, Tag::INTEGER)?)
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
