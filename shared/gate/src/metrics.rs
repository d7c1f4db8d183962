//! Metrics in CloudWatch's embedded metric format: part of the lines that are written anyway.
//!
//! Source: CloudWatch user guide, "Specification: Embedded metric format".

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alb_mtls_trust::{Snapshot, TrustStatus};
use alb_mtls_verifier::{CryptoModule, Timestamp};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

/// A metric, as the documentation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Name of the metric.
    pub name: &'static str,
    /// Unit in CloudWatch.
    pub unit: &'static str,
    /// The sets of dimensions under which it is found.
    pub dimensions: &'static [&'static [&'static str]],
    /// Meaning, and the statistic to look at, as one clause.
    pub meaning: &'static str,
}

/// Nothing that a client has a say in: the service by the settings, and a code of the table.
const BY_SERVICE: &[&[&str]] = &[&["service"]];
const BY_CODE: &[&[&str]] = &[&["service"], &["service", "code"]];

macro_rules! metrics {
    ($($constant:ident, $name:literal, $unit:literal, $dimensions:ident, $meaning:literal;)+) => {
        $(const $constant: Metric =
            Metric { name: $name, unit: $unit, dimensions: $dimensions, meaning: $meaning };)+

        /// Every metric, in the order of the documentation.
        pub const METRICS: &[Metric] = &[$($constant,)+];
    };
}

metrics! {
    ALLOWED, "Allowed", "Count", BY_SERVICE,
        "requests of verified clients that passed";
    ANONYMOUS, "Anonymous", "Count", BY_SERVICE,
        "requests without a certificate that passed, by `MTLS_MODE=optional`";
    DENIED, "Denied", "Count", BY_CODE,
        "requests that were refused";
    WOULD_DENY, "WouldDeny", "Count", BY_CODE,
        "requests that passed and would have been refused, by `MTLS_MODE=report`";
    SHADOW_DIFFERENCES, "ShadowDifferences", "Count", BY_SERVICE,
        "requests that the shadow set would have decided otherwise";
    VERIFY_LATENCY, "VerifyLatency", "Microseconds", BY_SERVICE,
        "time that a decision took, a lookup of trust material included where one was due";
    CACHE_HITS, "CacheHits", "Count", BY_SERVICE,
        "verdicts that were known already";
    VALIDATOR_DISAGREEMENTS, "ValidatorDisagreements", "Count", BY_SERVICE,
        "clients denied because the path validators disagree: report each";
    CLIENT_DAYS_LEFT, "ClientDaysLeft", "None", BY_SERVICE,
        "days until the certificate of a client that asked expires; look at the minimum";
    TRUST_AGE, "TrustAge", "Seconds", BY_SERVICE,
        "time since the trust material was last confirmed; look at the maximum";
    TRUST_REFRESH_FAILURES, "TrustRefreshFailures", "Count", BY_SERVICE,
        "lookups of trust material or policies that failed or were refused";
    ANCHOR_DAYS_LEFT, "AnchorDaysLeft", "None", BY_SERVICE,
        "days until the first trust anchor expires; look at the minimum";
    CRL_SECONDS_LEFT, "CrlSecondsLeft", "Seconds", BY_SERVICE,
        "time until the first CRL is past its nextUpdate, negative afterwards; look at the minimum";
    FIPS_MODE, "FipsMode", "None", BY_SERVICE,
        "1, once a minute, in a build with the cargo feature `fips`; an alarm on missing data finds a build without it";
}

/// Values of one metric in one line at most.
const MAX_VALUES: usize = 100;

/// Longest time that counts wait for a line, while requests come, and interval of the state of the
/// trust material.
const INTERVAL: Duration = Duration::from_secs(60);

/// Part of the decisions written so far that may wait for a line: one in eight. A process that
/// Lambda ends without a signal, or never thaws, loses what waits. So a short life loses little,
/// and a long one writes few lines more: about 50 until [`MAX_VALUES`] wait.
const WAITING_PART: usize = 8;

/// Decision, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    pub(crate) outcome: Counted,
    pub(crate) differs_from_shadow: bool,
    pub(crate) is_cache_hit: bool,
    pub(crate) validators_disagree: bool,
    pub(crate) client_days_left: Option<i64>,
    pub(crate) duration: Duration,
}

/// Outcome of a request, where it is counted. Denials have a line of their own, which contains
/// their code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    Allowed,
    Anonymous,
    Denied,
    WouldDeny,
}

