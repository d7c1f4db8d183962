//! Who may issue certificates: basic constraints, key usage, path length.

use super::{Context, Path, critical_extensions, single};
use crate::bundle::AuthorityProblem;
use crate::certificate::{Certificate, PublicKey, Version};
use crate::rejection::{Reason, Rejection};

/// Whether a certificate can be a trust anchor or an intermediate at all; asked when it is loaded.
pub(crate) fn check_authority(certificate: &Certificate<'_>) -> Result<(), AuthorityProblem> {
    // Certificates of version 1 have no extensions that could say so; as an anchor the operator says it.
    if certificate.version == Version::V3 && !certificate.is_authority() {
        return Err(AuthorityProblem::NotAuthority);
    }
    let usage = certificate.extensions.key_usage;
    if usage.is_some_and(|usage| !usage.allows_certificate_signing()) {
        return Err(AuthorityProblem::KeyUsage);
    }
    if critical_extensions::not_understood(certificate).is_some() {
        return Err(AuthorityProblem::Extension);
    }
    match certificate.public_key {
        PublicKey::Unsupported => Err(AuthorityProblem::UnsupportedKey),
        PublicKey::Rsa { bits } if !(2048..=8192).contains(&bits) => Err(AuthorityProblem::UnsupportedKey),
        _ => Ok(()),
    }
}

pub(super) fn check_authorities(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    for authority in path.intermediates {
        single::check_version(authority, context)?;
        // RFC 5280 §6.1.4(k).
        if !authority.is_authority() {
            return Err(authority.reject(Reason::IssuerNotAuthority));
        }
        // RFC 5280 §6.1.4(n): if the extension is there, keyCertSign must be set.
        let usage = authority.extensions.key_usage;
        if usage.is_some_and(|usage| !usage.allows_certificate_signing()) {
            return Err(authority.reject(Reason::IssuerKeyUsage));
        }
        single::check_public_key(authority, context)?;
        single::check_serial_number(authority, context)?;
    }
    Ok(())
}

/// RFC 5280 §6.1.1(d) treats an anchor as a name and a key. Its certificate states constraints all the same: the
/// operator's CA software enforces them when issuing, and RFC 5937 when verifying. Name constraints and policies of
/// the anchor are processed together with those of the path.
pub(super) fn check_anchor_constraints(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    if exceeds(path.anchor.path_length(), path.intermediates) {
        return Err(Reason::AnchorPathLength.into());
    }
    if path.anchor.allows_clients() {
        Ok(())
    } else {
        Err(Rejection::new(Reason::AnchorExtendedKeyUsage).because(path.anchor.subject().to_string()))
    }
}

pub(super) fn check_path_length(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    for (below, authority) in path.intermediates.iter().enumerate() {
        let constraints = authority.extensions.basic_constraints;
        let allowed = constraints.and_then(|constraints| constraints.path_length);
        if exceeds(allowed, path.intermediates.get(..below).unwrap_or_default()) {
            return Err(authority.reject(Reason::PathLength));
        }
    }
    Ok(())
}

/// Self-issued certificates do not count (RFC 5280 §4.2.1.9); that names are equal costs more to find out.
fn exceeds(allowed: Option<u32>, below: &[&Certificate<'_>]) -> bool {
    let Some(allowed) = allowed.and_then(|allowed| usize::try_from(allowed).ok()) else {
        return false;
    };
    let counts = |authority: &&&Certificate<'_>| !authority.is_self_issued();
    below.len() > allowed && below.iter().filter(counts).count() > allowed
}
