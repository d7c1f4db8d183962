//! Signatures and keys: those that are accepted, and those that are named instead of called
//! invalid.

use alb_mtls_verifier::{Reason, Rejection, WebpkiGap};
use test_pki::{Key, KeyKind, SignatureAlgorithm, raw};

use crate::openssl::Folder;
use crate::support::{Scene, client, intermediate, root, signed_as, tlv};

const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";

/// Checks that the rejection is about this certificate and says this, and does not speak of damage.
#[track_caller]
pub(crate) fn names(rejection: &Rejection, certificate: usize, subject: &str, found: &str) {
    let context = rejection.context();
    assert_eq!(
        (context.certificate, context.subject),
        (Some(certificate), Some(subject)),
        "{rejection}"
    );
    let is_named = context.found.is_some_and(|text| text.contains(found));
    assert!(
        is_named && rejection.to_string().contains(found),
        "{found}: {rejection}"
    );
    assert!(context.allowed.is_some(), "{rejection}");
    for text in [&rejection.to_string(), rejection.reason().remedy()] {
        assert!(!text.contains("altered") && !text.contains("attack"), "{text}");
    }
}

#[test]
fn issuer_key_that_is_not_supported_is_named_as_the_issuers() {
    let folder = Folder::new();
    folder.key("root", P256);
    let root = folder.certificate("root", "ca", "root", "");
    let scene = Folder::trusting(&root);
    for (arguments, reason, found) in [
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
            Reason::KeySize,
            "1024 bits",
        ),
        (
            "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048",
            Reason::SignatureAlgorithm,
            "",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:secp224r1",
            Reason::KeyUnsupported,
            "P-224",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
            Reason::KeyUnsupported,
            "secp256k1",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1",
            Reason::KeyUnsupported,
            "brainpoolP256r1",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
            Reason::KeyUnsupported,
            "explicit",
        ),
    ] {
        folder.key("issuing", arguments);
        let issuing = folder.certificate("issuing", "ca", "root", "");
        folder.key("client", P256);
        if reason == Reason::SignatureAlgorithm {
            // A key of id-RSASSA-PSS: with a salt and hash that are accepted, the key is what is
            // not.
            let pss = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32";
            let client = folder.certificate("client", "client", "issuing", pss);
            let rejection = scene.refuses([&client, &issuing], Reason::KeyUnsupported);
            names(&rejection, 1, "CN=issuing,O=Example", "RSASSA-PSS");
            continue;
        }
        let client = folder.certificate("client", "client", "issuing", "-sha256");
        let rejection = scene.refuses([&client, &issuing], reason);
        names(&rejection, 1, "CN=issuing,O=Example", found);
    }
}

#[test]
fn signature_algorithm_that_is_not_supported_is_named() {
    let folder = Folder::new();
    for (key, signing, found) in [
        (RSA, "-sha1", "RSA with SHA-1"),
        (RSA, "-md5", "RSA with MD5"),
        (RSA, "-sha224", "RSA with SHA-224"),
        (RSA, "-sha3-256", "RSA with SHA3-256"),
        (
            RSA,
            "-sha1 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20",
            "SHA-1 by default",
        ),
        (
            RSA,
            "-sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64 -sigopt rsa_mgf1_md:sha256",
            "MGF1 with SHA-256",
        ),
        (P256, "-sha1", "ECDSA with SHA-1"),
        (P256, "-sha3-256", "ECDSA with SHA3-256"),
        ("-algorithm ED25519", "", "Ed25519"),
        ("-algorithm ED448", "", "Ed448"),
    ] {
        folder.key("root", P256);
        let root = folder.certificate("root", "ca", "root", "");
        folder.key("issuing", key);
        let issuing = folder.certificate("issuing", "ca", "root", "");
        folder.key("client", P256);
        let client = folder.certificate("client", "client", "issuing", signing);
        let rejection = Folder::trusting(&root).refuses([&client, &issuing], Reason::SignatureAlgorithm);
        names(&rejection, 0, "CN=client,O=Example", found);
    }
}

