//! All lists of a deployment, found by issuer.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::delegation::Delegates;
use super::history::{CrlHistory, CrlHistoryError, CrlSeries, Departures, SeenCrl};
use super::issuers::{KnownKey, ListStanding, SignedList};
use super::list::RevocationList;
use super::number::CrlVersion;
use super::points::distribution_point_uris;
use super::scope::Scope;
use crate::anchors::{Intermediates, TrustAnchors};
use crate::signature::{SignatureAlgorithms, not_allowed};
use crate::x509::certificate::Certificate;
use crate::x509::name::{look_up_key, names_are_equal};
use rustls_pki_types::CertificateDer;

/// The lists that clients are looked up in, each with what is known about its signature.
///
/// Signatures are verified here, once, against the trust anchors and the configured intermediates.
/// A list of another issuer is kept: if a client's verified path shows an intermediate of that name
/// whose key signed it, it counts from then on.
#[derive(Clone, Debug, Default)]
pub struct RevocationLists {
    all: Vec<Arc<SignedList>>,
    by_issuer: ByIssuer,
    history: CrlHistory,
    delegates: Option<Arc<Delegates>>,
}

impl RevocationLists {
    /// Takes lists and verifies their signatures.
    ///
    /// `previous` is what was in use before, if anything: keys of intermediates that clients showed
    /// in the meantime are remembered, and a list that is the same object is not verified again.
    pub fn new(
        lists: impl IntoIterator<Item = Arc<RevocationList>>,
        anchors: &TrustAnchors,
        intermediates: &Intermediates,
        previous: Option<&Self>,
    ) -> Self {
        let history = previous.map(Self::history).unwrap_or_default();
        Self::with_history(lists, anchors, intermediates, previous, history)
    }

    /// Takes lists like [`new`](Self::new), with a history of lists of other processes too.
    ///
    /// Nothing is compared with the history yet: see [`succeed`](Self::succeed).
    pub fn with_history(
        lists: impl IntoIterator<Item = Arc<RevocationList>>,
        anchors: &TrustAnchors,
        intermediates: &Intermediates,
        previous: Option<&Self>,
        history: CrlHistory,
    ) -> Self {
        let mut this = Self {
            history,
            ..Self::default()
        };
        for list in lists {
            if this.all.iter().any(|known| Arc::ptr_eq(known.list(), &list)) {
                continue;
            }
            let signed = SignedList::new(list);
            find_signer(&signed, anchors, intermediates, previous, &this.history);
            this.all.push(Arc::new(signed));
        }
        this.by_issuer = ByIssuer::new(&this.all);
        this.delegates = Delegates::new(&this.all, anchors, intermediates).map(Arc::new);
        this
    }

