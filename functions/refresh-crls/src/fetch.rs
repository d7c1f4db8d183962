//! Fetching over HTTP: one request, no redirects, a checked address, limits on size and time.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use alb_mtls_http::address::{self, AddressClass};
use alb_mtls_trust::HttpLocation;
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

use crate::error::RefreshError;

/// Configuration of fetching CRLs over HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetcher<'a> {
    pub(crate) private_networks: &'a [IpNet],
    /// Of `https` servers; there when a location needs it.
    pub(crate) tls: Option<&'a Arc<ClientConfig>>,
    pub(crate) max_bytes: usize,
}

impl Fetcher<'_> {
    /// Returns the body of the response. The caller limits the time.
    pub(crate) async fn fetch(self, location: &HttpLocation) -> Result<Vec<u8>, RefreshError> {
        let stream = self.connect(location).await?;
        match (location.is_tls(), self.tls) {
            (false, _) => self.exchange(location, stream).await,
            (true, Some(configuration)) => {
                let host = location.host();
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| RefreshError::Refused(format!("`{host}` is not a name of a server")))?;
                let connector = TlsConnector::from(Arc::clone(configuration));
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(|error| RefreshError::Unreachable(format!("TLS: {error}")))?;
                self.exchange(location, stream).await
            }
            (true, None) => Err(RefreshError::Refused("TLS is not set up".to_owned())),
        }
    }

    /// Connects to an address that was checked, without a second lookup in between. One forbidden
    /// address rejects the name: a name server that returns one cannot be trusted with the others.
    async fn connect(self, location: &HttpLocation) -> Result<TcpStream, RefreshError> {
        let looked_up = tokio::net::lookup_host((location.host(), location.port())).await;
        let addresses: Vec<SocketAddr> = looked_up
            .map_err(|error| RefreshError::Unreachable(format!("`{}`: {error}", location.host())))?
            .collect();
        for address in &addresses {
            check(address.ip(), self.private_networks)?;
        }
        TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|error| RefreshError::Unreachable(format!("cannot connect: {error}")))
    }

    async fn exchange<S>(self, location: &HttpLocation, stream: S) -> Result<Vec<u8>, RefreshError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let broken =
            |error: hyper::Error| RefreshError::Unreachable(format!("the connection broke: {error}"));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Whatever goes wrong on the connection, the exchange says; with it, the connection ends.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let request = Request::builder()
            .method(Method::GET)
            .uri(location.request_target())
            .header(HOST, location.authority())
            .header(
                USER_AGENT,
                concat!("alb-mtls-refresh-crls/", env!("CARGO_PKG_VERSION")),
            )
            .header(ACCEPT_ENCODING, "identity")
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| RefreshError::Refused(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        check_answer(&response)?;
        self.read(response.into_body()).await
    }

    async fn read(self, mut body: Incoming) -> Result<Vec<u8>, RefreshError> {
        let mut content = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| RefreshError::Unreachable(format!("the answer broke off: {error}")))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if content.len() + data.len() > self.max_bytes {
                return Err(RefreshError::Refused(format!(
                    "is larger than {} bytes",
                    self.max_bytes
                )));
            }
            content.extend_from_slice(&data);
        }
        Ok(content)
    }
}

/// Checks every reading of an address; `private` are the networks that may be reached although they
/// are not public.
fn check(address: IpAddr, private: &[IpNet]) -> Result<(), RefreshError> {
    for reading in address::readings(address) {
        let class = AddressClass::classify_reading(reading);
        let remedy = match class {
            AddressClass::Public => continue,
            AddressClass::Private if private.iter().any(|network| network.contains(&reading)) => continue,
            AddressClass::Private => {
                ": list its network in CRL_PRIVATE_NETWORKS if a CRL is to be fetched there"
            }
            AddressClass::NoHost | AddressClass::LinkLocal | AddressClass::Metadata => "",
        };
        let read_as = match reading == address {
            true => String::new(),
            false => format!(" stands for {reading}, which"),
        };
        return Err(RefreshError::Refused(format!(
            "{address}{read_as} is {class}{remedy}"
        )));
    }
    Ok(())
}

fn check_answer<B>(response: &Response<B>) -> Result<(), RefreshError> {
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    if status.is_redirection() {
        let target = shown_target(response.headers());
        return Err(RefreshError::Refused(format!(
            "the server answered {status} and points to `{target}`: redirects are not followed, name the right URL"
        )));
    }
    let explanation = format!("the server answered {status}");
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Err(RefreshError::Unreachable(explanation))
    } else {
        Err(RefreshError::Refused(explanation))
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
        check(address.parse().unwrap(), &private)
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
