//! Programs and files of operations: the canary, the gate in a container, guides, manifests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

mod axum_example;
mod canary;
mod cold_start;
mod deny_list;
mod guides;
mod load_balancer;
mod manifests;
mod names;
mod probe;
mod waf;
mod your_ca;
