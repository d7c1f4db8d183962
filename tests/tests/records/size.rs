//! A record has a size that no client can choose.

use alb_mtls_tests::{Clients, Function, TARGET_GROUP, certificate_headers, event, header_of, respond};
use local_alb::HeaderMode;
use serde_json::{Value, json};
use test_pki::CertificateBuilder;

/// Largest record of a request without a verified client, in bytes, as docs/limits.md says: five
/// texts of 1,024, what is always there, and metrics.
const LARGEST: usize = 8 * 1_024;

/// Returns the lines with a record that the function wrote since.
fn records(function: &Function) -> Vec<String> {
    let is_record = |line: &String| line.contains("\"message\":\"decision\"");
    function.log().into_iter().filter(is_record).collect()
}

async fn record(function: &Function, event: impl Into<bytes::Bytes>) -> String {
    let answer = function.answer(event).await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    loop {
        if let Some(record) = records(function).pop() {
            return record;
        }
        tokio::task::yield_now().await;
    }
}

/// Texts of 15,000 bytes, each of which takes more in JSON.
fn long_texts() -> [String; 4] {
    ["a", "\"", "\\", "\u{202e}"].map(|text| text.repeat(15_000 / text.len()))
}

#[tokio::test]
async fn an_unauthenticated_request_cannot_choose_the_size_of_its_record() {
    let clients = Clients::new();
    let pattern = TARGET_GROUP.replace("gate/", "other/");
    let metrics = ("MTLS_METRICS", "AlbMtls");
    for variables in [
        &[metrics][..],
        &[metrics, ("MTLS_TARGET_GROUPS", pattern.as_str())],
    ] {
        let function = respond(&clients, variables).await;
        for text in long_texts() {
            let named = |name: &str| {
                json!({"requestContext": {"elb": {"targetGroupArn": TARGET_GROUP}}, "httpMethod": "GET", "path": "/",
                    "multiValueQueryStringParameters": {}, "body": "", "isBase64Encoded": false,
                    "multiValueHeaders": {"host": ["gate.example"], name: [text.clone()]}})
            };
            let mut method = named("x-other");
            method["httpMethod"] = text.clone().into();
            let mut path = named("x-other");
            path["path"] = format!("/{text}").into();
            let mut group = named("x-other");
            group["requestContext"]["elb"]["targetGroupArn"] = text.clone().into();
            let mut everything = named("x-amzn-trace-id");
            for (pointer, value) in [
                ("/httpMethod", text.clone()),
                ("/path", format!("/{text}")),
                ("/requestContext/elb/targetGroupArn", text.clone()),
            ] {
                *everything.pointer_mut(pointer).unwrap() = value.into();
            }
            everything["multiValueHeaders"]["user-agent"] = json!([text]);
            everything["multiValueHeaders"]["host"] = json!([text]);
            for event in [
                named("x-amzn-trace-id"),
                named("host"),
                named("user-agent"),
                named("x-forwarded-for"),
                named("x-amzn-mtls-clientcert"),
                named(&text),
                named(&format!("x-amzn-mtls-clientcert{}", "_".repeat(15_000))),
                method,
                path,
                group,
                everything,
            ] {
                let record = record(&function, event.to_string()).await;
                assert!(record.len() < LARGEST, "{}: {record:.2000}", record.len());
            }
        }
    }
}

#[tokio::test]
async fn a_text_that_was_cut_says_so() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    let path = format!("/{}", "x".repeat(2_000));
    let event = event("GET", &path, &[], HeaderMode::MultiValue);
    let record: Value = serde_json::from_str(&record(&function, event).await).unwrap();
    let shown = record["path"].as_str().unwrap();
    assert_eq!(shown, format!("{}\u{2026}", path.get(..1_024).unwrap()));
}

#[tokio::test]
async fn names_of_issuers_that_nobody_vouches_for_are_cut() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    let name = "\u{e9}".repeat(3_000);
    let stranger = CertificateBuilder::root(&format!("CN={name}"))
        .self_signed()
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .issued_by(&stranger)
        .unwrap();
    let event = event(
        "GET",
        "/",
        &certificate_headers(header_of([&client])),
        HeaderMode::MultiValue,
    );
    let line = record(&function, event).await;
    assert!(line.len() < LARGEST, "{}", line.len());
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["detail"], "issuer_unknown");
}

#[tokio::test]
async fn of_three_thousand_names_a_record_shows_the_first() {
    let clients = Clients::new();
    let names: Vec<String> = (0..500).map(|number| format!("{number}.example")).collect();
    let mut builder = CertificateBuilder::client("CN=many");
    for name in &names {
        builder = builder.dns(name);
    }
    let client = clients.issue(builder);
    let function = respond(&clients, &[("MTLS_MAX_HEADER", "65536")]).await;
    let answer = function
        .get("/", &certificate_headers(clients.header(&client)))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body());
    let record = function.record().await;
    let shown = record["client"]["alternative_names"].as_array().unwrap();
    assert_eq!(shown.len(), 32);
    let left_out = record["client"]["alternative_names_left_out"].as_u64().unwrap();
    assert!(left_out >= 468, "{record}");
    assert!(record.to_string().len() < 8 * 1_024);
}
