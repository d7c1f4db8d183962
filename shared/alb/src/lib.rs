//! The Lambda edge: events of an Application Load Balancer become `http` requests, responses become answers, and no
//! input makes the function fail.
//!
//! Handlers take `lambda_http`'s request and body types, so any handler or router written for `lambda_http` fits
//! behind the gate:
//!
//! ```no_run
//! use http::{Request, Response};
//! use lambda_http::{Body, tower::service_fn};
//!
//! # async fn example() -> std::process::ExitCode {
//! alb_mtls_alb::serve(service_fn(async |_request: Request<Body>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello")))
//! }))
//! .await
//! # }
//! ```
//!
//! The conversion can be used alone:
//!
//! ```
//! let event = alb_mtls_alb::Event::from_json(
//!     r#"{"requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:…"}},
//!         "httpMethod": "GET", "path": "/public/../admin", "headers": {"host": "a b"}}"#,
//! );
//! let request = event.into_request()?;
//! assert_eq!(request.uri().path(), "/public/../admin");
//! # Ok::<(), alb_mtls_alb::Defect>(())
//! ```

#![warn(missing_docs)]

mod contents;
mod event;
mod log;
mod payload;
mod request;
mod response;
mod rewrite;
mod runtime;
mod serve;
mod termination;

pub use contents::holds_request_headers;
pub use event::{Defect, Event, HeaderMode};
pub use log::start_logging;
pub use payload::Payload;
pub use response::Answer;
pub use rewrite::{EventForm, EventHeaders, RewriteError, rewrite};
pub use runtime::block_on;
pub use serve::{handle, handle_from, ingress_of, run, serve};
pub use termination::at_termination;
