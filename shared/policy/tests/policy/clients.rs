//! Clients and requests to decide about.

use std::sync::Arc;

use alb_mtls_http::host::RequestHost;
use alb_mtls_policy::{Policies, PolicyDenial, PolicyInput, PolicyOutcome, RequestFacts, SourceAddress};
use alb_mtls_verifier::{
    ClientIdentity, Intermediates, PresentedChain, Timestamp, TrustAnchor, TrustAnchors, Verifier,
    VerifyOptions,
};
use test_pki::{CertificateBuilder, Credential};
use time::macros::datetime;

/// A Sunday.
pub(crate) const NOW: &str = "2026-11-22T12:00:00Z";

/// Extensions that are part of every identity, as the cookbook wants them.
pub(crate) const EXTENSIONS: &str =
    "device_id=1.3.6.1.4.1.99999.1 device_class=1.3.6.1.4.1.99999.2 1.3.6.1.4.1.99999.3";

pub(crate) fn now() -> Timestamp {
    at(NOW)
}

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// A trust anchor, and below it an issuing CA with the name that the cookbook uses.
pub(crate) struct Authority {
    pub(crate) root: Credential,
    pub(crate) issuing: Credential,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let root = dated(CertificateBuilder::root(&format!("CN={name},O=Example")))
            .self_signed()
            .unwrap();
        let issuing = dated(CertificateBuilder::intermediate(
            "CN=Example Issuing CA,O=Example",
        ))
        .issued_by(&root)
        .unwrap();
        Self { root, issuing }
    }

    /// Returns the id of the anchor, as policies spell it.
    pub(crate) fn id(&self) -> String {
        TrustAnchor::new(self.root.der().to_vec().into())
            .unwrap()
            .id()
            .to_string()
    }

    pub(crate) fn identify(&self, client: CertificateBuilder) -> Arc<ClientIdentity> {
        self.verify(&self.issue(client))
    }

    pub(crate) fn issue(&self, client: CertificateBuilder) -> Credential {
        dated(client).issued_by(&self.issuing).unwrap()
    }

    pub(crate) fn verify(&self, client: &Credential) -> Arc<ClientIdentity> {
        self.verify_with(client, EXTENSIONS)
    }

    /// Verifies a client whose identity has these extensions.
    pub(crate) fn verify_with(&self, client: &Credential, extensions: &str) -> Arc<ClientIdentity> {
        let anchor = TrustAnchor::new(self.root.der().to_vec().into()).unwrap();
        let verifier = Verifier::new(
            TrustAnchors::new([anchor]).unwrap(),
            Intermediates::default(),
            VerifyOptions::default(),
        )
        .with_identity_extensions(extensions.parse().unwrap());
        let chain = [client, &self.issuing].map(|credential| credential.der().to_vec().into());
        let verified = verifier
            .verify(&PresentedChain::new(chain).unwrap(), now())
            .unwrap();
        Arc::clone(verified.identity())
    }
}

/// Makes a certificate valid at [`NOW`], whenever the tests run.
pub(crate) fn dated(builder: CertificateBuilder) -> CertificateBuilder {
    builder.valid(datetime!(2026-01-01 0:00 UTC), datetime!(2027-01-01 0:00 UTC))
}

/// A client with nothing special about it.
pub(crate) fn anybody() -> Arc<ClientIdentity> {
    Authority::new("Root").identify(CertificateBuilder::client("CN=anybody,O=Example"))
}

/// Returns the host of a request with this Host header; lives as long as the test.
fn host(header: &str) -> &'static RequestHost {
    Box::leak(Box::new(RequestHost::from_header(Some(header))))
}

/// A plain request to decide about.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) client: Option<&'a ClientIdentity>,
    pub(crate) request: RequestFacts<'a>,
    pub(crate) now: Timestamp,
}

impl<'a> Asked<'a> {
    pub(crate) fn by(client: &'a ClientIdentity, method: &'a str, path: &'a str) -> Self {
        Self {
            client: Some(client),
            ..Self::anonymously(method, path)
        }
    }

    pub(crate) fn anonymously(method: &'a str, path: &'a str) -> Self {
        Self {
            client: None,
            request: RequestFacts {
                method,
                path,
                host: host("api.example.org"),
                target_group: None,
                source_address: SourceAddress::Known("192.0.2.10".parse().unwrap()),
            },
            now: now(),
        }
    }

    pub(crate) fn at(mut self, time: &str) -> Self {
        self.now = at(time);
        self
    }

    pub(crate) fn host(mut self, name: &str) -> Self {
        self.request.host = host(name);
        self
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.request.source_address = SourceAddress::Known(address.parse().unwrap());
        self
    }

    pub(crate) fn decide(self, policies: &Policies) -> PolicyOutcome {
        policies.decide(&PolicyInput {
            client: self.client,
            request: self.request,
            now: self.now,
        })
    }
}

pub(crate) fn allowed_by(id: &str) -> PolicyOutcome {
    PolicyOutcome::Allow {
        policies: vec![id.into()],
    }
}

pub(crate) fn forbidden_by(id: &str) -> PolicyOutcome {
    PolicyOutcome::Deny(PolicyDenial::Forbidden {
        policies: vec![id.into()],
    })
}

pub(crate) const NOT_PERMITTED: PolicyOutcome = PolicyOutcome::Deny(PolicyDenial::NotPermitted);

/// A policy for verified clients under one condition.
pub(crate) fn permit_when(condition: &str) -> Policies {
    let text = format!("@id(\"it\") permit (principal is Client, action, resource) when {{ {condition} }};");
    Policies::parse(&text, "test.cedar").unwrap_or_else(|error| panic!("{condition}: {error}"))
}
