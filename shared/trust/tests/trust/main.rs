//! Trust material from real files and real sockets, good and bad.

#![expect(clippy::string_slice, clippy::unwrap_used, reason = "tests and their helpers")]

mod crls;
mod files;
#[cfg(feature = "policy")]
mod policies;
#[cfg(feature = "aws")]
mod services;
mod support;
