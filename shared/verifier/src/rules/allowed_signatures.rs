//! Signature algorithms that the operator allows.

use super::{Context, Path};
use crate::rejection::{Reason, Rejection};
use crate::signature::not_allowed;

/// Checks that every certificate below the anchor is signed with an allowed algorithm. The search
/// has verified the signatures, so that a certificate that does not verify is called invalid.
pub(super) fn check(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    let allowed = context.options.signatures;
    let intermediates = path.intermediates.iter().map(|issuer| issuer.issuer_key());
    let issuers = intermediates.chain([path.anchor.issuer_key()]);
    for (certificate, issuer) in path.certificates().zip(issuers) {
        if let Some(algorithm) = not_allowed(certificate.signature_algorithm, issuer, allowed) {
            return Err(certificate
                .reject(Reason::SignatureNotAllowed)
                .in_field("signature algorithm")
                .found(algorithm)
                .allowed(&format!("MTLS_SIGNATURES={allowed}")));
        }
    }
    Ok(())
}
