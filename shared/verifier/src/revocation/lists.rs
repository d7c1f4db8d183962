//! All lists of a deployment, found by issuer.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::issuers::{KnownKey, ListStanding, SignedList};
use super::list::RevocationList;
use super::number::CrlNumber;
use super::scope::distribution_point_uris;
use crate::anchors::{Intermediates, TrustAnchors};
use crate::certificate::{Certificate, oid};
use crate::name::{DistinguishedName, look_up_key};
use rustls_pki_types::CertificateDer;

/// The lists that clients are looked up in, each with what is known about its signature.
///
/// Signatures are verified here, once, against the trust anchors and the configured intermediates. A list of another
/// issuer is kept: if a client's verified path shows an intermediate of that name whose key signed it, it counts from
/// then on.
#[derive(Clone, Debug, Default)]
pub struct RevocationLists {
    all: Vec<Arc<SignedList>>,
    by_issuer: ByIssuer,
}

/// An issuer's list that is older than the one that was in use before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the CRL of {issuer} for {scope} goes back from number {previous} to {found}")]
pub struct RollBack {
    /// Who issued both.
    pub issuer: DistinguishedName,
    /// Which certificates both speak of.
    pub scope: String,
    /// The number of the newer one, in use before.
    pub previous: CrlNumber,
    /// The number of the older one, found now.
    pub found: CrlNumber,
}

impl RevocationLists {
    /// Takes lists and verifies their signatures.
    ///
    /// `previous` is what was in use before, if anything: keys of intermediates that clients showed in the meantime
    /// are remembered, and a list that is the same object is not verified again.
    pub fn new(
        lists: impl IntoIterator<Item = Arc<RevocationList>>,
        anchors: &TrustAnchors,
        intermediates: &Intermediates,
        previous: Option<&Self>,
    ) -> Self {
        let mut this = Self::default();
        for list in lists {
            if this.all.iter().any(|known| Arc::ptr_eq(known.list(), &list)) {
                continue;
            }
            let signed = SignedList::new(list);
            find_signer(&signed, anchors, intermediates, previous);
            this.all.push(Arc::new(signed));
        }
        this.by_issuer = ByIssuer::new(&this.all);
        this
    }

    /// Every list and what is known about its signature, in the order in which they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<RevocationList>, ListStanding)> {
        self.all.iter().map(|signed| (signed.list(), signed.standing()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The first issuer key and scope whose newest list here is older than the newest one in `previous`.
    ///
    /// Only verified lists count: anybody can write a number on an unsigned one.
    pub fn roll_back_from(&self, previous: &Self) -> Option<RollBack> {
        previous.all.iter().find_map(|before| {
            let signer = before.signer()?;
            let newest = self
                .all
                .iter()
                .filter(|after| after.signer().is_some_and(|key| key.is(signer.as_issuer_key())))
                .map(|after| after.list())
                .filter(|after| {
                    after.scope() == before.list().scope() && after.issuer() == before.list().issuer()
                })
                .reduce(|newest, list| if list.is_newer_than(newest) { list } else { newest })?;
            before.list().is_newer_than(newest).then(|| RollBack {
                issuer: newest.issuer().clone(),
                scope: newest.scope().to_string(),
                previous: before.list().number(),
                found: newest.number(),
            })
        })
    }

    /// The URIs in a CA certificate's own `cRLDistributionPoints`: where its issuer's CRLs are to be found.
    ///
    /// For certificates that the operator configured. What stands in a client's certificate is never fetched.
    pub fn distribution_points_of(certificate: &CertificateDer<'_>) -> Vec<String> {
        let Ok(parsed) = Certificate::parse(certificate) else {
            return Vec::new();
        };
        let extension = parsed.extensions.find(oid::CRL_DISTRIBUTION_POINTS);
        extension
            .and_then(|extension| distribution_point_uris(extension.value).ok())
            .unwrap_or_default()
    }

    /// The lists whose issuer has this name, the newest first.
    pub(super) fn of_issuer(&self, name: &[u8]) -> &[Arc<SignedList>] {
        self.by_issuer.get(name)
    }
}

/// Looks for the key that signed the list, those that it names itself first.
fn find_signer(
    signed: &SignedList,
    anchors: &TrustAnchors,
    intermediates: &Intermediates,
    previous: Option<&RevocationLists>,
) {
    let list = signed.list();
    let issuer = list.issuer().der();
    let before = previous.map_or(&[][..], |previous| previous.of_issuer(issuer));
    if let Some(signer) = before
        .iter()
        .find(|before| Arc::ptr_eq(before.list(), list))
        .and_then(|before| before.signer())
    {
        signed.remember(signer);
        return;
    }
    let anchors = anchors
        .with_equal_subject(issuer)
        .map(|anchor| anchor.certificate());
    let configured = anchors
        .chain(intermediates.named(issuer))
        .filter_map(KnownKey::of);
    let shown = before.iter().filter_map(|before| before.signer().cloned());
    let mut keys: Vec<KnownKey> = configured.chain(shown).collect();
    // Several certificates may have one key: one that may sign CRLs is enough.
    keys.sort_by_key(|key| (!key.is_named_by(list), !key.may_sign_lists()));
    keys.iter().any(|key| signed.is_signed_by(key.as_issuer(list)));
}

/// Lists by the name of their issuer, as it is written and by RFC 5280 §7.1.
#[derive(Clone, Debug, Default)]
struct ByIssuer {
    groups: Vec<Vec<Arc<SignedList>>>,
    exact: HashMap<Box<[u8]>, usize>,
    equal: HashMap<Box<str>, usize>,
}

impl ByIssuer {
    fn new(lists: &[Arc<SignedList>]) -> Self {
        let mut this = Self::default();
        for signed in lists {
            let name = signed.list().issuer().der();
            let group = match look_up_key(name) {
                None => *this.exact.entry(name.into()).or_insert(this.groups.len()),
                Some(key) => *this.equal.entry(key).or_insert(this.groups.len()),
            };
            this.exact.insert(name.into(), group);
            match this.groups.get_mut(group) {
                Some(group) => group.push(Arc::clone(signed)),
                None => this.groups.push(vec![Arc::clone(signed)]),
            }
        }
        for group in &mut this.groups {
            group.sort_by(|left, right| {
                let order = |signed: &SignedList| (signed.list().number(), signed.list().this_update());
                order(right).cmp(&order(left))
            });
        }
        this
    }

    fn get(&self, name: &[u8]) -> &[Arc<SignedList>] {
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
            Self::SignatureInvalid => "its signature does not verify with the key of its issuer",
        })
    }
}