/// Counts that wait for a line.
#[derive(Debug)]
pub(crate) struct Metrics {
    namespace: String,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    since: Option<Timestamp>,
    allowed: u64,
    anonymous: u64,
    shadow_differences: u64,
    cache_hits: u64,
    validator_disagreements: u64,
    latencies: Vec<u64>,
    client_days_left: Option<i64>,
    /// Decisions whose counts have been written.
    written: usize,
    state_told_at: Option<Timestamp>,
    failures_told: u64,
}

impl Metrics {
    pub(crate) fn new(namespace: String) -> Self {
        Self {
            namespace,
            pending: Mutex::default(),
        }
    }

    /// Counts a decision.
    pub(crate) fn count(&self, observation: &Observation, now: Timestamp) {
        let mut pending = self.pending();
        pending.since.get_or_insert(now);
        match observation.outcome {
            Counted::Allowed => pending.allowed += 1,
            Counted::Anonymous => pending.anonymous += 1,
            Counted::Denied | Counted::WouldDeny => {}
        }
        pending.shadow_differences += u64::from(observation.differs_from_shadow);
        pending.cache_hits += u64::from(observation.is_cache_hit);
        pending.validator_disagreements += u64::from(observation.validators_disagree);
        if pending.latencies.len() < MAX_VALUES {
            let microseconds = u64::try_from(observation.duration.as_micros()).unwrap_or(u64::MAX);
            pending.latencies.push(microseconds);
        }
        let days = [pending.client_days_left, observation.client_days_left];
        pending.client_days_left = days.into_iter().flatten().min();
    }

    /// Returns whether counts need a line of their own: because of their number, or of the time
    /// that they have waited.
    pub(crate) fn are_due(&self, now: Timestamp) -> bool {
        let pending = self.pending();
        let may_wait = (pending.written / WAITING_PART).clamp(1, MAX_VALUES);
        pending.latencies.len() >= may_wait || pending.since.is_some_and(|since| age(now, since) >= INTERVAL)
    }

    /// Returns whether counts wait for a line.
    pub(crate) fn are_waiting(&self) -> bool {
        self.pending().since.is_some()
    }

    /// Returns everything counted so far, for the line that is written now about a request with
    /// this outcome. The state of the trust material is asked for once a minute. `None` when there
    /// is nothing to tell.
    pub(crate) fn take(
        &self,
        outcome: Option<Counted>,
        now: Timestamp,
        status: impl FnOnce() -> TrustStatus,
        snapshot: Option<&Snapshot>,
    ) -> Option<EmbeddedMetrics<'_>> {
        let mut pending = self.pending();
        let mut values = Vec::with_capacity(8);
        let mut count = |metric: Metric, number: u64| {
            if number > 0 {
                values.push((metric, Value::Number(i64::try_from(number).unwrap_or(i64::MAX))));
            }
        };
        count(ALLOWED, std::mem::take(&mut pending.allowed));
        count(ANONYMOUS, std::mem::take(&mut pending.anonymous));
        count(DENIED, u64::from(outcome == Some(Counted::Denied)));
        count(WOULD_DENY, u64::from(outcome == Some(Counted::WouldDeny)));
        count(
            SHADOW_DIFFERENCES,
            std::mem::take(&mut pending.shadow_differences),
        );
        count(CACHE_HITS, std::mem::take(&mut pending.cache_hits));
        count(
            VALIDATOR_DISAGREEMENTS,
            std::mem::take(&mut pending.validator_disagreements),
        );
        pending.written = pending.written.saturating_add(pending.latencies.len());
        if !pending.latencies.is_empty() {
            values.push((
                VERIFY_LATENCY,
                Value::Numbers(std::mem::take(&mut pending.latencies)),
            ));
        }
        if let Some(days) = pending.client_days_left.take() {
            values.push((CLIENT_DAYS_LEFT, Value::Number(days)));
        }
        let state_is_due = pending
            .state_told_at
            .is_none_or(|told| age(now, told) >= INTERVAL);
        if state_is_due {
            pending.state_told_at = Some(now);
            let status = status();
            let failures = status.failures + status.refusals;
            let new_failures = failures.saturating_sub(pending.failures_told);
            pending.failures_told = failures;
            let number = |number: u64| Value::Number(i64::try_from(number).unwrap_or(i64::MAX));
            values.push((TRUST_REFRESH_FAILURES, number(new_failures)));
            if let Some(age) = status.age(now) {
                values.push((TRUST_AGE, number(age.as_secs())));
            }
            if CryptoModule::BUILT.is_fips() {
                values.push((FIPS_MODE, Value::Number(1)));
            }
            values.extend(snapshot.into_iter().flat_map(|snapshot| state_of(snapshot, now)));
        }
        pending.since = None;
        (!values.is_empty()).then_some(EmbeddedMetrics {
            namespace: &self.namespace,
            now,
            values,
        })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        // Counts are whole between any two statements, so a panic elsewhere has not broken them.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn state_of(snapshot: &Snapshot, now: Timestamp) -> impl Iterator<Item = (Metric, Value)> {
    let until = |end: Timestamp| end.unix_seconds().saturating_sub(now.unix_seconds());
    let anchors = snapshot.verifier().anchors().iter();
    let first_end = anchors.map(|anchor| anchor.validity().not_after).min();
    let lists = snapshot.revocation_lists().into_iter();
    let first_next_update = lists
        .flat_map(|lists| lists.iter().filter_map(|(list, _)| list.next_update()))
        .min();
    let days = first_end.map(|end| (ANCHOR_DAYS_LEFT, Value::Number(until(end).div_euclid(86_400))));
    let seconds = first_next_update.map(|next| (CRL_SECONDS_LEFT, Value::Number(until(next))));
    days.into_iter().chain(seconds)
}

