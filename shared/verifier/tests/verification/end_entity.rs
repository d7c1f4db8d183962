//! The end-entity certificate by itself.

use alb_mtls_verifier::{ExtendedKeyUsageOption, Reason};
use test_pki::der::oid::db::rfc5280;
use test_pki::{Authority, CertificateBuilder, Criticality, Key, KeyKind, KeyUsage, Purpose, raw};

use crate::support::{Scene, client, root};

#[track_caller]
fn refused(builder: CertificateBuilder, reason: Reason) {
    let root = root();
    let client = builder.issued_by(&root).unwrap();
    let rejection = Scene::trusting([&root]).refuses([&client], reason);
    assert_eq!(rejection.certificate(), Some(0));
}

#[track_caller]
fn accepted(builder: CertificateBuilder) {
    let root = root();
    let client = builder.issued_by(&root).unwrap();
    Scene::trusting([&root]).accepts([&client]);
}

fn sound() -> CertificateBuilder {
    CertificateBuilder::client("CN=client")
}

#[test]
fn refuses_a_ca_certificate_as_a_client() {
    refused(
        sound().authority(Authority::Yes { path_length: None }),
        Reason::EndEntityIsAuthority,
    );
}

#[test]
fn refuses_a_key_usage_that_cannot_sign() {
    refused(
        sound().key_usage(&[KeyUsage::KeyEncipherment]),
        Reason::EndEntityKeyUsage,
    );
    accepted(sound().key_usage(&[]));
    accepted(sound().key_usage(&[KeyUsage::DigitalSignature, KeyUsage::KeyAgreement]));
}

#[test]
fn refuses_purposes_without_client_authentication() {
    refused(sound().purposes(&[Purpose::ServerAuth]), Reason::ExtendedKeyUsage);
    refused(
        sound().purposes(&[Purpose::CodeSigning, Purpose::EmailProtection]),
        Reason::ExtendedKeyUsage,
    );
    accepted(sound().purposes(&[Purpose::ServerAuth, Purpose::ClientAuth]));
    accepted(sound().purposes(&[Purpose::Any]));
    accepted(sound().purposes(&[]));
}

#[test]
fn refuses_an_empty_list_of_purposes() {
    let empty = sound().extension("2.5.29.37", Criticality::NotCritical, &[0x30, 0]);
    refused(empty, Reason::ExtendedKeyUsage);
}

#[test]
fn can_require_a_purpose() {
    let root = root();
    let scene = Scene::trusting([&root])
        .with_policy(|policy| policy.extended_key_usage = ExtendedKeyUsageOption::Required);
    let without = sound().purposes(&[]).issued_by(&root).unwrap();
    scene.refuses([&without], Reason::ExtendedKeyUsageMissing);
    scene.accepts([&client(&root)]);
    let any = sound().purposes(&[Purpose::Any]).issued_by(&root).unwrap();
    scene.accepts([&any]);
}

#[test]
fn serial_number_is_zero_negative_or_long_and_accepted() {
    for serial in [&[0][..], &[0xFF], &[1; 20], &[1; 21], &[0xFF, 0x7F], &[1; 64]] {
        accepted(sound().serial_bytes(serial));
    }
    refused(sound().serial_bytes(&[1; 65]), Reason::SerialNumber);
    // Two forms of one number: not DER.
    refused(sound().serial_bytes(&[0, 1]), Reason::CertificateMalformed);
}

#[test]
fn refuses_critical_extensions_that_are_not_understood() {
    refused(
        sound().extension("1.2.3.4", Criticality::Critical, &[5, 0]),
        Reason::CriticalExtension,
    );
    accepted(sound().extension("1.2.3.4", Criticality::NotCritical, &[5, 0]));
    // RFC 5280 section 4.2.1.2 forbids it.
    let identifier = rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER;
    refused(
        sound().criticality(identifier, Criticality::Critical),
        Reason::CriticalExtension,
    );
}

#[test]
fn refuses_a_repeated_extension() {
    let root = root();
    let doubled = client(&root)
        .certificate()
        .edited(root.key(), |tbs| {
            let extensions = tbs.extensions.as_mut().unwrap();
            let first = extensions.first().unwrap().clone();
            extensions.push(first);
            Ok(())
        })
        .unwrap();
    Scene::trusting([&root]).refuses([&doubled], Reason::ExtensionRepeated);
}

