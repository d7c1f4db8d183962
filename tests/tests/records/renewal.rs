//! Clients are told when it is time to renew their certificate.

use alb_mtls_tests::{Clients, certificate_headers, client_headers};
use test_pki::CertificateBuilder;

use alb_mtls_tests::respond;

const HEADER: &str = "client-cert-expires";

#[tokio::test]
async fn a_client_whose_certificate_expires_soon_is_told_when() {
    let clients = Clients::new();
    let function = respond(
        &clients,
        &[("MTLS_RENEWAL_HINT", "30d"), ("MTLS_MODE", "optional")],
    )
    .await;
    let soon = clients.issue(CertificateBuilder::client("CN=soon").days(29));
    let later = clients.issue(CertificateBuilder::client("CN=later").days(31));
    let answer = function
        .get("/", &certificate_headers(clients.header(&soon)))
        .await;
    let not_after = answer.body_json()["client"]["not_after"].clone();
    assert_eq!(answer.header(HEADER), not_after.as_str());
    let answer = function
        .get("/", &certificate_headers(clients.header(&later)))
        .await;
    assert_eq!((answer.status, answer.header(HEADER)), (200, None));
    for headers in [
        client_headers(),
        certificate_headers(clients.header(&clients.expired())),
    ] {
        assert_eq!(function.get("/", &headers).await.header(HEADER), None);
    }
}

#[tokio::test]
async fn nobody_is_told_unless_asked_for() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    let soon = clients.issue(CertificateBuilder::client("CN=soon").days(1));
    let answer = function
        .get("/", &certificate_headers(clients.header(&soon)))
        .await;
    assert_eq!((answer.status, answer.header(HEADER)), (200, None));
}
