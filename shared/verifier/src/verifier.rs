//! The verdict: webpki builds the path and checks its signatures, the rules beside it check the rest.

use std::cell::RefCell;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor as WebpkiAnchor};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, VerifiedPath};

use crate::anchors::{Intermediates, TrustAnchor, TrustAnchors};
use crate::certificate::{Certificate, CertificateError};
use crate::header::PresentedChain;
use crate::identity::ClientIdentity;
use crate::policy::VerificationPolicy;
use crate::rejection::{Reason, Rejection};
use crate::rules::{self, Path};
use crate::timestamp::Timestamp;

/// The signature algorithms that a load balancer accepts: SHA-256, SHA-384 and SHA-512 with ECDSA, RSA and RSA-PSS.
static SIGNATURE_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::aws_lc_rs::ECDSA_P256_SHA256,
    webpki::aws_lc_rs::ECDSA_P256_SHA384,
    webpki::aws_lc_rs::ECDSA_P256_SHA512,
    webpki::aws_lc_rs::ECDSA_P384_SHA256,
    webpki::aws_lc_rs::ECDSA_P384_SHA384,
    webpki::aws_lc_rs::ECDSA_P384_SHA512,
    webpki::aws_lc_rs::ECDSA_P521_SHA256,
    webpki::aws_lc_rs::ECDSA_P521_SHA384,
    webpki::aws_lc_rs::ECDSA_P521_SHA512,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// Intermediates from the settings that are added to one client's chain at most.
const MAX_SUPPLIED_INTERMEDIATES: usize = 16;

/// Decides about presented chains. Immutable: new anchors make a new verifier.
#[derive(Clone, Debug)]
pub struct Verifier {
    anchors: TrustAnchors,
    intermediates: Intermediates,
    policy: VerificationPolicy,
}

/// Evidence that a client's certificate was verified: there is no other way to get one than [`Verifier::verify`].
#[derive(Clone, Debug)]
pub struct VerifiedClient {
    identity: Arc<ClientIdentity>,
    intermediates: Vec<CertificateDer<'static>>,
    valid_until: Timestamp,
}

impl VerifiedClient {
    /// Who the client is.
    pub fn identity(&self) -> &Arc<ClientIdentity> {
        &self.identity
    }

    /// The intermediates of the verified path, the end-entity certificate's issuer first, the anchor left out.
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.intermediates
    }

    /// The last second at which every certificate of the path, the anchor included, is valid.
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }
}

impl Verifier {
    /// A verifier for clients that chain to one of `anchors`, perhaps through one of `intermediates`.
    pub fn new(anchors: TrustAnchors, intermediates: Intermediates, policy: VerificationPolicy) -> Self {
        Self {
            anchors,
            intermediates,
            policy,
        }
    }

    /// The trust anchors.
    pub fn anchors(&self) -> &TrustAnchors {
        &self.anchors
    }

    /// The rules beyond RFC 5280.
    pub fn policy(&self) -> VerificationPolicy {
        self.policy
    }

