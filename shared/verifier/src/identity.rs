//! Identity of a verified client.

mod extensions;

use std::sync::Arc;

use der::asn1::ObjectIdentifier;
use rustls_pki_types::CertificateDer;

use crate::anchors::TrustAnchor;
use crate::fingerprint::Fingerprint;
use crate::heap;
use crate::rejection::{Reason, Rejection};
use crate::x509::alternative_name::AlternativeName;
use crate::x509::certificate::{Certificate, Validity};
use crate::x509::critical_extensions::unreadable_information;
use crate::x509::name::{
    AttributeValue, COMMON_NAME, DistinguishedName, ORGANIZATION_IDENTIFIER, Unrepresentable,
};
use crate::x509::oid;
use crate::x509::payment_roles;
use crate::x509::policies::listed_policies;
use crate::x509::public_key::PublicKey;
use crate::x509::time::Timestamp;

pub use extensions::{ExtensionMap, ExtensionValue, IdentityExtensions, InvalidIdentityExtensions};

/// Contents of a verified client's certificate, and the trust anchor above it.
///
/// Only the verification of a client's certificate creates one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientIdentity {
    /// The certificate's subject; empty when only the alternative names identify.
    pub subject: DistinguishedName,
    /// The certificate's issuer.
    pub issuer: DistinguishedName,
    /// The serial number as the load balancer writes it: upper-case hexadecimal, two digits an
    /// octet.
    pub serial_number: String,
    /// Period of validity.
    pub validity: Validity,
    /// The subject alternative names in the order of the certificate.
    pub alternative_names: Vec<AlternativeName>,
    /// The SPIFFE id, if the certificate is an X509-SVID; otherwise absent, even when a `spiffe:`
    /// URI is there.
    pub spiffe_id: Option<String>,
    /// The subject's organizationIdentifier, such as `PSDDE-BAFIN-123456`.
    pub organization_identifier: Option<String>,
    /// The PSD2 roles of the QC statements (ETSI TS 119 495 §5.1): `PSP_AS`, `PSP_PI`, `PSP_AI`,
    /// `PSP_IC`, and others as dotted object identifiers.
    pub payment_roles: Vec<String>,
    /// The certificate policies, as dotted object identifiers.
    pub certificate_policies: Vec<String>,
    /// The values of the extensions that [`IdentityExtensions`] selects, in its order; those that
    /// the certificate does not have are left out.
    pub extensions: Arc<[ExtensionValue]>,
    /// Extensions that are not critical, cannot be read and decide nothing: what they would say is
    /// not here.
    pub unreadable_extensions: Vec<String>,
    /// Kind and size of the client's key.
    pub public_key: PublicKey,
    /// SHA-256 of the certificate; as base64url it is RFC 8705's `x5t#S256`.
    pub certificate_fingerprint: Fingerprint,
    /// SHA-256 of the SubjectPublicKeyInfo: stays the same when a certificate is renewed with the
    /// same key.
    pub public_key_fingerprint: Fingerprint,
    /// The trust anchor at the end of the path.
    pub anchor: Arc<TrustAnchor>,
    certificate: CertificateDer<'static>,
}

