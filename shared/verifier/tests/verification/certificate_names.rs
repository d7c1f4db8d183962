//! Names of the certificates of a path, and the forms of a certificate that its client can make.

use alb_mtls_verifier::{CertificateNames, Fingerprint};
use test_pki::der::Encode;
use test_pki::{Certificate, Credential, KeyKind};

use crate::support::{Scene, client, der, intermediate, root, tlv};

/// Order of P-256 (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC,
    0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// Returns the certificate with the signature `(r, n - s)` in the place of `(r, s)`, which takes no
/// key. That the verifier accepts it shows that it is right.
fn twin(certificate: &Certificate) -> Certificate {
    let signed = certificate.signed().unwrap();
    let signature = signed.signature.raw_bytes();
    let r = &signature[2..4 + usize::from(signature[3])];
    let s = &signature[2 + r.len() + 2..];
    let mut padded = [0; 32];
    let s = &s[s.len().saturating_sub(32)..];
    padded[32 - s.len()..].copy_from_slice(s);
    let mut other = ORDER.to_vec();
    let mut borrow = 0;
    for (octet, subtrahend) in other.iter_mut().zip(padded).rev() {
        let difference = i32::from(*octet) - i32::from(subtrahend) - borrow;
        borrow = i32::from(difference < 0);
        *octet = difference.rem_euclid(256).try_into().unwrap();
    }
    while other[0] == 0 {
        other.remove(0);
    }
    if other[0] >= 0x80 {
        other.insert(0, 0);
    }
    let signature = tlv(0x30, &[r.to_vec(), tlv(2, &other)].concat());
    let tbs = certificate.tbs().unwrap().to_der().unwrap();
    let algorithm = signed.algorithm.to_der().unwrap();
    let bits = tlv(3, &[vec![0], signature].concat());
    Certificate::from_der(tlv(0x30, &[tbs, algorithm, bits].concat()))
}

fn names(certificate: &Certificate) -> CertificateNames {
    CertificateNames::read(&der(certificate)).unwrap()
}

#[test]
fn both_forms_of_an_ecdsa_signature_are_accepted_and_have_the_same_fingerprints() {
    let root = root();
    for _ in 0..20 {
        let client = client(&root);
        let twin = twin(client.certificate());
        assert_ne!(twin.der(), client.der());
        Scene::trusting([&root]).accepts([&twin]);
        for (one, other) in [(client.certificate(), &twin), (&twin, client.certificate())] {
            assert!(names(one).fingerprints().contains(&Fingerprint::of(other.der())));
        }
        assert_eq!(names(&twin).fingerprints()[0], Fingerprint::of(twin.der()));
    }
}

#[test]
fn names_of_a_path_are_those_of_client_intermediate_and_anchor() {
    let root = root();
    let issuing = intermediate(&root);
    let client = client(&issuing);
    let verified = Scene::trusting([&root]).accepts([&client, &issuing]);
    let found: Vec<Fingerprint> = verified
        .path_names()
        .unwrap()
        .iter()
        .map(|names| names.fingerprints()[0])
        .collect();
    let expected = [&client, &issuing, &root].map(|one: &Credential| Fingerprint::of(one.der()));
    assert_eq!(found, expected);
    let identity = verified.identity();
    let own = &verified.path_names().unwrap()[0];
    assert_eq!(own.public_key_fingerprint(), identity.public_key_fingerprint);
    assert!(
        own.can_be_issued_by(&identity.issuer)
            && own.can_be_issued_by(&identity.issuer.to_string().parse().unwrap())
    );
    assert!(!own.can_be_issued_by(&identity.subject));
}

#[test]
fn a_signature_without_a_second_form_has_one_fingerprint() {
    let root = test_pki::CertificateBuilder::root("CN=Root")
        .key_kind(KeyKind::Rsa2048)
        .self_signed()
        .unwrap();
    let client = client(&root);
    assert_eq!(names(client.certificate()).fingerprints().len(), 1);
}

#[test]
fn a_serial_number_has_every_spelling_that_an_operator_can_meet() {
    let root = root();
    for (octets, spellings) in [
        (&[0x0A, 0xBC][..], &["ABC"][..]),
        (&[0, 0x8A], &["8A"]),
        (&[0], &["0"]),
        // Negative, as some CAs have it by leaving out a zero.
        (&[0x8A], &["-76", "8A"]),
    ] {
        let client = test_pki::CertificateBuilder::client("CN=client")
            .serial_bytes(octets)
            .issued_by(&root)
            .unwrap();
        assert_eq!(names(client.certificate()).serial_numbers(), spellings);
    }
}

#[test]
fn uris_are_named_and_other_names_are_not() {
    let root = root();
    let client = test_pki::CertificateBuilder::client("CN=client")
        .dns("client.example")
        .uri("spiffe://example.org/client")
        .uri("urn:client:1")
        .issued_by(&root)
        .unwrap();
    let expected = ["spiffe://example.org/client", "urn:client:1"];
    assert_eq!(names(client.certificate()).uris(), expected);
}
