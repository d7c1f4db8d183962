//! All but the identity passes byte for byte, in both directions.

use alb_mtls_tests::{Clients, TARGET_GROUP, client_headers};
use local_alb::InvocationOutcome;
use serde_json::{Value, json};

use crate::api::{Api, Arrived, Invocation};
use crate::functions::{Language, behind_layer, calls, here, layer, python, received};
use crate::process::Started;

const BEFORE: &str = r#"
{ "new\u0046ield" : [ 1.50, 1e3, null, {"x-amzn-mtls-clientcert-subject": "in no header"} ],"requestContext":{"elb":{"targetGroupArn":"TARGET"} },
  "httpMethod":"PUT","path":"/a%20b\/..;\u0026//","multiValueQueryStringParameters":{"b":["2","1"],"a":[""]}, "#;

/// Returns the good client's headers as they are written in an event, and the members of the object
/// that shall be left.
fn headers(clients: &Clients) -> (String, Vec<&'static str>) {
    let mut members = vec![
        r#""Accept" : ["\u0061",  "b"]"#,
        r#""X-Odd!":[ "x" ]"#,
        r#""x-forwarded-for":["192.0.2.7"]"#,
    ];
    let certificate = json!([clients.header(&clients.good)]).to_string();
    let object = format!(
        "{{{}, {},\"X-Amzn-Mtls-Clientcert\":{certificate},\"client_cert\":[\"forged\"],{}}}",
        members[0], members[1], members[2]
    );
    members.sort_unstable();
    (object, members)
}

#[tokio::test]
async fn an_event_of_a_megabyte_stays_as_it_was_written_around_the_identity() {
    let clients = Clients::new();
    let (headers, members) = headers(&clients);
    let before = BEFORE.replace("TARGET", TARGET_GROUP);
    let text = r"\ud83d\ude00 \u0000\/é ".repeat(40_000);
    let base64 = "AP8=";
    for (body, is_base64) in [
        (text.as_str(), false),
        (&*"QUJD".repeat(262_144), true),
        (base64, true),
    ] {
        let after = format!(r#", "body" :"{body}","isBase64Encoded":{is_base64} ,"z":{{}}}} "#);
        let event = format!("{before}\"multiValueHeaders\":{headers}{after}");
        for language in Language::all() {
            let function = language.start(&clients, &[]).await;
            let answer = function.answer(event.clone()).await;
            assert_eq!(answer.status, 200, "{}", answer.body());
            let seen = received(&answer);
            let rest = seen.strip_prefix(&before).expect("what is before the headers");
            let object = rest
                .strip_prefix("\"multiValueHeaders\":")
                .and_then(|rest| rest.strip_suffix(&after))
                .expect("what is after the headers");
            for member in &members {
                assert!(object.contains(member), "{object}");
            }
            let object: Value = serde_json::from_str(object).unwrap();
            assert_eq!(object.as_object().unwrap().len(), members.len() + 7, "{object}");
            assert_eq!(
                object["x-amzn-mtls-clientcert-subject"],
                json!(["CN=client-1,OU=Payments,O=Tests"])
            );
        }
    }
}

#[tokio::test]
async fn a_large_answer_arrives_as_the_function_wrote_it() {
    let clients = Clients::new();
    for language in Language::all() {
        let function = language.start(&clients, &[]).await;
        let event = alb_mtls_tests::event(
            "GET",
            "/large",
            &clients.good_headers(),
            local_alb::HeaderMode::MultiValue,
        );
        let InvocationOutcome::Response(bytes) = function.invoke(event).await else {
            panic!("no response");
        };
        assert!(bytes.len() > 1_000_000);
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(answer["body"], "xé\n".repeat(300_000));
    }
}

/// Checks events that a load balancer never sends: readers could disagree on which of two fields
/// counts.
#[tokio::test]
async fn events_that_readers_could_disagree_about_reach_nobody() {
    let clients = Clients::new();
    let function = Language::Python.start(&clients, &[]).await;
    let good = json!([clients.header(&clients.good)]);
    let context = json!({"elb": {"targetGroupArn": TARGET_GROUP}});
    let start = format!(r#"{{"requestContext":{context},"httpMethod":"GET","path":"/""#);
    let headers = format!(r#""multiValueHeaders":{{"x-amzn-mtls-clientcert":{good}}}"#);
    let forged = r#"{"x-amzn-mtls-clientcert-subject":["CN=admin"]}"#;
    for twice in [
        format!("{start},{headers},\"multiValueHeaders\":{forged}}}"),
        format!("{start},\"multiValueHeaders\":{forged},{headers}}}"),
        format!("{start},{headers},\"multiValueHeaders\":null}}"),
        format!("{start},{headers},\"multiValue\\u0048eaders\":{forged}}}"),
        format!("{start},{headers},\"MultiValueHeaders\":{forged}}}"),
        format!(r#"{start},{headers},"headers":{{"x-amzn-mtls-clientcert-subject":"CN=admin"}}}}"#),
        format!(r#"{start},{headers},"Headers":{{"x-amzn-mtls-clientcert-subject":"CN=admin"}}}}"#),
        format!(r#"{start},{headers},"path":"/admin"}}"#),
        format!(r#"{start},{headers},"PATH":"/admin"}}"#),
        format!(r#"{start},{headers},"requestContext":{{}}}}"#),
        format!(r#"{start},{headers},"requestContext":{context}}}"#),
    ] {
        let answer = function.answer(twice.clone()).await;
        assert_eq!(answer.status, 400, "{twice}");
        assert!(answer.json.get("calls").is_none());
    }
    let answer = function.answer(format!("{start},{headers}}}")).await;
    assert_eq!((answer.status, calls(&answer)), (200, 1));
}

/// Checks repeated names in one object: most readers take the last one, and the gate must have seen
/// each.
#[tokio::test]
async fn a_header_that_is_there_twice_is_judged_and_removed_twice() {
    let clients = Clients::new();
    let function = Language::Python.start(&clients, &[]).await;
    let good = clients.header(&clients.good);
    let event = |headers: &str| {
        format!(
            r#"{{"requestContext":{{"elb":{{"targetGroupArn":"{TARGET_GROUP}"}}}},"httpMethod":"GET","path":"/","headers":{{{headers}}}}}"#
        )
    };
    let repeated = format!(r#""x-amzn-mtls-clientcert":"{good}","X-Amzn-Mtls-Clientcert":"{good}""#);
    assert_eq!(function.answer(event(&repeated)).await.status, 401);
    let claims = format!(
        r#""client-cert":"a","x-amzn-mtls-clientcert":"{good}","client-cert":"b","\u0063lient-cert":"c","x-a":"1","x-a":"2""#
    );
    let seen = received(&function.answer(event(&claims)).await);
    assert_eq!(seen.matches("lient-cert\"").count(), 1, "{seen}");
    assert!(seen.contains(r#""x-a":"1","x-a":"2""#), "{seen}");
}

#[tokio::test]
async fn answers_arrive_when_lambda_ends_its_connections() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let _layer = Started::of(layer(), [python(), here("function.py")], &clients, &api, &[]);
    let event = alb_mtls_tests::valid_event(&clients).to_string();
    for number in 1..=20 {
        let id = format!("id-{number}");
        let mut invocation = Invocation::new(&id, event.as_str());
        invocation.headers += "Connection: close\r\n";
        api.hand_out(invocation);
        let (head, body) = api.request().await;
        let wanted = format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\n");
        assert!(head.starts_with(&wanted), "{head}");
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["calls"], number);
    }
}

#[tokio::test]
async fn the_headers_of_an_invocation_reach_the_runtime() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let _layer = Started::of(layer(), [python(), here("function.py")], &clients, &api, &[]);
    let mut invocation = Invocation::new("id-1", alb_mtls_tests::valid_event(&clients).to_string());
    let headers = [
        (
            "Lambda-Runtime-Trace-Id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1",
        ),
        ("Lambda-Runtime-Client-Context", r#"{"client":{"app_title":"x"}}"#),
        ("Lambda-Runtime-Cognito-Identity", r#"{"cognitoIdentityId":"y"}"#),
        (
            "Lambda-Runtime-Invoked-Function-Arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:app",
        ),
        ("Lambda-Runtime-Aws-Tenant-Id", "new one"),
    ];
    for (name, value) in headers {
        invocation.headers += &format!("{name}: {value}\r\n");
    }
    api.hand_out(invocation);
    let (head, body) = api.request().await;
    assert!(
        head.starts_with("POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\n"),
        "{head}"
    );
    let answer: Value = serde_json::from_slice(&body).unwrap();
    for (name, value) in headers {
        assert_eq!(answer["invocation"][name.to_ascii_lowercase()], value);
    }
}

/// The first part arrives while the function holds the second back, and what comes after the body
/// arrives too.
#[tokio::test]
async fn a_streamed_response_arrives_as_it_is_written() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let pipe = clients.directory().join("go-on");
    make_pipe(&pipe);
    let go_on = [("GO_ON", pipe.to_str().unwrap())];
    let _layer = Started::of(layer(), [python(), here("function.py")], &clients, &api, &go_on);
    let event = alb_mtls_tests::event(
        "GET",
        "/stream",
        &clients.good_headers(),
        local_alb::HeaderMode::MultiValue,
    );
    api.hand_out(Invocation::new("id-1", event));
    let mut head = String::new();
    let mut body = Vec::new();
    while !String::from_utf8_lossy(&body).contains("first") {
        match api.arrived().await {
            Arrived::Head(arrived) => head = arrived,
            Arrived::Body(bytes) => body.extend(bytes),
            Arrived::Next | Arrived::Extension => {}
            Arrived::End { .. } => panic!("it ended early"),
        }
    }
    let head = head.to_ascii_lowercase();
    for line in [
        "lambda-runtime-function-response-mode: streaming\r\n",
        "transfer-encoding: chunked\r\n",
        "trailer: lambda-runtime-function-error-type\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
    assert!(!String::from_utf8_lossy(&body).contains("second"));
    std::fs::write(&pipe, "").unwrap();
    let (_, body) = api.request().await;
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains("second"), "{body}");
    let trailers = body.to_ascii_lowercase();
    assert!(
        trailers.contains("lambda-runtime-function-error-type: late\r\n")
            && trailers.contains("lambda-runtime-function-error-body: bgf0zq==\r\n"),
        "{body}"
    );
}

fn make_pipe(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// An answer of more than a megabyte from `curl`, which asks for permission first, as a `bootstrap`
/// in shell may.
#[tokio::test]
async fn a_runtime_that_expects_to_be_told_to_go_on_is_told() {
    let clients = Clients::new();
    let script = clients.write(
        "bootstrap",
        r#"
while true; do
    head -c 1500000 /dev/zero | tr '\0' x > "$BODY"
    curl --silent --dump-header "$BODY.head" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next" > /dev/null
    id=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$BODY.head" | tr -d '[:space:]' | cut -d: -f2)
    curl --silent --output /dev/null --header 'Expect: 100-continue' --data-binary "@$BODY" \
        "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response"
done
"#,
    );
    let body = clients.directory().join("body");
    let variables = [("BODY", body.to_str().unwrap())];
    let command = behind_layer(["sh".as_ref(), script.as_os_str()], &clients, &variables);
    let function = alb_mtls_tests::Function::run(command).await;
    let refused = alb_mtls_tests::event("GET", "/", &client_headers(), local_alb::HeaderMode::MultiValue);
    assert_eq!(function.answer(refused).await.status, 401);
    for _ in 0..2 {
        let event = alb_mtls_tests::valid_event(&clients).to_string();
        let InvocationOutcome::Response(bytes) = function.invoke(event).await else {
            panic!("no response: {:?}", function.log());
        };
        assert!(bytes.len() == 1_500_000 && bytes.iter().all(|byte| *byte == b'x'));
    }
}
