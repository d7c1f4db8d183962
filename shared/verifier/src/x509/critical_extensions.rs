//! Critical extensions: each is one that is processed, and can be read (RFC 5280 §4.2).

use crate::rejection::{Reason, Rejection};
use crate::x509::certificate::Certificate;
use crate::x509::der::{Elements, Malformed, Tag, context_tag, named_bits, single};
use crate::x509::extensions::{Extension, allows_client_authentication, authority_key_identifier};
use crate::x509::name::Unrepresentable;
use crate::x509::name_constraints::check_general_names;
use crate::x509::oid::{self, dotted};
use crate::x509::payment_roles;
use crate::x509::policies::{listed_policies, read_constraints, read_inhibit_any, read_mappings};

type Reader = fn(&Certificate<'_>, &Extension<'_>) -> Result<(), Malformed>;

/// The extensions that some rule here, the identity or revocation processes, and how each is read.
const PROCESSED: &[(&[u8], &str, Reader)] = &[
    // These two are read with the certificate.
    (oid::KEY_USAGE.as_bytes(), "key usage", |_, _| Ok(())),
    (oid::BASIC_CONSTRAINTS.as_bytes(), "basic constraints", |_, _| {
        Ok(())
    }),
    (
        oid::EXTENDED_KEY_USAGE.as_bytes(),
        "extended key usage",
        |certificate, _| allows_client_authentication(&certificate.extensions).map(|_| ()),
    ),
    (
        oid::CERTIFICATE_POLICIES.as_bytes(),
        "certificate policies",
        |_, extension| listed_policies(extension.value).map(|_| ()),
    ),
    (
        oid::POLICY_CONSTRAINTS.as_bytes(),
        "policy constraints",
        |_, extension| read_constraints(extension.value).map(|_| ()),
    ),
    (
        oid::POLICY_MAPPINGS.as_bytes(),
        "policy mappings",
        |_, extension| read_mappings(extension.value).map(|_| ()),
    ),
    (
        oid::INHIBIT_ANY_POLICY.as_bytes(),
        "inhibit any-policy",
        |_, extension| read_inhibit_any(extension.value).map(|_| ()),
    ),
    (
        oid::SUBJECT_ALTERNATIVE_NAME.as_bytes(),
        "subject alternative names",
        |certificate, _| {
            let names = certificate.names();
            names.map(|_| ()).map_err(|_: Unrepresentable| Malformed)
        },
    ),
    (
        oid::NAME_CONSTRAINTS.as_bytes(),
        "name constraints",
        |certificate, _| certificate.name_constraints().map(|_| ()),
    ),
    (
        oid::CRL_DISTRIBUTION_POINTS.as_bytes(),
        "CRL distribution points",
        distribution_points,
    ),
];

/// The extensions that are read where they are not critical and decide nothing by themselves, so
/// that one that cannot be read is left out of the evidence and named there. RFC 5280 §4.2.1.1 and
/// §4.2.1.2 forbid marking a key identifier critical.
const INFORMATION: &[(&[u8], &str, Reader)] = &[
    (
        oid::AUTHORITY_KEY_IDENTIFIER.as_bytes(),
        "authority key identifier",
        |_, extension| authority_key_identifier(extension.value).map(|_| ()),
    ),
    (
        oid::SUBJECT_KEY_IDENTIFIER.as_bytes(),
        "subject key identifier",
        |_, extension| single(extension.value, Tag::OCTET_STRING).map(|_| ()),
    ),
    (
        oid::CERTIFICATE_POLICIES.as_bytes(),
        "certificate policies",
        |_, extension| listed_policies(extension.value).map(|_| ()),
    ),
    (
        oid::CRL_DISTRIBUTION_POINTS.as_bytes(),
        "CRL distribution points",
        distribution_points,
    ),
    (oid::QC_STATEMENTS.as_bytes(), "QC statements", |_, extension| {
        payment_roles::read(extension.value).map(|_| ())
    }),
];

/// Reads CRL distribution points (RFC 5280 §4.2.1.13).
fn distribution_points(_: &Certificate<'_>, extension: &Extension<'_>) -> Result<(), Malformed> {
    let mut points = Elements::inside(extension.value, Tag::SEQUENCE)?;
    loop {
        let mut point = Elements::new(points.expect(Tag::SEQUENCE)?.content);
        let name = point.optional(context_tag(0, true))?;
        if let Some(name) = &name {
            let mut choice = Elements::new(name.content);
            match choice.optional(context_tag(0, true))? {
                Some(full) => check_general_names(full.content)?,
                // Relative to the issuer's name.
                None => _ = choice.expect(context_tag(1, true))?,
            }
            choice.finish()?;
        }
        if let Some(reasons) = point.optional(context_tag(1, false))? {
            named_bits(reasons.content)?;
        }
        let issuer = point.optional(context_tag(2, true))?;
        if let Some(issuer) = &issuer {
            check_general_names(issuer.content)?;
        }
        point.finish()?;
        // One of them MUST be there.
        if name.is_none() && issuer.is_none() {
            return Err(Malformed);
        }
        if points.at_end() {
            return Ok(());
        }
    }
}

/// Checks that every critical extension of a certificate is understood and can be read.
pub(crate) fn check_critical_extensions(certificate: &Certificate<'_>) -> Result<(), Rejection> {
    for extension in certificate
        .extensions
        .all
        .iter()
        .filter(|extension| extension.critical)
    {
        // RFC 5280 §4.2: a critical extension that is not processed rejects the certificate.
        let known = PROCESSED.iter().find(|(oid, ..)| *oid == extension.oid);
        let Some((oid, name, read)) = known else {
            return Err(certificate
                .reject(Reason::CriticalExtension)
                .in_field(&format!("critical extension {}", dotted(extension.oid))));
        };
        if read(certificate, extension).is_err() {
            return Err(certificate
                .reject(Reason::ExtensionMalformed)
                .in_field(&format!("critical {name} ({})", dotted(oid))));
        }
    }
    Ok(())
}

/// Returns name and identifier of every extension that is not critical, cannot be read, and decides
/// nothing.
pub(crate) fn unreadable_information(certificate: &Certificate<'_>) -> Vec<String> {
    let mut unreadable = Vec::new();
    for extension in &certificate.extensions.all {
        let known = INFORMATION.iter().find(|(oid, ..)| *oid == extension.oid);
        if let Some((oid, name, read)) = known
            && read(certificate, extension).is_err()
        {
            unreadable.push(format!("{name} ({})", dotted(oid)));
        }
    }
    unreadable
}
