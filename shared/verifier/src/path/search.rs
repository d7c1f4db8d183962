//! Our own path builder, in three rounds: who could have issued what by name, what of that is
//! signed, from the anchors down, and which path through the signed part the rules accept.
//!
//! It is complete within its budgets. A hostile chain can make the number of paths by name explode,
//! but not the work: only what hangs on an anchor by good signatures is looked at further, and each
//! pair of a certificate and a key is verified once. A certificate that no anchor stands behind
//! costs one signature for each anchor of its issuer's name. When all signatures together exceed
//! their budget, the likeliest issuers have been looked at: a path among them is accepted, and
//! without one the chain is too complex.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::anchors::{TrustAnchor, TrustAnchors};
use crate::excerpt::abbreviated;
use crate::rejection::{Reason, Rejection};
use crate::rules::{Context, Path};
use crate::signature::{self, ACCEPTED_ALGORITHMS, SignatureFault};
use crate::signature_budget::Exceeded;
use crate::x509::algorithm_name::{describe_key, describe_signature_algorithm};
use crate::x509::certificate::{Certificate, Validity};
use crate::x509::name::{DistinguishedName, look_up_key};
use crate::x509::public_key::IssuerKey;
use crate::x509::time::Timestamp;

/// Steps by which one search extends a path through signed certificates at most. A real path of the
/// deepest setting, 10, takes 10 steps; cross-certified CAs take tens. 2,000 cost less than one
/// signature on P-256, and a CA below an anchor is needed to cause them.
const MAX_STEPS: usize = 2_000;
/// Paths that one search puts to the rules at most, in addition to one for each anchor of one name.
/// A renewed root has the key of the former one and verifies the same signatures. Twenty
/// cross-certificates make fewer than 100 paths, and judging one costs a few microseconds.
const MAX_JUDGED: usize = 100;

/// A path that was found and may be used.
#[derive(Debug)]
pub(crate) struct FoundPath<'s, 'a> {
    /// The end-entity certificate's issuer first.
    pub(crate) intermediates: Vec<&'s Certificate<'a>>,
    pub(crate) anchor: &'s Arc<TrustAnchor>,
}

/// Reason for which no path can be used, and the path that it concerns.
#[derive(Debug)]
pub(crate) struct Refusal<'s, 'a> {
    pub(crate) rejection: Rejection,
    pub(crate) progress: Progress,
    /// The path that the rejection is about, as far as it goes.
    pub(crate) intermediates: Vec<&'s Certificate<'a>>,
    pub(crate) anchor: Option<&'s Arc<TrustAnchor>>,
}

/// Progress of the path that a rejection concerns. A rejection of a path that got farther says
/// more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    /// No certificate or anchor has the name of the issuer of the last certificate.
    Incomplete,
    /// The path leads to an anchor by name, and the issuers' keys are of another kind than the
    /// signatures.
    Mismatched,
    /// The path leads to an anchor by name, and a signature does not verify.
    Unverified,
    /// The signatures verify, and the path is too deep or its anchor is not valid.
    Unusable,
    /// The signatures verify, and another rule rejects the path.
    Refused,
    /// The path follows every rule, and an issuer has revoked one of its certificates.
    Revoked,
    /// There is more to try than is tried.
    TooComplex,
}

/// Rules for a complete path whose signatures verify.
pub(crate) type Judge<'j> = &'j dyn Fn(&Path<'_, '_>) -> Result<(), Rejection>;

/// Finds the first path that `judge` accepts, in the order in which the intermediates are given.
pub(crate) fn search<'s, 'a>(
    anchors: &'s TrustAnchors,
    end_entity: &'s Certificate<'a>,
    intermediates: &'s [Certificate<'a>],
    context: &Context,
    judge: Judge<'_>,
) -> Result<FoundPath<'s, 'a>, Refusal<'s, 'a>> {
    let certificates: Vec<&'s Certificate<'a>> = std::iter::once(end_entity).chain(intermediates).collect();
    let mut search = Search {
        candidates: Candidates::by_exact_name(anchors, &certificates, context.now),
        certificates,
        context,
        judge,
        steps: 0,
        judged: Vec::new(),
        max_judged: MAX_JUDGED + anchors.namesakes().count,
        best: None,
    };
    let found = match search.run() {
        Err(Stop::Exhausted) => {
            // Nearly every CA writes a name the same way each time; the others are found on a
            // second round.
            let by_equal_name = Candidates::by_equal_name(anchors, &search.certificates, context.now);
            if by_equal_name == search.candidates {
                Err(Stop::Exhausted)
            } else {
                search.candidates = by_equal_name;
                search.run()
            }
        }
        found => found,
    };
    found.map_err(|stop| match stop {
        Stop::Exhausted => search.refusal(),
        Stop::TooComplex(rejection) => refusal_without_path(Progress::TooComplex, rejection),
    })
}

