//! Records that are written, and what they leave out.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use alb_mtls_gate::{Gate, Settings};
use alb_mtls_verifier::Timestamp;
use http::Request;
use support::{Records, status};

/// Asks several times without a certificate and returns the statuses, and the sampling rates of the
/// records.
async fn rates(variables: &[(&str, &str)], times: usize) -> (Vec<u16>, Vec<Option<f64>>) {
    let anchors = [("MTLS_ANCHORS", "file:/nonexistent/anchors.pem")];
    let variables = anchors.iter().chain(variables);
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let records = Records::default();
    let gate = Gate::new(Settings::from_variables(variables).unwrap()).with_audit_sink(records.clone());
    let mut statuses = Vec::new();
    for _ in 0..times {
        let (parts, ()) = Request::new(()).into_parts();
        statuses.push(status(&gate.admit_at(parts.into(), Timestamp::now()).await));
    }
    statuses.dedup();
    let records = records.0.lock().unwrap();
    let rates = records.iter().map(|record| record["sampling_rate"].as_f64());
    (statuses, rates.collect())
}

#[tokio::test]
async fn sampled_records_tell_their_share_and_denials_are_all_written() {
    let optional = ("MTLS_MODE", "optional");
    let (statuses, all) = rates(&[optional], 20).await;
    assert_eq!((statuses, all), (vec![200], vec![None; 20]));
    let (statuses, half) = rates(&[optional, ("MTLS_RECORD_ALLOWED", "50%")], 200).await;
    assert_eq!(statuses, [200]);
    assert!((40..160).contains(&half.len()), "{} of 200", half.len());
    assert!(half.iter().all(|rate| *rate == Some(0.5)), "{half:?}");
    let (statuses, denied) = rates(&[("MTLS_RECORD_ALLOWED", "50%")], 20).await;
    assert_eq!((statuses, denied), (vec![401], vec![None; 20]));
}
