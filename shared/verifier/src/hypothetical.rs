//! Certificates that a CA could issue: putting them to the rules shows what the clients of the CA will meet.
//!
//! They are only put to rules that follow the verification of signatures, so that their signature is empty.

use der::asn1::ObjectIdentifier;
use rustls_pki_types::CertificateDer;

use crate::x509::certificate::{Certificate, oid};
use crate::x509::der::{Elements, Malformed, Tag};

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Serial number that no CRL lists by chance.
const SERIAL_NUMBER: &[u8; 20] = b"hypothetical client.";

/// Content of the AlgorithmIdentifier of ecdsa-with-SHA256. No rule looks at it.
const ALGORITHM: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Returns a certificate without names that `issuer` could have issued, with these extensions.
pub(crate) fn certificate_below(issuer: &Certificate<'_>, extensions: &[Vec<u8>]) -> CertificateDer<'static> {
    let version = element(0xA0, &[&element(INTEGER, &[&[2]])]);
    let algorithm = element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[ALGORITHM.as_bytes()])]);
    // RFC 5280 §4.1.2.5: a certificate without a known end.
    let times =
        ["20000101000000Z", "99991231235959Z"].map(|time| element(GENERALIZED_TIME, &[time.as_bytes()]));
    let extensions = match extensions {
        [] => Vec::new(),
        extensions => element(0xA3, &[&element(SEQUENCE, &[&extensions.concat()])]),
    };
    let to_be_signed = element(
        SEQUENCE,
        &[
            &version,
            &element(INTEGER, &[SERIAL_NUMBER]),
            &algorithm,
            issuer.subject,
            &element(SEQUENCE, &[&times.concat()]),
            &element(SEQUENCE, &[]),
            issuer.public_key_info.encoding,
            &extensions,
        ],
    );
    let signature = element(BIT_STRING, &[&[0]]);
    CertificateDer::from(element(SEQUENCE, &[&to_be_signed, &algorithm, &signature]))
}

/// Returns the encoding of an extension.
pub(crate) fn extension(identifier: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    element(
        SEQUENCE,
        &[
            &element(OBJECT_IDENTIFIER, &[identifier.as_bytes()]),
            &element(OCTET_STRING, &[value]),
        ],
    )
}

/// Returns basic constraints that make the certificate a CA's.
pub(crate) fn authority() -> Vec<u8> {
    let constraints = element(SEQUENCE, &[&element(BOOLEAN, &[&[0xFF]])]);
    extension(oid::BASIC_CONSTRAINTS, &constraints)
}

/// Returns the certificate policies that a client below these CAs can have: first none, then any, then each that one of
/// the CAs names.
pub(crate) fn policies_below(authorities: &[Certificate<'_>]) -> Vec<Vec<Vec<u8>>> {
    let any_policy = oid::ANY_POLICY.as_bytes();
    let mut named: Vec<&[u8]> = Vec::new();
    for authority in authorities {
        for policy in named_policies(authority).unwrap_or_default() {
            if policy != any_policy && !named.contains(&policy) {
                named.push(policy);
            }
        }
    }
    let mut sets = vec![Vec::new(), vec![policies(&[any_policy])]];
    if !named.is_empty() {
        sets.push(vec![policies(&named)]);
    }
    sets
}

fn policies(identifiers: &[&[u8]]) -> Vec<u8> {
    let information = |identifier: &&[u8]| element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[*identifier])]);
    let all: Vec<u8> = identifiers.iter().flat_map(information).collect();
    extension(oid::CERTIFICATE_POLICIES, &element(SEQUENCE, &[&all]))
}

/// Policies of a CA and those that it maps them to (RFC 5280 §4.2.1.4 and §4.2.1.5).
fn named_policies<'a>(authority: &Certificate<'a>) -> Result<Vec<&'a [u8]>, Malformed> {
    let mut named = Vec::new();
    if let Some(extension) = authority.extensions.find(oid::CERTIFICATE_POLICIES) {
        let mut policies = Elements::inside(extension.value, Tag::SEQUENCE)?;
        while !policies.at_end() {
            let mut policy = Elements::new(policies.expect(Tag::SEQUENCE)?.content);
            named.push(policy.expect(Tag::OBJECT_IDENTIFIER)?.content);
        }
    }
    if let Some(extension) = authority.extensions.find(oid::POLICY_MAPPINGS) {
        let mut mappings = Elements::inside(extension.value, Tag::SEQUENCE)?;
        while !mappings.at_end() {
            let mut mapping = Elements::new(mappings.expect(Tag::SEQUENCE)?.content);
            mapping.expect(Tag::OBJECT_IDENTIFIER)?;
            named.push(mapping.expect(Tag::OBJECT_IDENTIFIER)?.content);
        }
    }
    Ok(named)
}

/// Returns the DER encoding of an element with a content of these parts (X.690 §8.1, §10.1).
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let octets = length.to_be_bytes();
    let first = octets
        .iter()
        .position(|octet| *octet != 0)
        .unwrap_or(octets.len() - 1);
    let shortest = octets.get(first..).unwrap_or_default();
    let mut encoding = vec![tag];
    if length > 0x7F {
        // At most eight octets.
        encoding.push(0x80 | u8::try_from(shortest.len()).unwrap_or_default());
    }
    encoding.extend_from_slice(shortest);
    for part in parts {
        encoding.extend_from_slice(part);
    }
    encoding
}
