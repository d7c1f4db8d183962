//! Keys, algorithms and signatures.

use crate::choices::Choices;
use crate::der::{self, INTEGER, bits, sequence, tlv};
use crate::keys::{KeyName, Keys};
use crate::scene::{Place, Scene};
use crate::values::{ECDSA_WITH_SHA2, algorithm as identifier, null};

/// Content of the object identifiers of RSA and of elliptic-curve keys, and of the curve P-256.
const RSA: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
const ELLIPTIC_CURVE: [u8; 7] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
const P256: [u8; 8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
const P384: [u8; 5] = [0x2B, 0x81, 4, 0, 34];
const SHA1_WITH_ECDSA: [u8; 7] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1];
const SHA256_WITH_RSA: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11];
const MD5_WITH_RSA: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 4];

/// AlgorithmIdentifiers in one place or in both.
pub(super) fn algorithm(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let [first @ .., _] = ECDSA_WITH_SHA2;
    let with_digest = |digest: u8| [first.as_slice(), &[digest]].concat();
    let algorithms = [
        ("null_parameters", identifier(&ECDSA_WITH_SHA2, &null())),
        ("curve_parameters", identifier(&ECDSA_WITH_SHA2, &der::oid(&P256))),
        ("ecdsa_sha1", identifier(&SHA1_WITH_ECDSA, &[])),
        ("ecdsa_sha384", identifier(&with_digest(3), &[])),
        ("ecdsa_sha224", identifier(&with_digest(1), &[])),
        ("rsa_sha256", identifier(&SHA256_WITH_RSA, &null())),
        ("rsa_md5", identifier(&MD5_WITH_RSA, &null())),
        ("unknown", identifier(&[0x2A, 3, 4], &[])),
        ("empty", sequence([])),
        ("not_a_sequence", null()),
    ];
    let (what, algorithm) = choices.one_of(&algorithms)?;
    let (place, certificate) = scene.certificate(choices)?;
    let where_to = choices.below(3);
    if where_to != 1 {
        certificate.seal.inner = Some(algorithm.clone());
    }
    if where_to != 0 {
        certificate.seal.outer = Some(algorithm);
    }
    let field = ["inner", "outer", "both"].get(where_to)?;
    Some(format!("{}/{field}_{what}", place.name()))
}

pub(super) fn signature(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let (zero, one) = (tlv(INTEGER, [0]), tlv(INTEGER, [1]));
    let of = |content: Vec<u8>| [vec![0], content].concat();
    let signatures = [
        ("empty", of(Vec::new())),
        ("zero", of(sequence([&zero, &zero]))),
        ("one", of(sequence([&one, &one]))),
        ("garbage", of(vec![choices.octet(); 70])),
        ("without_unused_bits", Vec::new()),
        ("unused_bits", vec![1, 0xFE]),
    ];
    let (place, certificate) = scene.certificate(choices)?;
    let what = match choices.below(4) {
        0 => {
            certificate.seal.signer = KeyName::Stranger;
            "by_stranger"
        }
        1 => {
            certificate.seal.signer = certificate.key;
            "by_own_key"
        }
        2 => {
            // An issuer of the same name with another key.
            certificate.seal.signer = KeyName::Other;
            "by_other_key"
        }
        _ => {
            let (what, signature) = choices.one_of(&signatures)?;
            certificate.seal.signature = Some(signature);
            what
        }
    };
    Some(format!("{}/{what}", place.name()))
}

