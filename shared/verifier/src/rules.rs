//! Rules for a path (RFC 5280 §6.1) and for the end-entity certificate. The path search finds the
//! path and verifies its signatures.
//!
//! The rules are complete on their own: they do not rely on anything that a path builder may have
//! checked.

mod allowed_signatures;
mod authority;
mod certificate_policies;
mod distrusted_keys;
mod extended_key_usage;
mod name_constraints;
mod single;

use std::fmt;

use crate::anchors::TrustAnchor;
use crate::options::VerifyOptions;
use crate::rejection::{Reason, Rejection};
use crate::signature_budget::SignatureBudget;
use crate::x509::certificate::Certificate;
use crate::x509::critical_extensions::check_critical_extensions;
use crate::x509::time::Timestamp;

pub(crate) use name_constraints::Budget;

/// A path: the end-entity certificate, its issuers in order, and the anchor that issued the last of
/// them.
#[derive(Debug)]
pub(crate) struct Path<'p, 'a> {
    pub(crate) end_entity: &'p Certificate<'a>,
    /// The end-entity certificate's issuer first.
    pub(crate) intermediates: &'p [&'p Certificate<'a>],
    pub(crate) anchor: &'p TrustAnchor,
}

impl<'p, 'a> Path<'p, 'a> {
    /// Returns the certificates below the anchor, the end-entity certificate first.
    pub(crate) fn certificates(&self) -> impl DoubleEndedIterator<Item = &'p Certificate<'a>> + use<'p, 'a> {
        std::iter::once(self.end_entity).chain(self.intermediates.iter().copied())
    }

    /// Certificates below the anchor.
    fn depth(&self) -> usize {
        1 + self.intermediates.len()
    }
}

/// Options, time and budgets of one verification.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) options: VerifyOptions,
    pub(crate) now: Timestamp,
    /// Shared by all paths of one verification.
    pub(crate) comparisons: Budget,
    /// Shared by both validators.
    pub(crate) signatures: SignatureBudget,
}

macro_rules! checks {
    ($($variant:ident, $name:literal, $describes:literal, $source:literal, $setting:expr;)+) => {
        /// Check of a client's certificates, in the order in which checks are made.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Check {
            $(#[doc = concat!($describes, " (", $source, ").")] $variant,)+
        }

        impl Check {
            /// Every check, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the name in `snake_case`; stable.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns the condition as one clause.
            pub const fn describes(self) -> &'static str {
                match self { $(Self::$variant => $describes,)+ }
            }

            /// Returns the source of the rule.
            pub const fn source(self) -> &'static str {
                match self { $(Self::$variant => $source,)+ }
            }

            /// Returns the setting that governs the check, if there is one.
            pub const fn setting(self) -> Option<&'static str> {
                match self { $(Self::$variant => $setting,)+ }
            }
        }
    };
}

