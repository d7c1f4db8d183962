//! Which of its issuer's certificates a list speaks of (RFC 5280 §5.2.5), and which lists a certificate names.

use std::fmt;
use std::ops::Range;

use super::cursor::{Cursor, SEQUENCE, TagByte, constructed, primitive};
use super::list::UnsupportedList;
use crate::certificate::{Certificate, oid};
use crate::der_reader::{Malformed, boolean};

/// The certificates that a list speaks of. Lists of one issuer with equal scopes replace each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// The issuing distribution point's value; empty for a list without one.
    value: Box<[u8]>,
    /// Where its GeneralNames are, if it is the list of one distribution point.
    names: Option<Range<usize>>,
    subjects: Subjects,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Subjects {
    #[default]
    All,
    EndEntities,
    Authorities,
}

/// Why an issuing distribution point cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScopeError {
    Malformed,
    Unsupported(UnsupportedList),
}

impl From<Malformed> for ScopeError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// `fullName` of a DistributionPointName.
const FULL_NAME: TagByte = constructed(0);
/// `uniformResourceIdentifier` of a GeneralName.
const URI: TagByte = primitive(6);

impl Scope {
    /// Reads the value of the extension issuingDistributionPoint.
    pub(super) fn parse(value: &[u8]) -> Result<Self, ScopeError> {
        let mut outer = Cursor::new(value);
        let mut fields = outer.enter(SEQUENCE)?;
        outer.finish()?;
        if fields.at_end() {
            return Err(ScopeError::Malformed);
        }
        let names = match fields.optional(constructed(0))? {
            None => None,
            Some(place) => Some(full_name(&fields, place.content)?.ok_or(ScopeError::Unsupported(
                UnsupportedList::RelativeDistributionPoint,
            ))?),
        };
        let only_end_entities = flag(&mut fields, 1)?;
        let only_authorities = flag(&mut fields, 2)?;
        let some_reasons = fields.optional(primitive(3))?.is_some();
        let indirect = flag(&mut fields, 4)?;
        let attribute_certificates = flag(&mut fields, 5)?;
        fields.finish()?;

        if indirect {
            return Err(ScopeError::Unsupported(UnsupportedList::Indirect));
        }
        if some_reasons {
            return Err(ScopeError::Unsupported(UnsupportedList::SomeReasons));
        }
        if attribute_certificates {
            return Err(ScopeError::Unsupported(UnsupportedList::AttributeCertificates));
        }
        let subjects = match (only_end_entities, only_authorities) {
            (false, false) => Subjects::All,
            (true, false) => Subjects::EndEntities,
            (false, true) => Subjects::Authorities,
            (true, true) => return Err(ScopeError::Malformed),
        };
        Ok(Self {
            value: value.into(),
            names,
            subjects,
        })
    }

    /// Value of the issuing distribution point, empty for a list without one.
    pub(super) fn der(&self) -> &[u8] {
        &self.value
    }

    /// Returns the encodings of the names of its distribution point; `None` for a list without one.
    pub(super) fn general_names(&self) -> Option<&[u8]> {
        self.value.get(self.names.clone()?)
    }

    /// Returns true for a list that speaks of CA certificates only.
    pub(super) fn is_for_authorities_only(&self) -> bool {
        self.subjects == Subjects::Authorities
    }

    /// Whether a list with this scope speaks of the certificate, so that its silence clears it.
    pub(super) fn covers(&self, certificate: &Certificate<'_>) -> bool {
        let subject_is_covered = match self.subjects {
            Subjects::All => true,
            Subjects::EndEntities => !certificate.is_authority(),
            Subjects::Authorities => certificate.is_authority(),
        };
        subject_is_covered
            && self.names.as_ref().is_none_or(|names| {
                let names = Cursor::new(&self.value).within(names.clone());
                is_named_by(certificate, &names).unwrap_or(false)
            })
    }

