//! A PKI for one test: a root, an issuing CA, and clients of every kind.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use local_alb::{ClientCertificateHeaderCopies, Listener, passthrough_header};
use test_pki::{CertificateBuilder, Credential, KeyKind, Purpose, chain_pem, write_private};

/// A root, an issuing CA, and what clients of it and of others present. Everything lives in a
/// folder of its own.
#[derive(Debug)]
pub struct Clients {
    directory: tempfile::TempDir,
    pub root: Credential,
    pub issuing: Credential,
    pub good: Credential,
}

impl Clients {
    /// Makes the PKI and writes `anchors.pem` with the root.
    pub fn new() -> Self {
        Self::of("Test")
    }

    /// A PKI whose CAs have other names. One made with [`Clients::new`] twice is an impostor of the
    /// first: the same names, other keys.
    pub fn of(name: &str) -> Self {
        let root = CertificateBuilder::root(&format!("CN={name} Root,O=Tests"))
            .self_signed()
            .expect("a root");
        let issuing = CertificateBuilder::intermediate(&format!("CN={name} Issuing CA,O=Tests"))
            .path_length(0)
            .issued_by(&root)
            .expect("an issuing CA");
        let good = CertificateBuilder::client("CN=client-1,OU=Payments,O=Tests")
            .dns("client-1.tests.example")
            .uri("spiffe://tests.example/client-1")
            .issued_by(&issuing)
            .expect("a client");
        let directory = tempfile::tempdir().expect("a temporary folder");
        let clients = Self {
            directory,
            root,
            issuing,
            good,
        };
        clients.write("anchors.pem", &clients.root.pem());
        clients
    }

    /// Returns the folder of this PKI.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory().join(name);
        std::fs::write(&path, content).expect("a file in the temporary folder");
        path
    }

    /// `file:` source of the root.
    pub fn anchors_source(&self) -> String {
        format!("file:{}", self.directory().join("anchors.pem").display())
    }

    /// A client certificate with other properties, issued like the good one.
    pub fn issue(&self, client: CertificateBuilder) -> Credential {
        client.issued_by(&self.issuing).expect("a client")
    }

    /// A listener of a load balancer on a free port of this machine, and the file with the
    /// authority of its server certificate, for `localhost`.
    pub fn listener(&self, copies: ClientCertificateHeaderCopies) -> (Listener, PathBuf) {
        let authority = CertificateBuilder::root("CN=Server CA")
            .self_signed()
            .expect("a server authority");
        let server = CertificateBuilder::server("CN=localhost")
            .dns("localhost")
            .issued_by(&authority)
            .expect("a server");
        let certificate = self.write("server.pem", &server.pem());
        let key = self.directory().join("server.key");
        let pem = server.key().to_pem().expect("a key in PEM");
        write_private(&key, &pem).expect("a file in the temporary folder");
        let listener = Listener::from_pem_files(&certificate, &key)
            .expect("a listener with this certificate")
            .address((Ipv4Addr::LOCALHOST, 0).into())
            .client_header_copies(copies);
        (listener, self.write("server-ca.pem", &authority.pem()))
    }

    /// A client of the issuing CA whose time is over.
    pub fn expired(&self) -> Credential {
        let now = time_now();
        let builder = CertificateBuilder::client("CN=expired,O=Tests");
        self.issue(builder.valid(now - 40 * DAY, now - DAY))
    }

    /// A client of the issuing CA whose time has not come.
    pub fn not_yet_valid(&self) -> Credential {
        let now = time_now();
        let builder = CertificateBuilder::client("CN=early,O=Tests");
        self.issue(builder.valid(now + DAY, now + 40 * DAY))
    }

    /// A client whose certificate is for servers only.
    pub fn server_only(&self) -> Credential {
        self.issue(CertificateBuilder::client("CN=server,O=Tests").purposes(&[Purpose::ServerAuth]))
    }

    /// A client with a key of this kind.
    pub fn with_key(&self, kind: KeyKind) -> Credential {
        self.issue(CertificateBuilder::client("CN=client-k,O=Tests").key_kind(kind))
    }

    /// Returns a client with a self-signed certificate.
    pub fn self_signed() -> Credential {
        CertificateBuilder::client("CN=self,O=Tests")
            .self_signed()
            .expect("a self-signed client")
    }

    /// Returns the value of the certificate header for a client that also sends the issuing CA.
    pub fn header(&self, client: &Credential) -> String {
        header_of([client, &self.issuing])
    }

    /// Headers of a request of the good client as the load balancer hands them over.
    pub fn good_headers(&self) -> Vec<(String, String)> {
        certificate_headers(self.header(&self.good))
    }

    /// Writes chain and key of a client as files for curl: `NAME.pem` and `NAME.key`.
    pub fn write_client(&self, name: &str, client: &Credential) -> (PathBuf, PathBuf) {
        let chain = self.write(&format!("{name}.pem"), &chain_pem([client, &self.issuing]));
        let key = self.write(&format!("{name}.key"), &client.key().to_pem().expect("a key"));
        (chain, key)
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self::new()
    }
}

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

fn time_now() -> time::OffsetDateTime {
    time::OffsetDateTime::now_utc()
}

/// Returns the header's value for these certificates in this order.
pub fn header_of<'a>(certificates: impl IntoIterator<Item = &'a Credential>) -> String {
    let chain: Vec<_> = certificates
        .into_iter()
        .map(|credential| credential.der().to_vec().into())
        .collect();
    passthrough_header(&chain)
}

/// Returns the certificate header beside those that a load balancer adds to every client's request.
pub fn certificate_headers(value: String) -> Vec<(String, String)> {
    let mut headers = client_headers();
    headers.push(("x-amzn-mtls-clientcert".to_owned(), value));
    headers
}

/// Returns the headers of a client's request without a certificate.
pub fn client_headers() -> Vec<(String, String)> {
    [
        ("host", "gate.tests.example"),
        ("user-agent", "tests"),
        ("x-amzn-trace-id", "Root=1-67890000-0123456789abcdef01234567"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Writes a file into the folder of these clients and names it as a source.
pub fn source(clients: &Clients, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = clients.directory().join(name);
    std::fs::write(&path, content).expect("a file in the temporary folder");
    format!("file:{}", path.display())
}
