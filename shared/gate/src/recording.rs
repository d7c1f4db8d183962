//! What is told about decisions: which records are written, with which metrics.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alb_mtls_trust::{Percent, Snapshot, Trust};
use alb_mtls_verifier::{Timestamp, VerifiedClient};

use crate::ShadowDifference;
use crate::ingress::Ingress;
use crate::metrics::{Counted, EmbeddedMetrics, Metrics, Observation};
use crate::mode::Mode;
use crate::record::{ClientRecord, DecisionRecord, MetricsRecord, Outcome, Recorder, RefusalRecord};
use crate::refusal::Refusal;

/// What is recorded and measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordSettings {
    /// The name of the service in records, and the dimension of metrics.
    pub service: ServiceName,
    /// The share of the records about requests that pass which is written. Refusals, requests that would have been
    /// refused and differences from the shadow set are written always.
    pub passing: Percent,
    /// The namespace of metrics; without it there are none.
    pub metrics: Option<MetricsNamespace>,
}

/// A value that CloudWatch takes for a dimension: 1 to 255 visible ASCII characters, no colon first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName(String);

impl ServiceName {
    /// The name of services that have no other.
    pub const DEFAULT: &'static str = "alb-mtls";
}

impl Default for ServiceName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for ServiceName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_dimension = (1..=255).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.starts_with(':');
        if is_dimension {
            Ok(Self(text.to_owned()))
        } else {
            Err("up to 255 visible ASCII characters, of which the first is no colon")
        }
    }
}

/// A namespace that CloudWatch takes for metrics of one's own.
///
/// Source: CloudWatch API reference, PutMetricData, Namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsNamespace(String);

impl FromStr for MetricsNamespace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_namespace = (1..=255).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"./-_#:".contains(&byte))
            && !text.starts_with(':')
            && !text.starts_with("AWS/");
        if is_namespace {
            Ok(Self(text.to_owned()))
        } else {
            Err(
                "`off` or a namespace: up to 255 of A-Z a-z 0-9 . / - _ # : that do not begin with `AWS/` or a colon",
            )
        }
    }
}

impl fmt::Display for MetricsNamespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One decision, with all that may be told about it.
pub(crate) struct Account<'a> {
    pub(crate) now: Timestamp,
    pub(crate) mode: Mode,
    pub(crate) outcome: Outcome,
    pub(crate) refusal: Option<&'a Refusal>,
    pub(crate) policies: &'a [Arc<str>],
    pub(crate) shadow: Option<&'a ShadowDifference>,
    pub(crate) client: Option<&'a VerifiedClient>,
    pub(crate) snapshot: Option<&'a Snapshot>,
    pub(crate) is_remembered: bool,
    pub(crate) method: &'a str,
    pub(crate) host: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) alb_trace_id: Option<&'a str>,
    pub(crate) ingress: Option<&'a Ingress>,
    pub(crate) duration: Duration,
}

#[derive(Debug)]
pub(crate) struct Recording {
    settings: RecordSettings,
    recorder: Box<dyn Recorder>,
    metrics: Option<Metrics>,
    is_warm: AtomicBool,
}

impl Recording {
    pub(crate) fn new(settings: RecordSettings, recorder: Box<dyn Recorder>) -> Self {
        let metrics = settings.metrics.as_ref();
        Self {
            metrics: metrics.map(|namespace| Metrics::new(namespace.to_string())),
            settings,
            recorder,
            is_warm: AtomicBool::new(false),
        }
    }

    pub(crate) fn with_recorder(self, recorder: Box<dyn Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// Writes and counts a decision.
    pub(crate) fn tell(&self, account: &Account<'_>, trust: &Trust) {
        let cold_start = !self.is_warm.swap(true, Ordering::Relaxed);
        if let Some(metrics) = &self.metrics {
            account.count(metrics);
        }
        let take = |metrics| account.take(metrics, trust);
        if self.is_written(account) {
            let metrics = self.metrics.as_ref().and_then(take);
            self.recorder.record(&DecisionRecord {
                cold_start,
                service: &self.settings.service.0,
                sampling_rate: self.sampling_rate(account),
                metrics,
                ..account.record()
            });
        } else if let Some(metrics) = self
            .metrics
            .as_ref()
            .filter(|metrics| metrics.are_due(account.now))
            && let Some(metrics) = take(metrics)
        {
            self.write_metrics(metrics, account.now);
        }
    }

    /// Writes the metrics of decisions that were left out of the records and wait for a line.
    pub(crate) fn write_waiting_metrics(&self, trust: &Trust, now: Timestamp) {
        let waiting = self.metrics.as_ref().filter(|metrics| metrics.are_waiting());
        let snapshot = trust.at_hand(now);
        if let Some(metrics) =
            waiting.and_then(|metrics| metrics.take(None, now, || trust.status(), snapshot.as_deref()))
        {
            self.write_metrics(metrics, now);
        }
    }

    fn write_metrics(&self, metrics: EmbeddedMetrics<'_>, now: Timestamp) {
        self.recorder.metrics(&MetricsRecord {
            timestamp: now,
            level: "INFO",
            message: "metrics",
            service: &self.settings.service.0,
            metrics,
        });
    }

    fn is_written(&self, account: &Account<'_>) -> bool {
        match self.settings.passing.get() {
            _ if account.is_always_written() => true,
            100 => true,
            percent => fastrand::u8(0..100) < percent,
        }
    }

    fn sampling_rate(&self, account: &Account<'_>) -> Option<f32> {
        let percent = self.settings.passing.get();
        (percent < 100 && !account.is_always_written()).then(|| f32::from(percent) / 100.0)
    }
}

impl<'a> Account<'a> {
    fn is_always_written(&self) -> bool {
        self.shadow.is_some() || matches!(self.outcome, Outcome::Denied | Outcome::WouldDeny)
    }

