//! Certificates, a function and clients for the tests.

use std::error::Error;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use local_alb::{
    FunctionCommand, FunctionOutput, HeaderMode, Listener, LocalAlb, OutputLine, Record, RequestRecord,
    Target, TargetGroup,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const NAME: &str = "scripted";
pub(crate) const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/scripted/50dc6c495c0c9188";

/// A certification authority that exists for one test.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let params = authority_params(name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let params = authority_params(name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// A client certificate, in front of the given rest of its chain.
    pub(crate) fn client(&self, name: &str, rest: &[&Self]) -> Identity {
        self.client_with(client_params(name), rest)
    }

    pub(crate) fn client_with(&self, params: CertificateParams, rest: &[&Self]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let rest = rest.iter().map(|authority| authority.certificate.clone());
        Identity {
            chain: std::iter::once(leaf).chain(rest).collect(),
            key: private_key(&key),
        }
    }

    pub(crate) fn server(&self) -> Identity {
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.client_with(params, &[])
    }
}

pub(crate) fn client_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = client_params(name);
    params.extended_key_usages = Vec::new();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn private_key(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

/// A certificate chain and the private key of its first certificate.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(crate) fn listener(&self) -> Listener {
        Listener::new(self.chain.clone(), self.key.clone_key())
    }

    fn certified_key(&self) -> CertifiedKey {
        let key = aws_lc_rs::sign::any_supported_type(&self.key).unwrap();
        CertifiedKey::new(self.chain.clone(), key)
    }
}

/// Returns the program under `examples/`, which cargo builds with the tests.
pub(crate) fn scripted_function() -> FunctionCommand {
    let test_program = std::env::current_exe().unwrap();
    let target = test_program.parent().unwrap().parent().unwrap();
    let program: PathBuf = target.join("examples").join("scripted_function");
    assert!(
        program.exists(),
        "`{}` is missing: run `cargo build -p local-alb --examples`",
        program.display()
    );
    FunctionCommand::new(program)
        .name(NAME)
        .output(FunctionOutput::Discard)
}

pub(crate) fn function_target(command: FunctionCommand) -> Target {
    Target::Function {
        command,
        concurrency: NonZeroUsize::MIN,
    }
}

/// A load balancer in front of the scripted function, and what a client of it needs.
pub(crate) struct Site {
    pub(crate) alb: LocalAlb,
    pub(crate) records: UnboundedReceiver<Record>,
    server_authority: Authority,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(|listener| listener, |group| group).await
    }

    pub(crate) async fn multi_value() -> Self {
        Self::with(
            |listener| listener,
            |group| group.header_mode(HeaderMode::MultiValue),
        )
        .await
    }

    pub(crate) async fn with(
        listener: impl FnOnce(Listener) -> Listener,
        group: impl FnOnce(TargetGroup) -> TargetGroup,
    ) -> Self {
        let target = function_target(scripted_function());
        Self::groups(listener, vec![group(TargetGroup::new(NAME, target))]).await
    }

    pub(crate) async fn groups(
        listener: impl FnOnce(Listener) -> Listener,
        groups: Vec<TargetGroup>,
    ) -> Self {
        let server_authority = Authority::new("server authority");
        let (sender, records) = unbounded_channel();
        let settings = listener(server_authority.server().listener().records(sender));
        let alb = LocalAlb::start(settings, groups).await.unwrap();
        Self {
            alb,
            records,
            server_authority,
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client {
            address: self.alb.address(),
            server_authority: self.server_authority.certificate.clone(),
            identity: None,
            version: Version::HTTP_11,
            protocol: &rustls::version::TLS13,
        }
    }

    pub(crate) async fn request_record(&mut self) -> RequestRecord {
        loop {
            if let Record::Request(record) = self.records.recv().await.unwrap() {
                return record;
            }
        }
    }

    /// Returns the reason why the load balancer answered the previous request by itself.
    pub(crate) async fn problem(&mut self) -> String {
        self.request_record().await.problem.unwrap_or_default()
    }

    pub(crate) fn server_authority(&self) -> &CertificateDer<'static> {
        &self.server_authority.certificate
    }
}

/// An HTTPS client with every freedom that an attacker has.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    server_authority: CertificateDer<'static>,
    identity: Option<Arc<CertifiedKey>>,
    version: Version,
    protocol: &'static SupportedProtocolVersion,
}

impl Client {
    pub(crate) fn identity(mut self, identity: &Identity) -> Self {
        self.identity = Some(Arc::new(identity.certified_key()));
        self
    }

    /// Presents the chain of one identity and signs with the key of another.
    pub(crate) fn stolen(mut self, chain_of: &Identity, key_of: &Identity) -> Self {
        let mut stolen = key_of.certified_key();
        stolen.cert = chain_of.chain.clone();
        self.identity = Some(Arc::new(stolen));
        self
    }

    pub(crate) fn http_2(mut self) -> Self {
        self.version = Version::HTTP_2;
        self
    }

    pub(crate) fn tls_1_2(mut self) -> Self {
        self.protocol = &rustls::version::TLS12;
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Bytes> {
        self.send(self.request(path).body(Bytes::new()).unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        let request = self
            .request(path)
            .method("POST")
            .header("content-type", "text/plain");
        self.send(request.body(body.into()).unwrap()).await.unwrap()
    }

    /// Returns the event that the function got for this request.
    pub(crate) async fn event(&self, request: Request<Bytes>) -> Value {
        let response = self.send(request).await.unwrap();
        assert_eq!(response.status(), 200);
        shown(&response)["event"].clone()
    }

    pub(crate) fn request(&self, path: &str) -> http::request::Builder {
        let builder = Request::builder().version(self.version);
        if self.version == Version::HTTP_2 {
            builder.uri(format!("https://localhost{path}"))
        } else {
            builder.uri(path).header("host", "localhost")
        }
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error>> {
        let stream = TokioIo::new(self.connect().await?);
        let request = request.map(Full::new);
        let response = if self.version == Version::HTTP_2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        let (head, body) = response.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    /// Sends bytes that no HTTP library would, and reads until the end of the connection.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A connection that ends without TLS's own farewell has still answered.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    pub(crate) async fn connect(&self) -> Result<TlsStream<TcpStream>, Box<dyn Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.server_authority.clone())?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[self.protocol])?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(AlwaysThisCertificate(Arc::clone(identity))))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![if self.version == Version::HTTP_2 {
            b"h2".to_vec()
        } else {
            b"http/1.1".to_vec()
        }];
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost")?;
        Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
    }
}

/// Also when key and certificate do not belong together.
#[derive(Debug)]
struct AlwaysThisCertificate(Arc<CertifiedKey>);

impl ResolvesClientCert for AlwaysThisCertificate {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Returns the JSON in the body of the scripted function.
pub(crate) fn shown(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// Waits until the function has written this line.
pub(crate) async fn wait_for(lines: &mut UnboundedReceiver<OutputLine>, text: &str) {
    let found = async { while lines.recv().await.unwrap().text != text {} };
    let limit = std::time::Duration::from_secs(20);
    assert!(
        tokio::time::timeout(limit, found).await.is_ok(),
        "`{text}` did not come"
    );
}
