//! A request over a connection of its own, with a real handshake.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, Error, HandshakeKind, RootCertStore, SignatureScheme};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::answer::{Answer, Outcome};
use super::client::Client;
use super::route::Target;

/// Most of an answer's body that is read: a load balancer takes 1 MB from a function.
const MAXIMUM_BODY: usize = 1024 * 1024;

/// Sessions of one client that are kept for its second connection; one is used.
const SESSIONS: usize = 8;

/// Connects to one load balancer.
pub(super) struct Connector {
    addresses: Vec<SocketAddr>,
    target: Target,
    config: ClientConfig,
    limit: Duration,
}

/// A request, and the client that sends it.
pub(super) struct Attempt<'a> {
    pub(super) client: Option<&'a Client>,
    pub(super) request: Request<()>,
}

/// Outcome of a connection.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) outcome: Outcome,
    /// Signature algorithms that the server offered for client certificates; `None` when it did not
    /// ask for a certificate.
    pub(super) offered: Option<Vec<SignatureScheme>>,
    pub(super) tls: Option<TlsFacts>,
    pub(super) was_resumed: bool,
}

/// Properties of a completed handshake.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TlsFacts {
    pub(super) version: String,
    pub(super) cipher_suite: String,
    pub(super) key_exchange: String,
}

/// Reason why there is nothing to try.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnreachableError {
    #[error(
        "cannot find an address of `{0}`: {1}; name the load balancer with `--connect-to`, as the output `TryIt` of the stack does"
    )]
    Name(String, #[source] std::io::Error),
    #[error("cannot connect to `{0}`: {1}")]
    Connect(String, #[source] std::io::Error),
    #[error("`{place}` did not {what} within {} seconds: look at its security group, or raise `--timeout`", limit.as_secs())]
    TimedOut {
        place: String,
        what: &'static str,
        limit: Duration,
    },
    #[error("`{0}` does not answer with TLS: {1}")]
    NotTls(String, String),
    #[error(
        "the server's certificate is not accepted for `{host}`: {problem}; name its CA with `--cacert`, and use a name of the certificate in the URL"
    )]
    ServerCertificate { host: String, problem: String },
    #[error("requests with and without a certificate get no answer within {} seconds: look at the function's log, or raise `--timeout`", .0.as_secs())]
    Silent(Duration),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] Error),
    #[error("cannot read the server authorities: {0}")]
    Authorities(String),
}

