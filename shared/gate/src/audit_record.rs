//! The audit record: one line of JSON a request that says what was decided, about which client, and
//! why.

use std::io::{Stdout, stdout};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use alb_mtls_verifier::{
    AlternativeName, DistinguishedName, ExtensionMap, Fingerprint, ReasonCode, RejectionContext, Timestamp,
};
use serde::{Serialize, Serializer};

use crate::ingress::FunctionFacts;
use crate::line;
use crate::log_writer::{Importance, LogWriter};
use crate::metrics::EmbeddedMetrics;
use crate::mode::Mode;
use crate::policy::ShadowDifference;

/// Outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A verified client passed.
    Allowed,
    /// A client without a certificate passed, by `MTLS_MODE=optional`.
    Anonymous,
    /// The request was refused.
    Denied,
    /// The request would have been refused and passed, by `MTLS_MODE=report`.
    WouldDeny,
    /// The load balancer's own health check was answered.
    HealthCheck,
    /// The request passed on a route that the operator opened.
    Public,
}

/// Record of a decision for the operator, without certificates, keys and tokens. Texts are as long
/// as the client made them; [`to_line`] cuts them.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRecord<'a> {
    /// Time of the decision.
    pub timestamp: Timestamp,
    /// `INFO`, or `WARN` for a refusal: Lambda's log filter reads it.
    pub level: &'static str,
    /// Always `decision`: what to search for.
    pub message: &'static str,
    /// Name of the service: see `MTLS_SERVICE`.
    pub service: &'a str,
    /// True for the first decision of the process.
    pub cold_start: bool,
    /// The Lambda function.
    #[serde(flatten)]
    pub function: Option<&'a FunctionFacts>,
    /// Outcome of the request.
    pub decision: Outcome,
    /// `MTLS_MODE`.
    #[serde(serialize_with = "as_display")]
    pub mode: Mode,
    /// Reason why the request was denied, or would have been.
    #[serde(flatten)]
    pub denial: Option<DenialRecord<'a>>,
    /// Ids of the policies that decided.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "as_texts")]
    pub policies: &'a [Arc<str>],
    /// Difference that the shadow set would make.
    #[serde(flatten)]
    pub shadow: Option<&'a ShadowDifference>,
    /// The verified client.
    pub client: Option<ClientRecord<'a>>,
    /// Version of the trust material that was decided with.
    pub trust_version: Option<&'a str>,
    /// Cryptographic module that computed, in a build with the cargo feature `fips`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_module: Option<&'static str>,
    /// True if the verdict about the certificate was in the cache.
    pub cache_hit: bool,
    /// Method of the request.
    pub method: &'a str,
    /// Host of the request as routes and policies read it; absent when there is none that can be
    /// read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'a str>,
    /// Path of the request as sent.
    pub path: &'a str,
    /// The load balancer's trace id, as in its access log.
    pub alb_trace_id: Option<&'a str>,
    /// Lambda's id of the invocation.
    pub function_request_id: Option<&'a str>,
    /// Lambda's trace id of the invocation, for X-Ray.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xray_trace_id: Option<&'a str>,
    /// Address of the TCP peer of a request over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// The target group that the request came through.
    pub target_group: Option<&'a str>,
    /// Time that the decision took.
    #[serde(rename = "duration_us", serialize_with = "as_microseconds")]
    pub duration: Duration,
    /// The share of such records that are written, where that is not every one: see
    /// `MTLS_RECORD_ALLOWED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_rate: Option<f32>,
    /// Metrics, of this decision and of others that were not recorded: see `MTLS_METRICS`.
    #[serde(flatten)]
    pub metrics: Option<EmbeddedMetrics<'a>>,
}

/// Metrics without a decision: of requests whose records were left out.
#[derive(Clone, Debug, Serialize)]
pub struct MetricsRecord<'a> {
    /// Time of writing.
    pub timestamp: Timestamp,
    /// Always `INFO`.
    pub level: &'static str,
    /// Always `metrics`.
    pub message: &'static str,
    /// Name of the service: see `MTLS_SERVICE`.
    pub service: &'a str,
    /// The metrics.
    #[serde(flatten)]
    pub metrics: EmbeddedMetrics<'a>,
}

/// Reason of a denial, in full.
#[derive(Clone, Debug, Serialize)]
pub struct DenialRecord<'a> {
    /// The code in the words of the load balancer's connection log.
    pub code: ReasonCode,
    /// The finer reason.
    pub detail: &'static str,
    /// Particulars, as one sentence.
    pub explanation: String,
    /// Facts about the certificate, for a refusal of the verifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<RejectionContext<'a>>,
    /// The status of the response.
    pub status: u16,
    /// Value of `WWW-Authenticate` for a token (RFC 6750 §3), also where the edge has no place
    /// for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub www_authenticate: Option<&'static str>,
}