#[test]
fn refuses_other_versions_than_3() {
    let root = root();
    let edited = |version: Option<&[u8]>| {
        let change = |tbs: &mut raw::TbsCertificate| {
            tbs.version = version.map(raw::integer).transpose()?;
            tbs.extensions = None;
            Ok(())
        };
        client(&root).certificate().edited(root.key(), change).unwrap()
    };
    let scene = Scene::trusting([&root]);
    let rejection = scene.refuses([&edited(None)], Reason::CertificateVersion);
    let context = rejection.context();
    assert_eq!(
        (context.field, context.found, context.allowed),
        (Some("version"), Some("1"), Some("3"))
    );
    scene.refuses([&edited(Some(&[1]))], Reason::CertificateVersion);
    scene.accepts([&edited(Some(&[2]))]);
    scene.refuses([&edited(Some(&[3]))], Reason::CertificateMalformed);
}

#[test]
fn refuses_keys_that_a_load_balancer_does_not_take() {
    refused(sound().key_kind(KeyKind::Ed25519), Reason::KeyUnsupported);
    // 1024 bits: the modulus of a real key, cut in half.
    let root = root();
    let rsa = sound()
        .key(&Key::random(KeyKind::Rsa2048).unwrap())
        .issued_by(&root)
        .unwrap();
    let short = rsa
        .certificate()
        .edited(root.key(), |tbs| {
            let info = [
                &[
                    0x30, 0x81, 0x9F, 0x30, 0x0D, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0,
                ][..],
                &[0x03, 0x81, 0x8D, 0, 0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0],
                &[0xC1; 128],
                &[0x02, 3, 1, 0, 1],
            ];
            tbs.subject_public_key_info = raw::any(&info.concat())?;
            Ok(())
        })
        .unwrap();
    let rejection = Scene::trusting([&root]).refuses([&short], Reason::KeySize);
    assert_eq!(
        rejection.context().found,
        Some("an RSA key of 1024 bits (1.2.840.113549.1.1.1)")
    );
}

#[test]
fn refuses_a_signature_algorithm_that_is_not_taken() {
    use test_pki::SignatureAlgorithm::Ed25519;
    let root = root();
    let stranger = Key::random(KeyKind::Ed25519).unwrap();
    let signed = client(&root)
        .certificate()
        .edited_with(&stranger, Ed25519, |_| Ok(()))
        .unwrap();
    Scene::trusting([&root]).refuses([&signed], Reason::SignatureAlgorithm);
}

#[test]
fn refuses_two_different_signature_algorithms() {
    use test_pki::SignatureAlgorithm::EcdsaSha512;
    let root = root();
    let mut signed = client(&root).certificate().signed().unwrap();
    signed.algorithm = raw::algorithm_identifier(EcdsaSha512).unwrap();
    let mismatched = test_pki::Certificate::from_der(signed.to_der().unwrap());
    Scene::trusting([&root]).refuses([&mismatched], Reason::CertificateMalformed);
}

#[test]
fn refuses_what_is_not_valid_now() {
    use time::macros::datetime;
    refused(
        sound().valid(datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC)),
        Reason::Expired,
    );
    refused(
        sound().valid(datetime!(2090-01-01 0:00 UTC), datetime!(2091-01-01 0:00 UTC)),
        Reason::NotYetValid,
    );
    refused(
        sound().valid(datetime!(2091-01-01 0:00 UTC), datetime!(2020-01-01 0:00 UTC)),
        Reason::ValidityInverted,
    );
}

#[test]
fn refuses_a_certificate_of_a_nameless_issuer() {
    let root = root();
    let client = sound().issuer("").issued_by(&root).unwrap();
    Scene::trusting([&root]).refuses([&client], Reason::IssuerUnknown);
    let nameless = CertificateBuilder::intermediate("").issued_by(&root).unwrap();
    let client = sound().issued_by(&nameless).unwrap();
    Scene::trusting([&root]).refuses([&client, &nameless], Reason::IssuerNameEmpty);
}

#[test]
fn refuses_bytes_that_are_no_certificate() {
    let root = root();
    let scene = Scene::trusting([&root]);
    let good = client(&root);
    for der in [
        &[][..],
        &[0x30, 0],
        &[0x30, 0x80],
        b"-----BEGIN",
        &good.der()[..good.der().len() - 1],
        &[good.der(), &[0]].concat(),
    ] {
        let rejection = scene.refuses(
            [&test_pki::Certificate::from_der(der.to_vec())],
            Reason::CertificateMalformed,
        );
        assert_eq!(rejection.certificate(), Some(0));
        let junk = test_pki::Certificate::from_der(der.to_vec());
        let rejection = scene.refuses([good.certificate(), &junk], Reason::CertificateMalformed);
        assert_eq!(
            rejection.certificate(),
            Some(1),
            "junk is refused, also where it is not needed"
        );
    }
}
