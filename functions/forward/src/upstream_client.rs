//! Exchange with an upstream.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use alb_mtls_trust::{TrustSettings, Waiting};
use bytes::Bytes;
use http::{Method, Request, Response};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls_pki_types::ServerName;
use tokio::sync::Mutex;

use crate::connection::Watching;
use crate::error::{ForwardError, TimeLimit};
use crate::pool::Pool;
use crate::resolver::{CheckingResolver, ResolveError};
use crate::response::{self, ReceiveError};
use crate::secrets::Secrets;
use crate::settings::TlsSettings;
use crate::tls::{TlsMaterial, TlsVersion};

/// Longest time to connect, all addresses of the upstream together.
const CONNECT: Duration = Duration::from_secs(5);

/// Part of the invocation's time that is kept to answer in.
const RESERVE: Duration = Duration::from_millis(200);

/// Sends requests to upstreams over pooled connections. HTTP/1.1 only, no redirects, no
/// decompression, no proxies.
#[derive(Debug)]
pub(crate) struct UpstreamClient {
    timeout: Duration,
    server_name: Option<ServerName<'static>>,
    material: TlsMaterial,
    client: Mutex<Option<(TlsVersion, Arc<Pool>)>>,
}

impl UpstreamClient {
    /// Creates a client for servers, some of which can be reached over TLS; `trust` says how often
    /// trust anchors and keys are looked up again.
    ///
    /// # Errors
    /// When there are no trust anchors to check upstreams with.
    pub(crate) fn new(
        timeout: Duration,
        tls: &TlsSettings,
        any_tls: bool,
        trust: &TrustSettings,
    ) -> Result<Self, String> {
        Ok(Self {
            timeout,
            server_name: tls.server_name.clone(),
            material: TlsMaterial::new(tls, any_tls, trust)?,
            client: Mutex::new(None),
        })
    }

    /// Makes the client now, so that the first request does not wait for what it needs.
    ///
    /// # Errors
    /// [`ForwardError::Material`] when some of it cannot be had; the next request tries again.
    pub(crate) async fn load(&self, secrets: &Secrets) -> Result<(), ForwardError> {
        self.client(secrets, Waiting::Start).await.map(drop)
    }

    /// Sends a request whose URL is the upstream's, and returns its answer with a body of at most
    /// `maximum_body` bytes, in time for the invocation that ends at `deadline`.
    ///
    /// # Errors
    /// [`ForwardError`] when there is no answer that can be passed on.
    pub(crate) async fn exchange(
        &self,
        request: Request<Bytes>,
        retry: Retry,
        maximum_body: usize,
        deadline: Option<SystemTime>,
        secrets: &Secrets,
    ) -> Result<Response<Bytes>, ForwardError> {
        // A lookup has limits of its own. Inside the exchange's, a slow one would fail every
        // request although the last good material is there.
        let client = self.client(secrets, waiting_until(deadline)).await?;
        let started = Instant::now();
        let (time, limit) = self.time_left(deadline);
        let exchange = async {
            // Connections that ended while the process was frozen are told so before one of them is
            // taken.
            tokio::task::yield_now().await;
            match attempt(&client, &request, maximum_body).await {
                Err(AttemptError::DiedInPool(_)) if retry == Retry::Allowed => {
                    attempt(&client, &request, maximum_body)
                        .await
                        .map_err(AttemptError::into_error)
                }
                answered => answered.map_err(AttemptError::into_error),
            }
        };
        match tokio::time::timeout(time, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ForwardError::Timeout {
                elapsed: started.elapsed(),
                limit,
            }),
        }
    }

    fn time_left(&self, deadline: Option<SystemTime>) -> (Duration, TimeLimit) {
        let left = deadline.map(|deadline| {
            deadline
                .duration_since(SystemTime::now())
                .unwrap_or_default()
                .saturating_sub(RESERVE)
        });
        match left {
            Some(left) if left < self.timeout => (left, TimeLimit::Invocation),
            _ => (self.timeout, TimeLimit::Setting),
        }
    }

    /// Returns the client, which is made again when trust anchors or keys have changed.
    async fn client(&self, secrets: &Secrets, waiting: Waiting) -> Result<Arc<Pool>, ForwardError> {
        let version = self.material.current(secrets, waiting).await?;
        let mut current = self.client.lock().await;
        match &*current {
            Some((made_of, client)) if *made_of == version => Ok(Arc::clone(client)),
            _ => {
                let client = Arc::new(self.connecting(&version)?);
                *current = Some((version, Arc::clone(&client)));
                Ok(client)
            }
        }
    }

    fn connecting(&self, version: &TlsVersion) -> Result<Pool, ForwardError> {
        let mut tcp = HttpConnector::new_with_resolver(CheckingResolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let builder = HttpsConnectorBuilder::new()
            .with_tls_config(version.configuration()?)
            .https_or_http();
        let builder = match &self.server_name {
            None => builder,
            Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name.clone())),
        };
        let builder = builder.enable_http1();
        Ok(Pool::new(builder.wrap_connector(Watching(tcp))))
    }
}

