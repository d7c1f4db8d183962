//! Connections to upstreams, kept for the next request.
//!
//! The pool of hyper-util's client takes no look at a connection before it is used: see [`Watch`].

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Extensions, HeaderMap, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{Connection as _, HttpConnector};
use tower::Service;

use crate::connection::{Watch, Watching};
use crate::resolver::CheckingResolver;
use crate::tls::IDLE;

/// Makes connections, over TLS or not.
pub(crate) type Connector = HttpsConnector<Watching<HttpConnector<CheckingResolver>>>;

/// Error of connecting.
pub(crate) type ConnectError = Box<dyn Error + Send + Sync>;

/// Connections that were made with one configuration of TLS.
#[derive(Debug)]
pub(crate) struct Pool {
    connector: Connector,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// A connection that carries one request at a time. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Connection {
    origin: (Scheme, Authority),
    sender: SendRequest<Full<Bytes>>,
    watch: Watch,
    is_reused: bool,
}

/// Reason why a connection gave no answer.
#[derive(Debug)]
pub(crate) struct SendError {
    pub(crate) error: hyper::Error,
    /// Nothing of the request was written.
    pub(crate) is_unsent: bool,
}

impl Pool {
    pub(crate) fn new(connector: Connector) -> Self {
        Self {
            connector,
            idle: Mutex::default(),
        }
    }

    /// Returns a connection to the server of a URL: one that was kept, or a new one.
    ///
    /// # Errors
    /// The connector's.
    pub(crate) async fn connection(&self, url: &Uri) -> Result<Connection, ConnectError> {
        let origin = (
            url.scheme().cloned().unwrap_or(Scheme::HTTP),
            url.authority().cloned().ok_or("the URL names no server")?,
        );
        match self.take(&origin) {
            Some(connection) => Ok(connection),
            None => self.connect(url, origin).await,
        }
    }

    /// Keeps a connection whose answer was received to its end.
    pub(crate) fn keep(&self, connection: Connection) {
        connection.watch.rest();
        self.idle().push((connection, Instant::now()));
    }

    /// Returns the connection to this server that was used last. Drops those that ended, are too
    /// old or are still busy with their last request.
    fn take(&self, origin: &(Scheme, Authority)) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|(connection, since)| since.elapsed() < IDLE && connection.sender.is_ready());
        let last = idle
            .iter()
            .rposition(|(connection, _)| connection.origin == *origin)?;
        let (mut connection, _) = idle.swap_remove(last);
        connection.is_reused = true;
        Some(connection)
    }

    async fn connect(&self, url: &Uri, origin: (Scheme, Authority)) -> Result<Connection, ConnectError> {
        let mut connector = self.connector.clone();
        std::future::poll_fn(|context| connector.poll_ready(context)).await?;
        let stream = connector.call(url.clone()).await?;
        let mut extensions = Extensions::new();
        stream.connected().get_extras(&mut extensions);
        let (mut sender, connection) = handshake(stream).await?;
        // Its errors are those of the request that it carries.
        tokio::spawn(async { drop(connection.await) });
        sender.ready().await?;
        Ok(Connection {
            origin,
            sender,
            watch: extensions.remove().unwrap_or_default(),
            is_reused: false,
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        // The list is whole between any two statements.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Returns `true` if it has carried an answer before.
    pub(crate) fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Sends a request whose URL is the upstream's, and returns the head of its answer.
    ///
    /// # Errors
    /// [`SendError`].
    pub(crate) async fn send(&mut self, request: &Request<Bytes>) -> Result<Response<Incoming>, SendError> {
        if self.is_reused {
            // Once more: an answer may be complete before its request was written to the end.
            self.watch.rest();
        }
        let request = to_origin_form(request);
        self.sender.try_send_request(request).await.map_err(|mut error| {
            let is_unsent = error.take_message().is_some() || self.watch.is_stale();
            SendError {
                is_unsent,
                error: error.into_error(),
            }
        })
    }
}

/// Returns a copy of the request for the wire (RFC 9112 §3.2.1); its body is shared.
fn to_origin_form(request: &Request<Bytes>) -> Request<Full<Bytes>> {
    let mut sent = Request::new(Full::new(request.body().clone()));
    *sent.method_mut() = request.method().clone();
    let root = PathAndQuery::from_static("/");
    let target = request.uri().path_and_query().unwrap_or(&root);
    *sent.uri_mut() = Uri::from(target.clone());
    *sent.headers_mut() = request.headers().clone();
    state_host(request.uri(), sent.headers_mut());
    sent
}

/// Sets the Host header that every request needs (RFC 9112 §3.2), unless there is one.
fn state_host(url: &Uri, headers: &mut HeaderMap) {
    if headers.contains_key(HOST) {
        return;
    }
    let default_port = if url.scheme() == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    let host = url.host().unwrap_or_default();
    let value = match url.port_u16() {
        Some(port) if port != default_port => HeaderValue::try_from(format!("{host}:{port}")),
        _ => HeaderValue::try_from(host),
    };
    if let Ok(value) = value {
        headers.insert(HOST, value);
    }
}
