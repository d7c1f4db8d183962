//! The Lambda edge: the loop that asks Lambda for events, and the conversion of an Application Load
//! Balancer's events to `http` requests and of responses to answers. No input makes a function
//! fail.
//!
//! Handlers take `lambda_http`'s request and body types, so any handler or router written for
//! `lambda_http` fits behind the gate:
//!
//! ```no_run
//! use http::{Request, Response};
//! use lambda_http::{Body, tower::service_fn};
//!
//! fn main() -> std::process::ExitCode {
//!     let hello = service_fn(async |_request: Request<Body>| {
//!         Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello")))
//!     });
//!     alb_mtls_lambda::start("Says hello.", &[&alb_mtls_gate::SETTINGS], alb_mtls_lambda::serve(hello))
//! }
//! ```
//!
//! The conversion can be used alone:
//!
//! ```
//! let event = alb_mtls_lambda::Event::from_json(
//!     r#"{"requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:…"}},
//!         "httpMethod": "GET", "path": "/public/../admin", "headers": {"host": "a b"}}"#,
//! );
//! let request = event.into_request()?;
//! assert_eq!(request.uri().path(), "/public/../admin");
//! # Ok::<(), alb_mtls_lambda::EventError>(())
//! ```

#![warn(missing_docs)]

mod contents;
mod event;
mod executor;
mod function;
mod invocation;
mod log;
mod request;
mod response;
mod rewrite;
mod runtime_api;
mod serve;
mod start;
mod termination;

pub use contents::holds_request_headers;
pub use event::{Event, EventError, HeaderMode};
pub use function::{Function, RunError};
pub use invocation::{Invocation, InvocationId, REQUEST_ID, deadline, trace_id};
pub use log::start_logging;
pub use response::Answer;
pub use rewrite::{EventForm, EventHeaders, RewriteError, rewrite};
pub use runtime_api::{ErrorReport, RUNTIME_API, RequestBody, RuntimeApi, RuntimeApiError};
pub use serve::{admit, answer, handle, ingress_of, run, serve};
pub use start::{StartError, start};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
