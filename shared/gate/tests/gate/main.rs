//! The gate by itself: its decisions about requests as an edge hands them over.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may stop at the first surprise"
)]

mod admission;
#[cfg(feature = "token")]
mod answers;
mod background;
mod deny_list;
mod edges;
mod kept_headers;
mod page;
#[cfg(feature = "policy")]
mod policies;
#[cfg(feature = "token")]
mod readiness;
mod records;
mod support;
mod verdicts;
