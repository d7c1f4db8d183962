//! ML-DSA in chains (RFC 9881).

use alb_mtls_verifier::{PublicKey, Reason, Validators, VerifiedClient};
use base64::Engine;
use test_pki::{
    Certificate, CertificateBuilder, Credential, Key, KeyKind, KeyUsage, SignatureAlgorithm, raw,
};

use crate::algorithms::names;
use crate::support::{Scene, root, signed_as, tlv};

const KINDS: [(KeyKind, PublicKey); 3] = [
    (KeyKind::MlDsa44, PublicKey::MlDsa44),
    (KeyKind::MlDsa65, PublicKey::MlDsa65),
    (KeyKind::MlDsa87, PublicKey::MlDsa87),
];

fn root_of(kind: KeyKind) -> Credential {
    CertificateBuilder::root("CN=Root,O=Example")
        .key_kind(kind)
        .self_signed()
        .unwrap()
}

fn below(issuer: &Credential, kind: KeyKind) -> Credential {
    CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .key_kind(kind)
        .issued_by(issuer)
        .unwrap()
}

fn client_of(issuer: &Credential, kind: KeyKind) -> Credential {
    CertificateBuilder::client("CN=client,O=Example")
        .key_kind(kind)
        .issued_by(issuer)
        .unwrap()
}

/// Accepts a chain by both validators.
#[track_caller]
fn accepts<T: AsRef<Certificate>>(scene: &Scene, presented: impl IntoIterator<Item = T>) -> VerifiedClient {
    let client = scene.accepts(presented);
    assert_eq!(client.validators(), Validators::Both);
    client
}

#[test]
fn anchors_intermediates_and_clients_may_have_ml_dsa_keys() {
    for (above, public_key) in KINDS {
        for (beside, _) in KINDS {
            let root = root_of(above);
            let issuing = below(&root, beside);
            let scene = Scene::trusting([&root]);
            let client = accepts(&scene, [&client_of(&issuing, KeyKind::P256), &issuing]);
            assert_eq!(client.identity().anchor.public_key(), public_key);
            // A load balancer takes no such client today; other proxies do.
            accepts(&scene, [&client_of(&issuing, above), &issuing]);
            // Configured, so that the header stays short.
            let scene = Scene::trusting([&root]).supplying([&issuing]);
            accepts(&scene, [&client_of(&issuing, KeyKind::P256)]);
        }
    }
}

#[test]
fn ml_dsa_ca_may_be_below_another_kind_of_key_and_above() {
    let root = root();
    let issuing = below(&root, KeyKind::MlDsa65);
    let last = below(&issuing, KeyKind::Rsa2048);
    let client = client_of(&last, KeyKind::P256);
    accepts(&Scene::trusting([&root]), [&client, &last, &issuing]);
}

#[test]
fn altered_ml_dsa_signature_is_invalid_in_every_octet() {
    let root = root_of(KeyKind::MlDsa44);
    let client = client_of(&root, KeyKind::P256);
    let scene = Scene::trusting([&root]);
    let der = client.der();
    // Every part of a signature: challenge, response, hints.
    for at in (0..2_420).step_by(97).chain([2_419]) {
        let mut altered = der.to_vec();
        let at = altered.len() - 1 - at;
        altered[at] ^= 1;
        scene.refuses([&Certificate::from_der(altered)], Reason::SignatureInvalid);
    }
}

/// Returns the client's certificate with another signature.
fn with_signature(client: &Certificate, change: impl FnOnce(&mut Vec<u8>)) -> Certificate {
    let mut signed = client.signed().unwrap();
    let mut signature = signed.signature.raw_bytes().to_vec();
    change(&mut signature);
    signed.signature = der::asn1::BitString::from_bytes(&signature).unwrap();
    Certificate::from_der(signed.to_der().unwrap())
}

#[test]
fn ml_dsa_signature_of_another_length_is_invalid() {
    for (kind, _) in KINDS {
        let root = root_of(kind);
        let client = client_of(&root, KeyKind::P256);
        let scene = Scene::trusting([&root]);
        let refuses = |change: fn(&mut Vec<u8>)| {
            let changed = with_signature(client.certificate(), change);
            scene.refuses([&changed], Reason::SignatureInvalid);
        };
        refuses(|signature| signature.push(0));
        refuses(|signature| signature.truncate(signature.len() - 1));
        refuses(Vec::clear);
        refuses(|signature| *signature = tlv(4, signature));
    }
}