    /// Returns every list with the state of its signature, in the order in which they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<RevocationList>, ListStanding)> {
        self.all.iter().map(|signed| (signed.list(), signed.standing()))
    }

    /// Returns the lists whose signer is known and used an algorithm outside of a set, with the
    /// word of the algorithm. They revoke, and clear no certificate of a verifier with that set.
    pub fn not_allowed(
        &self,
        allowed: SignatureAlgorithms,
    ) -> impl Iterator<Item = (&Arc<RevocationList>, &'static str)> {
        self.all.iter().filter_map(move |signed| {
            let list = signed.list();
            let key = signed.signer()?.as_issuer_key();
            Some((list, not_allowed(list.signature_algorithm(), key, allowed)?))
        })
    }

    /// Returns the number of lists.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns true if there are no lists.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the newest list of each series that is or was in use, as far as signatures are
    /// known.
    ///
    /// The issuer of a list may become known only after the list was loaded, from the path of a
    /// client.
    pub fn history(&self) -> CrlHistory {
        let mut history = self.history.clone();
        for signed in &self.all {
            let seen = signed
                .signer()
                .and_then(|signer| SeenCrl::of(signed.list(), signer));
            if let Some(seen) = seen {
                history.see(seen);
            }
        }
        history
    }

    /// Compares the lists with the history that they were made with, and with the `previous` ones.
    /// Returns them with the history that the next ones are compared with.
    ///
    /// Only verified lists count: an attacker can write a number on an unsigned one.
    ///
    /// # Errors
    /// [`CrlHistoryError`] if a list of a series is older than before, is missing although none of
    /// the `departures` allows it, or contradicts another one of the same version.
    pub fn succeed(
        mut self,
        previous: Option<&Self>,
        departures: &Departures<'_>,
    ) -> Result<Self, CrlHistoryError> {
        let mut history = std::mem::take(&mut self.history);
        for seen in history.iter_mut() {
            match self.newest(&seen.series) {
                Some(_) if self.reach(&seen.series, seen.version) => {}
                Some(found) => {
                    return Err(CrlHistoryError::Older {
                        series: seen.series.to_string(),
                        previous: seen.version,
                        found: found.version(),
                    });
                }
                None if !seen.is_expected || departures.allow(seen) || self.has_caught_up_with(seen) => {
                    seen.is_expected = false;
                }
                None => {
                    return Err(CrlHistoryError::Missing {
                        series: seen.series.to_string(),
                        previous: seen.version,
                    });
                }
            }
        }
        self.check_equal_versions(previous)?;
        self.history = history;
        self.history = self.history();
        for seen in self.history.iter_mut() {
            departures.note(seen);
        }
        Ok(self)
    }

    /// Checks two lists of one series that number and date do not order, because they were made
    /// within one second and at most one of them has a number. Only the one that revokes more may
    /// follow the other.
    fn check_equal_versions(&self, previous: Option<&Self>) -> Result<(), CrlHistoryError> {
        for before in previous.iter().flat_map(|previous| &previous.all) {
            let signer = before.signer();
            let before = before.list();
            let Some(seen) = signer.and_then(|signer| SeenCrl::of(before, signer)) else {
                continue;
            };
            let followers = || {
                let all = self.of_series(&seen.series);
                all.filter(|after| !after.version().is_older_than(before.version()))
            };
            let is_followed = |after: &Arc<RevocationList>| {
                before.version().is_older_than(after.version())
                    || after.signed().is(before.signed())
                    || after.revokes_all_of(before)
            };
            if let Some(after) = followers().next()
                && !followers().any(is_followed)
            {
                return Err(CrlHistoryError::Ambiguous {
                    series: seen.series.to_string(),
                    version: after.version(),
                });
            }
        }
        Ok(())
    }

    /// Returns the first list whose series the history does not expect, if it expects any.
    pub fn first_unexpected(&self) -> Option<&Arc<RevocationList>> {
        let expected = || self.history.iter().filter(|seen| seen.is_expected);
        expected().next()?;
        let is_expected = |signed: &SignedList| {
            signed
                .signer()
                .is_some_and(|signer| expected().any(|seen| seen.series.contains(signed.list(), signer)))
        };
        let mut all = self.all.iter();
        all.find(|signed| !is_expected(signed))
            .map(|signed| signed.list())
    }

    /// Returns the verified lists of one series.
    fn of_series(&self, series: &CrlSeries) -> impl Iterator<Item = &Arc<RevocationList>> {
        self.all
            .iter()
            .filter(|signed| {
                signed
                    .signer()
                    .is_some_and(|signer| series.contains(signed.list(), signer))
            })
            .map(|signed| signed.list())
    }

    fn newest(&self, series: &CrlSeries) -> Option<&Arc<RevocationList>> {
        self.of_series(series).reduce(|newest, list| {
            if newest.version().is_older_than(list.version()) {
                list
            } else {
                newest
            }
        })
    }

    /// Returns true if a list of the series is not older than this version.
    fn reach(&self, series: &CrlSeries, version: CrlVersion) -> bool {
        self.of_series(series)
            .any(|list| !list.version().is_older_than(version))
    }

    /// Returns true for a delta CRL if a complete CRL has all that it said: a CA may stop issuing
    /// delta CRLs.
    fn has_caught_up_with(&self, seen: &SeenCrl) -> bool {
        self.all.iter().any(|signed| {
            let list = signed.list();
            signed
                .signer()
                .is_some_and(|signer| seen.series.is_continued_from(list, signer))
                && list.number() >= seen.version.number
                && !list.version().is_older_than(seen.version)
        })
    }

    /// Returns the delta CRLs that continue none of the complete CRLs, as far as signatures are
    /// known.
    pub fn deltas_without_base(&self) -> impl Iterator<Item = &Arc<RevocationList>> {
        let deltas = self.all.iter();
        deltas
            .filter(|signed| signed.list().is_delta() && signed.signer().is_some())
            .filter(|delta| {
                !self.all.iter().any(|other| {
                    other.signer() == delta.signer()
                        && names_are_equal(other.list().issuer().der(), delta.list().issuer().der())
                        && delta.list().scope().continues(other.list().scope())
                        && other.list().number() >= delta.list().base_number()
                })
            })
            .map(|signed| signed.list())
    }

    /// Returns the configured issuers of indirect CRLs, if there are indirect CRLs.
    pub(super) fn delegates(&self) -> Option<&Delegates> {
        self.delegates.as_deref()
    }

    /// Lists that were in use before these.
    pub(super) fn seen(&self) -> &CrlHistory {
        &self.history
    }

    /// Returns the URIs in a CA certificate's own `cRLDistributionPoints` and `freshestCRL`, where
    /// its issuer's CRLs and delta CRLs are published.
    ///
    /// For certificates that the operator configured. No URL from a client's certificate is ever
    /// fetched.
    pub fn distribution_points_of(certificate: &CertificateDer<'_>) -> Vec<String> {
        let parsed = Certificate::parse(certificate);
        parsed
            .ok()
            .and_then(|parsed| distribution_point_uris(&parsed).ok())
            .unwrap_or_default()
    }

    /// Returns the lists whose issuer has this name, the newest first.
    pub(super) fn of_issuer(&self, name: &[u8]) -> &[ListOfIssuer] {
        self.by_issuer.get(name)
    }
}

