//! The second validator: webpki must accept the path that our search chose, with that anchor and
//! those intermediates.
//!
//! Two independent implementations of RFC 5280 §6.1 rarely have the same fault, so a path that only
//! one of them accepts is denied. webpki does not process some features ([`WebpkiGap`]): a path
//! with one of them is decided by our rules alone, and [`Validators`] says so.

use std::fmt;

use rustls_pki_types::{CertificateDer, Der, SignatureVerificationAlgorithm, TrustAnchor as WebpkiAnchor};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, VerifiedPath};

use super::gaps::{self, WebpkiGaps};
use crate::rejection::{Reason, Rejection};
use crate::rules::{Context, Path};
use crate::x509::oid;

/// Path validators that accepted a client's certificates.
///
/// Displays as `both` or `own`, the words of the audit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validators {
    /// Our rules and webpki.
    Both,
    /// Our rules alone: webpki does not process these features of the path.
    Own(WebpkiGaps),
}

impl Validators {
    /// Returns the stable word for logs: `both` or `own`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Own(_) => "own",
        }
    }

    /// Returns the features of the path that webpki does not process; none if both validators
    /// accepted it.
    pub const fn gaps(self) -> WebpkiGaps {
        match self {
            Self::Both => WebpkiGaps::NONE,
            Self::Own(gaps) => gaps,
        }
    }
}

impl fmt::Display for Validators {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Asks webpki about a path that our rules accept.
///
/// webpki is asked first and its gaps are looked for only when it rejects, so that a feature
/// excuses a rejection but never replaces the question.
pub(crate) fn agree(path: &Path<'_, '_>, context: &Context) -> Result<Validators, Rejection> {
    // The only gap that is looked for beforehand: it is about time, which asking would spend.
    if gaps::has_many_constrained_names(path) {
        return Ok(Validators::Own(WebpkiGaps::of(path)));
    }
    let Err(error) = ask_webpki(path, context) else {
        return Ok(Validators::Both);
    };
    let gaps = WebpkiGaps::of(path);
    if gaps.is_empty() {
        let rejection = path.end_entity.reject(Reason::ValidatorsDisagree);
        Err(rejection.because(format!(
            "our rules accept the path, and webpki rejects it: {error}"
        )))
    } else {
        Ok(Validators::Own(gaps))
    }
}

/// Returns no error if webpki accepts exactly this path.
///
/// webpki cannot be given a path, so it searches among the certificates of this one. They are in
/// the order of the path, which makes it the first path that webpki tries in full; a shorter one is
/// not taken for it. Signatures cost nothing: the search knows every one that the path needs.
fn ask_webpki(path: &Path<'_, '_>, context: &Context) -> Result<(), webpki::Error> {
    let anchor = [borrowed(path.anchor.webpki())];
    let intermediates: Vec<CertificateDer<'_>> = path
        .intermediates
        .iter()
        .map(|certificate| CertificateDer::from(certificate.der))
        .collect();
    let end_entity = CertificateDer::from(path.end_entity.der);
    let end_entity = EndEntityCert::try_from(&end_entity)?;
    let is_same_path = |verified: &VerifiedPath<'_>| {
        let theirs = verified
            .intermediate_certificates()
            .map(|certificate| certificate.der());
        if theirs.eq(intermediates.iter().cloned()) {
            Ok(())
        } else {
            Err(webpki::Error::UnknownIssuer)
        }
    };
    let algorithms = context.signatures.verified_by_algorithm();
    let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
        algorithms.iter().map(|algorithm| algorithm as _).collect();
    let verified = end_entity.verify_for_usage(
        &algorithms,
        &anchor,
        &intermediates,
        context.now.to_webpki(),
        ClientPurpose,
        None,
        // webpki tries an anchor for every certificate, so it can find a shorter path than ours.
        Some(&is_same_path),
    );
    verified.map(|_| ())
}

