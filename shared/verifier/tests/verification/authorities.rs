//! Intermediates: who may issue what.

use alb_mtls_verifier::{Reason, Rejection};
use test_pki::{Authority, CertificateBuilder, Criticality, KeyKind, KeyUsage, Purpose};

use crate::support::{Scene, client, root, tlv};

/// Checks the rejection of root, given intermediate and client, which must concern the
/// intermediate.
#[track_caller]
fn refused(builder: CertificateBuilder, reason: Reason) {
    let root = root();
    let issuing = builder.issued_by(&root).unwrap();
    let client = client(&issuing);
    let rejection = Scene::trusting([&root]).refuses([&client, &issuing], reason);
    assert_eq!(rejection.certificate(), Some(1));
}

#[track_caller]
fn accepted(builder: CertificateBuilder) {
    let root = root();
    let issuing = builder.issued_by(&root).unwrap();
    Scene::trusting([&root]).accepts([&client(&issuing), &issuing]);
}

fn sound() -> CertificateBuilder {
    CertificateBuilder::intermediate("CN=Issuing")
}

#[test]
fn refuses_an_issuer_that_is_not_a_ca() {
    refused(sound().authority(Authority::No), Reason::IssuerNotAuthority);
    refused(sound().authority(Authority::Unsaid), Reason::IssuerNotAuthority);
}

#[test]
fn refuses_an_issuer_that_may_not_sign_certificates() {
    refused(sound().key_usage(&[KeyUsage::CRLSign]), Reason::IssuerKeyUsage);
    refused(
        sound().key_usage(&[KeyUsage::DigitalSignature]),
        Reason::IssuerKeyUsage,
    );
    accepted(sound().key_usage(&[]));
}

#[test]
fn refuses_an_issuer_for_other_purposes() {
    refused(sound().purposes(&[Purpose::ServerAuth]), Reason::ExtendedKeyUsage);
    accepted(sound().purposes(&[Purpose::ServerAuth, Purpose::ClientAuth]));
    accepted(sound().purposes(&[Purpose::Any]));
}

#[test]
fn refuses_an_issuer_with_an_unknown_critical_extension() {
    refused(
        sound().extension("1.2.3.4", Criticality::Critical, &[5, 0]),
        Reason::CriticalExtension,
    );
    accepted(sound().extension("1.2.3.4", Criticality::NotCritical, &[5, 0]));
}

#[test]
fn issuer_with_any_serial_number_of_64_octets_is_accepted() {
    for serial in [&[0][..], &[0xFF], &[0x80], &[1; 21], &[1; 64]] {
        accepted(sound().serial_bytes(serial));
    }
    refused(sound().serial_bytes(&[1; 65]), Reason::SerialNumber);
}

#[test]
fn refuses_an_issuer_whose_key_no_load_balancer_takes() {
    // Ed25519 signs the client, so the signature comes first.
    refused_with(sound().key_kind(KeyKind::Ed25519), Reason::SignatureAlgorithm);
}

#[track_caller]
fn refused_with(builder: CertificateBuilder, reason: Reason) {
    let root = root();
    let issuing = builder.issued_by(&root).unwrap();
    Scene::trusting([&root]).refuses([&client(&issuing), &issuing], reason);
}

#[test]
fn refuses_an_issuer_of_version_1() {
    let root = root();
    let issuing = sound().issued_by(&root).unwrap();
    let old = issuing
        .certificate()
        .edited(root.key(), |tbs| {
            tbs.version = None;
            tbs.extensions = None;
            Ok(())
        })
        .unwrap();
    let client = client(&issuing);
    let rejection =
        Scene::trusting([&root]).refuses([client.certificate(), &old], Reason::CertificateVersion);
    assert_eq!(rejection.certificate(), Some(1));
}

#[test]
fn keeps_path_lengths() {
    let root = root();
    let upper = CertificateBuilder::intermediate("CN=Upper")
        .path_length(0)
        .issued_by(&root)
        .unwrap();
    let lower = CertificateBuilder::intermediate("CN=Lower")
        .issued_by(&upper)
        .unwrap();
    let scene = Scene::trusting([&root]);
    scene.accepts([&client(&upper), &upper]);
    let rejection = scene.refuses([&client(&lower), &lower, &upper], Reason::PathLength);
    assert_eq!(rejection.certificate(), Some(2));
    let upper = CertificateBuilder::intermediate("CN=Upper")
        .path_length(1)
        .issued_by(&root)
        .unwrap();
    let lower = CertificateBuilder::intermediate("CN=Lower")
        .issued_by(&upper)
        .unwrap();
    scene.accepts([&client(&lower), &lower, &upper]);
}

#[test]
fn self_issued_certificates_do_not_count_towards_the_path_length() {
    let root = root();
    let old = CertificateBuilder::intermediate("CN=CA")
        .path_length(0)
        .issued_by(&root)
        .unwrap();
    let rolled_over = CertificateBuilder::intermediate("CN=CA").issued_by(&old).unwrap();
    let scene = Scene::trusting([&root]);
    scene.accepts([&client(&rolled_over), &rolled_over, &old]);
    // Equal names count as one name, however they are written.
    let rolled_over = CertificateBuilder::intermediate("CN=ca").issued_by(&old).unwrap();
    scene.accepts([&client(&rolled_over), &rolled_over, &old]);
}

#[test]
fn unique_identifiers_are_read_and_not_interpreted() {
    let root = root();
    let issuing = sound().issued_by(&root).unwrap();
    let client = client(&issuing)
        .certificate()
        .edited(issuing.key(), |tbs| {
            tbs.subject_unique_id = Some(der::asn1::BitString::from_bytes(&[1, 2, 3]).unwrap());
            Ok(())
        })
        .unwrap();
    Scene::trusting([&root]).accepts([&client, issuing.certificate()]);
}

