//! Values of private extensions as parts of the identity, as operators select them.

use alb_mtls_verifier::{IdentityExtensions, Reason};
use test_pki::{CertificateBuilder, Credential, Criticality};

use crate::support::{Scene, intermediate, root, tlv};

const DEVICE: &str = "1.3.6.1.4.1.99999.1";

fn with(value: &[u8]) -> CertificateBuilder {
    with_extension(DEVICE, Criticality::NotCritical, value)
}

fn with_extension(oid: &str, criticality: Criticality, value: &[u8]) -> CertificateBuilder {
    CertificateBuilder::client("CN=client,O=Example").extension(oid, criticality, value)
}

/// Returns the values of a client's extensions by their keys.
fn values(selected: &str, client: CertificateBuilder) -> Vec<(String, String)> {
    let root = root();
    let scene = Scene::trusting([&root]).identifying_by(selected);
    let client = scene.accepts([&client.issued_by(&root).unwrap()]);
    let values = client.identity().extensions.iter();
    values
        .map(|value| (value.key.to_string(), value.value.to_string()))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    expected.iter().map(owned).collect()
}

#[test]
fn selected_extensions_are_in_the_identity_and_others_are_not() {
    let client = || {
        with(&tlv(0x0C, b"device-7"))
            .extension(
                "1.3.6.1.4.1.99999.2",
                Criticality::NotCritical,
                &tlv(0x13, b"blue"),
            )
            .extension("1.3.6.1.4.1.99999.3", Criticality::NotCritical, &[0x02, 1, 7])
    };
    assert_eq!(
        values(
            "1.3.6.1.4.1.99999.3 device_id=1.3.6.1.4.1.99999.1 absent=1.3.6.1.4.1.99999",
            client()
        ),
        pairs(&[("1.3.6.1.4.1.99999.3", "#020107"), ("device_id", "device-7")])
    );
    let root = root();
    let issued = client().issued_by(&root).unwrap();
    let by_default = Scene::trusting([&root]).accepts([&issued]);
    assert!(by_default.identity().extensions.is_empty());
    assert!(IdentityExtensions::default().is_empty());
}

#[test]
fn only_the_end_entity_certificate_is_read() {
    let root = root();
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .extension(DEVICE, Criticality::NotCritical, &tlv(0x0C, b"of the CA"))
        .issued_by(&root)
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .issued_by(&issuing)
        .unwrap();
    let client = Scene::trusting([&root])
        .identifying_by(DEVICE)
        .accepts([&client, &issuing]);
    assert!(client.identity().extensions.is_empty());
}

#[test]
fn text_that_could_pass_for_another_is_in_hexadecimal_form() {
    for (value, shown) in [
        (tlv(0x0C, b"admin\0"), "#0c0661646d696e00"),
        (
            tlv(0x0C, b"a\r\nx-user: root"),
            "#0c0f610d0a782d757365723a20726f6f74",
        ),
        (tlv(0x0C, "a\u{202e}b".as_bytes()), "#0c0561e280ae62"),
        (tlv(0x0C, b"#020107"), "#0c0723303230313037"),
        (tlv(0x0C, b""), "#0c00"),
        // Nested in an OCTET STRING, constructed, of indefinite length, longer than it is.
        (tlv(0x04, &tlv(0x0C, b"a")), "#04030c0161"),
        (tlv(0x2C, &tlv(0x0C, b"a")), "#2c030c0161"),
        (vec![0x2C, 0x80, 0x0C, 1, b'a', 0, 0], "#2c800c01610000"),
        (vec![0x0C, 2, b'a'], "#0c0261"),
        (vec![0x0C, 1, b'a', 0], "#0c016100"),
        (Vec::new(), "#"),
        // Raw text: Sigstore's first six extensions, and those of Hyperledger Fabric.
        (b"push".to_vec(), "#70757368"),
    ] {
        assert_eq!(values(DEVICE, with(&value)), pairs(&[(DEVICE, shown)]));
    }
}

#[test]
fn selected_extension_that_is_too_long_is_rejected() {
    let root = root();
    let scene = Scene::trusting([&root]);
    let issue = |value: &[u8]| with(value).issued_by(&root).unwrap();
    let long_text = issue(&tlv(0x0C, &[b'a'; 1_001]));
    let long_octets = issue(&[0; 500]);
    let huge = issue(&tlv(0x0C, &[b'a'; 48_000]));
    // Nothing reads them without the setting.
    for client in [&long_text, &long_octets, &huge] {
        scene.accepts([client]);
    }
    let scene = scene.identifying_by(&format!("device_id={DEVICE}"));
    for (client, octets) in [
        (&long_text, "1005 octets"),
        (&long_octets, "500 octets"),
        (&huge, "48004 octets"),
    ] {
        let rejection = scene.refuses([client], Reason::ExtensionTooLong);
        let context = rejection.context();
        assert_eq!(context.field, Some("extension device_id (1.3.6.1.4.1.99999.1)"));
        assert_eq!(context.found, Some(octets));
    }
    let longest = scene.accepts([&issue(&tlv(0x0C, &[b'a'; 1_000]))]);
    assert_eq!(longest.identity().extensions[0].value.len(), 1_000);
    assert!(longest.heap_bytes() > 1_000);
}

#[test]
fn critical_extension_is_rejected_although_it_is_selected() {
    let root = root();
    let scene = Scene::trusting([&root]).identifying_by(DEVICE);
    let critical = with_extension(DEVICE, Criticality::Critical, &tlv(0x0C, b"a"));
    let rejection = scene.refuses([&critical.issued_by(&root).unwrap()], Reason::CriticalExtension);
    assert_eq!(
        rejection.context().field,
        Some("critical extension 1.3.6.1.4.1.99999.1")
    );
}

#[test]
fn selected_extension_that_is_there_twice_is_rejected() {
    let root = root();
    let client: Credential = with(&tlv(0x0C, b"first"))
        .extension(
            "1.3.6.1.4.1.99999.2",
            Criticality::NotCritical,
            &tlv(0x0C, b"other"),
        )
        .issued_by(&root)
        .unwrap();
    let twice = client
        .certificate()
        .edited(root.key(), |tbs| {
            let extensions = tbs.extensions.iter_mut().flatten();
            let oid = DEVICE.parse().unwrap();
            extensions.for_each(|extension| {
                if extension.extn_id.to_string().starts_with("1.3.6.1.4.1.99999") {
                    extension.extn_id = oid;
                }
            });
            Ok(())
        })
        .unwrap();
    let scene = Scene::trusting([&root]).identifying_by(DEVICE);
    scene.refuses([&twice], Reason::ExtensionRepeated);
}

#[test]
fn explanation_names_the_extension_that_is_too_long() {
    let root = root();
    let issuing = intermediate(&root);
    let client = with(&[0; 500]).issued_by(&issuing).unwrap();
    let scene = Scene::trusting([&root]).identifying_by(DEVICE);
    let chain = [&client, &issuing].map(|one| one.der().to_vec().into());
    let chain = alb_mtls_verifier::PresentedChain::new(chain).unwrap();
    let explanation = scene.verifier().explain(&chain, scene.now);
    let failed = explanation
        .checks
        .iter()
        .find_map(|(check, outcome)| match outcome {
            alb_mtls_verifier::Outcome::Failed(rejection) => Some((*check, rejection.reason())),
            _ => None,
        });
    assert_eq!(
        failed,
        Some((alb_mtls_verifier::Check::Identity, Reason::ExtensionTooLong))
    );
}
