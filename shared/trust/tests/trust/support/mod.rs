//! Helpers of the tests of this crate: a PKI, settings, moto's server, and a proxy that makes
//! things go wrong.

#[cfg(feature = "aws")]
pub(crate) mod moto;

use std::time::Duration;

use alb_mtls_trust::{Percent, TrustSettings};
use alb_mtls_verifier::{IdentityExtensions, Timestamp, VerifyOptions};
use test_pki::{CertificateBuilder, Credential};

/// A moment at which the test's certificates are valid.
pub(crate) fn start() -> Timestamp {
    Timestamp::now()
}

/// A CA certificate in PEM.
pub(crate) fn ca(name: &str) -> String {
    ca_credential(name).pem()
}

pub(crate) fn ca_credential(name: &str) -> Credential {
    CertificateBuilder::root(&format!("CN={name},O=Trust Tests"))
        .self_signed()
        .unwrap()
}

/// Settings with these anchors: refreshed after 300 s, served for an hour.
pub(crate) fn settings(anchors: &str) -> TrustSettings {
    TrustSettings {
        anchors: anchors.parse().unwrap(),
        intermediates: None,
        options: VerifyOptions::default(),
        identity_extensions: IdentityExtensions::default(),
        revocation: None,
        ocsp: None,
        refresh: Duration::from_secs(300),
        max_stale: Duration::from_secs(3_600),
        max_anchor_loss: Percent::default(),
    }
}

/// Returns the common names of the trust anchors in a snapshot, in order.
pub(crate) fn names(snapshot: &alb_mtls_trust::Snapshot) -> Vec<String> {
    let anchors = snapshot.verifier().anchors();
    anchors
        .iter()
        .map(|anchor| {
            let subject = anchor.subject().to_string();
            subject
                .trim_start_matches("CN=")
                .split(',')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
}
