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

use super::candidates::{Candidates, Likelihood, Position};
use super::error::{IssuerCertificate, PathError, Progress, reject_signature};
use crate::anchors::{TrustAnchor, TrustAnchors};
use crate::excerpt::abbreviated;
use crate::rejection::{Reason, Rejection};
use crate::rules::{Context, Path};
use crate::signature::{SignatureFault, key_fault};
use crate::signature_budget::Exceeded;
use crate::x509::certificate::Certificate;
use crate::x509::name::DistinguishedName;
use crate::x509::public_key::IssuerKey;

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

/// Rules for a complete path whose signatures verify.
pub(crate) type Judge<'j> = &'j dyn Fn(&Path<'_, '_>) -> Result<(), Rejection>;

/// Finds the first path that `judge` accepts, in the order in which the intermediates are given.
pub(crate) fn search<'s, 'a>(
    anchors: &'s TrustAnchors,
    end_entity: &'s Certificate<'a>,
    intermediates: &'s [Certificate<'a>],
    context: &Context,
    judge: Judge<'_>,
) -> Result<FoundPath<'s, 'a>, PathError<'s, 'a>> {
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
        Stop::Exhausted => search.error(),
        Stop::TooComplex(rejection) => PathError::without_path(Progress::TooComplex, rejection),
    })
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
    best: Option<PathError<'s, 'a>>,
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
        // Nearly every chain has one path, and it is the likeliest. Only if the rules reject it are
        // all other signatures verified, for the path that says most about why.
        let likeliest = match self.likeliest_path(&ancestors)? {
            Likeliest::Path(found) => return Ok(found),
            Likeliest::None(signers) => signers,
        };
        // The likeliest part of the search has a count of its own: it must not leave fewer steps
        // for a chain in which a rule rejects the first path.
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
            // A certificate that names only itself as its issuer ends a path like one without an
            // issuer.
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
            // A link counts as much as the least likely link of the whole path, so that a sender
            // cannot move wrong issuers forward with good key identifiers.
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
            // Only a certificate with an anchor above it makes its own signatures worth verifying.
            let is_new = !reached.contains(&position);
            add_signer(&mut signers, &mut reached, position, |known| match issuer {
                Issuer::Anchor(anchor) => known.anchors.push(anchor),
                Issuer::Intermediate(issuer) => known.issuers.push(issuer),
            });
            if !is_new {
                continue;
            }
            // The end-entity certificate is reached: the path is complete.
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
        // A signature of another algorithm than the issuer's key says only that another CA has the
        // name.
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
        let issuer_certificate = match issuer {
            Issuer::Anchor(anchor) => IssuerCertificate::Anchor(anchor),
            Issuer::Intermediate(position) => match self.certificates.get(position) {
                Some(issuer) => IssuerCertificate::Intermediate(issuer),
                None => return false,
            },
        };
        if says_more {
            // AWS-LC computes nothing with a key that it does not take, and does not say so. To
            // read the key again costs more than the rest of the search.
            let fault = match fault {
                SignatureFault::Invalid => key_fault(key).map_or(fault, SignatureFault::Key),
                _ => fault,
            };
            self.best = Some(PathError {
                rejection: reject_signature(certificate, &issuer_certificate, key, fault),
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
            // RFC 4158 §5.2: loops, and two certificates of one CA that vouch for each other.
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
        // The rules spend a budget of comparisons. A second judgement of the same path could not
        // change, and would spend it twice.
        let is_judged =
            |(known, of): &(Vec<Position>, &Arc<TrustAnchor>)| known == path && Arc::ptr_eq(of, anchor);
        if self.judged.iter().any(is_judged) {
            return Ok(false);
        }
        // Renewed anchors all verify the same signature, so each of them may be judged; other paths
        // share one limit.
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
        // The budget of comparisons is for all paths together, so no later path could be judged.
        if rejection.reason() == Reason::PathTooComplex {
            return Err(Stop::TooComplex(rejection));
        }
        let progress = match rejection.reason() {
            Reason::AnchorExpired | Reason::AnchorNotYetValid | Reason::ChainTooDeep => Progress::Unusable,
            Reason::Revoked => Progress::Revoked,
            _ => Progress::Refused,
        };
        if self.best.as_ref().is_none_or(|best| progress > best.progress) {
            self.best = Some(PathError {
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
        self.best = Some(PathError {
            rejection,
            progress: Progress::Incomplete,
            intermediates: self.intermediates(&path),
            anchor: None,
        });
    }

    fn error(&mut self) -> PathError<'s, 'a> {
        // There is no certificate to name: the certificates only certify each other.
        self.best
            .take()
            .unwrap_or_else(|| PathError::without_path(Progress::Incomplete, Reason::IssuerUnknown))
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
