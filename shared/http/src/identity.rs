//! Identity headers: what tells a service behind the gate who the client is.
//!
//! The gate removes every header of this kind from what a client sends. These headers are set
//! afterwards.

mod cache;
mod identity_forms;

pub use cache::IdentityHeaderCache;
pub use identity_forms::{IdentityForms, InvalidIdentityForms};
