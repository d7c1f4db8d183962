//! Requests that do not reach the function.

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use local_alb::MAXIMUM_BODY;

use crate::support::{Client, Site};

async fn status(client: &Client, request: Request<Bytes>) -> StatusCode {
    client.send(request).await.unwrap().status()
}

fn with_headers(client: &Client, count: usize, size: usize) -> Request<Bytes> {
    let mut request = client.request("/");
    for index in 0..count {
        request = request.header(format!("x-{index}"), "v".repeat(size));
    }
    request.body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn answers_400_to_a_request_line_over_16_k() {
    let mut site = Site::start().await;
    for client in [site.client(), site.client().http_2()] {
        let fitting = "/".repeat(16 * 1024 - "GET  HTTP/1.1\r\n".len());
        assert_eq!(client.get(&fitting).await.status(), 200);
        let too_long = format!("{fitting}?");
        assert_eq!(client.get(&too_long).await.status(), 400);
        site.request_record().await;
        assert!(site.problem().await.contains("request line"));
    }
}

#[tokio::test]
async fn answers_400_to_a_header_over_16_k() {
    let mut site = Site::start().await;
    for client in [site.client(), site.client().http_2()] {
        let fitting = 16 * 1024 - "x-0: \r\n".len();
        assert_eq!(status(&client, with_headers(&client, 1, fitting)).await, 200);
        assert_eq!(status(&client, with_headers(&client, 1, fitting + 1)).await, 400);
        site.request_record().await;
        assert!(site.problem().await.contains("16 K"));
    }
}

#[tokio::test]
async fn answers_400_to_headers_over_64_k() {
    let mut site = Site::start().await;
    for client in [site.client(), site.client().http_2()] {
        assert_eq!(status(&client, with_headers(&client, 6, 10_000)).await, 200);
        assert_eq!(status(&client, with_headers(&client, 7, 10_000)).await, 400);
        site.request_record().await;
        assert!(site.problem().await.contains("64 K"));
        // Many small ones count in the same way.
        assert_eq!(status(&client, with_headers(&client, 1_000, 10)).await, 200);
        site.request_record().await;
    }
}

#[tokio::test]
async fn answers_413_to_a_body_over_a_megabyte() {
    let site = Site::start().await;
    let mut largest = r#"{ "statusCode": 200 }"#.to_owned();
    largest.push_str(&" ".repeat(MAXIMUM_BODY - largest.len()));
    for client in [site.client(), site.client().http_2()] {
        assert_eq!(client.post("/answer", largest.clone()).await.status(), 200);
        assert_eq!(client.post("/answer", format!("{largest} ")).await.status(), 413);
    }
}

#[tokio::test]
async fn answers_400_to_an_upgrade() {
    let site = Site::start().await;
    let client = site.client();
    let request = client
        .request("/")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket");
    assert_eq!(status(&client, request.body(Bytes::new()).unwrap()).await, 400);
}

#[tokio::test]
async fn answers_400_without_a_host() {
    let mut site = Site::start().await;
    for request in [
        &b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n",
    ] {
        let answer = site.client().raw(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(site.problem().await.contains("no host"));
    }
}

#[tokio::test]
async fn answers_400_to_what_is_not_http() {
    let site = Site::start().await;
    for request in [
        &b"\x00\x01\x02\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nhost: a\r\nx a: 1\r\n\r\n",
    ] {
        let answer = site.client().raw(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn answers_405_to_trace() {
    let site = Site::start().await;
    let client = site.client();
    let request = client.request("/").method("TRACE").body(Bytes::new()).unwrap();
    assert_eq!(status(&client, request).await, 405);
}

#[tokio::test]
async fn answers_463_to_more_than_thirty_forwarded_addresses() {
    let site = Site::start().await;
    let client = site.client();
    for (count, expected) in [(30, 200), (31, 463)] {
        let addresses = vec!["10.0.0.1"; count].join(", ");
        let request = client.request("/").header("x-forwarded-for", addresses);
        assert_eq!(
            status(&client, request.body(Bytes::new()).unwrap()).await,
            expected
        );
    }
}

#[tokio::test]
async fn answers_502_to_text_that_is_not_utf_8() {
    let site = Site::start().await;
    let client = site.client();
    assert_eq!(client.post("/", &b"\xff"[..]).await.status(), 502);
    let request = client
        .request("/")
        .header("x-a", HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(status(&client, request.body(Bytes::new()).unwrap()).await, 502);
    let request = client
        .request("/")
        .header("x-a", HeaderValue::from_bytes("ü".as_bytes()).unwrap());
    let event = client.event(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(event["headers"]["x-a"], "ü");
}
