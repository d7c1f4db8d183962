//! `MTLS_SIGNATURES`: algorithms that the operator allows.

use alb_mtls_verifier::{Reason, Rejection, SignatureAlgorithm, SignatureAlgorithms};
use test_pki::{CertificateBuilder, Credential, Key, KeyKind, SignatureAlgorithm as Signing};

use crate::support::{Scene, client, intermediate, root};

fn allowing<T: AsRef<test_pki::Certificate>>(anchors: impl IntoIterator<Item = T>, words: &str) -> Scene {
    let words = words.split_whitespace().map(|word| word.parse().unwrap());
    let allowed: SignatureAlgorithms = words.collect();
    Scene::trusting(anchors).with_policy(|policy| policy.signatures = allowed)
}

#[track_caller]
fn names(rejection: &Rejection, certificate: Option<usize>, found: &str, allowed: &str) {
    let context = rejection.context();
    assert_eq!(context.certificate, certificate, "{rejection}");
    assert_eq!(context.found, Some(found), "{rejection}");
    let allowed = format!("MTLS_SIGNATURES={allowed}");
    assert_eq!(context.allowed, Some(&*allowed), "{rejection}");
    let text = rejection.to_string();
    assert!(text.contains(found) && text.contains(&allowed), "{text}");
}

/// A chain in which every signature has another algorithm, and the words of the two that count.
fn mixed() -> [Credential; 3] {
    let root = CertificateBuilder::root("CN=Root,O=Example")
        .key_kind(KeyKind::Rsa2048)
        .self_signed()
        .unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .key_kind(KeyKind::P384)
        .signature_algorithm(Signing::RsaPssSha384)
        .issued_by(&root)
        .unwrap();
    let client = client(&issuing);
    [root, issuing, client]
}

#[test]
fn every_signature_below_the_anchor_must_be_allowed() {
    let [root, issuing, client] = mixed();
    let presented = [&client, &issuing];
    allowing([&root], "rsa-pss-sha384 ecdsa-p384-sha384").accepts(presented);
    // The anchor's own signature, rsa-pkcs1-sha256, is not looked at.
    let scene = allowing([&root], "rsa-pkcs1-sha256 ecdsa-p384-sha384");
    let rejection = scene.refuses(presented, Reason::SignatureNotAllowed);
    names(
        &rejection,
        Some(1),
        "rsa-pss-sha384",
        "rsa-pkcs1-sha256 ecdsa-p384-sha384",
    );
    let scene = allowing([&root], "rsa-pss-sha384 ecdsa-p384-sha256 ecdsa-p256-sha384");
    let rejection = scene.refuses(presented, Reason::SignatureNotAllowed);
    names(
        &rejection,
        Some(0),
        "ecdsa-p384-sha384",
        "rsa-pss-sha384 ecdsa-p256-sha384 ecdsa-p384-sha256",
    );
    allowing([&root], "").refuses(presented, Reason::SignatureNotAllowed);
}

#[test]
fn configured_intermediate_is_held_to_allowed_signatures() {
    let [root, issuing, client] = mixed();
    let scene = allowing([&root], "ecdsa-p384-sha384").supplying([&issuing]);
    let rejection = scene.refuses([&client], Reason::SignatureNotAllowed);
    names(&rejection, None, "rsa-pss-sha384", "ecdsa-p384-sha384");
}

