//! `alb-mtls verify --ocsp`, which puts the same questions as a gate.

use alb_mtls_tests::{Clients, binary};
use test_pki::{CertificateBuilder, Credential};
use tokio::process::Command;

use crate::responders::{Openssl, revoked, valid};

/// Returns the exit code and the output for a client. The issuing CA is the trust anchor: the demo
/// has no responder for the root's certificates.
async fn verify(clients: &Clients, client: &Credential, ocsp: &[&str]) -> (Option<i32>, String) {
    let anchors = clients.write("verify-anchors.pem", &clients.issuing.pem());
    let pem = clients.write("verify-client.pem", &client.pem());
    let output = Command::new(binary("alb-mtls"))
        .arg("verify")
        .arg("--anchors")
        .arg(anchors)
        .arg("--pem")
        .arg(pem)
        .args(ocsp)
        .output()
        .await
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[tokio::test]
async fn verdict_is_by_the_answer_of_a_responder() {
    let clients = Clients::new();
    let bad = clients.issue(CertificateBuilder::client("CN=bad"));
    let unregistered = clients.issue(CertificateBuilder::client("CN=unregistered"));
    let index = valid(&clients.good) + &revoked(&bad);
    let responder = Openssl::start(clients.directory(), &clients.issuing, &clients.issuing, &index).await;
    let asking = ["--ocsp", &responder.url, "--ocsp-networks", "127.0.0.0/8"];

    let (code, output) = verify(&clients, &clients.good, &asking).await;
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("OCSP"), "{output}");
    let (code, output) = verify(&clients, &bad, &asking).await;
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("revoked") && output.contains("keyCompromise"),
        "{output}"
    );
    let (code, output) = verify(&clients, &unregistered, &asking).await;
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("ocsp_unknown"), "{output}");
    let soft = [&asking[..], &["--revocation", "soft"]].concat();
    let (code, output) = verify(&clients, &unregistered, &soft).await;
    assert_eq!(code, Some(0), "{output}");
}

#[tokio::test]
async fn responder_on_this_machine_is_asked_only_if_its_network_is_named() {
    let clients = Clients::new();
    let index = valid(&clients.good);
    let responder = Openssl::start(clients.directory(), &clients.issuing, &clients.issuing, &index).await;
    let (code, output) = verify(&clients, &clients.good, &["--ocsp", &responder.url]).await;
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("ocsp_unavailable"), "{output}");
}