fn age(now: Timestamp, then: Timestamp) -> Duration {
    Duration::from_secs(now.unix_seconds().abs_diff(then.unix_seconds()))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(i64),
    Numbers(Vec<u64>),
}

/// The members that make a log line one with metrics: `_aws`, which says what they are, and their
/// values. Their dimensions `service` and `code` are members of the line already.
#[derive(Clone, Debug)]
pub struct EmbeddedMetrics<'a> {
    namespace: &'a str,
    now: Timestamp,
    values: Vec<(Metric, Value)>,
}

impl Serialize for EmbeddedMetrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.values.len()))?;
        map.serialize_entry("_aws", &Description(self))?;
        for (metric, value) in &self.values {
            match value {
                Value::Number(number) => map.serialize_entry(metric.name, number)?,
                Value::Numbers(numbers) => match numbers.as_slice() {
                    [number] => map.serialize_entry(metric.name, number)?,
                    numbers => map.serialize_entry(metric.name, numbers)?,
                },
            }
        }
        map.end()
    }
}

struct Description<'a>(&'a EmbeddedMetrics<'a>);

impl Serialize for Description<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let milliseconds = self.0.now.unix_seconds().saturating_mul(1_000);
        let directives = [BY_SERVICE, BY_CODE].map(|dimensions| Directive {
            metrics: self.0,
            dimensions,
        });
        let used: Vec<&Directive<'_>> = directives
            .iter()
            .filter(|directive| directive.definitions().next().is_some())
            .collect();
        let mut object = serializer.serialize_struct("_aws", 2)?;
        object.serialize_field("Timestamp", &milliseconds)?;
        object.serialize_field("CloudWatchMetrics", &used)?;
        object.end()
    }
}

/// The metrics of a line with the same dimensions.
struct Directive<'a> {
    metrics: &'a EmbeddedMetrics<'a>,
    dimensions: &'static [&'static [&'static str]],
}

impl<'a> Directive<'a> {
    fn definitions(&self) -> impl Iterator<Item = Definition> + use<'a> {
        let dimensions = self.dimensions;
        self.metrics
            .values
            .iter()
            .filter(move |(metric, _)| metric.dimensions == dimensions)
            .map(|(metric, _)| Definition {
                name: metric.name,
                unit: metric.unit,
            })
    }
}

