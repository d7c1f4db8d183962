//! Calls to Envoy's authorization API that Envoy would not make, by curl over HTTP/2.

use std::net::SocketAddr;
use std::process::Command;

use alb_mtls_tests::{Clients, SECRET_HEADER, Server, leave_out};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Writes a field of a protocol buffer that has a length.
fn field(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend_from_slice(content);
    bytes
}

/// Returns a `CheckRequest` about a request.
fn question(method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut http = [field(2, method), field(4, path), field(5, "gate.tests.example")].concat();
    for (name, value) in headers {
        http.extend(field(3, [field(1, name), field(2, value)].concat()));
    }
    field(1, field(4, field(2, http)))
}

/// Returns a message with its prefix.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

struct Answer {
    head: String,
    body: String,
}

impl Answer {
    /// Returns `true` for a message. Its status follows it, where curl does not show it; a failure
    /// has the status among its headers.
    fn is_message(&self) -> bool {
        self.head.starts_with("HTTP/2 200") && !self.head.contains("grpc-status") && !self.body.is_empty()
    }
}

/// Makes a call, with another content type if that is the only argument; returns `None` if curl
/// cannot speak HTTP/2.
fn call(clients: &Clients, address: SocketAddr, body: &[u8], arguments: &[&str]) -> Option<Answer> {
    let version = Command::new("curl").arg("--version").output().unwrap();
    if !String::from_utf8_lossy(&version.stdout).contains("HTTP2") {
        leave_out("curl has no HTTP/2");
        return None;
    }
    let file = clients.directory().join("call");
    std::fs::write(&file, body).unwrap();
    let head = clients.directory().join("head");
    let (content_type, arguments) = match arguments {
        [content_type] => (*content_type, &[][..]),
        arguments => ("content-type: application/grpc", arguments),
    };
    let output = Command::new("curl")
        .args([
            "--silent",
            "--http2-prior-knowledge",
            "--max-time",
            "20",
            "--data-binary",
        ])
        .arg(format!("@{}", file.display()))
        .args(["--header", "te: trailers", "--dump-header"])
        .arg(&head)
        .args(arguments)
        .args(["--header", content_type])
        .arg(format!("http://{address}{CHECK}"))
        .output()
        .unwrap();
    Some(Answer {
        head: std::fs::read_to_string(head).unwrap(),
        body: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}

#[tokio::test]
async fn verified_client_gets_headers_to_set_and_to_remove() {
    let clients = Clients::new();
    let mut server = Server::authorizing(&clients, &[]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    let header = clients.header(&clients.good);
    let headers = [
        (SECRET_HEADER, header.as_str()),
        (":path", "/forged"),
        ("x_ssl_client_verify", "SUCCESS"),
        ("accept", "*/*"),
    ];
    let body = framed(&question("DELETE", "/a?b", &headers));
    let Some(answer) = call(&clients, address, &body, &[]) else {
        return;
    };
    assert!(answer.is_message(), "{}", answer.head);
    for text in [
        "CN=client-1,OU=Payments,O=Tests",
        "x_ssl_client_verify",
        SECRET_HEADER,
        "x-client-cert-assertion",
        "x-forwarded-client-cert",
    ] {
        assert!(answer.body.contains(text), "{text}: {}", answer.body);
    }
    assert!(!answer.body.contains("accept"), "{}", answer.body);
    let record = server.record().await;
    assert_eq!(
        (record["method"].as_str(), record["path"].as_str()),
        (Some("DELETE"), Some("/a"))
    );
}

#[tokio::test]
async fn denials_are_answers_with_their_body() {
    let clients = Clients::new();
    let mut server = Server::authorizing(&clients, &[]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    let twice = clients.header(&clients.good) + "," + &clients.header(&clients.good);
    for (message, detail) in [
        (question("GET", "/", &[]), "certificate_missing"),
        (question("GET", "/", &[(SECRET_HEADER, "x")]), "header_not_pem"),
        (question("GET", "/", &[(SECRET_HEADER, &twice)]), "header_joined"),
        (question("GET", "http://a/", &[]), "not_servable"),
        (question("", "/", &[]), "not_servable"),
        (question("CONNECT", "/", &[]), "method_connect"),
        (Vec::new(), "not_servable"),
        (field(1, field(4, "")), "not_servable"),
    ] {
        let Some(answer) = call(&clients, address, &framed(&message), &[]) else {
            return;
        };
        assert!(answer.is_message(), "{detail}: {}", answer.head);
        assert!(
            answer.body.contains("application/problem+json"),
            "{detail}: {}",
            answer.body
        );
        assert!(!answer.body.contains(SECRET_HEADER), "{detail}: {}", answer.body);
        let record = server.record().await;
        assert_eq!(record["detail"], detail, "{record}");
    }
}

#[tokio::test]
async fn calls_that_cannot_be_read_fail() {
    let clients = Clients::new();
    let server = Server::authorizing(&clients, &[("MTLS_MODE", "report")]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    let good = framed(&question("GET", "/", &[]));
    let compressed = [&[1], &good[1..]].concat();
    let longer = [good.as_slice(), b"x"].concat();
    let shorter = &good[..good.len() - 1];
    let huge = framed(&vec![0; 2 * 1024 * 1024]);
    for (body, arguments, status) in [
        (&b""[..], &[][..], "3"),
        (&good[..4], &[], "3"),
        (&compressed, &[], "3"),
        (&longer, &[], "3"),
        (shorter, &[], "3"),
        (&framed(b"\xff\xff"), &[], "3"),
        (&huge, &[], "8"),
        (&good, &["--request", "PUT"], "12"),
        (&good, &["content-type: application/json"], "12"),
    ] {
        let Some(answer) = call(&clients, address, body, arguments) else {
            return;
        };
        let expected = format!("grpc-status: {status}\r\n");
        // curl drops the answer to a call that it is still sending.
        let is_cut = status == "8" && answer.head.is_empty();
        assert!(
            is_cut || answer.head.contains(&expected),
            "{arguments:?} {status}: {}",
            answer.head
        );
        assert_eq!(answer.body, "");
    }
}