#[test]
fn each_algorithm_is_allowed_by_its_own_word_alone() {
    use SignatureAlgorithm as Word;
    let cases = [
        (KeyKind::Rsa2048, Signing::RsaPkcs1Sha256, Word::RsaPkcs1Sha256),
        (KeyKind::Rsa2048, Signing::RsaPkcs1Sha384, Word::RsaPkcs1Sha384),
        (KeyKind::Rsa2048, Signing::RsaPkcs1Sha512, Word::RsaPkcs1Sha512),
        (KeyKind::Rsa2048, Signing::RsaPssSha256, Word::RsaPssSha256),
        (KeyKind::Rsa2048, Signing::RsaPssSha384, Word::RsaPssSha384),
        (KeyKind::Rsa2048, Signing::RsaPssSha512, Word::RsaPssSha512),
        (KeyKind::P256, Signing::EcdsaSha256, Word::EcdsaP256Sha256),
        (KeyKind::P256, Signing::EcdsaSha384, Word::EcdsaP256Sha384),
        (KeyKind::P256, Signing::EcdsaSha512, Word::EcdsaP256Sha512),
        (KeyKind::P384, Signing::EcdsaSha256, Word::EcdsaP384Sha256),
        (KeyKind::P384, Signing::EcdsaSha384, Word::EcdsaP384Sha384),
        (KeyKind::P384, Signing::EcdsaSha512, Word::EcdsaP384Sha512),
        (KeyKind::P521, Signing::EcdsaSha384, Word::EcdsaP521Sha384),
        (KeyKind::P521, Signing::EcdsaSha512, Word::EcdsaP521Sha512),
        (KeyKind::MlDsa44, Signing::MlDsa44, Word::MlDsa44),
        (KeyKind::MlDsa65, Signing::MlDsa65, Word::MlDsa65),
        (KeyKind::MlDsa87, Signing::MlDsa87, Word::MlDsa87),
    ];
    // The test PKI cannot sign with P-521 and SHA-256.
    assert_eq!(cases.len() + 1, SignatureAlgorithm::ALL.len());
    for (kind, signing, word) in cases {
        let root = CertificateBuilder::root("CN=Root,O=Example")
            .key(&Key::random(kind).unwrap())
            .self_signed()
            .unwrap();
        let client = CertificateBuilder::client("CN=client,O=Example")
            .signature_algorithm(signing)
            .issued_by(&root)
            .unwrap();
        allowing([&root], word.as_str()).accepts([&client]);
        let others = SignatureAlgorithm::ALL.iter().filter(|other| **other != word);
        let others: SignatureAlgorithms = others.copied().collect();
        let scene = allowing([&root], &others.to_string());
        let rejection = scene.refuses([&client], Reason::SignatureNotAllowed);
        assert_eq!(rejection.context().found, Some(word.as_str()));
    }
}

#[test]
fn path_with_allowed_signatures_is_found_beside_one_without() {
    let [root, strong] = ["CN=Root,O=Example", "CN=Strong Root,O=Example"].map(|name| {
        CertificateBuilder::root(name)
            .key_kind(KeyKind::MlDsa87)
            .self_signed()
            .unwrap()
    });
    let old = crate::support::root();
    let issuing = intermediate(&old);
    let crossed = |by: &Credential| {
        CertificateBuilder::intermediate("CN=Issuing,O=Example")
            .key(issuing.key())
            .issued_by(by)
            .unwrap()
    };
    let client = client(&issuing);
    let scene = allowing([&old, &root, &strong], "ecdsa-p256-sha256 ml-dsa-87");
    scene.accepts([&client, &issuing]);
    let scene = allowing([&strong, &old, &root], "ml-dsa-87 ecdsa-p256-sha512");
    // The client's own signature is what is not allowed, whatever is above.
    scene.refuses(
        [&client, &issuing, &crossed(&strong)],
        Reason::SignatureNotAllowed,
    );
    let signed = CertificateBuilder::client("CN=client,O=Example")
        .signature_algorithm(Signing::EcdsaSha512)
        .issued_by(&issuing)
        .unwrap();
    scene.refuses([&signed, &issuing], Reason::SignatureNotAllowed);
    scene.accepts([&signed, &issuing, &crossed(&strong)]);
    scene.accepts([&signed, &crossed(&root), &issuing]);
}

#[test]
fn invalid_signature_is_said_before_one_that_is_not_allowed() {
    let root = root();
    let broken = client(&root).certificate().with_broken_signature().unwrap();
    allowing([&root], "ml-dsa-87").refuses([&broken], Reason::SignatureInvalid);
}

#[test]
fn issuing_path_of_a_ca_says_what_its_clients_will_meet() {
    let [root, issuing, _] = mixed();
    let der = crate::support::der(issuing.certificate());
    let paths = |words| {
        let verifier = allowing([&root], words).verifier();
        let paths = verifier.issuing_paths(&der, alb_mtls_verifier::Timestamp::now());
        paths
            .map(|paths| paths.len())
            .map_err(|rejection| rejection.reason())
    };
    assert_eq!(paths("rsa-pss-sha384 ecdsa-p384-sha512"), Ok(1));
    // The CA itself, and then every client: its key is for no allowed algorithm.
    assert_eq!(paths("ecdsa-p384-sha512"), Err(Reason::SignatureNotAllowed));
    assert_eq!(
        paths("rsa-pss-sha384 ml-dsa-65"),
        Err(Reason::SignatureNotAllowed)
    );
}
