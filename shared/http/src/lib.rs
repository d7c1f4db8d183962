//! What an HTTP request can claim, read in one way by every program of the project: [`path`]s, [`host`]s,
//! [`identity_headers`], fields that [restate](restated) what was decided, and the classes of network [`address`]es.
//!
//! Nothing here knows trust material, policies or Lambda.

#![warn(missing_docs)]

pub mod address;
mod climb;
pub mod host;
pub mod identity_headers;
mod names;
pub mod path;
pub mod restated;
mod stripped;

pub use climb::climbs;
pub use names::{InvalidNamePattern, NamePattern};
pub use stripped::{InvalidPattern, StrippedHeaders};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