/// Position of a certificate: 0 is the end-entity certificate.
type Position = usize;

/// Certificates and anchors with the name of a certificate's issuer, for each certificate.
#[derive(Debug, PartialEq)]
struct Candidates<'s> {
    anchors: Vec<Vec<&'s Arc<TrustAnchor>>>,
    issuers: Vec<Vec<Position>>,
}

impl<'s> Candidates<'s> {
    fn by_exact_name(anchors: &'s TrustAnchors, certificates: &[&Certificate<'_>], now: Timestamp) -> Self {
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

    fn by_equal_name(anchors: &'s TrustAnchors, certificates: &[&Certificate<'_>], now: Timestamp) -> Self {
        // A name that cannot be read equals none.
        let subjects: Vec<Option<Box<str>>> = certificates
            .iter()
            .map(|certificate| look_up_key(certificate.subject))
            .collect();
        let named = |name: &[u8]| match look_up_key(name) {
            None => Vec::new(),
            Some(key) => positions_where(&subjects, |subject| subject.as_ref() == Some(&key)),
        };
        Self {
            anchors: certificates
                .iter()
                .map(|certificate| {
                    likeliest_first(anchors.with_equal_subject(certificate.issuer), certificate, now)
                })
                .collect(),
            issuers: certificates
                .iter()
                .map(|certificate| named(certificate.issuer))
                .collect(),
        }
    }

    fn anchors_of(&self, position: Position) -> &[&'s Arc<TrustAnchor>] {
        self.anchors.get(position).map_or(&[], Vec::as_slice)
    }

    fn issuers_of(&self, position: Position) -> &[Position] {
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
struct Likelihood {
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
    fn new(
        certificate: &Certificate<'_>,
        issuer_key_identifier: Option<&[u8]>,
        issuer_validity: Validity,
        now: Timestamp,
    ) -> Self {
        let key_identifier = match (certificate.authority_key_identifier(), issuer_key_identifier) {
            (Some(wanted), Some(found)) if wanted == found => KeyIdentifier::Same,
            (Some(_), Some(_)) => KeyIdentifier::Different,
            _ => KeyIdentifier::Unknown,
        };
        Self {
            key_identifier,
            is_not_valid: !issuer_validity.covers(now),
        }
    }

    /// Nothing stands against it.
    const BEST: Self = Self {
        key_identifier: KeyIdentifier::Same,
        is_not_valid: false,
    };

    fn of_anchor(anchor: &TrustAnchor, certificate: &Certificate<'_>, now: Timestamp) -> Self {
        Self::new(certificate, anchor.key_identifier(), anchor.validity(), now)
    }
}

/// Sorts the anchors that may have issued a certificate; those that are equally likely keep their
/// order.
pub(crate) fn likeliest_first<'s>(
    anchors: impl Iterator<Item = &'s Arc<TrustAnchor>>,
    certificate: &Certificate<'_>,
    now: Timestamp,
) -> Vec<&'s Arc<TrustAnchor>> {
    let mut anchors: Vec<_> = anchors.collect();
    if anchors.len() > 1 {
        anchors.sort_by_cached_key(|anchor| Likelihood::of_anchor(anchor, certificate, now));
    }
    anchors
}

struct Search<'s, 'a, 'j> {
    /// The end-entity certificate first.
    certificates: Vec<&'s Certificate<'a>>,
    context: &'j Context,
    judge: Judge<'j>,
    candidates: Candidates<'s>,
    steps: usize,
    /// Paths that were put to the rules, with their anchors: none is put to them twice.
    judged: Vec<(Vec<Position>, &'s Arc<TrustAnchor>)>,
    max_judged: usize,
    best: Option<Refusal<'s, 'a>>,
}

/// An issuer by name, whose signature is to be verified.
#[derive(Clone, Copy)]
enum Issuer<'s> {
    Intermediate(Position),
    Anchor(&'s Arc<TrustAnchor>),
}

