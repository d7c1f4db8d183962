//! Trust material from real files and real sockets, good and bad.

#![expect(clippy::string_slice, clippy::unwrap_used, reason = "tests and their helpers")]

mod crls;
#[cfg(feature = "aws")]
mod deny_lists;
mod files;
#[cfg(feature = "policy")]
mod policies;
#[cfg(feature = "aws")]
mod services;
mod support;
