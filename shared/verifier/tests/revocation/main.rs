//! Revocation as a deployment meets it: whole PKIs, verdicts of the verifier, lists that were
//! tampered with.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests, where an unexpected error is a failure"
)]

mod algorithms;
mod allowed_signatures;
mod defects;
mod deltas;
mod distribution_points;
mod entries;
mod explanations;
mod files;
mod forecast;
mod history;
mod indirect;
mod issuers;
mod issuing_paths;
// The FIPS module digests and verifies in one step, so that no list is read in parts.
#[cfg(not(feature = "fips"))]
mod large;
mod ml_dsa;
mod openssl;
mod partitions;
mod refused_lists;

mod support;
mod time;
mod unnumbered;
mod verdicts;