/// Signatures that wait to be verified, the likeliest first; at the same likelihood those of CAs
/// that an anchor stands behind come before those of anchors.
#[derive(Default)]
struct Waiting<'s> {
    signatures: Vec<(Position, Issuer<'s>)>,
    order: BinaryHeap<Reverse<(Likelihood, bool, usize)>>,
}

impl<'s> Waiting<'s> {
    fn add(&mut self, likelihood: Likelihood, position: Position, issuer: Issuer<'s>) {
        let is_anchor = matches!(issuer, Issuer::Anchor(_));
        self.order
            .push(Reverse((likelihood, is_anchor, self.signatures.len())));
        self.signatures.push((position, issuer));
    }

    fn next(&mut self) -> Option<(Position, Issuer<'s>)> {
        let Reverse((_, _, next)) = self.order.pop()?;
        self.signatures.get(next).copied()
    }
}

/// A certificate that may be a part of a path to the end-entity certificate.
#[derive(Clone, Copy)]
struct Ancestor {
    position: Position,
    /// The certificate below, by which it was found; the end-entity certificate's own is itself.
    below: Position,
}

/// Signers of a certificate that have an anchor above them.
#[derive(Clone, Default)]
struct Signers<'s> {
    anchors: Vec<&'s Arc<TrustAnchor>>,
    issuers: Vec<Position>,
}

/// Result of following the likeliest issuers.
enum Likeliest<'s, 'a> {
    Path(FoundPath<'s, 'a>),
    /// Signers as far as signatures were verified.
    None(Vec<Signers<'s>>),
}

/// End of a search that found no path.
enum Stop {
    Exhausted,
    TooComplex(Rejection),
}

impl<'s, 'a> Search<'s, 'a, '_> {
    fn run(&mut self) -> Result<FoundPath<'s, 'a>, Stop> {
        let ancestors = self.ancestors();
        let likeliest = match self.likeliest_path(&ancestors)? {
            Likeliest::Path(found) => return Ok(found),
            Likeliest::None(signers) => signers,
        };
        self.steps = 0;
        if !self.context.signatures.is_exceeded() {
            let signers = self.signers(&ancestors);
            return self.extend(&signers, &mut vec![0]);
        }
        match self.extend(&likeliest, &mut vec![0]) {
            Err(Stop::Exhausted) => Err(Stop::TooComplex(
                Rejection::new(Reason::PathTooComplex)
                    .because("the signatures of all possible issuers cost too much to verify"),
            )),
            found => found,
        }
    }

    /// Returns the end-entity certificate and all certificates above it by name, the nearest first.
    fn ancestors(&mut self) -> Vec<Ancestor> {
        let mut ancestors = vec![Ancestor {
            position: 0,
            below: 0,
        }];
        let mut looked_at = 0;
        while let Some(ancestor) = ancestors.get(looked_at).copied() {
            looked_at += 1;
            let mut is_last = self.candidates.anchors_of(ancestor.position).is_empty();
            for issuer in self.candidates.issuers_of(ancestor.position) {
                is_last &= *issuer == ancestor.position;
                if ancestors.iter().all(|known| known.position != *issuer) {
                    ancestors.push(Ancestor {
                        position: *issuer,
                        below: ancestor.position,
                    });
                }
            }
            if is_last {
                self.note_incomplete(path_to(ancestor, &ancestors));
            }
        }
        ancestors
    }

    /// Verifies signatures from the anchors down, those of the likeliest path first, whatever else
    /// was presented. Ends with the first path that the rules accept, or when the budget of
    /// signatures is exceeded.
    fn likeliest_path(&mut self, ancestors: &[Ancestor]) -> Result<Likeliest<'s, 'a>, Stop> {
        let likelihoods = self.likelihoods();
        let of_path = |position: Position, link: Likelihood| {
            let below = likelihoods.get(position).copied().flatten();
            below.map_or(link, |below| below.max(link))
        };
        let mut signers: Vec<Signers<'s>> = vec![Signers::default(); self.certificates.len()];
        let mut reached: Vec<Position> = Vec::new();
        let mut waiting = Waiting::default();
        for Ancestor { position, .. } in ancestors {
            let Some(certificate) = self.certificates.get(*position) else {
                continue;
            };
            for anchor in self.candidates.anchors_of(*position) {
                let link = Likelihood::of_anchor(anchor, certificate, self.context.now);
                waiting.add(of_path(*position, link), *position, Issuer::Anchor(anchor));
            }
        }
        while let Some((position, issuer)) = waiting.next() {
            let Some(key) = self.key_of(issuer) else {
                continue;
            };
            match self.verify(position, key) {
                Ok(Ok(())) => {}
                Ok(Err(_)) => continue,
                Err(Exceeded) => break,
            }
            let is_new = !reached.contains(&position);
            add_signer(&mut signers, &mut reached, position, |known| match issuer {
                Issuer::Anchor(anchor) => known.anchors.push(anchor),
                Issuer::Intermediate(issuer) => known.issuers.push(issuer),
            });
            if !is_new {
                continue;
            }
            if position == 0 {
                match self.extend(&signers, &mut vec![0]) {
                    Err(Stop::Exhausted) => continue,
                    found => return found.map(Likeliest::Path),
                }
            }
            for below in ancestors {
                let is_named = self.candidates.issuers_of(below.position).contains(&position);
                if is_named && below.position != position {
                    let link = of_path(below.position, self.likelihood(below.position, position));
                    waiting.add(link, below.position, Issuer::Intermediate(position));
                }
            }
        }
        Ok(Likeliest::None(signers))
    }

