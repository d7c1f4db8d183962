//! Verdicts of `respond` by `openssl ocsp` and CRLs, for whole chains.

use alb_mtls_tests::{Clients, certificate_headers, header_of, respond, source};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential, CrlBuilder};

use crate::responders::{Behaviour, Openssl, Scripted, about_good, revoked, valid};
use crate::{LEAF, NETWORKS};

/// SHA-256 of a certificate, as `openssl x509 -fingerprint` writes it.
fn fingerprint(certificate: &Credential) -> String {
    let digest = alb_mtls_verifier::Fingerprint::of(certificate.der());
    let octets: Vec<String> = digest
        .as_bytes()
        .iter()
        .map(|octet| format!("{octet:02X}"))
        .collect();
    octets.join(":")
}

#[tokio::test]
async fn each_issuer_of_a_chain_has_its_own_responder() {
    let clients = Clients::new();
    let of_clients = valid(&clients.good);
    let folder = tempfile::tempdir().unwrap();
    let below = Openssl::start(
        clients.directory(),
        &clients.issuing,
        &clients.issuing,
        &of_clients,
    )
    .await;
    for (of_issuing, status, detail) in [
        (valid(&clients.issuing), 200, None),
        (revoked(&clients.issuing), 401, Some("revoked")),
        (String::new(), 401, Some("ocsp_unknown")),
    ] {
        let above = Openssl::start(folder.path(), &clients.root, &clients.root, &of_issuing).await;
        let responders = format!(
            "{}={} {}={}",
            fingerprint(&clients.issuing),
            below.url,
            fingerprint(&clients.root),
            above.url
        );
        let function = respond(&clients, &[("MTLS_OCSP", responders.as_str()), NETWORKS]).await;
        let answer = function.get("/", &clients.good_headers()).await;
        let record = function.record().await;
        assert_eq!(
            (answer.status, record["detail"].as_str()),
            (status, detail),
            "{record}"
        );
    }
}

/// A client whose certificate names a responder (authorityInfoAccess, RFC 5280 §4.2.2.1).
fn naming(clients: &Clients, url: &str) -> Credential {
    let method = [
        &[6, 8, 0x2B, 6, 1, 5, 5, 7, 0x30, 1][..],
        &[0x86, u8::try_from(url.len()).unwrap()],
        url.as_bytes(),
    ]
    .concat();
    let length = |content: &[u8]| u8::try_from(content.len()).unwrap();
    let description = [&[0x30, length(&method)][..], &method].concat();
    let value = [&[0x30, length(&description)][..], &description].concat();
    let builder = CertificateBuilder::client("CN=names its responder");
    clients.issue(builder.extension("1.3.6.1.5.5.7.1.1", test_pki::Criticality::NotCritical, &value))
}

#[tokio::test]
async fn responder_that_a_certificate_names_is_asked_by_consent_alone() {
    let clients = Clients::new();
    // The URL is in the certificate, so the responder exists before its index does.
    let placeholder = Scripted::start(Behaviour::Silence).await;
    let client = naming(&clients, &placeholder.url);
    let ask = async |settings: &[(&str, &str)]| -> Value {
        let function = respond(&clients, settings).await;
        let headers = certificate_headers(header_of([&client, &clients.issuing]));
        function.get("/", &headers).await;
        function.record().await
    };
    // Another responder is set, the client's own is not asked.
    let other = Scripted::start(Behaviour::Head("HTTP/1.1 404 Not Found".to_owned())).await;
    let record = ask(&[("MTLS_OCSP", other.url.as_str()), NETWORKS, LEAF]).await;
    assert_eq!(record["detail"], "ocsp_unavailable", "{record}");
    assert_eq!((other.requests(), placeholder.requests()), (1, 0));
    // The consent to what CAs name is not one to what clients name.
    let record = ask(&[("MTLS_OCSP", "aia-cas"), NETWORKS, LEAF]).await;
    assert_eq!(record["detail"], "ocsp_responder_missing", "{record}");
    assert_eq!(placeholder.requests(), 0);
    // The address rules hold for it too.
    let record = ask(&[("MTLS_OCSP", "aia-clients"), LEAF]).await;
    assert_eq!(record["detail"], "ocsp_unavailable", "{record}");
    assert!(
        record["explanation"]
            .as_str()
            .unwrap()
            .contains("MTLS_OCSP_NETWORKS"),
        "{record}"
    );
    assert_eq!(placeholder.requests(), 0);
    ask(&[
        ("MTLS_OCSP", "aia-clients"),
        ("MTLS_OCSP_TIMEOUT", "1s"),
        NETWORKS,
        LEAF,
    ])
    .await;
    assert_eq!(placeholder.requests(), 1);
    // A certificate that its issuer did not sign causes no request.
    let impostor = Clients::new();
    let forged = naming(&impostor, &placeholder.url);
    let function = respond(&clients, &[("MTLS_OCSP", "aia-clients"), NETWORKS, LEAF]).await;
    function
        .get("/", &certificate_headers(header_of([&forged, &impostor.issuing])))
        .await;
    assert_eq!(function.record().await["detail"], "signature_invalid");
    assert_eq!(placeholder.requests(), 1);
}

#[tokio::test]
async fn crls_and_ocsp_together_follow_the_order() {
    let clients = Clients::new();
    let crl = |builder: CrlBuilder| {
        let crl = builder.number(1).issued_by(&clients.issuing).unwrap();
        source(&clients, "crls.pem", crl.pem())
    };
    let good = about_good(&clients).signed_by(&clients.issuing).unwrap();
    let responder = Scripted::start(Behaviour::Body(good)).await;
    let ask = async |crls: &str, order: &str| -> Value {
        let settings = [
            ("MTLS_CRLS", crls),
            ("MTLS_OCSP", responder.url.as_str()),
            ("MTLS_REVOCATION_SOURCES", order),
            NETWORKS,
            LEAF,
        ];
        let function = respond(&clients, &settings).await;
        function.get("/", &clients.good_headers()).await;
        function.record().await
    };
    let clean = crl(CrlBuilder::new());
    let record = ask(&clean, "crl,ocsp").await;
    assert!(record["client"]["crl_next_update"].is_string(), "{record}");
    assert_eq!(responder.requests(), 0);
    let record = ask(&clean, "ocsp,crl").await;
    assert!(record["client"]["ocsp_until"].is_string(), "{record}");
    assert_eq!(responder.requests(), 1);
    // On the CRL: refused without a question.
    let on_list = crl(CrlBuilder::new().revoke(&clients.good));
    for order in ["crl,ocsp", "ocsp,crl"] {
        assert_eq!(ask(&on_list, order).await["detail"], "revoked");
    }
    assert_eq!(responder.requests(), 1);
}
