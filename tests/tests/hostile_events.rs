//! Events that no load balancer sends, or only for a hostile client: an ordinary 4xx each, by the
//! same process.

use alb_mtls_tests::{Clients, Function, client_headers, hostile_events, valid_event};

#[tokio::test]
async fn every_hostile_event_gets_an_ordinary_refusal() {
    let clients = Clients::new();
    let anchors = [("MTLS_ANCHORS", clients.anchors_source())];
    let function = Function::start("respond", anchors).await;
    let control = function.answer(valid_event(&clients).to_string()).await;
    assert_eq!(
        control.status,
        200,
        "the control must pass, or the rest proves nothing: {}",
        control.body()
    );
    let process = function.facts().pid;

    for (name, event) in hostile_events(&clients) {
        let answer = function.answer(event).await;
        assert!(
            (400..500).contains(&answer.status),
            "{name}: {} {}",
            answer.status,
            answer.body()
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{name}"
        );
    }
    assert_eq!(
        function.answer(valid_event(&clients).to_string()).await.status,
        200
    );
    assert_eq!(
        (function.facts().pid, function.facts().restarts),
        (process, 0),
        "the process was replaced"
    );
}

#[tokio::test]
async fn odd_hosts_and_protocols_are_none_of_the_gates_business() {
    let clients = Clients::new();
    let function = Function::start("respond", [("MTLS_ANCHORS", clients.anchors_source())]).await;
    for (header, value) in [
        ("host", "["),
        ("host", "a b"),
        ("host", "a.example:99999"),
        ("host", "a%00b"),
        ("x-forwarded-proto", "\\"),
        ("x-forwarded-port", "-1"),
    ] {
        let mut headers = clients.good_headers();
        headers.retain(|(name, _)| name != header);
        headers.push((header.to_owned(), value.to_owned()));
        let answer = function.get("/", &headers).await;
        assert_eq!(answer.status, 200, "{header}: {value}: {}", answer.body());
    }
    assert_eq!(function.get("/", &client_headers()).await.status, 401);
}
