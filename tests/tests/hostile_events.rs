//! Events that no load balancer sends, or only for a hostile client: an ordinary 4xx each, by the same process.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use alb_mtls_tests::{Clients, Function, TARGET_GROUP, certificate_headers, client_headers, header_of};
use serde_json::{Value, json};

fn valid(clients: &Clients) -> Value {
    let headers: serde_json::Map<String, Value> = clients
        .good_headers()
        .into_iter()
        .map(|(name, value)| (name, json!([value])))
        .collect();
    json!({
        "requestContext": {"elb": {"targetGroupArn": TARGET_GROUP}},
        "httpMethod": "GET",
        "path": "/",
        "multiValueQueryStringParameters": {},
        "multiValueHeaders": headers,
        "body": "",
        "isBase64Encoded": false,
    })
}

/// The valid event with one member replaced.
fn with(clients: &Clients, pointer: &str, value: Value) -> Vec<u8> {
    let mut event = valid(clients);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let object = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    object.insert(name.to_owned(), value);
    event.to_string().into_bytes()
}

#[tokio::test]
async fn every_hostile_event_gets_an_ordinary_refusal() {
    let clients = Clients::new();
    let anchors = [("MTLS_ANCHORS", clients.anchors_source())];
    let function = Function::start("respond", anchors).await;
    let control = function.answer(valid(&clients).to_string()).await;
    assert_eq!(
        control.status,
        200,
        "the control must pass, or the rest proves nothing: {}",
        control.body()
    );
    let process = function.facts().pid;

    let mut events: Vec<(String, Vec<u8>)> = ["null", "true", "7", "\"text\"", "[]", "{}", "[[[[[[]]]]]]"]
        .iter()
        .map(|json| ((*json).to_owned(), json.as_bytes().to_vec()))
        .collect();
    for (pointer, value) in [
        ("/requestContext", json!(null)),
        ("/requestContext", json!({"elb": 7})),
        ("/requestContext", json!({"elb": {"targetGroupArn": ["arn"]}})),
        ("/httpMethod", json!("G ET")),
        ("/httpMethod", json!("")),
        ("/httpMethod", json!({"a": 1})),
        ("/path", json!("no-slash")),
        ("/path", json!("/a b")),
        ("/path", json!("/\u{0}")),
        ("/path", json!(7)),
        ("/multiValueQueryStringParameters", json!({"a b": ["1"]})),
        ("/multiValueQueryStringParameters", json!({"a": "\n"})),
        ("/multiValueQueryStringParameters", json!({"a": [1]})),
        ("/multiValueHeaders", json!([])),
        ("/multiValueHeaders", json!({"x-amzn-mtls-clientcert": []})),
        ("/multiValueHeaders", json!({"x-amzn-mtls-clientcert": [null]})),
        ("/multiValueHeaders/bad name", json!(["1"])),
        ("/multiValueHeaders/", json!(["1"])),
        ("/multiValueHeaders/x-a", json!(["a\r\nx-b: 1"])),
        ("/multiValueHeaders/x-a", json!(["\u{0}"])),
        ("/headers", json!({"x-a": "both modes"})),
        ("/body", json!({"not": "text"})),
        ("/isBase64Encoded", json!("true")),
    ] {
        events.push((format!("{pointer} {value}"), with(&clients, pointer, value)));
    }
    let mut bad_body = valid(&clients);
    bad_body["body"] = json!("***");
    bad_body["isBase64Encoded"] = json!(true);
    events.push((
        "a body that is not base64".to_owned(),
        bad_body.to_string().into_bytes(),
    ));

    let depth = 100_000;
    events.push((
        "deep nesting".to_owned(),
        format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes(),
    ));
    let nested = format!(
        "{{\"requestContext\":{}1{}}}",
        "{\"a\":".repeat(depth),
        "}".repeat(depth)
    );
    events.push(("deep objects".to_owned(), nested.into_bytes()));

    let good = clients.header(&clients.good);
    for (name, header) in [
        ("1 MB of header", "A".repeat(1 << 20)),
        ("1 MB of dashes", "-".repeat(1 << 20)),
        (
            "a thousand certificates",
            header_of(std::iter::repeat_n(&clients.good, 1_000)),
        ),
        (
            "64 K of empty blocks",
            "-----BEGIN%20CERTIFICATE-----%0A-----END%20CERTIFICATE-----%0A".repeat(200),
        ),
        ("percent at the end", format!("{good}%")),
        ("percent-encoded NUL", format!("{good}%00")),
        ("non-ASCII", format!("{good}ü")),
        ("a plus for each space", good.replace("%20", "+")),
        ("encoded twice", good.replace('%', "%25")),
        ("cut in the middle", good.chars().take(900).collect()),
        (
            "a private key",
            "-----BEGIN%20PRIVATE%20KEY-----%0AAAAA%0A-----END%20PRIVATE%20KEY-----%0A".to_owned(),
        ),
    ] {
        let headers: serde_json::Map<String, Value> = certificate_headers(header)
            .into_iter()
            .map(|(name, value)| (name, json!([value])))
            .collect();
        events.push((
            name.to_owned(),
            with(&clients, "/multiValueHeaders", Value::Object(headers)),
        ));
    }

    for (name, event) in events {
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
    assert_eq!(function.answer(valid(&clients).to_string()).await.status, 200);
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
