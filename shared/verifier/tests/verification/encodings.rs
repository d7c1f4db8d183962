//! Encodings that CAs in use write: large object identifiers, defaults that are written out, old
//! string types.

use alb_mtls_verifier::{Reason, TrustAnchor};
use test_pki::{Certificate, CertificateBuilder, Credential, Criticality, raw};

use crate::openssl::Folder;
use crate::support::with_octets;
use crate::support::{Scene, client, der, intermediate, root, tlv};

/// 2.25 with a UUID.
const UUID: &str = "2.25.329800735698586629295641978511506172918";

#[test]
fn object_identifiers_of_any_size_are_read_wherever_they_stand() {
    let folder = Folder::with_extensions(&format!(
        "
        [large_ca]
        basicConstraints = critical, CA:TRUE
        keyUsage = critical, keyCertSign
        extendedKeyUsage = clientAuth, {UUID}
        certificatePolicies = {UUID}
        subjectAltName = RID:2.999.1
        {UUID} = ASN1:UTF8String:x
        [large_client]
        basicConstraints = critical, CA:FALSE
        keyUsage = critical, digitalSignature
        extendedKeyUsage = clientAuth, {UUID}
        certificatePolicies = critical, {UUID}, 2.999.4294967296
        subjectAltName = RID:2.40.1, RID:{UUID}, otherName:{UUID};UTF8:x
        2.999.18446744073709551616 = ASN1:UTF8String:x
        [critical_client]
        2.999.18446744073709551616 = critical, ASN1:UTF8String:x
        [purpose_client]
        extendedKeyUsage = {UUID}
        "
    ));
    for name in ["root", "issuing", "client"] {
        folder.key(name, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    }
    let root = folder.certificate("root", "large_ca", "root", "");
    let issuing = folder.certificate("issuing", "large_ca", "root", "");
    let issued = |section: &str| folder.certificate("client", section, "issuing", "");
    let scene = Folder::trusting(&root);

    let verified = scene.accepts([&issued("large_client"), &issuing]);
    let identity = verified.identity();
    assert_eq!(identity.certificate_policies, [UUID, "2.999.4294967296"]);
    let names: Vec<String> = identity
        .alternative_names
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "RID:2.40.1".to_owned(),
            format!("RID:{UUID}"),
            format!("otherName:{UUID}=#0c0178")
        ]
    );
    assert_eq!(identity.unreadable_extensions, [""; 0]);

    let rejection = scene.refuses([&issued("critical_client"), &issuing], Reason::CriticalExtension);
    assert_eq!(
        rejection.context().field,
        Some("critical extension 2.999.18446744073709551616")
    );
    let rejection = scene.refuses([&issued("purpose_client"), &issuing], Reason::ExtendedKeyUsage);
    assert_eq!(rejection.context().found, Some(UUID));
}

/// A Name of one attribute, by the content of its type, its string type and its value.
fn name(kind: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    let attribute = [tlv(6, kind), tlv(tag, value)].concat();
    tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)))
}

const ORGANIZATION: &[u8] = &[0x55, 4, 10];

/// Returns the certificate with another subject.
fn named(certificate: &Credential, issuer: &Credential, subject: &[u8]) -> Certificate {
    let change = |tbs: &mut raw::TbsCertificate| {
        tbs.subject = raw::any(subject)?;
        Ok(())
    };
    certificate.certificate().edited(issuer.key(), change).unwrap()
}

/// Returns the certificate with another issuer.
fn issued_as(certificate: &Credential, issuer: &Credential, name: &[u8]) -> Certificate {
    let change = |tbs: &mut raw::TbsCertificate| {
        tbs.issuer = raw::any(name)?;
        Ok(())
    };
    certificate.certificate().edited(issuer.key(), change).unwrap()
}

#[test]
fn attribute_type_of_any_size_shows_in_dotted_form() {
    let root = root();
    // 2.25 and 2^128 - 1.
    let kind = [&[0x69, 0x83][..], &[0xFF; 17], &[0x7F]].concat();
    let client = named(&client(&root), &root, &name(&kind, 0x0C, b"x"));
    let verified = Scene::trusting([&root]).accepts([&client]);
    assert_eq!(
        verified.identity().subject.to_string(),
        "2.25.340282366920938463463374607431768211455=#0c0178"
    );
}

