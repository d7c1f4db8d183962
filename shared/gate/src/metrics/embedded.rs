//! Metrics in CloudWatch's embedded metric format: part of the lines that are written anyway.
//!
//! Source: CloudWatch user guide, "Specification: Embedded metric format".

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alb_mtls_verifier::Timestamp;
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::{
    ALLOWED, ANCHOR_DAYS_LEFT, ANONYMOUS, BY_CODE, BY_SERVICE, CACHE_HITS, CLIENT_DAYS_LEFT, CONNECTIONS,
    CRL_SECONDS_LEFT, Counted, DENIED, DENY_LIST_AGE, DENY_LIST_REFRESH_FAILURES, FIPS_MODE, Metric,
    OCSP_FAILURES, Observation, SHADOW_DIFFERENCES, State, TRUST_AGE, TRUST_REFRESH_FAILURES,
    VALIDATOR_DISAGREEMENTS, VERIFY_LATENCY, WOULD_DENY, days_until, seconds_until,
};

/// Values of one metric in one line at most.
const MAX_VALUES: usize = 100;

/// Longest time that counts wait for a line, while requests come, and interval of the state of the
/// trust material.
const INTERVAL: Duration = Duration::from_secs(60);

/// Part of the decisions written so far that may wait for a line: one in eight. A process that
/// Lambda ends without a signal, or never thaws, loses what waits. So a short life loses little,
/// and a long one writes few lines more: about 50 until [`MAX_VALUES`] wait.
const WAITING_PART: usize = 8;

/// Counts that wait for a line.
#[derive(Debug)]
pub(crate) struct EmbeddedCounts {
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
    /// First end of the certificates of clients that asked.
    first_client_end: Option<Timestamp>,
    /// Decisions whose counts have been written.
    written: usize,
    state_told_at: Option<Timestamp>,
    failures_told: u64,
    deny_list_failures_told: u64,
    /// OCSP failures that were told.
    ocsp_failures_told: u64,
}

impl EmbeddedCounts {
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
        let ends = [pending.first_client_end, observation.client_end];
        pending.first_client_end = ends.into_iter().flatten().min();
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
        state: impl FnOnce() -> State,
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
        if let Some(end) = pending.first_client_end.take() {
            values.push((CLIENT_DAYS_LEFT, Value::Number(days_until(end, now))));
        }
        let state_is_due = pending
            .state_told_at
            .is_none_or(|told| age(now, told) >= INTERVAL);
        if state_is_due {
            pending.state_told_at = Some(now);
            let state = state();
            let new_failures = state.refresh_failures.saturating_sub(pending.failures_told);
            pending.failures_told = state.refresh_failures;
            let deny_list_failures = state.deny_list.map(|status| status.failures);
            let new_deny_list_failures =
                deny_list_failures.map(|failures| failures.saturating_sub(pending.deny_list_failures_told));
            pending.deny_list_failures_told = deny_list_failures.unwrap_or(0);
            let new_ocsp_failures = state.ocsp_failures.map(|failures| {
                let new = failures.saturating_sub(pending.ocsp_failures_told);
                pending.ocsp_failures_told = failures;
                new
            });
            let number = |number: u64| Value::Number(i64::try_from(number).unwrap_or(i64::MAX));
            let seconds = |end: Timestamp| Value::Number(seconds_until(end, now));
            let days = |end: Timestamp| Value::Number(days_until(end, now));
            values.push((TRUST_REFRESH_FAILURES, number(new_failures)));
            let of_state = [
                (TRUST_AGE, state.age(now).map(number)),
                (DENY_LIST_AGE, state.deny_list_age(now).map(number)),
                (DENY_LIST_REFRESH_FAILURES, new_deny_list_failures.map(number)),
                (FIPS_MODE, state.is_fips.then_some(Value::Number(1))),
                (ANCHOR_DAYS_LEFT, state.first_anchor_end.map(days)),
                (CRL_SECONDS_LEFT, state.first_next_update.map(seconds)),
                (OCSP_FAILURES, new_ocsp_failures.map(number)),
                (CONNECTIONS, state.connections.map(number)),
            ];
            let known = of_state
                .into_iter()
                .filter_map(|(metric, value)| Some((metric, value?)));
            values.extend(known);
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
            code: None,
            differs_from_shadow: false,
            is_cache_hit: false,
            validators_disagree: false,
            client_end: Some(NOW.plus_seconds(30 * 86_400)),
            duration: Duration::from_micros(40),
        }
    }

    fn taken(metrics: &EmbeddedCounts, outcome: Option<Counted>, now: Timestamp) -> Json {
        let line = metrics.take(outcome, now, State::default);
        serde_json::to_value(&line).unwrap()
    }

    #[test]
    fn a_refusal_is_counted_by_its_code_and_all_else_by_service() {
        let metrics = EmbeddedCounts::new("gate".to_owned());
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
        let metrics = EmbeddedCounts::new("gate".to_owned());
        for days in [30, 7, 90] {
            let counted = Observation {
                client_end: Some(NOW.plus_seconds(days * 86_400)),
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
    fn lines_of(metrics: &EmbeddedCounts, decisions: usize) -> usize {
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
        let metrics = EmbeddedCounts::new("gate".to_owned());
        for decision in 1..=2_000 {
            lines_of(&metrics, 1);
            let waiting = metrics.pending().latencies.len();
            assert!(
                waiting < MAX_VALUES && waiting * 9 <= decision,
                "{waiting} of {decision}"
            );
        }
        let lines = lines_of(&EmbeddedCounts::new("gate".to_owned()), 10_000);
        assert!((100..=160).contains(&lines), "{lines}");
    }

    #[test]
    fn counts_are_due_after_a_minute_while_few_wait() {
        let metrics = EmbeddedCounts::new("gate".to_owned());
        lines_of(&metrics, 2_000);
        taken(&metrics, None, NOW);
        metrics.count(&observation(Counted::Allowed), NOW);
        assert!(metrics.are_waiting());
        assert!(!metrics.are_due(NOW.plus_seconds(59)));
        assert!(metrics.are_due(NOW.plus_seconds(60)));
    }

    #[test]
    fn no_line_holds_more_values_than_are_allowed() {
        let metrics = EmbeddedCounts::new("gate".to_owned());
        for _ in 0..=MAX_VALUES {
            metrics.count(&observation(Counted::Allowed), NOW);
        }
        let line = taken(&metrics, None, NOW);
        assert_eq!(line["Allowed"], 101);
        assert_eq!(line["VerifyLatency"].as_array().unwrap().len(), MAX_VALUES);
    }

    #[test]
    fn every_metric_is_defined_where_its_value_stands() {
        let metrics = EmbeddedCounts::new("gate".to_owned());
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