checks! {
    Parsing, "parsing", "every presented certificate can be read",
        "RFC 5280 section 4.1", None;
    EndEntityVersion, "end_entity_version", "the end-entity certificate is of version 3",
        "RFC 5280 section 4.1.2.1", None;
    EndEntityKey, "end_entity_key", "its key is a sound one, RSA of 2048 to 8192 bits, on P-256, P-384 or P-521, or of ML-DSA",
        "Elastic Load Balancing user guide, mutual TLS; RFC 9881", None;
    EndEntitySerialNumber, "end_entity_serial_number", "its serial number is of at most 64 octets",
        "RFC 5280 section 4.1.2.2", None;
    EndEntityKind, "end_entity_kind", "it is not a CA certificate",
        "RFC 5280 section 4.2.1.9", None;
    EndEntityCriticalExtensions, "end_entity_critical_extensions", "its critical extensions are all understood and can be read",
        "RFC 5280 section 4.2", None;
    EndEntityKeyUsage, "end_entity_key_usage", "its key usage, if there, has digitalSignature",
        "RFC 5280 section 4.2.1.3, RFC 8446 section 4.4.2.2", None;
    EndEntityPurpose, "end_entity_purpose", "its extended key usage has clientAuth",
        "RFC 5280 section 4.2.1.12", Some("MTLS_EKU");
    EndEntityValidity, "end_entity_validity", "it is valid now",
        "RFC 5280 section 4.1.2.5", None;
    PathBuilding, "path_building", "a path of issuers leads to a trust anchor",
        "RFC 5280 section 6.1", Some("MTLS_ANCHORS, MTLS_INTERMEDIATES");
    Signatures, "signatures", "every signature of the path verifies",
        "RFC 5280 section 6.1.3(a)(1)", None;
    AllowedSignatures, "allowed_signatures", "every signature of the path is of an algorithm that is allowed",
        "our own: an operator can narrow what the load balancer accepts", Some("MTLS_SIGNATURES");
    AnchorValidity, "anchor_validity", "the trust anchor is valid now",
        "our own: an expired root is a sign of a forgotten one", Some("MTLS_ANCHORS");
    Depth, "depth", "the path is not deeper than allowed",
        "Elastic Load Balancing user guide, mutual TLS", Some("MTLS_MAX_DEPTH");
    OwnAnchor, "own_anchor", "the client's certificate is not its own trust anchor",
        "our own: a certificate cannot vouch for itself", Some("MTLS_ANCHORS");
    AnchorConstraints, "anchor_constraints", "the trust anchor's own path length and purposes allow the path",
        "RFC 5937 section 3", Some("MTLS_ANCHORS");
    IssuerNames, "issuer_names", "every issuer has a name",
        "RFC 5280 section 4.1.2.4", None;
    Authorities, "authorities", "every issuer is a CA that may sign certificates, with a sound key",
        "RFC 5280 section 6.1.4(k), (n)", None;
    AuthorityValidity, "authority_validity", "every issuer is valid now",
        "RFC 5280 section 6.1.3(a)(2)", None;
    AuthorityCriticalExtensions, "authority_critical_extensions", "their critical extensions are all understood and can be read",
        "RFC 5280 section 6.1.4(o)", None;
    PathLength, "path_length", "the path lengths that the issuers allow are kept",
        "RFC 5280 section 6.1.4(l), (m)", None;
    AuthorityPurposes, "authority_purposes", "the issuers' extended key usage, if there, has clientAuth",
        "our own, as OpenSSL, Go and webpki: an issuer's purposes bound those below", None;
    DistrustedKeys, "distrusted_keys", "no key of the path is known to be compromised",
        "public incident reports", None;
    NameConstraints, "name_constraints", "every name is within what the issuers above may issue for",
        "RFC 5280 section 6.1.3(b), (c)", None;
    CertificatePolicies, "certificate_policies", "the policies that the issuers require are there",
        "RFC 5280 section 6.1.3(d) to (f), RFC 9618", None;
    Revocation, "revocation", "no certificate of the path is revoked, and the lists or OCSP responses that say so are current",
        "RFC 5280 section 6.3, RFC 6960", Some("MTLS_CRLS, MTLS_OCSP, MTLS_REVOCATION_SOURCES, MTLS_REVOCATION, MTLS_REVOCATION_DEPTH, MTLS_CRL_GRACE, MTLS_SIGNATURES");
    Identity, "identity", "some name identifies the client, and every one can be represented",
        "RFC 5280 sections 4.1.2.6 and 4.2.1.6", None;
    Agreement, "agreement", "a second validator, webpki, accepts the same path, unless it uses a feature that webpki lacks",
        "our own: a fault of one validator must not let a client pass", None;
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

type EndEntityRule = fn(&Certificate<'_>, &Context) -> Result<(), Rejection>;

/// Rules for the end-entity certificate that need no issuer, applied before any signature is
/// verified: they cost nothing.
pub(crate) const END_ENTITY_RULES: &[(Check, EndEntityRule)] = &[
    (Check::EndEntityVersion, single::check_version),
    (Check::EndEntityKey, single::check_end_entity_key),
    (Check::EndEntitySerialNumber, single::check_serial_number),
    (Check::EndEntityKind, single::check_not_authority),
    (Check::EndEntityCriticalExtensions, |certificate, _| {
        check_critical_extensions(certificate)
    }),
    (Check::EndEntityKeyUsage, single::check_may_sign),
    (Check::EndEntityPurpose, extended_key_usage::check_end_entity),
    (Check::EndEntityValidity, single::check_validity),
];

type PathRule = fn(&Path<'_, '_>, &Context) -> Result<(), Rejection>;

/// Rules for a whole path whose signatures verify, the cheapest first.
pub(crate) const PATH_RULES: &[(Check, PathRule)] = &[
    (Check::AllowedSignatures, allowed_signatures::check),
    (Check::AnchorValidity, check_anchor_validity),
    (Check::Depth, check_depth),
    (Check::OwnAnchor, check_not_own_anchor),
    (Check::AnchorConstraints, authority::check_anchor_constraints),
    (Check::IssuerNames, check_issuer_names),
    (Check::Authorities, authority::check_authorities),
    (Check::AuthorityValidity, check_authority_validity),
    (Check::AuthorityCriticalExtensions, check_authority_extensions),
    (Check::PathLength, authority::check_path_length),
    (Check::AuthorityPurposes, extended_key_usage::check_authorities),
    (Check::DistrustedKeys, distrusted_keys::check),
    (Check::NameConstraints, name_constraints::check),
    (Check::CertificatePolicies, certificate_policies::check),
];

/// Applies every rule for the end-entity certificate alone.
pub(crate) fn check_end_entity(certificate: &Certificate<'_>, context: &Context) -> Result<(), Rejection> {
    END_ENTITY_RULES
        .iter()
        .try_for_each(|(_, rule)| rule(certificate, context))
}

/// Checks that a certificate is valid now.
pub(crate) fn check_time(certificate: &Certificate<'_>, context: &Context) -> Result<(), Rejection> {
    single::check_validity(certificate, context)
}

/// Applies every rule for the path.
pub(crate) fn check_path(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    PATH_RULES.iter().try_for_each(|(_, rule)| rule(path, context))
}

fn check_anchor_validity(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    let anchor = path.anchor;
    let validity = anchor.validity();
    // RFC 5280 §6.1.1(d) does not give an anchor a time. An expired root is one that the operator
    // forgot, and its successor has another certificate.
    if context.now > validity.not_after {
        Err(Rejection::new(Reason::AnchorExpired)
            .about(anchor.subject().as_str())
            .in_field("notAfter")
            .found(&validity.not_after.to_string()))
    } else if context.now < validity.not_before {
        Err(Rejection::new(Reason::AnchorNotYetValid)
            .about(anchor.subject().as_str())
            .in_field("notBefore")
            .found(&validity.not_before.to_string()))
    } else {
        Ok(())
    }
}

fn check_depth(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    // ALB in verify mode counts in the same way: certificates below the anchor, including the
    // client's.
    let (depth, allowed) = (path.depth(), context.options.max_depth);
    if depth <= allowed {
        return Ok(());
    }
    let explanation = format!("{depth} certificates below the anchor, allowed are {allowed}");
    Err(Rejection::new(Reason::ChainTooDeep)
        .because(explanation)
        .found(&depth.to_string())
        .allowed(&allowed.to_string()))
}

/// Checks that the client does not present its own trust anchor. A certificate among the anchors
/// vouches for others, not for itself: a client with it would pass without the consent of any CA.
fn check_not_own_anchor(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    if path.end_entity.der == path.anchor.certificate().as_ref() {
        Err(path.end_entity.reject(Reason::SelfSigned))
    } else {
        Ok(())
    }
}

/// Checks that every issuer has a name (RFC 5280 §4.1.2.4). An anchor without a name would match
/// every certificate that names no issuer.
fn check_issuer_names(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    const EMPTY_NAME: &[u8] = &[0x30, 0];
    match path
        .certificates()
        .find(|certificate| certificate.issuer == EMPTY_NAME)
    {
        Some(certificate) => {
            let rejection = certificate.reject(Reason::IssuerNameEmpty);
            Err(rejection.in_field("issuer").found("an empty name"))
        }
        None => Ok(()),
    }
}

fn check_authority_validity(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    let mut authorities = path.intermediates.iter();
    authorities.try_for_each(|authority| single::check_validity(authority, context))
}

fn check_authority_extensions(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    let mut authorities = path.intermediates.iter();
    authorities.try_for_each(|authority| check_critical_extensions(authority))
}
