//! Policies on certificates that were really issued and really verified.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod cache;
mod clients;
mod cookbook;
mod decisions;
mod hostile;
mod loading;
mod shadow;
