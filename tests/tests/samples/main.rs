//! Events and headers from files, each through the built functions.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod answers;
mod emulator;
mod hostile_headers;
mod interface_emulator;
