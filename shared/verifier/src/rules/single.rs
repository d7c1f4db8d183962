//! Rules for one certificate by itself.

use super::Context;
use crate::certificate::{Certificate, PublicKey, Version};
use crate::rejection::{Reason, Rejection};
use crate::signature;

pub(super) fn check_version(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    let version = match certificate.version {
        Version::V3 => return Ok(()),
        Version::V1 => "version 1",
        Version::V2 => "version 2",
    };
    Err(certificate.reject(Reason::CertificateVersion).because(version))
}

/// The keys that a load balancer accepts: RSA of 2048 to 8192 bits, P-256, P-384, P-521.
pub(super) fn check_public_key(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    match certificate.public_key {
        PublicKey::Unsupported => Err(certificate.reject(Reason::KeyUnsupported)),
        PublicKey::Rsa { bits } if !(2048..=8192).contains(&bits) => Err(certificate
            .reject(Reason::KeySize)
            .because(format!("{bits} bits"))),
        _ => Ok(()),
    }
}

/// An issuer's key has verified a signature; a client's key is only taken on the load balancer's word. Other TLS servers
/// have been known to take keys with which everybody can sign, such as RSA with the exponent 1.
pub(super) fn check_end_entity_key(
    certificate: &Certificate<'_>,
    context: &Context,
) -> Result<(), Rejection> {
    check_public_key(certificate, context)?;
    if signature::is_sound_key(certificate.public_key, certificate.public_key_info.key) {
        Ok(())
    } else {
        Err(certificate.reject(Reason::KeyUnsound))
    }
}

/// RFC 5280 §4.1.2.2: positive and at most 20 octets. Revocation goes by this number, so it must be one.
pub(super) fn check_serial_number(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    let octets = certificate.serial_number;
    let negative = octets.first().is_some_and(|first| first & 0x80 != 0);
    let zero = octets.iter().all(|octet| *octet == 0);
    if negative || zero || octets.len() > 20 {
        Err(certificate.reject(Reason::SerialNumber))
    } else {
        Ok(())
    }
}

pub(super) fn check_not_authority(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    if certificate.is_authority() {
        Err(certificate.reject(Reason::EndEntityIsAuthority))
    } else {
        Ok(())
    }
}

/// A TLS client proves possession of its key by signing.
pub(super) fn check_may_sign(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    match certificate.extensions.key_usage {
        Some(usage) if !usage.allows_digital_signature() => {
            Err(certificate.reject(Reason::EndEntityKeyUsage))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_validity(certificate: &Certificate<'_>, context: &Context) -> Result<(), Rejection> {
    let (validity, now) = (certificate.validity, context.now);
    if validity.not_before > validity.not_after {
        Err(certificate.reject(Reason::ValidityInverted))
    } else if now < validity.not_before {
        let explanation = format!("notBefore is {}, it is {now}", validity.not_before);
        Err(certificate.reject(Reason::NotYetValid).because(explanation))
    } else if now > validity.not_after {
        let explanation = format!("notAfter was {}, it is {now}", validity.not_after);
        Err(certificate.reject(Reason::Expired).because(explanation))
    } else {
        Ok(())
    }
}