#[test]
fn ml_dsa_signature_by_a_key_of_another_parameter_set_is_by_another_ca() {
    let root = root_of(KeyKind::MlDsa44);
    for kind in [KeyKind::MlDsa65, KeyKind::MlDsa87, KeyKind::P256] {
        let namesake = root_of(kind);
        let stranger = client_of(&namesake, KeyKind::P256);
        let scene = Scene::trusting([&root]);
        let rejection = scene.refuses([&stranger], Reason::IssuerKeyMismatch);
        assert!(
            rejection.to_string().contains("a key of ML-DSA-44"),
            "{rejection}"
        );
        // Its own algorithm with the signature of the other one.
        let client = client_of(&root, KeyKind::P256);
        let signature = stranger.certificate().signed().unwrap().signature;
        let mixed = with_signature(client.certificate(), |other| {
            *other = signature.raw_bytes().to_vec()
        });
        scene.refuses([&mixed], Reason::SignatureInvalid);
    }
    let impostor = client_of(&root_of(KeyKind::MlDsa44), KeyKind::P256);
    Scene::trusting([&root]).refuses([&impostor], Reason::SignatureInvalid);
}

/// Returns the content of an AlgorithmIdentifier: `2.16.840.1.101.3.4.3` with this last number.
fn nist_signature(last: u8) -> Vec<u8> {
    vec![6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, last]
}

/// `id-MLDSA65-ECDSA-P256-SHA512` of draft-ietf-lamps-pq-composite-sigs, `1.3.6.1.5.5.7.6.45`.
const COMPOSITE: [u8; 10] = [6, 8, 0x2B, 6, 1, 5, 5, 7, 6, 45];

#[test]
fn other_forms_of_ml_dsa_are_not_accepted_for_the_pure_one() {
    let root = root_of(KeyKind::MlDsa65);
    let client = client_of(&root, KeyKind::P256);
    let scene = Scene::trusting([&root]);
    let null = [nist_signature(18), vec![5, 0]].concat();
    let empty = [nist_signature(18), vec![0x30, 0]].concat();
    for (identifier, found) in [
        (nist_signature(33), "HashML-DSA-65"),
        (COMPOSITE.to_vec(), "1.3.6.1.5.5.7.6.45"),
        (null, "ML-DSA-65 (2.16.840.1.101.3.4.3.18) with NULL parameters"),
        (empty, "with parameters that it does not have"),
        // SLH-DSA-SHA2-128s.
        (nist_signature(20), "2.16.840.1.101.3.4.3.20"),
    ] {
        let signed = signed_as(
            &root,
            client.certificate(),
            &identifier,
            SignatureAlgorithm::MlDsa65,
        );
        let rejection = scene.refuses([&signed], Reason::SignatureAlgorithm);
        names(&rejection, 0, "CN=client,O=Example", found);
    }
}

/// Returns an intermediate with this SubjectPublicKeyInfo, and a client that its key signed.
fn with_key_info(root: &Credential, kind: KeyKind, info: &[u8]) -> [Certificate; 2] {
    let issuing = below(root, kind);
    let client = client_of(&issuing, KeyKind::P256);
    let edited = issuing.certificate().edited(root.key(), |tbs| {
        tbs.subject_public_key_info = raw::any(info)?;
        Ok(())
    });
    [client.certificate().clone(), edited.unwrap()]
}

fn key_info(identifier: &[u8], key: &[u8]) -> Vec<u8> {
    let bits = tlv(3, &[&[0], key].concat());
    tlv(0x30, &[tlv(0x30, identifier), bits].concat())
}

#[test]
fn ml_dsa_key_in_another_form_is_refused() {
    let root = root();
    let scene = Scene::trusting([&root]);
    let kind = KeyKind::MlDsa44;
    let key = Key::random(kind).unwrap().public_key_info().unwrap();
    let key = &key[key.len() - 1_312..];
    let nested = key_info(&nist_signature(17), key);
    let refuses = |info: &[u8], reason, found| {
        let presented = with_key_info(&root, kind, info);
        let rejection = scene.refuses(&presented, reason);
        let found_there = rejection.context().found.unwrap().to_owned();
        assert!(found_there.contains(found), "{found}: {rejection}");
    };
    let identifier = nist_signature(17);
    let unsound = Reason::KeyUnsound;
    refuses(&key_info(&identifier, &key[1..]), unsound, "1311 octets");
    refuses(
        &key_info(&identifier, &[key, &[0]].concat()),
        unsound,
        "1313 octets",
    );
    refuses(&key_info(&identifier, &[]), unsound, "0 octets");
    // aws-lc-rs reads these two.
    refuses(&key_info(&identifier, &nested), unsound, "1334 octets");
    refuses(&key_info(&identifier, &tlv(4, key)), unsound, "1316 octets");
    let with_null = [identifier.clone(), vec![5, 0]].concat();
    refuses(
        &key_info(&with_null, key),
        Reason::KeyUnsupported,
        "NULL parameters",
    );
    // Another parameter set than the length says.
    let other = key_info(&nist_signature(18), key);
    refuses(&other, unsound, "1312 octets, where it has 1952");
    refuses(
        &key_info(&nist_signature(32), key),
        Reason::KeyUnsupported,
        "HashML-DSA-44",
    );
}

