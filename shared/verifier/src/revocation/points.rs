//! Distribution points: those of a certificate, and the names of a list's own (RFC 5280 §4.2.1.13).

use der::asn1::ObjectIdentifier;

use crate::x509::certificate::Certificate;
use crate::x509::der::{Element, Elements, Malformed, Tag, context_tag, encode, single};
use crate::x509::name::{DistinguishedName, names_are_equal};
use crate::x509::oid;

/// Name of a distribution point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum PointName {
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

/// Name of a distribution point, borrowed or composed with the issuer's.
pub(super) enum FoundName<'a> {
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
    pub(super) fn general_name(&self) -> Vec<u8> {
        match self {
            Self::Directory(name) => encode(DIRECTORY_NAME, &[name]),
            Self::Other(name) => name.to_vec(),
        }
    }

    pub(super) fn uri(&self) -> Option<String> {
        match self {
            Self::Other(name) => uri(name),
            Self::Directory(_) => None,
        }
    }

    pub(super) fn text(&self) -> Option<String> {
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
pub(super) fn is_named_by(certificate: &Certificate<'_>, names: &[PointName]) -> Result<bool, Malformed> {
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

/// Returns true if a distribution point of the certificate, for every reason, names `crl_issuer` in
/// its cRLIssuer, and the same point as a list with these names. Where the point has a cRLIssuer
/// alone, the names of that are the point's (RFC 5280 §6.3.3 (b) (2) (i)).
pub(super) fn is_named_through(
    certificate: &Certificate<'_>,
    crl_issuer: &[u8],
    names: Option<&[PointName]>,
) -> Result<bool, Malformed> {
    let mut named = false;
    each_distribution_point(certificate, |point| {
        let Some(issuers) = point.crl_issuer else {
            return Ok(());
        };
        if point.is_for_some_reasons || !any_directory_is(issuers.elements(), crl_issuer)? {
            return Ok(());
        }
        let Some(names) = names else {
            named = true;
            return Ok(());
        };
        let visit = |name: FoundName<'_>| named = named || names.iter().any(|other| name.is(other));
        match point.name {
            Some(name) => each_name(name, crl_issuer, visit),
            None => each_general_name(issuers.elements(), visit),
        }
    })?;
    Ok(named)
}

/// Returns the names of CRL issuers other than its own issuer that the certificate names, each a
/// whole encoding of a Name. Most certificates have none.
pub(super) fn other_crl_issuers<'a>(certificate: &Certificate<'a>) -> Vec<&'a [u8]> {
    let mut found = Vec::new();
    let visited = each_distribution_point(certificate, |point| match point.crl_issuer {
        None => Ok(()),
        Some(names) => each_general_name(names.elements(), |name| {
            if let FoundName::Directory(name) = name
                && !found.contains(&name)
                && !names_are_equal(name, certificate.issuer)
            {
                found.push(name);
            }
        }),
    });
    // Points that cannot be read name nothing: the certificate is then cleared by its issuer alone.
    if visited.is_err() { Vec::new() } else { found }
}

/// A DistributionPoint of a certificate.
struct DistributionPoint<'a> {
    name: Option<Element<'a>>,
    is_for_some_reasons: bool,
    crl_issuer: Option<Element<'a>>,
}

fn each_distribution_point<'a>(
    certificate: &Certificate<'a>,
    mut visit: impl FnMut(DistributionPoint<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    match certificate.extensions.find(oid::CRL_DISTRIBUTION_POINTS) {
        None => Ok(()),
        Some(extension) => each_point_of(extension.value, &mut visit),
    }
}

fn each_point_of<'a>(
    value: &'a [u8],
    visit: &mut impl FnMut(DistributionPoint<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut points = Elements::inside(value, Tag::SEQUENCE)?;
    while !points.at_end() {
        let mut fields = points.enter(Tag::SEQUENCE)?;
        let name = fields.optional(context_tag(0, true))?;
        let reasons = fields.optional(context_tag(1, false))?;
        let crl_issuer = fields.optional(context_tag(2, true))?;
        fields.finish()?;
        visit(DistributionPoint {
            name,
            is_for_some_reasons: reasons.is_some(),
            crl_issuer,
        })?;
    }
    Ok(())
}

/// Walks over `cRLDistributionPoints` (RFC 5280 §4.2.1.13) of a certificate of `issuer` and passes
/// on the names of each point that is for every reason and served by that issuer.
///
/// Points for some reasons only, and those served by another issuer, say nothing about a list that
/// is neither. A `cRLIssuer` that names the certificate's own issuer makes no difference, although
/// it should not be written then; without another name, it is the point's name (RFC 5280
/// §6.3.3 (b) (2) (i)).
fn each_distribution_point_name<'a>(
    value: &'a [u8],
    issuer: &[u8],
    mut visit: impl FnMut(FoundName<'a>),
) -> Result<(), Malformed> {
    each_point_of(value, &mut |point: DistributionPoint<'a>| {
        let is_of_issuer = match &point.crl_issuer {
            None => true,
            Some(names) => any_directory_is(names.elements(), issuer)?,
        };
        if point.is_for_some_reasons || !is_of_issuer {
            return Ok(());
        }
        match (point.name, point.crl_issuer) {
            (Some(name), _) => each_name(name, issuer, &mut visit),
            (None, Some(crl_issuer)) => each_general_name(crl_issuer.elements(), &mut visit),
            (None, None) => Ok(()),
        }
    })
}

/// Passes on the names of a DistributionPointName, in full, although it may be relative to the name
/// of `issuer`.
pub(super) fn each_name<'a>(
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

/// Returns the URIs of every distribution point of a certificate that its issuer serves for every
/// reason: of complete CRLs, then of delta CRLs (RFC 5280 §4.2.1.15).
pub(super) fn distribution_point_uris(certificate: &Certificate<'_>) -> Result<Vec<String>, Malformed> {
    let mut uris = Vec::new();
    for identifier in [oid::CRL_DISTRIBUTION_POINTS, FRESHEST_CRL] {
        if let Some(extension) = certificate.extensions.find(identifier) {
            each_distribution_point_name(extension.value, certificate.issuer, |name| {
                uris.extend(name.uri())
            })?;
        }
    }
    Ok(uris)
}

const FRESHEST_CRL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.46");

/// Returns the URIs in the value of the extension freshestCRL of a list of `issuer` (RFC 5280
/// §5.2.6), where the delta CRLs are that continue it.
pub(super) fn freshest_uris(value: &[u8], issuer: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut uris = Vec::new();
    each_distribution_point_name(value, issuer, |name| uris.extend(name.uri()))?;
    Ok(uris)
}
