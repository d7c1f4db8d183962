//! Every documented way to production, as far as it goes without AWS: the commands of a page deploy
//! the template in a simulated account, and real handshakes reach the functions that it makes.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

mod account;
mod api;
mod build;
mod certificate_and_dns;
mod certificates;
mod deny_list;
mod entries;
mod examples;
mod forward;
mod layer;
mod objects;
mod parameters;
mod policies;
mod private_ca;
mod rotation;
mod serverless_ca;
mod single_root;
mod teardown;
mod two_accounts;
mod two_tiers;
