//! The server: its authorization service behind real proxies, its listeners, its settings.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod authorization;
mod grpc;
mod ingress;
mod listeners;
mod proxies;
mod proxy;
mod sample;
mod settings;

use alb_mtls_tests::{Clients, SECRET_HEADER};

/// Returns the lines of the headers that a load balancer sends for a verified client.
fn good_lines(clients: &Clients) -> Vec<String> {
    let mut lines = client_lines();
    lines.push(format!("{SECRET_HEADER}: {}", clients.header(&clients.good)));
    lines
}

/// Returns the lines of the headers that a load balancer sends for a client without a certificate.
fn client_lines() -> Vec<String> {
    let headers = alb_mtls_tests::client_headers();
    headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect()
}
