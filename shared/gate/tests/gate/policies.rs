//! Policies, and the set that is tried out beside them, about clients without a certificate.

use alb_mtls_verifier::Timestamp;
use http::Request;
use serde_json::Value;
use test_pki::CertificateBuilder;

use crate::support::{ANCHORS, Site, of_client, status};

const ALL_CLIENTS: &str = "permit (principal is Client, action, resource);\n";
const ALL_REQUESTS: &str = "permit (principal, action, resource);\n";

/// Asks without a certificate, where one is optional, and returns status and record. Each setting
/// names a file with the policies.
async fn ask(site: &Site, policies: &[(&str, &str)], target: &str) -> (u16, Value) {
    let sources: Vec<String> = policies
        .iter()
        .map(|(setting, text)| site.write(setting, text))
        .collect();
    let names = policies.iter().map(|(setting, _)| *setting);
    let mut variables: Vec<(&str, &str)> = names.zip(sources.iter().map(String::as_str)).collect();
    variables.push(("MTLS_MODE", "optional"));
    let (parts, ()) = Request::builder().uri(target).body(()).unwrap().into_parts();
    let admission = site
        .gate(&variables)
        .admit_at(parts.into(), Timestamp::now())
        .await;
    (status(&admission), site.records.last())
}

#[tokio::test]
async fn query_that_restates_the_method_is_denied_where_policies_decide() {
    let site = Site::new();
    for (policies, expected) in [(&[][..], 200), (&[("MTLS_POLICY", ALL_REQUESTS)], 400)] {
        let (status, record) = ask(&site, policies, "/orders?a=b&_method=DELETE").await;
        assert_eq!(status, expected, "{record}");
    }
}

#[tokio::test]
async fn policies_that_cannot_be_had_deny_and_a_shadow_set_does_not() {
    // Nothing is loaded without anchors.
    let site = Site::new();
    std::fs::remove_file(site.path(ANCHORS)).unwrap();
    let (status, record) = ask(&site, &[("MTLS_POLICY", ALL_CLIENTS)], "/").await;
    assert_eq!((status, &record["detail"]), (503, &"no_trust_material".into()));
    let (status, record) = ask(&site, &[("MTLS_SHADOW_POLICY", ALL_CLIENTS)], "/").await;
    assert_eq!(
        (status, &record["decision"]),
        (200, &"anonymous".into()),
        "{record}"
    );
}

#[tokio::test]
async fn looser_shadow_policies_are_compared_with_a_denial() {
    let site = Site::new();
    let policies = [("MTLS_POLICY", ALL_CLIENTS), ("MTLS_SHADOW_POLICY", ALL_REQUESTS)];
    let (status, record) = ask(&site, &policies, "/").await;
    assert_eq!(status, 403);
    assert_eq!(record["shadow"], "would_allow", "{record}");
}

/// Sets beside the one in use, about a client of the root: what the record says of the difference.
#[tokio::test]
async fn shadow_set_is_compared_about_verified_clients() {
    let site = Site::new();
    let client = site.client("CN=client,O=Example");
    let none = "@id(\"none\") forbid (principal, action, resource);\npermit (principal, action, resource);\n";
    let other = CertificateBuilder::root("CN=Other").self_signed().unwrap();
    let both = format!("{}{}", site.root.pem(), other.pem());
    let difference = async |settings: &[(&str, &str)]| {
        let sources: Vec<String> = settings
            .iter()
            .map(|(setting, content)| site.write(setting, content))
            .collect();
        let names = settings.iter().map(|(setting, _)| *setting);
        let variables: Vec<(&str, &str)> = names.zip(sources.iter().map(String::as_str)).collect();
        let gate = site.gate(&variables);
        let mut answers = Vec::new();
        // The second verdict comes from the cache.
        for _ in 0..2 {
            let (parts, ()) = of_client(&client).body(()).unwrap().into_parts();
            let status = status(&gate.admit_at(parts.into(), Timestamp::now()).await);
            let record = site.records.last();
            let [what, detail] =
                ["shadow", "shadow_detail"].map(|name| record[name].as_str().map(str::to_owned));
            answers.push((status, what.unwrap_or_default(), detail.unwrap_or_default()));
        }
        assert_eq!(answers[0], answers[1]);
        answers.remove(0)
    };
    let expected = |status: u16, what: &str, detail: &str| (status, what.to_owned(), detail.to_owned());
    for (settings, answer) in [
        (vec![("MTLS_SHADOW_POLICY", ALL_CLIENTS)], expected(200, "", "")),
        (
            vec![("MTLS_SHADOW_POLICY", none)],
            expected(200, "would_deny", "policy_forbids"),
        ),
        (
            vec![("MTLS_POLICY", none), ("MTLS_SHADOW_POLICY", ALL_CLIENTS)],
            expected(403, "would_allow", ""),
        ),
        (
            vec![("MTLS_SHADOW_ANCHORS", both.as_str())],
            expected(200, "", ""),
        ),
        (
            vec![("MTLS_SHADOW_ANCHORS", other.pem().as_str())],
            expected(200, "would_deny", "issuer_unknown"),
        ),
        // The policies in use decide about the shadow anchors' clients too.
        (
            vec![("MTLS_POLICY", none), ("MTLS_SHADOW_ANCHORS", both.as_str())],
            expected(403, "", ""),
        ),
    ] {
        assert_eq!(difference(&settings).await, answer, "{settings:?}");
    }
}
