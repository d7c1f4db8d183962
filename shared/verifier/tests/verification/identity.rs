//! Identities of verified clients, and names that are rejected rather than shown.

use std::sync::Arc;

use alb_mtls_verifier::{AlternativeName, ClientIdentity, Reason};
use test_pki::der::asn1::ObjectIdentifier;
use test_pki::{CertificateBuilder, Criticality, GeneralName, KeyUsage, raw};

use crate::support::{Scene, root, tlv};

fn identity(builder: CertificateBuilder) -> Arc<ClientIdentity> {
    let root = root();
    let client = builder.issued_by(&root).unwrap();
    Arc::clone(Scene::trusting([&root]).accepts([&client]).identity())
}

fn sound() -> CertificateBuilder {
    CertificateBuilder::client("CN=client,OU=Payments,O=Example")
}

#[test]
fn says_what_the_certificate_says() {
    let identity = identity(
        sound()
            .serial_bytes(&[0, 0xAB, 0xCD, 0xEF])
            .dns("client.example")
            .email("client@example.org")
            .uri("urn:example:client")
            .ip([192, 0, 2, 1])
            .alternative_name(&GeneralName::Directory("CN=other"))
            .alternative_name(&GeneralName::RegisteredId("1.2.3"))
            .alternative_name(&GeneralName::Other("1.3.6.1.4.1.311.20.2.3", &tlv(0x0C, b"a@b"))),
    );
    assert_eq!(identity.subject.to_string(), "CN=client,OU=Payments,O=Example");
    assert_eq!(identity.issuer.to_string(), "CN=Root,O=Example");
    assert_eq!(identity.serial_number, "ABCDEF");
    assert_eq!(identity.common_name().as_deref(), Some("client"));
    let names: Vec<String> = identity
        .alternative_names
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "DNS:client.example",
            "email:client@example.org",
            "URI:urn:example:client",
            "IP:192.0.2.1",
            "DirName:CN=other",
            "RID:1.2.3",
            "otherName:1.3.6.1.4.1.311.20.2.3=#0c03614062",
        ]
    );
    assert_eq!(identity.spiffe_id, None);
}

#[test]
fn names_of_different_types_are_never_equal() {
    assert_ne!(
        AlternativeName::Dns("admin.example".to_owned()),
        AlternativeName::Uri("admin.example".to_owned())
    );
}

#[test]
fn the_rfc_8705_thumbprint_is_that_of_the_certificate() {
    use base64::Engine;
    let root = root();
    let client = sound().issued_by(&root).unwrap();
    let verified = Scene::trusting([&root]).accepts([&client]);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, client.der());
    let expected = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest);
    assert_eq!(
        verified.identity().certificate_fingerprint.to_base64url(),
        expected
    );
    assert_eq!(verified.identity().certificate().as_ref(), client.der());
}

#[test]
fn recognises_spiffe_ids_by_the_rules_of_x509_svid() {
    let spiffe = |builder: CertificateBuilder| identity(builder).spiffe_id.clone();
    let id = "spiffe://example.org/ns/default/sa/client";
    assert_eq!(spiffe(sound().uri(id)).as_deref(), Some(id));
    assert_eq!(spiffe(sound().uri(id).dns("client.example")).as_deref(), Some(id));
    for uri in [
        "spiffe://example.org",
        "spiffe://example.org/",
        "spiffe:///path",
        "spiffe://Example.org/path",
        "spiffe://example.org:443/path",
        "spiffe://user@example.org/path",
        "spiffe://example.org/a//b",
        "spiffe://example.org/a/../b",
        "spiffe://example.org/a?b",
        "spiffe://example.org/a%2Fb",
        "SPIFFE://example.org/path",
        "https://example.org/path",
    ] {
        assert_eq!(spiffe(sound().uri(uri)), None, "{uri}");
    }
    // Two URIs: an SVID has exactly one.
    assert_eq!(spiffe(sound().uri(id).uri("spiffe://example.org/admin")), None);
    assert_eq!(spiffe(sound().uri(id).key_usage(&[])), None);
    assert_eq!(
        spiffe(
            sound()
                .uri(id)
                .key_usage(&[KeyUsage::DigitalSignature, KeyUsage::KeyCertSign])
        ),
        None
    );
}

#[test]
fn an_attribute_that_occurs_twice_identifies_nobody() {
    let twice = identity(CertificateBuilder::client("CN=admin,CN=client,O=Example"));
    assert_eq!(twice.common_name(), None);
}

