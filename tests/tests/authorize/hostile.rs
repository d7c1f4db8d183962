//! Events that API Gateway never sends: each is denied with a record, by the same process.

use alb_mtls_tests::Clients;
use serde_json::{Value, json};

use crate::events::{Api, anonymous, with_certificate};
use crate::support::{Authorizer, Outcome};

/// Returns the event with one member replaced, or left out for null.
fn with(event: &Value, pointer: &str, value: Value) -> Value {
    let mut event = event.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => drop(parent.remove(name)),
        value => drop(parent.insert(name.to_owned(), value)),
    }
    event
}

#[tokio::test]
async fn every_malformed_event_is_denied_with_a_record() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[]).await;
    let process = authorizer.facts().pid;
    let mut events: Vec<Value> = vec![
        json!(null),
        json!(true),
        json!(7),
        json!("text"),
        json!([]),
        json!({}),
        json!({"version": "2.0"}),
        json!({"type": "REQUEST"}),
        json!({"type": "TOKEN", "authorizationToken": "a", "methodArn": "arn:aws:execute-api:us-east-1:123456789012:a/b/GET/"}),
        // What a load balancer sends.
        json!({"requestContext": {"elb": {"targetGroupArn": "arn:"}}, "httpMethod": "GET", "path": "/", "headers": {}}),
    ];
    for api in Api::ALL {
        let good = with_certificate(api, &clients.good);
        let control = authorizer.ask(&good).await;
        assert!(
            matches!(control, Outcome::Allow(_)),
            "the control must pass: {control:?}"
        );
        authorizer.record().await;
        let arn = format!("/{}", api.arn_field());
        let path = match api {
            Api::Rest | Api::Http1 => "/path",
            Api::Http2 => "/rawPath",
        };
        for (pointer, value) in [
            ("/type", json!("OTHER")),
            ("/version", json!("3.0")),
            ("/version", json!(2.0)),
            (arn.as_str(), Value::Null),
            (arn.as_str(), json!("*")),
            (
                arn.as_str(),
                json!("arn:aws:execute-api:us-east-1:123456789012:*/*/GET/"),
            ),
            (arn.as_str(), json!(["arn"])),
            (path, Value::Null),
            (path, json!("")),
            (path, json!("no-slash")),
            (path, json!({"a": 1})),
            ("/headers", json!("none")),
            ("/headers", json!({"bad name": "1"})),
            ("/headers", json!({"": "1"})),
            ("/headers", json!({"x-a": "1\r\nx-b: 2"})),
            ("/headers", json!({"x-a": ["1"]})),
            ("/multiValueHeaders", json!({"x-a": "1"})),
            ("/multiValueHeaders", json!({"x-a": [null]})),
            (
                "/requestContext",
                json!({"identity": {"clientCert": "PEM"}, "http": {"method": "GET"}}),
            ),
            (
                "/requestContext",
                json!({"identity": {"clientCert": {}}, "http": {"method": "GET"}}),
            ),
            (
                "/requestContext",
                json!({"authentication": {"clientCert": {"clientCertPem": 7}}, "http": {"method": "GET"}}),
            ),
        ] {
            events.push(with(&good, pointer, value));
        }
    }
    for event in events {
        let outcome = authorizer.ask(&event).await;
        assert!(matches!(outcome, Outcome::Deny(_)), "{event}: {outcome:?}");
        let record = authorizer.record().await;
        assert_eq!(record["detail"], "not_servable", "{event}: {record}");
        assert_eq!(record["decision"], "denied");
    }
    assert_eq!(authorizer.facts().pid, process, "the process was replaced");
}

/// Sends JSON that is not a request, and text that is not JSON.
#[tokio::test]
async fn events_that_cannot_be_read_are_denied_with_a_record() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[]).await;
    let process = authorizer.facts().pid;
    let good = with_certificate(Api::Rest, &clients.good).to_string();
    let replaced = |before: &str, after: &[u8]| {
        let at = good.find(before).unwrap();
        let mut event = good.as_bytes().to_vec();
        event.splice(at..at, after.iter().copied());
        event
    };
    for event in [
        replaced("\"httpMethod\"", br#""x":"\ud800","#),
        replaced("\"httpMethod\"", br#""\udfff":1,"#),
        replaced("\"httpMethod\"", br#""x":1e999,"#),
        replaced("\"httpMethod\"", b"\"x\":\"\xff\","),
        replaced(
            "\"httpMethod\"",
            &[b"\"x\":".as_slice(), &b"[".repeat(200), &b"]".repeat(200), b","].concat(),
        ),
        b"{".to_vec(),
        b"\xff".to_vec(),
        Vec::new(),
    ] {
        let outcome = authorizer.ask_bytes(event.clone()).await;
        let text = String::from_utf8_lossy(&event);
        assert!(matches!(outcome, Outcome::Deny(_)), "{text}: {outcome:?}");
        let record = authorizer.record().await;
        assert_eq!(record["detail"], "not_servable", "{text}: {record}");
    }
    let outcome = authorizer.ask_bytes(good.into_bytes()).await;
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    assert_eq!(authorizer.facts().pid, process, "the process was replaced");
}

#[tokio::test]
async fn names_of_any_length_leave_an_answer_that_fits() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[("MTLS_MAX_HEADER", "65536")]).await;
    let mut builder = test_pki::CertificateBuilder::client("CN=many names,O=Tests");
    for index in 0..200 {
        builder = builder.dns(&format!("host-{index}.tests.example"));
    }
    let client = clients.issue(builder);
    for api in Api::ALL {
        let outcome = authorizer.ask(&with_certificate(api, &client)).await;
        assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
        assert_eq!(outcome.context()["omitted"], "alternative_names");
        assert_eq!(outcome.context()["alternative_names"], Value::Null);
        assert_eq!(outcome.context()["subject"], "CN=many names,O=Tests");
    }
}

/// The load balancer's own health check is answered without a certificate. A client of an API can
/// write what makes a request look like one: nothing of a load balancer is there.
#[tokio::test]
async fn health_check_of_a_client_is_denied() {
    let clients = Clients::new();
    for certificate in ["client-cert", "header"] {
        let authorizer = Authorizer::start(&clients, &[("AUTHORIZE_CERTIFICATE", certificate)]).await;
        for api in Api::ALL {
            let agent = "ELB-HealthChecker/2.0";
            let event = with(&anonymous(api), "/headers", json!({"user-agent": agent}));
            let event = match api {
                Api::Rest | Api::Http1 => with(&event, "/multiValueHeaders", json!({"user-agent": [agent]})),
                Api::Http2 => event,
            };
            let outcome = authorizer.ask(&event).await;
            assert!(!matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
            let record = authorizer.record().await;
            assert_eq!(record["detail"], "certificate_missing", "{record}");
            assert_eq!(record["decision"], "denied", "{record}");
        }
    }
}
