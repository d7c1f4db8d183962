//! Paths from a CA to the trust anchors, as the clients of the CA will meet them.

use std::cell::RefCell;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;

use crate::anchors::TrustAnchor;
use crate::fingerprint::Fingerprint;
use crate::hypothetical::{certificate_below, policies_below};
use crate::path;
use crate::presented_chain::PresentedChain;
use crate::rejection::{Reason, Rejection};
use crate::revocation::{CertificateStatus, RevocationEvidence};
use crate::rules::Path;
use crate::signature::SignatureAlgorithms;
use crate::status_source::{Inquiry, Unanswered};
use crate::verifier::{Verifier, parse};
use crate::x509::certificate::Certificate;
use crate::x509::time::Timestamp;

/// Path from a CA to a trust anchor that clients of the CA can be accepted by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuingPath {
    /// Trust anchor at its end.
    pub anchor: Arc<TrustAnchor>,
    /// Rejection of every client below the CA in mode `strict`: no CRL clears a CA of the path.
    pub unknown: Option<Rejection>,
}

/// Certificates from the CA up, and the trust anchor above them.
type SignedPath = (Vec<CertificateDer<'static>>, Fingerprint);

impl Verifier {
    /// Returns a path to each trust anchor by which a client of this CA can be accepted, if its own
    /// certificate is good.
    ///
    /// The CA and every CA above it are put to the rules that a client meets at the time `now`,
    /// with a client that has no names, and the policies that the CAs allow.
    ///
    /// # Errors
    /// [`Rejection`] of every client below the CA. Certificate 0 is the CA itself; one without a
    /// number is a CA above it.
    pub fn issuing_paths(
        &self,
        authority: &CertificateDer<'static>,
        now: Timestamp,
    ) -> Result<Vec<IssuingPath>, Rejection> {
        let unreadable = || Rejection::new(Reason::CertificateMalformed).of_certificate(0);
        let chain = PresentedChain::new([authority.clone()]).ok_or_else(unreadable)?;
        let first = parse(0, chain.end_entity())?;
        let configured = self.candidates(&chain, &first)?;
        let signed: RefCell<Vec<SignedPath>> = RefCell::default();
        // Every path is wanted, not only the first one.
        let next = |path: &Path<'_, '_>| {
            let certificates = std::iter::once(path.end_entity).chain(path.intermediates.iter().copied());
            let certificates = certificates.map(|certificate| CertificateDer::from(certificate.der.to_vec()));
            signed
                .borrow_mut()
                .push((certificates.collect(), path.anchor.id()));
            Err(Reason::IssuerUnknown.into())
        };
        let searched = path::search(self.anchors(), &first, &configured, &self.context(now), &next);
        let mut rejection = searched.err().map(|error| error.rejection);
        let mut paths: Vec<IssuingPath> = Vec::new();
        // webpki is not asked here: it needs a client's signature, which no certificate of these
        // has.
        for (position, (certificates, anchor)) in signed.into_inner().iter().enumerate() {
            let Some(anchor) = self.anchors().iter().find(|known| known.id() == *anchor) else {
                continue;
            };
            match self.judge_below(certificates, anchor, now) {
                Ok(evidence) => {
                    let mut statuses = evidence.certificates().iter().skip(1);
                    let unknown = statuses.find_map(|status| match status {
                        CertificateStatus::Good(_) | CertificateStatus::Answered(_) => None,
                        CertificateStatus::Unknown(rejection) => Some(rejection.clone()),
                    });
                    match paths.iter_mut().find(|known| known.anchor == *anchor) {
                        None => paths.push(IssuingPath {
                            anchor: Arc::clone(anchor),
                            unknown,
                        }),
                        Some(known) if unknown.is_none() => known.unknown = None,
                        Some(_) => {}
                    }
                }
                // The first complete path is the likeliest.
                Err(refused) if position == 0 => rejection = Some(refused),
                Err(_) => {}
            }
        }
        if paths.is_empty() {
            Err(rejection.unwrap_or_else(|| Reason::IssuerUnknown.into()))
        } else {
            Ok(paths)
        }
    }

    /// Checks that clients which a trust anchor issued itself can be accepted at the time `now`.
    ///
    /// # Errors
    /// [`Rejection`] of every client of the anchor.
    pub fn check_anchor(&self, anchor: &TrustAnchor, now: Timestamp) -> Result<(), Rejection> {
        self.judge_below(&[], anchor, now).map(|_| ())
    }

    fn judge_below(
        &self,
        certificates: &[CertificateDer<'static>],
        anchor: &TrustAnchor,
        now: Timestamp,
    ) -> Result<RevocationEvidence, Rejection> {
        let mut first = None;
        for client in clients_below(certificates, anchor, self.options().signatures)? {
            match self.judge_client(&client, certificates, anchor, now) {
                Ok(evidence) => return Ok(evidence),
                Err(rejection) => _ = first.get_or_insert(rejection),
            }
        }
        Err(first.unwrap_or_else(|| Reason::IssuerUnknown.into()))
    }

    fn judge_client(
        &self,
        client: &CertificateDer<'static>,
        certificates: &[CertificateDer<'static>],
        anchor: &TrustAnchor,
        now: Timestamp,
    ) -> Result<RevocationEvidence, Rejection> {
        let mut end_entity = parse(0, client)?;
        end_entity.presented_at = None;
        let authorities = parse_all(certificates)?;
        self.judge(
            &Path {
                end_entity: &end_entity,
                intermediates: &authorities.iter().collect::<Vec<_>>(),
                anchor,
            },
            &self.context(now),
            &Inquiry::new(&Unanswered),
        )
    }
}

/// Parses certificates of which only the first one has a number.
fn parse_all<'a>(certificates: &'a [CertificateDer<'static>]) -> Result<Vec<Certificate<'a>>, Rejection> {
    let mut parsed = certificates
        .iter()
        .map(|certificate| parse(0, certificate))
        .collect::<Result<Vec<_>, _>>()?;
    for above in parsed.iter_mut().skip(1) {
        above.presented_at = None;
    }
    Ok(parsed)
}

/// Clients that the lowest of these CAs, or else the anchor, could have issued.
fn clients_below(
    certificates: &[CertificateDer<'static>],
    anchor: &TrustAnchor,
    allowed: SignatureAlgorithms,
) -> Result<Vec<CertificateDer<'static>>, Rejection> {
    let authorities = parse_all(certificates)?;
    let anchor = parse(0, anchor.certificate())?;
    let issuer = authorities.first().unwrap_or(&anchor);
    let policies = policies_below(&authorities).into_iter();
    Ok(policies
        .map(|policies| certificate_below(issuer, &policies, allowed))
        .collect())
}
