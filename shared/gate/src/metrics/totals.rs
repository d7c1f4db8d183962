//! Totals since the start of the process, as the text that Prometheus scrapes.
//!
//! Source: Prometheus documentation, "Exposition formats", text-based format 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use alb_mtls_verifier::{ReasonCode, Timestamp};

use super::{
    ALLOWED, ANCHOR_DAYS_LEFT, ANONYMOUS, CACHE_HITS, CLIENT_DAYS_LEFT, CONNECTIONS, CRL_SECONDS_LEFT,
    Counted, DENIED, DENY_LIST_AGE, DENY_LIST_REFRESH_FAILURES, FIPS_MODE, Metric, OCSP_FAILURES,
    Observation, SHADOW_DIFFERENCES, State, TRUST_AGE, TRUST_REFRESH_FAILURES, VALIDATOR_DISAGREEMENTS,
    VERIFY_LATENCY, WOULD_DENY,
};
use crate::reason::denial_reasons;

/// Totals of decisions. Requests change them without waiting for each other.
#[derive(Debug)]
pub(crate) struct Totals {
    allowed: AtomicU64,
    anonymous: AtomicU64,
    denied: ByCode,
    would_deny: ByCode,
    shadow_differences: AtomicU64,
    cache_hits: AtomicU64,
    validator_disagreements: AtomicU64,
    latency: Histogram,
    clients: FirstEnd,
}

impl Totals {
    pub(crate) fn new() -> Self {
        Self {
            allowed: AtomicU64::default(),
            anonymous: AtomicU64::default(),
            denied: ByCode::new(),
            would_deny: ByCode::new(),
            shadow_differences: AtomicU64::default(),
            cache_hits: AtomicU64::default(),
            validator_disagreements: AtomicU64::default(),
            latency: Histogram::default(),
            clients: FirstEnd::default(),
        }
    }

    /// Counts a decision.
    pub(crate) fn count(&self, observation: &Observation) {
        match observation.outcome {
            Counted::Allowed => add(&self.allowed, true),
            Counted::Anonymous => add(&self.anonymous, true),
            Counted::Denied => self.denied.add(observation.code),
            Counted::WouldDeny => self.would_deny.add(observation.code),
        }
        add(&self.shadow_differences, observation.differs_from_shadow);
        add(&self.cache_hits, observation.is_cache_hit);
        add(&self.validator_disagreements, observation.validators_disagree);
        let microseconds = u64::try_from(observation.duration.as_micros()).unwrap_or(u64::MAX);
        self.latency.add(microseconds);
        if let Some(end) = observation.client_end {
            self.clients.add(end);
        }
    }

    /// Returns the text for one scrape.
    pub(crate) fn text(&self, state: &State, now: Timestamp) -> String {
        let mut page = Page(String::with_capacity(8_192));
        page.number(ALLOWED, load(&self.allowed));
        page.number(ANONYMOUS, load(&self.anonymous));
        page.by_code(DENIED, &self.denied);
        page.by_code(WOULD_DENY, &self.would_deny);
        page.number(SHADOW_DIFFERENCES, load(&self.shadow_differences));
        page.histogram(VERIFY_LATENCY, &self.latency);
        page.number(CACHE_HITS, load(&self.cache_hits));
        page.number(VALIDATOR_DISAGREEMENTS, load(&self.validator_disagreements));
        page.time(CLIENT_DAYS_LEFT, self.clients.earliest(now));
        page.time(TRUST_AGE, state.confirmed);
        page.number(TRUST_REFRESH_FAILURES, state.refresh_failures);
        let deny_list = state.deny_list.unwrap_or_default();
        page.time(DENY_LIST_AGE, deny_list.confirmed);
        page.number(DENY_LIST_REFRESH_FAILURES, deny_list.failures);
        page.time(ANCHOR_DAYS_LEFT, state.first_anchor_end);
        page.time(CRL_SECONDS_LEFT, state.first_next_update);
        page.number(OCSP_FAILURES, state.ocsp_failures.unwrap_or(0));
        page.number(CONNECTIONS, state.connections.unwrap_or(0));
        page.number(FIPS_MODE, u64::from(state.is_fips));
        page.0
    }
}

fn add(total: &AtomicU64, happened: bool) {
    if happened {
        total.fetch_add(1, Ordering::Relaxed);
    }
}

fn load(total: &AtomicU64) -> u64 {
    total.load(Ordering::Relaxed)
}

/// Total for each code. All codes are there from the start: the first denial with a code is then an
/// increase, and the number of series does not depend on clients.
#[derive(Debug)]
struct ByCode(BTreeMap<ReasonCode, AtomicU64>);