#[test]
fn names_chain_whatever_their_string_types() {
    let latin_1 = b"M\xFCller \xA7";
    let utf_16: Vec<u8> = "Müller §".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf_32: Vec<u8> = "Müller §"
        .chars()
        .flat_map(|one| u32::from(one).to_be_bytes())
        .collect();
    let spellings = [
        name(ORGANIZATION, 0x0C, "Müller §".as_bytes()),
        name(ORGANIZATION, 0x14, latin_1),
        name(ORGANIZATION, 0x1E, &utf_16),
        name(ORGANIZATION, 0x1C, &utf_32),
    ];
    let root = root();
    let client = client(&root);
    for of_anchor in &spellings {
        let anchor = named(&root, &root, of_anchor);
        let scene = Scene::trusting([&anchor]);
        for of_client in &spellings {
            let verified = scene.accepts([&issued_as(&client, &root, of_client)]);
            assert_eq!(verified.identity().issuer.to_string(), "O=Müller §");
        }
        let other = name(ORGANIZATION, 0x14, b"M\xFAller \xA7");
        scene.refuses([&issued_as(&client, &root, &other)], Reason::IssuerUnknown);
    }
}

#[test]
fn teletex_string_with_control_characters_is_refused_by_name() {
    let root = root();
    let forged = named(&client(&root), &root, &name(ORGANIZATION, 0x14, b"a\x85b"));
    let rejection = Scene::trusting([&root]).refuses([&forged], Reason::NameUnrepresentable);
    let context = rejection.context();
    assert_eq!(context.field, Some("attribute O of the subject"));
    assert_eq!(context.found, Some("the control character U+0085"));
}

#[test]
fn teletex_string_lies_in_an_excluded_subtree() {
    let root = root();
    let issuing = CertificateBuilder::intermediate("CN=Issuing")
        .exclude(&test_pki::GeneralName::Directory("O=Evil"))
        .issued_by(&root)
        .unwrap();
    let scene = Scene::trusting([&root]);
    let verdict = |subject: &[u8]| {
        let client = named(&client(&issuing), &issuing, subject);
        scene
            .verify([&client, issuing.certificate()])
            .map(|_| ())
            .map_err(|error| error.reason())
    };
    assert_eq!(verdict(&name(ORGANIZATION, 0x14, b"Good")), Ok(()));
    assert_eq!(
        verdict(&name(ORGANIZATION, 0x14, b"EVIL")),
        Err(Reason::NameConstraints)
    );
    // Octets beyond ASCII may stand for anything in T.61 proper.
    assert_eq!(
        verdict(&name(ORGANIZATION, 0x14, b"G\xC8ood")),
        Err(Reason::NameConstraints)
    );
}

/// Encodes name constraints of one subtree for dNSName, with `distances` after its base.
fn constraints(list: u8, base: &str, distances: &[u8]) -> Vec<u8> {
    let subtree = [tlv(0x82, base.as_bytes()), distances.to_vec()].concat();
    tlv(0x30, &tlv(list, &tlv(0x30, &subtree)))
}

#[test]
fn minimum_of_zero_may_be_written_out() {
    const MINIMUM: [u8; 3] = [0x80, 1, 0];
    let verdict = |value: &[u8], in_anchor: bool, name: &str| {
        let constrained =
            |builder: CertificateBuilder| builder.extension("2.5.29.30", Criticality::Critical, value);
        let (mut anchor, mut issuing) = (
            CertificateBuilder::root("CN=Root"),
            CertificateBuilder::intermediate("CN=Issuing"),
        );
        if in_anchor {
            anchor = constrained(anchor);
        } else {
            issuing = constrained(issuing);
        }
        let anchor = anchor.self_signed().unwrap();
        if TrustAnchor::new(der(anchor.certificate())).is_err() {
            return Err(Reason::ExtensionMalformed);
        }
        let issuing = issuing.issued_by(&anchor).unwrap();
        let client = CertificateBuilder::client("CN=client")
            .dns(name)
            .issued_by(&issuing)
            .unwrap();
        let verdict = Scene::trusting([&anchor]).verify([&client, &issuing]);
        verdict.map(|_| ()).map_err(|rejection| rejection.reason())
    };
    for in_anchor in [false, true] {
        let permitted = constraints(0xA0, "example.org", &MINIMUM);
        assert_eq!(verdict(&permitted, in_anchor, "a.example.org"), Ok(()));
        assert_eq!(
            verdict(&permitted, in_anchor, "a.example.com"),
            Err(Reason::NameConstraints)
        );
        let excluded = constraints(0xA1, "example.org", &MINIMUM);
        assert_eq!(
            verdict(&excluded, in_anchor, "a.example.org"),
            Err(Reason::NameConstraints)
        );
        // RFC 5280 section 4.2.1.10: minimum MUST be zero, and maximum MUST be absent.
        for distances in [
            &[0x80, 1, 1][..],
            &[0x81, 1, 0],
            &[0x80, 1, 0, 0x81, 1, 9],
            &[0x80, 0],
        ] {
            let value = constraints(0xA0, "example.org", distances);
            assert_eq!(
                verdict(&value, in_anchor, "a.example.org"),
                Err(Reason::ExtensionMalformed),
                "{distances:02x?}"
            );
        }
    }
}

