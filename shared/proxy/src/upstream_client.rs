//! Connections to upstreams with the TLS of now, and what went wrong with one.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alb_mtls_trust::{TrustSettings, Waiting};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls_pki_types::ServerName;

use crate::connection::Watching;
use crate::error::ForwardError;
use crate::pool::Pool;
use crate::resolver::{CheckingResolver, ResolveError};
use crate::secrets::Secrets;
use crate::settings::TlsSettings;
use crate::tls::{TlsMaterial, TlsVersion};

/// Longest time to connect, all addresses of the upstream and TLS together.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// Connections to upstreams. No redirects, no decompression, no proxies.
#[derive(Debug)]
pub struct UpstreamClient {
    timeout: Duration,
    server_name: Option<ServerName<'static>>,
    material: TlsMaterial,
    pool: Mutex<Option<(TlsVersion, Arc<Pool>)>>,
}

impl UpstreamClient {
    /// Creates a client for servers, some of which can be reached over TLS; `trust` says how often
    /// trust anchors and keys are looked up again.
    ///
    /// # Errors
    /// When there are no trust anchors to check upstreams with.
    pub fn new(
        timeout: Duration,
        tls: &TlsSettings,
        any_tls: bool,
        trust: &TrustSettings,
    ) -> Result<Self, String> {
        Ok(Self {
            timeout,
            server_name: tls.server_name.clone(),
            material: TlsMaterial::new(tls, any_tls, trust)?,
            pool: Mutex::new(None),
        })
    }

    /// Makes ready for connections now, so that the first request does not wait for what it needs.
    ///
    /// # Errors
    /// [`ForwardError::Material`] when some of it cannot be had; the next request tries again.
    pub async fn load(&self, secrets: &Secrets) -> Result<(), ForwardError> {
        self.pool(secrets, Waiting::Start).await?.drop_idle();
        Ok(())
    }

    /// Returns the longest time for an exchange.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the connections, which are made again when trust anchors or keys have changed.
    ///
    /// # Errors
    /// [`ForwardError::Material`] when some of these cannot be had.
    pub async fn pool(&self, secrets: &Secrets, waiting: Waiting) -> Result<Arc<Pool>, ForwardError> {
        let version = match self.material.at_hand() {
            Some(version) => version,
            // In a box: it is rare, and every request would have to make room for its state.
            None => Box::pin(self.material.current(secrets, waiting)).await?,
        };
        // It is whole between any two statements.
        let mut current = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((made_of, pool)) if *made_of == version => Ok(Arc::clone(pool)),
            _ => {
                let pool = Arc::new(self.connecting(&version)?);
                *current = Some((version, Arc::clone(&pool)));
                Ok(pool)
            }
        }
    }

    fn connecting(&self, version: &TlsVersion) -> Result<Pool, ForwardError> {
        let mut tcp = HttpConnector::new_with_resolver(CheckingResolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let builder = || -> Result<_, ForwardError> {
            let builder = HttpsConnectorBuilder::new()
                .with_tls_config(version.configuration()?)
                .https_or_http();
            Ok(match &self.server_name {
                None => builder,
                Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name.clone())),
            })
        };
        let http1 = builder()?.enable_http1().wrap_connector(Watching(tcp.clone()));
        let http2 = builder()?.enable_http2().wrap_connector(Watching(tcp));
        Ok(Pool::new(http1, http2))
    }
}

/// Progress of an exchange when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is no connection yet.
    Connecting,
    /// There is one.
    Exchange,
}

/// Returns the kind of failure, from the causes of an error.
pub fn classify(error: &(dyn Error + 'static), phase: Phase) -> ForwardError {
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
