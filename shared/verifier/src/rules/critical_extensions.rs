//! Critical extensions: each is one that is processed, and can be read (RFC 5280 §4.2).

use super::name_constraints::check_general_names;
use super::{Context, Path};
use crate::certificate::{Certificate, Extension, oid};
use crate::der_reader::{Elements, Malformed, Tag, context_tag, named_bits};
use crate::name::Unrepresentable;
use crate::rejection::{Reason, Rejection};

type Reader = fn(&Certificate<'_>, &Extension<'_>) -> Result<(), Malformed>;

/// The extensions that some rule here, the identity or revocation processes, and how each is read. An authority or
/// subject key identifier is none of them: RFC 5280 §4.2.1.1 and §4.2.1.2 forbid marking it critical.
const PROCESSED: &[(&[u8], &str, Reader)] = &[
    // These two are read with the certificate.
    (oid::KEY_USAGE.as_bytes(), "key usage", elsewhere),
    (oid::BASIC_CONSTRAINTS.as_bytes(), "basic constraints", elsewhere),
    // A rule reads these in every certificate of a path, whether they are critical or not.
    (
        oid::EXTENDED_KEY_USAGE.as_bytes(),
        "extended key usage",
        elsewhere,
    ),
    (
        oid::CERTIFICATE_POLICIES.as_bytes(),
        "certificate policies",
        elsewhere,
    ),
    (
        oid::POLICY_CONSTRAINTS.as_bytes(),
        "policy constraints",
        elsewhere,
    ),
    (oid::POLICY_MAPPINGS.as_bytes(), "policy mappings", elsewhere),
    (
        oid::INHIBIT_ANY_POLICY.as_bytes(),
        "inhibit any-policy",
        elsewhere,
    ),
    // These are of no use in some certificates, such as name constraints of a client.
    (
        oid::SUBJECT_ALTERNATIVE_NAME.as_bytes(),
        "subject alternative names",
        alternative_names,
    ),
    (
        oid::NAME_CONSTRAINTS.as_bytes(),
        "name constraints",
        name_constraints,
    ),
    (
        oid::CRL_DISTRIBUTION_POINTS.as_bytes(),
        "CRL distribution points",
        distribution_points,
    ),
];

fn elsewhere(_: &Certificate<'_>, _: &Extension<'_>) -> Result<(), Malformed> {
    Ok(())
}

fn alternative_names(certificate: &Certificate<'_>, _: &Extension<'_>) -> Result<(), Malformed> {
    certificate
        .names()
        .map(|_| ())
        .map_err(|Unrepresentable| Malformed)
}

fn name_constraints(certificate: &Certificate<'_>, _: &Extension<'_>) -> Result<(), Malformed> {
    certificate.name_constraints().map(|_| ())
}

/// RFC 5280 §4.2.1.13.
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

pub(super) fn check(certificate: &Certificate<'_>, _: &Context) -> Result<(), Rejection> {
    if let Some(extension) = not_understood(certificate) {
        let rejection = certificate.reject(Reason::CriticalExtension);
        return Err(match der::asn1::ObjectIdentifier::from_bytes(extension.oid) {
            Ok(oid) => rejection.because(oid.to_string()),
            Err(_) => rejection,
        });
    }
    for extension in critical(certificate) {
        let known = PROCESSED.iter().find(|(oid, ..)| *oid == extension.oid);
        if let Some((_, name, read)) = known
            && read(certificate, extension).is_err()
        {
            let explanation = format!("critical {name}");
            return Err(certificate
                .reject(Reason::ExtensionMalformed)
                .because(explanation));
        }
    }
    Ok(())
}

pub(super) fn check_authorities(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    let mut authorities = path.intermediates.iter();
    authorities.try_for_each(|authority| check(authority, context))
}

/// The first critical extension that nothing here processes.
pub(super) fn not_understood<'c, 'a>(certificate: &'c Certificate<'a>) -> Option<&'c Extension<'a>> {
    critical(certificate).find(|extension| PROCESSED.iter().all(|(oid, ..)| *oid != extension.oid))
}

fn critical<'c, 'a>(certificate: &'c Certificate<'a>) -> impl Iterator<Item = &'c Extension<'a>> {
    let extensions = certificate.extensions.all.iter();
    extensions.filter(|extension| extension.critical)
}
