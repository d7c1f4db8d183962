//! CRLs that were in use before, which later ones are compared with.
//!
//! A list can be compared with its predecessor only while the predecessor is there, and an attacker
//! who can replace a list can also take it away first. Therefore the newest version of each series
//! is kept apart from the lists themselves.

use std::fmt;

use super::issuers::KnownKey;
use super::list::RevocationList;
use super::number::CrlVersion;
use super::scope::Scope;
use crate::anchors::{Intermediates, TrustAnchors};
use crate::x509::name::{DistinguishedName, names_are_equal};
use crate::x509::public_key::IssuerKey;
use crate::x509::time::Timestamp;

/// Newest versions among several lists of a series.
///
/// Lists with a number and lists without one cannot be brought into one order where an issuer
/// writes both and its numbers contradict its dates. Therefore a version is compared with each kind
/// by itself, so that nothing which is older than any list passes for a new one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NewestVersions {
    numbered: Option<CrlVersion>,
    unnumbered: Option<CrlVersion>,
    latest: Option<Timestamp>,
}

impl NewestVersions {
    pub(super) fn add(&mut self, version: CrlVersion) {
        let newest = match version.number {
            Some(_) => &mut self.numbered,
            None => &mut self.unnumbered,
        };
        if newest.is_none_or(|newest| newest.is_older_than(version)) {
            *newest = Some(version);
        }
        self.latest = self.latest.max(Some(version.this_update));
    }

    /// Returns true if one of the lists is newer than `version`.
    pub(super) fn replace(&self, version: CrlVersion) -> bool {
        let is_newer =
            |newest: Option<CrlVersion>| newest.is_some_and(|newest| version.is_older_than(newest));
        match version.number {
            Some(_) => is_newer(self.numbered) || is_newer(self.unnumbered),
            // Among those with numbers, the one with the highest number need not be the latest.
            None => self.latest > Some(version.this_update),
        }
    }
}

impl fmt::Display for CrlVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(formatter, "number {number} of {}", self.this_update),
            None => write!(formatter, "the one of {}", self.this_update),
        }
    }
}

/// Issuer, key and scope of CRLs. Lists that share all three replace each other.
#[derive(Clone, Debug)]
pub struct CrlSeries {
    issuer: DistinguishedName,
    key: KnownKey,
    scope: Scope,
}

impl CrlSeries {
    pub(super) fn new(list: &RevocationList, key: &KnownKey) -> Self {
        Self {
            issuer: list.issuer().clone(),
            key: key.clone(),
            scope: list.scope().clone(),
        }
    }

    /// Reads the parts that [`issuer`](Self::issuer), [`key_algorithm`](Self::key_algorithm),
    /// [`key`](Self::key), [`scope`](Self::scope) and [`is_delta`](Self::is_delta) return. Returns
    /// `None` if they are not DER of such parts.
    pub fn from_parts(
        issuer: &[u8],
        key_algorithm: &[u8],
        key: &[u8],
        scope: &[u8],
        is_delta: bool,
    ) -> Option<Self> {
        let complete = if scope.is_empty() {
            Scope::default()
        } else {
            Scope::parse(scope, issuer).ok()?
        };
        Some(Self {
            issuer: DistinguishedName::parse(issuer).ok()?,
            key: KnownKey::from_parts(key_algorithm, key),
            scope: match is_delta {
                true => complete.of_changes(),
                false => complete,
            },
        })
    }

    /// Returns the name of the issuer.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// Returns the content of the AlgorithmIdentifier of the issuer's key.
    pub fn key_algorithm(&self) -> &[u8] {
        self.key.as_issuer_key().algorithm
    }

    /// Bits of the issuer's key.
    pub fn key(&self) -> &[u8] {
        self.key.as_issuer_key().key
    }

    /// Returns the value of the issuingDistributionPoint, empty if the lists do not have one.
    pub fn scope(&self) -> &[u8] {
        self.scope.der()
    }

    /// Returns true for a series of delta CRLs.
    pub fn is_delta(&self) -> bool {
        self.scope.is_delta()
    }

    pub(super) fn known_key(&self) -> &KnownKey {
        &self.key
    }