#[test]
fn reads_organization_identifier_policies_and_payment_roles() {
    let role = |last: u8, name: &str| {
        let oid = [6, 7, 4, 0, 0x81, 0x98, 0x27, 1, last];
        tlv(0x30, &[&oid[..], &tlv(0x0C, name.as_bytes())].concat())
    };
    let roles = tlv(0x30, &[role(3, "PSP_AI"), role(2, "PSP_PI")].concat());
    let information = tlv(
        0x30,
        &[roles, tlv(0x0C, b"BaFin"), tlv(0x0C, b"DE-BAFIN")].concat(),
    );
    let statement = tlv(
        0x30,
        &[vec![6, 6, 4, 0, 0x81, 0x98, 0x27, 2], information].concat(),
    );
    let compliance = tlv(0x30, &[6, 6, 4, 0, 0x8E, 0x46, 1, 1]);
    let statements = tlv(0x30, &[compliance, statement].concat());
    let identity = identity(
        CertificateBuilder::client("2.5.4.97=#0C1250534444452D424146494E2D313233343536,CN=Bank,O=Example")
            .policy("0.4.0.194112.1.4")
            .extension("1.3.6.1.5.5.7.1.3", Criticality::NotCritical, &statements),
    );
    assert_eq!(
        identity.organization_identifier.as_deref(),
        Some("PSDDE-BAFIN-123456")
    );
    assert_eq!(identity.payment_roles, ["PSP_AI", "PSP_PI"]);
    assert_eq!(identity.certificate_policies, ["0.4.0.194112.1.4"]);
    let oid = ObjectIdentifier::new("1.3.6.1.5.5.7.1.3").unwrap();
    assert_eq!(identity.extension(oid), Some(statements));
}

#[test]
fn refuses_names_that_cannot_be_represented() {
    let root = root();
    let scene = Scene::trusting([&root]);
    let refused = |value: &[u8]| {
        let names = tlv(0x30, value);
        let client = sound()
            .extension("2.5.29.17", Criticality::NotCritical, &names)
            .issued_by(&root)
            .unwrap();
        let rejection = scene.refuses([&client], Reason::NameUnrepresentable);
        assert_eq!(rejection.certificate(), Some(0));
    };
    refused(&[]);
    refused(&tlv(0x82, b"admin.example\0.evil.example"));
    refused(&tlv(0x82, b"admin.example\n"));
    refused(&tlv(0x82, b"admin .example"));
    refused(&tlv(0x82, "bücher.example".as_bytes()));
    refused(&tlv(0x82, b""));
    refused(&tlv(0x81, b"a@example.org\0"));
    refused(&tlv(0x86, b"spiffe://example.org/a\tb"));
    refused(&tlv(0x87, &[192, 0, 2]));
    refused(&tlv(0x8D, b"x"));
    refused(&tlv(0xA4, &tlv(0x30, &tlv(0x31, &[]))));
}

#[test]
fn refuses_control_characters_in_the_subject() {
    let root = root();
    let client = sound().issued_by(&root).unwrap();
    let scene = Scene::trusting([&root]);
    for (tag, value) in [
        (0x0C, &b"client\nO=Admins"[..]),
        (0x13, b"client\0"),
        (0x0C, b"\xFF"),
        (0x16, b"\x80"),
        (0x1E, &[0, b'a', 0]),
        (0x1E, &[0xD8, 0]),
    ] {
        let attribute = [vec![6, 3, 0x55, 4, 3], tlv(tag, value)].concat();
        let subject = tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)));
        let forged = client
            .certificate()
            .edited(root.key(), |tbs| {
                tbs.subject = raw::any(&subject)?;
                Ok(())
            })
            .unwrap();
        scene.refuses([&forged], Reason::NameUnrepresentable);
    }
}

#[test]
fn no_attribute_can_pass_for_another_one() {
    let root = root();
    let client = sound().issued_by(&root).unwrap();
    let attribute = [vec![6, 3, 0x55, 4, 3], tlv(0x0C, b"client,O=Admins+OU=x\\ ")].concat();
    let subject = tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)));
    let forged = client
        .certificate()
        .edited(root.key(), |tbs| {
            tbs.subject = raw::any(&subject)?;
            Ok(())
        })
        .unwrap();
    let verified = Scene::trusting([&root]).accepts([&forged]);
    let identity = verified.identity();
    assert_eq!(identity.subject.to_string(), r"CN=client\,O\=Admins\+OU\=x\\\ ");
    let organization = ObjectIdentifier::new("2.5.4.10").unwrap();
    assert!(identity.subject.texts_of(organization).is_empty());
}