/// Returns what waits for a lookup: a request whose invocation ends at `deadline`.
pub(crate) fn waiting_until(deadline: Option<SystemTime>) -> Waiting {
    let left = deadline.map(|deadline| deadline.duration_since(SystemTime::now()).unwrap_or_default());
    Waiting::Request { left }
}

/// Permission to send a request a second time when the fate of the first is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    Allowed,
    Forbidden,
}

impl Retry {
    /// Returns the permission that the method gives (RFC 9110 §9.2.2).
    pub(crate) fn for_method(method: &Method) -> Self {
        if method.is_idempotent() {
            Self::Allowed
        } else {
            Self::Forbidden
        }
    }
}

enum AttemptError {
    Final(ForwardError),
    /// A connection that had carried an answer before ended without a word of this one.
    DiedInPool(ForwardError),
}

impl AttemptError {
    fn into_error(self) -> ForwardError {
        match self {
            Self::Final(failure) | Self::DiedInPool(failure) => failure,
        }
    }
}

async fn attempt(
    pool: &Pool,
    request: &Request<Bytes>,
    maximum_body: usize,
) -> Result<Response<Bytes>, AttemptError> {
    let (connection, answer) = loop {
        let mut connection = pool
            .connection(request.uri())
            .await
            .map_err(|error| AttemptError::Final(classify(&*error, Phase::Connecting)))?;
        match connection.send(request).await {
            Ok(answer) => break (connection, answer),
            // Ends with the last connection that was kept: a new one carries the request, or fails.
            Err(error) if error.is_unsent && connection.is_reused() => {}
            Err(error) => {
                let failure = classify(&error.error, Phase::Exchange);
                return Err(match failure {
                    ForwardError::Closed(_) if connection.is_reused() => AttemptError::DiedInPool(failure),
                    _ => AttemptError::Final(failure),
                });
            }
        }
    };
    match response::receive(request.method(), answer, maximum_body).await {
        Ok(answer) => {
            pool.keep(connection);
            Ok(answer)
        }
        Err(ReceiveError::Final(failure)) => Err(AttemptError::Final(failure)),
        Err(ReceiveError::Transport(error)) => Err(AttemptError::Final(classify(&error, Phase::Exchange))),
    }
}

/// Progress of an exchange when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Exchange,
}

/// Returns the kind of failure, from the causes of an error.
fn classify(error: &(dyn Error + 'static), phase: Phase) -> ForwardError {
    let explanation = innermost(error).to_string();
    let connecting = phase == Phase::Connecting;
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<ResolveError>() {
            return match error {
                ResolveError::LookUp(error) => ForwardError::Name(error.to_string()),
                ResolveError::Forbidden { address, class } => ForwardError::Address {
                    address: *address,
                    class: *class,
                },
            };
        } else if cause.is::<rustls::Error>() {
            return ForwardError::Tls(explanation);
        } else if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
                return ForwardError::Protocol(error.to_string());
            }
            if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
                return ForwardError::Closed(error.to_string());
            }
        } else if let Some(error) = cause.downcast_ref::<io::Error>()
            && !wraps_an_error(error)
        {
            return of_io(error, connecting);
        }
    }
    if connecting {
        ForwardError::Unreachable(explanation)
    } else {
        ForwardError::Protocol(explanation)
    }
}

fn of_io(error: &io::Error, connecting: bool) -> ForwardError {
    let explanation = error.to_string();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ForwardError::Refused(explanation),
        io::ErrorKind::TimedOut if connecting => ForwardError::ConnectTimeout(CONNECT),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => ForwardError::Closed(explanation),
        _ if connecting => ForwardError::Unreachable(explanation),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => ForwardError::Protocol(explanation),
        _ => ForwardError::Closed(explanation),
    }
}

/// Returns true if a more specific error is the cause of this one.
fn wraps_an_error(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>() || inner.is::<io::Error>())
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        // An io::Error's source is the source of what it wraps, which hides that one itself.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}
