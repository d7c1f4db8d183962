//! Verification of presented chains.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls_pki_types::CertificateDer;

use crate::anchors::{Intermediates, TrustAnchor, TrustAnchors};
use crate::certificate_names::CertificateNames;
use crate::heap;
use crate::identity::{ClientIdentity, IdentityExtensions};
use crate::options::VerifyOptions;
use crate::path::{self, FoundPath, PathError, Validators};
use crate::presented_chain::PresentedChain;
use crate::rejection::Rejection;
use crate::revocation::{RevocationEvidence, RevocationLists, RevocationMode, RevocationOptions};
use crate::rules::{self, Budget, Context, Path};
use crate::signature_budget::SignatureBudget;
use crate::signature_cache::SignatureCache;
use crate::status_source::{Inquiry, OcspAnswers, Revocation, StatusSources, Unanswered, Verification};
use crate::x509::certificate::Certificate;
use crate::x509::time::Timestamp;

/// Intermediates from the settings that one request adds at most. No path has more than 10; the
/// rest is for cross-certificates, and it bounds the search of a client that names popular issuers.
const MAX_SUPPLIED_INTERMEDIATES: usize = 16;

/// Verifier of presented chains. Immutable: new anchors make a new verifier.
///
/// It caches the signatures of the intermediates of clients that it accepted, so that another
/// client of the same CA costs one signature. Clones share this cache.
#[derive(Clone, Debug)]
pub struct Verifier {
    anchors: TrustAnchors,
    intermediates: Intermediates,
    options: VerifyOptions,
    identity_extensions: IdentityExtensions,
    revocation: Option<Revocation>,
    signatures: Arc<SignatureCache>,
}

/// Evidence that a client's certificate was verified: there is no other way to get one than
/// [`Verifier::verify`]. A clone shares everything of size.
#[derive(Clone, Debug)]
pub struct VerifiedClient {
    identity: Arc<ClientIdentity>,
    intermediates: Arc<[CertificateDer<'static>]>,
    valid_until: Timestamp,
    revocation: RevocationEvidence,
    validators: Validators,
    /// List that the client was last looked up in and is not on; 0 for none.
    cleared_by: Arc<AtomicU64>,
}

impl VerifiedClient {
    /// Returns the client's identity.
    pub fn identity(&self) -> &Arc<ClientIdentity> {
        &self.identity
    }

    /// Returns the intermediates of the verified path, the end-entity certificate's issuer first,
    /// without the anchor.
    pub fn intermediates(&self) -> &Arc<[CertificateDer<'static>]> {
        &self.intermediates
    }

    /// Returns the names of every certificate of the verified path, the end-entity certificate
    /// first and the trust anchor last; `None` if one cannot be read, which the caller must take
    /// for a match of whatever it looks for.
    pub fn path_names(&self) -> Option<Vec<CertificateNames>> {
        std::iter::once(self.identity.certificate())
            .chain(self.intermediates.iter())
            .chain([self.identity.anchor.certificate()])
            .map(CertificateNames::read)
            .collect()
    }

    /// Returns true if [`VerifiedClient::set_cleared_by`] was last called with this list, for this
    /// client or a clone.
    pub fn is_cleared_by(&self, list: u64) -> bool {
        list != 0 && self.cleared_by.load(Ordering::Relaxed) == list
    }

    /// Remembers that the client is not on a list, so that a request with a cached verdict is not
    /// looked up in it again. `list` is a number that no other list has, and is not 0.
    pub fn set_cleared_by(&self, list: u64) {
        self.cleared_by.store(list, Ordering::Relaxed);
    }

    /// Returns the last second of the verdict: every certificate of the path, including the anchor,
    /// is valid, and the CRLs that were read still count.
    pub fn valid_until(&self) -> Timestamp {
        let lists = self.revocation.valid_until();
        lists.map_or(self.valid_until, |until| until.min(self.valid_until))
    }

    /// Returns the octets that the verdict keeps allocated, about, without those that it shares
    /// with the trust material.
    pub fn heap_bytes(&self) -> usize {
        let intermediates = self.intermediates.iter();
        let owned: usize = intermediates
            .map(|certificate| heap::allocation(certificate.len()) + size_of::<CertificateDer<'static>>())
            .sum();
        self.identity.heap_bytes() + heap::allocation(owned) + self.revocation.heap_bytes()
    }

    /// Returns the revocation status of the path.
    pub fn revocation(&self) -> &RevocationEvidence {
        &self.revocation
    }

    /// Returns the validators that accepted the path: both, or ours alone where webpki lacks a
    /// feature.
    pub fn validators(&self) -> Validators {
        self.validators
    }
}

impl Verifier {
    /// Creates a verifier for clients that chain to one of `anchors`, perhaps through one of
    /// `intermediates`.
    pub fn new(anchors: TrustAnchors, intermediates: Intermediates, options: VerifyOptions) -> Self {
        Self {
            anchors,
            intermediates,
            options,
            identity_extensions: IdentityExtensions::default(),
            revocation: None,
            signatures: Arc::default(),
        }
    }

