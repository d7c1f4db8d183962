//! Policies, and the set that is tried out beside them, about clients without a certificate.

#![cfg(feature = "policy")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;

use alb_mtls_gate::{Gate, Settings};
use alb_mtls_verifier::Timestamp;
use http::Request;
use serde_json::Value;
use support::{Records, status};
use test_pki::CertificateBuilder;

const ALL_CLIENTS: &str = "permit (principal is Client, action, resource);\n";
const ALL_REQUESTS: &str = "permit (principal, action, resource);\n";

/// Returns a folder with trust anchors.
fn with_anchors() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    std::fs::write(folder.path().join("anchors.pem"), root.pem()).unwrap();
    folder
}

/// Asks without a certificate, where one is optional, and returns status and record. Each setting
/// names a file with the policies beside it.
async fn ask(folder: &Path, policies: &[(&str, &str)], target: &str) -> (u16, Value) {
    let source = |name: &str| format!("file:{}", folder.join(name).display());
    let mut variables = vec![
        ("MTLS_MODE".to_owned(), "optional".to_owned()),
        ("MTLS_ANCHORS".to_owned(), source("anchors.pem")),
    ];
    for (setting, text) in policies {
        std::fs::write(folder.join(setting), text).unwrap();
        variables.push(((*setting).to_owned(), source(setting)));
    }
    let records = Records::default();
    let gate = Gate::new(Settings::from_variables(variables).unwrap()).with_audit_sink(records.clone());
    let (parts, ()) = Request::builder().uri(target).body(()).unwrap().into_parts();
    let admission = gate.admit_at(parts.into(), Timestamp::now()).await;
    let record = records.0.lock().unwrap().last().unwrap().clone();
    (status(&admission), record)
}

#[tokio::test]
async fn query_that_restates_the_method_is_denied_where_policies_decide() {
    let folder = with_anchors();
    for (policies, expected) in [(&[][..], 200), (&[("MTLS_POLICY", ALL_REQUESTS)], 400)] {
        let (status, record) = ask(folder.path(), policies, "/orders?a=b&_method=DELETE").await;
        assert_eq!(status, expected, "{record}");
    }
}

#[tokio::test]
async fn policies_that_cannot_be_had_deny_and_a_shadow_set_does_not() {
    // Nothing is loaded without anchors.
    let folder = tempfile::tempdir().unwrap();
    let (status, record) = ask(folder.path(), &[("MTLS_POLICY", ALL_CLIENTS)], "/").await;
    assert_eq!((status, &record["detail"]), (503, &"no_trust_material".into()));
    let (status, record) = ask(folder.path(), &[("MTLS_SHADOW_POLICY", ALL_CLIENTS)], "/").await;
    assert_eq!(
        (status, &record["decision"]),
        (200, &"anonymous".into()),
        "{record}"
    );
}

#[tokio::test]
async fn looser_shadow_policies_are_compared_with_a_denial() {
    let folder = with_anchors();
    let policies = [("MTLS_POLICY", ALL_CLIENTS), ("MTLS_SHADOW_POLICY", ALL_REQUESTS)];
    let (status, record) = ask(folder.path(), &policies, "/").await;
    assert_eq!(status, 403);
    assert_eq!(record["shadow"], "would_allow", "{record}");
}