/// Replaces a public key by one of another kind, or by one that proves nothing. An issuer signs
/// with its new key if it can.
pub(super) fn key(scene: &mut Scene, choices: &mut Choices, keys: &Keys) -> Option<String> {
    let kinds = [
        ("p384", KeyName::P384),
        ("p521", KeyName::P521),
        ("ed25519", KeyName::Ed25519),
        ("other_p256", KeyName::Other),
    ];
    if choices.one_in(2) {
        let (what, key) = choices.one_of(&kinds)?;
        let place = set_key(scene, choices, key)?;
        return Some(format!("{}/{what}", place.name()));
    }
    let known = keys.info(KeyName::Other);
    let point = known.get(known.len().saturating_sub(65)..)?;
    let curve =
        |parameters: &[u8], point: &[u8]| sequence([&identifier(&ELLIPTIC_CURVE, parameters), &bits(point)]);
    let named = der::oid(&P256);
    let mut off_curve = point.to_vec();
    *off_curve.last_mut()? ^= 1;
    let modulus = |octets: usize, last: u8| {
        let body = vec![0xC5; octets.saturating_sub(1)];
        tlv(INTEGER, [&[0], body.as_slice(), &[last]].concat())
    };
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let key = sequence([modulus, &tlv(INTEGER, exponent)]);
        sequence([&identifier(&RSA, &null()), &bits(&key)])
    };
    let usual = [1, 0, 1];
    let infos = [
        ("rsa_2048", rsa(&modulus(256, 0xC5), &usual)),
        ("rsa_1024", rsa(&modulus(128, 0xC5), &usual)),
        ("rsa_16384", rsa(&modulus(2_048, 0xC5), &usual)),
        ("rsa_even_modulus", rsa(&modulus(256, 0xC4), &usual)),
        ("rsa_exponent_1", rsa(&modulus(256, 0xC5), &[1])),
        ("rsa_exponent_even", rsa(&modulus(256, 0xC5), &[2])),
        ("rsa_exponent_negative", rsa(&modulus(256, 0xC5), &[0xFF])),
        (
            "rsa_without_null",
            sequence([
                &identifier(&RSA, &[]),
                &bits(&sequence([&modulus(256, 0xC5), &tlv(INTEGER, usual)])),
            ]),
        ),
        ("off_curve", curve(&named, &off_curve)),
        ("infinity", curve(&named, &[0])),
        ("compressed", curve(&named, &[&[2], point.get(1..33)?].concat())),
        ("hybrid", curve(&named, &[&[6], point.get(1..)?].concat())),
        ("other_curve", curve(&der::oid(&P384), point)),
        ("without_curve", curve(&[], point)),
        // CVE-2020-0601 and CVE-2021-3450: parameters that an attacker chose.
        ("explicit_curve", curve(&explicit_p256(point), point)),
        (
            "unknown",
            sequence([&identifier(&[0x2A, 3, 4], &[]), &bits(point)]),
        ),
        ("empty", sequence([])),
    ];
    let (what, info) = choices.one_of(&infos)?;
    let (place, certificate) = scene.certificate(choices)?;
    certificate.key_info = Some(info);
    Some(format!("{}/{what}", place.name()))
}

/// Gives a certificate another key, with which it signs what it issued.
fn set_key(scene: &mut Scene, choices: &mut Choices, key: KeyName) -> Option<Place> {
    let (place, certificate) = scene.certificate(choices)?;
    let before = certificate.key;
    certificate.key = key;
    if place != Place::Client {
        let certificates = scene.presented.iter_mut().chain(&mut scene.anchors);
        for seal in certificates.map(|certificate| &mut certificate.seal) {
            if seal.signer == before {
                seal.signer = key;
            }
        }
        for list in scene.lists.iter_mut().flatten() {
            if list.seal.signer == before {
                list.seal.signer = key;
            }
        }
    }
    Some(place)
}

/// Returns the parameters of P-256 in full, with the point as the generator.
fn explicit_p256(generator: &[u8]) -> Vec<u8> {
    let prime = [
        0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    ];
    let [first @ .., _] = prime;
    let a = [first.as_slice(), &[0xFC]].concat();
    let b = [
        0x5A, 0xC6, 0x35, 0xD8, 0xAA, 0x3A, 0x93, 0xE7, 0xB3, 0xEB, 0xBD, 0x55, 0x76, 0x98, 0x86, 0xBC, 0x65,
        0x1D, 0x06, 0xB0, 0xCC, 0x53, 0xB0, 0xF6, 0x3B, 0xCE, 0x3C, 0x3E, 0x27, 0xD2, 0x60, 0x4B,
    ];
    let order = [
        0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
        0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ];
    let positive = |number: &[u8]| tlv(INTEGER, [&[0], number].concat());
    let prime_field = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 1, 1];
    sequence([
        &der::integer(1),
        &sequence([&der::oid(&prime_field), &positive(&prime)]),
        &sequence([&tlv(der::OCTET_STRING, a), &tlv(der::OCTET_STRING, b)]),
        &tlv(der::OCTET_STRING, generator),
        &positive(&order),
        &der::integer(1),
    ])
}
