//! APIs with the authorizer: API Gateway passes on the client's own certificate alone.

use alb_mtls_tests::Account;
use alb_mtls_tests::api_events::{Api, anonymous, with_pem};
use local_alb::InvocationOutcome;
use serde_json::Value;

use crate::certificates::{Pki, deployed};
use crate::examples::example;

/// Returns whether the answer of an authorizer lets the client in.
fn lets_in(outcome: &InvocationOutcome) -> bool {
    match outcome {
        InvocationOutcome::Response(answer) => {
            let answer: Value = serde_json::from_slice(answer).unwrap();
            answer["isAuthorized"] == true || answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
        }
        InvocationOutcome::FunctionError { message, .. } => {
            assert_eq!(message, "Unauthorized");
            false
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn client_of_an_issuing_ca_is_let_in_by_both_kinds_of_api() {
    for (name, api) in [("rest-api", Api::Rest), ("http-api", Api::Http2)] {
        let (account, pki) = (Account::start(), Pki::new());
        let stack = deployed(&account, pki.path(), &example(name));
        let (authorizer, _lines) = stack.start("AuthorizeFunction").await;
        pki.issue("leaf", false);
        let leaf = std::fs::read_to_string(pki.path().join("leaf.pem")).unwrap();
        let foreign = Pki::of("Foreign");
        foreign.issue("leaf", false);
        let foreign = std::fs::read_to_string(foreign.path().join("leaf.pem")).unwrap();
        for (event, is_wanted) in [
            (with_pem(api, &leaf), true),
            (with_pem(api, &foreign), false),
            (anonymous(api), false),
        ] {
            let outcome = authorizer.invoke(event.to_string()).await;
            assert_eq!(lets_in(&outcome), is_wanted, "{name}: {outcome:?}");
        }
        // An error is how a REST API learns of a client without a certificate.
        assert_eq!(stack.resource("FunctionErrorsAlarm").is_some(), api == Api::Http2);
        for authorizer in ["RestApiAuthorizer", "HttpApiAuthorizer"] {
            let seconds = &stack.properties(authorizer)["AuthorizerResultTtlInSeconds"];
            assert!(seconds.is_null() || seconds == 0, "{name}: {seconds}");
        }
    }
}
