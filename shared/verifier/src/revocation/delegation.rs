//! CRL issuers other than the CA of a certificate, which issue indirect CRLs (RFC 5280 §6.3.3 (f)).
//!
//! Such an issuer speaks for a CA only if two parties say so. The CA names it in the cRLIssuer of
//! the certificate. The operator configures its certificate, among the trust anchors or the
//! intermediates, and that leads to the trust anchor of the client.

use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::CertificateDer;

use super::evidence::RevocationEvidence;
use super::issuers::{CrlIssuer, SignedList};
use super::lists::RevocationLists;
use super::options::{RevocationDepth, RevocationMode, RevocationOptions};
use crate::anchors::{Intermediates, TrustAnchor, TrustAnchors};
use crate::fingerprint::Fingerprint;
use crate::options::VerifyOptions;
use crate::path;
use crate::rejection::{Reason, Rejection};
use crate::rules::{self, Budget, Context, Path};
use crate::signature::SignatureAlgorithms;
use crate::signature_budget::SignatureBudget;
use crate::x509::certificate::Certificate;
use crate::x509::time::Timestamp;

/// Most certificates below the anchor on the path of a CRL issuer. They are configured, so this
/// only bounds a mistake; no path of a client is deeper.
const MAX_DEPTH: usize = 10;

/// Paths that are remembered: one for each CRL issuer and trust anchor, which are few.
const MAX_KNOWN: usize = 64;

/// Configured certificates, among which the issuers of indirect CRLs are found.
#[derive(Debug)]
pub(super) struct Delegates {
    anchors: TrustAnchors,
    intermediates: Intermediates,
    /// Paths that were accepted.
    known: Mutex<Vec<KnownPath>>,
}

#[derive(Clone, Copy, Debug)]
struct KnownPath {
    certificate: Fingerprint,
    anchor: Fingerprint,
    from: Timestamp,
    until: Timestamp,
}

/// Time, algorithms and grace period of the question after a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) now: Timestamp,
    pub(super) signatures: SignatureAlgorithms,
    pub(super) grace_seconds: u32,
}

impl Delegates {
    /// Takes the configured certificates; `None` if none of the lists is an indirect CRL.
    pub(super) fn new(
        lists: &[Arc<SignedList>],
        anchors: &TrustAnchors,
        intermediates: &Intermediates,
    ) -> Option<Self> {
        let mut lists = lists.iter();
        lists
            .any(|signed| signed.list().scope().is_indirect())
            .then(|| Self {
                anchors: anchors.clone(),
                intermediates: intermediates.clone(),
                known: Mutex::default(),
            })
    }

    /// Passes on each configured certificate of this name that may sign CRLs, as an issuer, with
    /// the last second at which it leads to the anchor. Returns the number of them.
    pub(super) fn each_issuer(
        &self,
        name: &[u8],
        anchor: &TrustAnchor,
        lists: &RevocationLists,
        circumstances: Circumstances,
        mut visit: impl FnMut(CrlIssuer<'_>, Timestamp) -> Result<(), Rejection>,
    ) -> Result<usize, Rejection> {
        let mut found = 0;
        let named = self.anchors.with_equal_subject(name);
        for configured in named.filter(|configured| configured.id() == anchor.id()) {
            // Its validity is a rule for the client's path.
            if configured.may_sign_lists() {
                found += 1;
                visit(CrlIssuer::of_anchor(configured), configured.validity().not_after)?;
            }
        }
        for certificate in self.intermediates.list_issuers_named(name) {
            let Ok(parsed) = Certificate::parse(certificate) else {
                continue;
            };
            if !parsed.may_sign_lists() {
                continue;
            }
            if let Some(until) = self.path_to(certificate, &parsed, anchor, lists, circumstances) {
                found += 1;
                visit(CrlIssuer::of_intermediate(&parsed), until)?;
            }
        }
        Ok(found)
    }

    /// Returns the last second of a path from the certificate to the anchor, if there is one now.
    fn path_to<'a>(
        &'a self,
        certificate: &CertificateDer<'static>,
        parsed: &Certificate<'a>,
        anchor: &TrustAnchor,
        lists: &RevocationLists,
        circumstances: Circumstances,
    ) -> Option<Timestamp> {
        let now = circumstances.now;
        let id = Fingerprint::of(certificate);
        let is_it = |known: &&KnownPath| known.certificate == id && known.anchor == anchor.id();
        let known = self.known().iter().find(is_it).copied();
        if let Some(known) = known
            && (known.from..=known.until).contains(&now)
        {
            return Some(known.until);
        }
        let until = self.find_path(parsed, anchor, lists, circumstances)?;
        let mut all = self.known();
        all.retain(|known| !is_it(&known));
        if all.len() == MAX_KNOWN {
            all.remove(0);
        }
        all.push(KnownPath {
            certificate: id,
            anchor: anchor.id(),
            from: now,
            until,
        });
        Some(until)
    }

    /// Puts the certificate to the rules that the CAs of a client meet. Its own revocation is
    /// looked up as in mode soft: a CRL that clears it would often be its own.
    fn find_path<'a>(
        &'a self,
        issuer: &Certificate<'a>,
        anchor: &TrustAnchor,
        lists: &RevocationLists,
        circumstances: Circumstances,
    ) -> Option<Timestamp> {
        let context = Context {
            options: VerifyOptions {
                max_depth: MAX_DEPTH,
                signatures: circumstances.signatures,
                ..VerifyOptions::default()
            },
            now: circumstances.now,
            comparisons: Budget::default(),
            signatures: SignatureBudget::new(MAX_DEPTH, self.anchors.namesakes(), Arc::default()),
        };
        let above = self.above(issuer);
        let evidence = std::cell::RefCell::new(RevocationEvidence::default());
        let judge = |path: &Path<'_, '_>| -> Result<(), Rejection> {
            if *path.anchor != *anchor {
                return Err(Reason::IssuerUnknown.into());
            }
            rules::check_time(path.end_entity, &context)?;
            rules::check_path(path, &context)?;
            let options = RevocationOptions {
                mode: RevocationMode::Soft,
                depth: RevocationDepth::Chain,
                grace_seconds: circumstances.grace_seconds,
            };
            let found =
                lists.check_without_delegates(path, options, circumstances.signatures, context.now)?;
            _ = evidence.replace(found);
            Ok(())
        };
        let found = path::search(&self.anchors, issuer, &above, &context, &judge).ok()?;
        let ends = found.intermediates.iter().map(|above| above.validity.not_after);
        let until = ends.fold(
            issuer.validity.not_after.min(anchor.validity().not_after),
            Timestamp::min,
        );
        Some(match evidence.borrow().valid_until() {
            Some(lists) => until.min(lists),
            None => until,
        })
    }

    /// Returns the configured intermediates above a certificate.
    fn above<'a>(&'a self, certificate: &Certificate<'a>) -> Vec<Certificate<'a>> {
        let mut found: Vec<Certificate<'a>> = Vec::new();
        let mut wanted = vec![certificate.issuer];
        while let Some(name) = wanted.pop() {
            for above in self.intermediates.named(name) {
                let is_known = found.iter().any(|other| other.der == above.as_ref());
                if !is_known && let Ok(parsed) = Certificate::parse(above) {
                    wanted.push(parsed.issuer);
                    found.push(parsed);
                }
            }
        }
        found
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<KnownPath>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