    /// Sets the extensions whose values become part of the identity of clients; defaults to none.
    #[must_use]
    pub fn with_identity_extensions(mut self, extensions: IdentityExtensions) -> Self {
        self.identity_extensions = extensions;
        self
    }

    /// Sets the lists in which every path is looked up; defaults to none.
    #[must_use]
    pub fn with_revocation(self, lists: Arc<RevocationLists>, options: RevocationOptions) -> Self {
        self.with_status_sources(Some(lists), options, StatusSources::Crl)
    }

    /// Sets the sources of revocation status; defaults to none. Without `lists`, no CRL is looked
    /// at.
    #[must_use]
    pub fn with_status_sources(
        mut self,
        lists: Option<Arc<RevocationLists>>,
        options: RevocationOptions,
        sources: StatusSources,
    ) -> Self {
        self.revocation = match options.mode {
            RevocationMode::Off => None,
            RevocationMode::Soft | RevocationMode::Strict => Some(Revocation {
                lists,
                options,
                sources,
            }),
        };
        self
    }

    /// Returns the trust anchors.
    pub fn anchors(&self) -> &TrustAnchors {
        &self.anchors
    }

    /// Returns the options.
    pub fn options(&self) -> VerifyOptions {
        self.options
    }

    /// Decides whether the presented chain identifies a client at the time `now`.
    ///
    /// # Errors
    /// The [`Rejection`] that says most about why: a rule that refused a complete path comes before
    /// a path that could not be completed.
    pub fn verify(&self, chain: &PresentedChain, now: Timestamp) -> Result<VerifiedClient, Rejection> {
        self.verify_with(chain, now, &Unanswered).verdict
    }

    /// Decides as [`Verifier::verify`] does, with the answers of OCSP responders, and states the
    /// questions that remain.
    pub fn verify_with(
        &self,
        chain: &PresentedChain,
        now: Timestamp,
        answers: &dyn OcspAnswers,
    ) -> Verification {
        let inquiry = Inquiry::new(answers);
        Verification {
            verdict: self.decide(chain, &self.context(now), &inquiry),
            needed: inquiry.into_needed(),
        }
    }

    /// Decides as [`Verifier::verify`] does, and says how many units of the budget for signatures
    /// it spent.
    #[doc(hidden)]
    pub fn verify_counting(
        &self,
        chain: &PresentedChain,
        now: Timestamp,
    ) -> (Result<VerifiedClient, Rejection>, usize) {
        let context = self.context(now);
        let verdict = self.decide(chain, &context, &Inquiry::new(&Unanswered));
        (verdict, context.signatures.spent())
    }

    fn decide(
        &self,
        chain: &PresentedChain,
        context: &Context,
        inquiry: &Inquiry<'_>,
    ) -> Result<VerifiedClient, Rejection> {
        let end_entity = parse(0, chain.end_entity())?;
        // Rules without an issuer come first: a sender gets no signature verified with a
        // certificate that no issuer could save.
        rules::check_end_entity(&end_entity, context)?;
        let intermediates = self.candidates(chain, &end_entity)?;
        // The judgement of a path is a shared closure, and the last path that it accepts is the one
        // that is found.
        let revocation = RefCell::default();
        let found = self.find_path(&end_entity, &intermediates, context, inquiry, &revocation);
        let FoundPath {
            intermediates: path_intermediates,
            anchor,
        } = found.map_err(|error| error.rejection)?;

        let identity = self.identify(&end_entity, anchor)?;
        // webpki is asked last, so that a rejection of its own is always a disagreement.
        let path = Path {
            end_entity: &end_entity,
            intermediates: &path_intermediates,
            anchor,
        };
        let validators = path::agree(&path, context)?;
        context.signatures.cache_intermediates(&path);
        let not_after = |certificate: &&Certificate<'_>| certificate.validity.not_after;
        let valid_until = path_intermediates.iter().map(not_after).fold(
            end_entity.validity.not_after.min(anchor.validity().not_after),
            Timestamp::min,
        );
        let to_owned = |certificate: &&Certificate<'_>| CertificateDer::from(certificate.der.to_vec());
        Ok(VerifiedClient {
            identity: Arc::new(identity),
            intermediates: path_intermediates.iter().map(to_owned).collect(),
            valid_until,
            revocation: revocation.into_inner(),
            validators,
            cleared_by: Arc::default(),
        })
    }