/// Borrows the parts of an anchor, which a clone would copy.
fn borrowed<'s>(anchor: &'s WebpkiAnchor<'static>) -> WebpkiAnchor<'s> {
    WebpkiAnchor {
        subject: Der::from_slice(&anchor.subject),
        subject_public_key_info: Der::from_slice(&anchor.subject_public_key_info),
        name_constraints: anchor.name_constraints.as_deref().map(Der::from_slice),
    }
}

/// Extended key usage that webpki requires of every certificate of a path: one that is present must
/// allow clients (RFC 5280 §4.2.1.12).
struct ClientPurpose;

impl ExtendedKeyUsageValidator for ClientPurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        const CLIENT_AUTHENTICATION: KeyPurposeId<'static> =
            KeyPurposeId::new(oid::CLIENT_AUTHENTICATION.as_bytes());
        const ANY: KeyPurposeId<'static> = KeyPurposeId::new(oid::ANY_EXTENDED_KEY_USAGE.as_bytes());
        let mut is_present = false;
        for purpose in purposes {
            let purpose = purpose?;
            if purpose == CLIENT_AUTHENTICATION || purpose == ANY {
                return Ok(());
            }
            is_present = true;
        }
        // webpki calls this without a purpose if the extension is absent. Only MTLS_EKU=required
        // asks for it then, of the end-entity certificate alone, which is a rule of ours.
        if is_present {
            Err(webpki::Error::EmptyEkuExtension)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use test_pki::{CertificateBuilder, Credential};

    use super::*;
    use crate::anchors::TrustAnchor;
    use crate::options::VerifyOptions;
    use crate::rules::Budget;
    use crate::signature_budget::{Namesakes, SignatureBudget};
    use crate::x509::certificate::Certificate;
    use crate::x509::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    fn context(now: Timestamp) -> Context {
        Context {
            options: VerifyOptions::default(),
            now,
            comparisons: Budget::default(),
            signatures: SignatureBudget::new(4, Namesakes::default(), Arc::default()),
        }
    }

    fn agree_on(
        root: &Credential,
        client: &Credential,
        now: Timestamp,
        verifies: bool,
    ) -> Result<Validators, Rejection> {
        let anchor = TrustAnchor::new(CertificateDer::from(root.der().to_vec())).unwrap();
        let end_entity = Certificate::parse(client.der()).unwrap();
        let context = context(now);
        if verifies {
            let verified = context.signatures.verify(&end_entity, anchor.issuer_key());
            assert_eq!(verified, Ok(Ok(())));
        }
        let path = Path {
            end_entity: &end_entity,
            intermediates: &[],
            anchor: &anchor,
        };
        agree(&path, &context)
    }

    fn pki(change: impl FnOnce(CertificateBuilder) -> CertificateBuilder) -> (Credential, Credential) {
        let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
        let client = change(CertificateBuilder::client("CN=client"))
            .issued_by(&root)
            .unwrap();
        (root, client)
    }

    #[test]
    fn path_that_both_accept_is_of_both() {
        let (root, client) = pki(|client| client);
        let validators = agree_on(&root, &client, NOW, true).unwrap();
        assert_eq!(validators, Validators::Both);
        assert_eq!(
            (validators.as_str(), validators.gaps().iter().count()),
            ("both", 0)
        );
    }

    #[test]
    fn path_that_webpki_rejects_without_a_gap_is_denied() {
        let (root, client) = pki(|client| client);
        let long_ago = Timestamp::from_unix_seconds(0);
        let rejection = agree_on(&root, &client, long_ago, true).unwrap_err();
        assert_eq!(rejection.reason(), Reason::ValidatorsDisagree);
        assert!(rejection.to_string().contains("CertNotValidYet"), "{rejection}");
    }

    #[test]
    fn signature_that_the_search_did_not_verify_is_not_accepted() {
        let (root, client) = pki(|client| client);
        let rejection = agree_on(&root, &client, NOW, false).unwrap_err();
        assert_eq!(rejection.reason(), Reason::ValidatorsDisagree);
    }
}
