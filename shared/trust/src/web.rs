//! Requests over HTTP to servers that publish CRLs or answer about certificates: one request, no
//! redirects, a checked address, a limit on size. The caller limits the time.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use alb_mtls_http::address::{self, AddressClass};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::crl::HttpLocation;
use crate::document::Content;
use crate::fetch_error::FetchError;
use crate::source::intake::Intake;

/// Rules for requests to web servers.
#[derive(Clone, Copy, Debug)]
pub struct WebRules<'a> {
    /// Networks that may be reached although they are not public.
    pub private_networks: &'a [IpNet],
    /// Setting that lists them, for messages.
    pub networks_setting: &'static str,
    /// Value of the header `User-Agent`.
    pub user_agent: &'static str,
    /// Most bytes of the body of a response.
    pub max_bytes: usize,
}

/// Request that a server gets.
#[derive(Clone, Debug)]
pub enum WebRequest {
    /// GET of the location.
    Get,
    /// POST of a body to the location.
    Post {
        /// Media type of the body.
        content_type: &'static str,
        /// Media type of the response.
        accept: &'static str,
        /// Body.
        body: Vec<u8>,
    },
}

/// Failure of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// A server did not answer, or not usefully: the next attempt can succeed.
    #[error("{0}")]
    Unreachable(String),
    /// The address or the answer cannot be used, and another attempt will find the same.
    #[error("{0}")]
    Refused(String),
}

/// Network that is not public and may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateNetwork(pub IpNet);

impl FromStr for PrivateNetwork {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let network = text.parse().map(Self);
        network.map_err(|_| "networks such as `10.1.0.0/16` or `fd00::/8`")
    }
}

impl WebRules<'_> {
    /// Connects to an address that was checked, without a second lookup in between. One forbidden
    /// address rejects the name: a name server that returns one cannot be trusted with the others.
    ///
    /// # Errors
    /// [`WebError`] for a name without an address, a forbidden address, or no connection.
    pub async fn connect(self, location: &HttpLocation) -> Result<TcpStream, WebError> {
        let looked_up = tokio::net::lookup_host((location.host(), location.port())).await;
        let addresses: Vec<SocketAddr> = looked_up
            .map_err(|error| WebError::Unreachable(format!("`{}`: {error}", location.host())))?
            .collect();
        for address in &addresses {
            self.check(address.ip())?;
        }
        TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|error| WebError::Unreachable(format!("cannot connect: {error}")))
    }

    /// Returns the body of the response to one request on a connection to the location.
    ///
    /// # Errors
    /// [`WebError`] for every answer but 200, and for a body that breaks off or is too large.
    pub async fn exchange<S>(
        self,
        location: &HttpLocation,
        request: WebRequest,
        stream: S,
    ) -> Result<Vec<u8>, WebError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut content = Vec::new();
        let take = |part: &[u8]| {
            content.extend_from_slice(part);
            Ok(())
        };
        self.exchange_into(location, request, stream, take).await?;
        Ok(content)
    }

    /// Returns the CRLs at the location. A large one in DER is read while it arrives, and kept in a
    /// temporary file.
    ///
    /// # Errors
    /// Those of [`exchange`](Self::exchange), and a temporary file that cannot be written.
    pub async fn get_lists<S>(self, location: &HttpLocation, stream: S) -> Result<Content, WebError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let refused = |error: FetchError| WebError::Refused(error.to_string());
        let mut content = Intake::new(self.max_bytes, true, 0).map_err(refused)?;
        let take = |part: &[u8]| content.push(part).map_err(refused);
        self.exchange_into(location, WebRequest::Get, stream, take)
            .await?;
        Ok(content.finish(location.to_string()).content)
    }

    async fn exchange_into<S>(
        self,
        location: &HttpLocation,
        request: WebRequest,
        stream: S,
        take: impl FnMut(&[u8]) -> Result<(), WebError>,
    ) -> Result<(), WebError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let broken = |error: hyper::Error| WebError::Unreachable(format!("the connection broke: {error}"));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Whatever goes wrong on the connection, the exchange says; with it, the connection ends.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let builder = Request::builder()
            .uri(location.request_target())
            .header(HOST, location.authority())
            .header(USER_AGENT, self.user_agent)
            .header(ACCEPT_ENCODING, "identity")
            .header(CONNECTION, "close");
        let request = match request {
            WebRequest::Get => builder.method(Method::GET).body(Full::new(Bytes::new())),
            WebRequest::Post {
                content_type,
                accept,
                body,
            } => builder
                .method(Method::POST)
                .header(CONTENT_TYPE, content_type)
                .header(ACCEPT, accept)
                .body(Full::new(Bytes::from(body))),
        };
        let request = request.map_err(|error| WebError::Refused(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        check_answer(&response)?;
        self.read(response.into_body(), take).await
    }

    async fn read(
        self,
        mut body: Incoming,
        mut take: impl FnMut(&[u8]) -> Result<(), WebError>,
    ) -> Result<(), WebError> {
        let mut length = 0_usize;
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| WebError::Unreachable(format!("the answer broke off: {error}")))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            length = length.saturating_add(data.len());
            if length > self.max_bytes {
                return Err(WebError::Refused(format!(
                    "is larger than {} bytes",
                    self.max_bytes
                )));
            }
            take(&data)?;
        }
        Ok(())
    }

    /// Checks every reading of an address.
    fn check(self, address: IpAddr) -> Result<(), WebError> {
        for reading in address::readings(address) {
            let class = AddressClass::classify_reading(reading);
            let is_listed = || {
                let mut networks = self.private_networks.iter();
                networks.any(|network| network.contains(&reading))
            };
            let remedy = match class {
                AddressClass::Public => continue,
                AddressClass::Private if is_listed() => continue,
                AddressClass::Private => format!(
                    ": list its network in {} if this server is to be asked",
                    self.networks_setting
                ),
                AddressClass::NoHost | AddressClass::LinkLocal | AddressClass::Metadata => String::new(),
            };
            let read_as = match reading == address {
                true => String::new(),
                false => format!(" stands for {reading}, which"),
            };
            return Err(WebError::Refused(format!(
                "{address}{read_as} is {class}{remedy}"
            )));
        }
        Ok(())
    }
}

