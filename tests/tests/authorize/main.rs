//! The authorizer, as the built function that API Gateway would call.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod command_line;
mod decisions;
mod emulator;
mod forgery;
mod hostile;
mod policies;
mod samples;
mod settings;
mod support;
mod tokens;

use alb_mtls_tests::api_events as events;
