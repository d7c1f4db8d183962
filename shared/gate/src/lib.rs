//! The gate: decides by its client certificate whether a request may pass, in one fixed order.
//!
//! It knows `http` requests and nothing of Lambda, so that the same [`GateLayer`] guards a function
//! and a container behind the same load balancer:
//!
//! ```
//! use std::sync::Arc;
//! use alb_mtls_gate::{Gate, GateLayer, Settings};
//! use http::{Request, Response, StatusCode};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let settings = [("MTLS_ANCHORS".to_owned(), "file:/etc/alb-mtls/anchors.pem".to_owned())];
//! let gate = Arc::new(Gate::new(Settings::from_variables(settings).unwrap()));
//! let inner = service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(String::new())));
//!
//! // No certificate header: the inner service is never asked.
//! let response = GateLayer::new(gate).layer(inner).oneshot(Request::new(())).await.unwrap();
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! # });
//! ```
//!
//! # Features
//!
//! - `token`, on by default: access tokens that are bound to the client's certificate, for
//!   `MTLS_BOUND_TOKEN`.
//! - `log`: [`start_logging`], for programs.
//! - `policy`: Cedar policies for `MTLS_POLICY` and the shadow set.
//!
//! Without a feature its settings are an error.

#![warn(missing_docs)]

mod admission;
mod audit;
mod audit_record;
mod background;
#[cfg(feature = "token")]
mod bound_token;
mod decision;
mod denial;
mod denial_page;
mod denied_clients;
mod gate;
mod ingress;
mod layer;
mod line;
#[cfg(feature = "log")]
mod log;
mod log_writer;
mod metrics;
mod mode;
mod peers;
mod policy;
mod presented;
mod reason;
mod settings;
mod target_groups;
mod token;
mod verdict_cache;

pub use admission::{Admission, AllowedRequest, EdgeCertificate, GateAnswer, Incoming};
pub use alb_mtls_http::StrippedHeaders;
pub use alb_mtls_trust::Reload;
pub use alb_mtls_verifier::{ClientIdentity, VerifiedClient};
pub use audit::{AuditSettings, MetricsNamespace, ServiceName};
pub use audit_record::{
    AuditRecord, AuditSink, ClientRecord, DenialRecord, MetricsRecord, Outcome, StandardOutput, to_line,
};
pub use background::{PROMETHEUS_MEDIA_TYPE, Readiness};
#[cfg(feature = "token")]
pub use bound_token::TokenRequirement;
pub use decision::Principal;
pub use denial::{Denial, DenialBody};
pub use gate::{Gate, PublicRequests};
pub use ingress::{FunctionFacts, Ingress, Peer};
pub use layer::{GateLayer, GateService};
pub use line::escape_to_ascii;
#[cfg(feature = "log")]
pub use log::start_logging;
pub use log_writer::Importance;
pub use metrics::{Connections, EmbeddedMetrics, METRICS, Metric, OpenConnection, SeriesKind};
pub use mode::Mode;
pub use peers::{InvalidPeers, Peers};
pub use policy::ShadowDifference;
pub use reason::{DenialReason, GateReason, denial_reasons};
pub use settings::{GateSettings, SETTINGS, Settings};
pub use target_groups::{InvalidTargetGroups, TargetGroupPattern, TargetGroups};
pub use token::{BoundTokenSettings, TokenIdentity};
pub use verdict_cache::VerdictCacheSettings;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
