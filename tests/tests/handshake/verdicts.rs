//! Verdicts on clients of every kind, over both versions of HTTP.

use std::process::Command;

use alb_mtls_tests::{Clients, certificate_headers};
use local_alb::{ClientCertificateHeaderCopies, HeaderMode};
use test_pki::KeyKind;

use crate::gate::Gate;

async fn gate(clients: &Clients) -> Gate {
    Gate::start(
        clients,
        &[("MTLS_ANCHORS", &clients.anchors_source())],
        ClientCertificateHeaderCopies::PassOn,
        HeaderMode::MultiValue,
    )
    .await
}

#[tokio::test]
async fn a_handshake_becomes_a_verdict_over_both_versions_of_http() {
    let clients = Clients::new();
    let gate = gate(&clients).await;
    let good = clients.write_client("good", &clients.good);
    for version in ["--http1.1", "--http2"] {
        let (status, body) = gate.curl_as(&good, &[version]).await;
        assert_eq!(status, 200, "{version}: {body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["client"]["subject"], "CN=client-1,OU=Payments,O=Tests");
        assert_eq!(
            (&body["request"]["path"], &body["request"]["query"]),
            (&"/who".into(), &"x=%2F".into())
        );

        let (status, body) = gate.curl(&[version]).await;
        assert_eq!(
            (status, body.contains("ClientCertMissing")),
            (401, true),
            "{version}: {body}"
        );
    }
}

#[tokio::test]
async fn clients_of_every_kind_get_their_verdict() {
    let clients = Clients::new();
    let foreign = Clients::of("Foreign");
    let gate = gate(&clients).await;
    let cases = [
        (
            "rsa",
            clients.write_client("rsa", &clients.with_key(KeyKind::Rsa2048)),
            200,
            "\"verified\": true",
        ),
        (
            "p384",
            clients.write_client("p384", &clients.with_key(KeyKind::P384)),
            200,
            "\"verified\": true",
        ),
        (
            "p521",
            clients.write_client("p521", &clients.with_key(KeyKind::P521)),
            200,
            "\"verified\": true",
        ),
        (
            "expired",
            clients.write_client("expired", &clients.expired()),
            401,
            "ClientCertExpired",
        ),
        (
            "early",
            clients.write_client("early", &clients.not_yet_valid()),
            401,
            "ClientCertNotYetValid",
        ),
        (
            "server",
            clients.write_client("server", &clients.server_only()),
            401,
            "ClientCertPurposeInvalid",
        ),
        (
            "foreign",
            foreign.write_client("foreign", &foreign.good),
            401,
            "ClientCertUntrusted",
        ),
    ];
    for (name, files, status, words) in cases {
        let (found, body) = gate.curl_as(&files, &[]).await;
        assert!(found == status && body.contains(words), "{name}: {found} {body}");
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_does_not_connect() {
    let clients = Clients::new();
    let gate = gate(&clients).await;
    let (chain, _) = clients.write_client("good", &clients.good);
    let (_, other_key) = clients.write_client("other", &clients.with_key(KeyKind::P256));
    let (status, body) = gate.curl_as(&(chain, other_key), &[]).await;
    assert_eq!(status, 0, "{body}");
}

#[tokio::test]
async fn a_certificate_header_of_the_clients_own_opens_nothing_that_can_be_seen_to_be_its_own() {
    let clients = Clients::new();
    let good = clients.write_client("good", &clients.good);
    let stolen = certificate_headers(clients.header(&clients.good))
        .pop()
        .unwrap()
        .1;
    let forged = format!("X-Amzn-Mtls-Clientcert: {stolen}");

    // AWS does not document whether the load balancer removes the client's copy. If it does, the
    // client is what its handshake says; if it does not, a second value gives the client away.
    let strips = Gate::start(
        &clients,
        &[("MTLS_ANCHORS", &clients.anchors_source())],
        ClientCertificateHeaderCopies::Strip,
        HeaderMode::MultiValue,
    )
    .await;
    assert_eq!(strips.curl(&["-H", &forged]).await.0, 401);
    assert_eq!(strips.curl_as(&good, &["-H", &forged]).await.0, 200);

    let passes_on = gate(&clients).await;
    assert_eq!(passes_on.curl_as(&good, &["-H", &forged]).await.0, 401);
}

#[tokio::test]
async fn a_pki_made_with_openssl_as_the_guides_do_is_accepted() {
    let clients = Clients::new();
    let directory = clients.directory();
    for line in [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Guide_Root/O=Guides \
         -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign",
        "req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /CN=guide-client/O=Guides",
        "x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 10 -extfile client.cnf -out client.pem",
    ] {
        clients.write(
            "client.cnf",
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n",
        );
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(directory)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let anchors = format!("file:{}", directory.join("ca.pem").display());
    let gate = Gate::start(
        &clients,
        &[("MTLS_ANCHORS", &anchors)],
        ClientCertificateHeaderCopies::PassOn,
        HeaderMode::SingleValue,
    )
    .await;
    let files = (directory.join("client.pem"), directory.join("client.key"));
    let (status, body) = gate.curl_as(&files, &[]).await;
    assert!(
        status == 200 && body.contains("CN=guide-client"),
        "{status} {body}"
    );
    let good = clients.write_client("good", &clients.good);
    assert_eq!(gate.curl_as(&good, &[]).await.0, 401);
}