    /// Returns for each certificate the likelihood of the likeliest path by name down to the
    /// end-entity certificate. A path is as likely as its least likely link.
    fn likelihoods(&self) -> Vec<Option<Likelihood>> {
        let mut likelihoods: Vec<Option<Likelihood>> = vec![None; self.certificates.len()];
        let mut open = BinaryHeap::from([Reverse((Likelihood::BEST, 0))]);
        while let Some(Reverse((likelihood, position))) = open.pop() {
            match likelihoods.get_mut(position) {
                Some(known @ None) => *known = Some(likelihood),
                _ => continue,
            }
            for issuer in self.candidates.issuers_of(position) {
                if likelihoods.get(*issuer).is_some_and(Option::is_none) {
                    let link = self.likelihood(position, *issuer);
                    open.push(Reverse((likelihood.max(link), *issuer)));
                }
            }
        }
        likelihoods
    }

    fn likelihood(&self, position: Position, issuer: Position) -> Likelihood {
        match (self.certificates.get(position), self.certificates.get(issuer)) {
            (Some(certificate), Some(issuer)) => Likelihood::new(
                certificate,
                issuer.key_identifier(),
                issuer.validity,
                self.context.now,
            ),
            _ => Likelihood::BEST,
        }
    }

    /// Returns the signers of each certificate, verified from the anchors down, in the order in
    /// which they were given. Without an anchor above it, a signature proves nothing.
    fn signers(&mut self, ancestors: &[Ancestor]) -> Vec<Signers<'s>> {
        let mut signers: Vec<Signers<'s>> = vec![Signers::default(); self.certificates.len()];
        let mut reached: Vec<Position> = Vec::new();
        for ancestor in ancestors {
            for anchor in self.candidates.anchors_of(ancestor.position).to_vec() {
                if self.is_signed_by(*ancestor, Issuer::Anchor(anchor), ancestors) {
                    add_signer(&mut signers, &mut reached, ancestor.position, |known| {
                        known.anchors.push(anchor);
                    });
                }
            }
        }
        let mut looked_at = 0;
        while let Some(issuer) = reached.get(looked_at).copied() {
            looked_at += 1;
            for ancestor in ancestors {
                let is_named = self.candidates.issuers_of(ancestor.position).contains(&issuer);
                if is_named
                    && ancestor.position != issuer
                    && self.is_signed_by(*ancestor, Issuer::Intermediate(issuer), ancestors)
                {
                    add_signer(&mut signers, &mut reached, ancestor.position, |known| {
                        known.issuers.push(issuer);
                    });
                }
            }
        }
        signers.iter_mut().for_each(|known| known.issuers.sort_unstable());
        signers
    }

    /// Notes a signature that does not count.
    fn is_signed_by(&mut self, ancestor: Ancestor, issuer: Issuer<'s>, ancestors: &[Ancestor]) -> bool {
        let certificate = self.certificates.get(ancestor.position).copied();
        let (Some(certificate), Some(key)) = (certificate, self.key_of(issuer)) else {
            return false;
        };
        let fault = match self.verify(ancestor.position, key) {
            Ok(Ok(())) => return true,
            Ok(Err(fault)) => fault,
            // The caller asks for what was verified before.
            Err(Exceeded) => return false,
        };
        let progress = match fault {
            SignatureFault::OtherKind => Progress::Mismatched,
            SignatureFault::Algorithm | SignatureFault::Invalid | SignatureFault::Key(_) => {
                Progress::Unverified
            }
        };
        let path = path_to(ancestor, ancestors);
        // The nearer to the end-entity certificate, the more of the path above is good.
        let says_more = self.best.as_ref().is_none_or(|best| match best.progress {
            Progress::Incomplete => true,
            Progress::Mismatched | Progress::Unverified => {
                let known = best.intermediates.len() + 1;
                path.len() < known || (path.len() == known && progress > best.progress)
            }
            _ => false,
        });
        if says_more {
            self.best = Some(Refusal {
                rejection: self.reject_signature(certificate, issuer, key, fault),
                progress,
                intermediates: self.intermediates(&path),
                anchor: match issuer {
                    Issuer::Anchor(anchor) => Some(anchor),
                    Issuer::Intermediate(_) => None,
                },
            });
        }
        false
    }

    fn reject_signature(
        &self,
        certificate: &Certificate<'_>,
        issuer: Issuer<'s>,
        key: IssuerKey<'_>,
        fault: SignatureFault,
    ) -> Rejection {
        let issuer_certificate = match issuer {
            Issuer::Intermediate(position) => self.certificates.get(position).copied(),
            Issuer::Anchor(_) => None,
        };
        let issuer_name = match (issuer, issuer_certificate) {
            (Issuer::Anchor(anchor), _) => abbreviated(anchor.subject().as_str()),
            (_, Some(issuer)) => match DistinguishedName::parse(issuer.subject) {
                Ok(subject) => abbreviated(subject.as_str()),
                Err(_) => "the issuer".into(),
            },
            (_, None) => "the issuer".into(),
        };
        let algorithm = describe_signature_algorithm(certificate.signature_algorithm);
        match fault {
            SignatureFault::Algorithm => certificate
                .reject(Reason::SignatureAlgorithm)
                .in_field("signature algorithm")
                .found(&algorithm)
                .allowed(ACCEPTED_ALGORITHMS),
            SignatureFault::Key(reason) => {
                let rejection = match issuer_certificate {
                    Some(issuer) => issuer.reject(reason),
                    None => Rejection::new(reason).about(&issuer_name),
                };
                signature::with_key_facts(rejection, key)
            }
            SignatureFault::Invalid => certificate
                .reject(Reason::SignatureInvalid)
                .in_field("signature")
                .found(&format!("not made with the key of `{issuer_name}`")),
            SignatureFault::OtherKind => certificate
                .reject(Reason::IssuerKeyMismatch)
                .in_field("signature algorithm")
                .found(&format!(
                    "{algorithm}, while `{issuer_name}` has {}",
                    describe_key(key.algorithm, key.key)
                )),
        }
    }

    fn key_of(&self, issuer: Issuer<'s>) -> Option<IssuerKey<'s>> {
        match issuer {
            Issuer::Anchor(anchor) => Some(anchor.issuer_key()),
            Issuer::Intermediate(position) => {
                let issuer = self.certificates.get(position)?;
                Some(issuer.issuer_key())
            }
        }
    }

    fn verify(
        &self,
        position: Position,
        issuer: IssuerKey<'_>,
    ) -> Result<Result<(), SignatureFault>, Exceeded> {
        match self.certificates.get(position) {
            Some(certificate) => self.context.signatures.verify(certificate, issuer),
            None => Ok(Err(SignatureFault::Invalid)),
        }
    }

    /// Completes a path, the end-entity certificate first, by an anchor, or else extends it by each
    /// issuer that it does not hold yet.
    fn extend(
        &mut self,
        signers: &[Signers<'s>],
        path: &mut Vec<Position>,
    ) -> Result<FoundPath<'s, 'a>, Stop> {
        let known = path.last().and_then(|head| signers.get(*head));
        let Some(known) = known else {
            return Err(Stop::Exhausted);
        };
        for anchor in &known.anchors {
            if self.is_accepted(path, anchor)? {
                return Ok(FoundPath {
                    intermediates: self.intermediates(path),
                    anchor,
                });
            }
        }
        for issuer in &known.issuers {
            if self.holds(path, *issuer) {
                continue;
            }
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(Stop::TooComplex(Reason::PathTooComplex.into()));
            }
            path.push(*issuer);
            let found = self.extend(signers, path);
            path.pop();
            if !matches!(found, Err(Stop::Exhausted)) {
                return found;
            }
        }
        Err(Stop::Exhausted)
    }

    /// Loops, and a second certificate for a name and key that the path holds already (RFC 4158
    /// §5.2).
    fn holds(&self, path: &[Position], candidate: Position) -> bool {
        let certificate = |position: &Position| self.certificates.get(*position);
        let is_same = |held: &&&Certificate<'_>| {
            certificate(&candidate).is_some_and(|candidate| {
                held.public_key_info == candidate.public_key_info && held.subject == candidate.subject
            })
        };
        path.iter().filter_map(certificate).any(|held| is_same(&held))
    }

    fn is_accepted(&mut self, path: &[Position], anchor: &'s Arc<TrustAnchor>) -> Result<bool, Stop> {
        let is_judged =
            |(known, of): &(Vec<Position>, &Arc<TrustAnchor>)| known == path && Arc::ptr_eq(of, anchor);
        if self.judged.iter().any(is_judged) {
            return Ok(false);
        }
        if self.judged.len() == self.max_judged {
            return Err(Stop::TooComplex(Reason::PathTooComplex.into()));
        }
        self.judged.push((path.to_vec(), anchor));
        let Some(end_entity) = self.certificates.first().copied() else {
            return Ok(false);
        };
        let intermediates = self.intermediates(path);
        let judged = (self.judge)(&Path {
            end_entity,
            intermediates: &intermediates,
            anchor,
        });
        let Err(rejection) = judged else {
            return Ok(true);
        };
        if rejection.reason() == Reason::PathTooComplex {
            return Err(Stop::TooComplex(rejection));
        }
        let progress = match rejection.reason() {
            Reason::AnchorExpired | Reason::AnchorNotYetValid | Reason::ChainTooDeep => Progress::Unusable,
            Reason::Revoked => Progress::Revoked,
            _ => Progress::Refused,
        };
        if self.best.as_ref().is_none_or(|best| progress > best.progress) {
            self.best = Some(Refusal {
                rejection,
                progress,
                intermediates,
                anchor: Some(anchor),
            });
        }
        Ok(false)
    }

    fn intermediates(&self, path: &[Position]) -> Vec<&'s Certificate<'a>> {
        let positions = path.iter().skip(1);
        positions
            .filter_map(|position| self.certificates.get(*position).copied())
            .collect()
    }

    fn note_incomplete(&mut self, path: Vec<Position>) {
        let says_more = self.best.as_ref().is_none_or(|best| {
            best.progress == Progress::Incomplete && path.len() > best.intermediates.len() + 1
        });
        let head = path.last().and_then(|head| self.certificates.get(*head));
        let (true, Some(head)) = (says_more, head) else {
            return;
        };
        let rejection = if path.len() == 1 && head.is_self_issued() {
            head.reject(Reason::SelfSigned)
        } else {
            let rejection = head.reject(Reason::IssuerUnknown).in_field("issuer");
            match DistinguishedName::parse(head.issuer) {
                Ok(issuer) => rejection
                    .because(format!("the issuer is {}", abbreviated(issuer.as_str())))
                    .found(issuer.as_str()),
                Err(_) => rejection,
            }
        };
        self.best = Some(Refusal {
            rejection,
            progress: Progress::Incomplete,
            intermediates: self.intermediates(&path),
            anchor: None,
        });
    }

    fn refusal(&mut self) -> Refusal<'s, 'a> {
        // There is no certificate to name: the certificates only certify each other.
        self.best
            .take()
            .unwrap_or_else(|| refusal_without_path(Progress::Incomplete, Reason::IssuerUnknown))
    }
}

fn refusal_without_path<'s, 'a>(progress: Progress, rejection: impl Into<Rejection>) -> Refusal<'s, 'a> {
    Refusal {
        rejection: rejection.into(),
        progress,
        intermediates: Vec::new(),
        anchor: None,
    }
}

fn add_signer<'s>(
    signers: &mut [Signers<'s>],
    reached: &mut Vec<Position>,
    position: Position,
    add: impl FnOnce(&mut Signers<'s>),
) {
    if let Some(known) = signers.get_mut(position) {
        add(known);
    }
    if !reached.contains(&position) {
        reached.push(position);
    }
}

/// Returns the path by which an ancestor was found, the end-entity certificate first.
fn path_to(ancestor: Ancestor, ancestors: &[Ancestor]) -> Vec<Position> {
    let mut path = Vec::new();
    let mut next = Some(ancestor);
    while let Some(current) = next {
        path.push(current.position);
        next = match current.position {
            0 => None,
            _ => ancestors
                .iter()
                .find(|below| below.position == current.below)
                .copied(),
        };
    }
    path.reverse();
    path
}