    /// Decides whether the presented chain identifies a client at the time `now`.
    ///
    /// # Errors
    /// The [`Rejection`] that says most about why: a rule that refused a complete path comes before a path that could
    /// not be completed.
    pub fn verify(&self, chain: &PresentedChain, now: Timestamp) -> Result<VerifiedClient, Rejection> {
        let end_entity = parse(0, chain.end_entity())?;
        rules::check_end_entity(&end_entity, self.policy, now)
            .map_err(|rejection| rejection.of_certificate(0))?;

        let presented = chain.intermediates().iter().zip(1..);
        let mut intermediates = presented
            .map(|(certificate, index)| parse(index, certificate))
            .collect::<Result<Vec<_>, _>>()?;
        self.supply_intermediates(&end_entity, &mut intermediates);

        let search = Search {
            verifier: self,
            end_entity: &end_entity,
            intermediates: &intermediates,
            now,
        };
        let (anchor, path_intermediates) = search.run()?;

        let identity = ClientIdentity::read(&end_entity, Arc::clone(&anchor))?;
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
        })
    }

    /// Adds the configured intermediates that could continue the presented chain, and those that continue these.
    fn supply_intermediates<'a>(&'a self, end_entity: &Certificate<'a>, chain: &mut Vec<Certificate<'a>>) {
        if self.intermediates.is_empty() {
            return;
        }
        let mut wanted: Vec<&[u8]> = chain.iter().map(|certificate| certificate.issuer).collect();
        wanted.push(end_entity.issuer);
        let mut supplied = 0;
        while let Some(issuer) = wanted.pop() {
            for certificate in self.intermediates.with_subject(issuer) {
                let known = chain.iter().any(|other| other.der == certificate.as_ref());
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

fn parse<'a>(index: usize, certificate: &'a CertificateDer<'static>) -> Result<Certificate<'a>, Rejection> {
    Certificate::parse(certificate).map_err(|error| {
        let rejection = match error {
            CertificateError::Malformed => Rejection::new(Reason::CertificateMalformed),
            CertificateError::RepeatedExtension => Rejection::new(Reason::ExtensionRepeated),
            CertificateError::SignatureAlgorithmMismatch => Rejection::new(Reason::CertificateMalformed)
                .because("it names two different signature algorithms"),
            CertificateError::TooManyExtensions => {
                Rejection::new(Reason::CertificateMalformed).because("it has too many extensions")
            }
        };
        rejection.of_certificate(index)
    })
}

/// One search for a path.
struct Search<'s, 'a> {
    verifier: &'s Verifier,
    end_entity: &'s Certificate<'a>,
    intermediates: &'s [Certificate<'a>],
    now: Timestamp,
}

type FoundPath<'s, 'a> = (Arc<TrustAnchor>, Vec<&'s Certificate<'a>>);

impl<'s, 'a> Search<'s, 'a> {
    fn run(&self) -> Result<FoundPath<'s, 'a>, Rejection> {
        let (anchors, unusable) = self.candidate_anchors();
        let webpki_anchors: Vec<WebpkiAnchor<'_>> =
            anchors.iter().map(|anchor| anchor.webpki().clone()).collect();
        let intermediates: Vec<CertificateDer<'_>> = self
            .intermediates
            .iter()
            .map(|certificate| CertificateDer::from(certificate.der))
            .collect();
        let end_entity_der = CertificateDer::from(self.end_entity.der);
        let end_entity =
            EndEntityCert::try_from(&end_entity_der).map_err(|error| self.explain(error, &unusable))?;

        let outcome: RefCell<Outcome<'s, 'a>> = RefCell::new(Outcome::default());
        let check = |path: &VerifiedPath<'_>| {
            let mut outcome = outcome.borrow_mut();
            match self.check_rules(path, &anchors) {
                Ok(found) => {
                    outcome.found = Some(found);
                    Ok(())
                }
                Err(rejection) => {
                    outcome.refused.get_or_insert(rejection);
                    // The search goes on with other paths; this error is not shown to anyone.
                    Err(webpki::Error::UnknownIssuer)
                }
            }
        };
        let result = end_entity.verify_for_usage(
            SIGNATURE_ALGORITHMS,
            &webpki_anchors,
            &intermediates,
            self.now.to_webpki(),
            ClientPurpose,
            None,
            Some(&check),
        );
        let error = result.err();
        match (outcome.into_inner(), error) {
            (
                Outcome {
                    found: Some(found), ..
                },
                None,
            ) => Ok(found),
            (
                Outcome {
                    refused: Some(rejection),
                    ..
                },
                _,
            ) => Err(rejection),
            (_, Some(error)) => Err(self.explain(error, &unusable)),
            // webpki verified a path that the rules never saw: that cannot be, so it is not accepted.
            (_, None) => Err(Reason::IssuerUnknown.into()),
        }
    }

    /// The anchors that some certificate here names as its issuer: those valid now, and those that are not.
    fn candidate_anchors(&self) -> (Vec<Arc<TrustAnchor>>, Vec<Arc<TrustAnchor>>) {
        let mut issuers: Vec<&[u8]> = vec![name_content(self.end_entity.issuer)];
        for certificate in self.intermediates {
            let issuer = name_content(certificate.issuer);
            if !issuers.contains(&issuer) {
                issuers.push(issuer);
            }
        }
        let candidates = issuers
            .iter()
            .flat_map(|issuer| self.verifier.anchors.with_subject(issuer))
            .cloned();
        candidates.partition(|anchor| {
            let validity = anchor.validity();
            validity.not_before <= self.now && self.now <= validity.not_after
        })
    }

    /// Applies the rules to a path that webpki verified. Several anchors may share name and key (a renewed root): the
    /// path is good if it is good under one of them.
    fn check_rules(
        &self,
        path: &VerifiedPath<'_>,
        anchors: &[Arc<TrustAnchor>],
    ) -> Result<FoundPath<'s, 'a>, Rejection> {
        let mut intermediates = Vec::with_capacity(2);
        for certificate in path.intermediate_certificates() {
            let der = certificate.der();
            let parsed = self
                .intermediates
                .iter()
                .find(|parsed| parsed.der == der.as_ref());
            intermediates.push(parsed.ok_or(Rejection::new(Reason::IssuerUnknown))?);
        }
        let mut first_refusal = None;
        for anchor in anchors.iter().filter(|anchor| anchor.webpki() == path.anchor()) {
            let path = Path {
                end_entity: self.end_entity,
                intermediates: &intermediates,
                anchor,
            };
            match rules::check_path(&path, self.verifier.policy) {
                Ok(()) => return Ok((Arc::clone(anchor), intermediates)),
                Err(rejection) => first_refusal = first_refusal.or(Some(rejection)),
            }
        }
        Err(first_refusal.unwrap_or(Rejection::new(Reason::IssuerUnknown)))
    }

    /// The words for webpki's verdict, made more exact by what it does not say: which certificate, and whether an
    /// anchor would have matched.
    fn explain(&self, error: webpki::Error, unusable: &[Arc<TrustAnchor>]) -> Rejection {
        use webpki::Error;
        match error {
            Error::UnknownIssuer => self.explain_unknown_issuer(unusable),
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } | Error::InvalidCertValidity => {
                self.explain_validity()
            }
            Error::InvalidSignatureForPublicKey => Reason::SignatureInvalid.into(),
            Error::CertDistrusted => Reason::KeyDistrusted.into(),
            Error::CaUsedAsEndEntity => Rejection::new(Reason::EndEntityIsAuthority).of_certificate(0),
            Error::EndEntityUsedAsCa => Reason::IssuerNotAuthority.into(),
            Error::PathLenConstraintViolated => Reason::PathLength.into(),
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                Reason::ExtendedKeyUsage.into()
            }
            Error::NameConstraintViolation
            | Error::MalformedNameConstraint
            | Error::InvalidNetworkMaskConstraint => Reason::NameConstraints.into(),
            Error::UnsupportedCriticalExtension => Reason::CriticalExtension.into(),
            Error::UnsupportedCertVersion => Reason::CertificateVersion.into(),
            Error::ExtensionValueInvalid | Error::MalformedExtensions => Reason::ExtensionMalformed.into(),
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Reason::SignatureAlgorithm.into(),
            Error::MaximumPathDepthExceeded => Reason::ChainTooDeep.into(),
            Error::MaximumSignatureChecksExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => Reason::PathTooComplex.into(),
            other => Rejection::new(Reason::CertificateMalformed).because(other.to_string()),
        }
    }

    fn explain_unknown_issuer(&self, unusable: &[Arc<TrustAnchor>]) -> Rejection {
        if let Some(anchor) = unusable.first() {
            let validity = anchor.validity();
            let (reason, when) = if self.now > validity.not_after {
                (
                    Reason::AnchorExpired,
                    format!("{} at {}", anchor.subject(), validity.not_after),
                )
            } else {
                (
                    Reason::AnchorNotYetValid,
                    format!("{} until {}", anchor.subject(), validity.not_before),
                )
            };
            return Rejection::new(reason).because(when);
        }
        if self.end_entity.is_self_issued() {
            return Rejection::new(Reason::SelfSigned).of_certificate(0);
        }
        Reason::IssuerUnknown.into()
    }

    fn explain_validity(&self) -> Rejection {
        let in_order = std::iter::once(self.end_entity).chain(self.intermediates);
        for (index, certificate) in in_order.enumerate() {
            if let Err(rejection) = rules::check_validity(certificate, self.now) {
                return rejection.of_certificate(index);
            }
        }
        Reason::Expired.into()
    }
}

