//! Limits of connections, health checks, and the end of the process.

use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, Server, exchange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::good_lines;

/// Question that is answered with 401.
const QUESTION: &str = "GET /authorize/envoy/ HTTP/1.1\r\nhost: a.example\r\n\r\n";

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address("SERVER_AUTHORIZE_LISTEN"))
        .await
        .unwrap()
}

async fn ask(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 4096];
    stream.write_all(QUESTION.as_bytes()).await.is_ok()
        && stream
            .read(&mut answer)
            .await
            .is_ok_and(|length| String::from_utf8_lossy(&answer[..length]).starts_with("HTTP/1.1 401 "))
}

/// Returns the time until the other side closes the connection.
async fn closed(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    let end = timeout(Duration::from_secs(20), stream.read(&mut [0; 64])).await;
    assert!(matches!(end.expect("an end in time"), Ok(0) | Err(_)));
    begun.elapsed()
}

#[tokio::test]
async fn slow_headers_and_idle_connections_end() {
    let clients = Clients::new();
    let times = [("SERVER_HEADER_TIMEOUT", "1s"), ("SERVER_IDLE_TIMEOUT", "4s")];
    let server = Server::authorizing(&clients, &times).await;
    let drip = async {
        let mut stream = connect(&server).await;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if stream.write_all(b"G").await.is_err() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        begun.elapsed()
    };
    let partial = async {
        let mut stream = connect(&server).await;
        assert!(ask(&mut stream).await);
        stream.write_all(b"GET / HTTP/1.1\r\na: b").await.unwrap();
        closed(&mut stream).await
    };
    let http2 = async {
        let mut stream = connect(&server).await;
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
        let begun = Instant::now();
        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest))
            .await
            .unwrap();
        begun.elapsed()
    };
    let idle = async {
        let mut stream = connect(&server).await;
        assert!(ask(&mut stream).await);
        sleep(Duration::from_secs(2)).await;
        // A request in between starts the time again.
        assert!(ask(&mut stream).await);
        closed(&mut stream).await
    };
    let silent = async { closed(&mut connect(&server).await).await };
    let (drip, partial, http2, idle, silent) = tokio::join!(drip, partial, http2, idle, silent);
    let near = |time: Duration, seconds: f32| (time.as_secs_f32() - seconds).abs() < 0.9;
    assert!(near(drip, 1.2), "{drip:?}");
    assert!(near(partial, 1.0), "{partial:?}");
    assert!(near(idle, 4.0), "{idle:?}");
    assert!(near(silent, 4.0), "{silent:?}");
    // A peer that does not close after GOAWAY gets 5 s more.
    assert!(
        http2 > Duration::from_millis(3_500) && http2 < Duration::from_secs(11),
        "{http2:?}"
    );
}

#[tokio::test]
async fn connections_above_the_limit_wait() {
    let clients = Clients::new();
    let server = Server::authorizing(&clients, &[("SERVER_MAX_CONNECTIONS", "2")]).await;
    let (mut first, mut second) = (connect(&server).await, connect(&server).await);
    assert!(ask(&mut first).await && ask(&mut second).await);
    let mut third = connect(&server).await;
    assert!(
        timeout(Duration::from_millis(500), ask(&mut third))
            .await
            .is_err()
    );
    drop(first);
    let mut answer = [0; 12];
    timeout(Duration::from_secs(10), third.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    assert!(ask(&mut second).await);
}

#[tokio::test]
async fn headers_above_the_limit_are_refused() {
    let clients = Clients::new();
    let server = Server::authorizing(&clients, &[("SERVER_MAX_HEADERS", "8192")]).await;
    let address = server.address("SERVER_AUTHORIZE_LISTEN");
    let mut lines = good_lines(&clients);
    assert_eq!(
        exchange(address, "GET /authorize/envoy/", &lines).await.status,
        200
    );
    lines.push(format!("x-large: {}", "a".repeat(9_000)));
    assert_eq!(
        exchange(address, "GET /authorize/envoy/", &lines).await.status,
        431
    );
}

#[tokio::test]
async fn readiness_needs_trust_material_and_liveness_does_not() {
    let clients = Clients::new();
    let path = clients.directory().join("later.pem");
    let anchors = format!("file:{}", path.display());
    let variables = [
        ("MTLS_ANCHORS", anchors.as_str()),
        ("MTLS_REFRESH", "1s"),
        ("SERVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let server = Server::authorizing(&clients, &variables).await;
    let admin = server.address("SERVER_ADMIN_LISTEN");
    let get = async |path: &str| exchange(admin, &format!("GET {path}"), &["host: a".to_owned()]).await;
    let answer = get("/readyz").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, "no trust material\n")
    );
    assert_eq!(get("/livez").await.status, 200);
    assert_eq!(get("/").await.status, 404);
    clients.write("later.pem", &clients.root.pem());
    let begun = Instant::now();
    while get("/readyz").await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn termination_drains_and_then_ends_connections() {
    let clients = Clients::new();
    let variables = [("SERVER_DRAIN", "3s"), ("SERVER_ADMIN_LISTEN", "127.0.0.1:0")];
    let mut server = Server::authorizing(&clients, &variables).await;
    let (admin, address) = (
        server.address("SERVER_ADMIN_LISTEN"),
        server.address("SERVER_AUTHORIZE_LISTEN"),
    );
    let (mut kept, mut used) = (connect(&server).await, connect(&server).await);
    assert!(ask(&mut kept).await && ask(&mut used).await);
    let begun = Instant::now();
    server.signal("TERM").await;
    server.line_where(|line| line["message"] == "draining").await;
    let host = ["host: a".to_owned()];
    assert_eq!(exchange(admin, "GET /readyz", &host).await.status, 503);
    assert_eq!(exchange(admin, "GET /livez", &host).await.status, 200);
    assert_eq!(
        exchange(address, "GET /authorize/envoy/", &good_lines(&clients))
            .await
            .status,
        200
    );
    // A connection ends with its next response, so that the load balancer sends no other request.
    assert!(ask(&mut used).await);
    closed(&mut used).await;
    assert!(begun.elapsed() < Duration::from_millis(2_500));
    // The connection without a request ends with the drain, and so does the process.
    closed(&mut kept).await;
    assert!(begun.elapsed() > Duration::from_millis(2_900));
    assert!(server.ended().await.success());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn interrupt_ends_without_drain() {
    let clients = Clients::new();
    let mut server = Server::authorizing(&clients, &[("SERVER_DRAIN", "1h")]).await;
    server.signal("INT").await;
    assert!(server.ended().await.success());
    let mut server = Server::authorizing(&clients, &[("SERVER_DRAIN", "1h")]).await;
    server.signal("TERM").await;
    server.line_where(|line| line["message"] == "draining").await;
    server.signal("TERM").await;
    assert!(server.ended().await.success());
}
