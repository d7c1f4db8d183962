//! Connections to upstreams, kept for the next request.
//!
//! The pool of hyper-util's client takes no look at a connection before it is used: see [`Watch`].

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::{HOST, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Extensions, HeaderMap, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{Connection as _, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tower::Service;

use crate::body::UpstreamBody;
use crate::connection::{Watch, WatchedStream, Watching};
use crate::endpoint::{Endpoint, Protocol};
use crate::resolver::CheckingResolver;
use crate::upstream_client::CONNECT;

/// Makes connections, over TLS or not.
pub(crate) type Connector = HttpsConnector<Watching<HttpConnector<CheckingResolver>>>;

/// Error of connecting.
pub type ConnectError = Box<dyn Error + Send + Sync>;

/// Time for which an idle connection is kept for the next request. Common servers end idle
/// connections after five seconds; a shorter time avoids most of the failures that this would
/// cause.
const IDLE: Duration = Duration::from_secs(4);

/// Interval at which a connection of HTTP/2 with open exchanges is asked whether it is alive, and
/// the longest wait for its answer.
const KEEP_ALIVE: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(10)];

/// Bytes of an answer that an upstream may send over HTTP/2 before they are taken: of one exchange,
/// and of all exchanges of a connection.
const WINDOWS: [u32; 2] = [256 * 1024, 4 * 1024 * 1024];

/// Connections that were made with one configuration of TLS.
///
/// Each thread has connections of its own: the executor that a connection was made on reads it, and
/// a request that another thread carries would wait for that thread.
pub struct Pool {
    http1: Connector,
    http2: Connector,
    kept: [Kept; SHARES],
}

/// Connections of some threads.
#[derive(Default)]
struct Kept {
    idle: Mutex<HashMap<Endpoint, VecDeque<(Connection, Instant)>>>,
    /// Connections of HTTP/2, each with every exchange to its endpoint.
    shared: Mutex<HashMap<Endpoint, Arc<SharedConnection>>>,
}

/// Number of shares of a pool. With more threads than this some of them share connections.
const SHARES: usize = 64;

thread_local! {
    /// Number of this thread's share of every pool.
    static SHARE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % SHARES
    };
}

/// Connection of HTTP/2, absent until it is needed. Locked while it is made.
type SharedConnection = tokio::sync::Mutex<Option<http2::SendRequest<UpstreamBody>>>;

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// A connection that carries one request at a time. Dropped, it ends.
#[derive(Debug)]
pub struct Connection {
    endpoint: Endpoint,
    sender: Sender,
    watch: Watch,
    is_reused: bool,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<UpstreamBody>),
    /// A handle of a connection that others use too.
    Http2(http2::SendRequest<UpstreamBody>),
}

/// Reason why a connection gave no answer.
#[derive(Debug)]
pub struct SendError {
    /// Error of HTTP.
    pub error: hyper::Error,
    /// Nothing of the request was written.
    pub is_unsent: bool,
}

impl Pool {
    pub(crate) fn new(http1: Connector, http2: Connector) -> Self {
        Self {
            http1,
            http2,
            kept: std::array::from_fn(|_| Kept::default()),
        }
    }

    /// Returns a connection to an endpoint: one that was kept, or a new one.
    ///
    /// # Errors
    /// The connector's.
    pub async fn connection(&self, endpoint: &Endpoint) -> Result<Connection, ConnectError> {
        let at_hand = match endpoint.protocol {
            Protocol::Http1 => self.take(endpoint),
            Protocol::Http2 => self.shared_at_hand(endpoint),
        };
        match at_hand {
            Some(connection) => Ok(connection),
            // In a box: it is rare, and every request would have to make room for its kilobytes of
            // state.
            None => Box::pin(self.connect_in_time(endpoint)).await,
        }
    }