impl ClientIdentity {
    pub(crate) fn read(
        certificate: &Certificate<'_>,
        anchor: Arc<TrustAnchor>,
        selected: &IdentityExtensions,
    ) -> Result<Self, Rejection> {
        let unrepresentable = |error: Unrepresentable| {
            let rejection = certificate.reject(Reason::NameUnrepresentable);
            rejection.in_field(&error.place()).found(error.problem())
        };
        let name =
            |der, field| DistinguishedName::parse(der).map_err(|error| unrepresentable(error.inside(field)));
        let subject = name(certificate.subject, "the subject")?;
        let issuer = name(certificate.issuer, "the issuer")?;
        let extensions = &certificate.extensions;
        let alternative_names = match extensions.find(oid::SUBJECT_ALTERNATIVE_NAME) {
            None => Vec::new(),
            Some(extension) => AlternativeName::parse_all(extension.value).map_err(unrepresentable)?,
        };
        // RFC 5280 §4.1.2.6: an empty subject needs an alternative name. Without either, no policy
        // could tell this client from another.
        if says_nothing(&subject) && alternative_names.iter().all(is_nameless) {
            let rejection = certificate.reject(Reason::NameMissing);
            return Err(rejection.in_field("subject and subject alternative names"));
        }
        // Critical ones were read before.
        let unreadable_extensions = unreadable_information(certificate);
        let policies = extensions.find(oid::CERTIFICATE_POLICIES);
        let policies = policies.and_then(|extension| listed_policies(extension.value).ok());
        let policies = policies.unwrap_or_default().into_iter();
        let certificate_policies = policies.map(|policy| policy.to_string()).collect();
        let statements = extensions.find(oid::QC_STATEMENTS);
        let payment_roles = statements.and_then(|extension| payment_roles::read(extension.value).ok());
        Ok(Self {
            spiffe_id: spiffe_id(certificate, &alternative_names),
            organization_identifier: only_text(&subject, ORGANIZATION_IDENTIFIER),
            serial_number: upper_hexadecimal(certificate.serial_number),
            validity: certificate.validity,
            public_key: certificate.public_key,
            certificate_fingerprint: Fingerprint::of(certificate.der),
            public_key_fingerprint: Fingerprint::of(certificate.public_key_info.encoding),
            certificate: CertificateDer::from(certificate.der.to_vec()),
            subject,
            issuer,
            alternative_names,
            payment_roles: payment_roles.unwrap_or_default(),
            certificate_policies,
            extensions: selected.read(certificate)?,
            unreadable_extensions,
            anchor,
        })
    }

    /// Returns the end-entity certificate's DER encoding.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Returns the subject's only commonName; absent when there is none or more than one.
    pub fn common_name(&self) -> Option<String> {
        only_text(&self.subject, COMMON_NAME)
    }

    /// Returns the value of an extension of the certificate by its object identifier, as raw DER.
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<Vec<u8>> {
        let parsed = Certificate::parse(&self.certificate).ok()?;
        parsed
            .extensions
            .find(oid)
            .map(|extension| extension.value.to_vec())
    }

    /// Octets that this identity keeps allocated, its trust anchor left out: a short certificate
    /// can hold thousands of names.
    pub(crate) fn heap_bytes(&self) -> usize {
        let optional =
            |text: &Option<String>| text.as_ref().map_or(0, |text| heap::allocation(text.capacity()));
        // Shared: an `Arc` has two counters before the value.
        heap::allocation(size_of::<([usize; 2], Self)>())
            + self.subject.heap_bytes()
            + self.issuer.heap_bytes()
            + heap::allocation(self.serial_number.capacity())
            + heap::allocation(self.alternative_names.capacity() * size_of::<AlternativeName>())
            + self
                .alternative_names
                .iter()
                .map(AlternativeName::heap_bytes)
                .sum::<usize>()
            + optional(&self.spiffe_id)
            + optional(&self.organization_identifier)
            + heap::of_texts(&self.payment_roles)
            + heap::of_texts(&self.certificate_policies)
            + extensions::heap_bytes(&self.extensions)
            + heap::of_texts(&self.unreadable_extensions)
            + heap::allocation(self.certificate.len())
    }

    /// Returns the whole days until the certificate expires, negative when it has.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.validity.not_after.unix_seconds() - now.unix_seconds()).div_euclid(86_400)
    }
}

/// Returns true if a name has no attribute with a value.
fn says_nothing(name: &DistinguishedName) -> bool {
    let attributes = name.attributes();
    attributes.iter().all(|attribute| match &attribute.value {
        AttributeValue::Text(text) => text.trim().is_empty(),
        AttributeValue::Der(_) => false,
    })
}

fn is_nameless(name: &AlternativeName) -> bool {
    matches!(name, AlternativeName::Directory(name) if says_nothing(name))
}

/// Returns the text of an attribute that occurs once. With two, readers differ on which one counts,
/// so neither can be *the* identity.
fn only_text(name: &DistinguishedName, oid: ObjectIdentifier) -> Option<String> {
    match name.texts_of(oid).as_slice() {
        [text] => Some(text.to_string()),
        _ => None,
    }
}