/// Reads a key of ML-DSA-44 whose secret vectors are zero, as every reader can write it down: rho
/// and K are zero, tr is SHAKE256 of the public key (FIPS 204 §5.1 and §7.2).
fn key_without_a_secret() -> Key {
    const PUBLIC_KEY_HASH: &str = "0028adcd941e9a739a27cad3086c6e53706efad66be73c58b0ca7852a0c87331499186a5c3ff262c35526f0b5828e1ca013f6ad6cdde81d1d1b573d6561cf5f4";
    let tr = base16ct::lower::decode_vec(PUBLIC_KEY_HASH).unwrap();
    // 2 for each coefficient of s1 and s2 in 3 bits, 4096 for each of t0 in 13 bits.
    let secrets = [0x92, 0x24, 0x49].repeat(2 * 4 * 32);
    let mut t0 = [0; 13];
    for coefficient in 0..8 {
        let bit = 13 * coefficient + 12;
        t0[bit / 8] |= 1 << (bit % 8);
    }
    let expanded = [vec![0; 64], tr, secrets, t0.repeat(4 * 32)].concat();
    assert_eq!(expanded.len(), 2_560);
    let private_key = tlv(4, &tlv(4, &expanded));
    let algorithm = tlv(0x30, &nist_signature(17));
    let pkcs8 = tlv(0x30, &[tlv(2, &[0]), algorithm, private_key].concat());
    let base64 = base64::engine::general_purpose::STANDARD.encode(pkcs8);
    Key::from_pem(&format!(
        "-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n"
    ))
    .unwrap()
}

#[test]
fn ml_dsa_key_that_every_attacker_can_sign_with_is_unsound() {
    let key = key_without_a_secret();
    let info = key.public_key_info().unwrap();
    let public_key = &info[info.len() - 1_312..];
    assert!(public_key.iter().all(|octet| *octet == 0));
    // AWS-LC verifies what was signed without a secret.
    let signature = key.sign(SignatureAlgorithm::MlDsa44, b"message").unwrap();
    let bare = webpki::aws_lc_rs::ML_DSA_44;
    bare.verify_signature(public_key, b"message", &signature).unwrap();

    let root = root();
    let scene = Scene::trusting([&root]);
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .key(&key)
        .issued_by(&root)
        .unwrap();
    let forged = client_of(&issuing, KeyKind::P256);
    scene.refuses([&forged, &issuing], Reason::KeyUnsound);
    let client = CertificateBuilder::client("CN=client,O=Example")
        .key(&key)
        .issued_by(&root)
        .unwrap();
    scene.refuses([&client], Reason::KeyUnsound);
}

/// RFC 9881 §5 forbids key usages by which an ML-DSA key would encrypt. AWS Private CA's templates
/// for end-entity certificates contain keyEncipherment whatever the key is. No party can use the
/// key so, and refusing would protect none.
#[test]
fn ml_dsa_key_with_a_usage_that_it_cannot_have_is_accepted() {
    let root = root_of(KeyKind::MlDsa87);
    for other in [KeyUsage::KeyEncipherment, KeyUsage::KeyAgreement] {
        let client = CertificateBuilder::client("CN=client,O=Example")
            .key_kind(KeyKind::MlDsa87)
            .key_usage(&[KeyUsage::DigitalSignature, other])
            .issued_by(&root)
            .unwrap();
        accepts(&Scene::trusting([&root]), [&client]);
    }
    let client = CertificateBuilder::client("CN=client,O=Example")
        .key_kind(KeyKind::MlDsa87)
        .key_usage(&[KeyUsage::KeyEncipherment])
        .issued_by(&root)
        .unwrap();
    Scene::trusting([&root]).refuses([&client], Reason::EndEntityKeyUsage);
}
