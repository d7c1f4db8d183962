//! The answers, read by the emulator of API Gateway in AWS's own SAM CLI (`sam local start-api`).

use std::io::Write;
use std::process::{Command, Stdio};

use alb_mtls_tests::{Clients, project};
use serde_json::{Value, json};

use crate::events::{Api, anonymous, with_certificate};
use crate::support::Authorizer;

/// Returns the emulator's outcome of each case: `authorized`, and the context that an integration
/// gets.
fn emulate(cases: &[Value]) -> Vec<Value> {
    let python = project().join(".venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: `make test` sets it up",
        python.display()
    );
    let mut process = Command::new(python)
        .arg(project().join("tests/tests/authorize/emulator.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!(cases).to_string();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "the emulator failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_emulator_of_sam_takes_every_answer_for_what_it_is() {
    let clients = Clients::new();
    let iam = Authorizer::start(&clients, &[]).await;
    let simple = Authorizer::start(&clients, &[("AUTHORIZE_RESPONSE", "simple")]).await;
    let mut cases = Vec::new();
    for (authorizer, api, is_simple) in [
        (&iam, Api::Rest, false),
        (&iam, Api::Http1, false),
        (&iam, Api::Http2, false),
        (&simple, Api::Http2, true),
    ] {
        for event in [
            with_certificate(api, &clients.good),
            with_certificate(api, &clients.expired()),
            anonymous(api),
            json!({"version": if api == Api::Http2 { "2.0" } else { "1.0" }}),
        ] {
            let outcome = authorizer.ask(&event).await;
            // Without an answer there is nothing to read: REST APIs know that error.
            let Some(answer) = outcome.answer() else {
                assert_eq!(api, Api::Rest);
                continue;
            };
            let arn = with_certificate(api, &clients.good)[api.arn_field()].clone();
            let path = arn.as_str().unwrap().replace("/orders", "/another/path");
            for arn in [arn, json!(path)] {
                cases.push(json!({
                    "answer": answer,
                    "arn": arn,
                    "payload": if api == Api::Http2 { "2.0" } else { "1.0" },
                    "simple": is_simple,
                    "expected": event == with_certificate(api, &clients.good),
                }));
            }
        }
    }
    let read = emulate(&cases);
    assert_eq!(read.len(), cases.len());
    assert!(cases.len() > 20, "only {} cases", cases.len());
    for (case, read) in cases.iter().zip(&read) {
        assert_eq!(read["authorized"], case["expected"], "{case}: {read}");
        assert_eq!(
            read["context"]["verified"], case["answer"]["context"]["verified"],
            "{case}"
        );
        if case["simple"] == false {
            assert_eq!(read["context"]["principalId"], case["answer"]["principalId"]);
        }
    }
}

/// The test above shows something only if the emulator can refuse.
#[test]
fn the_emulator_refuses_answers_of_other_forms() {
    let case = |answer: Value| json!({"answer": answer, "arn": "arn", "payload": "1.0", "simple": false});
    let statement = json!({"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "arn"});
    let read = emulate(&[
        case(
            json!({"principalId": "a", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}),
        ),
        case(json!({"policyDocument": {"Version": "2012-10-17", "Statement": [statement]}})),
        case(json!({"principalId": "a", "policyDocument": {"Version": "2012-10-17", "Statement": []}})),
        case(json!({"isAuthorized": true})),
    ]);
    assert_eq!(read[0]["authorized"], true);
    assert!(read[1..].iter().all(|read| read["error"].is_string()), "{read:?}");
}