    pub(super) fn has_issuer(&self, name: &[u8]) -> bool {
        names_are_equal(self.issuer.der(), name)
    }

    /// Returns true if a complete CRL with this signer can take the place of the delta CRLs of the
    /// series.
    pub(super) fn is_continued_from(&self, list: &RevocationList, signer: &KnownKey) -> bool {
        self.is_signed_by(signer.as_issuer_key())
            && self.scope.continues(list.scope())
            && self.has_issuer(list.issuer().der())
    }

    /// Returns true if a list with this signer is one of the series.
    pub(super) fn contains(&self, list: &RevocationList, signer: &KnownKey) -> bool {
        self.is_signed_by(signer.as_issuer_key())
            && self.scope == *list.scope()
            && self.has_issuer(list.issuer().der())
    }

    fn is_signed_by(&self, key: IssuerKey<'_>) -> bool {
        self.key.is(key)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.is_signed_by(other.key.as_issuer_key())
            && self.scope == other.scope
            && self.has_issuer(other.issuer.der())
    }

    /// Returns true if a configured CA certificate has the issuer's name and key.
    fn is_configured(&self, anchors: &TrustAnchors, intermediates: &Intermediates) -> bool {
        let issuer = self.issuer.der();
        let anchors = anchors.with_equal_subject(issuer);
        anchors
            .map(|anchor| KnownKey::of_anchor(anchor))
            .chain(intermediates.named(issuer).filter_map(KnownKey::of))
            .any(|key| self.is_signed_by(key.as_issuer_key()))
    }
}

impl fmt::Display for CrlSeries {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the CRL of {} for {}", self.issuer, self.scope)
    }
}

/// Newest CRL of a series that was in use.
#[derive(Clone, Debug)]
pub struct SeenCrl {
    /// Series of the list.
    pub series: CrlSeries,
    /// Version of the list.
    pub version: CrlVersion,
    /// End of the list.
    pub next_update: Timestamp,
    /// Set while a list of the series has to be there.
    pub is_expected: bool,
    /// Set once a configured CA certificate had the issuer's key.
    was_configured: bool,
}

impl SeenCrl {
    /// Creates the newest list of a series from a record that outlived the process.
    pub fn new(series: CrlSeries, version: CrlVersion, next_update: Timestamp, is_expected: bool) -> Self {
        Self {
            series,
            version,
            next_update,
            is_expected,
            was_configured: false,
        }
    }

    /// Returns `None` for a list that belongs to no series: one whose scope cannot be read. It
    /// clears no certificate.
    pub(super) fn of(list: &RevocationList, signer: &KnownKey) -> Option<Self> {
        if !list.scope().is_series() {
            return None;
        }
        let series = CrlSeries::new(list, signer);
        let next_update = list.next_update().unwrap_or(WITHOUT_END);
        Some(Self::new(series, list.version(), next_update, true))
    }
}

/// The end of a list that does not say one: the last second that a certificate can name, which RFC
/// 5280 §4.1.2.5 gives the meaning "no well-defined date".
const WITHOUT_END: Timestamp = Timestamp::from_unix_seconds(253_402_300_799);

/// Newest CRL of each series that was in use, whether it is still there or not. Of a series with
/// numbered lists and others, the newest of both kinds.
#[derive(Clone, Debug, Default)]
pub struct CrlHistory {
    seen: Vec<SeenCrl>,
}

impl CrlHistory {
    /// Adds a list. An older one than that of its series does not change the version.
    pub fn see(&mut self, new: SeenCrl) {
        let is_numbered = new.version.number.is_some();
        let mut all = self.seen.iter_mut();
        let known =
            all.find(|seen| seen.version.number.is_some() == is_numbered && seen.series.is_same(&new.series));
        match known {
            None => self.seen.push(new),
            Some(seen) => {
                seen.is_expected |= new.is_expected;
                seen.was_configured |= new.was_configured;
                if !new.version.is_older_than(seen.version) {
                    seen.version = new.version;
                    seen.next_update = new.next_update;
                }
            }
        }
    }

