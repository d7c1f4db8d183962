//! Programs and files of operations: the canary, the gate in a container, guides, manifests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod axum_example;
mod canary;
mod cold_start;
mod guides;
mod load_balancer;
mod manifests;
mod names;
mod probe;
mod waf;
mod your_ca;

use std::ffi::OsStr;
use std::process::Command;

use alb_mtls_tests::project;
use serde_json::Value;

/// Returns the JSON that a Python program prints.
fn from_python<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Value {
    let output = Command::new(project().join(".venv/bin/python"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}
