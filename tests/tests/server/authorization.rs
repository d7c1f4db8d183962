//! Questions to the authorization service that no proxy of ours would ask.

use std::os::unix::fs::PermissionsExt;

use alb_mtls_tests::{Clients, SECRET_HEADER, Server, exchange, source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::{client_lines, good_lines};

/// Path of questions, with the lines that tell about `GET /a`.
const CONVENTIONS: [(&str, &[&str]); 5] = [
    (
        "/authorize/nginx",
        &["x-original-method: GET", "x-original-uri: /a"],
    ),
    (
        "/authorize/haproxy",
        &["x-original-method: GET", "x-original-uri: /a"],
    ),
    (
        "/authorize/caddy",
        &["x-forwarded-method: GET", "x-forwarded-uri: /a"],
    ),
    (
        "/authorize/traefik",
        &[
            "x-forwarded-method: GET",
            "x-forwarded-uri: /a",
            "x-forwarded-host: gate.tests.example",
        ],
    ),
    ("/authorize/envoy/a", &[]),
];

fn lines(of_client: Vec<String>, of_proxy: &[&str]) -> Vec<String> {
    let of_proxy = of_proxy.iter().map(|line| (*line).to_owned());
    of_client.into_iter().chain(of_proxy).collect()
}

#[tokio::test]
async fn each_convention_tells_the_request_and_gets_its_answer() {
    let clients = Clients::new();
    let mut server = Server::authorizing(&clients, &[]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    for (path, of_proxy) in CONVENTIONS {
        let answer = exchange(
            address,
            &format!("GET {path}"),
            &lines(good_lines(&clients), of_proxy),
        )
        .await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, ""),
            "{path}: {}",
            answer.head
        );
        let subject = answer.header("x-amzn-mtls-clientcert-subject");
        assert_eq!(subject, Some("CN=client-1,OU=Payments,O=Tests"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header(SECRET_HEADER), None);
        let record = server.record().await;
        assert_eq!(record["path"], "/a", "{path}");
        assert_eq!(record["method"], "GET", "{path}");
        assert_eq!(record["host"], "gate.tests.example", "{path}");

        let answer = exchange(address, &format!("GET {path}"), &lines(client_lines(), of_proxy)).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            answer.body.contains("a valid client certificate is required"),
            "{}",
            answer.body
        );
        assert_eq!(server.record().await["detail"], "certificate_missing");
    }
}

