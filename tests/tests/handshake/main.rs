//! From a real TLS handshake to a verdict of the built function, with curl as the client.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod gate;
mod post_quantum;
mod verdicts;
