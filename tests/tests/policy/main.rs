//! Policies through the built function: who may do what, and what a change of them would change.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests and their helpers"
)]

mod cookbook;
mod loading;
mod modes;
mod shadow;
mod support;
