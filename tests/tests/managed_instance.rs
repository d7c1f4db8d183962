//! Functions that handle several invocations at once, as Lambda Managed Instances have it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use alb_mtls_tests::{Clients, binary, event, header_of, project};
use bytes::Bytes;
use local_alb::{FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome, ManagedInstance};
use serde_json::Value;
use test_pki::CertificateBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONCURRENCY: u32 = 8;

async fn start(package: &str, variables: &[(&str, &str)]) -> Arc<ManagedInstance> {
    let mut command = FunctionCommand::new(binary(package)).output(FunctionOutput::Discard);
    for (name, value) in variables {
        command = command.variable(*name, *value);
    }
    let concurrency = NonZeroU32::new(CONCURRENCY).unwrap();
    Arc::new(ManagedInstance::start(command, concurrency).await.unwrap())
}

fn answer(outcome: &InvocationOutcome) -> Value {
    let InvocationOutcome::Response(bytes) = outcome else {
        panic!("not an answer but {outcome:?}")
    };
    serde_json::from_slice(bytes).unwrap()
}

/// Starts a server that answers only when so many clients ask at once.
async fn upstream(at_once: u32) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut waiting = Vec::new();
        for _ in 0..at_once {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            waiting.push(stream);
        }
        for mut stream in waiting {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
            stream.write_all(answer).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn forward_has_as_many_requests_under_way_as_it_is_told() {
    let clients = Clients::new();
    let upstream = format!("http://{}", upstream(CONCURRENCY).await);
    let anchors = clients.anchors_source();
    let forward = start(
        "forward",
        &[("MTLS_ANCHORS", &anchors), ("FORWARD_UPSTREAM", &upstream)],
    )
    .await;
    let request = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    let mut invocations = JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (forward, request) = (Arc::clone(&forward), request.clone());
        invocations.spawn(async move { forward.invoke(request).await });
    }
    for outcome in invocations.join_all().await {
        assert_eq!(answer(&outcome).get("statusCode"), Some(&Value::from(200)));
    }
}

#[tokio::test]
async fn each_of_many_clients_at_once_gets_its_own_answer() {
    let clients = Clients::new();
    let anchors = clients.anchors_source();
    let respond = start("respond", &[("MTLS_ANCHORS", &anchors)]).await;
    let mut invocations = JoinSet::new();
    for number in 0..200 {
        let name = format!("client-{number}");
        let client = CertificateBuilder::client(&format!("CN={name},O=Tests"));
        // Every fourth one has no certificate.
        let (header, expected) = if number % 4 == 3 {
            (header_of([&client.self_signed().unwrap()]), None)
        } else {
            (clients.header(&clients.issue(client)), Some(name))
        };
        let headers = alb_mtls_tests::certificate_headers(header);
        let request = event("GET", "/", &headers, HeaderMode::MultiValue);
        let respond = Arc::clone(&respond);
        invocations.spawn(async move { (expected, respond.invoke(request).await) });
    }
    for (expected, outcome) in invocations.join_all().await {
        let answer = answer(&outcome);
        let status = answer.get("statusCode").and_then(Value::as_u64).unwrap();
        let body = answer.get("body").and_then(Value::as_str).unwrap();
        match expected {
            None => assert_eq!(status, 401, "{body}"),
            Some(name) => {
                assert_eq!(status, 200, "{body}");
                assert!(body.contains(&format!("\"CN={name},O=Tests\"")), "{name}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn the_authorizer_decides_about_several_at_once() {
    let source = |name: &str| format!("file:{}", project().join("events").join(name).display());
    let variables = [
        ("MTLS_ANCHORS", &*source("anchors.pem")),
        ("MTLS_INTERMEDIATES", &*source("intermediates.pem")),
    ];
    let authorize = start("authorize", &variables).await;
    let sample = |case: &str| {
        Bytes::from(std::fs::read(project().join(format!("events/apigw-rest-{case}.json"))).unwrap())
    };
    let (valid, unknown) = (sample("valid"), sample("unknown-ca"));
    let mut invocations = JoinSet::new();
    for number in 0..64 {
        let is_valid = number % 2 == 0;
        let (authorize, event) = (
            Arc::clone(&authorize),
            if is_valid { valid.clone() } else { unknown.clone() },
        );
        invocations.spawn(async move { (is_valid, authorize.invoke(event).await) });
    }
    for (is_valid, outcome) in invocations.join_all().await {
        // An unknown client of a REST API is an error by the name that API Gateway turns into 401.
        let is_allowed = match &outcome {
            InvocationOutcome::Response(answer) => {
                String::from_utf8_lossy(answer).contains("\"Effect\":\"Allow\"")
            }
            InvocationOutcome::FunctionError { message, .. } if message == "Unauthorized" => false,
            other => panic!("{other:?}"),
        };
        assert_eq!(is_allowed, is_valid, "{outcome:?}");
    }
}
