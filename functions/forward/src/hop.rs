//! One exchange with an upstream.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use alb_mtls_trust::{TrustSettings, Waiting};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::sync::Mutex;

use crate::connection::{Proven, Remembering};
use crate::failure::{Failure, TimeLimit};
use crate::resolver::{CheckingResolver, ResolveError};
use crate::response::{self, ReceiveError};
use crate::secrets::Secrets;
use crate::settings::TlsSettings;
use crate::tls::{IDLE, TlsMaterial, TlsVersion};

/// Longest time to connect, all addresses of the upstream together.
const CONNECT: Duration = Duration::from_secs(5);

/// Part of the invocation's time that is kept to answer in.
const RESERVE: Duration = Duration::from_millis(200);

type UpstreamClient = Client<Remembering<HttpsConnector<HttpConnector<CheckingResolver>>>, Full<Bytes>>;

/// Sends requests to upstreams over pooled connections. HTTP/1.1 only, no redirects, no decompression, no proxies.
#[derive(Debug)]
pub(crate) struct Hop {
    timeout: Duration,
    server_name: Option<ServerName<'static>>,
    material: TlsMaterial,
    client: Mutex<Option<(TlsVersion, UpstreamClient)>>,
}

impl Hop {
    /// A hop to servers, some of which may be reached over TLS; `trust` says how often trust anchors and keys are
    /// looked up again.
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
    /// [`Failure::Material`] when some of it cannot be had; the next request tries again.
    pub(crate) async fn load(&self, secrets: &Secrets) -> Result<(), Failure> {
        self.client(secrets, Waiting::Start).await.map(drop)
    }

    /// The answer to a request whose URL is the upstream's, with a body of at most so many bytes; in time for the
    /// invocation that ends at `deadline`.
    ///
    /// # Errors
    /// [`Failure`] when there is none that could be handed over.
    pub(crate) async fn exchange(
        &self,
        request: Request<Bytes>,
        repeat: Repeat,
        maximum_body: usize,
        deadline: Option<SystemTime>,
        secrets: &Secrets,
    ) -> Result<Response<Bytes>, Failure> {
        // A lookup has limits of its own. Inside the exchange's, a slow one would fail every request although the last
        // good material is there.
        let client = self.client(secrets, waiting_until(deadline)).await?;
        let started = Instant::now();
        let (time, limit) = self.time_left(deadline);
        let exchange = async {
            // Connections that died while the process was frozen are found out before one of them is taken.
            tokio::task::yield_now().await;
            match attempt(&client, &request, maximum_body).await {
                Err(AttemptError::DiedInPool(_)) if repeat == Repeat::Allowed => {
                    attempt(&client, &request, maximum_body)
                        .await
                        .map_err(AttemptError::into_failure)
                }
                answered => answered.map_err(AttemptError::into_failure),
            }
        };
        match tokio::time::timeout(time, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout {
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

    /// The client, made anew when trust anchors or keys have changed.
    async fn client(&self, secrets: &Secrets, waiting: Waiting) -> Result<UpstreamClient, Failure> {
        let version = self.material.current(secrets, waiting).await?;
        let mut current = self.client.lock().await;
        match &*current {
            Some((made_of, client)) if *made_of == version => Ok(client.clone()),
            _ => {
                let client = self.connecting(&version)?;
                *current = Some((version, client.clone()));
                Ok(client)
            }
        }
    }

    fn connecting(&self, version: &TlsVersion) -> Result<UpstreamClient, Failure> {
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
        let connector = Remembering(builder.enable_http1().wrap_connector(tcp));
        Ok(Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector))
    }
}

/// Returns what waits for a lookup: a request whose invocation ends at `deadline`.
pub(crate) fn waiting_until(deadline: Option<SystemTime>) -> Waiting {
    let left = deadline.map(|deadline| deadline.duration_since(SystemTime::now()).unwrap_or_default());
    Waiting::Request { left }
}

/// Whether a request may be sent a second time when nobody knows what became of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Allowed,
    Forbidden,
}

impl Repeat {
    /// What the client's method says about it (RFC 9110 §9.2.2).
    pub(crate) fn of(method: &Method) -> Self {
        if method.is_idempotent() {
            Self::Allowed
        } else {
            Self::Forbidden
        }
    }
}

enum AttemptError {
    Failure(Failure),
    /// A connection that had carried an answer before ended without a word of this one.
    DiedInPool(ClientError),
}

impl AttemptError {
    fn into_failure(self) -> Failure {
        match self {
            Self::Failure(failure) => failure,
            Self::DiedInPool(error) => classify(&error),
        }
    }
}

async fn attempt(
    client: &UpstreamClient,
    request: &Request<Bytes>,
    maximum_body: usize,
) -> Result<Response<Bytes>, AttemptError> {
    let answer = client.request(copy(request)).await.map_err(|error| {
        if died_in_pool(&error) {
            AttemptError::DiedInPool(error)
        } else {
            AttemptError::Failure(classify(&error))
        }
    })?;
    if let Some(proven) = answer.extensions().get::<Proven>() {
        proven.mark();
    }
    let received = response::receive(request.method(), answer, maximum_body).await;
    received.map_err(|error| match error {
        ReceiveError::Failure(failure) => AttemptError::Failure(failure),
        ReceiveError::Transport(error) => AttemptError::Failure(classify(&error)),
    })
}

/// The same request again; its body is shared.
fn copy(request: &Request<Bytes>) -> Request<Full<Bytes>> {
    let mut copy = Request::new(Full::new(request.body().clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn died_in_pool(error: &ClientError) -> bool {
    let mut extensions = http::Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extensions);
    }
    let came_from_pool = extensions.get::<Proven>().is_some_and(Proven::is_marked);
    came_from_pool && matches!(classify(error), Failure::Closed(_))
}

/// The kind of failure, from the causes behind an error.
fn classify(error: &(dyn Error + 'static)) -> Failure {
    let explanation = innermost(error).to_string();
    let mut connecting = false;
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<ClientError>() {
            connecting |= error.is_connect();
        } else if let Some(error) = cause.downcast_ref::<ResolveError>() {
            return match error {
                ResolveError::LookUp(error) => Failure::Name(error.to_string()),
                ResolveError::Forbidden { address, class } => Failure::Address {
                    address: *address,
                    class: *class,
                },
            };
        } else if cause.is::<rustls::Error>() {
            return Failure::Tls(explanation);
        } else if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
                return Failure::Protocol(error.to_string());
            }
            if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
                return Failure::Closed(error.to_string());
            }
        } else if let Some(error) = cause.downcast_ref::<io::Error>()
            && !wraps_an_error(error)
        {
            return of_io(error, connecting);
        }
    }
    if connecting {
        Failure::Unreachable(explanation)
    } else {
        Failure::Protocol(explanation)
    }
}

fn of_io(error: &io::Error, connecting: bool) -> Failure {
    let explanation = error.to_string();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused(explanation),
        io::ErrorKind::TimedOut if connecting => Failure::ConnectTimeout(CONNECT),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Failure::Closed(explanation),
        _ if connecting => Failure::Unreachable(explanation),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Failure::Protocol(explanation),
        _ => Failure::Closed(explanation),
    }
}

/// Whether a more telling error stands behind it.
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
