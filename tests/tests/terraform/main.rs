//! `deploy/terraform`: the commands of its page make it in a simulated account, with Terraform
//! itself and a provider that has the schema of AWS's, and real handshakes reach the functions.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests")]

mod configuration;
mod doctor;
mod ecs;
mod examples;
mod faults;
mod module;