/// Verifies a client of an intermediate in which this extension cannot be read.
fn with_unreadable(identifier: &str, is_critical: bool) -> Result<(), Rejection> {
    let root = root();
    let issuing = sound().issued_by(&root).unwrap();
    let broken = issuing
        .certificate()
        .edited(root.key(), |tbs| {
            let extensions = tbs.extensions.as_mut().unwrap();
            extensions.retain(|extension| extension.extn_id.to_string() != identifier);
            let mut broken = extensions.first().unwrap().clone();
            broken.extn_id = der::asn1::ObjectIdentifier::new(identifier).unwrap();
            broken.extn_value = der::asn1::OctetString::new(&[0x30, 1][..]).unwrap();
            broken.critical = is_critical;
            extensions.push(broken);
            Ok(())
        })
        .unwrap();
    let client = client(&issuing);
    let result = Scene::trusting([&root]).verify([client.certificate(), &broken]);
    result.map(|_| ())
}

#[test]
fn critical_extension_that_cannot_be_read_is_refused() {
    for identifier in [
        "2.5.29.15",
        "2.5.29.17",
        "2.5.29.19",
        "2.5.29.30",
        "2.5.29.31",
        "2.5.29.32",
        "2.5.29.33",
        "2.5.29.36",
        "2.5.29.37",
        "2.5.29.54",
    ] {
        let rejection = with_unreadable(identifier, true).unwrap_err();
        assert!(
            [Reason::ExtensionMalformed, Reason::CertificateMalformed].contains(&rejection.reason()),
            "{identifier}: {rejection}"
        );
        let context = rejection.context();
        assert_eq!(context.certificate, Some(1));
        assert!(
            context.field.unwrap().contains(&format!("({identifier})")),
            "{rejection}"
        );
    }
}

#[test]
fn unreadable_extension_is_refused_only_where_it_decides() {
    for identifier in ["2.5.29.15", "2.5.29.19", "2.5.29.30", "2.5.29.36", "2.5.29.37"] {
        assert!(with_unreadable(identifier, false).is_err(), "{identifier}");
    }
    for identifier in [
        "2.5.29.14",
        "2.5.29.17",
        "2.5.29.31",
        "2.5.29.32",
        "2.5.29.33",
        "2.5.29.35",
        "2.5.29.54",
        "1.3.6.1.5.5.7.1.3",
    ] {
        assert_eq!(with_unreadable(identifier, false), Ok(()), "{identifier}");
    }
}

/// Critical CRL distribution points (RFC 5280 §4.2.1.13) are read to their end.
#[test]
fn critical_distribution_points_must_be_well_formed_in_each_part() {
    let uri = || tlv(0x86, b"http://crl.example/1.crl");
    let full = |names: Vec<u8>| tlv(0xA0, &tlv(0xA0, &names));
    let relative = tlv(
        0xA0,
        &tlv(0xA1, &[tlv(6, &[0x55, 4, 3]), tlv(0x0C, b"1")].concat()),
    );
    let issuer = |names: Vec<u8>| tlv(0xA2, &names);
    let directory = || {
        let attribute = tlv(0x30, &[tlv(6, &[0x55, 4, 3]), tlv(0x0C, b"Issuer")].concat());
        tlv(0xA4, &tlv(0x30, &tlv(0x31, &attribute)))
    };
    let reasons = |content: &[u8]| tlv(0x81, content);
    let root = root();
    let refusal = |points: &[Vec<u8>]| {
        let points: Vec<u8> = points.iter().flat_map(|point| tlv(0x30, point)).collect();
        let client = CertificateBuilder::client("CN=client")
            .extension("2.5.29.31", Criticality::Critical, &tlv(0x30, &points))
            .issued_by(&root)
            .unwrap();
        let verdict = Scene::trusting([&root]).verify([client.certificate()]);
        verdict.err().map(|rejection| rejection.reason())
    };
    for sound in [
        vec![full(uri())],
        vec![full([uri(), directory()].concat()), issuer(directory())],
        vec![[relative.clone(), reasons(&[5, 0x60])].concat()],
    ] {
        assert_eq!(refusal(&sound), None, "{sound:02x?}");
    }
    for broken in [
        vec![],
        vec![vec![]],
        vec![reasons(&[5, 0x60])],
        vec![full(vec![])],
        vec![issuer(vec![])],
        vec![full(tlv(0xA4, &tlv(0x31, &[])))],
        vec![issuer(tlv(0xA4, b"Issuer"))],
        vec![[full(uri()), reasons(&[5, 0x61])].concat()],
        vec![[full(uri()), vec![5, 0]].concat()],
        vec![tlv(0xA0, &[tlv(0xA0, &uri()), relative].concat())],
        vec![tlv(0xA0, &[])],
        vec![full(uri()), vec![]],
    ] {
        assert_eq!(
            refusal(&broken),
            Some(Reason::ExtensionMalformed),
            "{broken:02x?}"
        );
    }
}

#[test]
fn refuses_bits_of_a_key_usage_that_are_not_der() {
    let root = root();
    for value in [
        &[3, 2, 8, 0x80][..],
        &[3, 2, 0, 0x80, 0],
        &[3, 1],
        &[3, 2, 5, 0xBF],
    ] {
        let client = CertificateBuilder::client("CN=client")
            .extension("2.5.29.15", Criticality::Critical, value)
            .issued_by(&root)
            .unwrap();
        Scene::trusting([&root]).refuses([&client], Reason::CertificateMalformed);
    }
}