    /// The URIs among the names of the distribution point.
    pub(super) fn uris(&self) -> Vec<String> {
        let Some(names) = &self.names else {
            return Vec::new();
        };
        let names = Cursor::new(&self.value).within(names.clone());
        uris_among(names)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.subjects {
            Subjects::All => "all certificates",
            Subjects::EndEntities => "end-entity certificates",
            Subjects::Authorities => "CA certificates",
        })?;
        match (&self.names, self.uris().as_slice()) {
            (None, _) => Ok(()),
            (Some(_), []) => formatter.write_str(" of one distribution point"),
            (Some(_), uris) => write!(formatter, " of the distribution point {}", uris.join(" or ")),
        }
    }
}

/// Whether one of the certificate's distribution points bears one of these names.
///
/// Points for some reasons only, and those served by another issuer, say nothing about a list that is neither.
fn is_named_by(certificate: &Certificate<'_>, names: &Cursor<'_>) -> Result<bool, Malformed> {
    let Some(extension) = certificate.extensions.find(oid::CRL_DISTRIBUTION_POINTS) else {
        return Ok(false);
    };
    let mut named = false;
    each_distribution_point(extension.value, |point, theirs| {
        if point != PointKind::Complete {
            return Ok(());
        }
        let mut theirs = theirs;
        while !theirs.at_end() {
            let name = theirs.next_place()?.encoding();
            named |= contains(names.clone(), theirs.slice(name))?;
        }
        Ok(())
    })?;
    Ok(named)
}

fn contains(mut names: Cursor<'_>, wanted: &[u8]) -> Result<bool, Malformed> {
    while !names.at_end() {
        let name = names.next_place()?.encoding();
        if names.slice(name) == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PointKind {
    /// For every reason, and served by the certificate's issuer itself.
    Complete,
    Other,
}

/// Walks over `cRLDistributionPoints` (RFC 5280 §4.2.1.13) and hands over the full names of each point that has some.
fn each_distribution_point<'a>(
    value: &'a [u8],
    mut visit: impl FnMut(PointKind, Cursor<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut outer = Cursor::new(value);
    let mut points = outer.enter(SEQUENCE)?;
    outer.finish()?;
    while !points.at_end() {
        let mut fields = points.enter(SEQUENCE)?;
        let names = match fields.optional(constructed(0))? {
            None => None,
            Some(place) => full_name(&fields, place.content)?,
        };
        let reasons = fields.optional(primitive(1))?;
        let issuer = fields.optional(constructed(2))?;
        fields.finish()?;
        let kind = if reasons.is_none() && issuer.is_none() {
            PointKind::Complete
        } else {
            PointKind::Other
        };
        if let Some(names) = names {
            visit(kind, fields.within(names))?;
        }
    }
    Ok(())
}

/// Where the GeneralNames of a DistributionPointName are; `None` when it is relative to the issuer's name.
fn full_name(cursor: &Cursor<'_>, content: Range<usize>) -> Result<Option<Range<usize>>, Malformed> {
    let mut choice = cursor.within(content);
    let place = choice.next_place()?;
    choice.finish()?;
    match place.tag {
        FULL_NAME => {
            let mut names = cursor.within(place.content.clone());
            if names.at_end() {
                return Err(Malformed);
            }
            while !names.at_end() {
                names.next_place()?;
            }
            Ok(Some(place.content))
        }
        tag if tag == constructed(1) => Ok(None),
        _ => Err(Malformed),
    }
}

fn flag(fields: &mut Cursor<'_>, number: u8) -> Result<bool, Malformed> {
    match fields.optional(primitive(number))? {
        None => Ok(false),
        Some(place) => boolean(fields.slice(place.content)),
    }
}

fn uris_among(mut names: Cursor<'_>) -> Vec<String> {
    let mut uris = Vec::new();
    while let Ok(place) = names.next_place() {
        if place.tag == URI {
            uris.push(names.slice(place.content).escape_ascii().to_string());
        }
    }
    uris
}

/// The URIs of every distribution point in an extension `cRLDistributionPoints` that is complete.
pub(super) fn distribution_point_uris(value: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut uris = Vec::new();
    each_distribution_point(value, |kind, names| {
        if kind == PointKind::Complete {
            uris.extend(uris_among(names));
        }
        Ok(())
    })?;
    Ok(uris)
}
