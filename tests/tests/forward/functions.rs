//! Another Lambda function as the upstream: it gets the event that it always got, and knows who the
//! client is.

use std::process::Command;
use std::sync::Arc;

use alb_mtls_tests::{Clients, Function, binary, client_headers, event, project};
use local_alb::{Environment, FunctionCommand, FunctionOutput, HeaderMode};
use serde_json::{Value, json};

use crate::backends::sha256;
use crate::harness::{Event, assert_problem, forward, values};
use crate::upstream::{Recorded, Recorder, Reply};

const REGION: &str = "us-east-1";

fn answer(json: &Value, headers: &str) -> Reply {
    let json = json.to_string();
    Reply::text(&format!(
        "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{json}",
        json.len()
    ))
}

/// Returns Lambda's answer for a function that only reports success.
pub(crate) fn ok() -> Reply {
    answer(&json!({"statusCode": 200}), "")
}

/// Returns the forwarder before a function that this server stands for.
pub(crate) async fn calling(
    clients: &Clients,
    api: &Recorder,
    upstream: &str,
    variables: &[(&str, &str)],
) -> Function {
    let url = api.url();
    let mut all = vec![
        ("AWS_ENDPOINT_URL_LAMBDA", url.as_str()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token/+="),
    ];
    all.extend_from_slice(variables);
    forward(clients, upstream, &all).await
}

fn received(request: &Recorded) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// Returns true if botocore signs the request in the same way.
fn is_signed(request: &Recorded, api: &Recorder, clients: &Clients) -> bool {
    let (head, body) = (clients.directory().join("head"), clients.directory().join("body"));
    std::fs::write(&head, &request.head).unwrap();
    std::fs::write(&body, &request.body).unwrap();
    let output = Command::new(project().join(".venv/bin/python"))
        .arg(project().join("tests/tests/forward/signature.py"))
        .args([&head, &body])
        .args([&api.url(), REGION, "secret"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout == b"True\n"
}

#[tokio::test]
async fn functions_are_called_by_name_alias_or_arn_with_a_signature() {
    let clients = Clients::new();
    let mut api = Recorder::start([ok()]).await;
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:app";
    for (upstream, target) in [
        ("lambda:app", "/2015-03-31/functions/app/invocations"),
        (
            "lambda:app:live",
            "/2015-03-31/functions/app/invocations?Qualifier=live",
        ),
        (
            &*format!("lambda:{arn}:$LATEST"),
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aapp/invocations?Qualifier=%24LATEST",
        ),
    ] {
        let function = calling(&clients, &api, upstream, &[]).await;
        let event = Event::new("POST", "/", clients.good_headers()).text("höi");
        let answer = function.answer(event.to_bytes()).await;
        assert_eq!(answer.status, 200, "{}", function.log().join("\n"));
        let request = api.next().await;
        assert_eq!(request.request_line(), format!("POST {target} HTTP/1.1"));
        assert_eq!(request.values("x-amz-security-token"), ["token/+="]);
        // By which Lambda finds out that functions call each other in circles.
        assert_eq!(request.values("x-amzn-trace-id").len(), 1, "{}", request.head());
        assert!(is_signed(&request, &api, &clients), "{}", request.head());
    }
}

/// Events that are awkward in some field; each with the certificate of the good client.
fn corpus(clients: &Clients) -> Vec<Value> {
    let multi = |method: &str, path: &str| {
        let event = Event::new(method, path, clients.good_headers());
        serde_json::from_slice::<Value>(&event.to_bytes()).unwrap()
    };
    let mut events = Vec::new();
    for path in ["/", "//a%2Fb/../c;d=%00", "/%zz/ü\\", "*"] {
        events.push(multi("OPTIONS", path));
    }
    let mut event = multi("POST", "/x");
    event["multiValueQueryStringParameters"] =
        json!({"x": ["1", "%26", "1"], "": ["v"], "y": [""], "q?": ["a=b"]});
    event["multiValueHeaders"]["Accept"] = json!(["a;q=0.1", "b", "a;q=0.1"]);
    event["multiValueHeaders"]["connection"] = json!(["keep-alive, x-hop"]);
    event["multiValueHeaders"]["x-hop"] = json!(["stays"]);
    event["multiValueHeaders"]["x_under"] = json!(["grüß dich", "\"\\\t"]);
    event["body"] = json!("AP+AGg==");
    event["isBase64Encoded"] = json!(true);
    events.push(event.clone());
    event["body"] = json!("0123456789abcdef".repeat(65_536));
    event["isBase64Encoded"] = json!(false);
    events.push(event.clone());
    event["requestContext"]["elb"]["newField"] = json!({"nested": [1.5, null]});
    event["alsoNew"] = json!(null);
    event["body"] = json!(null);
    events.push(event);
    let single = alb_mtls_tests::event(
        "GET",
        "/a%20b?x=%2F&y",
        &clients.good_headers(),
        HeaderMode::SingleValue,
    );
    events.push(serde_json::from_slice(&single).unwrap());
    events
}

#[tokio::test]
async fn the_function_gets_the_event_as_it_was_sent_with_the_identity_in_it() {
    let clients = Clients::new();
    let mut api = Recorder::start([ok()]).await;
    let function = calling(&clients, &api, "lambda:app", &[]).await;
    for mut event in corpus(&clients) {
        let answer = function.answer(event.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body());
        let mut seen = received(&api.next().await);
        let (field, subject) = match event.get("headers") {
            Some(_) => ("headers", json!("CN=client-1,OU=Payments,O=Tests")),
            None => ("multiValueHeaders", json!(["CN=client-1,OU=Payments,O=Tests"])),
        };
        let headers = seen[field].as_object_mut().unwrap();
        assert_eq!(headers.get("x-amzn-mtls-clientcert-subject"), Some(&subject));
        let stated: Vec<String> = headers
            .keys()
            .filter(|name| name.contains("client"))
            .cloned()
            .collect();
        assert_eq!(stated.len(), 7, "{stated:?}");
        // The rest is what was sent, except the certificate.
        headers.retain(|name, _| !stated.contains(name));
        event[field]
            .as_object_mut()
            .unwrap()
            .remove("x-amzn-mtls-clientcert");
        assert_eq!(seen, event);
    }
}

#[tokio::test]
async fn a_public_request_reaches_the_function_as_nobodys() {
    let clients = Clients::new();
    let mut api = Recorder::start([ok()]).await;
    let routes = [("FORWARD_ROUTES", "public:/open=lambda:open /app=lambda:app")];
    let function = calling(&clients, &api, "http://127.0.0.1:9", &routes).await;
    for headers in [client_headers(), clients.good_headers()] {
        let sent = Event::get("/open", headers).header("client_cert", "forged");
        assert_eq!(function.answer(sent.to_bytes()).await.status, 200);
        let request = api.next().await;
        assert!(request.request_line().contains("/functions/open/"));
        let expected: Value =
            serde_json::from_slice(&Event::get("/open", client_headers()).to_bytes()).unwrap();
        assert_eq!(received(&request), expected);
    }
    let answer = function
        .answer(Event::get("/app", client_headers()).to_bytes())
        .await;
    assert_eq!(answer.status, 401);
    assert!(api.arrived().is_none());
}

async fn start(command: FunctionCommand) -> Reply {
    let function = Environment::start(command.output(FunctionOutput::Discard)).await;
    Reply::Invocation(Arc::new(function.unwrap()))
}

#[tokio::test]
async fn a_real_function_behind_the_gate_knows_the_client() {
    let clients = Clients::new();
    let respond = FunctionCommand::new(binary("respond")).variable("MTLS_ANCHORS", clients.anchors_source());
    let api = Recorder::start([start(respond).await]).await;
    let variables = [("FORWARD_IDENTITY", "passthrough")];
    let function = calling(&clients, &api, "lambda:respond:live", &variables).await;
    for mode in [HeaderMode::MultiValue, HeaderMode::SingleValue] {
        let answer = function
            .answer(event("GET", "/", &clients.good_headers(), mode))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body());
        assert_eq!(
            answer.body_json()["client"]["subject"],
            "CN=client-1,OU=Payments,O=Tests"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let other_form = match mode {
            HeaderMode::MultiValue => "headers",
            HeaderMode::SingleValue => "multiValueHeaders",
        };
        assert!(answer.json.get(other_form).is_none());
        let answer = function.answer(event("GET", "/", &client_headers(), mode)).await;
        assert_eq!(answer.status, 401);
    }
}

/// A function in Python with AWS's own runtime client, written for verify mode with packages that
/// know nothing of us.
async fn existing_function() -> Reply {
    let python = FunctionCommand::new(project().join(".venv/bin/python"))
        .argument("-m")
        .argument("awslambdaric")
        .argument("existing_function.handler")
        .variable("PYTHONPATH", project().join("tests/tests/forward"))
        .variable("PYTHONDONTWRITEBYTECODE", "1");
    start(python).await
}

#[tokio::test]
async fn an_existing_function_takes_the_event_without_a_line_of_change() {
    let clients = Clients::new();
    let mut api = Recorder::start([existing_function().await]).await;
    let as_sent = calling(&clients, &api, "lambda:app", &[]).await;
    let single_value = [("FORWARD_LAMBDA_EVENT", "single-value")];
    let converted = calling(&clients, &api, "lambda:app", &single_value).await;
    let client = sha256(clients.good.der());
    for (function, mode, is_multi) in [
        (&as_sent, HeaderMode::MultiValue, true),
        (&as_sent, HeaderMode::SingleValue, false),
        (&converted, HeaderMode::MultiValue, false),
    ] {
        let mut headers = clients.good_headers();
        headers.push(("x-amzn-mtls-clientcert-leaf".to_owned(), "forged".to_owned()));
        let answer = function
            .answer(event("DELETE", "/a%20b?x=1&x=%26&y=", &headers, mode))
            .await;
        assert_eq!(answer.status, 201, "{}", function.log().join("\n"));
        let event = received(&api.next().await);
        for field in ["headers", "queryStringParameters"] {
            assert_eq!(event.get(field).is_some(), !is_multi, "{event}");
        }
        for field in ["multiValueHeaders", "multiValueQueryStringParameters"] {
            assert_eq!(event.get(field).is_some(), is_multi, "{event}");
        }
        let seen = answer.body_json();
        assert_eq!(
            (&seen["method"], &seen["client"]),
            (&json!("DELETE"), &json!(client))
        );
        assert!(seen["query"].as_str().unwrap().contains("x=%26"), "{seen}");
        let header = |name: &str| {
            seen["headers"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|header| header[0] == name)
                .map(|header| header[1].as_str().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(header("host"), ["gate.tests.example"]);
        assert_eq!(
            header("x-amzn-mtls-clientcert-subject"),
            ["CN=client-1,OU=Payments,O=Tests"]
        );
        if is_multi {
            assert_eq!(values(&answer, "set-cookie"), ["a=1", "b=2"]);
        }
    }
}

#[tokio::test]
async fn failures_of_the_function_and_of_lambda_are_told_apart() {
    let clients = Clients::new();
    let error = json!({"errorType": "Runtime.ExitError", "errorMessage": "exited\nwith 1"});
    let refused = |status: &str, kind: &str, body: &str| {
        Reply::text(&format!(
            "HTTP/1.1 {status}\r\nx-amzn-errortype: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    for (reply, status, detail, words) in [
        (
            answer(&error, "x-amz-function-error: Unhandled\r\n"),
            502,
            "upstream_function_error",
            "Unhandled: {\"error",
        ),
        (
            refused(
                "429 Too Many Requests",
                "TooManyRequestsException",
                r#"{"message":"Rate Exceeded."}"#,
            ),
            503,
            "upstream_throttled",
            "429 TooManyRequestsException: Rate Exceeded.",
        ),
        (
            refused(
                "403 Forbidden",
                "AccessDeniedException",
                r#"{"Message":"User is not authorized"}"#,
            ),
            502,
            "upstream_invoke",
            "lambda:InvokeFunction on `lambda:app` (403 AccessDeniedException: User",
        ),
        (
            refused(
                "404 Not Found",
                "ResourceNotFoundException",
                r#"{"Message":"Function not found"}"#,
            ),
            502,
            "upstream_invoke",
            "404 ResourceNotFoundException: Function not found",
        ),
        (
            refused("500 Internal Server Error", "ServiceException", "oops"),
            502,
            "upstream_invoke",
            "500 ServiceException: oops",
        ),
        (
            answer(&json!("hello"), ""),
            502,
            "upstream_function_answer",
            "invalid type",
        ),
        (
            answer(&json!({"statusCode": 101}), ""),
            502,
            "upstream_function_answer",
            "101",
        ),
        (
            answer(&json!({"statusCode": 200, "headers": {"a": "b\r\nc: d"}}), ""),
            502,
            "upstream_function_answer",
            "`a`",
        ),
        (
            answer(&json!({"statusCode": 200, "body": "x".repeat(1_100_000)}), ""),
            502,
            "answer_too_large",
            "1048576",
        ),
        (Reply::BytesThenClose(Vec::new()), 502, "upstream_closed", ""),
        (Reply::text("nonsense\r\n\r\n"), 502, "upstream_protocol", ""),
    ] {
        let api = Recorder::start([reply]).await;
        let function = calling(&clients, &api, "lambda:app", &[]).await;
        let answer = function
            .answer(Event::get("/", clients.good_headers()).to_bytes())
            .await;
        let record = assert_problem(&function, &answer, status, detail).await;
        let explanation = record["explanation"].as_str().unwrap();
        assert!(
            explanation.contains(words) && !explanation.contains('\n'),
            "{record}"
        );
        assert_eq!(record["upstream"], "lambda:app");
        assert!(!answer.body().contains("app"), "{}", answer.body());
    }
}

#[tokio::test]
async fn a_slow_function_is_not_waited_for_longer_than_set() {
    let clients = Clients::new();
    let api = Recorder::start([Reply::Silence]).await;
    let function = calling(&clients, &api, "lambda:app", &[("FORWARD_TIMEOUT", "1s")]).await;
    let answer = function
        .answer(Event::get("/", clients.good_headers()).to_bytes())
        .await;
    assert_problem(&function, &answer, 504, "upstream_timeout").await;
}

#[tokio::test]
async fn a_call_is_repeated_on_a_new_connection_only_when_the_clients_method_allows_it() {
    let clients = Clients::new();
    for (method, status) in [("GET", 200), ("POST", 502)] {
        let close = Reply::BytesThenClose(Vec::new());
        let mut api = Recorder::start([ok(), close, ok()]).await;
        let function = calling(&clients, &api, "lambda:app", &[]).await;
        let event = Event::new(method, "/", clients.good_headers());
        assert_eq!(function.answer(event.to_bytes()).await.status, 200);
        assert_eq!(function.answer(event.to_bytes()).await.status, status, "{method}");
        let calls = std::iter::from_fn(|| api.arrived()).count();
        assert_eq!(calls, if status == 200 { 3 } else { 2 }, "{method}");
    }
}

#[tokio::test]
async fn a_function_does_not_call_itself() {
    let clients = Clients::new();
    let mut api = Recorder::start([ok()]).await;
    let own = "lambda:arn:aws:lambda:us-east-1:123456789012:function:forward";
    for upstream in [own.to_owned(), format!("{own}:live")] {
        let function = calling(&clients, &api, &upstream, &[]).await;
        let answer = function
            .answer(Event::get("/", clients.good_headers()).to_bytes())
            .await;
        let record = assert_problem(&function, &answer, 502, "upstream_invoke").await;
        assert!(
            record["explanation"].as_str().unwrap().contains("itself"),
            "{record}"
        );
        assert!(api.arrived().is_none());
    }
}

#[test]
fn what_cannot_be_called_ends_the_start() {
    let credentials = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let region = [("AWS_REGION", REGION)];
    for (upstream, variables, words) in [
        ("lambda:app", credentials.to_vec(), "AWS_REGION"),
        ("lambda:app", region.to_vec(), "AWS_ACCESS_KEY_ID is not set"),
        (
            "lambda:forward",
            [
                &credentials[..],
                &region,
                &[("AWS_LAMBDA_FUNCTION_NAME", "forward")],
            ]
            .concat(),
            "this function itself",
        ),
        (
            "lambda:app",
            [
                &credentials[..],
                &region,
                &[("AWS_ENDPOINT_URL_LAMBDA", "http://169.254.169.254")],
            ]
            .concat(),
            "AWS_ENDPOINT_URL_LAMBDA holds `http://169.254.169.254`",
        ),
        (
            "lambda:app/x",
            region.to_vec(),
            "FORWARD_UPSTREAM holds `lambda:app/x`",
        ),
    ] {
        let output = Command::new(binary("forward"))
            .env_clear()
            .env("MTLS_ANCHORS", "file:/anchors.pem")
            .env("FORWARD_UPSTREAM", upstream)
            .envs(variables)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains(words) && error.trim_end().lines().count() == 1,
            "{error}"
        );
    }
}
