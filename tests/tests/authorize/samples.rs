//! The sample events of `events/`, each through the built function.

use alb_mtls_tests::{binary, project};
use local_alb::{Environment, FunctionCommand, FunctionOutput, InvocationOutcome};
use serde_json::Value;

use crate::events::{Api, sample};

async fn start(certificate: &str) -> Environment {
    let source = |name: &str| format!("file:{}", project().join("events").join(name).display());
    let command = FunctionCommand::new(binary("authorize"))
        .output(FunctionOutput::Discard)
        .variable("MTLS_ANCHORS", source("anchors.pem"))
        .variable("MTLS_INTERMEDIATES", source("intermediates.pem"))
        .variable("AUTHORIZE_CERTIFICATE", certificate);
    Environment::start(command).await.unwrap()
}

async fn allows(environment: &Environment, event: &Value) -> bool {
    match environment.invoke(event.to_string().into_bytes()).await {
        InvocationOutcome::Response(answer) => {
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
        }
        InvocationOutcome::FunctionError { message, .. } if message == "Unauthorized" => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_sample_event_gets_the_answer_that_its_name_says() {
    let (client_cert, header) = (start("client-cert").await, start("header").await);
    for api in Api::ALL {
        for case in [
            "valid",
            "no-certificate",
            "expired",
            "unknown-ca",
            "header",
            "both-sources",
        ] {
            let event = sample(api, case);
            assert_eq!(
                allows(&client_cert, &event).await,
                case == "valid",
                "{api:?} {case}"
            );
            assert_eq!(allows(&header, &event).await, case == "header", "{api:?} {case}");
        }
    }
}
