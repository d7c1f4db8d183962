//! Signature algorithms that the operator allows.

use super::{Context, Path};
use crate::rejection::{Reason, Rejection};
use crate::signature::{FittingAlgorithm, SignatureAlgorithms};

/// Checks that every certificate below the anchor is signed with an allowed algorithm. The search
/// has verified the signatures, so that a certificate that does not verify is called invalid.
pub(super) fn check(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    let allowed = context.options.signatures;
    // No signature that verifies has another algorithm.
    if allowed == SignatureAlgorithms::ALL {
        return Ok(());
    }
    let intermediates = path.intermediates.iter().map(|issuer| issuer.issuer_key());
    let issuers = intermediates.chain([path.anchor.issuer_key()]);
    for (certificate, issuer) in path.certificates().zip(issuers) {
        let name = match FittingAlgorithm::find(certificate.signature_algorithm, issuer) {
            Ok(fitting) if allowed.contains(fitting.name()) => continue,
            Ok(fitting) => fitting.name().as_str(),
            Err(_) => "an algorithm without a name",
        };
        return Err(certificate
            .reject(Reason::SignatureNotAllowed)
            .in_field("signature algorithm")
            .found(name)
            .allowed(&format!("MTLS_SIGNATURES={allowed}")));
    }
    Ok(())
}