impl ByCode {
    fn new() -> Self {
        let codes = denial_reasons().into_iter().map(|reason| reason.code);
        Self(codes.map(|code| (code, AtomicU64::default())).collect())
    }

    fn add(&self, code: Option<ReasonCode>) {
        // Every denial has a code of the registry. If one had not, it would still be counted.
        let total = code.and_then(|code| self.0.get(&code));
        if let Some(total) = total.or_else(|| self.0.get(&ReasonCode::UnmappedConnectionError)) {
            add(total, true);
        }
    }
}

/// Upper bounds in microseconds, and as seconds in text: from a verdict that was in the cache to a
/// lookup that took all its time.
const BOUNDS: [(u64, &str); 15] = [
    (10, "0.00001"),
    (25, "0.000025"),
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (1_000_000, "1"),
    (5_000_000, "5"),
];

/// Durations by the first bound that they do not exceed.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    beyond: AtomicU64,
    microseconds: AtomicU64,
}

impl Histogram {
    fn add(&self, microseconds: u64) {
        let fitting = BOUNDS.iter().position(|(bound, _)| microseconds <= *bound);
        let bucket = fitting.and_then(|index| self.buckets.get(index));
        add(bucket.unwrap_or(&self.beyond), true);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }
}

/// Seconds in which an end is remembered, twice at most.
const WINDOW: i64 = 300;

/// First end of the certificates of clients that asked in the last five to ten minutes: a client
/// that renewed its certificate is forgotten.
#[derive(Debug)]
struct FirstEnd {
    began: AtomicI64,
    current: AtomicI64,
    previous: AtomicI64,
}

impl Default for FirstEnd {
    fn default() -> Self {
        let [began, current, previous] = [i64::MIN, i64::MAX, i64::MAX].map(AtomicI64::new);
        Self {
            began,
            current,
            previous,
        }
    }
}

impl FirstEnd {
    fn add(&self, end: Timestamp) {
        self.current.fetch_min(end.unix_seconds(), Ordering::Relaxed);
    }

    fn earliest(&self, now: Timestamp) -> Option<Timestamp> {
        let (began, now) = (self.began.load(Ordering::Relaxed), now.unix_seconds());
        let current = self.current.load(Ordering::Relaxed);
        let earliest = current.min(self.previous.load(Ordering::Relaxed));
        if began.saturating_add(WINDOW) <= now {
            self.began.store(now, Ordering::Relaxed);
            let ended = self.current.swap(i64::MAX, Ordering::Relaxed);
            self.previous.store(ended, Ordering::Relaxed);
        }
        (earliest != i64::MAX).then(|| Timestamp::from_unix_seconds(earliest))
    }
}

