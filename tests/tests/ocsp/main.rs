//! OCSP, end to end: built programs that ask `openssl ocsp`, and responders that misbehave.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod addresses;
mod hostile;
mod latency;
mod programs;
mod published;
mod responders;
mod verdicts;

/// Setting without which no responder on this machine is asked.
const NETWORKS: (&str, &str) = ("MTLS_OCSP_NETWORKS", "127.0.0.0/8");
/// The client's own certificate alone is asked about.
const LEAF: (&str, &str) = ("MTLS_REVOCATION_DEPTH", "leaf");
