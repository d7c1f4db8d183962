//! Our own path builder: every path by name, its signatures from the anchor down, then the rules.
//!
//! It is complete and bounded. A hostile chain can make the number of paths by name explode, but hardly that of
//! signatures: each pair of a certificate and a key is verified once, and because verification starts at the anchor,
//! a certificate that no anchor stands behind costs one signature for each anchor of that name. Steps are counted too.

use std::sync::Arc;

use crate::anchors::{TrustAnchor, TrustAnchors};
use crate::certificate::Certificate;
use crate::name::{DistinguishedName, look_up_key};
use crate::rejection::{Reason, Rejection};
use crate::rules::Path;
use crate::signature::{self, IssuerKey};

/// Signatures that one search verifies at most.
const MAX_SIGNATURES: usize = 100;
/// How often one search extends a path at most.
const MAX_STEPS: usize = 5_000;

/// A path that was found and may be used.
#[derive(Debug)]
pub(crate) struct FoundPath<'s, 'a> {
    /// The end-entity certificate's issuer first.
    pub(crate) intermediates: Vec<&'s Certificate<'a>>,
    pub(crate) anchor: &'s Arc<TrustAnchor>,
}

/// Why no path can be used.
#[derive(Debug)]
pub(crate) struct Refusal<'s, 'a> {
    pub(crate) rejection: Rejection,
    pub(crate) progress: Progress,
    /// The path that the rejection is about, as far as it goes.
    pub(crate) intermediates: Vec<&'s Certificate<'a>>,
    pub(crate) anchor: Option<&'s Arc<TrustAnchor>>,
}

/// How far the path got that a rejection is about; the farther, the more the rejection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    /// Nobody issued its last certificate.
    Incomplete,
    /// It leads to an anchor by name, and a signature does not verify.
    Unverified,
    /// It is verified, and is too deep, or its anchor is not valid.
    Unusable,
    /// It is verified, and another rule refuses it.
    Refused,
    /// It is verified and follows every rule, and its issuer has revoked one of its certificates.
    Revoked,
    /// There is more to try than is tried.
    TooComplex,
}

/// What is asked of a complete path whose signatures verify.
pub(crate) type Judge<'j> = &'j dyn Fn(&Path<'_, '_>) -> Result<(), Rejection>;

/// Finds the first path that `judge` accepts, in the order in which the intermediates are given.
pub(crate) fn search<'s, 'a>(
    anchors: &'s TrustAnchors,
    end_entity: &'s Certificate<'a>,
    intermediates: &'s [Certificate<'a>],
    judge: Judge<'_>,
) -> Result<FoundPath<'s, 'a>, Refusal<'s, 'a>> {
    let mut search = Search {
        end_entity,
        intermediates,
        judge,
        issuers: Issuers::by_exact_name(anchors, end_entity, intermediates),
        verified: Vec::new(),
        steps: 0,
        best: None,
    };
    match search.extend(&mut Vec::new()) {
        Ok(found) => return Ok(found),
        Err(Stop::TooComplex) => return Err(search.too_complex()),
        Err(Stop::Exhausted) => {}
    }
    // Nearly every CA writes a name the same way each time; the others are found on a second round.
    let by_equal_name = Issuers::by_equal_name(anchors, end_entity, intermediates);
    if by_equal_name != search.issuers {
        search.issuers = by_equal_name;
        match search.extend(&mut Vec::new()) {
            Ok(found) => return Ok(found),
            Err(Stop::TooComplex) => return Err(search.too_complex()),
            Err(Stop::Exhausted) => {}
        }
    }
    Err(search.refusal())
}

/// For each certificate, the end-entity certificate first, who bears the name of its issuer.
#[derive(Debug, PartialEq)]
struct Issuers<'s> {
    anchors: Vec<Vec<&'s Arc<TrustAnchor>>>,
    /// Positions among the intermediates.
    intermediates: Vec<Vec<usize>>,
}

