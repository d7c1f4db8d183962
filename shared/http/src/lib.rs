//! What an HTTP request can claim, read in one way by every program of the project: [`path`]s, [`host`]s,
//! [`identity_headers`], and the classes of network [`address`]es.
//!
//! Nothing here knows trust material, policies or Lambda.

#![warn(missing_docs)]

pub mod address;
pub mod host;
pub mod identity_headers;
pub mod path;