    /// Reads the identity from the end-entity certificate.
    pub(crate) fn identify(
        &self,
        end_entity: &Certificate<'_>,
        anchor: &Arc<TrustAnchor>,
    ) -> Result<ClientIdentity, Rejection> {
        ClientIdentity::read(end_entity, Arc::clone(anchor), &self.identity_extensions)
    }

    pub(crate) fn context(&self, now: Timestamp) -> Context {
        Context {
            options: self.options,
            now,
            comparisons: Budget::default(),
            signatures: SignatureBudget::new(
                self.options.max_depth,
                self.anchors.namesakes(),
                Arc::clone(&self.signatures),
            ),
        }
    }

    /// Returns every certificate that can stand between the end-entity certificate and an anchor:
    /// the presented ones in their order, then the configured ones.
    pub(crate) fn candidates<'a>(
        &'a self,
        chain: &'a PresentedChain,
        end_entity: &Certificate<'a>,
    ) -> Result<Vec<Certificate<'a>>, Rejection> {
        let presented = chain.intermediates().iter().zip(1..);
        let mut candidates = presented
            .map(|(certificate, index)| parse(index, certificate))
            .collect::<Result<Vec<_>, _>>()?;
        self.supply_intermediates(end_entity, &mut candidates);
        Ok(candidates)
    }

    /// Finds a path and leaves what the lists say about it in `revocation`.
    pub(crate) fn find_path<'s, 'a>(
        &'s self,
        end_entity: &'s Certificate<'a>,
        intermediates: &'s [Certificate<'a>],
        context: &Context,
        inquiry: &Inquiry<'_>,
        revocation: &RefCell<RevocationEvidence>,
    ) -> Result<FoundPath<'s, 'a>, PathError<'s, 'a>> {
        let judge = |path: &Path<'_, '_>| {
            self.judge(path, context, inquiry)
                .map(|evidence| _ = revocation.replace(evidence))
        };
        path::search(&self.anchors, end_entity, intermediates, context, &judge)
    }

    /// Applies every rule to a path whose signatures verify. Rules that need more than the path
    /// itself, such as revocation, come last: they apply only to paths that are otherwise good.
    pub(crate) fn judge(
        &self,
        path: &Path<'_, '_>,
        context: &Context,
        inquiry: &Inquiry<'_>,
    ) -> Result<RevocationEvidence, Rejection> {
        rules::check_path(path, context)?;
        self.check_revocation(path, context, inquiry)
    }

    /// Returns true for a certificate among the configured intermediates.
    pub(crate) fn is_configured(&self, certificate: &Certificate<'_>) -> bool {
        let mut named = self.intermediates.named(certificate.subject);
        named.any(|configured| configured.as_ref() == certificate.der)
    }

    pub(crate) fn checks_revocation(&self) -> bool {
        self.revocation.is_some()
    }

    pub(crate) fn check_revocation(
        &self,
        path: &Path<'_, '_>,
        context: &Context,
        inquiry: &Inquiry<'_>,
    ) -> Result<RevocationEvidence, Rejection> {
        match &self.revocation {
            None => Ok(RevocationEvidence::default()),
            Some(revocation) => revocation.check(self, path, context, inquiry),
        }
    }

    /// Adds the configured intermediates that could continue the presented chain, and those that
    /// continue these.
    fn supply_intermediates<'a>(&'a self, end_entity: &Certificate<'a>, chain: &mut Vec<Certificate<'a>>) {
        if self.intermediates.is_empty() {
            return;
        }
        // Names are looked up from the client's certificates upwards, so intermediates that no
        // presented certificate leads to are never added.
        let mut wanted: Vec<&[u8]> = chain.iter().map(|certificate| certificate.issuer).collect();
        wanted.push(end_entity.issuer);
        let mut supplied = 0;
        while let Some(issuer) = wanted.pop() {
            for certificate in self.intermediates.named(issuer) {
                let known = chain.iter().any(|other| other.der == certificate.as_ref());
                // A certificate that the client sent as well must not be in the path twice.
                if known || supplied == MAX_SUPPLIED_INTERMEDIATES {
                    continue;
                }
                // It was parsed when it was loaded.
                if let Ok(parsed) = Certificate::parse(certificate) {
                    wanted.push(parsed.issuer);
                    chain.push(parsed);
                    supplied += 1;
                }
            }
        }
    }
}

pub(crate) fn parse<'a>(
    index: usize,
    certificate: &'a CertificateDer<'static>,
) -> Result<Certificate<'a>, Rejection> {
    let parsed = Certificate::parse(certificate);
    let mut parsed = parsed.map_err(|error| error.to_rejection().of_certificate(index))?;
    parsed.presented_at = Some(index);
    Ok(parsed)
}
