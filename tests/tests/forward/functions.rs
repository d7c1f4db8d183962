//! Another Lambda function as the upstream: it gets the event that it always got, and knows who the client is.

use std::process::Command;

use alb_mtls_tests::{Clients, TARGET_GROUP, binary, project};
use serde_json::{Value, json};

use crate::harness::{Event, assert_problem, forward, values};
use crate::upstream::{Recorded, Recorder, Reply};

fn answer(json: &Value, headers: &str) -> Reply {
    let json = json.to_string();
    Reply::text(&format!(
        "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{json}",
        json.len()
    ))
}

fn variables(api: &Recorder) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL_LAMBDA", api.url()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_SESSION_TOKEN", "token/+=".to_owned()),
    ]
}

async fn function(clients: &Clients, api: &Recorder, upstream: &str) -> alb_mtls_tests::Function {
    let variables = variables(api);
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    forward(clients, upstream, &variables).await
}

/// Whether botocore signs the request in the same way.
fn is_signed(request: &Recorded, api: &Recorder, clients: &Clients) -> bool {
    let (head, body) = (clients.directory().join("head"), clients.directory().join("body"));
    std::fs::write(&head, &request.head).unwrap();
    std::fs::write(&body, &request.body).unwrap();
    let output = Command::new(project().join(".venv/bin/python"))
        .arg(project().join("tests/tests/forward/signature.py"))
        .args([&head, &body])
        .args([&api.url(), "eu-west-1", "secret"])
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
async fn the_function_gets_the_event_with_the_identity_in_it() {
    let clients = Clients::new();
    let reply = json!({
        "statusCode": 201, "statusDescription": "201 Created", "isBase64Encoded": false, "body": "höi",
        "multiValueHeaders": {"content-type": ["text/plain"], "Set-Cookie": ["a=1", "b=2"]},
    });
    let mut api = Recorder::start([answer(&reply, "")]).await;
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:app";
    for (upstream, target) in [
        ("lambda:app", "/2015-03-31/functions/app/invocations"),
        (
            "lambda:app:live",
            "/2015-03-31/functions/app/invocations?Qualifier=live",
        ),
        (
            &*format!("lambda:{arn}:$LATEST"),
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aapp/invocations?Qualifier=%24LATEST",
        ),
    ] {
        let function = function(&clients, &api, upstream).await;
        let event = Event::new("POST", "/a%2F/../b", clients.good_headers())
            .query(json!({"x": ["1", "%26"], "y": [""]}))
            .header("accept", "a")
            .header("accept", "b")
            .header("X-Amzn-Mtls-Clientcert-Subject", "CN=forged")
            .base64("AP8=");
        let answer = function.answer(event.to_bytes()).await;
        assert_eq!(
            (answer.status, answer.body()),
            (201, "höi"),
            "{}",
            function.log().join("\n")
        );
        assert_eq!(values(&answer, "set-cookie"), ["a=1", "b=2"]);

        let request = api.next().await;
        assert_eq!(request.request_line(), format!("POST {target} HTTP/1.1"));
        assert_eq!(request.values("x-amz-security-token"), ["token/+="]);
        assert!(is_signed(&request, &api, &clients), "{}", request.head());
        let seen: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(
            seen["requestContext"],
            json!({"elb": {"targetGroupArn": TARGET_GROUP}})
        );
        assert_eq!(
            (&seen["httpMethod"], &seen["path"]),
            (&json!("POST"), &json!("/a%2F/../b"))
        );
        assert_eq!(
            seen["multiValueQueryStringParameters"],
            json!({"x": ["1", "%26"], "y": [""]})
        );
        assert_eq!(
            (&seen["body"], &seen["isBase64Encoded"]),
            (&json!("AP8="), &json!(true))
        );
        let headers = &seen["multiValueHeaders"];
        assert_eq!(headers["accept"], json!(["a", "b"]));
        assert_eq!(headers["host"], json!(["gate.tests.example"]));
        assert_eq!(
            headers["x-amzn-mtls-clientcert-subject"],
            json!(["CN=client-1,OU=Payments,O=Tests"])
        );
        assert!(headers.get("x-amzn-mtls-clientcert").is_none());
        assert!(headers["client-cert"].is_array());
    }
}

#[tokio::test]
async fn failures_of_the_function_and_of_lambda_are_told_apart() {
    let clients = Clients::new();
    let error = json!({"errorType": "Runtime.ExitError", "errorMessage": "exited\nwith 1"});
    let throttled = "HTTP/1.1 429 Too Many Requests\r\nx-amzn-errortype: TooManyRequestsException\r\ncontent-length: 2\r\n\r\n{}";
    for (reply, detail, words) in [
        (
            answer(&error, "x-amz-function-error: Unhandled\r\n"),
            "upstream_function_error",
            "Runtime.ExitError",
        ),
        (
            Reply::text(throttled),
            "upstream_invoke",
            "TooManyRequestsException",
        ),
        (answer(&json!("hello"), ""), "upstream_protocol", "answer"),
        (
            answer(&json!({"statusCode": 200, "body": "x".repeat(1_100_000)}), ""),
            "answer_too_large",
            "1048576",
        ),
    ] {
        let api = Recorder::start([reply]).await;
        let function = function(&clients, &api, "lambda:app").await;
        let answer = function
            .answer(Event::get("/", clients.good_headers()).to_bytes())
            .await;
        let record = assert_problem(&function, &answer, 502, detail).await;
        assert!(
            record["explanation"].as_str().unwrap().contains(words),
            "{record}"
        );
        assert_eq!(record["upstream"], "lambda:app");
    }
}

#[tokio::test]
async fn routes_may_lead_to_functions() {
    let clients = Clients::new();
    let mut api = Recorder::start([answer(&json!({"statusCode": 200, "headers": {"a": "1"}}), "")]).await;
    let mut server = Recorder::start([Reply::ok()]).await;
    let mut variables = variables(&api);
    variables.push((
        "FORWARD_ROUTES",
        "/app=lambda:app public:/open=lambda:open".to_owned(),
    ));
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let function = forward(&clients, &server.url(), &variables).await;
    for (path, headers) in [
        ("/app/x", clients.good_headers()),
        ("/open", alb_mtls_tests::client_headers()),
    ] {
        let answer = function.answer(Event::get(path, headers).to_bytes()).await;
        assert_eq!((answer.status, answer.header("a")), (200, Some("1")));
        api.next().await;
    }
    assert_eq!(
        function
            .answer(Event::get("/", clients.good_headers()).to_bytes())
            .await
            .status,
        200
    );
    server.next().await;
}

#[test]
fn a_function_in_no_known_region_ends_the_start() {
    let variables = [
        ("MTLS_ANCHORS", "file:/anchors.pem"),
        ("FORWARD_UPSTREAM", "lambda:app"),
    ];
    let output = Command::new(binary("forward"))
        .env_clear()
        .envs(variables)
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("AWS_REGION") && error.trim_end().lines().count() == 1,
        "{error}"
    );
}