fn check_answer<B>(response: &Response<B>) -> Result<(), WebError> {
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    if status.is_redirection() {
        let target = shown_target(response.headers());
        return Err(WebError::Refused(format!(
            "the server answered {status} and points to `{target}`: redirects are not followed, name the right URL"
        )));
    }
    let explanation = format!("the server answered {status}");
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Err(WebError::Unreachable(explanation))
    } else {
        Err(WebError::Refused(explanation))
    }
}

/// Returns the target of a redirect, fit for one line of a log.
fn shown_target(headers: &HeaderMap) -> String {
    let target = headers.get(LOCATION).map_or(&b""[..], |value| value.as_bytes());
    target.escape_ascii().to_string().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(address: &str, private: &[&str]) -> Option<String> {
        let private: Vec<IpNet> = private.iter().map(|network| network.parse().unwrap()).collect();
        let rules = WebRules {
            private_networks: &private,
            networks_setting: "CRL_PRIVATE_NETWORKS",
            user_agent: "test",
            max_bytes: 0,
        };
        rules
            .check(address.parse().unwrap())
            .err()
            .map(|failure| failure.to_string())
    }

    #[test]
    fn a_private_address_needs_its_network_in_the_list() {
        assert_eq!(refusal("1.1.1.1", &[]), None);
        assert_eq!(refusal("64:ff9b::1.1.1.1", &[]), None);
        for (address, network) in [
            ("10.1.2.3", "10.1.0.0/16"),
            ("::ffff:10.1.2.3", "10.1.0.0/16"),
            ("64:ff9b::10.1.2.3", "10.1.0.0/16"),
            ("2002:a01:203::1", "10.1.0.0/16"),
            ("fd12::1", "fd12::/64"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(refusal(address, &[network]), None, "{address}");
            let refusal = refusal(address, &["192.168.0.0/16"]).unwrap();
            assert!(refusal.contains("CRL_PRIVATE_NETWORKS"), "{refusal}");
        }
        // Both the prefix of the translator and the network behind it.
        let networks = ["10.1.0.0/16", "64:ff9b:1::/48"];
        assert_eq!(refusal("64:ff9b:1::10.1.2.3", &networks), None);
        for network in networks {
            assert!(refusal("64:ff9b:1::10.1.2.3", &[network]).is_some(), "{network}");
        }
    }

    #[test]
    fn a_list_does_not_open_metadata_services() {
        for (address, words) in [
            ("169.254.169.254", "169.254.169.254 is a link-local address"),
            ("fd00:ec2::254", "is an address of the EC2 metadata service"),
            (
                "64:ff9b:1:a9fe:a9:fe00:808:808",
                "stands for 169.254.169.254, which is a link-local address",
            ),
            ("0.0.0.0", "is an address that no single host has"),
        ] {
            let refusal = refusal(address, &["0.0.0.0/0", "::/0"]).unwrap();
            assert!(refusal.contains(words), "{refusal}");
            assert!(!refusal.contains("CRL_PRIVATE_NETWORKS"), "{refusal}");
        }
    }
}