/// Looks for the key that signed the list, those that it names itself first.
fn find_signer(
    signed: &SignedList,
    anchors: &TrustAnchors,
    intermediates: &Intermediates,
    previous: Option<&RevocationLists>,
    history: &CrlHistory,
) {
    let list = signed.list();
    let issuer = list.issuer().der();
    let before = previous.map_or(&[][..], |previous| previous.of_issuer(issuer));
    let before = || before.iter().map(|before| &before.signed);
    if let Some(signer) = before()
        .find(|before| Arc::ptr_eq(before.list(), list))
        .and_then(|before| before.signer())
    {
        signed.remember(signer);
        return;
    }
    let anchors = anchors.with_equal_subject(issuer);
    let configured = anchors
        .map(|anchor| KnownKey::of_anchor(anchor))
        .chain(intermediates.list_issuers_named(issuer).filter_map(KnownKey::of));
    let shown = before().filter_map(|before| before.signer().cloned());
    let recorded = history
        .iter()
        .filter(|seen| seen.series.has_issuer(issuer))
        .map(|seen| seen.series.known_key().clone());
    let mut keys: Vec<KnownKey> = configured.chain(shown).chain(recorded).collect();
    // Several certificates may have one key: one that may sign CRLs is enough.
    keys.sort_by_key(|key| (!key.is_named_by(list), !key.may_sign_lists()));
    keys.iter().any(|key| signed.is_signed_by(key.as_issuer(list)));
}

/// A list among those whose issuers have the same name.
#[derive(Clone, Debug)]
pub(super) struct ListOfIssuer {
    pub(super) signed: Arc<SignedList>,
    /// Number of its scope among theirs, from 0.
    pub(super) scope: usize,
}

/// Lists by the name of their issuer, as it is written and by RFC 5280 §7.1.
#[derive(Clone, Debug, Default)]
struct ByIssuer {
    groups: Vec<Vec<ListOfIssuer>>,
    exact: HashMap<Box<[u8]>, usize>,
    equal: HashMap<Box<[u8]>, usize>,
}

impl ByIssuer {
    fn new(lists: &[Arc<SignedList>]) -> Self {
        let mut this = Self::default();
        let mut scopes: Vec<HashMap<&Scope, usize>> = Vec::new();
        for signed in lists {
            let name = signed.list().issuer().der();
            let group = match look_up_key(name) {
                None => *this.exact.entry(name.into()).or_insert(this.groups.len()),
                Some(key) => *this.equal.entry(key).or_insert(this.groups.len()),
            };
            this.exact.insert(name.into(), group);
            if group == this.groups.len() {
                this.groups.push(Vec::new());
                scopes.push(HashMap::new());
            }
            if let (Some(group), Some(scopes)) = (this.groups.get_mut(group), scopes.get_mut(group)) {
                let next = scopes.len();
                let scope = *scopes.entry(signed.list().scope()).or_insert(next);
                let signed = Arc::clone(signed);
                group.push(ListOfIssuer { signed, scope });
            }
        }
        for group in &mut this.groups {
            group.sort_by(|left, right| {
                let order = |of: &ListOfIssuer| {
                    let CrlVersion { number, this_update } = of.signed.list().version();
                    (this_update, number)
                };
                order(right).cmp(&order(left))
            });
        }
        this
    }

    fn get(&self, name: &[u8]) -> &[ListOfIssuer] {
        if self.groups.is_empty() {
            return &[];
        }
        let group = match self.exact.get(name) {
            Some(group) => Some(group),
            None => look_up_key(name).and_then(|key| self.equal.get(&key)),
        };
        group
            .and_then(|group| self.groups.get(*group))
            .map_or(&[], Vec::as_slice)
    }
}

impl fmt::Display for ListStanding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Verified => "verified",
            Self::IssuerUnknown => "its issuer is not among the anchors and intermediates",
            Self::IssuerMayNotSign => "the key usage of its issuer lacks cRLSign",
            Self::SignatureInvalid => {
                "its signature does not verify with the key of its issuer: it was altered, or another CA of this name \
                 signed it, or another key of the CA; if the CA has a second key, put the certificate of that key into \
                 MTLS_INTERMEDIATES"
            }
            Self::SignatureUnsupported(obstacle) => return obstacle.fmt(formatter),
        })
    }
}
