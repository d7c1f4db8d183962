//! Requests reach the upstream as the client sent them.

use alb_mtls_tests::{Clients, Function};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Event, forward};
use crate::upstream::{Recorded, Recorder, Reply};

struct Setting {
    clients: Clients,
    upstream: Recorder,
    function: Function,
}

impl Setting {
    async fn new(variables: &[(&str, &str)]) -> Self {
        let clients = Clients::new();
        let upstream = Recorder::start([Reply::ok()]).await;
        let function = forward(&clients, &upstream.url(), variables).await;
        Self {
            clients,
            upstream,
            function,
        }
    }

    async fn send(&mut self, event: &Event) -> Recorded {
        let answer = self.function.answer(event.to_bytes()).await;
        assert_eq!(
            answer.status,
            200,
            "{} {}: {}",
            event.method,
            event.path,
            answer.body()
        );
        self.upstream.next().await
    }
}

#[tokio::test]
async fn path_and_query_arrive_byte_for_byte() {
    let mut setting = Setting::new(&[]).await;
    let corpus: &[(&str, Value, &str)] = &[
        ("/", json!({}), "/"),
        ("//", json!({}), "//"),
        ("//evil.example/x", json!({}), "//evil.example/x"),
        ("/a%2Fb%2f", json!({}), "/a%2Fb%2f"),
        ("/%00", json!({}), "/%00"),
        ("/a;b=1;c", json!({}), "/a;b=1;c"),
        ("/public/../admin", json!({}), "/public/../admin"),
        ("/%2e%2e/./x/..", json!({}), "/%2e%2e/./x/.."),
        ("/%", json!({}), "/%"),
        ("/%zz", json!({}), "/%zz"),
        ("/%C3%BC/ü", json!({}), "/%C3%BC/ü"),
        ("/a+b%20c", json!({}), "/a+b%20c"),
        ("/a\\..\\b", json!({}), "/a\\..\\b"),
        ("/a:b@c!$&'()*,=", json!({}), "/a:b@c!$&'()*,="),
        ("/x", json!({"a": [""], "b": ["1"]}), "/x?a=&b=1"),
        (
            "/x",
            json!({"a": ["1%26b%3D2", "%2B+", "a=b"]}),
            "/x?a=1%26b%3D2&a=%2B+&a=a=b",
        ),
        ("/x", json!({"%C3%BC": ["ü"], "q?": ["/?"]}), "/x?%C3%BC=ü&q?=/?"),
        ("/x", json!({"": ["v"]}), "/x?=v"),
        ("/x", json!({"a[]": ["1"], "b{}": ["|"]}), "/x?a[]=1&b{}=|"),
    ];
    for (path, query, expected) in corpus {
        let event = Event::get(path, setting.clients.good_headers()).query(query.clone());
        let recorded = setting.send(&event).await;
        assert_eq!(recorded.request_line(), format!("GET {expected} HTTP/1.1"));
    }
}

#[tokio::test]
async fn methods_arrive_as_they_are() {
    let mut setting = Setting::new(&[]).await;
    for method in [
        "GET", "HEAD", "OPTIONS", "DELETE", "PUT", "PATCH", "TRACE", "PROPFIND", "M-SEARCH", "get",
    ] {
        let recorded = setting
            .send(&Event::new(method, "/", setting.clients.good_headers()))
            .await;
        assert_eq!(recorded.request_line(), format!("{method} / HTTP/1.1"));
    }
    let recorded = setting
        .send(&Event::new("OPTIONS", "*", setting.clients.good_headers()))
        .await;
    assert_eq!(recorded.request_line(), "OPTIONS * HTTP/1.1");
}