#[test]
fn client_key_that_is_not_supported_is_named() {
    let folder = Folder::new();
    folder.key("root", P256);
    let root = folder.certificate("root", "ca", "root", "");
    for (key, reason, found) in [
        ("-algorithm ED448", Reason::KeyUnsupported, "Ed448"),
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
            Reason::KeySize,
            "1024 bits",
        ),
        (
            "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048",
            Reason::KeyUnsupported,
            "RSASSA-PSS",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
            Reason::KeyUnsupported,
            "secp256k1",
        ),
    ] {
        folder.key("client", key);
        let client = folder.certificate("client", "client", "root", "");
        let rejection = Folder::trusting(&root).refuses([&client], reason);
        names(&rejection, 0, "CN=client,O=Example", found);
    }
}

#[test]
fn pss_salt_of_any_length_is_verified() {
    let folder = Folder::new();
    folder.key("root", RSA);
    let root = folder.certificate("root", "ca", "root", "");
    let scene = Folder::trusting(&root);
    folder.key("client", P256);
    for hash in ["sha256", "sha384", "sha512"] {
        for salt in ["0", "1", "20", "32", "48", "64", "max"] {
            let signing = format!("-{hash} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{salt}");
            let client = folder.certificate("client", "client", "root", &signing);
            let accepted = scene.accepts([&client]);
            // webpki knows the parameters of RFC 4055 with a salt as long as the hash.
            let is_usual = matches!(
                (hash, salt),
                ("sha256", "32") | ("sha384", "48") | ("sha512", "64")
            );
            let gaps: Vec<WebpkiGap> = accepted.validators().gaps().iter().collect();
            assert_eq!(gaps.is_empty(), is_usual, "{hash} {salt}");
            assert!(is_usual || gaps == [WebpkiGap::PssParameters]);
            let broken = client.with_broken_signature().unwrap();
            scene.refuses([&broken], Reason::SignatureInvalid);
        }
    }
}

const SHA_256: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const NULL: &[u8] = &[5, 0];

/// RSASSA-PSS with these parameters, each a whole encoding.
fn pss(parameters: &[Vec<u8>]) -> Vec<u8> {
    let oid = [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 0x0A];
    [oid.to_vec(), tlv(0x30, &parameters.concat())].concat()
}

fn hash(hash: &[&[u8]]) -> Vec<u8> {
    tlv(0xA0, &tlv(0x30, &hash.concat()))
}

fn mask(hash: &[&[u8]]) -> Vec<u8> {
    let mgf1 = [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 8];
    let content = [mgf1.to_vec(), tlv(0x30, &hash.concat())].concat();
    tlv(0xA1, &tlv(0x30, &content))
}

fn salt(length: u8) -> Vec<u8> {
    tlv(0xA2, &tlv(2, &[length]))
}

fn trailer(number: u8) -> Vec<u8> {
    tlv(0xA3, &tlv(2, &[number]))
}

#[test]
fn pss_defaults_may_be_written_out_and_hashes_have_null_or_nothing() {
    let root = test_pki::CertificateBuilder::root("CN=Root")
        .key(&Key::random(KeyKind::Rsa2048).unwrap())
        .self_signed()
        .unwrap();
    let scene = Scene::trusting([&root]);
    let client = client(&root);
    let signed = |identifier: &[u8]| {
        signed_as(
            &root,
            client.certificate(),
            identifier,
            SignatureAlgorithm::RsaPssSha256,
        )
    };
    let (with_null, without): (&[&[u8]], &[&[u8]]) = (&[SHA_256, NULL], &[SHA_256]);
    for identifier in [
        pss(&[hash(with_null), mask(with_null), salt(32), trailer(1)]),
        pss(&[hash(without), mask(with_null), salt(32)]),
        pss(&[hash(with_null), mask(without), salt(32)]),
        pss(&[hash(without), mask(without), salt(32), trailer(1)]),
    ] {
        scene.accepts([&signed(&identifier)]);
    }
    // The salt that is meant by none is of 20 octets, which is not how it was signed.
    scene.refuses(
        [&signed(&pss(&[hash(without), mask(without)]))],
        Reason::SignatureInvalid,
    );
    for identifier in [
        pss(&[]),
        pss(&[hash(with_null), salt(32)]),
        pss(&[mask(with_null), salt(32)]),
        pss(&[hash(with_null), mask(with_null), salt(32), trailer(2)]),
        pss(&[hash(&[SHA_256, &[5, 1, 0]]), mask(with_null), salt(32)]),
        pss(&[hash(with_null), mask(with_null), salt(32), NULL.to_vec()]),
    ] {
        let rejection = scene.refuses([&signed(&identifier)], Reason::SignatureAlgorithm);
        names(&rejection, 0, "CN=client,O=Example", "RSASSA-PSS");
    }
}