#[derive(Default)]
struct Outcome<'s, 'a> {
    found: Option<FoundPath<'s, 'a>>,
    /// Why the first complete path was refused.
    refused: Option<Rejection>,
}

/// webpki keeps names without their outer tag and length.
fn name_content(encoding: &[u8]) -> &[u8] {
    crate::der_reader::single(encoding, der::Tag::Sequence).unwrap_or_default()
}

/// Extended key usage as webpki asks it of every certificate of a path: what is there must allow clients.
struct ClientPurpose;

impl ExtendedKeyUsageValidator for ClientPurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        const CLIENT_AUTHENTICATION: KeyPurposeId<'static> =
            KeyPurposeId::new(crate::certificate::oid::CLIENT_AUTHENTICATION.as_bytes());
        const ANY: KeyPurposeId<'static> =
            KeyPurposeId::new(crate::certificate::oid::ANY_EXTENDED_KEY_USAGE.as_bytes());
        let mut listed = false;
        for purpose in purposes {
            let purpose = purpose?;
            if purpose == CLIENT_AUTHENTICATION || purpose == ANY {
                return Ok(());
            }
            listed = true;
        }
        // Whether the end-entity certificate must have the extension is asked of it alone, before the search.
        if listed {
            Err(webpki::Error::EmptyEkuExtension)
        } else {
            Ok(())
        }
    }
}
