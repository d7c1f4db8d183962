//! Authorization by Cedar policies on verified client certificates.
//!
//! [`Policies`] are parsed and checked against the [`SCHEMA`] once, when they are loaded. Policies
//! that do not fit are rejected with file, line and column. A decision then takes [`PolicyInput`],
//! the verified client and the request. It fails closed: what cannot be decided is denied, with its
//! own detail. There is no input or output here and no clock: the time is an argument.
//!
//! ```
//! use alb_mtls_policy::{PolicyDenial, PolicyInput, Policies, PolicyOutcome, RequestFacts};
//! use alb_mtls_verifier::Timestamp;
//!
//! let policies = Policies::parse(
//!     r#"
//!     @id("status-is-public")
//!     permit (principal, action in Action::"read", resource in Path::"/status");
//!     "#,
//!     "public.cedar",
//! )?;
//!
//! let mut facts = PolicyInput {
//!     client: None,
//!     request: RequestFacts { method: "GET", path: "/status/queue", ..RequestFacts::default() },
//!     now: Timestamp::parse_rfc3339("2026-11-22T05:29:00Z").unwrap(),
//! };
//! assert_eq!(policies.decide(&facts), PolicyOutcome::Allow { policies: vec!["status-is-public".into()] });
//!
//! facts.request.path = "/status-of-everything";
//! assert_eq!(policies.decide(&facts), PolicyOutcome::Deny(PolicyDenial::NotPermitted));
//! facts.request.path = "/status/../admin";
//! assert_eq!(policies.decide(&facts), PolicyOutcome::Deny(PolicyDenial::PathNotPlain));
//!
//! let error = Policies::parse("permit (principal, action, resource) when { principal.cn == \"x\" };", "a.cedar");
//! assert!(error.unwrap_err().to_string().starts_with("a.cedar:1:45: "));
//! # Ok::<_, alb_mtls_policy::PolicyErrors>(())
//! ```

#![warn(missing_docs)]

mod cache;
mod entities;
mod error;
mod extensions;
mod forwarded;
mod input;
mod literals;
mod mentions;
mod named;
mod outcome;
mod policies;
mod shadow;
mod statements;

pub use error::{Place, PolicyError, PolicyErrors, PolicyProblem};
pub use forwarded::SourceAddress;
pub use input::{PolicyInput, RequestFacts};
pub use outcome::{PolicyDenial, PolicyFailure, PolicyOutcome, PolicyReason};
pub use policies::{Policies, PolicyWarning};
pub use shadow::{SetOutcome, ShadowDifference};

/// Schema that policies are checked against, in Cedar's own syntax, with comments for the authors
/// of policies.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
