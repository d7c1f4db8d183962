//! Trust anchors from files, SSM Parameter Store and S3, as immutable snapshots that refresh and
//! never get lost.
//!
//! A [`Trust`] is made from settings without any input or output. Each decision asks it for a
//! [`Snapshot`] and uses that one from start to end. What is due is looked up inside the call,
//! because a frozen Lambda environment runs no timers; concurrent callers cause one lookup. When
//! lookups fail, the last good snapshot stays, up to a set age; after that the caller must deny. A
//! server, which is never frozen, looks up in a task of its own: [`Trust::refresh_in_background`].
//!
//! ```
//! use std::time::Duration;
//! use alb_mtls_trust::{Percent, Trust, TrustSettings};
//! use alb_mtls_verifier::{IdentityExtensions, Timestamp, VerifyOptions};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let trust = Trust::new(TrustSettings {
//!     anchors: "file:/etc/alb-mtls/no-such-file.pem".parse().unwrap(),
//!     intermediates: None,
//!     options: VerifyOptions::default(),
//!     identity_extensions: IdentityExtensions::default(),
//!     revocation: None,
//!     ocsp: None,
//!     refresh: Duration::from_secs(300),
//!     max_stale: Duration::from_secs(24 * 3_600),
//!     max_anchor_loss: Percent::default(),
//! });
//! let unavailable = trust.snapshot(Timestamp::now()).await.unwrap_err();
//! assert_eq!(
//!     unavailable.to_string(),
//!     "no trust material could be loaded: `file:/etc/alb-mtls/no-such-file.pem`: there is no such file"
//! );
//! # });
//! ```
//!
//! # What is rejected
//!
//! Material replaces what is in use as a whole or not at all. An error that gives source, entry and
//! reason is a source that cannot be read, is empty or damaged, contains a private key or a
//! certificate that is not a CA's, adds nothing to the others, does not have the digest that it is
//! pinned to, or lacks more of the anchors in use than [`TrustSettings::max_anchor_loss`]. So is a
//! CRL that is older than the one of its issuer, key and scope that was in use, a CRL that is
//! missing although its CA is still there, and any CRL that contradicts the record beside it
//! ([`crl_state_object`]).
//!
//! # Pins
//!
//! Instead of PEM, a parameter or a file can contain one word,
//! `s3://bucket/key?versionId=…#sha256=…`. What is trusted then changes by one atomic change of
//! that parameter, forwards and backwards. A writer of the bucket cannot change it.
//!
//! # Permissions
//!
//! [`FORMS`] lists the forms of sources with the IAM actions that each needs. With `s3:ListBucket`
//! on the bucket a missing object is told from a forbidden one. A bucket or a shared parameter of
//! another account must allow the role as well; `?owner=` makes sure whose bucket it is.
//!
//! # Events
//!
//! Lookups are reported as `tracing` events with the target `alb_mtls_trust`; [`Trust::status`] has
//! the counters.
//!
//! # Features
//!
//! `aws` (on by default) brings the AWS SDK. It is not touched before an `ssm:` or `s3:` source is
//! read; without the feature such a source is an error. `policy` brings Cedar for
//! [`AuthorizationSettings`]; without the feature policies are an error.

#![warn(missing_docs)]

mod assemble;
mod authorities;
mod authorization;
#[cfg(feature = "aws")]
mod aws;
mod crl;
mod deny_list;
mod document;
mod error;
mod events;
mod fetch_error;
mod gather;
mod inspection;
mod lists;
mod loader;
mod material;
mod ocsp;
mod pointer;
mod provenance;
mod refreshing;
mod settings;
mod snapshot;
mod source;
mod trust;
mod warning;
mod web;

pub use alb_mtls_settings::Percent;
#[cfg(feature = "aws")]
pub use aws::AwsClients;
pub use crl::{
    CRL_STATE_SUFFIX, CrlDestination, CrlLocation, CrlPlan, HttpLocation, InvalidCrlDestination,
    InvalidCrlLocation, InvalidCrlState, MAX_CRL_STATE_BYTES, PublishedAsOne, SkippedCrl, crl_state_object,
    read_crl_state, write_crl_state,
};
pub use deny_list::{
    DeniedBy, DeniedName, DenyEntry, DenyList, DenyListError, DenyListSettings, DenyListStatus, DenyLists,
    InvalidDenyEntry, InvalidDenyList, LoadedDenyList, MAX_DENY_LIST_BYTES, NO_ENTRIES,
};
pub use document::{Content, Document, LargeList, Revision};
pub use error::{LoadError, SourceError, SourceErrorKind};
pub use fetch_error::FetchError;
pub use inspection::{
    InspectedAuthority, InspectedList, InspectedSources, Inspection, inspect, inspect_anchors,
};
pub use loader::{Loader, MAX_CERTIFICATE_BYTES};
pub use material::{MAX_CRL_BYTES, MAX_POLICY_BYTES};
pub use ocsp::{InvalidOcspResponder, OcspClient, OcspCounts, OcspResponder, OcspResponders, OcspSettings};
pub use provenance::{Role, SourceRecord};
pub use refreshing::{
    Aborted, Deadline, Deadlines, FailedLookup, Found, Lookup, LookupCounts, NoValue, Refreshing, Reload,
    Reloads, Waiting, WatchedFiles,
};
pub use settings::{AuthorizationSettings, CrlState, RevocationSettings, TrustSettings};
pub use snapshot::{ShadowSet, Snapshot};
pub use source::{
    FORMS, InvalidSource, InvalidSources, KEY_SOURCE_FORMS, LocalFile, PUBLISHED_SOURCE_FORMS, Parameter,
    ParameterPath, S3Object, SOURCE_FORMS, Source, SourceForm, SourceUse, Sources,
};
pub use trust::{Trust, TrustError, TrustStatus};
pub use warning::{Named, Severity, Warning};
pub use web::{PrivateNetwork, WebError, WebRequest, WebRules};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
