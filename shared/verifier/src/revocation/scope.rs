//! Certificates that a list covers (RFC 5280 §5.2.5), and lists that a certificate names
//! (§4.2.1.13).

use std::fmt;

use super::error::UnsupportedList;
use crate::x509::certificate::Certificate;
use crate::x509::der::{Element, Elements, Malformed, Tag, boolean, context_tag, encode, single};
use crate::x509::name::{DistinguishedName, names_are_equal};
use crate::x509::oid;

/// The certificates that a list speaks of. Lists of one issuer with equal scopes replace each
/// other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    /// Returns the value of the issuingDistributionPoint, empty for a list without one.
    value: Box<[u8]>,
    /// Names of the distribution point, if it is the list of one.
    names: Option<Box<[PointName]>>,
    subjects: Subjects,
    limit: Option<UnsupportedList>,
    is_unreadable: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Subjects {
    #[default]
    All,
    EndEntities,
    Authorities,
}

/// Name of a distribution point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum PointName {
    /// Whole encoding of a Name.
    Directory(Box<[u8]>),
    /// Whole encoding of a GeneralName of another kind.
    Other(Box<[u8]>),
}

/// `fullName` of a DistributionPointName.
const FULL_NAME: Tag = context_tag(0, true);
/// `nameRelativeToCRLIssuer` of a DistributionPointName.
const RELATIVE_NAME: Tag = context_tag(1, true);
/// `directoryName` of a GeneralName, an explicit tag.
const DIRECTORY_NAME: Tag = context_tag(4, true);
/// `uniformResourceIdentifier` of a GeneralName.
const URI: Tag = context_tag(6, false);

impl Scope {
    /// Reads the value of the extension issuingDistributionPoint of a list of `issuer`, a whole
    /// encoding of a Name.
    ///
    /// An empty SEQUENCE and one with nothing but FALSE restrict nothing, and OpenSSL reads them so
    /// too, although RFC 5280 §5.2.5 forbids to write them.
    pub(super) fn parse(value: &[u8], issuer: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Elements::inside(value, Tag::SEQUENCE)?;
        let names = match fields.optional(context_tag(0, true))? {
            None => None,
            Some(name) => {
                let mut names = Vec::new();
                each_name(name, issuer, |name| names.push(PointName::from(name)))?;
                Some(names.into_boxed_slice())
            }
        };
        let only_end_entities = flag(&mut fields, 1)?;
        let only_authorities = flag(&mut fields, 2)?;
        let some_reasons = fields.optional(context_tag(3, false))?.is_some();
        let indirect = flag(&mut fields, 4)?;
        let attribute_certificates = flag(&mut fields, 5)?;
        fields.finish()?;

        // The one that limits the list most decides how it is named.
        let limit = if attribute_certificates {
            Some(UnsupportedList::AttributeCertificates)
        } else if indirect {
            Some(UnsupportedList::Indirect)
        } else if some_reasons {
            Some(UnsupportedList::SomeReasons)
        } else {
            None
        };
        let subjects = match (only_end_entities, only_authorities) {
            (false, false) => Subjects::All,
            (true, false) => Subjects::EndEntities,
            (false, true) => Subjects::Authorities,
            // RFC 5280 §5.2.5: at most one of them; a list of neither would cover nothing.
            (true, true) => return Err(Malformed),
        };
        if names.is_none() && subjects == Subjects::All && limit.is_none() {
            return Ok(Self::default());
        }
        Ok(Self {
            value: value.into(),
            names,
            subjects,
            limit,
            is_unreadable: false,
        })
    }

    /// Returns the scope of a list whose extensions cannot be read: it may speak of any
    /// certificate.
    pub(super) fn unreadable() -> Self {
        Self {
            is_unreadable: true,
            ..Self::default()
        }
    }

    /// Returns the scope of a delta CRL that would otherwise have this one.
    pub(super) fn of_changes(self) -> Self {
        Self {
            limit: self.limit.or(Some(UnsupportedList::Delta)),
            ..self
        }
    }

    /// Returns the value of the issuingDistributionPoint, empty for a list without one.
    pub(super) fn der(&self) -> &[u8] {
        &self.value
    }

    /// Returns the kind of the list, if lists of that kind clear no certificate.
    pub(super) fn limit(&self) -> Option<UnsupportedList> {
        self.limit
    }

    /// Returns true if lists of this scope can be told from those of others by what
    /// [`der`](Self::der) returns.
    pub(super) fn is_series(&self) -> bool {
        !self.is_unreadable && self.limit != Some(UnsupportedList::Delta)
    }