#[tokio::test]
async fn end_to_end_headers_arrive_with_every_value_in_order() {
    let mut setting = Setting::new(&[("FORWARD_IDENTITY", "none")]).await;
    let sent = [
        ("host", "Gate.Tests.Example:443"),
        (
            "x-amzn-trace-id",
            "Self=1-1;Root=1-67890000-0123456789abcdef01234567",
        ),
        ("x-forwarded-for", "198.51.100.9, 192.0.2.7"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
        ("accept", "a;q=0.1"),
        ("accept", "b"),
        ("accept", "a;q=0.1"),
        ("cookie", "a=1; b=\"2\""),
        ("authorization", "Bearer x.y.z=="),
        ("x-empty", ""),
        ("x-utf8", "grüß dich"),
        ("x-quotes", "\"a\\\"b\", 'c'"),
        ("x-tab", "a\tb"),
        ("x_under_score", "1"),
        ("te", "trailers"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "gone"),
        ("keep-alive", "timeout=5"),
        ("expect", "100-continue"),
    ];
    let gone = ["te", "connection", "x-hop", "keep-alive"];
    let mut event = Event::get("/", setting.clients.good_headers());
    let certificate = event
        .headers
        .iter()
        .find(|(name, _)| name == "x-amzn-mtls-clientcert")
        .cloned()
        .unwrap();
    event.headers = vec![certificate];
    for (name, value) in sent {
        event = event.header(name, value);
    }
    let recorded = setting.send(&event).await;
    let mut expected: Vec<String> = sent
        .iter()
        .filter(|(name, _)| !gone.contains(name))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let mut arrived = recorded.headers();
    assert_eq!(recorded.values("accept"), ["a;q=0.1", "b", "a;q=0.1"]);
    expected.sort();
    arrived.sort();
    assert_eq!(arrived, expected);
}

#[tokio::test]
async fn bodies_arrive_byte_for_byte_and_framed_by_their_length() {
    let mut setting = Setting::new(&[]).await;
    let large = "0123456789abcdef".repeat(65_536);
    // As much as fits into a load balancer's megabyte.
    let binary: Vec<u8> = (0..=255).cycle().take(780_000).collect();
    let cases: &[(Event, Vec<u8>, &[&str])] = &[
        (
            Event::new("POST", "/", vec![]).text(&large),
            large.clone().into_bytes(),
            &["1048576"],
        ),
        (
            Event::new("POST", "/", vec![]).text("ü\r\n\0x"),
            "ü\r\n\0x".as_bytes().to_vec(),
            &["6"],
        ),
        (
            Event::new("PUT", "/", vec![]).base64("AP+AGg=="),
            vec![0, 255, 128, 26],
            &["4"],
        ),
        (
            Event::new("PUT", "/", vec![]).base64(&STANDARD.encode(&binary)),
            binary.clone(),
            &["780000"],
        ),
        (
            Event::new("POST", "/", vec![]).header("content-length", "0"),
            vec![],
            &["0"],
        ),
        (Event::new("POST", "/", vec![]), vec![], &[]),
        (Event::get("/", vec![]), vec![], &[]),
        (Event::new("DELETE", "/", vec![]).text("x"), b"x".to_vec(), &["1"]),
        // Neither a wrong length nor two of them nor a transfer coding moves the end of the body.
        (
            Event::new("POST", "/", vec![])
                .header("content-length", "3")
                .text("abcdef"),
            b"abcdef".to_vec(),
            &["6"],
        ),
        (
            Event::new("POST", "/", vec![])
                .header("content-length", "3")
                .header("content-length", "9")
                .header("transfer-encoding", "chunked")
                .text("0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
            b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n".to_vec(),
            &["24"],
        ),
    ];
    for (event, body, length) in cases {
        let mut event = event.clone();
        event.headers.extend(setting.clients.good_headers());
        let recorded = setting.send(&event).await;
        assert_eq!(recorded.body.len(), body.len());
        assert!(recorded.body == *body);
        assert_eq!(recorded.values("content-length"), *length);
        assert!(recorded.values("transfer-encoding").is_empty());
    }
    assert!(
        setting.upstream.arrived().is_none(),
        "no request inside a request"
    );
}

#[tokio::test]
async fn the_host_is_kept_or_the_upstreams_by_setting() {
    let mut setting = Setting::new(&[]).await;
    let event = Event::get("/", setting.clients.good_headers());
    assert_eq!(setting.send(&event).await.values("host"), ["gate.tests.example"]);

    let mut setting = Setting::new(&[("FORWARD_HOST", "upstream")]).await;
    let event = Event::get("/", setting.clients.good_headers());
    let host = setting.upstream.address().to_string();
    assert_eq!(setting.send(&event).await.values("host"), [host]);
}

#[tokio::test]
async fn odd_hosts_are_passed_on_and_two_are_refused() {
    let mut setting = Setting::new(&[]).await;
    let mut event = Event::get("/", setting.clients.good_headers());
    event.headers.retain(|(name, _)| name != "host");
    for host in ["[", "a b", "a:99999", "x%00y"] {
        assert_eq!(
            setting
                .send(&event.clone().header("host", host))
                .await
                .values("host"),
            [host]
        );
    }
    let two = event.header("host", "a").header("host", "b");
    let answer = setting.function.answer(two.to_bytes()).await;
    assert_eq!(answer.status, 400, "{}", answer.body());
    assert!(setting.upstream.arrived().is_none());
}

#[tokio::test]
async fn routes_go_by_the_path_as_sent() {
    let clients = Clients::new();
    let mut fallback = Recorder::start([Reply::ok()]).await;
    let mut reports = Recorder::start([Reply::ok()]).await;
    let routes = format!(
        "/reports={}/base/ api.example/={}/api",
        reports.url(),
        reports.url()
    );
    let function = forward(&clients, &fallback.url(), &[("FORWARD_ROUTES", &routes)]).await;
    for (host, path, expected) in [
        ("x", "/reports/%2F;a//x", Some("/base/reports/%2F;a//x")),
        ("x", "/reports", Some("/base/reports")),
        ("x", "/reportsx", None),
        ("x", "/%72eports", None),
        ("x", "/Reports", None),
        ("API.example", "/", Some("/api/")),
    ] {
        let mut event = Event::get(path, clients.good_headers());
        event.headers.retain(|(name, _)| name != "host");
        assert_eq!(
            function
                .answer(event.header("host", host).to_bytes())
                .await
                .status,
            200
        );
        let recorded = if expected.is_some() {
            reports.next().await
        } else {
            fallback.next().await
        };
        assert_eq!(
            recorded.request_line(),
            format!("GET {} HTTP/1.1", expected.unwrap_or(path))
        );
    }
}
