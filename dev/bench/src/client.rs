//! A client with a certificate, over a connection that it keeps.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use test_pki::Credential;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection to `localhost` whose server certificate is checked.
#[derive(Debug)]
pub struct HttpsClient {
    sender: SendRequest<Empty<Bytes>>,
}

impl HttpsClient {
    /// Connects; the client presents these certificates, its own first, or none.
    pub async fn connect(address: SocketAddr, server_authority: &str, presented: &[&Credential]) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(server_authority.as_bytes()).expect("a certificate");
        roots.add(authority).expect("a trust anchor");
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(roots);
        let config = match presented.first() {
            None => config.with_no_client_auth(),
            Some(client) => {
                let chain = presented.iter().map(|one| one.der().to_vec().into()).collect();
                let pem = client.key().to_pem().expect("a key in PEM");
                let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a private key");
                config
                    .with_client_auth_cert(chain, key)
                    .expect("a client certificate")
            }
        };
        let tcp = TcpStream::connect(address)
            .await
            .expect("the load balancer listens");
        tcp.set_nodelay(true).expect("an option of TCP");
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::new(config));
        let tls = connector.connect(name, tcp).await.expect("a handshake");
        let (sender, connection) = handshake(TokioIo::new(tls)).await.expect("an HTTP connection");
        tokio::spawn(connection);
        Self { sender }
    }

    /// Status and body of the answer to a GET with these headers.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn get(
        &mut self,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<(StatusCode, Bytes), hyper::Error> {
        let mut request = Request::builder().uri(target).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).expect("a request");
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Returns true if another request can be sent.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}
