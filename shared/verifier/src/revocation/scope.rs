//! Certificates that a list covers (RFC 5280 §5.2.5).

use std::fmt;

use super::error::UnsupportedList;
use super::points::{PointName, each_name, is_named_by, is_named_through};
use crate::x509::certificate::Certificate;
use crate::x509::der::{Elements, Malformed, Tag, boolean, context_tag};

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
    /// Set for an indirect CRL, whose entries can be of other issuers.
    is_indirect: bool,
    /// Set for a delta CRL.
    is_delta: bool,
    is_unreadable: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Subjects {
    #[default]
    All,
    EndEntities,
    Authorities,
}

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
        let is_indirect = flag(&mut fields, 4)?;
        let attribute_certificates = flag(&mut fields, 5)?;
        fields.finish()?;

        // The one that limits the list most decides how it is named.
        let limit = if attribute_certificates {
            Some(UnsupportedList::AttributeCertificates)
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
        if names.is_none() && subjects == Subjects::All && limit.is_none() && !is_indirect {
            return Ok(Self::default());
        }
        Ok(Self {
            value: value.into(),
            names,
            subjects,
            limit,
            is_indirect,
            ..Self::default()
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
            is_delta: true,
            ..self
        }
    }

    /// Returns true for the scope of delta CRLs.
    pub(super) fn is_delta(&self) -> bool {
        self.is_delta
    }

    /// Returns true for the scope of indirect CRLs.
    pub(super) fn is_indirect(&self) -> bool {
        self.is_indirect
    }

    /// Returns true if delta CRLs of this scope continue complete CRLs of the scope `complete`.
    pub(super) fn continues(&self, complete: &Self) -> bool {
        self.is_delta
            && !complete.is_delta
            && !self.is_unreadable
            && !complete.is_unreadable
            && self.value == complete.value
            && self.names == complete.names
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
    /// [`der`](Self::der) and [`is_delta`](Self::is_delta) return.
    pub(super) fn is_series(&self) -> bool {
        !self.is_unreadable
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
    ///
    /// An indirect CRL covers what names its issuer. RFC 5280 would let that of a CA cover all its
    /// certificates, but verifiers without indirect CRLs refuse them, as Chromium does.
    pub(super) fn covers(&self, certificate: &Certificate<'_>) -> bool {
        if self.is_indirect {
            return self.covers_through(certificate, certificate.issuer);
        }
        self.covers_kind_of(certificate)
            && self
                .names
                .as_ref()
                .is_none_or(|names| is_named_by(certificate, names).unwrap_or(false))
    }

    /// Returns true if an indirect CRL of `crl_issuer` with this scope covers the certificate: a
    /// distribution point of the certificate names that issuer, and the same point as the list
    /// (RFC 5280 §6.3.3 (b)).
    pub(super) fn covers_through(&self, certificate: &Certificate<'_>, crl_issuer: &[u8]) -> bool {
        let names = self.names.as_deref();
        self.is_indirect
            && self.covers_kind_of(certificate)
            && is_named_through(certificate, crl_issuer, names).unwrap_or(false)
    }

    fn covers_kind_of(&self, certificate: &Certificate<'_>) -> bool {
        match self.subjects {
            Subjects::All => true,
            Subjects::EndEntities => !certificate.is_authority(),
            Subjects::Authorities => certificate.is_authority(),
        }
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
        if self.is_indirect {
            formatter.write_str(", of several issuers")?;
        }
        if self.is_delta {
            formatter.write_str(", changes only")?;
        }
        match self.limit {
            None => Ok(()),
            Some(UnsupportedList::SomeReasons) => formatter.write_str(", for some reasons only"),
            Some(UnsupportedList::AttributeCertificates) => {
                formatter.write_str(", attribute certificates only")
            }
        }
    }
}

fn flag(fields: &mut Elements<'_>, number: u8) -> Result<bool, Malformed> {
    match fields.optional(context_tag(number, false))? {
        None => Ok(false),
        Some(value) => boolean(value.content),
    }
}
