//! The layer, end to end: the built program in front of real runtimes that know nothing of it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod adapter;
mod api;
mod bytes;
mod concurrency;
mod forgery;
mod functions;
mod other_events;
mod process;
mod refusals;
mod runtime_failures;
mod runtimes;
mod settings;
mod wrappers;
