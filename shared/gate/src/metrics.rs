//! The registry of metrics, and the numbers that each output shows: the embedded metric format of
//! CloudWatch in [`embedded`], the text of Prometheus in [`totals`].

mod connections;
mod embedded;
mod totals;

use std::time::Duration;

use alb_mtls_trust::{DenyListStatus, DenyLists, Trust};
use alb_mtls_verifier::{CryptoModule, ReasonCode, Timestamp};

pub use connections::{Connections, OpenConnection};
pub(crate) use embedded::EmbeddedCounts;
pub use embedded::EmbeddedMetrics;
pub(crate) use totals::Totals;

/// A metric, as the documentation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Name of the metric.
    pub name: &'static str,
    /// Unit in CloudWatch.
    pub unit: &'static str,
    /// The sets of dimensions under which it is found.
    pub dimensions: &'static [&'static [&'static str]],
    /// Name in Prometheus: in base units, and with the suffix that its kind asks for.
    pub series: &'static str,
    /// Kind in Prometheus.
    pub kind: SeriesKind,
    /// Meaning, and the statistic to look at, as one clause.
    pub meaning: &'static str,
}

/// Kind of a metric in Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// Number that only grows, from the start of the process.
    Counter,
    /// Number that is as it is now.
    Gauge,
    /// Time at which something happened or will happen, in seconds since 1970: `time()` less it, or
    /// it less `time()`, is what CloudWatch shows. It stays right while nothing is scraped.
    Time,
    /// Numbers of durations up to each of some bounds.
    Histogram,
}

impl SeriesKind {
    /// Returns the word in the line `# TYPE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::Time => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Nothing that a client has a say in: the service by the settings, and a code of the table.
const BY_SERVICE: &[&[&str]] = &[&["service"]];
const BY_CODE: &[&[&str]] = &[&["service"], &["service", "code"]];

macro_rules! metrics {
    ($(
        $constant:ident, $name:literal, $unit:literal, $dimensions:ident, $kind:ident $series:literal,
        $meaning:literal;
    )+) => {
        $(const $constant: Metric = Metric {
            name: $name,
            unit: $unit,
            dimensions: $dimensions,
            series: concat!("alb_mtls_", $series),
            kind: SeriesKind::$kind,
            meaning: $meaning,
        };)+

        /// Every metric, in the order of the documentation.
        pub const METRICS: &[Metric] = &[$($constant,)+];
    };
}

metrics! {
    ALLOWED, "Allowed", "Count", BY_SERVICE, Counter "allowed_requests_total",
        "requests of verified clients that passed";
    ANONYMOUS, "Anonymous", "Count", BY_SERVICE, Counter "anonymous_requests_total",
        "requests without a certificate that passed, by `MTLS_MODE=optional`";
    DENIED, "Denied", "Count", BY_CODE, Counter "denied_requests_total",
        "requests that were refused";
    WOULD_DENY, "WouldDeny", "Count", BY_CODE, Counter "would_deny_requests_total",
        "requests that passed and would have been refused, by `MTLS_MODE=report`";
    SHADOW_DIFFERENCES, "ShadowDifferences", "Count", BY_SERVICE, Counter "shadow_differences_total",
        "requests that the shadow set would have decided otherwise";
    VERIFY_LATENCY, "VerifyLatency", "Microseconds", BY_SERVICE, Histogram "verify_latency_seconds",
        "time that a decision took, a lookup of trust material included where one was due";
    CACHE_HITS, "CacheHits", "Count", BY_SERVICE, Counter "cache_hits_total",
        "verdicts that were known already";
    VALIDATOR_DISAGREEMENTS, "ValidatorDisagreements", "Count", BY_SERVICE,
        Counter "validator_disagreements_total",
        "clients denied because the path validators disagree: report each";
    CLIENT_DAYS_LEFT, "ClientDaysLeft", "None", BY_SERVICE, Time "client_not_after_timestamp_seconds",
        "days until the certificate of a client that asked expires; look at the minimum";
    TRUST_AGE, "TrustAge", "Seconds", BY_SERVICE, Time "trust_confirmed_timestamp_seconds",
        "time since the trust material was last confirmed; look at the maximum";
    TRUST_REFRESH_FAILURES, "TrustRefreshFailures", "Count", BY_SERVICE,
        Counter "trust_refresh_failures_total",
        "lookups of trust material or policies that failed or were refused";
    DENY_LIST_AGE, "DenyListAge", "Seconds", BY_SERVICE, Time "deny_list_confirmed_timestamp_seconds",
        "time since the deny list was last confirmed; look at the maximum";
    DENY_LIST_REFRESH_FAILURES, "DenyListRefreshFailures", "Count", BY_SERVICE,
        Counter "deny_list_refresh_failures_total",
        "lookups of the deny list that failed or were refused: new entries do not count";
    ANCHOR_DAYS_LEFT, "AnchorDaysLeft", "None", BY_SERVICE, Time "anchor_not_after_timestamp_seconds",
        "days until the first trust anchor expires; look at the minimum";
    CRL_SECONDS_LEFT, "CrlSecondsLeft", "Seconds", BY_SERVICE, Time "crl_next_update_timestamp_seconds",
        "time until the first CRL is past its nextUpdate, negative afterwards; look at the minimum";
    OCSP_FAILURES, "OcspFailures", "Count", BY_SERVICE, Counter "ocsp_failures_total",
        "certificates that no OCSP responder gave an answer about, with `MTLS_OCSP`";
    CONNECTIONS, "Connections", "Count", BY_SERVICE, Gauge "connections",
        "connections of clients that `alb-mtls-server` has open; look at the maximum";
    FIPS_MODE, "FipsMode", "None", BY_SERVICE, Gauge "fips_mode",
        "1, once a minute, in a build with the cargo feature `fips`; an alarm on missing data finds a build without it";
}

/// Decision, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    pub(crate) outcome: Counted,
    /// Code of a denial, and of one that `MTLS_MODE=report` overruled.
    pub(crate) code: Option<ReasonCode>,
    pub(crate) differs_from_shadow: bool,
    pub(crate) is_cache_hit: bool,
    pub(crate) validators_disagree: bool,
    /// End of the client's certificate.
    pub(crate) client_end: Option<Timestamp>,
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

/// State of the process, which is told from time to time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    /// Lookups of trust material that failed or were refused, since the start.
    pub(crate) refresh_failures: u64,
    pub(crate) confirmed: Option<Timestamp>,
    /// State of the deny list, in a process that has one.
    pub(crate) deny_list: Option<DenyListStatus>,
    pub(crate) first_anchor_end: Option<Timestamp>,
    pub(crate) first_next_update: Option<Timestamp>,
    /// Questions that no OCSP responder answered, since the start, where responders are asked.
    pub(crate) ocsp_failures: Option<u64>,
    /// Open connections, in a process that counts them.
    pub(crate) connections: Option<u64>,
    pub(crate) is_fips: bool,
}

