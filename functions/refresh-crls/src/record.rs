//! Records: the outcome of each CRL as one JSON line, which carries its metrics too.

use alb_mtls_gate::{Importance, StandardOutput, escape_to_ascii};
use alb_mtls_trust::SkippedCrl;
use alb_mtls_verifier::{RevocationList, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::RefreshError;

/// Outcome of one CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// A newer one was published.
    Published,
    /// The CRL is published already.
    Unchanged,
    /// The CRL could not be fetched or written; what was published before stays.
    Unreachable,
    /// The CRL must not be used; what was published before stays.
    Refused,
    /// A certificate names it, and it is not fetched.
    Skipped,
}

/// Record of one CRL for the operator. The line carries its metrics too (CloudWatch embedded metric
/// format).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) timestamp: Timestamp,
    /// `INFO`, `WARN` or `ERROR`: Lambda's log filter reads it.
    pub(crate) level: &'static str,
    /// Always `crl`: what to search for.
    pub(crate) message: &'static str,
    /// Location of the CRL.
    pub(crate) source: String,
    /// Object that it is published as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) destination: Option<String>,
    pub(crate) outcome: Outcome,
    /// Reason why it was not refreshed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    /// CRLs that are published now.
    pub(crate) lists: Vec<ListRecord>,
    pub(crate) duration_ms: u64,
    /// True if the location delivered anything, usable or not.
    #[serde(skip)]
    pub(crate) is_fetched: bool,
    #[serde(flatten)]
    metrics: Value,
}

/// A CRL that is published.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ListRecord {
    issuer: String,
    /// `null` for a CRL without one.
    number: Option<String>,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    entries: usize,
    bytes: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    distribution_points: Vec<String>,
    /// Places of the delta CRLs that the CRL names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) delta_locations: Vec<String>,
    /// Reason why it clears no certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    defect: Option<String>,
}

impl From<&RevocationList> for ListRecord {
    fn from(list: &RevocationList) -> Self {
        Self {
            issuer: list.issuer().to_string(),
            number: list.number().map(|number| number.to_string()),
            this_update: list.this_update(),
            next_update: list.next_update(),
            entries: list.entry_count(),
            bytes: list.encoded_length(),
            distribution_points: list.distribution_points(),
            delta_locations: list.delta_locations().to_vec(),
            defect: list.defect().map(ToString::to_string),
        }
    }
}

/// State of the refresh of one CRL when it ended.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// CRLs that are published now.
    pub(crate) lists: Vec<ListRecord>,
    /// True if the location delivered anything.
    pub(crate) is_fetched: bool,
}

impl Record {
    pub(crate) fn new(
        source: String,
        destination: String,
        outcome: Result<Outcome, RefreshError>,
        progress: Progress,
        now: Timestamp,
        duration_ms: u64,
    ) -> Self {
        let Progress { lists, is_fetched } = progress;
        let (outcome, problem) = match outcome {
            Ok(outcome) => (outcome, None),
            Err(RefreshError::Unreachable(problem)) => (Outcome::Unreachable, Some(problem)),
            Err(RefreshError::Refused(problem)) => (Outcome::Refused, Some(problem)),
        };
        let metrics = metrics(&refresh_metrics(problem.is_some(), &lists, now), now);
        Self {
            timestamp: now,
            level: if problem.is_none() { "INFO" } else { "ERROR" },
            message: "crl",
            source,
            destination: Some(destination),
            outcome,
            problem,
            lists,
            duration_ms,
            is_fetched,
            metrics,
        }
    }

    /// Creates the record of a URL in a certificate that is not fetched. Where no other URL is
    /// fetched for it, its CRL can be missing.
    pub(crate) fn skipped(skipped: &SkippedCrl, now: Timestamp) -> Self {
        let SkippedCrl {
            url,
            reason,
            is_replaced,
        } = skipped;
        let (level, problem) = if *is_replaced {
            (
                "INFO",
                format!("{reason}; another location of the same certificate is fetched"),
            )
        } else {
            ("WARN", reason.clone())
        };
        Self {
            timestamp: now,
            level,
            message: "crl",
            source: url.clone(),
            destination: None,
            outcome: Outcome::Skipped,
            problem: Some(problem),
            lists: Vec::new(),
            duration_ms: 0,
            is_fetched: false,
            metrics: metrics(&[("CrlSkipped", "Count", json!(1))], now),
        }
    }

    /// Writes the record to standard output, where Lambda takes its logs from.
    pub(crate) fn print(&self) {
        print_line(self);
    }
}

/// An invocation that failed, for the operator. The records of its CRLs come before it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunRecord {
    timestamp: Timestamp,
    level: &'static str,
    /// Always `refresh`: what to search for.
    message: &'static str,
    /// Type of the error in Lambda's answer.
    error: &'static str,
    problem: String,
}

impl RunRecord {
    pub(crate) fn new(error: &'static str, problem: String, now: Timestamp) -> Self {
        Self {
            timestamp: now,
            level: "ERROR",
            message: "refresh",
            error,
            problem,
        }
    }

    /// Writes the record to standard output, where Lambda takes its logs from.
    pub(crate) fn print(&self) {
        print_line(self);
    }
}

/// Writes a line like the gate's: in ASCII, since it quotes servers and CRLs, and within bounded
/// time.
fn print_line(record: &impl Serialize) {
    // Records contain text, numbers and structs of these, which always serialise.
    let json = serde_json::to_string(record).unwrap_or_default();
    StandardOutput.write_line(escape_to_ascii(&json), Importance::Important);
}

/// Name, unit and value of a metric.
type Metric = (&'static str, &'static str, Value);

/// Metrics of a CRL that is fetched. Age and time left are those of what is published, so that an
/// alarm on them does not depend on whether the fetch succeeded.
fn refresh_metrics(failed: bool, lists: &[ListRecord], now: Timestamp) -> Vec<Metric> {
    let seconds_since = |time: Timestamp| now.unix_seconds().saturating_sub(time.unix_seconds());
    let age = lists.iter().map(|list| seconds_since(list.this_update)).max();
    let left = lists
        .iter()
        .filter_map(|list| Some(-seconds_since(list.next_update?)))
        .min();
    let mut metrics = vec![("CrlRefreshFailure", "Count", json!(u8::from(failed)))];
    if let Some(age) = age {
        metrics.push(("CrlAge", "Seconds", json!(age)));
    }
    if let Some(left) = left {
        metrics.push(("CrlExpiresIn", "Seconds", json!(left)));
    }
    if !lists.is_empty() {
        let entries: usize = lists.iter().map(|list| list.entries).sum();
        metrics.push(("CrlEntries", "Count", json!(entries)));
    }
    metrics
}

/// CloudWatch embedded metric format, with the dimension `source`.
fn metrics(metrics: &[Metric], now: Timestamp) -> Value {
    let definitions: Vec<Value> = metrics
        .iter()
        .map(|(name, unit, _)| json!({"Name": name, "Unit": unit}))
        .collect();
    let directive = json!({
        "Timestamp": now.unix_seconds().saturating_mul(1000),
        "CloudWatchMetrics": [{"Namespace": "AlbMtls", "Dimensions": [["source"]], "Metrics": definitions}],
    });
    let values = metrics
        .iter()
        .map(|(name, _, value)| ((*name).to_owned(), value.clone()));
    values.chain([("_aws".to_owned(), directive)]).collect()
}
