//! Public routes, and paths that only look like one.

use alb_mtls_tests::{Clients, client_headers};

use crate::harness::{Event, forward};
use crate::upstream::{Recorder, Reply};

const ROUTES: &str = "public:/open /open/closed";

#[tokio::test]
async fn a_public_route_needs_no_certificate_and_tells_no_identity() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let function = forward(&clients, &upstream.url(), &[("FORWARD_ROUTES", ROUTES)]).await;
    for headers in [client_headers(), clients.good_headers()] {
        let answer = function
            .answer(Event::get("/open/a%20b.css", headers).to_bytes())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body());
        let recorded = upstream.next().await;
        assert_eq!(recorded.request_line(), "GET /open/a%20b.css HTTP/1.1");
        assert!(!recorded.head().contains("clientcert") && !recorded.head().contains("client-cert"));
        assert_eq!(function.record().await["decision"], "public");
    }
}

#[tokio::test]
async fn what_some_server_reads_as_another_path_needs_a_certificate() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let function = forward(&clients, &upstream.url(), &[("FORWARD_ROUTES", ROUTES)]).await;
    for path in [
        "/",
        "/opened",
        "/OPEN",
        "/open/closed",
        "/open/Closed/x",
        "/open/../admin",
        "/open/..;/admin",
        "/open/%2e%2e/admin",
        "/open/..%2fadmin",
        "/open/..%5Cadmin",
        "/open/..\\admin",
        "/open//admin",
        "/open/%63losed",
        "/open/%252e%252e/admin",
        "/open/%c0%ae%c0%ae/admin",
        "/open/closed%00",
        "/open;/../admin",
    ] {
        let answer = function
            .answer(Event::get(path, client_headers()).to_bytes())
            .await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(upstream.arrived().is_none(), "{path}");
        let answer = function
            .answer(Event::get(path, clients.good_headers()).to_bytes())
            .await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            upstream.next().await.request_line(),
            format!("GET {path} HTTP/1.1")
        );
    }
}

#[tokio::test]
async fn public_routes_do_not_open_other_target_groups() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let variables = [
        ("FORWARD_ROUTES", ROUTES),
        (
            "MTLS_TARGET_GROUPS",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/other/*",
        ),
    ];
    let function = forward(&clients, &upstream.url(), &variables).await;
    let answer = function
        .answer(Event::get("/open", client_headers()).to_bytes())
        .await;
    assert_eq!(answer.status, 403);
    assert!(upstream.arrived().is_none());
}
