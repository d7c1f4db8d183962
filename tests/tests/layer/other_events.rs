//! Events that are not a load balancer's.

use alb_mtls_tests::{Clients, Function, project};
use local_alb::InvocationOutcome;
use serde_json::{Value, json};

use crate::functions::{Language, calls, received};

/// Events in which no client of HTTP has a say.
const OTHERS: &[&str] = &[
    r#"{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","account":"1","time":"2026-11-22T00:00:00Z","region":"eu-west-1","resources":[],"detail":{}}"#,
    r#"{"Records":[{"messageId":"1","body":"{\"headers\":{\"x-amzn-mtls-clientcert-subject\":\"CN=admin\"}}","eventSource":"aws:sqs"}]}"#,
    r#"{"path":"/nightly","body":"x"}"#,
    "{}",
    "null",
    "[1.0]",
    "\"text\"",
    "7",
];

/// Events of everything that hands over what a client of HTTP sent.
fn http_events() -> Vec<Value> {
    let claim = json!({"x-amzn-mtls-clientcert-subject": "CN=admin"});
    let mut events = vec![
        json!({"version": "2.0", "rawPath": "/", "headers": claim, "requestContext": {"http": {"method": "GET"}}}),
        json!({"httpMethod": "GET", "path": "/", "multiValueHeaders": {}, "requestContext": {"apiId": "x"}}),
        json!({"raw_path": "/", "method": "GET", "headers": claim}),
        json!({"version": "2.0", "path": "/", "method": "GET", "headers": claim, "requestContext": {"serviceArn": "x"}}),
        json!({"requestContext": {"routeKey": "$connect", "eventType": "CONNECT"}, "headers": claim}),
        json!({"requestContext": {"elb": {}}, "headers": claim}),
        json!({"requestContext": null, "path": "/"}),
        json!({"Headers": claim}),
        json!({"HEADERS": claim, "body": ""}),
        // What Go and other readers take for `headers`.
        json!({"path": "/admin", "header\u{17f}": claim}),
        json!({"path": "/admin", "multi_value_headers": claim}),
    ];
    for name in ["apigw-http-1.0-valid", "apigw-http-2.0-valid", "apigw-rest-valid"] {
        let event = std::fs::read(project().join("events").join(format!("{name}.json"))).unwrap();
        events.push(serde_json::from_slice(&event).unwrap());
    }
    events
}

async fn assert_error(function: &Function, event: &str) {
    match function.invoke(event.to_owned()).await {
        InvocationOutcome::FunctionError { error_type, message } => {
            assert_eq!(error_type, "AlbMtls.EventRefused", "{event}");
            assert!(message.contains("event"), "{message}");
        }
        other => panic!("{event}: {other:?}"),
    }
    let record = function.record().await;
    assert_eq!(
        (&record["decision"], &record["detail"]),
        (&json!("denied"), &json!("not_servable"))
    );
}

#[tokio::test]
async fn they_are_refused_with_an_error_that_their_invoker_sees() {
    let clients = Clients::new();
    for language in Language::all() {
        let function = language.start(&clients, &[]).await;
        for event in OTHERS {
            assert_error(&function, event).await;
        }
        let answer = function.get("/", &clients.good_headers()).await;
        assert_eq!((answer.status, calls(&answer)), (200, 1));
    }
}

#[tokio::test]
async fn they_pass_as_they_are_where_that_is_set() {
    let clients = Clients::new();
    for language in Language::all() {
        let function = language.start(&clients, &[("LAYER_OTHER_EVENTS", "pass")]).await;
        for (event, number) in OTHERS.iter().zip(1..) {
            let answer = function.answer(*event).await;
            assert_eq!((received(&answer).as_str(), calls(&answer)), (*event, number));
        }
        let refused = function.get("/", &alb_mtls_tests::client_headers()).await;
        assert_eq!(refused.status, 401);
    }
}

#[tokio::test]
async fn what_a_client_of_something_else_sent_never_passes() {
    let clients = Clients::new();
    for other_events in ["refuse", "pass"] {
        let function = Language::Python
            .start(&clients, &[("LAYER_OTHER_EVENTS", other_events)])
            .await;
        for event in http_events() {
            let answer = function.answer(event.to_string()).await;
            assert_eq!(answer.status, 400, "{event}");
            assert!(answer.json.get("calls").is_none());
            assert_eq!(function.record().await["detail"], "not_servable");
        }
    }
}

/// Each sample of another service whose events hold the headers of its clients.
#[tokio::test]
async fn requests_of_other_services_never_pass() {
    let clients = Clients::new();
    for other_events in ["refuse", "pass"] {
        let function = Language::Python
            .start(&clients, &[("LAYER_OTHER_EVENTS", other_events)])
            .await;
        let mut seen = 0;
        for entry in std::fs::read_dir(project().join("events/other-services")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let event = std::fs::read_to_string(&path).unwrap();
            let is_request = ["appsync", "s3-object-lambda", "cloudfront"]
                .iter()
                .any(|service| name.starts_with(service));
            seen += usize::from(is_request);
            if is_request || other_events == "refuse" {
                assert_error(&function, &event).await;
            } else {
                assert_eq!(received(&function.answer(event.clone()).await), event, "{name}");
            }
        }
        assert_eq!(seen, 4);
    }
}

/// Bytes of a client can be in it, so that it must not be an error.
#[tokio::test]
async fn what_cannot_be_read_is_answered_and_never_passes() {
    let clients = Clients::new();
    for other_events in ["refuse", "pass"] {
        let function = Language::Python
            .start(&clients, &[("LAYER_OTHER_EVENTS", other_events)])
            .await;
        for event in [
            &b""[..],
            b"{",
            b"{}{}",
            b"\xef\xbb\xbf{}",
            b"\xff",
            b"{\"path\":\"/\xff\"}",
            br#"{"path":"/\ud800"}"#,
            br#"{"\udfff":1}"#,
            br#"{"path":1e999}"#,
        ] {
            let answer = function.answer(event).await;
            assert_eq!(answer.status, 400, "{event:?}");
            assert!(answer.json.get("calls").is_none());
            let record = function.record().await;
            assert_eq!(
                (&record["decision"], &record["detail"]),
                (&json!("denied"), &json!("not_servable"))
            );
            let explanation = record["explanation"].as_str().unwrap();
            assert!(explanation.contains("cannot be read as JSON"), "{explanation}");
        }
    }
}
