//! OCSP: what a response is worth, and what verdicts follow from it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod explanations;
mod responders;
mod responses;
mod sources;
mod support;
