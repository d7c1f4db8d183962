//! The event that a request becomes, field by field.

use bytes::Bytes;
use http::Request;
use local_alb::{HeaderMode, health_check_event};
use serde_json::{Value, json};

use crate::support::{ARN, Client, Site};

/// Returns the names in an event, sorted: whether a map keeps its order depends on what else is
/// built.
fn keys(event: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

async fn event_of(client: &Client, path: &str) -> Value {
    client
        .event(client.request(path).body(Bytes::new()).unwrap())
        .await
}

async fn event_with_body(client: &Client, headers: &[(&str, &str)], body: &'static [u8]) -> Value {
    let mut request = client.request("/").method("POST");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client
        .event(request.body(Bytes::from_static(body)).unwrap())
        .await
}

#[tokio::test]
async fn has_the_fields_of_single_value_mode_and_no_other() {
    let site = Site::start().await;
    for client in [site.client(), site.client().http_2()] {
        let event = event_of(&client, "/a?x=1").await;
        assert_eq!(
            keys(&event),
            [
                "body",
                "headers",
                "httpMethod",
                "isBase64Encoded",
                "path",
                "queryStringParameters",
                "requestContext"
            ]
        );
        assert_eq!(
            event["requestContext"],
            json!({ "elb": { "targetGroupArn": ARN } })
        );
        assert_eq!(event["httpMethod"], "GET");
        assert_eq!(event["path"], "/a");
        assert_eq!(event["queryStringParameters"], json!({ "x": "1" }));
        assert_eq!(event["body"], "");
        assert_eq!(event["isBase64Encoded"], false);
        let headers = &event["headers"];
        assert_eq!(headers["host"], "localhost");
        assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
        assert_eq!(headers["x-forwarded-port"], site.alb.address().port().to_string());
        assert_eq!(headers["x-forwarded-proto"], "https");
    }
}

#[tokio::test]
async fn has_the_fields_of_multi_value_mode_and_no_other() {
    let site = Site::multi_value().await;
    for client in [site.client(), site.client().http_2()] {
        let event = event_of(&client, "/").await;
        assert_eq!(
            keys(&event),
            [
                "body",
                "httpMethod",
                "isBase64Encoded",
                "multiValueHeaders",
                "multiValueQueryStringParameters",
                "path",
                "requestContext"
            ]
        );
        assert_eq!(event["multiValueHeaders"]["host"], json!(["localhost"]));
        assert_eq!(event["multiValueQueryStringParameters"], json!({}));
    }
}

#[tokio::test]
async fn keeps_path_and_query_as_sent() {
    let site = Site::multi_value().await;
    for client in [site.client(), site.client().http_2()] {
        let event = event_of(&client, "/public/../a%2Fb//c?x=%26&x=&%78=a=b&x&=v&&y=a+b").await;
        assert_eq!(event["path"], "/public/../a%2Fb//c");
        assert_eq!(
            event["multiValueQueryStringParameters"],
            json!({ "x": ["%26", "", ""], "%78": ["a=b"], "": ["v"], "y": ["a+b"] })
        );
    }
}

#[tokio::test]
async fn keeps_the_last_of_repeated_ones_in_single_value_mode() {
    let site = Site::start().await;
    let client = site.client();
    let request = client
        .request("/?a=1&b=2&a=3")
        .header("x-a", "first")
        .header("x-a", "last");
    let event = client.event(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(event["queryStringParameters"], json!({ "a": "3", "b": "2" }));
    assert_eq!(event["headers"]["x-a"], "last");
}

#[tokio::test]
async fn keeps_all_of_repeated_headers_in_multi_value_mode() {
    let site = Site::multi_value().await;
    let client = site.client();
    let answer = client
        .raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: first\r\nx-b: b\r\nx-A: second, third\r\nConnection: close\r\n\r\n")
        .await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let shown: Value = serde_json::from_str(body).unwrap();
    let headers = &shown["event"]["multiValueHeaders"];
    assert_eq!(headers["x-a"], json!(["first", "second, third"]));
    assert!(headers.get("connection").is_none());
}

#[tokio::test]
async fn joins_the_cookies_that_http_2_splits() {
    let site = Site::multi_value().await;
    let client = site.client().http_2();
    let request = client
        .request("/")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    let event = client.event(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(event["multiValueHeaders"]["cookie"], json!(["a=1; b=2"]));
}

#[tokio::test]
async fn passes_text_bodies_on_as_text() {
    let site = Site::start().await;
    let client = site.client();
    for content_type in [
        "text/plain; charset=utf-8",
        "TEXT/HTML",
        "application/json",
        "application/javascript",
        "application/xml;a=b",
    ] {
        let event = event_with_body(&client, &[("content-type", content_type)], "grün".as_bytes()).await;
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!("grün"), &json!(false)),
            "{content_type}"
        );
    }
}

#[tokio::test]
async fn passes_other_bodies_on_as_base64() {
    let site = Site::start().await;
    let client = site.client();
    for headers in [
        &[("content-type", "application/octet-stream")][..],
        &[("content-type", "application/json-patch+json")],
        &[],
        &[("content-type", "text/plain"), ("content-encoding", "gzip")],
        &[("content-type", "text/plain"), ("content-encoding", "identity")],
    ] {
        let event = event_with_body(&client, headers, b"\xfb\xff").await;
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!("+/8="), &json!(true)),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn extends_the_forwarded_addresses_and_replaces_port_and_protocol() {
    let site = Site::multi_value().await;
    let client = site.client();
    let request = client
        .request("/")
        .header("x-forwarded-for", "10.0.0.1, 10.0.0.2")
        .header("x-forwarded-for", "10.0.0.3")
        .header("x-forwarded-port", "80")
        .header("x-forwarded-proto", "http");
    let event = client.event(request.body(Bytes::new()).unwrap()).await;
    let headers = &event["multiValueHeaders"];
    assert_eq!(
        headers["x-forwarded-for"],
        json!(["10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1"])
    );
    assert_eq!(
        headers["x-forwarded-port"],
        json!([site.alb.address().port().to_string()])
    );
    assert_eq!(headers["x-forwarded-proto"], json!(["https"]));
}

async fn trace_for(client: &Client, sent: &str) -> String {
    let request = client.request("/").header("x-amzn-trace-id", sent);
    let event = client.event(request.body(Bytes::new()).unwrap()).await;
    event["headers"]["x-amzn-trace-id"].as_str().unwrap().to_owned()
}

fn assert_is_trace(field: &str) {
    let parts: Vec<&str> = field.split('-').collect();
    let [version, seconds, id] = parts[..] else {
        panic!("{field}")
    };
    let hexadecimal = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert_eq!((version, seconds.len(), id.len()), ("1", 8, 24), "{field}");
    assert!(hexadecimal(seconds) && hexadecimal(id), "{field}");
}

#[tokio::test]
async fn traces_requests_as_alb_does() {
    let site = Site::start().await;
    let client = site.client();
    let event = event_of(&client, "/").await;
    let trace = event["headers"]["x-amzn-trace-id"].as_str().unwrap();
    assert_is_trace(trace.strip_prefix("Root=").unwrap());

    let extended = trace_for(&client, "Root=1-67891233-abc;CalledFrom=app").await;
    let own = extended
        .strip_suffix(";Root=1-67891233-abc;CalledFrom=app")
        .unwrap();
    assert_is_trace(own.strip_prefix("Self=").unwrap());

    let replaced = trace_for(&client, "Self=1-old-one;Root=1-67891233-abc").await;
    let own = replaced.strip_suffix(";Root=1-67891233-abc").unwrap();
    assert_is_trace(own.strip_prefix("Self=").unwrap());

    let rooted = trace_for(&client, "CalledFrom=app").await;
    let own = rooted.strip_suffix(";CalledFrom=app").unwrap();
    assert_is_trace(own.strip_prefix("Root=").unwrap());

    let rewritten = trace_for(&client, &format!("Root=1-1-1;X={}", "x".repeat(7 * 1024))).await;
    assert_is_trace(rewritten.strip_prefix("Root=").unwrap());
}

#[test]
fn the_health_check_is_awss_own_example() {
    let event: Value =
        serde_json::from_slice(&health_check_event(ARN, HeaderMode::SingleValue, "/")).unwrap();
    let expected = json!({
        "requestContext": { "elb": { "targetGroupArn": ARN } },
        "httpMethod": "GET",
        "path": "/",
        "queryStringParameters": {},
        "headers": { "user-agent": "ELB-HealthChecker/2.0" },
        "body": "",
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
}

#[test]
fn the_health_check_has_a_form_for_multi_value_mode() {
    let event: Value =
        serde_json::from_slice(&health_check_event(ARN, HeaderMode::MultiValue, "/up")).unwrap();
    assert_eq!(
        event["multiValueHeaders"],
        json!({ "user-agent": ["ELB-HealthChecker/2.0"] })
    );
    assert_eq!(event["multiValueQueryStringParameters"], json!({}));
    assert_eq!(event["path"], "/up");
    assert!(event.get("headers").is_none() && event.get("queryStringParameters").is_none());
}

#[tokio::test]
async fn reaches_the_function_with_any_method() {
    let site = Site::start().await;
    let client = site.client();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"] {
        let request: Request<Bytes> = client.request("/").method(method).body(Bytes::new()).unwrap();
        assert_eq!(client.event(request).await["httpMethod"], method);
    }
}