impl Connector {
    /// Looks up the place; connects nowhere yet.
    pub(super) async fn new(
        target: Target,
        (host, port): (String, u16),
        server_authorities: RootCertStore,
        limit: Duration,
    ) -> Result<Self, UnreachableError> {
        let place = format!("{host}:{port}");
        let lookup = timeout(limit, tokio::net::lookup_host((host.as_str(), port))).await;
        let timed_out = |_| UnreachableError::TimedOut {
            place: place.clone(),
            what: "resolve",
            limit,
        };
        let addresses: Vec<SocketAddr> = lookup
            .map_err(timed_out)?
            .map_err(|error| UnreachableError::Name(host.clone(), error))?
            .collect();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(UnreachableError::Tls)?
            .with_root_certificates(server_authorities)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            addresses,
            target,
            config,
            limit,
        })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Makes sure that there is a server whose certificate is right. Returns whether a handshake
    /// without a client certificate completed.
    pub(super) async fn reach(&self) -> Result<bool, UnreachableError> {
        let place = format!("{}:{}", self.target.host, self.target.port);
        let timed_out = |what| {
            let place = place.clone();
            move |_| UnreachableError::TimedOut {
                place,
                what,
                limit: self.limit,
            }
        };
        let stream = timeout(self.limit, self.tcp())
            .await
            .map_err(timed_out("take the connection"))?
            .map_err(|error| UnreachableError::Connect(place.clone(), error))?;
        let (config, _) = self.config(None);
        let connector = TlsConnector::from(Arc::new(config));
        let handshake = connector.connect(self.target.server_name.clone(), stream);
        let handshake = timeout(self.limit, handshake)
            .await
            .map_err(timed_out("complete a TLS handshake"))?;
        let Err(error) = handshake else {
            return Ok(true);
        };
        match tls_error(&error) {
            Some(Error::InvalidCertificate(problem)) => Err(UnreachableError::ServerCertificate {
                host: self.target.host.clone(),
                problem: explain(problem),
            }),
            Some(Error::AlertReceived(_)) => Ok(false),
            _ => Err(UnreachableError::NotTls(place, plain(&error.to_string()))),
        }
    }

    /// Sends one request and reads the answer.
    pub(super) async fn send(&self, attempt: Attempt<'_>) -> Exchange {
        let (config, resolver) = self.config(attempt.client);
        self.send_with(Arc::new(config), &resolver, attempt.request).await
    }

    /// Sends the same request over two connections, the second of which offers the session of the
    /// first.
    pub(super) async fn send_twice(&self, attempt: Attempt<'_>) -> Exchange {
        let (config, resolver) = self.config(attempt.client);
        let config = Arc::new(config);
        self.send_with(Arc::clone(&config), &resolver, attempt.request.clone())
            .await;
        self.send_with(config, &resolver, attempt.request).await
    }

    /// Returns a configuration without sessions of other clients.
    fn config(&self, client: Option<&Client>) -> (ClientConfig, Arc<Presented>) {
        let resolver = Arc::new(Presented {
            key: client.map(|client| Arc::clone(client.key())),
            offered: OnceLock::new(),
        });
        let mut config = self.config.clone();
        config.client_auth_cert_resolver = Arc::clone(&resolver) as Arc<dyn ResolvesClientCert>;
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        (config, resolver)
    }

    async fn send_with(
        &self,
        config: Arc<ClientConfig>,
        resolver: &Presented,
        request: Request<()>,
    ) -> Exchange {
        let mut exchange = Exchange {
            outcome: Outcome::TimedOut(self.limit),
            offered: None,
            tls: None,
            was_resumed: false,
        };
        let attempt = self.try_to_send(config, request, &mut exchange);
        if let Ok(outcome) = timeout(self.limit, attempt).await {
            exchange.outcome = outcome;
        }
        exchange.offered = resolver.offered.get().cloned();
        exchange
    }

    async fn try_to_send(
        &self,
        config: Arc<ClientConfig>,
        request: Request<()>,
        exchange: &mut Exchange,
    ) -> Outcome {
        let stream = match self.tcp().await {
            Ok(stream) => stream,
            Err(error) => return Outcome::Unreachable(plain(&error.to_string())),
        };
        let connector = TlsConnector::from(config);
        let stream = match connector.connect(self.target.server_name.clone(), stream).await {
            Ok(stream) => stream,
            Err(error) => return Outcome::HandshakeFailed(plain(&error.to_string())),
        };
        exchange.tls = facts(&stream);
        exchange.was_resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        match exchange_over(stream, request).await {
            Ok(answer) => Outcome::Answered(answer),
            // In TLS 1.3 a server refuses a client certificate after the client's part is done.
            Err(problem) => Outcome::Closed(plain(&problem)),
        }
    }

    /// Connects to the first address that takes a connection.
    async fn tcp(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(self.addresses.as_slice()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

async fn exchange_over(stream: TlsStream<TcpStream>, request: Request<()>) -> Result<Answer, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(cause)?;
    let connection = tokio::spawn(connection);
    let response = sender
        .send_request(request.map(|()| Full::<Bytes>::default()))
        .await;
    let response = match response {
        Ok(response) => response,
        Err(error) => {
            // The alert of TLS is an error of the connection.
            let of_connection = timeout(Duration::from_secs(1), connection).await;
            return Err(match of_connection {
                Ok(Ok(Err(of_connection))) => cause(of_connection),
                _ => cause(error),
            });
        }
    };
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAXIMUM_BODY).collect().await;
    connection.abort();
    let body = body.map_err(|error| format!("the answer breaks off: {error}"))?;
    Ok(Answer::read(&head, &body.to_bytes()))
}

/// Returns the innermost reason.
fn cause(error: hyper::Error) -> String {
    let mut reason: &dyn std::error::Error = &error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

fn facts(stream: &TlsStream<TcpStream>) -> Option<TlsFacts> {
    let (_, session) = stream.get_ref();
    Some(TlsFacts {
        version: format!("{:?}", session.protocol_version()?).replace('_', "."),
        cipher_suite: format!("{:?}", session.negotiated_cipher_suite()?.suite()),
        key_exchange: session
            .negotiated_key_exchange_group()
            .map(|group| format!("{:?}", group.name()))
            .unwrap_or_default(),
    })
}

fn tls_error(error: &std::io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn explain(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "its CA is not known".to_owned(),
        other => plain(&other.to_string()),
    }
}

/// Returns a text without control characters: what a server sent can be in it.
fn plain(text: &str) -> String {
    let visible = text.chars().take(300);
    visible
        .map(
            |character| match character.is_control() || !character.is_ascii() {
                true => '?',
                false => character,
            },
        )
        .collect()
}

/// Presents a chain whatever the server asks for, and remembers whether it asked.
#[derive(Debug)]
struct Presented {
    key: Option<Arc<CertifiedKey>>,
    offered: OnceLock<Vec<SignatureScheme>>,
}

impl ResolvesClientCert for Presented {
    fn resolve(&self, _: &[&[u8]], offered: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let _ = self.offered.set(offered.to_vec());
        self.key.clone()
    }

    /// Returns true without a certificate too: otherwise rustls would not tell that the server
    /// asked
    fn has_certs(&self) -> bool {
        true
    }
}
