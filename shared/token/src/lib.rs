//! Access tokens that are bound to the certificate of their client (RFC 8705 §3).
//!
//! A stolen bearer token is worth nothing without the private key of that certificate. One call
//! checks the token's signature, issuer, audience and time, and that its `cnf` claim names the
//! certificate that was verified. The crate does no input or output and has no clock: keys, the
//! time and the certificate's fingerprint are arguments.
//!
//! ```
//! use alb_mtls_token::{Algorithm, BearerToken, KeySet, TokenOptions, TokenReason};
//! use alb_mtls_verifier::{Fingerprint, Timestamp};
//!
//! let keys = KeySet::parse(br#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "2026",
//!     "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#)?;
//! let options = TokenOptions {
//!     issuer: "https://issuer.example".to_owned(),
//!     audiences: vec!["https://api.example".to_owned()],
//!     algorithms: vec![Algorithm::Es256],
//! };
//! let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.";
//! let header = format!("Bearer {unsigned}");
//! let token = BearerToken::read(&[header.as_bytes()])?.unwrap();
//! let certificate = Fingerprint::of(b"the DER encoding of the certificate");
//! let rejection = keys.verify(&token, &options, Some(certificate), Timestamp::now()).unwrap_err();
//! assert_eq!(rejection.reason(), TokenReason::Algorithm);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

mod algorithm;
mod bearer;
mod keys;
mod rejection;
mod token;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use bearer::BearerToken;
pub use keys::{KeySet, KeySetError, MAX_KEY_SET_BYTES};
pub use rejection::{Challenge, TokenReason, TokenRejection};
pub use token::{TokenIdentity, TokenOptions};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
