//! Extended key usage (RFC 5280 §4.2.1.12).

use super::{Context, Path};
use crate::options::ExtendedKeyUsageOption;
use crate::rejection::{Reason, Rejection};
use crate::x509::certificate::Certificate;
use crate::x509::der::{Elements, Malformed, Tag, single};
use crate::x509::extensions::allows_client_authentication;
use crate::x509::oid::{self, dotted_list};

/// Name of the extension in messages.
pub(super) const EXTENDED_KEY_USAGE: &str = "extended key usage (2.5.29.37)";
pub(super) const ALLOWED: &str = "clientAuth (1.3.6.1.5.5.7.3.2) or anyExtendedKeyUsage (2.5.29.37.0)";

pub(super) fn check_end_entity(certificate: &Certificate<'_>, context: &Context) -> Result<(), Rejection> {
    match (
        allows_client_authentication(&certificate.extensions),
        context.options.extended_key_usage,
    ) {
        // RFC 5280 §4.2.1.12: without the extension, every purpose is allowed; the operator asked
        // for more.
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

/// Checks the purposes of every issuer: they limit those of the certificates below it, as in
/// OpenSSL, Go and webpki.
pub(super) fn check_authorities(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    let mut authorities = path.intermediates.iter();
    authorities
        .try_for_each(|authority| check(authority, allows_client_authentication(&authority.extensions)))
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