/// Identity of a verified client.
#[derive(Clone, Debug, Serialize)]
pub struct ClientRecord<'a> {
    /// The certificate's subject.
    pub subject: &'a DistinguishedName,
    /// The certificate's issuer.
    pub issuer: &'a DistinguishedName,
    /// The certificate's serial number.
    pub serial_number: &'a str,
    /// The first subject alternative names, see [`ClientRecord::MAX_ALTERNATIVE_NAMES`].
    pub alternative_names: &'a [AlternativeName],
    /// Number of subject alternative names that are left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub alternative_names_left_out: usize,
    /// The extensions of `MTLS_EXTENSIONS`, by name or object identifier.
    #[serde(skip_serializing_if = "ExtensionMap::is_empty")]
    pub extensions: ExtensionMap<'a>,
    /// Extensions that are not critical, cannot be read and decide nothing.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub unreadable_extensions: &'a [String],
    /// SHA-256 of the certificate.
    pub certificate_sha256: Fingerprint,
    /// Time at which the certificate expires.
    pub not_after: Timestamp,
    /// Path validators that accepted the certificates: `both`, or `own` where the path has a
    /// feature that webpki does not process.
    pub validators: &'static str,
    /// SHA-256 of the trust anchor.
    pub anchor_id: Fingerprint,
    /// The trust anchor's subject.
    pub anchor: &'a DistinguishedName,
    /// The earliest nextUpdate among the CRLs that cleared the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crl_next_update: Option<Timestamp>,
    /// The earliest end among the OCSP responses that cleared a certificate of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ocsp_until: Option<Timestamp>,
    /// Reason why the revocation status is unknown, with `MTLS_REVOCATION=soft`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_unknown: Option<&'static str>,
}

impl ClientRecord<'_> {
    /// Most subject alternative names in a record. A certificate of 16 KB has three thousand; those
    /// of people and services have one to five.
    pub const MAX_ALTERNATIVE_NAMES: usize = 32;
}

/// Destination of audit records.
pub trait AuditSink: Send + Sync + std::fmt::Debug {
    /// Takes one record. Must not fail: a request is answered whether or not its record could be
    /// written.
    fn write(&self, record: &AuditRecord<'_>);

    /// Takes metrics of decisions that were not recorded; by default they are dropped.
    fn write_metrics(&self, _metrics: &MetricsRecord<'_>) {}
}

/// Writes each record as one line to standard output, where Lambda takes its logs from.
///
/// A line is written when a call returns, as long as the log is read. When nothing is read, one
/// call waits for 100 ms and the others not at all: up to 512 KB of lines wait for a thread that
/// writes them. When these are full, records of requests that passed are lost before other lines,
/// and a line `log lines lost` reports how many. A log that is closed or broken loses every line at
/// once.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardOutput;

static STANDARD_OUTPUT: LazyLock<LogWriter<Stdout>> = LazyLock::new(|| LogWriter::new(stdout()));

impl StandardOutput {
    /// Writes one line: for recorders that choose another moment, and for what is not a record.
    pub fn write_line(self, mut line: String, importance: Importance) {
        line.push('\n');
        STANDARD_OUTPUT.write(line.into_bytes(), importance);
    }

    /// Waits until no line waits, for 100 ms at most: for the end of the process.
    pub fn finish(self) {
        STANDARD_OUTPUT.finish();
    }
}

impl AuditSink for StandardOutput {
    fn write(&self, record: &AuditRecord<'_>) {
        self.write_line(to_line(record), record.importance());
    }

    fn write_metrics(&self, metrics: &MetricsRecord<'_>) {
        self.write_line(line::to_line(metrics), Importance::Important);
    }
}

impl AuditRecord<'_> {
    /// Returns how important the record is while the log takes nothing: denials are lost last.
    pub fn importance(&self) -> Importance {
        match self.decision {
            Outcome::Denied | Outcome::WouldDeny => Importance::Important,
            Outcome::Allowed | Outcome::Anonymous | Outcome::HealthCheck | Outcome::Public => {
                Importance::Routine
            }
        }
    }
}

/// Returns the record as one line of JSON in ASCII, with each text cut after 1,024 bytes as
/// written: clients choose what stands in many of them.
pub fn to_line(record: &AuditRecord<'_>) -> String {
    line::to_line(record)
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn as_texts<S: Serializer>(texts: &[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(texts.iter().map(AsRef::<str>::as_ref))
}

fn as_display<S: Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_microseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_ascii_line_that_reads_back_the_same() {
        let path = "/\u{202e}evil\u{7f}\u{1b}[31m\n\u{1f600}\"";
        let record = AuditRecord {
            timestamp: Timestamp::from_unix_seconds(0),
            level: "INFO",
            message: "decision",
            service: "gate",
            cold_start: false,
            function: None,
            policies: &[],
            shadow: None,
            xray_trace_id: None,
            sampling_rate: None,
            metrics: None,
            decision: Outcome::Denied,
            mode: Mode::Enforce,
            denial: None,
            client: None,
            trust_version: None,
            crypto_module: None,
            cache_hit: false,
            method: "GET",
            host: Some("api.example.org"),
            path,
            alb_trace_id: None,
            function_request_id: None,
            peer: None,
            target_group: None,
            duration: Duration::from_micros(7),
        };
        let line = to_line(&record);
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["path"], path);
        assert_eq!(read["duration_us"], 7);
    }
}
