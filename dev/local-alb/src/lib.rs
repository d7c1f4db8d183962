//! An Application Load Balancer on one's own machine, in front of Lambda functions: real TLS
//! handshakes with client certificates, the events that ALB makes of requests, and the built
//! functions behind a Runtime API as in Lambda.
//!
//! It is a tool for development and tests. Where AWS does not document what ALB does, the choice
//! made here is marked `unconfirmed`, and where a target's safety depends on it, a setting offers
//! both.
//!
//! [`LocalAlb`] is the whole of it; [`Environment`] hands events to a function without any network
//! in front; [`AlbRequest`] and [`passthrough_header`] make events and headers alone:
//!
//! ```
//! use local_alb::{AlbRequest, HeaderMode};
//!
//! let request = AlbRequest {
//!     method: "GET".to_owned(),
//!     path: "/public/../admin".to_owned(),
//!     query: None,
//!     headers: vec![("x-a".to_owned(), "1".to_owned()), ("x-a".to_owned(), "2".to_owned())],
//!     body: Default::default(),
//! };
//! let event = request.to_event("arn:aws:…", HeaderMode::SingleValue).unwrap();
//! let event: serde_json::Value = serde_json::from_slice(&event).unwrap();
//! assert_eq!(event["path"], "/public/../admin");
//! assert_eq!(event["headers"]["x-a"], "2");
//! ```
//!
//! A listener in front of a built function:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::num::NonZeroUsize;
//! use std::path::Path;
//!
//! use local_alb::{FunctionCommand, Listener, LocalAlb, Target, TargetGroup};
//!
//! let listener = Listener::from_pem_files(Path::new("server.pem"), Path::new("server.key"))?;
//! let command = FunctionCommand::new("target/debug/respond").variable("MTLS_ANCHORS", "file:root.pem");
//! let target = Target::Function { command, concurrency: NonZeroUsize::MIN };
//! let alb = LocalAlb::start(listener, vec![TargetGroup::new("respond", target)]).await?;
//! println!("https://{}", alb.address());
//! alb.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Differences from ALB: header names that HTTP does not allow are refused with 400, also where ALB
//! would pass them on; a head of more than 256 K is answered by the HTTP library (431 or 414
//! instead of 400); WebSockets are refused for every kind of target.

mod admission;
mod answer;
mod certificate_headers;
mod environment;
mod event;
mod exchange;
mod function_command;
mod function_pool;
mod http_client;
mod identifiers;
mod invocation;
mod listener;
mod listener_state;
mod local_alb;
mod managed_instance;
mod process;
mod record;
mod running_target;
mod runtime_api;
mod target;
mod tasks;
mod tls;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use certificate_headers::{UnreadableCertificateError, passthrough_header, verify_headers};
pub use environment::{Environment, EnvironmentFacts};
pub use event::{AlbRequest, EventError, HeaderMode, MAXIMUM_BODY, health_check_event};
pub use function_command::{FunctionCommand, FunctionOutput, OutputLine, OutputStream};
pub use invocation::{InvocationOutcome, StartError};
pub use listener::{
    ClientCertificateHeaderCopies, Listener, MutualAuthentication, PemFileError, certificates_from_pem_file,
};
pub use local_alb::{LocalAlb, LocalAlbError};
pub use managed_instance::ManagedInstance;
pub use record::{Record, RequestRecord};
pub use target::{HealthChecks, InvokeUrl, InvokeUrlError, Target, TargetGroup};
pub use tls::TlsError;

/// Locks a mutex and ignores poisoning: the guarded values are consistent after every statement.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
