//! Signatures that are not supported: named with whose they are, and not taken for altered ones.

use alb_mtls_verifier::{ListSignatureError, ListStanding, Reason};
use test_pki::{CertificateBuilder, Credential, Crl, CrlBuilder, KeyKind, SignatureAlgorithm};

use crate::openssl::{NUMBERED, OpensslCa, P256, RSA_2048};
use crate::support::{Pki, STRICT, anchors, chain, daily, load, long_lived, standings, timestamp, verifier};

/// Returns the obstacle in a list that `openssl ca -gencrl` signs like this.
fn obstacle(key: &[&str], arguments: &[&str]) -> String {
    let ca = OpensslCa::new(key);
    let lists = ca.lists(&ca.crl(NUMBERED, arguments));
    match &standings(&lists)[..] {
        [ListStanding::SignatureUnsupported(ListSignatureError::Algorithm { algorithm })] => {
            algorithm.clone()
        }
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[test]
fn hashes_and_paddings_that_are_not_supported_are_named() {
    assert_eq!(
        obstacle(P256, &["-md", "sha1"]),
        "ECDSA with SHA-1 (1.2.840.10045.4.1)"
    );
    assert_eq!(
        obstacle(P256, &["-md", "sha224"]),
        "ECDSA with SHA-224 (1.2.840.10045.4.3.1)"
    );
    let rsa = |digest| obstacle(RSA_2048, &["-md", digest]);
    assert_eq!(rsa("sha1"), "RSA with SHA-1 (1.2.840.113549.1.1.5)");
    assert_eq!(rsa("md5"), "RSA with MD5 (1.2.840.113549.1.1.4)");
    let pss = |digest, mask| {
        let mask = format!("rsa_mgf1_md:{mask}");
        let options = [
            "-md",
            digest,
            "-sigopt",
            "rsa_padding_mode:pss",
            "-sigopt",
            &mask,
            "-sigopt",
            SALT_OF_20,
        ];
        obstacle(RSA_2048, &options)
    };
    assert_eq!(
        pss("sha256", "sha1"),
        "RSASSA-PSS (1.2.840.113549.1.1.10), SHA-256, MGF1 with SHA-1 by default, a salt of 20 octets"
    );
    assert_eq!(
        pss("sha1", "sha1"),
        "RSASSA-PSS (1.2.840.113549.1.1.10), SHA-1 by default, MGF1 with SHA-1 by default, a salt of 20 octets"
    );
}

const SALT_OF_20: &str = "rsa_pss_saltlen:20";

#[test]
fn pss_verifies_with_salts_of_any_length() {
    let ca = OpensslCa::new(RSA_2048);
    for (digest, salt) in [
        ("sha256", "rsa_pss_saltlen:32"),
        ("sha384", "rsa_pss_saltlen:48"),
        ("sha512", "rsa_pss_saltlen:64"),
        ("sha256", SALT_OF_20),
        ("sha256", "rsa_pss_saltlen:max"),
    ] {
        let options = ["-md", digest, "-sigopt", "rsa_padding_mode:pss", "-sigopt", salt];
        let crl = ca.crl(NUMBERED, &options);
        assert_eq!(standings(&ca.lists(&crl)), [ListStanding::Verified], "{digest}");
    }
}

/// A list in the name of the issuing CA, signed by another one of that name.
fn in_its_name(kind: KeyKind, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    let other = long_lived(CertificateBuilder::intermediate(
        "CN=Serverless Issuing CA,O=Example",
    ))
    .key_kind(kind)
    .self_signed()
    .unwrap();
    change(daily(CrlBuilder::new())).issued_by(&other).unwrap()
}

/// A list with this AlgorithmIdentifier in both places.
fn with_algorithm(authority: &Credential, content: &[u8]) -> Crl {
    let identifier = test_pki::raw::any(&crate::support::tlv(0x30, content)).unwrap();
    let crl = daily(CrlBuilder::new()).issued_by(authority).unwrap();
    let mut signed = test_pki::raw::Signed::from_der(crl.der()).unwrap();
    let mut tbs: test_pki::raw::TbsCertList = signed.to_be_signed.decode_as().unwrap();
    tbs.signature = identifier.clone();
    signed.to_be_signed = test_pki::raw::any_of(&tbs).unwrap();
    signed.algorithm = identifier;
    Crl::from_der(signed.to_der().unwrap())
}

#[test]
fn verdicts_tell_unsupported_from_other_and_altered_signatures() {
    let pki = Pki::new();
    let altered = {
        let mut der = pki.issuing_crl().der().to_vec();
        *der.last_mut().unwrap() ^= 1;
        Crl::from_der(der)
    };
    const ECDSA_SHA_256: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
    let with_null = with_algorithm(&pki.issuing, &[&ECDSA_SHA_256[..], &[5, 0]].concat());
    let unknown = with_algorithm(&pki.issuing, &[0x06, 3, 0x2A, 3, 4]);
    let cases = [
        (
            in_its_name(KeyKind::Ed25519, |builder| builder),
            Reason::CrlSignatureUnsupported,
            "Ed25519 (1.3.101.112)",
        ),
        (
            with_null,
            Reason::CrlSignatureUnsupported,
            "ECDSA with SHA-256 (1.2.840.10045.4.3.2) with NULL parameters, where it has none",
        ),
        (
            unknown,
            Reason::CrlSignatureUnsupported,
            "an unknown algorithm (1.2.3.4)",
        ),
        (
            in_its_name(KeyKind::Rsa2048, |builder| builder),
            Reason::CrlSignature,
            "RSA with SHA-256 (1.2.840.113549.1.1.11), and its issuer has an EC key on P-256",
        ),
        (
            in_its_name(KeyKind::P384, |builder| {
                builder.signature_algorithm(SignatureAlgorithm::EcdsaSha256)
            }),
            Reason::CrlSignature,
            "CRL 0x1 of CN=Serverless Issuing CA,O=Example",
        ),
        (altered, Reason::CrlSignature, "CRL 0x1 of"),
    ];
    for (crl, reason, words) in cases {
        let rejection = pki.verify(&[&crl, &pki.root_crl()], STRICT).unwrap_err();
        assert_eq!(rejection.reason(), reason, "{rejection}");
        assert!(rejection.to_string().contains(words), "{rejection}");
    }
}

#[test]
fn an_unsupported_list_neither_clears_nor_revokes_nor_takes_others_down() {
    let pki = Pki::new();
    let forged = in_its_name(KeyKind::Ed25519, |builder| builder.number(99).revoke(&pki.client));
    for crls in [[&forged, &pki.issuing_crl()], [&pki.issuing_crl(), &forged]] {
        assert_eq!(pki.strict(&pki.client, &crls), Ok(()));
    }
}

#[test]
fn a_key_of_another_kind_than_the_signature_is_said_of_an_anchor_too() {
    let root = long_lived(CertificateBuilder::root("CN=Root"))
        .self_signed()
        .unwrap();
    let other = long_lived(CertificateBuilder::root("CN=Root"))
        .key_kind(KeyKind::Rsa2048)
        .self_signed()
        .unwrap();
    let crl = daily(CrlBuilder::new()).issued_by(&other).unwrap();
    let lists = load(&[&crl], &anchors([&root]));
    let standing = standings(&lists).remove(0).to_string();
    assert!(
        standing.starts_with("its signature algorithm is RSA with SHA-256 (1.2.840.113549.1.1.11), and its issuer has an EC key on P-256")
            && !standing.contains("altered"),
        "{standing}"
    );
    let both = load(&[&crl], &anchors([&root, &other]));
    assert_eq!(standings(&both), [ListStanding::Verified]);
    let client = long_lived(CertificateBuilder::client("CN=client"))
        .issued_by(&root)
        .unwrap();
    let verifier = verifier(anchors([&root, &other])).with_revocation(std::sync::Arc::new(both), STRICT);
    let rejection = verifier
        .verify(&chain([&client]), timestamp(crate::support::NOW))
        .unwrap_err();
    assert_eq!(rejection.reason(), Reason::CrlSignature);
}
