//! Headers that would tell the API behind the authorizer another client than the certificate.

use alb_mtls_tests::{Clients, IDENTITY_HEADERS, RESTATING_HEADERS, spellings};
use serde_json::Value;

use crate::events::{Api, with_certificate, with_header};
use crate::support::{Authorizer, Outcome};

#[tokio::test]
async fn a_forged_identity_header_is_denied_with_a_record() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[]).await;
    for api in Api::ALL {
        let good = with_certificate(api, &clients.good);
        assert!(matches!(authorizer.ask(&good).await, Outcome::Allow(_)));
        authorizer.record().await;
        for name in IDENTITY_HEADERS
            .iter()
            .filter(|name| **name != "X-Renamed-Header")
        {
            for name in spellings(name) {
                let outcome = authorizer.ask(&with_header(good.clone(), &name, "forged")).await;
                assert!(!matches!(outcome, Outcome::Allow(_)), "{name}: {outcome:?}");
                let detail = authorizer.detail().await;
                assert!(
                    ["identity_header", "certificate_source"].contains(&&*detail),
                    "{name}: {detail}"
                );
            }
        }
    }
}

/// The header would reach the API behind, whatever the gate reports.
#[tokio::test]
async fn a_forged_identity_header_is_denied_in_report_too() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[("MTLS_MODE", "report")]).await;
    for api in Api::ALL {
        let foreign = with_certificate(api, &Clients::of("Foreign").good);
        assert!(matches!(authorizer.ask(&foreign).await, Outcome::Allow(_)));
        for name in ["X-Amzn-Mtls-Clientcert-Subject", "X-SSL-Client-Verify"] {
            for event in [&foreign, &with_certificate(api, &clients.good)] {
                let outcome = authorizer.ask(&with_header(event.clone(), name, "forged")).await;
                assert!(!matches!(outcome, Outcome::Allow(_)), "{name}: {outcome:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_passed_header_reaches_the_api_in_one_spelling() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[("MTLS_PASS_HEADERS", "x-amzn-oidc-*")]).await;
    for api in Api::ALL {
        let good = with_certificate(api, &clients.good);
        let ask = |name: &'static str| authorizer_ask(&authorizer, with_header(good.clone(), name, "signed"));
        assert!(matches!(ask("X-Amzn-Oidc-Data").await, Outcome::Allow(_)));
        assert!(matches!(ask("X-Amzn-Oidc_Data").await, Outcome::Deny(_)));
        assert!(matches!(ask("X-Client-DN").await, Outcome::Deny(_)));
    }
}

async fn authorizer_ask(authorizer: &Authorizer, event: Value) -> Outcome {
    authorizer.ask(&event).await
}

#[tokio::test]
async fn restated_requests_are_denied_where_policies_decide() {
    let clients = Clients::new();
    let policies = clients.write("all.cedar", "permit (principal, action, resource);");
    let policies = format!("file:{}", policies.display());
    for (variables, is_denied) in [
        (&[][..], false),
        (&[("MTLS_POLICY", &*policies)], true),
        (&[("MTLS_POLICY", &*policies), ("MTLS_RESTATED", "keep")], false),
    ] {
        let authorizer = Authorizer::start(&clients, variables).await;
        let good = with_certificate(Api::Rest, &clients.good);
        for name in RESTATING_HEADERS.iter().flat_map(|name| spellings(name)) {
            let outcome = authorizer.ask(&with_header(good.clone(), &name, "x")).await;
            assert_eq!(
                matches!(outcome, Outcome::Deny(_)),
                is_denied,
                "{name}: {outcome:?}"
            );
            if is_denied {
                assert_eq!(authorizer.detail().await, "restated", "{name}");
            }
        }
    }
}