    fn counted(&self) -> Option<Counted> {
        match self.outcome {
            Outcome::Allowed => Some(Counted::Allowed),
            Outcome::Anonymous => Some(Counted::Anonymous),
            Outcome::Denied => Some(Counted::Denied),
            Outcome::WouldDeny => Some(Counted::WouldDeny),
            Outcome::HealthCheck | Outcome::Public => None,
        }
    }

    fn count(&self, metrics: &Metrics) {
        if let Some(outcome) = self.counted() {
            let observation = Observation {
                outcome,
                differs_from_shadow: self.shadow.is_some(),
                is_cache_hit: self.is_remembered,
                client_days_left: self.client.map(|client| client.identity().days_left(self.now)),
                duration: self.duration,
            };
            metrics.count(&observation, self.now);
        }
    }

    fn take<'m>(&self, metrics: &'m Metrics, trust: &Trust) -> Option<EmbeddedMetrics<'m>> {
        metrics.take(self.counted(), self.now, || trust.status(), self.snapshot)
    }

    fn record(&self) -> DecisionRecord<'a> {
        let ingress = self.ingress;
        DecisionRecord {
            timestamp: self.now,
            level: match self.outcome {
                Outcome::Denied | Outcome::WouldDeny => "WARN",
                _ => "INFO",
            },
            message: "decision",
            service: "",
            cold_start: false,
            function: ingress.and_then(|ingress| ingress.function.as_deref()),
            decision: self.outcome,
            mode: self.mode,
            refusal: self.refusal.map(RefusalRecord::of),
            policies: self.policies,
            shadow: self.shadow,
            client: self.client.map(ClientRecord::of),
            trust_version: self.snapshot.map(Snapshot::version),
            cache_hit: self.is_remembered,
            method: self.method,
            host: self.host,
            path: self.path,
            alb_trace_id: self.alb_trace_id,
            function_request_id: ingress.and_then(|ingress| ingress.function_request_id.as_deref()),
            xray_trace_id: ingress.and_then(|ingress| ingress.xray_trace_id.as_deref()),
            target_group: ingress.and_then(|ingress| ingress.target_group.as_deref()),
            duration: self.duration,
            sampling_rate: None,
            metrics: None,
        }
    }
}

impl<'a> RefusalRecord<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        Self {
            code: refusal.code(),
            detail: refusal.detail(),
            explanation: refusal.to_string(),
            context: match refusal {
                Refusal::Certificate(rejection) => rejection.context().if_any(),
                _ => None,
            },
            status: refusal.status().as_u16(),
            www_authenticate: match refusal {
                Refusal::Token(_) => refusal.challenge(),
                _ => None,
            },
        }
    }
}

impl<'a> ClientRecord<'a> {
    fn of(client: &'a VerifiedClient) -> Self {
        let identity = client.identity();
        let names = identity.alternative_names.as_slice();
        let shown = names.get(..Self::MAX_ALTERNATIVE_NAMES).unwrap_or(names);
        Self {
            subject: &identity.subject,
            issuer: &identity.issuer,
            serial_number: &identity.serial_number,
            alternative_names: shown,
            alternative_names_left_out: names.len() - shown.len(),
            unreadable_extensions: &identity.unreadable_extensions,
            certificate_sha256: identity.certificate_fingerprint,
            not_after: identity.validity.not_after,
            anchor_id: identity.anchor.id(),
            anchor: identity.anchor.subject(),
            crl_next_update: client.revocation().next_update(),
            revocation_unknown: client.revocation().unknown().map(|rejection| rejection.detail()),
        }
    }
}

#[cfg(test)]
mod tests {
    use alb_mtls_verifier::{Reason, Rejection};

    use super::*;

    #[test]
    fn record_of_a_rejection_has_its_facts() {
        let rejection = Rejection::new(Reason::KeySize)
            .of_certificate(1)
            .about("CN=Issuing")
            .in_field("public key")
            .found("an RSA key of 1024 bits")
            .allowed("RSA of 2048 to 8192 bits");
        let refusal = Refusal::from(rejection);
        let record = serde_json::to_value(RefusalRecord::of(&refusal)).unwrap();
        assert_eq!(
            record["context"],
            serde_json::json!({
                "certificate": 1,
                "subject": "CN=Issuing",
                "field": "public key",
                "found": "an RSA key of 1024 bits",
                "allowed": "RSA of 2048 to 8192 bits",
            })
        );
        let refusal = Refusal::from(Rejection::new(Reason::CertificateMissing));
        let record = serde_json::to_value(RefusalRecord::of(&refusal)).unwrap();
        assert!(record.get("context").is_none());
    }

    #[test]
    fn namespaces_and_services_are_those_that_cloudwatch_takes() {
        for good in ["alb-mtls", "Gate/Prod", "a#b:c_d.e"] {
            assert!(good.parse::<MetricsNamespace>().is_ok(), "{good}");
        }
        let long = "a".repeat(256);
        for bad in ["", "AWS/Lambda", ":a", "a b", "a\n", "ä", long.as_str()] {
            assert!(bad.parse::<MetricsNamespace>().is_err(), "{bad}");
            assert!(
                bad == "AWS/Lambda" || bad.parse::<ServiceName>().is_err(),
                "{bad}"
            );
        }
        assert!(ServiceName::DEFAULT.parse::<ServiceName>().is_ok());
    }
}