    async fn connect_in_time(&self, endpoint: &Endpoint) -> Result<Connection, ConnectError> {
        let connection = async {
            match endpoint.protocol {
                Protocol::Http1 => self.connect(endpoint).await,
                Protocol::Http2 => self.share(endpoint).await,
            }
        };
        // Name, TCP, TLS and the wait for another request's connection together. The backlog of a
        // server that does not run any more takes connections, and then TLS would wait
        // indefinitely.
        match tokio::time::timeout(CONNECT, connection).await {
            Ok(connection) => connection,
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    /// Keeps a connection whose answer was received to its end.
    pub fn keep(&self, connection: Connection) {
        if let Sender::Http2(_) = connection.sender {
            return;
        }
        connection.watch.rest();
        let mut idle = self.kept().idle();
        // A new endpoint is copied once, and those of the settings are few.
        match idle.get_mut(&connection.endpoint) {
            Some(kept) => kept.push_back((connection, Instant::now())),
            None => {
                let endpoint = connection.endpoint.clone();
                idle.insert(endpoint, VecDeque::from([(connection, Instant::now())]));
            }
        }
    }

    /// Returns the connection to this endpoint that was used last. Drops those that are too old or
    /// have ended, and leaves those that are still busy with their last request.
    fn take(&self, endpoint: &Endpoint) -> Option<Connection> {
        let mut idle = self.kept().idle();
        let kept = idle.get_mut(endpoint)?;
        drop_old(kept);
        let mut place = kept.len();
        while let Some(before) = place.checked_sub(1) {
            place = before;
            let (connection, _) = kept.get(place)?;
            if connection.is_ready() {
                let (mut connection, _) = kept.remove(place)?;
                connection.is_reused = true;
                return Some(connection);
            }
            if connection.is_closed() {
                kept.remove(place);
            }
        }
        None
    }

    /// Drops connections that are too old to be used again, so that none stays open when no more
    /// requests come.
    pub(crate) fn drop_idle(&self) {
        for kept in &self.kept {
            kept.idle().values_mut().for_each(drop_old);
        }
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Connection, ConnectError> {
        let (sender, watch) = match &endpoint.socket {
            Some(path) => {
                let stream = WatchedStream::new(UnixStream::connect(path).await?);
                let watch = stream.watch();
                (handshake(TokioIo::new(stream)).await?, watch)
            }
            None => {
                let stream = dial(&self.http1, endpoint).await?;
                let mut extensions = Extensions::new();
                stream.connected().get_extras(&mut extensions);
                let watch = extensions.remove().unwrap_or_default();
                (handshake(stream).await?, watch)
            }
        };
        Ok(Connection {
            endpoint: endpoint.clone(),
            sender: Sender::Http1(sender),
            watch,
            is_reused: false,
        })
    }

    /// Returns a handle of the connection of HTTP/2; `None` when it has to be made, or is just
    /// made.
    fn shared_at_hand(&self, endpoint: &Endpoint) -> Option<Connection> {
        let shared = self.kept().shared(endpoint);
        let current = shared.try_lock().ok()?;
        let sender = current.as_ref().filter(|sender| !sender.is_closed())?;
        Some(Connection::http2(endpoint, sender.clone(), true))
    }

    /// Returns a handle of the connection of HTTP/2. While it is made, other requests to this
    /// endpoint wait for it.
    async fn share(&self, endpoint: &Endpoint) -> Result<Connection, ConnectError> {
        let shared = self.kept().shared(endpoint);
        let mut current = shared.lock().await;
        let known = current.as_ref().filter(|sender| !sender.is_closed()).cloned();
        let is_reused = known.is_some();
        let sender = match known {
            Some(sender) => sender,
            None => current.insert(self.connect_http2(endpoint).await?).clone(),
        };
        Ok(Connection::http2(endpoint, sender, is_reused))
    }

    async fn connect_http2(
        &self,
        endpoint: &Endpoint,
    ) -> Result<http2::SendRequest<UpstreamBody>, ConnectError> {
        let stream = dial(&self.http2, endpoint).await?;
        if endpoint.is_tls() && !stream.connected().is_negotiated_h2() {
            return Err("the server does not offer HTTP/2 over TLS".into());
        }
        let [stream_window, connection_window] = WINDOWS;
        let [interval, timeout] = KEEP_ALIVE;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(stream_window)
            .initial_connection_window_size(connection_window)
            .keep_alive_interval(interval)
            .keep_alive_timeout(timeout)
            .handshake(stream)
            .await?;
        // Its errors are those of the requests that it carries.
        tokio::spawn(async { drop(connection.await) });
        Ok(sender)
    }

    /// Returns what this thread keeps.
    fn kept(&self) -> &Kept {
        let [first, ..] = &self.kept;
        self.kept.get(SHARE.with(|share| *share)).unwrap_or(first)
    }
}

impl Kept {
    fn shared(&self, endpoint: &Endpoint) -> Arc<SharedConnection> {
        // The map is whole between any two statements.
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shared.entry(endpoint.clone()).or_default())
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<Endpoint, VecDeque<(Connection, Instant)>>> {
        // The lists are whole between any two statements.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn drop_old(kept: &mut VecDeque<(Connection, Instant)>) {
    while kept.front().is_some_and(|(_, since)| since.elapsed() >= IDLE) {
        kept.pop_front();
    }
}

async fn dial(
    connector: &Connector,
    endpoint: &Endpoint,
) -> Result<<Connector as Service<Uri>>::Response, ConnectError> {
    let mut connector = connector.clone();
    std::future::poll_fn(|context| connector.poll_ready(context)).await?;
    connector.call(endpoint.url()?).await
}

async fn handshake<S>(stream: S) -> Result<http1::SendRequest<UpstreamBody>, ConnectError>
where
    S: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(stream).await?;
    // Its errors are those of the request that it carries.
    tokio::spawn(async { drop(connection.with_upgrades().await) });
    sender.ready().await?;
    Ok(sender)
}

impl Connection {
    fn http2(endpoint: &Endpoint, sender: http2::SendRequest<UpstreamBody>, is_reused: bool) -> Self {
        Self {
            endpoint: endpoint.clone(),
            sender: Sender::Http2(sender),
            watch: Watch::default(),
            is_reused,
        }
    }

    /// Returns `true` if it has carried an answer before.
    pub fn is_reused(&self) -> bool {
        self.is_reused
    }

    fn is_ready(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_ready(),
            Sender::Http2(sender) => sender.is_ready(),
        }
    }

    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Sends a request whose URL is the upstream's, and returns the head of its answer.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&mut self, request: Request<UpstreamBody>) -> Result<Response<Incoming>, SendError> {
        let sent = match &mut self.sender {
            Sender::Http1(sender) => {
                if self.is_reused {
                    // Once more: an answer may be complete before its request was written to the
                    // end.
                    self.watch.rest();
                }
                sender.try_send_request(to_origin_form(request)).await
            }
            Sender::Http2(sender) => sender.try_send_request(to_authority_form(request)).await,
        };
        sent.map_err(|mut error| SendError {
            is_unsent: error.take_message().is_some() || self.watch.is_stale(),
            error: error.into_error(),
        })
    }
}

/// Returns the request as HTTP/1.1 writes it (RFC 9112 §3.2.1).
fn to_origin_form(mut request: Request<UpstreamBody>) -> Request<UpstreamBody> {
    state_host(&request.uri().clone(), request.headers_mut());
    let root = PathAndQuery::from_static("/");
    let target = request.uri().path_and_query().cloned().unwrap_or(root);
    *request.uri_mut() = Uri::from(target);
    request
}

/// Returns the request as HTTP/2 writes it: with the host in `:authority` and no Host header (RFC
/// 9113 §8.3.1).
fn to_authority_form(mut request: Request<UpstreamBody>) -> Request<UpstreamBody> {
    if let Some(host) = request.headers_mut().remove(HOST)
        && let Ok(authority) = host.as_bytes().try_into()
    {
        let mut parts = request.uri().clone().into_parts();
        parts.authority = Some(authority);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
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
