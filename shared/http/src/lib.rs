//! Claims of an HTTP message: readers and writers that every program of the project shares.
//!
//! - [`forms`]: the table of forms in which headers carry client certificates. [`HeaderFormat`]
//!   reads them, and [`IdentityForms`] chooses those that are written.
//! - [`headers`]: names of headers by role, and [`StrippedHeaders`], which a request loses before a
//!   service sees it.
//! - [`path`], [`host`], [`address`]: paths that every server reads alike, hosts, and classes of
//!   network addresses.
//! - [`page`]: the choice between a page and JSON, and the frame of the project's pages.
//!
//! This crate does not depend on trust material, policies or Lambda.
//!
//! ```
//! use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues};
//!
//! let limits = HeaderLimits { max_bytes: 16_384, max_certificates: 8 };
//! let value = b"-----BEGIN%20CERTIFICATE-----%0AMAA=%0A-----END%20CERTIFICATE-----";
//! let values = HeaderValues { certificate: &[value], chain: &[] };
//! let chain = HeaderFormat::URL_ENCODED.decode(values, limits)?;
//! assert_eq!(chain.end_entity().as_ref(), [0x30, 0]);
//! # Ok::<(), alb_mtls_verifier::Rejection>(())
//! ```

#![warn(missing_docs)]

pub mod address;
mod certificate_header;
pub mod forms;
pub mod headers;
pub mod host;
mod identity;
pub mod page;
pub mod path;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod properties;
#[cfg(test)]
mod samples;

pub use certificate_header::{HeaderFormat, HeaderValues, UnknownHeaderFormat};
pub use forms::HeaderLimits;
pub use headers::restated;
pub use headers::{InvalidNamePattern, InvalidPattern, NamePattern, StrippedHeaders};
pub use identity::{IdentityForms, IdentityHeaderCache, InvalidIdentityForms};
pub use path::climbs;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
