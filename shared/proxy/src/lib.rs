//! The upstream side of a gate: routes by host and path, connections to servers, TLS in both
//! directions, and the headers and assertions that say who the client is.
//!
//! It knows nothing of Lambda: the function `forward` and the server share it. A [`Proxy`] is made
//! of [`Settings`]; it makes a client's request into the upstream's, and its [`UpstreamClient`]
//! sends that over connections that are looked at before they are used again.

#![warn(missing_docs)]

mod assertion;
mod body;
mod connection;
mod endpoint;
mod error;
mod framing;
mod identity;
mod pool;
mod proxy;
mod resolver;
mod routes;
mod secrets;
mod settings;
mod streaming;
mod tls;
mod upstream;
mod upstream_client;
mod websocket;

pub use body::{BodyError, UpstreamBody};
pub use endpoint::Endpoint;
pub use error::{ForwardError, TimeLimit};
pub use framing::check_framing;
pub use pool::ConnectError;
pub use pool::{Connection, Pool, SendError};
pub use proxy::{KeySetRequest, Proxy, check_host};
pub use secrets::Secrets;
pub use settings::{FunctionEvents, SETTINGS, Settings, TlsSettings};
pub use streaming::{AnswerBody, TooLarge};
pub use upstream::{Function, InvalidTarget, InvalidUpstream, Server, Upstream};
pub use upstream_client::{Phase, UpstreamClient, classify};
