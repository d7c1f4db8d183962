//! TLS towards the upstream, which is Python's and OpenSSL's here.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use alb_mtls_tests::{Clients, project};
use test_pki::{CertificateBuilder, Credential, chain_pem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Event, assert_problem, forward};

/// A PKI of the upstream's own, and files of it.
struct ServerPki {
    directory: tempfile::TempDir,
    root: Credential,
}

impl ServerPki {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=Upstream Root")
            .self_signed()
            .unwrap();
        let this = Self {
            directory: tempfile::tempdir().unwrap(),
            root,
        };
        this.write("root.pem", &this.root.pem());
        this
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn root_source(&self) -> String {
        format!("file:{}", self.directory.path().join("root.pem").display())
    }

    /// Starts an upstream with this certificate, which may ask clients for theirs.
    fn serve(&self, certificate: CertificateBuilder, client_ca: Option<&Path>) -> Upstream {
        let server = certificate.issued_by(&self.root).unwrap();
        let chain = self.write("server.pem", &chain_pem([&server]));
        let key = self.write("server.key", &server.key().to_pem().unwrap());
        let mut command = Command::new("python3");
        command
            .arg(project().join("tests/tests/forward/tls_upstream.py"))
            .args([chain, key]);
        command.args(client_ca);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("python3 starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Upstream {
            process,
            port: line.trim().parse().expect("the upstream says where it listens"),
        }
    }
}

struct Upstream {
    process: Child,
    port: u16,
}

impl Upstream {
    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn localhost() -> CertificateBuilder {
    CertificateBuilder::server("CN=localhost").dns("localhost")
}

async fn ask(url: &str, variables: &[(&str, &str)]) -> serde_json::Value {
    let clients = Clients::new();
    let function = forward(&clients, url, variables).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_eq!(
        answer.status,
        200,
        "{}\n{}",
        answer.body(),
        function.log().join("\n")
    );
    answer.body_json()
}

async fn fails(url: &str, variables: &[(&str, &str)], detail: &str, words: &str) {
    let clients = Clients::new();
    let function = forward(&clients, url, variables).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    let record = assert_problem(
        &function,
        &answer,
        if detail == "material_unavailable" {
            503
        } else {
            502
        },
        detail,
    )
    .await;
    assert!(
        record["explanation"].as_str().unwrap().contains(words),
        "{record}"
    );
}

#[tokio::test]
async fn an_upstream_is_checked_against_the_named_trust_anchors() {
    let pki = ServerPki::new();
    let upstream = pki.serve(localhost(), None);
    let seen = ask(&upstream.url(), &[("FORWARD_UPSTREAM_CA", &pki.root_source())]).await;
    assert_eq!(seen["server_name"], "localhost");
    assert_eq!(seen["protocol"], "TLSv1.3");
    assert_eq!(seen["client"], serde_json::Value::Null);
}

#[tokio::test]
async fn an_upstream_of_another_authority_is_refused() {
    let pki = ServerPki::new();
    let upstream = pki.serve(localhost(), None);
    fails(
        &upstream.url(),
        &[("FORWARD_UPSTREAM_CA", &ServerPki::new().root_source())],
        "upstream_tls",
        "",
    )
    .await;
    fails(&upstream.url(), &[], "upstream_tls", "UnknownIssuer").await;
}

#[tokio::test]
async fn an_upstream_with_a_wrong_name_is_refused_unless_the_name_is_expected() {
    let pki = ServerPki::new();
    let upstream = pki.serve(CertificateBuilder::server("CN=app").dns("app.internal"), None);
    let ca = pki.root_source();
    fails(
        &upstream.url(),
        &[("FORWARD_UPSTREAM_CA", &ca)],
        "upstream_tls",
        "localhost",
    )
    .await;
    let seen = ask(
        &upstream.url(),
        &[
            ("FORWARD_UPSTREAM_CA", &ca),
            ("FORWARD_UPSTREAM_SERVER_NAME", "app.internal"),
        ],
    )
    .await;
    assert_eq!(seen["server_name"], "app.internal");
}

#[tokio::test]
async fn an_upstream_that_has_expired_is_refused() {
    let pki = ServerPki::new();
    let now = time::OffsetDateTime::now_utc();
    let past = localhost().valid(now - time::Duration::days(9), now - time::Duration::days(1));
    let upstream = pki.serve(past, None);
    fails(
        &upstream.url(),
        &[("FORWARD_UPSTREAM_CA", &pki.root_source())],
        "upstream_tls",
        "",
    )
    .await;
}

#[tokio::test]
async fn an_upstream_without_tls_is_a_tls_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        // The function ends the connection.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let pki = ServerPki::new();
    fails(
        &url,
        &[("FORWARD_UPSTREAM_CA", &pki.root_source())],
        "upstream_tls",
        "",
    )
    .await;
    server.await.unwrap();
}

#[tokio::test]
async fn the_function_authenticates_to_an_upstream_that_asks() {
    let pki = ServerPki::new();
    let authority = Clients::new();
    let gate = authority.issue(CertificateBuilder::client("CN=gate"));
    let pem = chain_pem([&gate, &authority.issuing]) + &gate.key().to_pem().unwrap();
    let certificate = format!("file:{}", authority.write("gate.pem", &pem).display());
    let client_ca = authority.directory().join("anchors.pem");
    let upstream = pki.serve(localhost(), Some(&client_ca));
    let ca = pki.root_source();
    let seen = ask(
        &upstream.url(),
        &[
            ("FORWARD_UPSTREAM_CA", &ca),
            ("FORWARD_UPSTREAM_CERTIFICATE", &certificate),
        ],
    )
    .await;
    assert_eq!(seen["client"], "gate");

    // Without one the upstream ends the connection, which in TLS 1.3 comes to light before or after
    // the request.
    let clients = Clients::new();
    let function = forward(&clients, &upstream.url(), &[("FORWARD_UPSTREAM_CA", &ca)]).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_eq!(answer.status, 502, "{}", answer.body());
}

#[tokio::test]
async fn what_cannot_be_read_is_unavailable_and_never_replaced_by_something_weaker() {
    let pki = ServerPki::new();
    let upstream = pki.serve(localhost(), None);
    let nowhere = format!("file:{}/nowhere.pem", pki.directory.path().display());
    for variables in [
        vec![("FORWARD_UPSTREAM_CA", nowhere.as_str())],
        vec![
            ("FORWARD_UPSTREAM_CA", &pki.root_source()),
            ("FORWARD_UPSTREAM_CERTIFICATE", &nowhere),
        ],
    ] {
        fails(&upstream.url(), &variables, "material_unavailable", "nowhere.pem").await;
    }
}
