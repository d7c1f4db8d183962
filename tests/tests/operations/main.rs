//! What operators run besides the functions: the canary, and the gate in a container.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod axum_example;
mod canary;
mod console;
mod guides;
mod load_balancer;
mod manifests;
mod terraform;
