//! The client's certificate on its way from the handshake into the event, in passthrough mode.

use bytes::Bytes;
use http::{HeaderName, Request};
use local_alb::{ClientCertificateHeaderCopies, HeaderMode, Record, passthrough_header};
use percent_encoding::percent_decode_str;
use rcgen::date_time_ymd;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::support::{Authority, Client, Identity, Site, client_params, shown};

const HEADER: &str = "x-amzn-mtls-clientcert";

fn simple(client: &Client) -> Request<Bytes> {
    client.request("/").body(Bytes::new()).unwrap()
}

fn chain_in(header: &Value) -> Vec<CertificateDer<'static>> {
    let pem: Vec<u8> = percent_decode_str(header.as_str().unwrap()).collect();
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .unwrap()
}

fn client_identity() -> Identity {
    let root = Authority::new("root");
    let issuing = root.intermediate("issuing");
    issuing.client("client", &[&issuing])
}

#[tokio::test]
async fn sends_no_header_without_a_certificate() {
    let mut site = Site::start().await;
    for client in [site.client(), site.client().http_2(), site.client().tls_1_2()] {
        let event = client.event(simple(&client)).await;
        assert!(event["headers"].get(HEADER).is_none());
        assert_eq!(site.request_record().await.certificates, 0);
    }
}

#[tokio::test]
async fn sends_the_presented_chain_leaf_first() {
    let mut site = Site::start().await;
    let identity = client_identity();
    let client = site.client().identity(&identity);
    for client in [client.clone(), client.clone().http_2(), client.tls_1_2()] {
        let event = client.event(simple(&client)).await;
        assert_eq!(chain_in(&event["headers"][HEADER]), identity.chain);
        assert_eq!(site.request_record().await.certificates, 2);
    }
}

#[tokio::test]
async fn writes_the_header_as_aws_does() {
    let site = Site::start().await;
    let root = Authority::new("root");
    let identities: Vec<Identity> = (0..8).map(|n| root.client(&format!("client {n}"), &[])).collect();
    let mut all = String::new();
    for identity in &identities {
        let client = site.client().identity(identity);
        let event = client.event(simple(&client)).await;
        let header = event["headers"][HEADER].as_str().unwrap().to_owned();
        let pem = percent_decode_str(&header).decode_utf8().unwrap().into_owned();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"));
        assert!(pem.ends_with("\n-----END CERTIFICATE-----\n"));
        let body: Vec<&str> = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let (last, full) = body.split_last().unwrap();
        assert!(full.iter().all(|line| line.len() == 64) && last.len() <= 64);
        all.push_str(&header);
    }
    // Enough base64 to hold each of them, as they are.
    for literal in ["+", "/", "="] {
        assert!(all.contains(literal));
    }
    for encoded in ["%2B", "%2F", "%3D", "%2b", "%2f", "%3d", "%0a", "\n", " "] {
        assert!(!all.contains(encoded), "{encoded}");
    }
}

#[tokio::test]
async fn lets_in_certificates_that_nobody_vouches_for() {
    let site = Site::start().await;
    let mut expired = client_params("expired");
    expired.not_before = date_time_ymd(2001, 1, 1);
    expired.not_after = date_time_ymd(2002, 1, 1);
    let identity = Authority::new("unknown").client_with(expired, &[]);
    let client = site.client().identity(&identity);
    let event = client.event(simple(&client)).await;
    assert_eq!(chain_in(&event["headers"][HEADER]), identity.chain);
}

#[tokio::test]
async fn refuses_a_client_without_the_key_of_its_certificate() {
    let mut site = Site::start().await;
    let root = Authority::new("root");
    let (victim, thief) = (root.client("victim", &[]), root.client("thief", &[]));
    for client in [site.client(), site.client().http_2(), site.client().tls_1_2()] {
        let client = client.stolen(&victim, &thief);
        assert!(client.send(simple(&client)).await.is_err());
        let record = site.records.recv().await.unwrap();
        let Record::Connection { problem, .. } = record else {
            panic!("{record:?}")
        };
        assert!(problem.contains("TLS handshake failed"), "{problem}");
    }
    // The same client with its own certificate gets in.
    let client = site.client().identity(&thief);
    assert_eq!(client.get("/").await.status(), 200);
}

#[tokio::test]
async fn resumes_no_session() {
    let site = Site::start().await;
    for client in [site.client(), site.client().tls_1_2()] {
        let mut stream = client.connect().await.unwrap();
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let (_, session) = stream.get_ref();
        assert_eq!(session.tls13_tickets_received(), 0);
        assert_eq!(session.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test]
async fn renames_the_header_as_the_listener_attribute_says() {
    let name = HeaderName::from_static("x-secret-name");
    let site = Site::with(|listener| listener.certificate_header(name), |group| group).await;
    let identity = client_identity();
    let client = site.client().identity(&identity);
    let event = client.event(simple(&client)).await;
    assert_eq!(chain_in(&event["headers"]["x-secret-name"]), identity.chain);
    assert!(event["headers"].get(HEADER).is_none());
}

fn with_own_copies(client: &Client) -> Request<Bytes> {
    let request = client.request("/").header(HEADER, "forged");
    let request = request.header("x-amzn-mtls-clientcert-subject", "CN=forged");
    request.body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn passes_the_clients_copies_on_in_front_of_its_own() {
    let site = Site::multi_value().await;
    let anonymous = site.client();
    let headers = &anonymous.event(with_own_copies(&anonymous)).await["multiValueHeaders"];
    assert_eq!(headers[HEADER], json!(["forged"]));
    assert_eq!(headers["x-amzn-mtls-clientcert-subject"], json!(["CN=forged"]));

    let identity = client_identity();
    for client in [
        site.client().identity(&identity),
        site.client().identity(&identity).http_2(),
    ] {
        let headers = &client.event(with_own_copies(&client)).await["multiValueHeaders"];
        assert_eq!(
            headers[HEADER],
            json!(["forged", passthrough_header(&identity.chain)])
        );
    }
}

#[tokio::test]
async fn the_last_copy_wins_in_single_value_mode() {
    let site = Site::start().await;
    let identity = client_identity();
    let client = site.client().identity(&identity);
    let headers = &client.event(with_own_copies(&client)).await["headers"];
    assert_eq!(headers[HEADER], passthrough_header(&identity.chain));
}

#[tokio::test]
async fn strips_the_clients_copies_when_told_to() {
    let strip = ClientCertificateHeaderCopies::Strip;
    let site = Site::with(
        |listener| {
            listener
                .client_header_copies(strip)
                .certificate_header(HeaderName::from_static("x-secret-name"))
        },
        |group| group.header_mode(HeaderMode::MultiValue),
    )
    .await;
    let identity = client_identity();
    for client in [site.client(), site.client().identity(&identity)] {
        let request = client.request("/").header("x-secret-name", "forged");
        let request = request
            .header(HEADER, "forged")
            .header("x-amzn-mtls-other", "forged");
        let response = client.send(request.body(Bytes::new()).unwrap()).await.unwrap();
        let headers = shown(&response)["event"]["multiValueHeaders"].clone();
        assert!(!headers.to_string().contains("forged"), "{headers}");
    }
}