/// Text that is being written. Writing to a string cannot fail.
struct Page(String);

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        _ = self.0.write_fmt(line);
        self.0.push('\n');
    }

    fn head(&mut self, metric: Metric) {
        let Metric {
            series,
            kind,
            meaning,
            name,
            ..
        } = metric;
        self.line(format_args!("# HELP {series} {name} in CloudWatch: {meaning}"));
        self.line(format_args!("# TYPE {series} {}", kind.as_str()));
    }

    fn number(&mut self, metric: Metric, number: u64) {
        self.head(metric);
        self.line(format_args!("{} {number}", metric.series));
    }

    /// Leaves out a time that is not known: 0 would be a time long ago.
    fn time(&mut self, metric: Metric, time: Option<Timestamp>) {
        self.head(metric);
        if let Some(time) = time {
            self.line(format_args!("{} {}", metric.series, time.unix_seconds()));
        }
    }

    fn by_code(&mut self, metric: Metric, totals: &ByCode) {
        self.head(metric);
        for (code, total) in &totals.0 {
            self.line(format_args!(
                "{}{{code=\"{code}\"}} {}",
                metric.series,
                load(total)
            ));
        }
    }

    fn histogram(&mut self, metric: Metric, histogram: &Histogram) {
        self.head(metric);
        let series = metric.series;
        let mut count = 0;
        for ((_, bound), bucket) in BOUNDS.iter().zip(&histogram.buckets) {
            count += load(bucket);
            self.line(format_args!("{series}_bucket{{le=\"{bound}\"}} {count}"));
        }
        count += load(&histogram.beyond);
        let sum = load(&histogram.microseconds);
        let (seconds, rest) = (sum / 1_000_000, sum % 1_000_000);
        self.line(format_args!("{series}_bucket{{le=\"+Inf\"}} {count}"));
        self.line(format_args!("{series}_sum {seconds}.{rest:06}"));
        self.line(format_args!("{series}_count {count}"));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::METRICS;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_000_000);

    fn observation(outcome: Counted) -> Observation {
        Observation {
            outcome,
            code: None,
            differs_from_shadow: true,
            is_cache_hit: true,
            validators_disagree: false,
            client_end: None,
            duration: Duration::from_micros(40),
        }
    }

    /// Returns the value of a line.
    fn value<'a>(text: &'a str, series: &str) -> Option<&'a str> {
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
    }

    #[test]
    fn every_metric_of_the_registry_is_in_the_text_once() {
        let text = Totals::new().text(&State::default(), NOW);
        for metric in METRICS {
            let head = format!("# TYPE {} {}\n", metric.series, metric.kind.as_str());
            assert_eq!(text.matches(&head).count(), 1, "{head}");
        }
        assert_eq!(text.matches("# TYPE ").count(), METRICS.len());
    }

    #[test]
    fn series_have_the_names_that_their_kinds_ask_for() {
        use crate::metrics::SeriesKind;

        for metric in METRICS {
            let suffix = match metric.kind {
                SeriesKind::Counter => "_total",
                SeriesKind::Time => "_timestamp_seconds",
                SeriesKind::Histogram => "_seconds",
                SeriesKind::Gauge => "",
            };
            assert!(metric.series.ends_with(suffix), "{}", metric.series);
        }
    }

    #[test]
    fn totals_grow_and_denials_have_the_code_alone() {
        let totals = Totals::new();
        let before = totals.text(&State::default(), NOW);
        for outcome in [Counted::Allowed, Counted::Allowed, Counted::Anonymous] {
            totals.count(&observation(outcome));
        }
        totals.count(&Observation {
            code: Some(ReasonCode::ClientCertExpired),
            ..observation(Counted::Denied)
        });
        let text = totals.text(&State::default(), NOW);
        assert_eq!(value(&text, "alb_mtls_allowed_requests_total"), Some("2"));
        assert_eq!(value(&text, "alb_mtls_anonymous_requests_total"), Some("1"));
        let expired = r#"alb_mtls_denied_requests_total{code="ClientCertExpired"}"#;
        assert_eq!(
            (value(&before, expired), value(&text, expired)),
            (Some("0"), Some("1"))
        );
        assert_eq!(value(&text, "alb_mtls_cache_hits_total"), Some("4"));
        assert_eq!(text.lines().count(), before.lines().count(), "no series is new");
    }

    #[test]
    fn histogram_adds_up() {
        let totals = Totals::new();
        for microseconds in [10, 11, 7_000_000] {
            totals.count(&Observation {
                duration: Duration::from_micros(microseconds),
                ..observation(Counted::Allowed)
            });
        }
        let text = totals.text(&State::default(), NOW);
        let bucket = |bound: &str| {
            value(
                &text,
                &format!("alb_mtls_verify_latency_seconds_bucket{{le=\"{bound}\"}}"),
            )
        };
        assert_eq!(bucket("0.00001"), Some("1"));
        assert_eq!(bucket("0.000025"), Some("2"));
        assert_eq!(bucket("5"), Some("2"));
        assert_eq!(bucket("+Inf"), Some("3"));
        assert_eq!(
            value(&text, "alb_mtls_verify_latency_seconds_sum"),
            Some("7.000021")
        );
        assert_eq!(value(&text, "alb_mtls_verify_latency_seconds_count"), Some("3"));
        for (bound, seconds) in BOUNDS {
            let parsed: f64 = seconds.parse().unwrap();
            assert_eq!(Duration::from_secs_f64(parsed), Duration::from_micros(bound));
        }
    }

    #[test]
    fn first_end_of_clients_is_forgotten_after_ten_minutes() {
        let ends = FirstEnd::default();
        let end = NOW.plus_seconds(86_400);
        assert_eq!(ends.earliest(NOW), None);
        ends.add(end.plus_seconds(5));
        ends.add(end);
        assert_eq!(ends.earliest(NOW.plus_seconds(10)), Some(end));
        assert_eq!(ends.earliest(NOW.plus_seconds(300)), Some(end));
        assert_eq!(ends.earliest(NOW.plus_seconds(310)), Some(end));
        ends.add(end.plus_seconds(9));
        assert_eq!(ends.earliest(NOW.plus_seconds(600)), Some(end));
        assert_eq!(ends.earliest(NOW.plus_seconds(610)), Some(end.plus_seconds(9)));
    }

    #[test]
    fn times_that_are_not_known_have_no_value() {
        let text = Totals::new().text(&State::default(), NOW);
        assert_eq!(value(&text, "alb_mtls_trust_confirmed_timestamp_seconds"), None);
        let known = State {
            confirmed: Some(NOW),
            ..State::default()
        };
        let text = Totals::new().text(&known, NOW);
        assert_eq!(
            value(&text, "alb_mtls_trust_confirmed_timestamp_seconds"),
            Some("1795000000")
        );
    }
}
