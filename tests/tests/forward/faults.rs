//! Upstreams that fail in every way, each with a status and a record of its own.

use std::process::Command;
use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, Function};
use tokio::net::TcpListener;

use crate::harness::{Event, assert_problem, forward};
use crate::upstream::{Recorder, Reply};

async fn fails(reply: Reply, variables: &[(&str, &str)], status: u16, detail: &str) {
    let clients = Clients::new();
    let mut upstream = Recorder::start([reply]).await;
    let function = forward(&clients, &upstream.url(), variables).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    let record = assert_problem(&function, &answer, status, detail).await;
    assert_eq!(record["upstream"], upstream.url());
    assert_eq!(record["alb_trace_id"], "Root=1-67890000-0123456789abcdef01234567");
    assert!(!answer.body().contains("127.0.0.1"), "{}", answer.body());
    upstream.next().await;
    assert!(
        upstream.arrived().is_none(),
        "a fresh connection does not justify a retry"
    );
}

#[tokio::test]
async fn an_upstream_that_is_down() {
    let clients = Clients::new();
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let function = forward(&clients, &format!("http://{address}"), &[]).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_problem(&function, &answer, 502, "upstream_refused").await;
}

#[tokio::test]
async fn an_upstream_whose_name_leads_nowhere() {
    let clients = Clients::new();
    let function = forward(&clients, "http://nowhere.invalid", &[]).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_problem(&function, &answer, 502, "upstream_name").await;
}

#[tokio::test]
async fn an_upstream_that_ends_the_connection() {
    fails(Reply::BytesThenClose(Vec::new()), &[], 502, "upstream_closed").await;
    fails(Reply::Reset, &[], 502, "upstream_closed").await;
    fails(
        Reply::BytesThenClose(b"HTTP/1.1 200 O".to_vec()),
        &[],
        502,
        "upstream_closed",
    )
    .await;
}

#[tokio::test]
async fn an_upstream_that_breaks_off_its_answer() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec();
    fails(Reply::BytesThenClose(cut), &[], 502, "upstream_closed").await;
    let cut = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab".to_vec();
    fails(Reply::BytesThenClose(cut), &[], 502, "upstream_closed").await;
}

#[tokio::test]
async fn an_upstream_that_closes_its_half_of_the_connection() {
    for cut in [
        "",
        "HTTP/1.1 200 OK\r\nx-a: 1",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let cut = Reply::BytesThenHalfClose(cut.as_bytes().to_vec());
        fails(cut, &[], 502, "upstream_closed").await;
    }
}

#[tokio::test]
async fn an_upstream_with_more_than_100_headers() {
    let lines: String = (0..101).map(|number| format!("x-{number}: 1\r\n")).collect();
    let answer = format!("HTTP/1.1 200 OK\r\n{lines}content-length: 0\r\n\r\n");
    fails(Reply::text(&answer), &[], 502, "upstream_protocol").await;
}

#[tokio::test]
async fn an_upstream_that_does_not_speak_http() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n",
        "HTTP/1.1 600 Beyond\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nx",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ] {
        fails(
            Reply::BytesThenClose(garbage.as_bytes().to_vec()),
            &[],
            502,
            "upstream_protocol",
        )
        .await;
    }
}

#[tokio::test]
async fn an_upstream_that_is_slow_to_answer_or_to_finish() {
    let timeout = [("FORWARD_TIMEOUT", "1s")];
    fails(Reply::Silence, &timeout, 504, "upstream_timeout").await;
    fails(
        Reply::text("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc"),
        &timeout,
        504,
        "upstream_timeout",
    )
    .await;
}

#[tokio::test]
async fn an_answer_is_given_before_lambda_ends_the_invocation() {
    let clients = Clients::new();
    let upstream = Recorder::start([Reply::Silence]).await;
    let variables = [
        ("MTLS_ANCHORS".to_owned(), clients.anchors_source()),
        ("FORWARD_UPSTREAM".to_owned(), upstream.url()),
    ];
    let command = variables.into_iter().fold(
        local_alb::FunctionCommand::new(alb_mtls_tests::binary("forward"))
            .timeout(Duration::from_secs(2))
            .output(local_alb::FunctionOutput::Discard),
        |command, (name, value)| command.variable(name, value),
    );
    let environment = local_alb::Environment::start(command).await.unwrap();
    let started = Instant::now();
    let outcome = environment
        .invoke(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    let local_alb::InvocationOutcome::Response(answer) = outcome else {
        panic!("{outcome:?}")
    };
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["statusCode"], 504);
    assert!(
        started.elapsed() > Duration::from_secs(1),
        "nearly all of the time was the upstream's"
    );
}

