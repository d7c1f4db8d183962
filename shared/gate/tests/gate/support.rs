//! A gate that trusts one root, its records, and the status that it answers with.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use alb_mtls_gate::{Admission, AuditRecord, AuditSink, Gate, MetricsRecord, Settings};
use http::{Request, request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential};

/// The certificate header.
pub(crate) const CERTIFICATE: &str = "x-amzn-mtls-clientcert";

/// The file of trust anchors.
pub(crate) const ANCHORS: &str = "anchors.pem";

/// Settings of bound tokens, which need keys too.
#[cfg(feature = "token")]
pub(crate) const TOKENS: [(&str, &str); 4] = [
    ("MTLS_BOUND_TOKEN", "required"),
    ("MTLS_TOKEN_ISSUER", "https://issuer.example"),
    ("MTLS_TOKEN_AUDIENCE", "orders"),
    ("MTLS_TOKEN_ALGORITHMS", "ES256"),
];

/// Keys of tokens: the example of RFC 7515 appendix A.3.
#[cfg(feature = "token")]
pub(crate) const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// Keeps every record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records(pub(crate) Arc<Mutex<Vec<Value>>>);

impl AuditSink for Records {
    fn write(&self, record: &AuditRecord<'_>) {
        self.0.lock().unwrap().push(serde_json::to_value(record).unwrap());
    }

    fn write_metrics(&self, record: &MetricsRecord<'_>) {
        self.0.lock().unwrap().push(serde_json::to_value(record).unwrap());
    }
}

/// Returns the status that a client sees: 200 where the request passes.
pub(crate) fn status(admission: &Admission) -> u16 {
    match admission {
        Admission::Allowed(_) => 200,
        Admission::Answered(answer) => answer.to_response::<String>().status().as_u16(),
    }
}

impl Records {
    /// Returns the last record; null without one.
    pub(crate) fn last(&self) -> Value {
        self.0.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

/// Returns the settings of some variables and others.
pub(crate) fn settings(own: &[(&str, &str)], others: &[(&str, &str)]) -> Settings {
    let variables = own.iter().chain(others);
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::from_variables(variables).unwrap()
}

/// A root, whose clients gates trust, and the records of these gates.
#[derive(Debug)]
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) root: Credential,
    pub(crate) records: Records,
}

impl Site {
    pub(crate) fn new() -> Self {
        let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            root,
            records: Records::default(),
        };
        site.write(ANCHORS, &site.root.pem());
        site
    }

    pub(crate) fn client(&self, subject: &str) -> Credential {
        CertificateBuilder::client(subject).issued_by(&self.root).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the source that is a file, which need not be there.
    pub(crate) fn source(&self, name: &str) -> String {
        format!("file:{}", self.path(name).display())
    }

    /// Writes a file, and returns its source.
    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.source(name)
    }

    pub(crate) fn gate(&self, others: &[(&str, &str)]) -> Gate {
        let anchors = [("MTLS_ANCHORS", &*self.source(ANCHORS))];
        Gate::new(settings(&anchors, others)).with_audit_sink(self.records.clone())
    }
}

/// Starts a request of a client, as the load balancer passes it on.
pub(crate) fn of_client(client: &Credential) -> request::Builder {
    Request::builder().header(CERTIFICATE, percent_encoded(&client.pem()))
}

/// Returns the value of the certificate header for a chain in PEM.
pub(crate) fn percent_encoded(pem: &str) -> String {
    utf8_percent_encode(pem, NON_ALPHANUMERIC).to_string()
}
