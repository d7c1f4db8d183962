//! Policies and what is tried out beside them, where the trust material cannot be had.

#![cfg(feature = "policy")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;

use alb_mtls_gate::{Gate, Settings};
use alb_mtls_verifier::Timestamp;
use http::Request;
use support::{Records, status};

const ALL_CLIENTS: &str = "permit (principal is Client, action, resource);\n";

/// Asks without a certificate, where one is optional and trust anchors cannot be read.
async fn ask_without_anchors(folder: &Path, policies: &str) -> (u16, Records) {
    let source = |name: &str| format!("file:{}", folder.join(name).display());
    std::fs::write(folder.join("policy.cedar"), ALL_CLIENTS).unwrap();
    let variables = [
        ("MTLS_MODE", "optional".to_owned()),
        ("MTLS_ANCHORS", source("missing.pem")),
        (policies, source("policy.cedar")),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let records = Records::default();
    let gate = Gate::new(Settings::from_variables(variables).unwrap()).with_audit_sink(records.clone());
    let (parts, ()) = Request::new(()).into_parts();
    let admission = gate.admit_at(parts.into(), Timestamp::now()).await;
    (status(&admission), records)
}

/// A parameter of the query that restates the method cannot be removed, and counts where something
/// is decided by the method.
#[tokio::test]
async fn query_that_restates_the_method_is_denied_where_policies_decide() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.cedar");
    std::fs::write(&policy, "permit (principal, action, resource);").unwrap();
    let root = test_pki::CertificateBuilder::root("CN=Root")
        .self_signed()
        .unwrap();
    std::fs::write(folder.path().join("anchors.pem"), root.pem()).unwrap();
    let source = |name: &str| format!("file:{}", folder.path().join(name).display());
    for (variables, expected) in [
        (vec![], 200),
        (vec![("MTLS_POLICY", source("policy.cedar"))], 400),
    ] {
        let own = [
            ("MTLS_MODE", "optional".to_owned()),
            ("MTLS_ANCHORS", source("anchors.pem")),
        ];
        let variables = own.into_iter().chain(variables);
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let gate = Gate::new(Settings::from_variables(variables).unwrap());
        let request = Request::builder().uri("/orders?a=b&_method=DELETE");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let admission = gate.admit_at(parts.into(), Timestamp::now()).await;
        assert_eq!(status(&admission), expected);
    }
}

#[tokio::test]
async fn policies_that_cannot_be_had_deny_and_a_shadow_set_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (status, records) = ask_without_anchors(folder.path(), "MTLS_POLICY").await;
    let record = records.0.lock().unwrap().last().unwrap().clone();
    assert_eq!((status, &record["detail"]), (503, &"no_trust_material".into()));
    let (status, records) = ask_without_anchors(folder.path(), "MTLS_SHADOW_POLICY").await;
    let record = records.0.lock().unwrap().last().unwrap().clone();
    assert_eq!(
        (status, &record["decision"]),
        (200, &"anonymous".into()),
        "{record}"
    );
}

#[tokio::test]
async fn looser_shadow_policies_are_compared_with_a_denial() {
    let folder = tempfile::tempdir().unwrap();
    let root = test_pki::CertificateBuilder::root("CN=Root")
        .self_signed()
        .unwrap();
    let source = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        format!("file:{}", path.display())
    };
    let variables = [
        ("MTLS_MODE", "optional".to_owned()),
        ("MTLS_ANCHORS", source("anchors.pem", &root.pem())),
        ("MTLS_POLICY", source("policy.cedar", ALL_CLIENTS)),
        (
            "MTLS_SHADOW_POLICY",
            source("shadow.cedar", "permit (principal, action, resource);"),
        ),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let records = Records::default();
    let gate = Gate::new(Settings::from_variables(variables).unwrap()).with_audit_sink(records.clone());
    let (parts, ()) = Request::new(()).into_parts();
    assert_eq!(status(&gate.admit_at(parts.into(), Timestamp::now()).await), 403);
    let record = records.0.lock().unwrap().last().unwrap().clone();
    assert_eq!(record["shadow"], "would_allow", "{record}");
}
