//! Extended key usage (RFC 5280 §4.2.1.12).

use super::{Context, Path};
use crate::certificate::{Certificate, oid};
use crate::der_reader::{Elements, Malformed, Tag, single};
use crate::oid::dotted_list;
use crate::options::ExtendedKeyUsageOption;
use crate::rejection::{Reason, Rejection};

/// Name of the extension in messages.
pub(super) const EXTENDED_KEY_USAGE: &str = "extended key usage (2.5.29.37)";
pub(super) const ALLOWED: &str = "clientAuth (1.3.6.1.5.5.7.3.2) or anyExtendedKeyUsage (2.5.29.37.0)";

pub(super) fn check_end_entity(certificate: &Certificate<'_>, context: &Context) -> Result<(), Rejection> {
    match (
        allows_client_authentication(certificate),
        context.options.extended_key_usage,
    ) {
        (Ok(None), ExtendedKeyUsageOption::Required) => {
            let rejection = certificate.reject(Reason::ExtendedKeyUsageMissing);
            Err(rejection
                .in_field(EXTENDED_KEY_USAGE)
                .found("no such extension")
                .allowed(ALLOWED))
        }
        (allowed, _) => check(certificate, allowed),
    }
}

/// An issuer's purposes bound those of the certificates below it.
pub(super) fn check_authorities(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    let mut authorities = path.intermediates.iter();
    authorities.try_for_each(|authority| check(authority, allows_client_authentication(authority)))
}

fn check(certificate: &Certificate<'_>, allowed: Result<Option<bool>, Malformed>) -> Result<(), Rejection> {
    match allowed {
        Ok(None | Some(true)) => Ok(()),
        Ok(Some(false)) => Err(certificate
            .reject(Reason::ExtendedKeyUsage)
            .in_field(EXTENDED_KEY_USAGE)
            .found(&purposes_of(certificate))
            .allowed(ALLOWED)),
        Err(Malformed) => Err(certificate
            .reject(Reason::ExtensionMalformed)
            .in_field(EXTENDED_KEY_USAGE)),
    }
}

/// Whether clientAuth is among the purposes, or anyExtendedKeyUsage, which stands for every purpose; `None` without
/// the extension.
pub(crate) fn allows_client_authentication(certificate: &Certificate<'_>) -> Result<Option<bool>, Malformed> {
    let Some(extension) = certificate.extensions.find(oid::EXTENDED_KEY_USAGE) else {
        return Ok(None);
    };
    let mut purposes = Elements::inside(extension.value, Tag::SEQUENCE)?;
    let mut allowed = false;
    while !purposes.at_end() {
        let purpose = purposes.expect(Tag::OBJECT_IDENTIFIER)?.content;
        allowed |= is_client_purpose(purpose);
    }
    Ok(Some(allowed))
}

/// Lists the purposes in dotted form, for messages.
fn purposes_of(certificate: &Certificate<'_>) -> String {
    let Some(extension) = certificate.extensions.find(oid::EXTENDED_KEY_USAGE) else {
        return String::new();
    };
    let mut purposes = Elements::new(single(extension.value, Tag::SEQUENCE).unwrap_or_default());
    dotted_list(std::iter::from_fn(|| {
        let purpose = purposes.expect(Tag::OBJECT_IDENTIFIER).ok()?;
        Some(purpose.content)
    }))
}

fn is_client_purpose(purpose: &[u8]) -> bool {
    purpose == oid::CLIENT_AUTHENTICATION.as_bytes() || purpose == oid::ANY_EXTENDED_KEY_USAGE.as_bytes()
}
