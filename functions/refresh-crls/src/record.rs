//! What became of each CRL: one JSON line, which is its metrics too.

use std::io::Write;

use alb_mtls_verifier::{RevocationList, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// What became of one CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// A newer one was published.
    Published,
    /// It is the one that is published already.
    Unchanged,
    /// It could not be fetched or written; what was published before stays.
    Unreachable,
    /// It must not be used; what was published before stays.
    Refused,
}

/// One CRL for the operator. The same line is its metrics (CloudWatch embedded metric format).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) timestamp: Timestamp,
    /// `INFO` or `ERROR`: Lambda's log filter reads it.
    pub(crate) level: &'static str,
    /// Always `crl`: what to search for.
    pub(crate) message: &'static str,
    /// Where it comes from.
    pub(crate) source: String,
    /// Where it is published.
    pub(crate) destination: String,
    pub(crate) outcome: Outcome,
    /// Why it was not refreshed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    /// What is published now.
    pub(crate) lists: Vec<ListRecord>,
    pub(crate) duration_ms: u64,
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
    /// Why it clears no certificate.
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
            bytes: list.der().len(),
            distribution_points: list.distribution_points(),
            defect: list.defect().map(ToString::to_string),
        }
    }
}

impl Record {
    pub(crate) fn new(
        source: String,
        destination: String,
        outcome: Result<Outcome, crate::failure::Failure>,
        lists: Vec<ListRecord>,
        now: Timestamp,
        duration_ms: u64,
    ) -> Self {
        use crate::failure::Failure;
        let (outcome, problem) = match outcome {
            Ok(outcome) => (outcome, None),
            Err(Failure::Unreachable(problem)) => (Outcome::Unreachable, Some(problem)),
            Err(Failure::Refused(problem)) => (Outcome::Refused, Some(problem)),
        };
        let metrics = metrics(problem.is_some(), &lists, now);
        Self {
            timestamp: now,
            level: if problem.is_none() { "INFO" } else { "ERROR" },
            message: "crl",
            source,
            destination,
            outcome,
            problem,
            lists,
            duration_ms,
            metrics,
        }
    }

    /// Writes it to standard output, where Lambda takes its logs from.
    pub(crate) fn print(&self) {
        // Records hold text, numbers and structs of these, which always serialise.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        // There is nowhere else to say that the log cannot be written.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

/// CloudWatch embedded metric format, by `source`. Age and time left are those of what is published, so that an alarm
/// on them does not depend on whether the fetch succeeded.
fn metrics(failed: bool, lists: &[ListRecord], now: Timestamp) -> Value {
    let seconds_since = |time: Timestamp| now.unix_seconds().saturating_sub(time.unix_seconds());
    let age = lists.iter().map(|list| seconds_since(list.this_update)).max();
    let left = lists
        .iter()
        .filter_map(|list| Some(-seconds_since(list.next_update?)))
        .min();
    let mut definitions = vec![json!({"Name": "CrlRefreshFailure", "Unit": "Count"})];
    let mut metrics = json!({"CrlRefreshFailure": u8::from(failed)});
    if let (Some(age), Some(left), Some(values)) = (age, left, metrics.as_object_mut()) {
        let entries: usize = lists.iter().map(|list| list.entries).sum();
        for (name, unit, value) in [
            ("CrlAge", "Seconds", json!(age)),
            ("CrlExpiresIn", "Seconds", json!(left)),
            ("CrlEntries", "Count", json!(entries)),
        ] {
            definitions.push(json!({"Name": name, "Unit": unit}));
            values.insert(name.to_owned(), value);
        }
    }
    if let Some(values) = metrics.as_object_mut() {
        let directive = json!({
            "Timestamp": now.unix_seconds().saturating_mul(1000),
            "CloudWatchMetrics": [{"Namespace": "AlbMtls", "Dimensions": [["source"]], "Metrics": definitions}],
        });
        values.insert("_aws".to_owned(), directive);
    }
    metrics
}
