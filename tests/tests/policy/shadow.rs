//! Effect of a planned change of anchors or policies on live requests.

use std::time::Duration;

use alb_mtls_tests::Clients;
use serde_json::Value;

use crate::support::{ALL_CLIENTS, anchor_id, ask, respond, source};

const READ_ONLY: &str = "@id(\"read-only\")\nforbid (principal, action in Action::\"write\", resource);\n";

fn difference(record: &Value) -> (&Value, &Value) {
    (&record["shadow"], &record["shadow_detail"])
}

#[tokio::test]
async fn stricter_policies_are_seen_to_deny_and_deny_nobody() {
    let clients = Clients::new();
    let shadow = source(&clients, "shadow.cedar", format!("{ALL_CLIENTS}{READ_ONLY}"));
    let function = respond(&clients, &[("MTLS_SHADOW_POLICY", &shadow)]).await;
    let (status, record) = ask(&function, Some((&clients, &clients.good)), "POST /").await;
    assert_eq!(status, 200);
    assert_eq!(
        difference(&record),
        (&"would_deny".into(), &"policy_forbids".into()),
        "{record}"
    );
    assert_eq!(record["shadow_policies"], serde_json::json!(["read-only"]));
    assert_eq!(record["decision"], "allowed");
    let (_, record) = ask(&function, Some((&clients, &clients.good)), "GET /").await;
    assert_eq!(difference(&record), (&Value::Null, &Value::Null), "{record}");
}

#[tokio::test]
async fn looser_policies_are_seen_to_allow_and_allow_nobody() {
    let clients = Clients::new();
    let active = source(&clients, "active.cedar", format!("{ALL_CLIENTS}{READ_ONLY}"));
    let shadow = source(&clients, "shadow.cedar", ALL_CLIENTS);
    let function = respond(
        &clients,
        &[("MTLS_POLICY", &active), ("MTLS_SHADOW_POLICY", &shadow)],
    )
    .await;
    let (status, record) = ask(&function, Some((&clients, &clients.good)), "POST /").await;
    assert_eq!(
        (status, &record["shadow"]),
        (403, &"would_allow".into()),
        "{record}"
    );
    let headers = alb_mtls_tests::certificate_headers(clients.header(&clients.expired()));
    let (status, record) = crate::support::ask_with(&function, headers, "POST /").await;
    assert_eq!(
        (status, &record["shadow"]),
        (401, &Value::Null),
        "refused either way: {record}"
    );
}

#[tokio::test]
async fn other_anchors_are_seen_on_live_clients() {
    let (old, new) = (Clients::of("Old"), Clients::of("New"));
    let shadow = source(&old, "shadow.pem", new.root.pem());
    let function = respond(&old, &[("MTLS_SHADOW_ANCHORS", &shadow)]).await;
    let (status, record) = ask(&function, Some((&old, &old.good)), "GET /").await;
    assert_eq!(status, 200);
    assert_eq!(
        difference(&record),
        (&"would_deny".into(), &"issuer_unknown".into()),
        "{record}"
    );
    let (status, record) = ask(&function, Some((&new, &new.good)), "GET /").await;
    assert_eq!(
        (status, &record["shadow"]),
        (401, &"would_allow".into()),
        "{record}"
    );
    let (_, record) = ask(&function, Some((&old, &Clients::self_signed())), "GET /").await;
    assert_eq!(record["shadow"], Value::Null, "{record}");
}

#[tokio::test]
async fn the_policies_in_use_are_asked_about_clients_of_other_anchors() {
    let (old, new) = (Clients::of("Old"), Clients::of("New"));
    let both = source(
        &old,
        "shadow.pem",
        format!("{}{}", old.root.pem(), new.root.pem()),
    );
    let only_old = format!(
        "@id(\"old\") permit (principal in Anchor::\"{}\", action, resource);",
        anchor_id(&old)
    );
    let active = source(&old, "active.cedar", &only_old);
    let function = respond(&old, &[("MTLS_POLICY", &active), ("MTLS_SHADOW_ANCHORS", &both)]).await;
    let (status, record) = ask(&function, Some((&new, &new.good)), "GET /").await;
    assert_eq!(
        (status, &record["shadow"]),
        (401, &Value::Null),
        "policies would refuse it: {record}"
    );
    assert_eq!(ask(&function, Some((&old, &old.good)), "GET /").await.0, 200);
}

#[tokio::test]
async fn what_is_tried_out_never_refuses_an_anonymous_request() {
    let clients = Clients::new();
    let shadow = source(&clients, "shadow.cedar", ALL_CLIENTS);
    let variables = [("MTLS_MODE", "optional"), ("MTLS_SHADOW_POLICY", shadow.as_str())];
    let function = respond(&clients, &variables).await;
    let (status, record) = ask(&function, None, "GET /").await;
    assert_eq!(status, 200);
    assert_eq!(
        difference(&record),
        (&"would_deny".into(), &"policy_does_not_permit".into()),
        "{record}"
    );
}

#[tokio::test]
async fn a_broken_shadow_set_is_reported_and_changes_nothing() {
    let clients = Clients::new();
    let shadow = source(&clients, "shadow.cedar", "permit (");
    let function = respond(
        &clients,
        &[("MTLS_SHADOW_POLICY", &shadow), ("MTLS_REFRESH", "1s")],
    )
    .await;
    let warning = function
        .line_where(|line| line.get("kind").is_some_and(|kind| kind == "shadow_unusable"))
        .await;
    assert!(warning.to_string().contains("line 1, column "), "{warning}");
    let (status, record) = ask(&function, Some((&clients, &clients.good)), "POST /").await;
    assert_eq!((status, &record["shadow"]), (200, &Value::Null));
    clients.write("shadow.cedar", &format!("{ALL_CLIENTS}{READ_ONLY}"));
    let seen = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let (status, record) = ask(&function, Some((&clients, &clients.good)), "POST /").await;
            assert_eq!(status, 200);
            if record["shadow"] == "would_deny" {
                return;
            }
        }
    });
    seen.await.expect("a mended shadow set is used within a refresh");
}

#[tokio::test]
async fn report_mode_and_a_shadow_set_go_together() {
    let clients = Clients::new();
    let active = source(&clients, "active.cedar", format!("{ALL_CLIENTS}{READ_ONLY}"));
    let shadow = source(&clients, "shadow.cedar", ALL_CLIENTS);
    let variables = [
        ("MTLS_MODE", "report"),
        ("MTLS_POLICY", active.as_str()),
        ("MTLS_SHADOW_POLICY", shadow.as_str()),
    ];
    let function = respond(&clients, &variables).await;
    let (status, record) = ask(&function, Some((&clients, &clients.good)), "POST /").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&record["decision"], &record["shadow"]),
        (&"would_deny".into(), &"would_allow".into()),
        "{record}"
    );
}
