//! The decision record: every reason in it, nothing that breaks it, and what is made from it.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests and their helpers"
)]

mod codes;
mod injection;
mod inventory;
mod metrics;
mod renewal;
mod size;
mod tokens;