    /// Returns the encodings of the names of its distribution point; `None` for a list without one.
    pub(super) fn general_names(&self) -> Option<Vec<u8>> {
        let names = self.names.as_ref()?.iter();
        Some(names.flat_map(PointName::general_name).collect())
    }

    /// Returns true for a list that speaks of CA certificates only.
    pub(super) fn is_for_authorities_only(&self) -> bool {
        self.subjects == Subjects::Authorities
    }

    /// Returns true if a list with this scope covers the certificate, so that its absence from the
    /// list clears it.
    pub(super) fn covers(&self, certificate: &Certificate<'_>) -> bool {
        let subject_is_covered = match self.subjects {
            Subjects::All => true,
            Subjects::EndEntities => !certificate.is_authority(),
            Subjects::Authorities => certificate.is_authority(),
        };
        subject_is_covered
            && self
                .names
                .as_ref()
                .is_none_or(|names| is_named_by(certificate, names).unwrap_or(false))
    }

    /// Returns the URIs among the names of the distribution point.
    pub(super) fn uris(&self) -> Vec<String> {
        self.names().filter_map(PointName::uri).collect()
    }

    fn names(&self) -> impl Iterator<Item = &PointName> {
        self.names.iter().flatten()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.subjects {
            _ if self.is_unreadable => "certificates that cannot be told",
            Subjects::All => "all certificates",
            Subjects::EndEntities => "end-entity certificates",
            Subjects::Authorities => "CA certificates",
        })?;
        if self.names.is_some() {
            let names: Vec<String> = self.names().filter_map(PointName::text).collect();
            match names.as_slice() {
                [] => formatter.write_str(" of one distribution point")?,
                names => write!(formatter, " of the distribution point {}", names.join(" or "))?,
            }
        }
        match self.limit {
            None => Ok(()),
            Some(UnsupportedList::Delta) => formatter.write_str(", changes only"),
            Some(UnsupportedList::Indirect) => formatter.write_str(", of several issuers"),
            Some(UnsupportedList::SomeReasons) => formatter.write_str(", for some reasons only"),
            Some(UnsupportedList::AttributeCertificates) => {
                formatter.write_str(", attribute certificates only")
            }
        }
    }
}

/// Name of a distribution point, borrowed or composed with the issuer's.
enum FoundName<'a> {
    /// Whole encoding of a Name.
    Directory(&'a [u8]),
    /// Name of the issuer with one relative name more.
    Relative(Vec<u8>),
    /// Whole encoding of a GeneralName of another kind.
    Other(&'a [u8]),
}

impl FoundName<'_> {
    /// Returns true for the same name: directory names by RFC 5280 §7.1, others byte for byte.
    fn is(&self, other: &PointName) -> bool {
        match (self, other) {
            (Self::Directory(name), PointName::Directory(other)) => names_are_equal(name, other),
            (Self::Relative(name), PointName::Directory(other)) => names_are_equal(name, other),
            (Self::Other(name), PointName::Other(other)) => **name == **other,
            _ => false,
        }
    }

    fn uri(&self) -> Option<String> {
        match self {
            Self::Other(name) => uri(name),
            Self::Directory(_) | Self::Relative(_) => None,
        }
    }
}

impl From<FoundName<'_>> for PointName {
    fn from(name: FoundName<'_>) -> Self {
        match name {
            FoundName::Directory(name) => Self::Directory(name.into()),
            FoundName::Relative(name) => Self::Directory(name.into()),
            FoundName::Other(name) => Self::Other(name.into()),
        }
    }
}

impl PointName {
    /// Returns the whole encoding of the GeneralName.
    fn general_name(&self) -> Vec<u8> {
        match self {
            Self::Directory(name) => encode(DIRECTORY_NAME, &[name]),
            Self::Other(name) => name.to_vec(),
        }
    }

    fn uri(&self) -> Option<String> {
        match self {
            Self::Other(name) => uri(name),
            Self::Directory(_) => None,
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Other(name) => uri(name),
            Self::Directory(name) => DistinguishedName::parse(name).ok().map(|name| name.to_string()),
        }
    }
}

/// Returns the text of a GeneralName that is a URI.
fn uri(name: &[u8]) -> Option<String> {
    let content = Elements::new(name).content(URI).ok()?;
    Some(content.escape_ascii().to_string())
}

/// Returns true if one of the certificate's distribution points bears one of these names, or its
/// issuer does: RFC 5280 §6.3.3 assumes a distribution point with the names of the issuer for CRLs
/// that the certificate does not mention.
fn is_named_by(certificate: &Certificate<'_>, names: &[PointName]) -> Result<bool, Malformed> {
    let is_one = |name: &FoundName<'_>| names.iter().any(|other| name.is(other));
    if is_one(&FoundName::Directory(certificate.issuer)) {
        return Ok(true);
    }
    let mut named = false;
    if let Some(extension) = certificate.extensions.find(oid::CRL_DISTRIBUTION_POINTS) {
        each_distribution_point_name(extension.value, certificate.issuer, |name| {
            named = named || is_one(&name);
        })?;
    }
    Ok(named)
}

