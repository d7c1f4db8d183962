//! OCSP: puts the questions of the verifier to responders, within a deadline, and keeps the
//! answers.
//!
//! Only certificates whose path is good otherwise are asked about, so a client without a
//! certificate of a trusted CA causes no request.

mod breaker;
mod cache;
mod client;
mod settings;

pub use client::{OcspClient, OcspCounts};
pub use settings::{InvalidOcspResponder, OcspResponder, OcspResponders, OcspSettings};
