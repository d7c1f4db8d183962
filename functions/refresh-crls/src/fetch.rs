//! Fetching over HTTP: one request, no redirects, a checked address, limits on size and time.

use std::net::SocketAddr;
use std::sync::Arc;

use alb_mtls_http::address;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::failure::Failure;
use crate::location::{HttpLocation, Transport};

/// How CRLs are fetched over HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetcher<'a> {
    pub(crate) private_networks: &'a [IpNet],
    /// Of `https` servers; there when a location needs it.
    pub(crate) tls: Option<&'a Arc<ClientConfig>>,
    pub(crate) max_bytes: usize,
}

impl Fetcher<'_> {
    /// The body of the answer. There is no limit on time here: whoever calls sets one.
    pub(crate) async fn fetch(self, location: &HttpLocation) -> Result<Vec<u8>, Failure> {
        let stream = self.connect(location).await?;
        match (location.transport, self.tls) {
            (Transport::Plain, _) => self.exchange(location, stream).await,
            (Transport::Tls, Some(configuration)) => {
                let name = ServerName::try_from(location.host.clone())
                    .map_err(|_| Failure::Refused(format!("`{}` is no name of a server", location.host)))?;
                let connector = TlsConnector::from(Arc::clone(configuration));
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(|error| Failure::Unreachable(format!("TLS: {error}")))?;
                self.exchange(location, stream).await
            }
            (Transport::Tls, None) => Err(Failure::Refused("TLS is not set up".to_owned())),
        }
    }

    /// Connects to an address that was checked, with no second look-up in between. One forbidden address condemns the
    /// name: who answers so cannot be trusted with the others.
    async fn connect(self, location: &HttpLocation) -> Result<TcpStream, Failure> {
        let looked_up = tokio::net::lookup_host((location.host.as_str(), location.port)).await;
        let addresses: Vec<SocketAddr> = looked_up
            .map_err(|error| Failure::Unreachable(format!("`{}`: {error}", location.host)))?
            .collect();
        for address in &addresses {
            address::check(address.ip(), self.private_networks)
                .map_err(|error| Failure::Refused(error.to_string()))?;
        }
        TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|error| Failure::Unreachable(format!("cannot connect: {error}")))
    }

    async fn exchange<S>(self, location: &HttpLocation, stream: S) -> Result<Vec<u8>, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let broken = |error: hyper::Error| Failure::Unreachable(format!("the connection broke: {error}"));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Whatever goes wrong on the connection, the exchange says; with it, the connection ends.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let request = Request::builder()
            .method(Method::GET)
            .uri(&location.path)
            .header(HOST, location.authority())
            .header(
                USER_AGENT,
                concat!("alb-mtls-refresh-crls/", env!("CARGO_PKG_VERSION")),
            )
            .header(ACCEPT_ENCODING, "identity")
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| Failure::Refused(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        check_answer(&response)?;
        self.read(response.into_body()).await
    }

    async fn read(self, mut body: Incoming) -> Result<Vec<u8>, Failure> {
        let mut content = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| Failure::Unreachable(format!("the answer broke off: {error}")))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if content.len() + data.len() > self.max_bytes {
                return Err(Failure::Refused(format!(
                    "is larger than {} bytes",
                    self.max_bytes
                )));
            }
            content.extend_from_slice(&data);
        }
        Ok(content)
    }
}

fn check_answer<B>(response: &Response<B>) -> Result<(), Failure> {
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    if status.is_redirection() {
        let target = shown_target(response.headers());
        return Err(Failure::Refused(format!(
            "the server answered {status} and points to `{target}`: redirects are not followed, name the right URL"
        )));
    }
    let explanation = format!("the server answered {status}");
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Err(Failure::Unreachable(explanation))
    } else {
        Err(Failure::Refused(explanation))
    }
}

/// What others say, fit for one line of a log.
fn shown_target(headers: &HeaderMap) -> String {
    let target = headers.get(LOCATION).map_or(&b""[..], |value| value.as_bytes());
    target.escape_ascii().to_string().chars().take(200).collect()
}
