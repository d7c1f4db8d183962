//! The built function in an execution environment, with moto's S3 and web servers on this machine.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod addresses;
mod binding;
mod deployment;
mod events;
mod large;
mod locations;
mod publishing;
mod refusals;
mod replay;
mod settings;
mod tls;
mod web;
