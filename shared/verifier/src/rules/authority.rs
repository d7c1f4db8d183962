//! Rules for issuers: basic constraints, key usage, path length (RFC 5280 §4.2.1.3 and §4.2.1.9).

use super::{Context, Path, extended_key_usage, single};
use crate::rejection::{Reason, Rejection};
use crate::x509::certificate::Certificate;

pub(super) fn check_authorities(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    for authority in path.intermediates {
        // A certificate without extensions cannot be a CA's (RFC 5280 §6.1.4(k)). Versions 1 and 2
        // are known only as anchors.
        single::check_version(authority, context)?;
        // RFC 5280 §6.1.4(k).
        if !authority.is_authority() {
            let rejection = authority.reject(Reason::IssuerNotAuthority);
            return Err(rejection
                .in_field("basic constraints (2.5.29.19)")
                .found("not a CA")
                .allowed("cA"));
        }
        // RFC 5280 §6.1.4(n): if the extension is there, keyCertSign must be set.
        let usage = authority.extensions.key_usage;
        if let Some(usage) = usage.filter(|usage| !usage.allows_certificate_signing()) {
            let rejection = authority.reject(Reason::IssuerKeyUsage);
            return Err(rejection
                .in_field(single::KEY_USAGE)
                .found(&usage.to_string())
                .allowed("keyCertSign"));
        }
        // The key has verified a signature already, but of a size that only our list of algorithms
        // limits.
        single::check_public_key(authority, context)?;
        single::check_serial_number(authority, context)?;
    }
    Ok(())
}

/// Checks the constraints of the trust anchor's own certificate. RFC 5280 §6.1.1(d) treats an
/// anchor as a name and a key, but CA software enforces the certificate's constraints when it
/// issues, and RFC 5937 when it verifies. Name constraints and policies of the anchor are processed
/// together with those of the path.
pub(super) fn check_anchor_constraints(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    let subject = path.anchor.subject().as_str();
    // RFC 5937 §3.2: the anchor's path length counts like that of a CA in the path.
    if let Some(allowed) = exceeds(path.anchor.path_length(), path.intermediates) {
        let rejection = Rejection::new(Reason::AnchorPathLength).about(subject);
        return Err(path_length_facts(rejection, path.intermediates.len(), allowed));
    }
    if path.anchor.allows_clients() {
        Ok(())
    } else {
        let rejection = Rejection::new(Reason::AnchorExtendedKeyUsage).about(subject);
        Err(rejection
            .in_field(extended_key_usage::EXTENDED_KEY_USAGE)
            .allowed(extended_key_usage::ALLOWED))
    }
}

pub(super) fn check_path_length(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    for (below, authority) in path.intermediates.iter().enumerate() {
        let constraints = authority.extensions.basic_constraints;
        let allowed = constraints.and_then(|constraints| constraints.path_length);
        if let Some(allowed) = exceeds(allowed, path.intermediates.get(..below).unwrap_or_default()) {
            return Err(path_length_facts(
                authority.reject(Reason::PathLength),
                below,
                allowed,
            ));
        }
    }
    Ok(())
}

fn path_length_facts(rejection: Rejection, below: usize, allowed: usize) -> Rejection {
    rejection
        .in_field("path length of basic constraints (2.5.29.19)")
        .found(&format!("{below} intermediates below"))
        .allowed(&allowed.to_string())
}

/// Returns the path length if more intermediates are below. Self-issued certificates do not count
/// (RFC 5280 §4.2.1.9); that names are equal costs more to find out.
fn exceeds(allowed: Option<u32>, below: &[&Certificate<'_>]) -> Option<usize> {
    let allowed = allowed.and_then(|allowed| usize::try_from(allowed).ok())?;
    let counts = |authority: &&&Certificate<'_>| !authority.is_self_issued();
    // Counting all first spares the comparison of names in all paths that are short enough.
    let is_exceeded = below.len() > allowed && below.iter().filter(counts).count() > allowed;
    is_exceeded.then_some(allowed)
}