impl<'s> Issuers<'s> {
    fn by_exact_name(
        anchors: &'s TrustAnchors,
        end_entity: &Certificate<'_>,
        intermediates: &[Certificate<'_>],
    ) -> Self {
        let subjects: Vec<&[u8]> = intermediates.iter().map(|issuer| issuer.subject).collect();
        let certificates = || std::iter::once(end_entity).chain(intermediates);
        Self {
            anchors: certificates()
                .map(|certificate| anchors.with_subject(certificate.issuer).collect())
                .collect(),
            intermediates: certificates()
                .map(|certificate| positions_of(&certificate.issuer, &subjects))
                .collect(),
        }
    }

    fn by_equal_name(
        anchors: &'s TrustAnchors,
        end_entity: &Certificate<'_>,
        intermediates: &[Certificate<'_>],
    ) -> Self {
        // A name that cannot be read equals none.
        let subjects: Vec<Option<Box<str>>> = intermediates
            .iter()
            .map(|issuer| look_up_key(issuer.subject))
            .collect();
        let certificates = || std::iter::once(end_entity).chain(intermediates);
        Self {
            anchors: certificates()
                .map(|certificate| anchors.with_equal_subject(certificate.issuer).collect())
                .collect(),
            intermediates: certificates()
                .map(|certificate| match look_up_key(certificate.issuer) {
                    Some(key) => positions_of(&Some(key), &subjects),
                    None => Vec::new(),
                })
                .collect(),
        }
    }

    fn anchors_of(&self, node: usize) -> &[&'s Arc<TrustAnchor>] {
        self.anchors.get(node).map_or(&[], Vec::as_slice)
    }

    fn intermediates_of(&self, node: usize) -> &[usize] {
        self.intermediates.get(node).map_or(&[], Vec::as_slice)
    }
}

fn positions_of<T: PartialEq>(wanted: &T, all: &[T]) -> Vec<usize> {
    let matching = all.iter().enumerate().filter(|(_, name)| *name == wanted);
    matching.map(|(position, _)| position).collect()
}

struct Search<'s, 'a, 'j> {
    end_entity: &'s Certificate<'a>,
    intermediates: &'s [Certificate<'a>],
    judge: Judge<'j>,
    issuers: Issuers<'s>,
    verified: Vec<VerifiedSignature<'s>>,
    steps: usize,
    best: Option<Refusal<'s, 'a>>,
}

/// A signature that was looked at, and what came of it.
struct VerifiedSignature<'s> {
    certificate: &'s [u8],
    issuer: IssuerKey<'s>,
    outcome: Result<(), Reason>,
}

/// Why a part of the search ended without a path.
enum Stop {
    Exhausted,
    TooComplex,
}

