//! The gate: decides by its client certificate whether a request may pass, in one fixed order.
//!
//! It knows `http` requests and nothing of Lambda, so that the same [`GateLayer`] guards a function and a container
//! behind the same load balancer:
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
//! `policy` brings Cedar for `MTLS_POLICY` and the shadow set; without the feature these settings are an error.

#![warn(missing_docs)]

#[cfg_attr(not(feature = "policy"), path = "without_policies.rs")]
mod authorization;
mod bound_token;
mod gate;
mod ingress;
mod layer;
mod line;
mod log_writer;
mod metrics;
mod mode;
mod opinion;
mod presented;
mod record;
mod recording;
mod refusal;
mod settings;
mod target_groups;
mod verdicts;

pub use alb_mtls_token::TokenIdentity;
pub use alb_mtls_verifier::{ClientIdentity, VerifiedClient};
pub use authorization::ShadowDifference;

pub use alb_mtls_http::StrippedHeaders;
pub use bound_token::{BoundTokenSettings, TokenRequirement};
pub use gate::{Decision, Gate, Judgement, Passage, PublicRequests};
pub use ingress::{FunctionFacts, Ingress};
pub use layer::{GateLayer, GateService};
pub use line::escape_to_ascii;
pub use log_writer::Importance;
pub use metrics::{EmbeddedMetrics, METRICS, Metric};
pub use mode::Mode;
pub use record::{
    ClientRecord, DecisionRecord, MetricsRecord, Outcome, Recorder, RefusalRecord, StandardOutput, to_line,
};
pub use recording::{MetricsNamespace, RecordSettings, ServiceName};
pub use refusal::{GATE_REASONS, GateReason, Refusal, RefusalBody};
pub use settings::{GateSettings, SETTINGS, Settings};
pub use target_groups::{InvalidTargetGroups, TargetGroupPattern, TargetGroups};
pub use verdicts::VerdictCacheSettings;