    /// Adds everything that another history knows.
    pub fn merge(&mut self, other: &Self) {
        for seen in &other.seen {
            self.see(seen.clone());
        }
    }

    /// Lifts the expectation that any of these lists has to be there. Their versions stay known.
    pub fn expect_none(&mut self) {
        for seen in &mut self.seen {
            seen.is_expected = false;
        }
    }

    /// Returns the newest list of each series.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SeenCrl> {
        self.seen.iter()
    }

    /// Returns true if nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut SeenCrl> {
        self.seen.iter_mut()
    }

    /// Returns a list that was in use, speaks of the certificate, as `covers` says of its scope,
    /// and is newer than `list`, which speaks of it too.
    pub(super) fn newer_than(
        &self,
        list: &RevocationList,
        key: IssuerKey<'_>,
        now: Timestamp,
        covers: impl Fn(&Scope) -> bool,
    ) -> Option<&SeenCrl> {
        self.seen.iter().find(|seen| {
            let series = &seen.series;
            // A delta CRL and a complete one that it continues have one order of numbers.
            let is_one_order = series.scope.continues(list.scope()) || list.scope().continues(&series.scope);
            let is_newer = if is_one_order || series.scope == *list.scope() {
                match (list.number(), seen.version.number) {
                    (Some(own), Some(seen)) if is_one_order => own < seen,
                    _ => list.version().is_older_than(seen.version),
                }
            } else {
                // Different scopes may be numbered apart.
                list.this_update() < seen.version.this_update
            };
            // A list of the future does not speak yet.
            is_newer
                && seen.version.this_update <= now
                && series.is_signed_by(key)
                && covers(&series.scope)
                && series.has_issuer(list.issuer().der())
        })
    }
}

/// Circumstances in which a CRL that was in use may be missing.
#[derive(Clone, Copy, Debug)]
pub struct Departures<'a> {
    /// Trust anchors from now on.
    pub anchors: &'a TrustAnchors,
    /// Configured intermediates from now on.
    pub intermediates: &'a Intermediates,
    /// Lists that ended before this time may go. An ended list does not clear a certificate but
    /// still revokes some, so that this is safe only where every certificate of unknown status is
    /// refused.
    pub ended_before: Option<Timestamp>,
}

impl Departures<'_> {
    /// A list may go with its CA: once a configured certificate had its key, and none has it any
    /// more. The lists of CAs that only clients show stay expected, because nothing says that such
    /// a CA is gone.
    pub(super) fn allow(&self, seen: &SeenCrl) -> bool {
        let is_over = self.ended_before.is_some_and(|end| seen.next_update < end);
        is_over || (seen.was_configured && !self.has_ca_of(seen))
    }

    pub(super) fn note(&self, seen: &mut SeenCrl) {
        seen.was_configured |= self.has_ca_of(seen);
    }

    fn has_ca_of(&self, seen: &SeenCrl) -> bool {
        seen.series.is_configured(self.anchors, self.intermediates)
    }
}

/// Contradiction between new CRLs and those that were in use before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlHistoryError {
    /// The newest list of a series is older than the one before.
    #[error("{series} goes back from {}", in_words(*previous, *found))]
    Older {
        /// Issuer and scope.
        series: String,
        /// Version of the newer one, in use before.
        previous: CrlVersion,
        /// Version of the older one, found now.
        found: CrlVersion,
    },
    /// There is no list of a series any more.
    #[error("{series} is missing, which was in use with {previous}")]
    Missing {
        /// Issuer and scope.
        series: String,
        /// Version of the missing list.
        previous: CrlVersion,
    },
    /// Two lists of one version differ, and the new one does not revoke all that the other does.
    #[error("{series} is there twice with {version}, and the new one lacks entries of the one in use")]
    Ambiguous {
        /// Issuer and scope.
        series: String,
        /// Version of both.
        version: CrlVersion,
    },
}

fn in_words(previous: CrlVersion, found: CrlVersion) -> String {
    match (previous.number, found.number) {
        (Some(previous), Some(found)) if previous != found => format!("number {previous} to {found}"),
        _ => format!("{previous} to {found}"),
    }
}
