//! Requests that restate what the gate decided by, and targets that leave the upstream's base.

use alb_mtls_tests::{Clients, RESTATING_HEADERS, client_headers, source};
use serde_json::json;

use crate::harness::{Event, assert_problem, forward};
use crate::upstream::{Recorder, Reply};

const POLICIES: &str = r#"permit (principal, action == Action::"POST", resource in Path::"/public");"#;

#[tokio::test]
async fn a_method_in_the_query_is_refused_where_something_was_decided() {
    let clients = Clients::new();
    let policies = source(&clients, "policies.cedar", POLICIES);
    let mut upstream = Recorder::start([Reply::ok()]).await;
    for (variables, is_refused) in [
        (&[][..], false),
        (&[("MTLS_POLICY", &*policies)], true),
        (&[("MTLS_POLICY", &*policies), ("MTLS_RESTATED", "keep")], false),
        (&[("FORWARD_ROUTES", "public:/public")], true),
    ] {
        let function = forward(&clients, &upstream.url(), variables).await;
        for name in ["_method", "%5Fmethod", "_method%5B%5D", ".method", "%255fmethod"] {
            let event =
                Event::new("POST", "/public/x", clients.good_headers()).query(json!({name: ["DELETE"]}));
            let answer = function.answer(event.to_bytes()).await;
            if is_refused {
                assert_eq!(answer.status, 400, "{name}");
                assert_eq!(function.record().await["detail"], "restated");
                assert!(upstream.arrived().is_none(), "{name}");
            } else {
                assert_eq!(answer.status, 200, "{name}");
                assert!(upstream.next().await.request_line().contains("ethod"), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn restating_headers_arrive_only_when_they_are_kept() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    for (value, expected) in [("strip", 0), ("keep", RESTATING_HEADERS.len())] {
        let function = forward(&clients, &upstream.url(), &[("MTLS_RESTATED", value)]).await;
        let names = RESTATING_HEADERS.iter();
        let event = names.fold(Event::get("/", clients.good_headers()), |event, name| {
            event.header(name, "restated")
        });
        assert_eq!(function.answer(event.to_bytes()).await.status, 200);
        let headers = upstream.next().await.headers();
        let arrived = headers.iter().filter(|line| line.ends_with(": restated"));
        assert_eq!(arrived.count(), expected, "{headers:?}");
    }
}

#[tokio::test]
async fn other_spellings_of_framing_headers_never_arrive() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let function = forward(&clients, &upstream.url(), &[("MTLS_RESTATED", "keep")]).await;
    let names = [
        "content_length",
        "transfer_encoding",
        "Content.Length",
        "x_forwarded_for",
        "proxy_authorization",
    ];
    let event = names.iter().fold(
        Event::new("POST", "/", clients.good_headers()).text("body"),
        |event, name| event.header(name, "77"),
    );
    assert_eq!(function.answer(event.to_bytes()).await.status, 200);
    let recorded = upstream.next().await;
    assert!(!recorded.head().contains("77\r\n"), "{}", recorded.head());
    assert_eq!(recorded.values("content-length"), ["4"]);
}

#[tokio::test]
async fn a_token_cannot_be_taken_off_by_connection() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let function = forward(&clients, &upstream.url(), &[]).await;
    let event = Event::get("/", clients.good_headers())
        .header("authorization", "Bearer a.b.c")
        .header("dpop", "proof")
        .header("connection", "close, Authorization, DPoP");
    assert_eq!(function.answer(event.to_bytes()).await.status, 200);
    let recorded = upstream.next().await;
    assert_eq!(recorded.values("authorization"), ["Bearer a.b.c"]);
    assert_eq!(recorded.values("dpop"), ["proof"]);
}

#[tokio::test]
async fn connect_is_refused_also_on_a_public_route() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let routes = [("FORWARD_ROUTES", "public:/open")];
    let function = forward(&clients, &upstream.url(), &routes).await;
    for headers in [client_headers(), clients.good_headers()] {
        let event = Event::new("CONNECT", "/open/x", headers);
        assert_eq!(function.answer(event.to_bytes()).await.status, 400);
        assert_eq!(function.record().await["detail"], "method_connect");
    }
    assert!(upstream.arrived().is_none());
}

#[tokio::test]
async fn a_path_that_leaves_the_base_is_refused() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let function = forward(&clients, &format!("{}/api/v1", upstream.url()), &[]).await;
    for path in [
        "/../../admin",
        "/%2e%2e/admin",
        "/..;/admin",
        "/..%2fadmin",
        "/a\\..\\..\\x",
        "/%252e%252e/x",
        "/%u002e%u002e/x",
        "*",
    ] {
        let answer = function
            .answer(Event::get(path, clients.good_headers()).to_bytes())
            .await;
        assert_problem(&function, &answer, 400, "target").await;
        assert!(upstream.arrived().is_none(), "{path}");
    }
    for path in ["/a..b/%2F//;x", "/(S(x))/a:b"] {
        let answer = function
            .answer(Event::get(path, clients.good_headers()).to_bytes())
            .await;
        assert_eq!(answer.status, 200, "{path}");
        let expected = format!("GET /api/v1{path} HTTP/1.1");
        assert_eq!(upstream.next().await.request_line(), expected);
    }
}
