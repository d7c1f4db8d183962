//! Errors of the path search, each with the path that it concerns.

use std::sync::Arc;

use crate::anchors::TrustAnchor;
use crate::excerpt::abbreviated;
use crate::rejection::{Reason, Rejection};
use crate::signature::{self, ACCEPTED_ALGORITHMS, SignatureFault};
use crate::x509::algorithm_name::{describe_key, describe_signature_algorithm};
use crate::x509::certificate::Certificate;
use crate::x509::name::DistinguishedName;
use crate::x509::public_key::IssuerKey;

/// Reason for which no path can be used, and the path that it concerns.
#[derive(Debug)]
pub(crate) struct PathError<'s, 'a> {
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

impl PathError<'_, '_> {
    /// Creates an error that concerns no particular path.
    pub(super) fn without_path(progress: Progress, rejection: impl Into<Rejection>) -> Self {
        Self {
            rejection: rejection.into(),
            progress,
            intermediates: Vec::new(),
            anchor: None,
        }
    }
}

/// Certificate of an issuer whose key should have made a signature.
pub(super) enum IssuerCertificate<'c, 'a> {
    Anchor(&'c TrustAnchor),
    Intermediate(&'c Certificate<'a>),
}

/// Returns the rejection of a certificate whose signature does not count.
pub(super) fn reject_signature(
    certificate: &Certificate<'_>,
    issuer: &IssuerCertificate<'_, '_>,
    key: IssuerKey<'_>,
    fault: SignatureFault,
) -> Rejection {
    let issuer_name = match issuer {
        IssuerCertificate::Anchor(anchor) => abbreviated(anchor.subject().as_str()),
        IssuerCertificate::Intermediate(issuer) => match DistinguishedName::parse(issuer.subject) {
            Ok(subject) => abbreviated(subject.as_str()),
            Err(_) => "the issuer".into(),
        },
    };
    // The names in these messages come from certificates that a client chose, so each is cut to
    // what a log takes.
    let algorithm = describe_signature_algorithm(certificate.signature_algorithm);
    match fault {
        SignatureFault::Algorithm => certificate
            .reject(Reason::SignatureAlgorithm)
            .in_field("signature algorithm")
            .found(&algorithm)
            .allowed(ACCEPTED_ALGORITHMS),
        SignatureFault::Key(reason) => {
            let rejection = match issuer {
                IssuerCertificate::Intermediate(issuer) => issuer.reject(reason),
                IssuerCertificate::Anchor(_) => Rejection::new(reason).about(&issuer_name),
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
