//! Rules for one certificate by itself.

use super::Context;
use crate::rejection::{Reason, Rejection};
use crate::signature;
use crate::x509::certificate::{Certificate, Version};
use crate::x509::public_key::PublicKey;

pub(super) fn check_version(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    let version = match certificate.version {
        Version::V3 => return Ok(()),
        Version::V1 => "1",
        Version::V2 => "2",
    };
    let rejection = certificate.reject(Reason::CertificateVersion);
    Err(rejection.in_field("version").found(version).allowed("3"))
}

/// Checks that the key is one that a load balancer accepts (RSA of 2048 to 8192 bits, P-256, P-384,
/// P-521) or of ML-DSA, which other proxies accept.
pub(super) fn check_public_key(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    let reason = match certificate.public_key {
        kind if kind.is_supported() => return Ok(()),
        PublicKey::Rsa { .. } => Reason::KeySize,
        _ => Reason::KeyUnsupported,
    };
    Err(reject_key(certificate, reason))
}

fn reject_key(certificate: &Certificate<'_>, reason: Reason) -> Rejection {
    signature::with_key_facts(certificate.reject(reason), certificate.issuer_key())
}

/// Checks that the client's key proves something. An issuer's key has verified a signature; the
/// client's key is known only from the load balancer. Some TLS servers accepted keys with which
/// every attacker can sign, such as RSA with the exponent 1.
pub(super) fn check_end_entity_key(
    certificate: &Certificate<'_>,
    context: &Context,
) -> Result<(), Rejection> {
    check_public_key(certificate, context)?;
    if signature::is_sound_key(certificate.public_key, certificate.public_key_info.key) {
        Ok(())
    } else {
        Err(reject_key(certificate, Reason::KeyUnsound))
    }
}

/// Octets of a serial number at most: the longest hash, SHA-512, from which CAs make them.
const MAX_SERIAL_NUMBER: usize = 64;

/// RFC 5280 §4.1.2.2 asks CAs for a positive number of at most 20 octets, and verifiers to handle
/// others gracefully: zero and negative numbers are in use, and 20 random octets become 21 when the
/// first bit is set. Revocation compares the octets of numbers that are in their shortest form,
/// whatever their sign.
pub(super) fn check_serial_number(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    let octets = certificate.serial_number.len();
    // A longer one costs time in every CRL and every log line, and no CA makes it.
    if octets <= MAX_SERIAL_NUMBER {
        return Ok(());
    }
    Err(certificate
        .reject(Reason::SerialNumber)
        .in_field("serial number")
        .found(&format!("{octets} octets"))
        .allowed(&format!("at most {MAX_SERIAL_NUMBER} octets")))
}

pub(super) fn check_not_authority(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    if certificate.is_authority() {
        Err(certificate
            .reject(Reason::EndEntityIsAuthority)
            .in_field("basic constraints (2.5.29.19)")
            .found("a CA")
            .allowed("not a CA"))
    } else {
        Ok(())
    }
}

/// A TLS client proves possession of its key by signing.
pub(super) fn check_may_sign(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    match certificate.extensions.key_usage {
        // RFC 8446 §4.4.2.2 and RFC 5246 §7.4.8: CertificateVerify is a signature. Key agreement
        // with a static key is not used by ALB.
        Some(usage) if !usage.allows_digital_signature() => {
            let rejection = certificate.reject(Reason::EndEntityKeyUsage);
            Err(rejection
                .in_field(KEY_USAGE)
                .found(&usage.to_string())
                .allowed("digitalSignature"))
        }
        _ => Ok(()),
    }
}

/// Name of the extension in messages.
pub(super) const KEY_USAGE: &str = "key usage (2.5.29.15)";

pub(super) fn check_validity(certificate: &Certificate<'_>, context: &Context) -> Result<(), Rejection> {
    let (validity, now) = (certificate.validity, context.now);
    // Such a certificate was never valid, and a clock that is set wrong would not be the cause.
    if validity.not_before > validity.not_after {
        Err(certificate
            .reject(Reason::ValidityInverted)
            .in_field("validity")
            .found(&format!("{} to {}", validity.not_before, validity.not_after)))
    } else if now < validity.not_before {
        let explanation = format!("notBefore is {}, it is {now}", validity.not_before);
        Err(certificate
            .reject(Reason::NotYetValid)
            .because(explanation)
            .in_field("notBefore")
            .found(&validity.not_before.to_string()))
    } else if now > validity.not_after {
        let explanation = format!("notAfter was {}, it is {now}", validity.not_after);
        Err(certificate
            .reject(Reason::Expired)
            .because(explanation)
            .in_field("notAfter")
            .found(&validity.not_after.to_string()))
    } else {
        Ok(())
    }
}
