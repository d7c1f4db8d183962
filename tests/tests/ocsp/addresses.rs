//! Addresses that no responder is asked at.

use alb_mtls_tests::{Clients, respond};

use crate::LEAF;
use crate::responders::{Behaviour, Scripted, about_good};

#[tokio::test]
async fn responder_at_a_private_or_metadata_address_is_not_asked() {
    let clients = Clients::new();
    let good = about_good(&clients).signed_by(&clients.issuing).unwrap();
    let responder = Scripted::start(Behaviour::Body(good)).await;
    for (url, networks, words) in [
        (
            responder.url.as_str(),
            "10.0.0.0/8",
            "list its network in MTLS_OCSP_NETWORKS",
        ),
        ("http://169.254.169.254/", "0.0.0.0/0", "a link-local address"),
        ("http://[fd00:ec2::254]/", "::/0", "the EC2 metadata service"),
        ("http://0.0.0.0/", "0.0.0.0/0", "no single host"),
    ] {
        let settings = [("MTLS_OCSP", url), ("MTLS_OCSP_NETWORKS", networks), LEAF];
        let function = respond(&clients, &settings).await;
        assert_eq!(function.get("/", &clients.good_headers()).await.status, 401);
        let record = function.record().await;
        assert_eq!(record["detail"], "ocsp_unavailable", "{record}");
        assert!(
            record["explanation"].as_str().unwrap().contains(words),
            "{record}"
        );
    }
    assert_eq!(responder.requests(), 0);
}
