//! Reproducibility, hostile edits and files.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use test_pki::der::asn1::{Any, Null};
use test_pki::der::oid::db::rfc5280;
use test_pki::{
    Certificate, CertificateBuilder, Credential, Criticality, CrlBuilder, Error, Key, KeyKind, raw,
    write_private, write_public,
};
use time::macros::datetime;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Returns the verdict of webpki on a client directly below an anchor.
fn verify(anchor: &Certificate, leaf: &Certificate) -> Result<(), webpki::Error> {
    let anchor_der = anchor.der().into();
    let anchors = [anchor_from_trusted_cert(&anchor_der)?];
    let leaf_der = leaf.der().into();
    let now = rustls_pki_types::UnixTime::now();
    EndEntityCert::try_from(&leaf_der)?
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &[],
            now,
            KeyUsage::client_auth(),
            None,
            None,
        )
        .map(|_| ())
}

fn seeded() -> (Credential, Credential) {
    let root = CertificateBuilder::root("CN=Root")
        .seed("root")
        .self_signed()
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .seed("client")
        .issued_by(&root)
        .unwrap();
    (root, client)
}

#[test]
fn the_same_seeds_make_the_same_bytes() {
    let (root, client) = seeded();
    let (root_again, client_again) = seeded();
    assert_eq!(root.der(), root_again.der());
    assert_eq!(client.der(), client_again.der());
    assert_eq!(verify(root.certificate(), client.certificate()), Ok(()));

    let crl = |authority| {
        CrlBuilder::new()
            .valid(datetime!(2026-01-01 0:00 UTC), datetime!(2099-01-01 0:00 UTC))
            .revoke(&client)
            .issued_by(authority)
            .unwrap()
    };
    assert_eq!(crl(&root), crl(&root_again));
}

/// The keys of committed samples must not change with a dependency.
#[test]
fn a_seed_makes_the_same_key_for_ever() {
    let pinned = [
        (KeyKind::P256, "6b5f6d392846ec6f"),
        (KeyKind::P384, "d8a1c9e38612094b"),
        (KeyKind::P521, "3e3b1071840272b8"),
        (KeyKind::Ed25519, "e3681cc533aa6b85"),
    ];
    for (kind, end) in pinned {
        let info = Key::from_seed(kind, "pinned").unwrap().public_key_info().unwrap();
        let tail: String = info
            .iter()
            .rev()
            .take(8)
            .rev()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(tail, end, "{}", kind.name());
    }
}

#[test]
fn another_seed_or_kind_makes_another_key() {
    let key = |kind, seed| Key::from_seed(kind, seed).unwrap().public_key_info().unwrap();
    assert_ne!(key(KeyKind::P256, "a"), key(KeyKind::P256, "b"));
    assert_ne!(key(KeyKind::P256, "a"), key(KeyKind::P384, "a"));
}

#[test]
fn without_a_seed_no_two_are_alike() {
    let make = || CertificateBuilder::root("CN=Root").self_signed().unwrap();
    let (one, other) = (make(), make());
    assert_ne!(
        one.key().public_key_info().unwrap(),
        other.key().public_key_info().unwrap()
    );
    assert_ne!(
        one.certificate().serial().unwrap(),
        other.certificate().serial().unwrap()
    );
}

#[test]
fn rsa_keys_cannot_be_seeded() {
    let error = CertificateBuilder::root("CN=Root")
        .key_kind(KeyKind::Rsa2048)
        .seed("root")
        .self_signed();
    assert_eq!(error.unwrap_err(), Error::KeyNotSeedable { kind: "rsa-2048" });
}

#[test]
fn an_edited_certificate_still_has_a_good_signature() {
    let (root, client) = seeded();
    let edited = client
        .certificate()
        .edited(root.key(), |tbs| {
            let usage = tbs.extension(rfc5280::ID_CE_EXT_KEY_USAGE).unwrap().clone();
            tbs.extensions.as_mut().unwrap().push(usage);
            Ok(())
        })
        .unwrap();
    assert_eq!(
        verify(root.certificate(), &edited),
        Err(webpki::Error::ExtensionValueInvalid),
        "webpki must refuse the repeated extension, not the signature"
    );

    let version_1 = client
        .certificate()
        .edited(root.key(), |tbs| {
            tbs.version = None;
            tbs.extensions = None;
            Ok(())
        })
        .unwrap();
    assert_eq!(
        verify(root.certificate(), &version_1),
        Err(webpki::Error::UnsupportedCertVersion)
    );

    let serial = client
        .certificate()
        .edited(root.key(), |tbs| {
            tbs.serial_number = raw::integer(&[0x80])?;
            Ok(())
        })
        .unwrap();
    assert_eq!(serial.serial().unwrap(), [0x80]);

    let subject = client.certificate().edited(root.key(), |tbs| {
        tbs.subject = raw::any_of(&Null)?;
        Ok(())
    });
    assert_eq!(subject.unwrap().tbs().unwrap().subject, Any::null());
}

#[test]
fn a_broken_signature_is_all_that_is_wrong() {
    let (root, client) = seeded();
    let broken = client.certificate().with_broken_signature().unwrap();
    assert_eq!(broken.tbs(), client.certificate().tbs());
    assert_eq!(
        verify(root.certificate(), &broken),
        Err(webpki::Error::InvalidSignatureForPublicKey)
    );
}