/// Walks over `cRLDistributionPoints` (RFC 5280 §4.2.1.13) of a certificate of `issuer` and passes
/// on the names of each point that is for every reason and served by that issuer.
///
/// Points for some reasons only, and those served by another issuer, say nothing about a list that
/// is neither. A `cRLIssuer` that names the certificate's own issuer makes no difference, although
/// it should not be written then; where there is no other name, it is the point's name (RFC 5280
/// §6.3.3 (b) (2) (i)).
fn each_distribution_point_name<'a>(
    value: &'a [u8],
    issuer: &[u8],
    mut visit: impl FnMut(FoundName<'a>),
) -> Result<(), Malformed> {
    let mut points = Elements::inside(value, Tag::SEQUENCE)?;
    while !points.at_end() {
        let mut fields = points.enter(Tag::SEQUENCE)?;
        let name = fields.optional(context_tag(0, true))?;
        let reasons = fields.optional(context_tag(1, false))?;
        let crl_issuer = fields.optional(context_tag(2, true))?;
        fields.finish()?;
        let is_of_issuer = match &crl_issuer {
            None => true,
            Some(names) => any_directory_is(names.elements(), issuer)?,
        };
        if reasons.is_some() || !is_of_issuer {
            continue;
        }
        match (name, crl_issuer) {
            (Some(name), _) => each_name(name, issuer, &mut visit)?,
            (None, Some(crl_issuer)) => each_general_name(crl_issuer.elements(), &mut visit)?,
            (None, None) => {}
        }
    }
    Ok(())
}

/// Passes on the names of a DistributionPointName, in full, although it may be relative to the name
/// of `issuer`.
fn each_name<'a>(
    point_name: Element<'a>,
    issuer: &[u8],
    mut visit: impl FnMut(FoundName<'a>),
) -> Result<(), Malformed> {
    let mut choice = point_name.elements();
    let name = choice.next_element()?;
    choice.finish()?;
    match name.tag {
        FULL_NAME => each_general_name(name.elements(), visit),
        RELATIVE_NAME => {
            visit(FoundName::Relative(below(issuer, name.content)?));
            Ok(())
        }
        _ => Err(Malformed),
    }
}

/// Passes on each of at least one GeneralName.
fn each_general_name<'a>(
    mut names: Elements<'a>,
    mut visit: impl FnMut(FoundName<'a>),
) -> Result<(), Malformed> {
    loop {
        let name = names.next_element()?;
        visit(match name.tag {
            DIRECTORY_NAME => FoundName::Directory(name.content),
            _ => FoundName::Other(name.encoding),
        });
        if names.at_end() {
            return Ok(());
        }
    }
}

/// Returns the whole encoding of the Name that consists of `issuer` and one
/// RelativeDistinguishedName, given by the content of its SET.
fn below(issuer: &[u8], relative_name: &[u8]) -> Result<Vec<u8>, Malformed> {
    let above = single(issuer, Tag::SEQUENCE)?;
    Ok(encode(
        Tag::SEQUENCE,
        &[above, &encode(Tag::SET, &[relative_name])],
    ))
}

fn any_directory_is(names: Elements<'_>, wanted: &[u8]) -> Result<bool, Malformed> {
    let mut found = false;
    each_general_name(names, |name| {
        found = found || matches!(name, FoundName::Directory(name) if names_are_equal(name, wanted));
    })?;
    Ok(found)
}

/// Returns true if the GeneralNames of an extension's value have the directoryName `wanted`.
pub(super) fn names_directory(value: &[u8], wanted: &[u8]) -> Result<bool, Malformed> {
    any_directory_is(Elements::inside(value, Tag::SEQUENCE)?, wanted)
}

fn flag(fields: &mut Elements<'_>, number: u8) -> Result<bool, Malformed> {
    match fields.optional(context_tag(number, false))? {
        None => Ok(false),
        Some(value) => boolean(value.content),
    }
}

/// Returns the URIs of every distribution point of a certificate that its issuer serves for every
/// reason.
pub(super) fn distribution_point_uris(certificate: &Certificate<'_>) -> Result<Vec<String>, Malformed> {
    let mut uris = Vec::new();
    if let Some(extension) = certificate.extensions.find(oid::CRL_DISTRIBUTION_POINTS) {
        each_distribution_point_name(extension.value, certificate.issuer, |name| {
            uris.extend(name.uri())
        })?;
    }
    Ok(uris)
}