#[test]
fn parameters_that_do_not_belong_are_named() {
    let ecdsa_with_null = [&[6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2][..], NULL].concat();
    let root = root();
    let signed = signed_as(
        &root,
        client(&root).certificate(),
        &ecdsa_with_null,
        SignatureAlgorithm::EcdsaSha256,
    );
    let rejection = Scene::trusting([&root]).refuses([&signed], Reason::SignatureAlgorithm);
    names(&rejection, 0, "CN=client,O=Example", "NULL");
}

#[test]
fn issuer_with_an_rsa_key_without_null_is_named() {
    let root = root();
    let key = Key::random(KeyKind::Rsa2048).unwrap();
    let issuing = test_pki::CertificateBuilder::intermediate("CN=Issuing").key(&key);
    let issuing = issuing.issued_by(&root).unwrap();
    let client = client(&issuing);
    let without_null = issuing
        .certificate()
        .edited(root.key(), |tbs| {
            use test_pki::der::Encode;
            let info = tbs.subject_public_key_info.to_der().unwrap();
            // SEQUENCE (4 octets of header) { SEQUENCE { OID, NULL } (15 octets), BIT STRING }.
            let algorithm = tlv(0x30, &info[6..17]);
            tbs.subject_public_key_info = raw::any(&tlv(0x30, &[&algorithm, &info[19..]].concat()))?;
            Ok(())
        })
        .unwrap();
    let presented = [client.certificate(), &without_null];
    let rejection = Scene::trusting([&root]).refuses(presented, Reason::KeyUnsupported);
    names(&rejection, 1, "CN=Issuing", "without the NULL parameters");
}

#[test]
fn signature_of_another_kind_of_key_is_by_another_ca() {
    let root = root();
    let namesake = test_pki::CertificateBuilder::root("CN=Root,O=Example")
        .key(&Key::random(KeyKind::Rsa2048).unwrap())
        .self_signed()
        .unwrap();
    let stranger = client(&namesake);
    let rejection = Scene::trusting([&root]).refuses([&stranger], Reason::IssuerKeyMismatch);
    let text = rejection.to_string();
    assert!(
        text.contains("RSA with SHA-256") && text.contains("P-256") && text.contains("CN=Root,O=Example"),
        "{text}"
    );
    // Computed, and not by this key: what is found out last says most.
    let third = crate::support::root();
    let scene = Scene::trusting([&third, &namesake]);
    let broken = stranger.certificate().with_broken_signature().unwrap();
    scene.refuses([&broken], Reason::SignatureInvalid);
}

#[test]
fn unusable_issuer_does_not_hide_a_usable_one() {
    let folder = Folder::new();
    folder.key("root", P256);
    let root = folder.certificate("root", "ca", "root", "");
    folder.key("issuing", P256);
    let issuing = folder.certificate("issuing", "ca", "root", "");
    folder.key("client", P256);
    let client = folder.certificate("client", "client", "issuing", "");
    // The former certificate of the same CA.
    folder.key("issuing", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    let former = folder.certificate("issuing", "ca", "root", "");
    let scene = Folder::trusting(&root);
    scene.accepts([&client, &former, &issuing]);
    scene.accepts([&client, &issuing, &former]);
    // Without the usable one, the signature is for another kind of key.
    scene.refuses([&client, &former], Reason::KeySize);
}

#[test]
fn tampered_certificate_is_invalid() {
    let root = root();
    let issuing = intermediate(&root);
    let broken = client(&issuing).certificate().with_broken_signature().unwrap();
    let rejection =
        Scene::trusting([&root]).refuses([&broken, issuing.certificate()], Reason::SignatureInvalid);
    assert!(
        rejection.to_string().contains("CN=Issuing,O=Example"),
        "{rejection}"
    );
    assert!(rejection.reason().remedy().contains("altered"));
}