/// Writes an INTEGER as OpenSSL does: a negative one with a sign, so that -1 and 255 differ.
pub(crate) fn upper_hexadecimal(serial_number: &[u8]) -> String {
    match serial_number {
        [0, rest @ ..] if !rest.is_empty() => base16ct::upper::encode_string(rest),
        [first, ..] if first & 0x80 != 0 => {
            let magnitude = base16ct::upper::encode_string(&negated(serial_number));
            format!("-{magnitude}")
        }
        all => base16ct::upper::encode_string(all),
    }
}

/// Returns the magnitude of a negative number in two's complement, in the fewest octets.
fn negated(number: &[u8]) -> Vec<u8> {
    let mut magnitude: Vec<u8> = number.iter().map(|octet| !octet).collect();
    for octet in magnitude.iter_mut().rev() {
        *octet = octet.wrapping_add(1);
        if *octet != 0 {
            break;
        }
    }
    // -128 is 80 in both.
    let zeros = magnitude.iter().take_while(|octet| **octet == 0).count();
    magnitude.drain(..zeros.min(magnitude.len().saturating_sub(1)));
    magnitude
}

/// Returns the SPIFFE id of an X509-SVID (SPIFFE X509-SVID §2 to §5 for leaf certificates): the
/// only URI name, without CA, key usage critical with digitalSignature and without keyCertSign and
/// cRLSign.
fn spiffe_id(certificate: &Certificate<'_>, names: &[AlternativeName]) -> Option<String> {
    let mut uris = names.iter().filter_map(|name| match name {
        AlternativeName::Uri(uri) => Some(uri),
        _ => None,
    });
    let (Some(uri), None) = (uris.next(), uris.next()) else {
        return None;
    };
    let usage = certificate.extensions.key_usage?;
    let usage_is_critical = certificate.extensions.find(oid::KEY_USAGE)?.critical;
    let may_identify = usage_is_critical
        && usage.allows_digital_signature()
        && !usage.allows_certificate_signing()
        && !usage.allows_crl_signing()
        && !certificate.is_authority();
    (may_identify && is_spiffe_id(uri)).then(|| uri.clone())
}

/// Returns true for the SPIFFE id of a workload (SPIFFE-ID §2): at most 2048 bytes, a lower-case
/// trust domain, a path of non-empty segments that are not dots.
pub fn is_spiffe_id(uri: &str) -> bool {
    let Some((trust_domain, path)) = uri
        .strip_prefix("spiffe://")
        .and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let domain_character =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    let path_character = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    uri.len() <= 2048
        && (1..=255).contains(&trust_domain.len())
        && trust_domain.bytes().all(domain_character)
        && path.split('/').all(|segment| {
            !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(path_character)
        })
}

impl serde::Serialize for ClientIdentity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("ClientIdentity", 17)?;
        object.serialize_field("subject", &self.subject)?;
        object.serialize_field("issuer", &self.issuer)?;
        object.serialize_field("serial_number", &self.serial_number)?;
        object.serialize_field("not_before", &self.validity.not_before)?;
        object.serialize_field("not_after", &self.validity.not_after)?;
        object.serialize_field("alternative_names", &self.alternative_names)?;
        object.serialize_field("spiffe_id", &self.spiffe_id)?;
        object.serialize_field("organization_identifier", &self.organization_identifier)?;
        object.serialize_field("payment_roles", &self.payment_roles)?;
        object.serialize_field("certificate_policies", &self.certificate_policies)?;
        object.serialize_field("extensions", &ExtensionMap(&self.extensions))?;
        object.serialize_field("unreadable_extensions", &self.unreadable_extensions)?;
        object.serialize_field("public_key", &self.public_key.to_string())?;
        object.serialize_field("certificate_sha256", &self.certificate_fingerprint)?;
        object.serialize_field("public_key_sha256", &self.public_key_fingerprint)?;
        object.serialize_field("x5t#S256", &self.certificate_fingerprint.to_base64url())?;
        object.serialize_field("anchor", &AnchorReference(&self.anchor))?;
        object.end()
    }
}

struct AnchorReference<'a>(&'a TrustAnchor);

impl serde::Serialize for AnchorReference<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("TrustAnchor", 2)?;
        object.serialize_field("id", &self.0.id())?;
        object.serialize_field("subject", self.0.subject())?;
        object.end()
    }
}
