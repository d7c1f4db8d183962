//! The page for Prometheus of a gate that counts.

use alb_mtls_gate::{Connections, Gate, Incoming, Ingress};
use alb_mtls_verifier::Timestamp;
use http::Request;
use test_pki::Credential;

use crate::support::{Site, of_client, status};

/// Returns the number of a series.
fn number(page: &str, series: &str) -> u64 {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{page}"))
        .parse()
        .unwrap()
}

/// Numbers of a page: allowed, anonymous, denied for want of a certificate, cache hits, latencies.
fn numbers(gate: &Gate) -> [u64; 5] {
    let page = gate.prometheus_page();
    [
        "alb_mtls_allowed_requests_total",
        "alb_mtls_anonymous_requests_total",
        r#"alb_mtls_denied_requests_total{code="ClientCertMissing"}"#,
        "alb_mtls_cache_hits_total",
        "alb_mtls_verify_latency_seconds_count",
    ]
    .map(|series| number(&page, series))
}

async fn ask(gate: &Gate, client: Option<&Credential>) -> u16 {
    let request = client.map_or_else(Request::builder, of_client);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    status(&gate.admit_at(parts.into(), Timestamp::now()).await)
}

#[tokio::test]
async fn a_gate_that_counts_shows_decisions_and_connections_and_another_nothing() {
    let site = Site::new();
    let client = site.client("CN=client");
    let gate = |mode: &str| site.gate(&[("MTLS_MODE", mode)]);
    let connections = Connections::default();
    let counting = gate("enforce")
        .with_totals()
        .with_connections(connections.clone());
    let silent = gate("enforce");
    for gate in [&counting, &silent] {
        assert_eq!(ask(gate, Some(&client)).await, 200);
        assert_eq!(ask(gate, Some(&client)).await, 200);
        assert_eq!(ask(gate, None).await, 401);
        let event = Incoming::NotServable {
            explanation: "It is not a request.".to_owned(),
            ingress: Ingress::default(),
        };
        assert_eq!(status(&gate.admit_at(event, Timestamp::now()).await), 400);
    }
    assert_eq!(numbers(&counting), [2, 0, 1, 1, 4]);
    assert_eq!(numbers(&silent), [0; 5]);
    let open = || number(&counting.prometheus_page(), "alb_mtls_connections");
    assert_eq!(open(), 0);
    let first = connections.open();
    let second = connections.open();
    assert_eq!(open(), 2);
    drop((first, second));
    assert_eq!(open(), 0);

    let optional = gate("optional").with_totals();
    assert_eq!(ask(&optional, None).await, 200);
    assert_eq!(numbers(&optional), [0, 1, 0, 0, 1]);
    let end = client.certificate().not_after().unwrap().unix_timestamp();
    assert_eq!(ask(&optional, Some(&client)).await, 200);
    let page = optional.prometheus_page();
    let series = "alb_mtls_client_not_after_timestamp_seconds";
    assert_eq!(number(&page, series), u64::try_from(end).unwrap());
}
