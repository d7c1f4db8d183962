//! A gate that trusts one root, its records, and the status that it answers with.

use std::sync::{Arc, Mutex};

use alb_mtls_gate::{Admission, AuditRecord, AuditSink, Gate, MetricsRecord, Settings};
use http::{HeaderValue, Request, request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential};

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
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("anchors.pem"), root.pem()).unwrap();
        Self {
            folder,
            root,
            records: Records::default(),
        }
    }

    pub(crate) fn client(&self, subject: &str) -> Credential {
        CertificateBuilder::client(subject).issued_by(&self.root).unwrap()
    }

    pub(crate) fn gate(&self, others: &[(&str, &str)]) -> Gate {
        let anchors = format!("file:{}", self.folder.path().join("anchors.pem").display());
        let own = [("MTLS_ANCHORS", anchors.as_str())];
        let variables = own.iter().chain(others);
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Gate::new(Settings::from_variables(variables).unwrap()).with_audit_sink(self.records.clone())
    }

    pub(crate) fn last_record(&self) -> Value {
        self.records.0.lock().unwrap().last().unwrap().clone()
    }
}

/// Starts a request of a client, as the load balancer passes it on.
pub(crate) fn of_client(client: &Credential) -> request::Builder {
    Request::builder().header("x-amzn-mtls-clientcert", header_of(client))
}

/// Returns the value of the certificate header.
pub(crate) fn header_of(client: &Credential) -> HeaderValue {
    let encoded = utf8_percent_encode(&client.pem(), NON_ALPHANUMERIC).to_string();
    encoded.parse().unwrap()
}
