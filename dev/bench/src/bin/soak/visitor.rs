//! Visitors, and the answers that they must get.

use std::fmt;
use std::time::Instant;

use alb_mtls_tests::Clients;
use http::StatusCode;
use test_pki::{CertificateBuilder, Credential};

use crate::revocation::{Revocation, Standing};

/// A client with its connection's certificate.
pub(crate) struct Visitor {
    kind: Kind,
    presented: Vec<Credential>,
    /// The client's subject, for those who may pass.
    subject: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Always the same one.
    Known,
    /// Client that was never seen before.
    New,
    /// A good one with headers that claim to be another.
    Forging,
    /// A good one with a header that readers may take for the load balancer's, which is refused
    /// from every client.
    LookAlike,
    /// A good one with a path that readers differ about.
    OddPath,
    /// Client that the CRL lists now and then.
    SometimesRevoked,
    Revoked,
    Expired,
    NotYetValid,
    ServerOnly,
    SelfSigned,
    /// Client without a certificate, with the header of a good one.
    Impostor,
    Nobody,
}

/// Half of them are good.
const KINDS: [Kind; 20] = [
    Kind::Known,
    Kind::Known,
    Kind::Known,
    Kind::Known,
    Kind::New,
    Kind::New,
    Kind::New,
    Kind::Forging,
    Kind::LookAlike,
    Kind::OddPath,
    Kind::SometimesRevoked,
    Kind::SometimesRevoked,
    Kind::Revoked,
    Kind::Expired,
    Kind::NotYetValid,
    Kind::ServerOnly,
    Kind::SelfSigned,
    Kind::Impostor,
    Kind::Nobody,
    Kind::Nobody,
];

const ODD_PATH: &str = "/public/..;/%2e%2e/admin%00?x=%2F&x=..&&=;";

const LOOK_ALIKE: [(&str, &str); 1] = [("x_amzn_mtls_clientcert", "CN=admin")];

const FORGED: [(&str, &str); 3] = [
    (
        "x-amzn-mtls-clientcert",
        "-----BEGIN%20CERTIFICATE-----%0AAAAA%0A-----END%20CERTIFICATE-----%0A",
    ),
    ("x-amzn-mtls-clientcert-subject", "CN=admin"),
    (
        "x-forwarded-for",
        "127.0.0.1, 127.0.0.1, 127.0.0.1, 127.0.0.1, 127.0.0.1, 127.0.0.1, 127.0.0.1",
    ),
];

impl Visitor {
    pub(crate) fn any(clients: &Clients, revocation: &Revocation) -> Self {
        let kind = fastrand::choice(KINDS).unwrap_or(Kind::Known);
        let name = match kind {
            Kind::New => format!("new-{:016x}", fastrand::u64(..)),
            _ => "client-1".to_owned(),
        };
        let subject = format!("CN={name},O=Tests");
        let client = match kind {
            Kind::Known | Kind::Forging | Kind::LookAlike | Kind::OddPath => Some(clients.good.clone()),
            Kind::New => Some(clients.issue(CertificateBuilder::client(&subject))),
            Kind::SometimesRevoked => Some(revocation.sometimes.clone()),
            Kind::Revoked => Some(revocation.revoked.clone()),
            Kind::Expired => Some(clients.expired()),
            Kind::NotYetValid => Some(clients.not_yet_valid()),
            Kind::ServerOnly => Some(clients.server_only()),
            Kind::SelfSigned | Kind::Impostor => Some(Clients::self_signed()),
            Kind::Nobody => None,
        };
        let presented = match client {
            None => Vec::new(),
            Some(client) => vec![client, clients.issuing.clone()],
        };
        let subject = match kind {
            Kind::New => subject,
            Kind::SometimesRevoked => "CN=sometimes,O=Tests".to_owned(),
            _ => "CN=client-1,OU=Payments,O=Tests".to_owned(),
        };
        Self {
            kind,
            presented,
            subject,
        }
    }

    /// Returns the certificates that it presents in the handshake.
    pub(crate) fn presented(&self) -> Vec<&Credential> {
        self.presented.iter().collect()
    }

    pub(crate) fn target(&self) -> &'static str {
        if self.kind == Kind::OddPath {
            ODD_PATH
        } else {
            "/orders/7?a=1"
        }
    }

    pub(crate) fn headers(&self) -> &'static [(&'static str, &'static str)] {
        match self.kind {
            Kind::Forging | Kind::Impostor => &FORGED,
            Kind::LookAlike => &LOOK_ALIKE,
            _ => &[],
        }
    }

    /// Returns the problem of an answer to a request at `asked`, if any.
    pub(crate) fn problem(
        &self,
        status: StatusCode,
        body: &[u8],
        revocation: &Revocation,
        asked: Instant,
    ) -> Option<String> {
        let may_pass = match self.kind {
            Kind::Known | Kind::New | Kind::Forging | Kind::OddPath => true,
            Kind::SometimesRevoked => match revocation.standing(asked) {
                Standing::Good => true,
                Standing::Revoked => false,
                Standing::Either => status == StatusCode::OK,
            },
            _ => false,
        };
        let body = String::from_utf8_lossy(body);
        let is_right = if may_pass {
            let is_whole =
                self.kind != Kind::OddPath || body.contains(ODD_PATH.split('?').next().unwrap_or_default());
            status == StatusCode::OK && body.contains(&format!("\"{}\"", self.subject)) && is_whole
        } else {
            status == StatusCode::UNAUTHORIZED && !body.contains("CN=")
        };
        (!is_right).then(|| format!("{self}: {status} {body}"))
    }
}

impl fmt::Display for Visitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.kind)
    }
}
