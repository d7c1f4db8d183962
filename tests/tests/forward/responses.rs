//! Responses of the upstream reach the client, as far as a load balancer can take them.

use alb_mtls_tests::{Answer, Clients};

use crate::harness::{Event, assert_problem, forward, values};
use crate::upstream::{Recorder, Reply};

/// Returns the answer to one request that the upstream answers with these bytes and then keeps or
/// ends the connection.
async fn answer(method: &str, reply: Reply) -> Answer {
    let clients = Clients::new();
    let upstream = Recorder::start([reply]).await;
    let function = forward(&clients, &upstream.url(), &[]).await;
    function
        .answer(Event::new(method, "/", clients.good_headers()).to_bytes())
        .await
}

#[tokio::test]
async fn status_headers_and_text_come_back() {
    let answer = answer(
        "GET",
        Reply::text(
            "HTTP/1.1 418 Short\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 7\r\nSet-Cookie: a=1\r\n\
             set-cookie: b=2\r\nX-A: 1\r\nx-a: \"2\"\r\nLocation: http://elsewhere/\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
             Keep-Alive: timeout=5\r\n\r\nh\u{fc}\"\\\r\n",
        ),
    )
    .await;
    assert_eq!(answer.status, 418);
    assert_eq!(values(&answer, "set-cookie"), ["a=1", "b=2"]);
    assert_eq!(values(&answer, "x-a"), ["1", "\"2\""]);
    assert_eq!(values(&answer, "location"), ["http://elsewhere/"]);
    assert_eq!(values(&answer, "content-type"), ["text/html; charset=utf-8"]);
    for gone in ["connection", "x-hop", "keep-alive"] {
        assert!(values(&answer, gone).is_empty(), "{gone}");
    }
    assert_eq!(answer.json["isBase64Encoded"], false);
    assert_eq!(answer.body(), "hü\"\\\r\n");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let answer = answer(
        "GET",
        Reply::text("HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n"),
    )
    .await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/b")));
}

#[tokio::test]
async fn encoded_bodies_stay_encoded_and_travel_as_base64() {
    // `gzip -n` of "hi".
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\ncontent-length: 22\r\n\r\n";
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\xc8\x04\x00\xac*\x93\xd8\x02\x00\x00\x00";
    let answer = answer("GET", Reply::Bytes([head.as_slice(), gzip].concat())).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.json["isBase64Encoded"], true);
    assert_eq!(answer.body(), "H4sIAAAAAAAAA8vIBACsKpPYAgAAAA==");
}

#[tokio::test]
async fn binary_bodies_and_text_that_is_none_travel_as_base64() {
    for head in [
        "content-type: image/png",
        "content-type: text/plain",
        "content-type: text/html; charset=iso-8859-1",
        "x-a: 1",
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{head}\r\ncontent-length: 3\r\n\r\n");
        let answer = answer("GET", Reply::Bytes([head.as_bytes(), b"\xff\x00a"].concat())).await;
        assert_eq!(
            (answer.body(), &answer.json["isBase64Encoded"]),
            ("/wBh", &true.into()),
            "{head}"
        );
    }
}

#[tokio::test]
async fn chunked_answers_are_whole_and_lose_their_trailers() {
    let answer = answer(
        "GET",
        Reply::text(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/plain\r\ntrailer: x-sum\r\n\r\n\
             3;ext=1\r\nabc\r\n4\r\ndefg\r\n0\r\nx-sum: 1\r\n\r\n",
        ),
    )
    .await;
    assert_eq!((answer.status, answer.body()), (200, "abcdefg"));
    for gone in ["transfer-encoding", "trailer", "x-sum"] {
        assert!(values(&answer, gone).is_empty(), "{gone}");
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let answer = answer(
        "GET",
        Reply::text(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n\
             HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok",
        ),
    )
    .await;
    assert_eq!((answer.status, answer.body()), (200, "ok"));
    assert!(values(&answer, "link").is_empty());
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    for (method, reply, status, length) in [
        ("GET", "HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n", 204, None),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\ncontent-length: 99\r\n\r\n",
            304,
            Some("99"),
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
            200,
            Some("99999999"),
        ),
        (
            "OPTIONS",
            "HTTP/1.1 200 OK\r\nallow: GET\r\ncontent-length: 0\r\n\r\n",
            200,
            Some("0"),
        ),
    ] {
        let answer = answer(method, Reply::text(reply)).await;
        assert_eq!(
            (answer.status, answer.body(), answer.header("content-length")),
            (status, "", length),
            "{reply}"
        );
        assert_eq!(answer.json["isBase64Encoded"], false);
    }
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_is_taken() {
    let reply = b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{\"a\":1}".to_vec();
    let answer = answer("GET", Reply::BytesThenClose(reply)).await;
    assert_eq!((answer.status, answer.body()), (200, "{\"a\":1}"));
}

#[tokio::test]
async fn the_largest_answer_that_fits_is_handed_over_and_a_larger_one_is_a_problem() {
    let clients = Clients::new();
    let reply = |content_type: &str, length: usize| {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
        Reply::Bytes([head.as_bytes(), &vec![b'x'; length]].concat())
    };
    let fits = [reply("text/plain", 1_048_000), reply("image/png", 785_900)];
    let upstream = Recorder::start(fits).await;
    let function = forward(&clients, &upstream.url(), &[]).await;
    for _ in 0..2 {
        let answer = function
            .answer(Event::get("/", clients.good_headers()).to_bytes())
            .await;
        assert_eq!(answer.status, 200, "{:.200}", answer.body());
        let json = serde_json::to_vec(&answer.json).unwrap().len();
        assert!((1_040_000..=1_048_576).contains(&json), "{json}");
    }
    for too_large in [
        reply("text/plain", 1_048_500),
        reply("image/png", 786_300),
        reply("text/plain", 10_000_000),
        Reply::Bytes(
            [
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n989680\r\n".as_slice(),
                &vec![b'x'; 10_000_000],
                b"\r\n0\r\n\r\n",
            ]
            .concat(),
        ),
    ] {
        let upstream = Recorder::start([too_large]).await;
        let function = forward(&clients, &upstream.url(), &[]).await;
        let answer = function
            .answer(Event::get("/", clients.good_headers()).to_bytes())
            .await;
        let record = assert_problem(&function, &answer, 502, "answer_too_large").await;
        assert!(
            record["explanation"].as_str().unwrap().contains("1048576 bytes"),
            "{record}"
        );
    }
}

#[tokio::test]
async fn text_that_escapes_would_lengthen_travels_as_base64() {
    let body = "\n".repeat(600_000);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = answer("GET", Reply::text(&(head + &body))).await;
    assert_eq!(
        (answer.status, &answer.json["isBase64Encoded"]),
        (200, &true.into())
    );
    assert_eq!(answer.body().len(), 800_000);
}

#[tokio::test]
async fn more_headers_than_a_load_balancer_takes_are_a_problem() {
    let clients = Clients::new();
    let lines = format!("x-a: {}\r\n", "y".repeat(4_000)).repeat(9);
    let upstream = Recorder::start([Reply::text(&format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{lines}\r\n"
    ))])
    .await;
    let function = forward(&clients, &upstream.url(), &[]).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_problem(&function, &answer, 502, "answer_headers_too_large").await;
}
