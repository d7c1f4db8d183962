//! What webpki leaves to its caller: rules for single certificates and for whole paths.

use der::Tag;

use crate::anchors::TrustAnchor;
use crate::certificate::{Certificate, PublicKey, Version, oid};
use crate::der_reader::{Elements, Malformed};
use crate::policy::{ExtendedKeyUsagePolicy, VerificationPolicy};
use crate::rejection::{Reason, Rejection};
use crate::timestamp::Timestamp;

/// A path whose signatures verify: the end-entity certificate, its issuers in order, and the anchor.
#[derive(Debug)]
pub(crate) struct Path<'p, 'a> {
    pub(crate) end_entity: &'p Certificate<'a>,
    /// The end-entity certificate's issuer first.
    pub(crate) intermediates: &'p [&'p Certificate<'a>],
    pub(crate) anchor: &'p TrustAnchor,
}

/// The rules for the end-entity certificate that need no issuer; asked before any signature is verified.
pub(crate) fn check_end_entity(
    certificate: &Certificate<'_>,
    policy: VerificationPolicy,
    now: Timestamp,
) -> Result<(), Rejection> {
    check_version(certificate)?;
    check_public_key(certificate)?;
    check_serial_number(certificate)?;
    if certificate.is_authority() {
        return Err(Reason::EndEntityIsAuthority.into());
    }
    if certificate
        .extensions
        .key_usage
        .is_some_and(|usage| !usage.allows_digital_signature())
    {
        return Err(Reason::EndEntityKeyUsage.into());
    }
    check_extended_key_usage(certificate, policy.extended_key_usage)?;
    check_validity(certificate, now)
}

/// The rules for a whole path, in the order of their cost.
pub(crate) fn check_path(path: &Path<'_, '_>, policy: VerificationPolicy) -> Result<(), Rejection> {
    check_depth(path, policy)?;
    check_not_own_anchor(path)?;
    check_anchor_path_length(path)?;
    path.intermediates
        .iter()
        .try_for_each(|certificate| check_intermediate(certificate))
}

fn check_depth(path: &Path<'_, '_>, policy: VerificationPolicy) -> Result<(), Rejection> {
    let depth = 1 + path.intermediates.len();
    if depth <= policy.max_depth {
        return Ok(());
    }
    let explanation = format!(
        "{depth} certificates below the anchor, allowed are {}",
        policy.max_depth
    );
    Err(Rejection::new(Reason::ChainTooDeep).because(explanation))
}

/// A certificate that the operator put among the anchors vouches for others, not for itself: whoever presents it as a
/// client would otherwise pass without any CA's consent.
fn check_not_own_anchor(path: &Path<'_, '_>) -> Result<(), Rejection> {
    if path.end_entity.der == path.anchor.certificate().as_ref() {
        Err(Reason::SelfSigned.into())
    } else {
        Ok(())
    }
}

/// RFC 5280 §6.1.1(d) treats an anchor as a name and a key. Its certificate states a path length all the same, the
/// operator's CA software enforces it when issuing, and OpenSSL when verifying.
fn check_anchor_path_length(path: &Path<'_, '_>) -> Result<(), Rejection> {
    let below = path
        .intermediates
        .iter()
        .filter(|certificate| !certificate.is_self_issued())
        .count();
    match path.anchor.path_length() {
        Some(allowed) if below > allowed as usize => Err(Reason::AnchorPathLength.into()),
        _ => Ok(()),
    }
}

fn check_intermediate(certificate: &Certificate<'_>) -> Result<(), Rejection> {
    check_public_key(certificate)?;
    check_serial_number(certificate)?;
    // RFC 5280 §6.1.4(n): if the extension is there, keyCertSign must be set.
    if certificate
        .extensions
        .key_usage
        .is_some_and(|usage| !usage.allows_certificate_signing())
    {
        return Err(Reason::IssuerKeyUsage.into());
    }
    Ok(())
}

fn check_version(certificate: &Certificate<'_>) -> Result<(), Rejection> {
    match certificate.version {
        Version::V3 => Ok(()),
        Version::V1 => Err(Rejection::new(Reason::CertificateVersion).because("version 1")),
        Version::V2 => Err(Rejection::new(Reason::CertificateVersion).because("version 2")),
    }
}

/// The keys that a load balancer accepts: RSA of 2048 to 8192 bits, P-256, P-384, P-521.
fn check_public_key(certificate: &Certificate<'_>) -> Result<(), Rejection> {
    match certificate.public_key {
        PublicKey::Unsupported => Err(Reason::KeyUnsupported.into()),
        PublicKey::Rsa { bits } if !(2048..=8192).contains(&bits) => {
            Err(Rejection::new(Reason::KeySize).because(format!("{bits} bits")))
        }
        _ => Ok(()),
    }
}

/// RFC 5280 §4.1.2.2: positive and at most 20 octets. Revocation goes by this number, so it must be one.
fn check_serial_number(certificate: &Certificate<'_>) -> Result<(), Rejection> {
    let octets = certificate.serial_number;
    let negative = octets.first().is_some_and(|first| first & 0x80 != 0);
    let zero = octets.iter().all(|octet| *octet == 0);
    if negative || zero || octets.len() > 20 {
        Err(Reason::SerialNumber.into())
    } else {
        Ok(())
    }
}

fn check_extended_key_usage(
    certificate: &Certificate<'_>,
    policy: ExtendedKeyUsagePolicy,
) -> Result<(), Rejection> {
    let Some(extension) = certificate.extensions.find(oid::EXTENDED_KEY_USAGE) else {
        return match policy {
            ExtendedKeyUsagePolicy::IfPresent => Ok(()),
            ExtendedKeyUsagePolicy::Required => Err(Reason::ExtendedKeyUsageMissing.into()),
        };
    };
    match allows_client_authentication(extension.value) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Reason::ExtendedKeyUsage.into()),
        Err(Malformed) => Err(Reason::ExtensionMalformed.into()),
    }
}

fn allows_client_authentication(value: &[u8]) -> Result<bool, Malformed> {
    let mut purposes = Elements::inside(value, Tag::Sequence)?;
    let mut allowed = false;
    while !purposes.at_end() {
        allowed |= is_client_purpose(purposes.expect(Tag::ObjectIdentifier)?.content);
    }
    Ok(allowed)
}

/// clientAuth, or anyExtendedKeyUsage, which RFC 5280 §4.2.1.12 lets stand for every purpose.
pub(crate) fn is_client_purpose(purpose: &[u8]) -> bool {
    purpose == oid::CLIENT_AUTHENTICATION.as_bytes() || purpose == oid::ANY_EXTENDED_KEY_USAGE.as_bytes()
}

pub(crate) fn check_validity(certificate: &Certificate<'_>, now: Timestamp) -> Result<(), Rejection> {
    let validity = certificate.validity;
    if validity.not_before > validity.not_after {
        Err(Reason::ValidityInverted.into())
    } else if now < validity.not_before {
        let explanation = format!("notBefore is {}, it is {now}", validity.not_before);
        Err(Rejection::new(Reason::NotYetValid).because(explanation))
    } else if now > validity.not_after {
        let explanation = format!("notAfter was {}, it is {now}", validity.not_after);
        Err(Rejection::new(Reason::Expired).because(explanation))
    } else {
        Ok(())
    }
}