#[test]
fn the_outer_algorithm_can_differ_from_the_inner() {
    let (root, client) = seeded();
    let mut signed = client.certificate().signed().unwrap();
    signed.algorithm = raw::algorithm_identifier(test_pki::SignatureAlgorithm::EcdsaSha384).unwrap();
    let certificate = Certificate::from_der(signed.to_der().unwrap());
    assert_eq!(
        verify(root.certificate(), &certificate),
        Err(webpki::Error::SignatureAlgorithmMismatch)
    );
}

#[test]
fn an_unknown_critical_extension_can_be_made() {
    let (root, _) = seeded();
    let client = CertificateBuilder::client("CN=client")
        .extension("1.3.6.1.4.1.32473.1", Criticality::Critical, &[5, 0])
        .issued_by(&root)
        .unwrap();
    assert_eq!(
        verify(root.certificate(), client.certificate()),
        Err(webpki::Error::UnsupportedCriticalExtension)
    );
}

#[test]
fn a_renewed_authority_keeps_its_key() {
    let (root, client) = seeded();
    let renewed = CertificateBuilder::root("CN=Root")
        .key(root.key())
        .self_signed()
        .unwrap();
    assert_ne!(root.der(), renewed.der());
    assert_eq!(verify(renewed.certificate(), client.certificate()), Ok(()));
}

#[test]
fn the_first_bad_value_is_reported_when_issued() {
    let error = CertificateBuilder::client("CN=client")
        .dns("münchen")
        .uri("ü")
        .self_signed()
        .unwrap_err();
    assert_eq!(
        error,
        Error::Value {
            what: "a DNS name",
            text: "münchen".to_owned()
        }
    );

    for name in [
        "client",
        "CN=client, O=Example",
        "X=client",
        "C=ü",
        "emailAddress=ü@example.org",
        "1.2.3=#zz",
    ] {
        let error = CertificateBuilder::client(name).self_signed().unwrap_err();
        assert_eq!(
            error,
            Error::Name {
                name: name.to_owned()
            }
        );
    }

    let error = CertificateBuilder::client("CN=client")
        .valid(datetime!(1969-12-31 0:00 UTC), datetime!(2030-01-01 0:00 UTC))
        .self_signed()
        .unwrap_err();
    assert!(matches!(error, Error::Time { .. }), "{error}");
}

#[test]
fn tells_when_a_certificate_ends() {
    for end in [datetime!(2049-12-31 23:59:59 UTC), datetime!(2050-01-01 0:00 UTC)] {
        let root = CertificateBuilder::root("CN=Root")
            .valid(datetime!(2025-01-01 0:00 UTC), end)
            .self_signed()
            .unwrap();
        assert_eq!(root.certificate().not_after(), Ok(end));
    }
}

#[test]
fn private_files_are_for_their_owner_only() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    write_public(&path, "public").unwrap();
    assert_eq!(mode() & 0o600, 0o600);
    write_private(&path, "private").unwrap();
    assert_eq!(mode(), 0o600);
    assert_eq!(fs::read_to_string(&path).unwrap(), "private");
}

#[test]
fn loads_a_credential_and_refuses_the_key_of_another() {
    let directory = TempDir::new().unwrap();
    let (certificate, key) = (directory.path().join("a.pem"), directory.path().join("a.key"));
    let (root, client) = seeded();
    write_public(&certificate, &root.pem()).unwrap();
    write_private(&key, &root.key().to_pem().unwrap()).unwrap();
    assert_eq!(Credential::load(&certificate, &key).unwrap().der(), root.der());

    write_private(&key, &client.key().to_pem().unwrap()).unwrap();
    let error = Credential::load(&certificate, &key).unwrap_err().to_string();
    assert!(error.contains("is not the key of"), "{error}");

    let missing = directory.path().join("missing");
    let error = Credential::load(&missing, &key).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot read `{}`", missing.display())),
        "{error}"
    );
}

#[test]
fn refuses_pem_that_is_cut_off_or_something_else() {
    let (root, _) = seeded();
    let pem = root.pem();
    let cut = pem.replace("-----END CERTIFICATE-----\n", "");
    assert!(Certificate::all_from_pem(&format!("{pem}{cut}")).is_err());
    assert!(Certificate::from_pem("").is_err());
    assert!(Certificate::from_pem(&root.key().to_pem().unwrap()).is_err());
    assert!(Key::from_pem(&pem).is_err());
    assert_eq!(
        Certificate::all_from_pem(&format!("{pem}{pem}")).unwrap().len(),
        2
    );
}

/// rustls, and with it the local load balancer, reads keys through aws-lc-rs.
#[test]
fn aws_lc_reads_the_private_keys() {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
        EcdsaKeyPair, KeyPair,
    };

    for (kind, algorithm) in [
        (KeyKind::P256, &ECDSA_P256_SHA256_ASN1_SIGNING),
        (KeyKind::P384, &ECDSA_P384_SHA384_ASN1_SIGNING),
        (KeyKind::P521, &ECDSA_P521_SHA512_ASN1_SIGNING),
    ] {
        let key = Key::random(kind).unwrap();
        let der = pem::parse(key.to_pem().unwrap()).unwrap().into_contents();
        let read = EcdsaKeyPair::from_pkcs8(algorithm, &der).unwrap();
        let point = read.public_key().as_ref();
        assert!(key.public_key_info().unwrap().ends_with(point), "{}", kind.name());
    }
}
