//! The forwarder, end to end: the built function, real sockets, and upstreams that write down every
//! byte.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod assertions;
mod backends;
mod bytes;
mod express;
mod faults;
mod forgery;
mod functions;
mod harness;
mod late_answers;
mod memory;
mod public_routes;
mod real_servers;
mod responses;
mod restated;
mod settings;
mod tls;

use alb_mtls_tests::upstream;
