//! Policies in each mode.

use alb_mtls_tests::{Clients, certificate_headers, client_headers, header_of};

use crate::support::{ALL_CLIENTS, ask, ask_with, deciding, issue, respond, with_policies};

const PAYMENTS: &str = r#"
@id("payments")
permit (principal is Client, action, resource in Path::"/payments")
when { principal.organizational_units.contains("Payments") };
"#;

#[tokio::test]
async fn the_client_is_told_nothing_and_the_record_everything() {
    let clients = Clients::new();
    let function = with_policies(&clients, PAYMENTS, &[]).await;
    let answer = function.get("/admin", &clients.good_headers()).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.body(),
        "{\"title\":\"Forbidden\",\"status\":403,\"detail\":\"this request is not allowed\"}\n"
    );
    assert_eq!(answer.header("www-authenticate"), None);
    let record = function.record().await;
    assert_eq!(record["explanation"], "no policy permits it");
    assert_eq!(record["client"]["subject"], "CN=client-1,OU=Payments,O=Tests");
    assert_eq!(record["level"], "WARN");
}

#[tokio::test]
async fn report_mode_lets_everybody_pass_and_identifies_whom_it_verified() {
    let clients = Clients::new();
    let function = with_policies(&clients, PAYMENTS, &[("MTLS_MODE", "report")]).await;
    let answer = function.get("/admin", &clients.good_headers()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body_json()["client"]["subject"],
        "CN=client-1,OU=Payments,O=Tests"
    );
    let record = function.record().await;
    assert_eq!(
        (&record["decision"], &record["detail"], &record["status"]),
        (
            &"would_deny".into(),
            &"policy_does_not_permit".into(),
            &403.into()
        )
    );
    assert_eq!(record["client"]["subject"], "CN=client-1,OU=Payments,O=Tests");

    let headers = certificate_headers(clients.header(&clients.expired()));
    let answer = function.get("/payments", &headers).await;
    assert_eq!(
        (answer.status, &answer.body_json()["verified"]),
        (200, &false.into())
    );
    assert_eq!(function.record().await["decision"], "would_deny");

    let (status, record) = ask(&function, Some((&clients, &clients.good)), "GET /payments").await;
    assert_eq!((status, deciding(&record).as_str()), (200, "payments"));
    assert_eq!(record["decision"], "allowed");
}

#[tokio::test]
async fn in_optional_mode_policies_can_tell_nobody_from_somebody() {
    let clients = Clients::new();
    let function = with_policies(&clients, ALL_CLIENTS, &[("MTLS_MODE", "optional")]).await;
    let (status, record) = ask(&function, None, "GET /").await;
    assert_eq!(
        (status, &record["detail"]),
        (403, &"policy_does_not_permit".into())
    );
    assert_eq!(
        ask(&function, Some((&clients, &clients.good)), "GET /").await.0,
        200
    );
}

#[tokio::test]
async fn without_material_for_policies_nobody_is_anonymous() {
    let clients = Clients::new();
    let policies = format!("file:{}/nothing.cedar", clients.directory().display());
    let function = respond(&clients, &[("MTLS_MODE", "optional"), ("MTLS_POLICY", &policies)]).await;
    let (status, record) = ask(&function, None, "GET /").await;
    assert_eq!(
        (status, &record["detail"]),
        (503, &"no_trust_material".into()),
        "{record}"
    );
}

#[tokio::test]
async fn the_certificate_is_judged_before_any_policy() {
    let clients = Clients::new();
    let permit_all = "@id(\"all\") permit (principal, action, resource);";
    let function = with_policies(&clients, permit_all, &[]).await;
    for (headers, detail) in [
        (certificate_headers(clients.header(&clients.expired())), "expired"),
        (
            certificate_headers(header_of([&Clients::self_signed()])),
            "self_signed",
        ),
        (client_headers(), "certificate_missing"),
    ] {
        let (status, record) = ask_with(&function, headers, "GET /").await;
        assert_eq!((status, &record["detail"]), (401, &detail.into()), "{record}");
        assert!(record.get("policies").is_none(), "{record}");
    }
}

#[tokio::test]
async fn what_policies_are_told_is_what_was_sent() {
    let clients = Clients::new();
    let text = r#"
        @id("host") permit (principal, action == Action::"PUT", resource in Host::"gate.tests.example");
        @id("group") permit (principal, action == Action::"PATCH", resource)
        when { context has target_group && context.target_group like "*:targetgroup/gate/*" };
        @id("address") permit (principal, action == Action::"DELETE", resource)
        when { context has source_address && context.source_address == ip("192.0.2.7") };
    "#;
    let function = with_policies(&clients, text, &[]).await;
    let client = issue(&clients, "CN=x");
    for (method, policy) in [("PUT", "host"), ("PATCH", "group"), ("DELETE", "address")] {
        let (status, record) = ask(&function, Some((&clients, &client)), &format!("{method} /")).await;
        assert_eq!((status, deciding(&record).as_str()), (200, policy), "{record}");
    }
    let mut two_hosts = clients.good_headers();
    two_hosts.push(("host".to_owned(), "gate.tests.example".to_owned()));
    let (status, record) = ask_with(&function, two_hosts, "PUT /").await;
    assert_eq!(
        (status, &record["detail"]),
        (400, &"host_unclear".into()),
        "{record}"
    );
}