#[test]
fn false_may_be_written_out() {
    let not_authority = |builder: CertificateBuilder| {
        builder.extension("2.5.29.19", Criticality::Critical, &[0x30, 3, 1, 1, 0])
    };
    let root = root();
    let client = not_authority(CertificateBuilder::client("CN=client"))
        .issued_by(&root)
        .unwrap();
    Scene::trusting([&root]).accepts([&client]);
    let issuing = not_authority(CertificateBuilder::intermediate("CN=Issuing"))
        .issued_by(&root)
        .unwrap();
    let client = crate::support::client(&issuing);
    Scene::trusting([&root]).refuses([&client, &issuing], Reason::IssuerNotAuthority);
}

#[test]
fn critical_false_may_be_written_out() {
    // An extension 1.2.3.4 that is critical becomes one that says that it is not.
    let critical = [6, 3, 0x2A, 3, 4, 1, 1, 0xFF];
    let not_critical = [6, 3, 0x2A, 3, 4, 1, 1, 0x00];
    let root = root();
    let issuing = CertificateBuilder::intermediate("CN=Issuing")
        .extension("1.2.3.4", Criticality::Critical, &[5, 0])
        .issued_by(&root)
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .extension("1.2.3.4", Criticality::Critical, &[5, 0])
        .issued_by(&issuing)
        .unwrap();
    let client = with_octets(client.certificate(), &issuing, &critical, &not_critical);
    let issuing = with_octets(issuing.certificate(), &root, &critical, &not_critical);
    Scene::trusting([&root]).accepts([&client, &issuing]);
}

#[test]
fn version_1_may_be_written_out_in_an_anchor() {
    let root = root();
    let of_version_1 = |certificate: &Certificate| {
        let edited = certificate.edited(root.key(), |tbs| {
            tbs.version = Some(raw::integer(&[0])?);
            tbs.extensions = None;
            Ok(())
        });
        edited.unwrap()
    };
    let old = of_version_1(root.certificate());
    Scene::trusting([&old]).accepts([&client(&root)]);
    assert!(!TrustAnchor::new(der(&old)).unwrap().is_version_3());
    // A client of that version is refused for it, not as damaged.
    let scene = Scene::trusting([&root]);
    let client = client(&root);
    let first = of_version_1(client.certificate());
    scene.refuses([&first], Reason::CertificateVersion);
}

#[test]
fn unique_identifiers_are_read_over_wherever_they_stand() {
    let identified = |certificate: &Credential, issuer: &Credential| {
        let change = |tbs: &mut raw::TbsCertificate| {
            let identifier = || der::asn1::BitString::from_bytes(&[1, 2, 3]).unwrap();
            tbs.issuer_unique_id = Some(identifier());
            tbs.subject_unique_id = Some(identifier());
            Ok(())
        };
        certificate.certificate().edited(issuer.key(), change).unwrap()
    };
    let root = root();
    let issuing = intermediate(&root);
    let client = client(&issuing);
    let scene = Scene::trusting([&identified(&root, &root)]);
    scene.accepts([&identified(&client, &issuing), &identified(&issuing, &root)]);
    scene.refuses([&client], Reason::IssuerUnknown);
}

#[test]
fn name_that_cannot_be_shown_is_named() {
    let root = root();
    let scene = Scene::trusting([&root]);
    for (names, field, found) in [
        (
            [tlv(0x82, b"a.example"), tlv(0x82, b"b\0.example")].concat(),
            "entry 2 (dNSName) of the subject alternative names",
            "the octet 0x00, a space or control character",
        ),
        (
            tlv(0x81, "ü@example.org".as_bytes()),
            "entry 1 (rfc822Name) of the subject alternative names",
            "the octet 0xC3, which is not ASCII",
        ),
        (
            tlv(0x87, &[10, 0, 0]),
            "entry 1 (iPAddress) of the subject alternative names",
            "3 octets, where an address has 4 or 16",
        ),
        (
            tlv(0xA4, &name(ORGANIZATION, 0x0C, b"a\nb")),
            "attribute O of entry 1 (directoryName) of the subject alternative names",
            "the control character U+000A",
        ),
        (
            tlv(0xA3, &[]),
            "entry 1 (x400Address) of the subject alternative names",
            "a kind of name that is not supported",
        ),
        (
            tlv(0x88, &[0x55, 0x81]),
            "entry 1 (registeredID) of the subject alternative names",
            "an object identifier that cannot be read",
        ),
        (Vec::new(), "the subject alternative names", "no entry"),
    ] {
        let client = CertificateBuilder::client("CN=client")
            .extension("2.5.29.17", Criticality::NotCritical, &tlv(0x30, &names))
            .issued_by(&root)
            .unwrap();
        let rejection = scene.refuses([&client], Reason::NameUnrepresentable);
        let context = rejection.context();
        assert_eq!((context.field, context.found), (Some(field), Some(found)));
        assert_eq!(
            (context.certificate, context.subject),
            (Some(0), Some("CN=client"))
        );
    }
}

