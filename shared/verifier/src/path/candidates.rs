//! Certificates and anchors that could have issued a certificate, and which of them is likeliest.

use std::sync::Arc;

use crate::anchors::{TrustAnchor, TrustAnchors};
use crate::x509::certificate::{Certificate, Validity};
use crate::x509::name::look_up_key;
use crate::x509::time::Timestamp;

/// Position of a certificate: 0 is the end-entity certificate.
pub(super) type Position = usize;

/// Certificates and anchors with the name of a certificate's issuer, for each certificate.
#[derive(Debug, PartialEq)]
pub(super) struct Candidates<'s> {
    anchors: Vec<Vec<&'s Arc<TrustAnchor>>>,
    issuers: Vec<Vec<Position>>,
}

impl<'s> Candidates<'s> {
    pub(super) fn by_exact_name(
        anchors: &'s TrustAnchors,
        certificates: &[&Certificate<'_>],
        now: Timestamp,
    ) -> Self {
        let named = |name: &[u8]| issuers_where(certificates, |issuer| issuer.subject == name);
        Self {
            anchors: certificates
                .iter()
                .map(|certificate| {
                    likeliest_first(anchors.with_subject(certificate.issuer), certificate, now)
                })
                .collect(),
            issuers: certificates
                .iter()
                .map(|certificate| named(certificate.issuer))
                .collect(),
        }
    }

    pub(super) fn by_equal_name(
        anchors: &'s TrustAnchors,
        certificates: &[&Certificate<'_>],
        now: Timestamp,
    ) -> Self {
        // A name that cannot be read equals no other name. The end-entity certificate issues
        // nothing.
        let subject = |(position, certificate): (Position, &&Certificate<'_>)| match position {
            0 => None,
            _ => look_up_key(certificate.subject),
        };
        let subjects: Vec<Option<Box<[u8]>>> = certificates.iter().enumerate().map(subject).collect();
        let issuers: Vec<Option<Box<[u8]>>> = certificates
            .iter()
            .map(|certificate| look_up_key(certificate.issuer))
            .collect();
        Self {
            anchors: certificates
                .iter()
                .zip(&issuers)
                .map(|(certificate, issuer)| {
                    let named = issuer.iter().flat_map(|key| anchors.with_look_up_key(key));
                    likeliest_first(named, certificate, now)
                })
                .collect(),
            issuers: issuers
                .iter()
                .map(|issuer| match issuer {
                    None => Vec::new(),
                    Some(_) => positions_where(&subjects, |subject| subject == issuer),
                })
                .collect(),
        }
    }

    pub(super) fn anchors_of(&self, position: Position) -> &[&'s Arc<TrustAnchor>] {
        self.anchors.get(position).map_or(&[], Vec::as_slice)
    }

    pub(super) fn issuers_of(&self, position: Position) -> &[Position] {
        self.issuers.get(position).map_or(&[], Vec::as_slice)
    }
}

fn issuers_where(
    certificates: &[&Certificate<'_>],
    is_wanted: impl Fn(&Certificate<'_>) -> bool,
) -> Vec<Position> {
    positions_where(certificates, |certificate| is_wanted(certificate))
}

/// Returns the matching positions without 0: the end-entity certificate issues nothing, whatever
/// its name.
fn positions_where<T>(all: &[T], is_wanted: impl Fn(&T) -> bool) -> Vec<Position> {
    let matching = all.iter().enumerate().skip(1).filter(|(_, one)| is_wanted(one));
    matching.map(|(position, _)| position).collect()
}

/// Likelihood that an issuer is the right one, the likeliest first (RFC 4158 §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Likelihood {
    key_identifier: KeyIdentifier,
    is_not_valid: bool,
}

/// Relation of a certificate's authorityKeyIdentifier to the subjectKeyIdentifier of a possible
/// issuer (RFC 5280 §4.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KeyIdentifier {
    Same,
    /// At least one identifier is missing.
    Unknown,
    Different,
}

impl Likelihood {
    pub(super) fn new(
        certificate: &Certificate<'_>,
        issuer_key_identifier: Option<&[u8]>,
        issuer_validity: Validity,
        now: Timestamp,
    ) -> Self {
        // RFC 5280 §4.2.1.1: key identifiers help to choose an issuer and never exclude one. Real
        // CAs write wrong ones.
        let key_identifier = match (certificate.authority_key_identifier(), issuer_key_identifier) {
            (Some(wanted), Some(found)) if wanted == found => KeyIdentifier::Same,
            (Some(_), Some(_)) => KeyIdentifier::Different,
            _ => KeyIdentifier::Unknown,
        };
        Self {
            key_identifier,
            // An expired issuer is tried last and not skipped: the rejection should say that it has
            // expired.
            is_not_valid: !issuer_validity.covers(now),
        }
    }

    /// Likelihood of an issuer about which nothing is wrong.
    pub(super) const BEST: Self = Self {
        key_identifier: KeyIdentifier::Same,
        is_not_valid: false,
    };

    pub(super) fn of_anchor(anchor: &TrustAnchor, certificate: &Certificate<'_>, now: Timestamp) -> Self {
        Self::new(certificate, anchor.key_identifier(), anchor.validity(), now)
    }
}

/// Sorts the anchors that may have issued a certificate; those that are equally likely keep their
/// order.
fn likeliest_first<'s>(
    anchors: impl Iterator<Item = &'s Arc<TrustAnchor>>,
    certificate: &Certificate<'_>,
    now: Timestamp,
) -> Vec<&'s Arc<TrustAnchor>> {
    let mut anchors: Vec<_> = anchors.collect();
    if anchors.len() > 1 {
        // The sort is stable: anchors that are equally likely stay in the operator's order.
        anchors.sort_by_cached_key(|anchor| Likelihood::of_anchor(anchor, certificate, now));
    }
    anchors
}
