//! Chains of clients.

use alb_mtls_gate::Ingress;
use alb_mtls_tests::{certificate_headers, header_of};
use http::Request;
use http::request::Parts;
use rustls_pki_types::CertificateDer;
use test_pki::{CertificateBuilder, Credential, KeyKind};

/// A trust anchor, the intermediates below it, and a client, all with keys of one kind.
#[derive(Debug)]
pub struct Chain {
    /// The trust anchor.
    pub root: Credential,
    /// The one that issued the client's first.
    pub intermediates: Vec<Credential>,
    /// The client.
    pub client: Credential,
}

/// A chain as a client sends it.
#[derive(Debug)]
pub struct Presented {
    /// Value of the load balancer's header.
    pub header: String,
    /// The client's own.
    pub end_entity: CertificateDer<'static>,
    /// The one that issued the client's first.
    pub intermediates: Vec<CertificateDer<'static>>,
}

impl Chain {
    /// A chain of which a client sends `length` certificates.
    pub fn new(kind: KeyKind, length: usize) -> Self {
        let root = CertificateBuilder::root("CN=Measured Root,O=Example")
            .key_kind(kind)
            .self_signed()
            .expect("a root");
        let mut intermediates: Vec<Credential> = Vec::new();
        for depth in 1..length {
            let builder = CertificateBuilder::intermediate(&format!("CN=Measured CA {depth},O=Example"));
            let issuer = intermediates.first().unwrap_or(&root);
            let intermediate = builder.key_kind(kind).issued_by(issuer).expect("an intermediate");
            intermediates.insert(0, intermediate);
        }
        let mut this = Self {
            client: root.clone(),
            root,
            intermediates,
        };
        this.client = this.issue(Self::client(kind));
        this
    }

    /// A client with the names that clients have.
    pub fn client(kind: KeyKind) -> CertificateBuilder {
        CertificateBuilder::client("CN=client-1,OU=Payments,O=Example")
            .key_kind(kind)
            .uri("spiffe://example.org/client-1")
            .dns("client-1.example.org")
    }

    /// Issues another client certificate of the same authority.
    pub fn issue(&self, client: CertificateBuilder) -> Credential {
        let issuer = self.intermediates.first().unwrap_or(&self.root);
        client.issued_by(issuer).expect("a client")
    }

    /// Returns the chain that this client sends.
    pub fn presented(&self, client: &Credential) -> Presented {
        let der = |credential: &Credential| CertificateDer::from(credential.der().to_vec());
        Presented {
            header: header_of(std::iter::once(client).chain(&self.intermediates)),
            end_entity: der(client),
            intermediates: self.intermediates.iter().map(der).collect(),
        }
    }
}

/// A request with this certificate header, as the gate gets it from the Lambda edge.
pub fn header_parts(header: &str) -> Parts {
    let mut request = Request::builder().method("GET").uri("/part-9/orders/7");
    for (name, value) in certificate_headers(header.to_owned()) {
        request = request.header(name, value);
    }
    let ingress = Ingress {
        target_group: Some(alb_mtls_tests::TARGET_GROUP.to_owned()),
        ..Ingress::default()
    };
    request
        .extension(ingress)
        .body(())
        .expect("a request")
        .into_parts()
        .0
}