#[test]
fn unreadable_information_of_a_client_is_said_and_refuses_nothing() {
    let root = root();
    let scene = Scene::trusting([&root]);
    for (identifier, name) in [
        ("1.3.6.1.5.5.7.1.3", "QC statements (1.3.6.1.5.5.7.1.3)"),
        ("2.5.29.14", "subject key identifier (2.5.29.14)"),
        ("2.5.29.31", "CRL distribution points (2.5.29.31)"),
        ("2.5.29.32", "certificate policies (2.5.29.32)"),
        ("2.5.29.35", "authority key identifier (2.5.29.35)"),
    ] {
        let client = CertificateBuilder::client("CN=client")
            .extension(identifier, Criticality::NotCritical, &[0xFF])
            .issued_by(&root)
            .unwrap();
        let verified = scene.accepts([&client]);
        assert_eq!(verified.identity().unreadable_extensions, [name]);
        assert!(verified.identity().certificate_policies.is_empty());
        assert!(verified.identity().payment_roles.is_empty());
    }
    // An extension of which nothing is known cannot be said to be unreadable.
    let private = CertificateBuilder::client("CN=client")
        .extension("1.2.3.4", Criticality::NotCritical, &[0xFF])
        .issued_by(&root)
        .unwrap();
    assert!(
        scene
            .accepts([&private])
            .identity()
            .unreadable_extensions
            .is_empty()
    );
}

#[test]
fn serial_number_shows_its_sign() {
    let root = root();
    let scene = Scene::trusting([&root]);
    for (serial, shown) in [
        (&[0x00][..], "00"),
        (&[0xFF], "-01"),
        (&[0x80], "-80"),
        (&[0xFF, 0x00], "-0100"),
        (&[0x00, 0xFF], "FF"),
        (&[0x7F], "7F"),
    ] {
        let client = CertificateBuilder::client("CN=client")
            .serial_bytes(serial)
            .issued_by(&root)
            .unwrap();
        assert_eq!(scene.accepts([&client]).identity().serial_number, shown);
    }
}

#[test]
fn key_with_more_parameters_than_a_curve_is_certificate_malformed() {
    let root = root();
    let client = client(&root);
    let info = client.key().public_key_info().unwrap();
    let (algorithm, key) = info[2..].split_at(usize::from(info[3]) + 2);
    let scene = Scene::trusting([&root]);
    for more in [&[5, 0][..], &[2, 1, 1]] {
        let algorithm = tlv(0x30, &[&algorithm[2..], more].concat());
        let info = tlv(0x30, &[&algorithm, key].concat());
        let edited = client.certificate().edited(root.key(), |tbs| {
            tbs.subject_public_key_info = raw::any(&info)?;
            Ok(())
        });
        scene.refuses([&edited.unwrap()], Reason::CertificateMalformed);
    }
    scene.accepts([&client]);
}

#[test]
fn extension_without_a_valid_identifier_is_certificate_malformed() {
    let root = root();
    let client = CertificateBuilder::client("CN=client")
        .extension("1.2.3.4", Criticality::NotCritical, &[5, 0])
        .issued_by(&root)
        .unwrap();
    let scene = Scene::trusting([&root]);
    scene.accepts([&client]);
    for wrong in [[6, 3, 0x2A, 0x80, 4], [6, 3, 0x2A, 3, 0x84]] {
        let client = with_octets(client.certificate(), &root, &[6, 3, 0x2A, 3, 4], &wrong);
        scene.refuses([&client], Reason::CertificateMalformed);
    }
}

#[test]
fn unique_identifier_that_is_not_a_bit_string_is_certificate_malformed() {
    let root = root();
    let client = client(&root).certificate().edited(root.key(), |tbs| {
        tbs.subject_unique_id = Some(der::asn1::BitString::from_bytes(&[0xA5; 5]).unwrap());
        Ok(())
    });
    let client = client.unwrap();
    let scene = Scene::trusting([&root]);
    scene.accepts([&client]);
    let whole = [0x82, 6, 0, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5];
    for unused in [1, 9] {
        let mut wrong = whole;
        wrong[2] = unused;
        scene.refuses(
            [&with_octets(&client, &root, &whole, &wrong)],
            Reason::CertificateMalformed,
        );
    }
}
