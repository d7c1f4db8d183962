//! The local load balancer, asked by real clients and in front of real processes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod answers;
mod certificates;
mod command_line_clients;
mod environment;
mod events;
mod limits;
mod support;
mod targets;
mod verify_mode;
