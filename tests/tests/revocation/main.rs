//! CRLs through the built function, with PKIs shaped like those that publish them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod deltas;
mod large;
mod private_ca;
mod published;
mod serverless_ca;

use alb_mtls_tests::{Function, certificate_headers, header_of};
use serde_json::Value;
use test_pki::Credential;
use time::OffsetDateTime;

/// Returns the function with these anchors and CRLs.
async fn respond(anchors: &str, crls: &str, others: &[(&str, &str)]) -> Function {
    let first = [("MTLS_ANCHORS", anchors), ("MTLS_CRLS", crls)];
    Function::start("respond", first.iter().chain(others).copied()).await
}

/// Returns the status that a client with this chain gets, and the record of the decision.
async fn ask<'a>(function: &Function, chain: impl IntoIterator<Item = &'a Credential>) -> (u16, Value) {
    let headers = certificate_headers(header_of(chain));
    let status = function.get("/", &headers).await.status;
    (status, function.record().await)
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