impl<'s, 'a> Search<'s, 'a, '_> {
    /// Tries to complete a path, given by positions among the intermediates: by an anchor, then by each intermediate
    /// that it does not hold yet.
    fn extend(&mut self, path: &mut Vec<usize>) -> Result<FoundPath<'s, 'a>, Stop> {
        let node = path.last().map_or(0, |position| position + 1);
        let head = self.head(path);
        let anchors = self.issuers.anchors_of(node).to_vec();
        for anchor in &anchors {
            if self.complete(path, anchor)? {
                return Ok(FoundPath {
                    intermediates: self.certificates(path),
                    anchor,
                });
            }
        }
        let mut is_last = anchors.is_empty();
        for position in self.issuers.intermediates_of(node).to_vec() {
            let Some(issuer) = self.intermediates.get(position) else {
                continue;
            };
            if self.holds(path, issuer) {
                continue;
            }
            is_last = false;
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(Stop::TooComplex);
            }
            if matches!(self.known(head, issuer.issuer_key()), Some(Err(_))) {
                continue;
            }
            path.push(position);
            let found = self.extend(path);
            path.pop();
            if !matches!(found, Err(Stop::Exhausted)) {
                return found;
            }
        }
        if is_last {
            self.note_incomplete(path);
        }
        Err(Stop::Exhausted)
    }

    fn head(&self, path: &[usize]) -> &'s Certificate<'a> {
        let last = path.last().and_then(|position| self.intermediates.get(*position));
        last.unwrap_or(self.end_entity)
    }

    fn certificates(&self, path: &[usize]) -> Vec<&'s Certificate<'a>> {
        let certificates = path
            .iter()
            .filter_map(|position| self.intermediates.get(*position));
        certificates.collect()
    }

    /// Loops, and a second certificate for a name and key that the path holds already (RFC 4158 §5.2).
    fn holds(&self, path: &[usize], candidate: &Certificate<'_>) -> bool {
        let is_same = |held: &Certificate<'_>| {
            held.public_key_info == candidate.public_key_info && held.subject == candidate.subject
        };
        let mut positions = path
            .iter()
            .filter_map(|position| self.intermediates.get(*position));
        is_same(self.end_entity) || positions.any(is_same)
    }

    /// Whether the path with this anchor verifies and is accepted; notes why not.
    fn complete(&mut self, path: &[usize], anchor: &'s Arc<TrustAnchor>) -> Result<bool, Stop> {
        let intermediates = self.certificates(path);
        let mut issuer = anchor.issuer_key();
        for certificate in std::iter::once(self.end_entity)
            .chain(intermediates.iter().copied())
            .rev()
        {
            if let Err(reason) = self.verify(certificate, issuer)? {
                let rejection = certificate.reject(reason);
                self.note(Progress::Unverified, rejection, path, Some(anchor));
                return Ok(false);
            }
            issuer = certificate.issuer_key();
        }
        let judged = (self.judge)(&Path {
            end_entity: self.end_entity,
            intermediates: &intermediates,
            anchor,
        });
        let Err(rejection) = judged else {
            return Ok(true);
        };
        let progress = match rejection.reason() {
            Reason::AnchorExpired | Reason::AnchorNotYetValid | Reason::ChainTooDeep => Progress::Unusable,
            Reason::Revoked => Progress::Revoked,
            _ => Progress::Refused,
        };
        self.note(progress, rejection, path, Some(anchor));
        Ok(false)
    }

    /// Each certificate and key once: the number of paths through them does not matter.
    fn verify(
        &mut self,
        certificate: &'s Certificate<'a>,
        issuer: IssuerKey<'s>,
    ) -> Result<Result<(), Reason>, Stop> {
        if let Some(outcome) = self.known(certificate, issuer) {
            return Ok(outcome);
        }
        if self.verified.len() == MAX_SIGNATURES {
            return Err(Stop::TooComplex);
        }
        let outcome = signature::verify(certificate, issuer);
        self.verified.push(VerifiedSignature {
            certificate: certificate.der,
            issuer,
            outcome,
        });
        Ok(outcome)
    }

    fn known(&self, certificate: &Certificate<'_>, issuer: IssuerKey<'_>) -> Option<Result<(), Reason>> {
        let mut verified = self.verified.iter();
        let found = verified.find(|known| known.issuer == issuer && known.certificate == certificate.der);
        found.map(|known| known.outcome)
    }

    fn note(
        &mut self,
        progress: Progress,
        rejection: Rejection,
        path: &[usize],
        anchor: Option<&'s Arc<TrustAnchor>>,
    ) {
        let known = self.best.as_ref();
        let says_more = known.is_none_or(|best| {
            progress > best.progress
                || (progress == Progress::Incomplete
                    && best.progress == progress
                    && path.len() > best.intermediates.len())
        });
        if says_more {
            self.best = Some(Refusal {
                rejection,
                progress,
                intermediates: self.certificates(path),
                anchor,
            });
        }
    }

    fn note_incomplete(&mut self, path: &[usize]) {
        if self
            .best
            .as_ref()
            .is_some_and(|best| best.progress > Progress::Incomplete)
        {
            return;
        }
        let head = self.head(path);
        let rejection = if head.is_self_issued() && path.is_empty() {
            head.reject(Reason::SelfSigned)
        } else {
            let rejection = head.reject(Reason::IssuerUnknown);
            match DistinguishedName::parse(head.issuer) {
                Ok(issuer) => {
                    rejection.because(format!("the issuer is {}", abbreviated(&issuer.to_string())))
                }
                Err(_) => rejection,
            }
        };
        self.note(Progress::Incomplete, rejection, path, None);
    }

    fn refusal(self) -> Refusal<'s, 'a> {
        self.best.unwrap_or_else(|| Refusal {
            rejection: self.end_entity.reject(Reason::IssuerUnknown),
            progress: Progress::Incomplete,
            intermediates: Vec::new(),
            anchor: None,
        })
    }

    fn too_complex(self) -> Refusal<'s, 'a> {
        Refusal {
            rejection: Reason::PathTooComplex.into(),
            progress: Progress::TooComplex,
            intermediates: Vec::new(),
            anchor: None,
        }
    }
}

/// A name goes into logs: one line of at most 200 characters.
fn abbreviated(name: &str) -> String {
    if name.chars().nth(200).is_none() {
        return name.to_owned();
    }
    name.chars().take(200).chain(['…']).collect()
}
