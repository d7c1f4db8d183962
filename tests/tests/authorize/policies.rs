//! Cedar policies in the authorizer: what they permit, they permit for one request.

use std::process::Command;

use alb_mtls_tests::{Clients, binary};

use crate::events::{Api, with_certificate};
use crate::support::{Authorizer, Outcome};

const ORDERS: &str =
    r#"@id("orders") permit (principal is Client, action in Action::"read", resource in Path::"/orders");"#;

fn policies(clients: &Clients, text: &str) -> String {
    format!("file:{}", clients.write("policies.cedar", text).display())
}

#[tokio::test]
async fn what_a_policy_permits_is_allowed_for_that_request_alone() {
    let clients = Clients::new();
    let source = policies(&clients, ORDERS);
    let authorizer = Authorizer::start(&clients, &[("MTLS_POLICY", &source)]).await;
    for api in Api::ALL {
        let event = with_certificate(api, &clients.good);
        let outcome = authorizer.ask(&event).await;
        assert!(matches!(outcome, Outcome::Allow(_)), "{api:?}: {outcome:?}");
        let resource = &outcome.answer().unwrap()["policyDocument"]["Statement"][0]["Resource"];
        assert_eq!(
            *resource,
            event[api.arn_field()],
            "nothing that a cache could give to another path"
        );
        assert_eq!(authorizer.record().await["policies"][0], "orders");
    }
}

#[tokio::test]
async fn what_no_policy_permits_is_denied_with_403() {
    let clients = Clients::new();
    let source = policies(&clients, &ORDERS.replace("/orders", "/invoices"));
    let authorizer = Authorizer::start(&clients, &[("MTLS_POLICY", &source)]).await;
    for api in Api::ALL {
        let outcome = authorizer.ask(&with_certificate(api, &clients.good)).await;
        assert!(matches!(outcome, Outcome::Deny(_)), "{api:?}: {outcome:?}");
        assert_eq!(authorizer.detail().await, "policy_does_not_permit");
    }
}

#[test]
fn an_answer_for_the_whole_stage_and_policies_exclude_each_other() {
    let output = Command::new(binary("authorize"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
        .env("MTLS_ANCHORS", "file:/nowhere")
        .env("MTLS_POLICY", "file:/nowhere")
        .env("AUTHORIZE_RESOURCE", "stage")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("AUTHORIZE_RESOURCE holds `stage`: it takes `request` with MTLS_POLICY"),
        "{error}"
    );
    assert_eq!(output.status.code(), Some(2));
}