/// A function that has got one answer over a connection which it keeps.
async fn warmed_up(replies: Vec<Reply>) -> (Clients, Recorder, Function) {
    let clients = Clients::new();
    let mut upstream = Recorder::start(replies).await;
    let function = forward(&clients, &upstream.url(), &[]).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_eq!((answer.status, upstream.next().await.connection), (200, 0));
    (clients, upstream, function)
}

#[tokio::test]
async fn connections_are_used_again() {
    let (clients, mut upstream, function) = warmed_up(vec![Reply::ok()]).await;
    assert_eq!(
        function
            .answer(Event::get("/", clients.good_headers()).to_bytes())
            .await
            .status,
        200
    );
    assert_eq!(upstream.next().await.connection, 0);
}

#[tokio::test]
async fn an_idempotent_request_is_tried_once_more_when_a_kept_connection_died() {
    for death in [Reply::BytesThenClose(Vec::new()), Reply::Reset] {
        let (clients, mut upstream, function) = warmed_up(vec![Reply::ok(), death, Reply::ok()]).await;
        let event = Event::new("PUT", "/", clients.good_headers()).text("body");
        assert_eq!(function.answer(event.to_bytes()).await.status, 200);
        let (first, second) = (upstream.next().await, upstream.next().await);
        assert_eq!((first.connection, second.connection), (0, 1));
        assert_eq!((first.head, first.body), (second.head, second.body));
    }
}

#[tokio::test]
async fn a_request_is_not_tried_a_third_time() {
    let close = Reply::BytesThenClose(Vec::new());
    let (clients, mut upstream, function) = warmed_up(vec![Reply::ok(), close]).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_problem(&function, &answer, 502, "upstream_closed").await;
    assert_eq!(
        (upstream.next().await.connection, upstream.next().await.connection),
        (0, 1)
    );
    assert!(upstream.arrived().is_none());
}

#[tokio::test]
async fn a_request_that_may_have_had_an_effect_is_not_tried_again() {
    let close = Reply::BytesThenClose(Vec::new());
    let (clients, mut upstream, function) = warmed_up(vec![Reply::ok(), close, Reply::ok()]).await;
    let event = Event::new("POST", "/", clients.good_headers()).text("pay");
    let answer = function.answer(event.to_bytes()).await;
    assert_problem(&function, &answer, 502, "upstream_closed").await;
    upstream.next().await;
    assert!(upstream.arrived().is_none());
}

#[tokio::test]
async fn a_connection_that_ended_while_the_environment_was_frozen_is_not_used() {
    for method in ["GET", "POST"] {
        let clients = Clients::new();
        let mut upstream = Recorder::start([Reply::ok()]).await;
        let function = forward(&clients, &upstream.url(), &[]).await;
        let event = Event::new(method, "/", clients.good_headers());
        assert_eq!(function.answer(event.to_bytes()).await.status, 200);
        assert_eq!(upstream.next().await.connection, 0);
        let pid = function.facts().pid.to_string();
        signal("-STOP", &pid);
        // The upstream ends the connection while the function cannot notice, and is back when it
        // can.
        let address = upstream.address();
        upstream.stop().await;
        let mut upstream = Recorder::start_at(address, [Reply::ok()]).await;
        let (answer, ()) = tokio::join!(function.answer(event.to_bytes()), async { signal("-CONT", &pid) });
        assert_eq!(answer.status, 200, "{method}: {}", answer.body());
        assert_eq!(upstream.next().await.connection, 0);
        assert!(upstream.arrived().is_none());
    }
}

fn signal(signal: &str, pid: &str) {
    assert!(
        Command::new("kill")
            .args([signal, pid])
            .status()
            .unwrap()
            .success()
    );
}
