//! Responders that are down, slow, wrong or dishonest.

use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, respond};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential, OcspResponseBuilder, Purpose, ocsp_declined};
use time::OffsetDateTime;

use crate::responders::{Behaviour, Scripted, about_good, delegate};
use crate::{LEAF, NETWORKS};

async fn ask(clients: &Clients, url: &str, mode: &str) -> (u16, Value) {
    let settings = [
        ("MTLS_OCSP", url),
        ("MTLS_OCSP_TIMEOUT", "1s"),
        ("MTLS_REVOCATION", mode),
        NETWORKS,
        LEAF,
    ];
    let function = respond(clients, &settings).await;
    let status = function.get("/", &clients.good_headers()).await.status;
    (status, function.record().await)
}

/// A fault with the detail and words of its record.
struct Case(Behaviour, &'static str, &'static str);

fn cases(clients: &Clients) -> Vec<Case> {
    let signed = |builder: OcspResponseBuilder, signer: &Credential| {
        Behaviour::Body(builder.signed_by(signer).unwrap())
    };
    let about = || about_good(clients);
    let now = OffsetDateTime::now_utc();
    let hours = time::Duration::hours;
    let impostor = Clients::new();
    let not_delegated = clients.issue(CertificateBuilder::client("CN=OCSP responder"));
    let of_root = CertificateBuilder::client("CN=OCSP responder")
        .purposes(&[Purpose::OcspSigning])
        .issued_by(&clients.root)
        .unwrap();
    let expired = CertificateBuilder::client("CN=OCSP responder")
        .purposes(&[Purpose::OcspSigning])
        .valid(now - hours(48), now - hours(24))
        .issued_by(&clients.issuing)
        .unwrap();
    vec![
        Case(
            signed(about().valid(now - hours(2), now - hours(1)), &clients.issuing),
            "ocsp_stale",
            "was valid until",
        ),
        Case(
            signed(about().valid(now + hours(1), now + hours(2)), &clients.issuing),
            "ocsp_stale",
            "thisUpdate",
        ),
        Case(
            signed(about(), &impostor.issuing),
            "ocsp_signature",
            "does not verify",
        ),
        Case(signed(about(), &clients.root), "ocsp_signature", "not the issuer"),
        Case(
            signed(about().certificate(&not_delegated), &not_delegated),
            "ocsp_signature",
            "OCSPSigning",
        ),
        Case(
            signed(about().certificate(&of_root), &of_root),
            "ocsp_signature",
            "issued by",
        ),
        Case(
            signed(about().certificate(&expired), &expired),
            "ocsp_signature",
            "is valid from",
        ),
        Case(
            signed(about().serials(&[&[1, 2, 3]]), &clients.issuing),
            "ocsp_unusable",
            "serial number 010203",
        ),
        Case(
            signed(about().response_extension(&[0x2A, 3], true), &clients.issuing),
            "ocsp_unusable",
            "critical extension 1.2.3",
        ),
        Case(
            Behaviour::Body(b"<html>captive portal</html>".to_vec()),
            "ocsp_unusable",
            "outermost SEQUENCE",
        ),
        Case(Behaviour::Body(ocsp_declined(3)), "ocsp_unavailable", "tryLater"),
        Case(
            Behaviour::Body(ocsp_declined(6)),
            "ocsp_unavailable",
            "unauthorized",
        ),
        Case(Behaviour::Bytes(1 << 20), "ocsp_unavailable", "larger than 65536"),
        Case(Behaviour::Silence, "ocsp_unavailable", "in time"),
        Case(
            Behaviour::Head("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/".to_owned()),
            "ocsp_unavailable",
            "redirects are not followed",
        ),
        Case(
            Behaviour::Head("HTTP/1.1 503 Service Unavailable".to_owned()),
            "ocsp_unavailable",
            "503",
        ),
        Case(
            signed(about().unknown(), &clients.issuing),
            "ocsp_unknown",
            "by the OCSP response of",
        ),
    ]
}

#[tokio::test]
async fn fault_of_a_responder_is_refused_in_strict_and_noted_in_soft() {
    let clients = Clients::new();
    for Case(behaviour, detail, words) in cases(&clients) {
        let responder = Scripted::start(behaviour.clone()).await;
        let (status, record) = ask(&clients, &responder.url, "strict").await;
        assert_eq!(
            (status, record["detail"].as_str()),
            (401, Some(detail)),
            "{behaviour:?} {record}"
        );
        assert!(
            record["explanation"].as_str().unwrap().contains(words),
            "{words}: {record}"
        );
        let (status, record) = ask(&clients, &responder.url, "soft").await;
        assert_eq!(status, 200, "{record}");
        assert_eq!(record["client"]["revocation_unknown"], detail, "{record}");
    }
}

#[tokio::test]
async fn responder_that_is_down_is_left_alone_after_three_failures() {
    let clients = Clients::new();
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let settings = [("MTLS_OCSP", gone.as_str()), NETWORKS, LEAF];
    let function = respond(&clients, &settings).await;
    let mut explanations = Vec::new();
    // Other clients each time: the failure about one of them is kept for a while.
    for number in 0..4 {
        let client = clients.issue(CertificateBuilder::client(&format!("CN=client-{number}")));
        let headers =
            alb_mtls_tests::certificate_headers(alb_mtls_tests::header_of([&client, &clients.issuing]));
        assert_eq!(function.get("/", &headers).await.status, 401);
        let record = function.record().await;
        assert_eq!(record["detail"], "ocsp_unavailable", "{record}");
        explanations.push(record["explanation"].as_str().unwrap().to_owned());
    }
    assert!(
        explanations[..3]
            .iter()
            .all(|text| text.contains("cannot connect")),
        "{explanations:?}"
    );
    assert!(explanations[3].contains("is asked again at"), "{explanations:?}");
}

#[tokio::test]
async fn slow_responder_takes_no_more_than_the_deadline_from_each_of_many() {
    let clients = Clients::new();
    let responder = Scripted::start(Behaviour::Silence).await;
    let settings = [
        ("MTLS_OCSP", responder.url.as_str()),
        ("MTLS_OCSP_TIMEOUT", "1s"),
        NETWORKS,
        LEAF,
    ];
    let function = respond(&clients, &settings).await;
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(function.get("/", &clients.good_headers()).await.status, 401);
    }
    // The first waits for a second; the failure answers the others.
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(responder.requests(), 1);
}

#[tokio::test]
async fn second_responder_answers_when_the_first_is_silent() {
    let clients = Clients::new();
    let delegate = delegate(&clients);
    let good = about_good(&clients)
        .certificate(&delegate)
        .signed_by(&delegate)
        .unwrap();
    let (silent, good) = (
        Scripted::start(Behaviour::Silence).await,
        Scripted::start(Behaviour::Body(good)).await,
    );
    let both = format!("{} {}", silent.url, good.url);
    let (status, record) = ask(&clients, &both, "strict").await;
    assert_eq!(status, 200, "{record}");
}
