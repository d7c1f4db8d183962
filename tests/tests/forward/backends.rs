//! Backends that we did not write read what the forwarder sends.

use std::path::Path;
use std::process::Command;

use alb_mtls_tests::{Clients, certificate_headers, project};
use serde_json::{Value, json};
use test_pki::CertificateBuilder;

use crate::harness::{Event, forward};
use crate::upstream::{Recorded, Recorder, Reply};

/// Returns the request as common packages read it; further arguments as `reader.py` takes them.
pub(crate) fn read(request: &Recorded, directory: &Path, arguments: &[&str]) -> Value {
    let head = directory.join("request");
    std::fs::write(&head, &request.head).unwrap();
    let output = Command::new(project().join(".venv/bin/python"))
        .arg(project().join("tests/tests/forward/reader.py"))
        .arg(&head)
        .args(arguments)
        .output()
        .expect("`make test` sets Python up");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn sha256(der: &[u8]) -> String {
    alb_mtls_verifier::Fingerprint::of(der).to_string()
}

#[tokio::test]
async fn readers_of_verify_mode_and_of_rfc_9440_agree_on_the_client() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let function = forward(&clients, &upstream.url(), &[]).await;
    let odd_name = r"CN=J\C3\BCrgen \22x\22\2C Inc;\5C\3D\+ \23,OU=a\;b,O=\#x\ ,C=DE";
    for client in [
        CertificateBuilder::client("CN=client-2,O=Tests"),
        CertificateBuilder::client(odd_name),
    ] {
        let client = clients.issue(client);
        let event = Event::get("/", certificate_headers(clients.header(&client)));
        assert_eq!(function.answer(event.to_bytes()).await.status, 200);
        let read = read(&upstream.next().await, clients.directory(), &[]);
        let verify_mode = &read["verify_mode"];
        assert_eq!(verify_mode["middleware"], sha256(client.der()), "{read}");
        assert_eq!(verify_mode["leaf"], sha256(client.der()));
        for field in [
            "subject_agrees",
            "issuer_agrees",
            "serial_agrees",
            "validity_agrees",
        ] {
            assert_eq!(verify_mode[field], true, "{field}: {read}");
        }
        let expected = json!({"certificate": sha256(client.der()), "chain": [sha256(clients.issuing.der())]});
        assert_eq!(read["rfc9440"], expected);
    }
}
