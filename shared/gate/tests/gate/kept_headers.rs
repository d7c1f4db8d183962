//! Headers of a request that another program passes on, and does not clean.

use alb_mtls_gate::Gate;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::support::settings;

fn gate(others: &[(&str, &str)]) -> Gate {
    let anchors = [("MTLS_ANCHORS", "file:/nonexistent/anchors.pem")];
    Gate::new(settings(&anchors, others))
}

/// Returns the detail of the denial; `None` for headers that may be kept.
fn verdict(gate: &Gate, name: &'static str, with_restated: bool) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("text/html"));
    headers.insert(HeaderName::from_static(name), HeaderValue::from_static("forged"));
    let denial = gate.check_kept_headers(&headers, with_restated).err()?;
    assert!(denial.to_string().contains(name), "{denial:?}");
    Some(denial.reason().detail.to_owned())
}

#[test]
fn identity_is_denied_whoever_passes_the_request_on() {
    let gate = gate(&[]);
    for with_restated in [false, true] {
        for name in [
            "x-amzn-mtls-clientcert-subject",
            "x_amzn_mtls_clientcert_subject",
            "client-cert",
            "x-forwarded-client-cert",
            "x-client-cert-assertion",
        ] {
            let detail = verdict(&gate, name, with_restated);
            assert_eq!(detail.as_deref(), Some("identity_header"), "{name}");
        }
    }
}

#[test]
fn what_could_be_taken_for_the_certificate_header_is_denied() {
    for (gate, name) in [
        (gate(&[]), "x_amzn_mtls_clientcert"),
        (gate(&[("MTLS_HEADER", "x-secret-7f3a")]), "x_secret_7f3a"),
        (
            gate(&[("MTLS_HEADER", "x-secret-7f3a")]),
            "x-amzn-mtls-clientcert",
        ),
    ] {
        let detail = verdict(&gate, name, false);
        assert_eq!(detail.as_deref(), Some("certificate_source"), "{name}");
    }
}

#[test]
fn restated_requests_are_denied_where_they_would_be_kept() {
    let gate = gate(&[]);
    for name in ["x-http-method-override", "x-original-url", "x_forwarded_host"] {
        assert_eq!(verdict(&gate, name, true).as_deref(), Some("restated"), "{name}");
        assert_eq!(verdict(&gate, name, false), None, "{name}");
    }
}

#[test]
fn certificate_header_and_others_are_left_to_the_decision() {
    for (gate, name) in [
        (gate(&[]), "x-amzn-mtls-clientcert"),
        (gate(&[("MTLS_HEADER", "x-secret-7f3a")]), "x-secret-7f3a"),
        (gate(&[]), "x-request-id"),
        (gate(&[]), "authorization"),
    ] {
        assert_eq!(verdict(&gate, name, true), None, "{name}");
    }
}
