//! Hostile certificate headers from files, each through the built function: an ordinary 4xx, by the
//! same process.

use std::path::Path;

use alb_mtls_tests::{Function, client_headers, event_of, project};
use serde_json::{Value, json};

const HEADER: &str = "x-amzn-mtls-clientcert";

/// Returns the event of a client with these values of the certificate header.
fn event(values: &[&str]) -> Value {
    let mut headers: serde_json::Map<String, Value> = client_headers()
        .into_iter()
        .map(|(name, value)| (name, json!([value])))
        .collect();
    if !values.is_empty() {
        headers.insert(HEADER.to_owned(), json!(values));
    }
    event_of(headers)
}

async fn respond(folder: &Path, trusted: &[Value], variables: &[(&str, &str)]) -> Function {
    let anchors = folder.join("anchors.pem");
    let pem: Vec<&str> = trusted.iter().map(|anchor| anchor.as_str().unwrap()).collect();
    std::fs::write(&anchors, pem.concat()).unwrap();
    let anchors = format!("file:{}", anchors.display());
    let mut all = vec![("MTLS_ANCHORS", anchors.as_str())];
    all.extend_from_slice(variables);
    Function::start("respond", all).await
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().map(|value| value.as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_hostile_header_of_the_vectors_is_a_4xx_and_every_control_passes() {
    let folder = tempfile::tempdir().unwrap();
    let cases = lines(&project().join("vectors/headers.jsonl"));
    for (format, least) in [("url_encoded", 20), ("base64_encoded", 4), ("rfc9440", 4)] {
        let of_format = |case: &&Value| case["header_format"].as_str().unwrap_or("url_encoded") == format;
        let cases: Vec<&Value> = cases.iter().filter(of_format).collect();
        let trusted = cases[0]["trusted"].as_array().unwrap();
        let function = respond(
            folder.path(),
            trusted,
            &[
                ("MTLS_HEADER_FORMAT", format),
                ("MTLS_HEADER", HEADER),
                ("MTLS_MAX_HEADER", "65536"),
            ],
        )
        .await;
        let process = function.facts().pid;
        let mut refused = 0;
        // Controls first: without them the rest proves nothing.
        for expected in ["accept", "reject"] {
            for case in cases.iter().filter(|case| case["expected"] == expected) {
                assert_eq!(case["trusted"].as_array(), Some(trusted), "{}", case["id"]);
                let mut values = vec![case["header"].as_str().unwrap()];
                values.extend(strings(&case["more_headers"]));
                let mut event = event(&values);
                let chain = strings(&case["chain_headers"]);
                if !chain.is_empty() {
                    event["multiValueHeaders"]["client-cert-chain"] = json!(chain);
                }
                let answer = function.answer(event.to_string()).await;
                let id = &case["id"];
                match expected {
                    "accept" => assert_eq!(answer.status, 200, "{id}: {}", answer.body()),
                    _ => {
                        assert!((400..500).contains(&answer.status), "{id}: {}", answer.body());
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused >= least, "only {refused} hostile headers of {format}");
        assert_eq!(
            (function.facts().pid, function.facts().restarts),
            (process, 0),
            "{format}"
        );
    }
}

/// Acceptance vectors that do not belong to the project, where the folder is beside it. Read, never
/// copied.
#[tokio::test]
async fn every_malformed_header_of_the_acceptance_vectors_is_answered_as_they_say() {
    let vectors = project().join("../shared/acceptance");
    let (base, malformed) = (
        vectors.join("malformed-base.json"),
        vectors.join("malformed.dev.jsonl"),
    );
    if !base.exists() || !malformed.exists() {
        eprintln!("skipped: {} is not there", vectors.display());
        return;
    }
    let base: Value = serde_json::from_slice(&std::fs::read(base).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let function = respond(folder.path(), base["trusted"].as_array().unwrap(), &[]).await;
    let process = function.facts().pid;
    let controls = base["controls"].as_array().unwrap();
    assert!(!controls.is_empty());
    for control in controls {
        let answer = function
            .answer(event(&[control["header_value"].as_str().unwrap()]).to_string())
            .await;
        assert_eq!(answer.status, 200, "{}: {}", control["id"], answer.body());
    }
    for case in lines(&malformed) {
        let event = match (&case["header_value"], &case["header_values"], &case["event"]) {
            (Value::String(value), Value::Null, Value::Null) => event(&[value]),
            (Value::Null, values @ Value::Array(_), Value::Null) => event(&strings(values)),
            (Value::Null, Value::Null, Value::Object(fragment)) => {
                let mut event = event(&[]);
                event.as_object_mut().unwrap().remove("multiValueHeaders");
                event.as_object_mut().unwrap().extend(fragment.clone());
                event
            }
            _ => panic!("{}: neither a header nor an event", case["id"]),
        };
        let answer = function.answer(event.to_string()).await;
        let allowed = match case["expected_status_class"].as_str() {
            Some("4xx") => 400..500,
            Some("2xx-or-4xx") if answer.status < 300 => 200..300,
            Some("2xx-or-4xx") => 400..500,
            other => panic!("{}: {other:?}", case["id"]),
        };
        assert!(
            allowed.contains(&answer.status),
            "{}: {} {}",
            case["id"],
            answer.status,
            answer.body()
        );
    }
    assert_eq!((function.facts().pid, function.facts().restarts), (process, 0));
}