impl Serialize for Directive<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("MetricDirective", 3)?;
        object.serialize_field("Namespace", self.metrics.namespace)?;
        object.serialize_field("Dimensions", self.dimensions)?;
        let definitions: Vec<Definition> = self.definitions().collect();
        object.serialize_field("Metrics", &definitions)?;
        object.end()
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_000_000);

    fn observation(outcome: Counted) -> Observation {
        Observation {
            outcome,
            differs_from_shadow: false,
            is_cache_hit: false,
            validators_disagree: false,
            client_days_left: Some(30),
            duration: Duration::from_micros(40),
        }
    }

    fn taken(metrics: &Metrics, outcome: Option<Counted>, now: Timestamp) -> Json {
        let line = metrics.take(outcome, now, TrustStatus::default, None);
        serde_json::to_value(&line).unwrap()
    }

    #[test]
    fn a_refusal_is_counted_by_its_code_and_all_else_by_service() {
        let metrics = Metrics::new("gate".to_owned());
        metrics.count(&observation(Counted::Denied), NOW);
        let line = taken(&metrics, Some(Counted::Denied), NOW);
        assert_eq!(line["Denied"], 1);
        assert_eq!(line["VerifyLatency"], 40);
        assert_eq!(line["_aws"]["Timestamp"], 1_795_000_000_000_i64);
        let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        assert_eq!(directives[0]["Dimensions"], json!([["service"]]));
        assert_eq!(
            directives[1]["Dimensions"],
            json!([["service"], ["service", "code"]])
        );
        assert_eq!(
            directives[1]["Metrics"],
            json!([{"Name": "Denied", "Unit": "Count"}])
        );
        assert!(line.get("Allowed").is_none());
    }

    #[test]
    fn counts_wait_for_a_line_and_none_is_told_twice() {
        let metrics = Metrics::new("gate".to_owned());
        for days in [30, 7, 90] {
            let counted = Observation {
                client_days_left: Some(days),
                ..observation(Counted::Allowed)
            };
            metrics.count(&counted, NOW);
        }
        let line = taken(&metrics, None, NOW);
        assert_eq!(line["Allowed"], 3);
        assert_eq!(line["VerifyLatency"], json!([40, 40, 40]));
        assert_eq!(line["ClientDaysLeft"], 7);
        assert_eq!(line["TrustRefreshFailures"], 0);
        assert_eq!(taken(&metrics, None, NOW), Json::Null);
        assert!(!metrics.are_waiting());
        assert!(!metrics.are_due(NOW.plus_seconds(3_600)));
    }

    /// Counts decisions at one moment and takes them whenever they are due; returns the number of
    /// lines.
    fn lines_of(metrics: &Metrics, decisions: usize) -> usize {
        let mut lines = 0;
        for _ in 0..decisions {
            metrics.count(&observation(Counted::Allowed), NOW);
            if metrics.are_due(NOW) {
                assert!(taken(metrics, None, NOW)["Allowed"].as_u64().unwrap() >= 1);
                lines += 1;
            }
        }
        lines
    }

    #[test]
    fn at_most_one_decision_in_nine_waits_and_lines_stay_few() {
        let metrics = Metrics::new("gate".to_owned());
        for decision in 1..=2_000 {
            lines_of(&metrics, 1);
            let waiting = metrics.pending().latencies.len();
            assert!(
                waiting < MAX_VALUES && waiting * 9 <= decision,
                "{waiting} of {decision}"
            );
        }
        let lines = lines_of(&Metrics::new("gate".to_owned()), 10_000);
        assert!((100..=160).contains(&lines), "{lines}");
    }

    #[test]
    fn counts_are_due_after_a_minute_while_few_wait() {
        let metrics = Metrics::new("gate".to_owned());
        lines_of(&metrics, 2_000);
        taken(&metrics, None, NOW);
        metrics.count(&observation(Counted::Allowed), NOW);
        assert!(metrics.are_waiting());
        assert!(!metrics.are_due(NOW.plus_seconds(59)));
        assert!(metrics.are_due(NOW.plus_seconds(60)));
    }

    #[test]
    fn no_line_holds_more_values_than_are_allowed() {
        let metrics = Metrics::new("gate".to_owned());
        for _ in 0..=MAX_VALUES {
            metrics.count(&observation(Counted::Allowed), NOW);
        }
        let line = taken(&metrics, None, NOW);
        assert_eq!(line["Allowed"], 101);
        assert_eq!(line["VerifyLatency"].as_array().unwrap().len(), MAX_VALUES);
    }

    #[test]
    fn every_metric_is_defined_where_its_value_stands() {
        let metrics = Metrics::new("gate".to_owned());
        let all = Observation {
            differs_from_shadow: true,
            is_cache_hit: true,
            validators_disagree: true,
            ..observation(Counted::Anonymous)
        };
        metrics.count(&all, NOW);
        let line = taken(&metrics, Some(Counted::WouldDeny), NOW);
        let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        let defined: Vec<&str> = directives
            .iter()
            .flat_map(|directive| directive["Metrics"].as_array().unwrap())
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        let values: Vec<&str> = line
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .filter(|name| *name != "_aws")
            .collect();
        assert_eq!(defined.len(), values.len());
        assert!(values.iter().all(|name| defined.contains(name)), "{line}");
    }
}
