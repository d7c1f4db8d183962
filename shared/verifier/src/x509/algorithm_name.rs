//! Names of signature algorithms and keys, for messages about those that are not supported.
//!
//! Each description ends with the object identifier, which is what an operator can search for in a
//! CA's configuration.

use std::fmt::Write;

use der::asn1::ObjectIdentifier;
use rustls_pki_types::SignatureVerificationAlgorithm;

use crate::signature::{ML_DSA_44, ML_DSA_65, ML_DSA_87};
use crate::x509::der::{Element, Elements, Malformed, Tag, context_tag};
use crate::x509::oid::dotted;
use crate::x509::public_key::bit_length;

/// Object identifier and the name that it has in messages.
type Named = (ObjectIdentifier, &'static str);

const fn named(oid: &str, name: &'static str) -> Named {
    (ObjectIdentifier::new_unwrap(oid), name)
}

/// RSASSA-PSS (RFC 4055 §3.1), whose parameters name the rest.
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
/// RSA with no more said (RFC 3279 §2.3.1).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// Elliptic curves with the curve as the parameter (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// Mask generation function of every RSASSA-PSS in use (RFC 4055 §2.2).
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");

/// Signature algorithms and algorithms of keys.
const ALGORITHMS: &[Named] = &[
    (RSA_ENCRYPTION, "RSA"),
    named("1.2.840.113549.1.1.2", "RSA with MD2"),
    named("1.2.840.113549.1.1.3", "RSA with MD4"),
    named("1.2.840.113549.1.1.4", "RSA with MD5"),
    named("1.2.840.113549.1.1.5", "RSA with SHA-1"),
    named("1.2.840.113549.1.1.7", "RSAES-OAEP"),
    (RSASSA_PSS, "RSASSA-PSS"),
    named("1.2.840.113549.1.1.11", "RSA with SHA-256"),
    named("1.2.840.113549.1.1.12", "RSA with SHA-384"),
    named("1.2.840.113549.1.1.13", "RSA with SHA-512"),
    named("1.2.840.113549.1.1.14", "RSA with SHA-224"),
    named("1.2.840.113549.1.1.15", "RSA with SHA-512/224"),
    named("1.2.840.113549.1.1.16", "RSA with SHA-512/256"),
    named("1.3.14.3.2.3", "RSA with MD5"),
    named("1.3.14.3.2.29", "RSA with SHA-1"),
    named("1.3.36.3.3.1.2", "RSA with RIPEMD-160"),
    named("2.16.840.1.101.3.4.3.13", "RSA with SHA3-224"),
    named("2.16.840.1.101.3.4.3.14", "RSA with SHA3-256"),
    named("2.16.840.1.101.3.4.3.15", "RSA with SHA3-384"),
    named("2.16.840.1.101.3.4.3.16", "RSA with SHA3-512"),
    (EC_PUBLIC_KEY, "EC"),
    named("1.2.840.10045.4.1", "ECDSA with SHA-1"),
    named("1.2.840.10045.4.3.1", "ECDSA with SHA-224"),
    named("1.2.840.10045.4.3.2", "ECDSA with SHA-256"),
    named("1.2.840.10045.4.3.3", "ECDSA with SHA-384"),
    named("1.2.840.10045.4.3.4", "ECDSA with SHA-512"),
    named("2.16.840.1.101.3.4.3.9", "ECDSA with SHA3-224"),
    named("2.16.840.1.101.3.4.3.10", "ECDSA with SHA3-256"),
    named("2.16.840.1.101.3.4.3.11", "ECDSA with SHA3-384"),
    named("2.16.840.1.101.3.4.3.12", "ECDSA with SHA3-512"),
    named("1.2.840.10040.4.1", "DSA"),
    named("1.2.840.10040.4.3", "DSA with SHA-1"),
    named("2.16.840.1.101.3.4.3.1", "DSA with SHA-224"),
    named("2.16.840.1.101.3.4.3.2", "DSA with SHA-256"),
    named("1.3.101.110", "X25519"),
    named("1.3.101.111", "X448"),
    named("1.3.101.112", "Ed25519"),
    named("1.3.101.113", "Ed448"),
    named("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    named("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    named("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
    named("2.16.840.1.101.3.4.3.32", "HashML-DSA-44 with SHA-512"),
    named("2.16.840.1.101.3.4.3.33", "HashML-DSA-65 with SHA-512"),
    named("2.16.840.1.101.3.4.3.34", "HashML-DSA-87 with SHA-512"),
    named("1.2.156.10197.1.501", "SM2 with SM3"),
    named("1.2.643.7.1.1.3.2", "GOST R 34.10-2012 with 256 bits"),
    named("1.2.643.7.1.1.3.3", "GOST R 34.10-2012 with 512 bits"),
];

/// Hash functions that RSASSA-PSS parameters name.
const HASHES: &[Named] = &[
    named("1.2.840.113549.2.5", "MD5"),
    named("1.3.14.3.2.26", "SHA-1"),
    named("2.16.840.1.101.3.4.2.1", "SHA-256"),
    named("2.16.840.1.101.3.4.2.2", "SHA-384"),
    named("2.16.840.1.101.3.4.2.3", "SHA-512"),
    named("2.16.840.1.101.3.4.2.4", "SHA-224"),
    named("2.16.840.1.101.3.4.2.5", "SHA-512/224"),
    named("2.16.840.1.101.3.4.2.6", "SHA-512/256"),
    named("2.16.840.1.101.3.4.2.8", "SHA3-256"),
    named("2.16.840.1.101.3.4.2.9", "SHA3-384"),
    named("2.16.840.1.101.3.4.2.10", "SHA3-512"),
];

/// Named elliptic curves.
const CURVES: &[Named] = &[
    named("1.2.840.10045.3.1.1", "P-192"),
    named("1.2.840.10045.3.1.7", "P-256"),
    named("1.3.132.0.33", "P-224"),
    named("1.3.132.0.34", "P-384"),
    named("1.3.132.0.35", "P-521"),
    named("1.3.132.0.10", "secp256k1"),
    named("1.3.36.3.3.2.8.1.1.1", "brainpoolP160r1"),
    named("1.3.36.3.3.2.8.1.1.3", "brainpoolP192r1"),
    named("1.3.36.3.3.2.8.1.1.5", "brainpoolP224r1"),
    named("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    named("1.3.36.3.3.2.8.1.1.8", "brainpoolP256t1"),
    named("1.3.36.3.3.2.8.1.1.9", "brainpoolP320r1"),
    named("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
    named("1.3.36.3.3.2.8.1.1.12", "brainpoolP384t1"),
    named("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
    named("1.3.36.3.3.2.8.1.1.14", "brainpoolP512t1"),
    named("1.2.156.10197.1.301", "SM2"),
    named("1.2.250.1.223.101.256.1", "FRP256v1"),
];

/// Describes the signature algorithm of an AlgorithmIdentifier, given by its content, with the
/// parameters that matter.
pub(crate) fn describe_signature_algorithm(identifier: &[u8]) -> String {
    let Ok((oid, parameters)) = read(identifier) else {
        return UNREADABLE.to_owned();
    };
    let mut text = name_of(oid, ALGORITHMS);
    if oid == RSASSA_PSS.as_bytes() {
        match parameters.map(describe_pss) {
            None => text.push_str(", without parameters"),
            Some(Ok(particulars)) => text.push_str(&particulars),
            Some(Err(Malformed)) => text.push_str(", with parameters that cannot be read"),
        }
    } else {
        push_parameters(&mut text, parameters);
    }
    text
}

/// Describes a key by the content of its AlgorithmIdentifier and the octets of the key.
pub(crate) fn describe_key(identifier: &[u8], key: &[u8]) -> String {
    let Ok((oid, parameters)) = read(identifier) else {
        return UNREADABLE.to_owned();
    };
    if oid == EC_PUBLIC_KEY.as_bytes() {
        return match parameters {
            Some(curve) if curve.tag == Tag::OBJECT_IDENTIFIER => {
                format!("an EC key on {}", name_of(curve.content, CURVES))
            }
            Some(curve) if curve.tag == Tag::SEQUENCE => {
                format!("an EC key with explicit parameters instead of a named curve ({EC_PUBLIC_KEY})")
            }
            _ => format!("an EC key without a named curve ({EC_PUBLIC_KEY})"),
        };
    }
    let mut text = match modulus_bits(key) {
        Ok(bits) if oid == RSA_ENCRYPTION.as_bytes() => {
            format!("an RSA key of {bits} bits ({RSA_ENCRYPTION})")
        }
        _ => format!("a key of {}", name_of(oid, ALGORITHMS)),
    };
    push_parameters(&mut text, parameters);
    let ml_dsa = [ML_DSA_44, ML_DSA_65, ML_DSA_87];
    if let Some(ml_dsa) = ml_dsa
        .iter()
        .find(|known| known.public_key_alg_id().as_ref() == identifier)
        && key.len() != ml_dsa.key_length()
    {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            " with {} octets, where it has {}",
            key.len(),
            ml_dsa.key_length()
        );
    }
    if oid == RSA_ENCRYPTION.as_bytes() && parameters.is_none() {
        text.push_str(" without the NULL parameters of RFC 3279");
    }
    text
}

const UNREADABLE: &str = "an algorithm whose identifier cannot be read";

/// Reads object identifier and parameters of an AlgorithmIdentifier (RFC 5280 §4.1.1.2).
fn read(identifier: &[u8]) -> Result<(&[u8], Option<Element<'_>>), Malformed> {
    let mut fields = Elements::new(identifier);
    let oid = fields.expect(Tag::OBJECT_IDENTIFIER)?.content;
    let parameters = if fields.at_end() {
        None
    } else {
        Some(fields.next_element()?)
    };
    fields.finish()?;
    Ok((oid, parameters))
}

/// Returns the name from a table and the identifier in dotted form.
fn name_of(oid: &[u8], table: &[Named]) -> String {
    let known = table.iter().find(|(known, _)| known.as_bytes() == oid);
    match known {
        Some((oid, name)) => format!("{name} ({oid})"),
        None => format!("an unknown algorithm ({})", dotted(oid)),
    }
}

/// Encoding of NULL (X.690 §8.8).
const NULL: [u8; 2] = [0x05, 0x00];

/// NULL, and none at all, are the usual parameters; which of them is right depends on the
/// algorithm.
fn push_parameters(text: &mut String, parameters: Option<Element<'_>>) {
    match parameters {
        None => {}
        Some(parameters) if parameters.encoding == NULL => {
            let has_none = ["ECDSA", "Ed", "ML-DSA", "a key of ML-DSA"];
            let has_none = has_none.iter().any(|name| text.starts_with(name));
            text.push_str(if has_none {
                " with NULL parameters, where it has none"
            } else {
                ""
            });
        }
        Some(_) => text.push_str(" with parameters that it does not have"),
    }
}

/// Describes RSASSA-PSS-params (RFC 4055 §3.1), whose fields have defaults.
fn describe_pss(parameters: Element<'_>) -> Result<String, Malformed> {
    const SHA_1: &str = "SHA-1 by default";

    if parameters.tag != Tag::SEQUENCE {
        return Err(Malformed);
    }
    let mut fields = Elements::new(parameters.content);
    let hash = match fields.optional(context_tag(0, true))? {
        None => SHA_1.to_owned(),
        Some(explicit) => hash_of(explicit.content)?,
    };
    let mask = match fields.optional(context_tag(1, true))? {
        None => format!("MGF1 with {SHA_1}"),
        Some(explicit) => {
            let mut inner = Elements::inside(explicit.content, Tag::SEQUENCE)?;
            let function = inner.expect(Tag::OBJECT_IDENTIFIER)?.content;
            let hash = inner.next_element()?.encoding;
            inner.finish()?;
            if function == MGF1.as_bytes() {
                format!("MGF1 with {}", hash_of(hash)?)
            } else {
                name_of(function, &[])
            }
        }
    };
    let salt = integer(&mut fields, 2)?.unwrap_or_else(|| "20".to_owned());
    let trailer = integer(&mut fields, 3)?;
    fields.finish()?;
    let mut text = format!(", {hash}, {mask}, a salt of {salt} octets");
    if let Some(trailer) = trailer.filter(|trailer| trailer != "1") {
        // Writing to a string does not fail.
        let _ = write!(text, ", trailer field {trailer}");
    }
    Ok(text)
}

fn hash_of(identifier: &[u8]) -> Result<String, Malformed> {
    let mut fields = Elements::inside(identifier, Tag::SEQUENCE)?;
    let oid = fields.expect(Tag::OBJECT_IDENTIFIER)?.content;
    let known = HASHES.iter().find(|(known, _)| known.as_bytes() == oid);
    Ok(known.map_or_else(|| name_of(oid, &[]), |(_, name)| (*name).to_owned()))
}

fn integer(fields: &mut Elements<'_>, number: u8) -> Result<Option<String>, Malformed> {
    let Some(explicit) = fields.optional(context_tag(number, true))? else {
        return Ok(None);
    };
    let content = crate::x509::der::single(explicit.content, Tag::INTEGER)?;
    let value = crate::x509::der::small_unsigned(content);
    Ok(Some(value.map_or_else(
        |Malformed| format!("0x{}", base16ct::lower::encode_string(content)),
        |value| value.to_string(),
    )))
}

/// Bits of the modulus of an RSAPublicKey (RFC 3279 §2.3.1).
fn modulus_bits(key: &[u8]) -> Result<usize, Malformed> {
    let mut numbers = Elements::inside(key, Tag::SEQUENCE)?;
    Ok(bit_length(numbers.expect(Tag::INTEGER)?.content))
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::alg_id;

    use super::*;

    fn identifier(oid: &str, parameters: &[u8]) -> Vec<u8> {
        let oid = ObjectIdentifier::new_unwrap(oid);
        let length = u8::try_from(oid.as_bytes().len()).unwrap();
        [&[0x06, length], oid.as_bytes(), parameters].concat()
    }

    #[test]
    fn signature_algorithms_have_a_name_and_an_identifier() {
        for (oid, parameters, expected) in [
            (
                "1.2.840.10045.4.1",
                &[][..],
                "ECDSA with SHA-1 (1.2.840.10045.4.1)",
            ),
            (
                "1.2.840.113549.1.1.4",
                &[5, 0],
                "RSA with MD5 (1.2.840.113549.1.1.4)",
            ),
            ("1.3.101.113", &[], "Ed448 (1.3.101.113)"),
            (
                "2.16.840.1.101.3.4.3.18",
                &[5, 0],
                "ML-DSA-65 (2.16.840.1.101.3.4.3.18) with NULL parameters, where it has none",
            ),
            (
                "2.16.840.1.101.3.4.3.33",
                &[],
                "HashML-DSA-65 with SHA-512 (2.16.840.1.101.3.4.3.33)",
            ),
            (
                "1.2.840.10045.4.3.2",
                &[5, 0],
                "ECDSA with SHA-256 (1.2.840.10045.4.3.2) with NULL parameters, where it has none",
            ),
            (
                "1.2.840.113549.1.1.11",
                &[2, 1, 1],
                "RSA with SHA-256 (1.2.840.113549.1.1.11) with parameters that it does not have",
            ),
            ("1.2.3.4", &[], "an unknown algorithm (1.2.3.4)"),
        ] {
            assert_eq!(
                describe_signature_algorithm(&identifier(oid, parameters)),
                expected
            );
        }
        assert_eq!(describe_signature_algorithm(&[0x06, 0x01]), UNREADABLE);
    }

    #[test]
    fn pss_is_described_with_its_parameters_and_their_defaults() {
        assert_eq!(
            describe_signature_algorithm(alg_id::RSA_PSS_SHA256.as_ref()),
            "RSASSA-PSS (1.2.840.113549.1.1.10), SHA-256, MGF1 with SHA-256, a salt of 32 octets"
        );
        let pss = |parameters: &[u8]| {
            describe_signature_algorithm(&identifier("1.2.840.113549.1.1.10", parameters))
        };
        assert_eq!(
            pss(&[0x30, 0]),
            "RSASSA-PSS (1.2.840.113549.1.1.10), SHA-1 by default, MGF1 with SHA-1 by default, a salt of 20 octets"
        );
        assert!(pss(&[0x30, 5, 0xA2, 3, 2, 1, 62]).ends_with("a salt of 62 octets"));
        assert!(pss(&[0x30, 5, 0xA3, 3, 2, 1, 2]).ends_with("trailer field 2"));
        assert!(pss(&[0x30, 1, 0]).ends_with("with parameters that cannot be read"));
        assert!(pss(&[]).ends_with("without parameters"));
    }

    #[test]
    fn keys_are_described_by_size_and_curve() {
        let curve = |oid: &str| {
            let parameters = identifier(oid, &[]);
            describe_key(&identifier("1.2.840.10045.2.1", &parameters), &[4])
        };
        assert_eq!(
            curve("1.3.36.3.3.2.8.1.1.7"),
            "an EC key on brainpoolP256r1 (1.3.36.3.3.2.8.1.1.7)"
        );
        assert_eq!(curve("1.3.132.0.10"), "an EC key on secp256k1 (1.3.132.0.10)");
        assert_eq!(
            describe_key(&identifier("1.2.840.10045.2.1", &[0x30, 0]), &[4]),
            "an EC key with explicit parameters instead of a named curve (1.2.840.10045.2.1)"
        );
        let modulus = [&[0x30, 7, 2, 2, 0x03, 0xFF, 2, 1, 3][..]].concat();
        assert_eq!(
            describe_key(alg_id::RSA_ENCRYPTION.as_ref(), &modulus),
            "an RSA key of 10 bits (1.2.840.113549.1.1.1)"
        );
        assert!(
            describe_key(&identifier("1.2.840.113549.1.1.1", &[]), &modulus)
                .ends_with("without the NULL parameters of RFC 3279")
        );
        assert_eq!(
            describe_key(&identifier("1.3.101.112", &[]), &[0; 32]),
            "a key of Ed25519 (1.3.101.112)"
        );
        let ml_dsa = |octets| describe_key(alg_id::ML_DSA_44.as_ref(), &vec![1; octets]);
        assert_eq!(ml_dsa(1_312), "a key of ML-DSA-44 (2.16.840.1.101.3.4.3.17)");
        assert_eq!(
            ml_dsa(1_311),
            "a key of ML-DSA-44 (2.16.840.1.101.3.4.3.17) with 1311 octets, where it has 1312"
        );
    }
}
