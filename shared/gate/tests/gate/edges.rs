//! Facts that edges hand to the gate, and those that they learn about it.

use alb_mtls_gate::{Ingress, METRICS, Peer, Readiness};
use test_pki::CertificateBuilder;

use crate::support::settings;

const ANCHORS: [(&str, &str); 1] = [("MTLS_ANCHORS", "file:/anchors.pem")];

#[test]
fn pem_of_an_edge_has_the_limits_of_the_header() {
    let pem = CertificateBuilder::root("CN=Root").self_signed().unwrap().pem();
    for (limit, is_read) in [(pem.len(), true), (pem.len() - 1, false)] {
        let settings = settings(&ANCHORS, &[("MTLS_MAX_HEADER", &*limit.to_string())]);
        let read = settings.gate.read_pem(&pem);
        match is_read {
            true => assert!(read.is_ok(), "{read:?}"),
            false => assert_eq!(read.unwrap_err().detail(), "header_too_large"),
        }
    }
}

#[test]
fn edge_may_hand_over_twice_as_many_certificates_as_a_path_has() {
    let pem = CertificateBuilder::root("CN=Root").self_signed().unwrap().pem();
    let settings = settings(&ANCHORS, &[("MTLS_MAX_DEPTH", "3")]);
    assert!(settings.gate.read_pem(&pem.repeat(6)).is_ok());
    let refused = settings.gate.read_pem(&pem.repeat(7)).unwrap_err();
    assert_eq!(refused.detail(), "header_too_many_certificates");
}

#[test]
fn ingress_has_the_peer_that_the_network_tells() {
    assert_eq!(Ingress::from_peer(Peer::Vouched).peer, Peer::Vouched);
    let address = Peer::Address([192, 0, 2, 7].into());
    assert_eq!(Ingress::from_peer(address).peer, address);
}

#[test]
fn readiness_says_what_is_missing() {
    assert_eq!(Readiness::NoTrustMaterial.to_string(), "no trust material");
    assert_eq!(Readiness::NoDenyList.to_string(), "no deny list");
}

#[test]
fn series_are_of_the_kinds_of_prometheus() {
    for metric in METRICS {
        let kind = metric.kind.as_str();
        assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
    }
}