#[tokio::test]
async fn entry_of_the_deny_list_acts_and_an_empty_list_does_not() {
    let clients = Clients::new();
    let list = source(&clients, "deny.txt", "none");
    let mut server = Server::authorizing(&clients, &[("MTLS_DENY", &list)]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    let lines = lines(good_lines(&clients), CONVENTIONS[0].1);
    let ask = async || exchange(address, "GET /authorize/nginx", &lines).await.status;
    assert_eq!(ask().await, 200);
    source(&clients, "deny.txt", "spiffe spiffe://tests.example/client-1");
    let written = std::time::Instant::now();
    while ask().await == 200 {
        assert!(
            written.elapsed() < std::time::Duration::from_secs(6),
            "the entry does not act"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let record = server
        .line_where(|line| line["message"] == "decision" && line["decision"] == "denied")
        .await;
    assert_eq!(record["detail"], "deny_list", "{record}");
    // A list that lost its entries is refused: the one in use stays.
    source(&clients, "deny.txt", "");
    let refused = |line: &serde_json::Value| line.to_string().contains("deny list refused");
    server.line_where(refused).await;
    assert_eq!(ask().await, 403);
}

#[tokio::test]
async fn parts_of_the_request_missing_or_twice_are_denied() {
    let clients = Clients::new();
    let mut server = Server::authorizing(&clients, &[]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    for (path, of_proxy) in CONVENTIONS {
        for left_out in of_proxy {
            let others: Vec<&str> = of_proxy.iter().copied().filter(|line| line != left_out).collect();
            let twice = [of_proxy, &[*left_out]].concat();
            for (of_proxy, words) in [(others, "does not set"), (twice, "there twice")] {
                let lines = lines(good_lines(&clients), &of_proxy);
                let answer = exchange(address, &format!("GET {path}"), &lines).await;
                assert_eq!(answer.status, 400, "{path} {of_proxy:?}");
                let record = server.record().await;
                assert_eq!(record["detail"], "not_servable", "{record}");
                assert!(
                    record["explanation"].as_str().unwrap().contains(words),
                    "{record}"
                );
            }
        }
    }
}

#[tokio::test]
async fn paths_of_no_convention_are_answered_with_404() {
    let clients = Clients::new();
    let server = Server::authorizing(&clients, &[("MTLS_MODE", "report")]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    for path in [
        "/",
        "/authorize",
        "/authorize/nginx/",
        "/authorize/other",
        "/authorize/envoy",
        "/readyz",
    ] {
        let lines = lines(good_lines(&clients), CONVENTIONS[0].1);
        assert_eq!(
            exchange(address, &format!("GET {path}"), &lines).await.status,
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn policies_see_what_the_proxy_tells_and_nothing_else() {
    let clients = Clients::new();
    let policies = source(
        &clients,
        "policies.cedar",
        r#"permit (principal, action == Action::"GET", resource in Path::"/a") when { resource in Host::"gate.tests.example" };"#,
    );
    let server = Server::authorizing(&clients, &[("MTLS_POLICY", &policies)]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    for (path, of_proxy) in CONVENTIONS {
        let ask = async |method: &str, path: &str, of_proxy: Vec<String>| {
            let mut lines = good_lines(&clients);
            if path.contains("traefik") {
                lines.retain(|line| !line.starts_with("host: "));
                lines.push("host: 127.0.0.1:9002".to_owned());
            }
            lines.extend(of_proxy);
            exchange(address, &format!("{method} {path}"), &lines)
                .await
                .status
        };
        let with = |from: &str, to: &str| of_proxy.iter().map(|line| line.replace(from, to)).collect();
        assert_eq!(ask("GET", path, with("", "")).await, 200, "{path}");
        let is_envoy = path.starts_with("/authorize/envoy");
        let method = if is_envoy { "DELETE" } else { "GET" };
        assert_eq!(ask(method, path, with("GET", "DELETE")).await, 403, "{path}");
        let other = if is_envoy { "/authorize/envoy/b" } else { path };
        assert_eq!(ask("GET", other, with(": /a", ": /b")).await, 403, "{path}");
    }
}

#[tokio::test]
async fn anonymous_clients_pass_without_identity_when_optional() {
    let clients = Clients::new();
    let server = Server::authorizing(&clients, &[("MTLS_MODE", "optional")]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    let (path, of_proxy) = CONVENTIONS[0];
    let answer = exchange(address, &format!("GET {path}"), &lines(client_lines(), of_proxy)).await;
    assert_eq!(answer.status, 200);
    assert!(
        !answer.head.to_ascii_lowercase().contains("cert"),
        "{}",
        answer.head
    );
}

#[tokio::test]
async fn headers_that_proxies_would_keep_are_denied() {
    let clients = Clients::new();
    let mut server = Server::authorizing(&clients, &[]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    for (header, detail) in [
        ("x-amzn-mtls-clientcert-subject: a", "identity_header"),
        ("x_ssl_client_verify: SUCCESS", "identity_header"),
        ("x-http-method-override: DELETE", "restated"),
        ("x-original-url: /admin", "restated"),
        ("content_length: 1", "restated"),
        ("x_replace_with_your_secret_name: a", "certificate_source"),
        ("x-amzn-mtls-clientcert: a", "certificate_source"),
    ] {
        let (path, of_proxy) = CONVENTIONS[4];
        let of_client = lines(good_lines(&clients), &[header]);
        let answer = exchange(address, &format!("GET {path}"), &lines(of_client, of_proxy)).await;
        assert!([400, 401].contains(&answer.status), "{header}: {}", answer.head);
        assert_eq!(server.record().await["detail"], detail, "{header}");
    }
}

#[tokio::test]
async fn connections_of_other_peers_are_closed() {
    let clients = Clients::new();
    let peers = [("SERVER_AUTHORIZE_PEERS", "192.0.2.0/24 127.0.0.2/32")];
    let mut server = Server::authorizing(&clients, &peers).await;
    let mut stream = TcpStream::connect(server.address("SERVER_AUTHORIZE_LISTEN"))
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
    let line = server.line_where(|line| line["kind"] == "authorize_peer").await;
    assert_eq!(line["peer"], "127.0.0.1");
}

#[tokio::test]
async fn unix_socket_replaces_a_stale_one_and_no_other_file() {
    let clients = Clients::new();
    let path = clients.directory().join("authorize.sock");
    let address = format!("unix:{}", path.display());
    let variables = [("SERVER_AUTHORIZE_LISTEN", address.as_str())];
    for _ in 0..2 {
        let mut server = Server::authorizing(&clients, &variables).await;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o660
        );
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let (path, of_proxy) = CONVENTIONS[0];
        let lines = lines(good_lines(&clients), of_proxy).join("\r\n");
        let question = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{lines}\r\n\r\n");
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        // Its file stays behind.
        server.signal("KILL").await;
        server.ended().await;
    }
    let other = clients.write("file", "precious");
    let address = format!("unix:{}", other.display());
    let output = std::process::Command::new(alb_mtls_tests::binary("alb-mtls-server"))
        .env_clear()
        .env("MTLS_ANCHORS", clients.anchors_source())
        .env("MTLS_HEADER", SECRET_HEADER)
        .env("SERVER_LISTEN", "off")
        .env("SERVER_ADMIN_LISTEN", "off")
        .env("SERVER_AUTHORIZE_LISTEN", &address)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with(&format!("cannot listen on {address} (SERVER_AUTHORIZE_LISTEN): ")),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "precious");
}