impl State {
    pub(crate) fn new(trust: &Trust, deny_lists: Option<&DenyLists>, connections: &Connections) -> Self {
        let status = trust.status();
        let snapshot = trust.last_good();
        let snapshot = snapshot.as_deref();
        let anchors = snapshot
            .into_iter()
            .flat_map(|snapshot| snapshot.verifier().anchors().iter());
        let lists = snapshot
            .into_iter()
            .filter_map(|snapshot| snapshot.revocation_lists());
        Self {
            refresh_failures: status.failures + status.refusals,
            confirmed: status.last_success,
            deny_list: deny_lists.map(DenyLists::status),
            first_anchor_end: anchors.map(|anchor| anchor.validity().not_after).min(),
            first_next_update: lists
                .flat_map(|lists| lists.iter().filter_map(|(list, _)| list.next_update()))
                .min(),
            ocsp_failures: trust.ocsp().map(|ocsp| ocsp.counts().failures),
            connections: connections.open_if_counted(),
            is_fips: CryptoModule::BUILT.is_fips(),
        }
    }

    /// Returns the time since the trust material was confirmed, in seconds.
    fn age(&self, now: Timestamp) -> Option<u64> {
        self.confirmed.map(|confirmed| seconds_since(confirmed, now))
    }

    /// Returns the time since the deny list was confirmed, in seconds.
    fn deny_list_age(&self, now: Timestamp) -> Option<u64> {
        let confirmed = self.deny_list?.confirmed;
        confirmed.map(|confirmed| seconds_since(confirmed, now))
    }
}

fn seconds_since(time: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(-seconds_until(time, now)).unwrap_or(0)
}

/// Returns the seconds until a time, negative afterwards.
fn seconds_until(end: Timestamp, now: Timestamp) -> i64 {
    end.unix_seconds().saturating_sub(now.unix_seconds())
}

/// Returns the whole days until a time, negative afterwards.
fn days_until(end: Timestamp, now: Timestamp) -> i64 {
    seconds_until(end, now).div_euclid(86_400)
}
