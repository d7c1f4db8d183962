//! Certificates that a CA could issue: putting them to the rules shows what the clients of the CA
//! will meet.
//!
//! They are only put to rules that follow the verification of signatures, so that their signature
//! is empty.

use der::asn1::ObjectIdentifier;
use rustls_pki_types::CertificateDer;

use crate::signature::{LISTED_ALGORITHMS, SignatureAlgorithms};
use crate::x509::certificate::Certificate;
use crate::x509::der::{Elements, Malformed, Tag, context_tag, encode};
use crate::x509::oid;

/// Serial number that no CRL lists by chance.
const SERIAL_NUMBER: &[u8; 20] = b"hypothetical client.";

/// Returns a certificate without names that `issuer` could have issued, with these extensions. It
/// is signed with an allowed algorithm, unless the issuer's key is for none of them.
pub(crate) fn certificate_below(
    issuer: &Certificate<'_>,
    extensions: &[Vec<u8>],
    allowed: SignatureAlgorithms,
) -> CertificateDer<'static> {
    let version = encode(context_tag(0, true), &[&encode(Tag::INTEGER, &[&[2]])]);
    let algorithm = encode(Tag::SEQUENCE, &[&algorithm_of(issuer, allowed)]);
    // RFC 5280 §4.1.2.5: a certificate without a known end.
    let times =
        ["20000101000000Z", "99991231235959Z"].map(|time| encode(Tag::GENERALIZED_TIME, &[time.as_bytes()]));
    let extensions = match extensions {
        [] => Vec::new(),
        extensions => encode(
            context_tag(3, true),
            &[&encode(Tag::SEQUENCE, &[&extensions.concat()])],
        ),
    };
    let to_be_signed = encode(
        Tag::SEQUENCE,
        &[
            &version,
            &encode(Tag::INTEGER, &[SERIAL_NUMBER]),
            &algorithm,
            issuer.subject,
            &encode(Tag::SEQUENCE, &[&times.concat()]),
            &encode(Tag::SEQUENCE, &[]),
            issuer.public_key_info.encoding,
            &extensions,
        ],
    );
    // No rule reads it: signatures are verified by the search, which never sees this certificate.
    let signature = encode(Tag::BIT_STRING, &[&[0]]);
    CertificateDer::from(encode(Tag::SEQUENCE, &[&to_be_signed, &algorithm, &signature]))
}

/// Returns the content of an AlgorithmIdentifier that the issuer's key can sign with.
fn algorithm_of(issuer: &Certificate<'_>, allowed: SignatureAlgorithms) -> Vec<u8> {
    let possible = LISTED_ALGORITHMS.iter().filter(|listed| {
        listed.implementation.public_key_alg_id().as_ref() == issuer.public_key_info.algorithm
    });
    let best = possible.max_by_key(|listed| allowed.contains(listed.name));
    best.map(|listed| listed.implementation.signature_alg_id().as_ref().to_vec())
        .unwrap_or_default()
}

/// Returns the encoding of an extension.
pub(crate) fn extension(identifier: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    encode(
        Tag::SEQUENCE,
        &[
            &encode(Tag::OBJECT_IDENTIFIER, &[identifier.as_bytes()]),
            &encode(Tag::OCTET_STRING, &[value]),
        ],
    )
}

/// Returns basic constraints that make the certificate a CA's.
pub(crate) fn authority() -> Vec<u8> {
    let constraints = encode(Tag::SEQUENCE, &[&encode(Tag::BOOLEAN, &[&[0xFF]])]);
    extension(oid::BASIC_CONSTRAINTS, &constraints)
}

/// Returns the certificate policies that a client below these CAs can have: first none, then any,
/// then each that one of the CAs names.
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
    let information =
        |identifier: &&[u8]| encode(Tag::SEQUENCE, &[&encode(Tag::OBJECT_IDENTIFIER, &[*identifier])]);
    let all: Vec<u8> = identifiers.iter().flat_map(information).collect();
    extension(oid::CERTIFICATE_POLICIES, &encode(Tag::SEQUENCE, &[&all]))
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
