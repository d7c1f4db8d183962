//! MTLS_PEERS: requests from other networks than the load balancer's.

use std::time::Duration;

use alb_mtls_tests::{Clients, SECRET_HEADER, Server, exchange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::{client_lines, good_lines};

async fn proxy(clients: &Clients, peers: &str, listen: &str) -> Server {
    let anchors = clients.anchors_source();
    Server::start([
        ("MTLS_ANCHORS", anchors.as_str()),
        ("MTLS_HEADER", SECRET_HEADER),
        ("MTLS_PEERS", peers),
        ("FORWARD_UPSTREAM", "http://127.0.0.1:9"),
        ("SERVER_LISTEN", listen),
        ("SERVER_ADMIN_LISTEN", "off"),
    ])
    .await
}

#[tokio::test]
async fn peers_of_other_networks_are_denied_whatever_their_headers_say() {
    let clients = Clients::new();
    let mut server = proxy(&clients, "10.0.0.0/16 2001:db8::/32", "127.0.0.1:0").await;
    let address = server.address("SERVER_LISTEN");
    for header in [
        "x-innocent: 1",
        "forwarded: for=10.0.0.1",
        "x-real-ip: 10.0.0.1",
        "x-client-ip: 10.0.0.1",
        "true-client-ip: 10.0.0.1",
        "user-agent: ELB-HealthChecker/2.0",
    ] {
        for mut lines in [good_lines(&clients), vec!["host: a.example".to_owned()]] {
            lines.retain(|line| !line.starts_with("x-forwarded-for") && !line.starts_with("user-agent"));
            lines.extend([header.to_owned(), "x-forwarded-for: 10.0.0.1".to_owned()]);
            assert_eq!(exchange(address, "GET /", &lines).await.status, 403, "{header}");
            let record = server.record().await;
            assert_eq!(record["detail"], "peer", "{record}");
            assert_eq!(record["peer"], "127.0.0.1", "{record}");
        }
    }
}

#[tokio::test]
async fn peers_of_the_network_are_decided_about_on_sockets_for_both_kinds() {
    for listen in ["127.0.0.1:0", "[::]:0"] {
        let clients = Clients::new();
        let mut server = proxy(&clients, "127.0.0.0/8", listen).await;
        let mut address = server.address("SERVER_LISTEN");
        address.set_ip([127, 0, 0, 1].into());
        exchange(address, "GET /", &good_lines(&clients)).await;
        let record = server.record().await;
        assert_eq!(record["decision"], "allowed", "{record}");
        assert_eq!(record["peer"], "127.0.0.1", "{record}");
        assert_eq!(exchange(address, "GET /", &client_lines()).await.status, 401);
        server.record().await;
        // The load balancer's own health check: the gate answers it.
        let health = [
            "host: 127.0.0.1".to_owned(),
            "user-agent: ELB-HealthChecker/2.0".to_owned(),
        ];
        assert_eq!(exchange(address, "GET /", &health).await.status, 200);
        assert_eq!(server.record().await["decision"], "health_check");
    }
}

#[tokio::test]
async fn any_peer_is_a_warning() {
    let clients = Clients::new();
    let anchors = clients.anchors_source();
    let output = std::process::Command::new("timeout")
        .args(["--signal=INT", "2"])
        .arg(alb_mtls_tests::binary("alb-mtls-server"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs([
            ("MTLS_ANCHORS", anchors.as_str()),
            ("MTLS_HEADER", SECRET_HEADER),
            ("MTLS_PEERS", "any"),
            ("FORWARD_UPSTREAM", "http://127.0.0.1:9"),
            ("SERVER_LISTEN", "127.0.0.1:0"),
            ("SERVER_ADMIN_LISTEN", "off"),
        ])
        .output()
        .unwrap();
    let log = String::from_utf8(output.stdout).unwrap();
    assert!(log.contains(r#""kind":"peers_any""#), "{log}");
}

/// Clients that connect past the load balancer must not be able to keep it out.
#[tokio::test]
async fn peers_of_other_networks_leave_places_for_the_load_balancer() {
    let clients = Clients::new();
    let anchors = clients.anchors_source();
    let mut server = Server::start([
        ("MTLS_ANCHORS", anchors.as_str()),
        ("MTLS_HEADER", SECRET_HEADER),
        ("MTLS_PEERS", "127.0.0.2/32"),
        ("FORWARD_UPSTREAM", "http://127.0.0.1:9"),
        ("SERVER_LISTEN", "127.0.0.1:0"),
        ("SERVER_ADMIN_LISTEN", "off"),
        ("SERVER_MAX_CONNECTIONS", "16"),
    ])
    .await;
    let address = server.address("SERVER_LISTEN");
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let line = server.line_where(|line| line["kind"] == "strangers").await;
    assert_eq!(line["level"], "WARN", "{line}");
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut balancer = socket.connect(address).await.unwrap();
    balancer
        .write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(10), balancer.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 401 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    drop(silent);
}
