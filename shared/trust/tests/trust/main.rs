//! Trust material from real files and real sockets, good and bad.

#![expect(clippy::string_slice, clippy::unwrap_used, reason = "tests and their helpers")]
#![cfg_attr(
    feature = "aws",
    expect(
        clippy::expect_used,
        clippy::indexing_slicing,
        reason = "tests and their helpers"
    )
)]

mod crls;
mod files;
#[cfg(feature = "policy")]
mod policies;
#[cfg(feature = "aws")]
mod services;
mod support;
