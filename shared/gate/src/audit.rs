//! The audit log: which decisions are recorded, with which metrics.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alb_mtls_http::host::Host;
use alb_mtls_trust::{DenyLists, Percent, Trust};
use alb_mtls_verifier::{CryptoModule, ExtensionMap, Reason, Timestamp, VerifiedClient};
use http::request::Parts;

use crate::audit_record::{AuditRecord, AuditSink, ClientRecord, DenialRecord, MetricsRecord, Outcome};
use crate::decision::{Decision, DecisionContext, Principal};
use crate::denial::Denial;
use crate::ingress::Ingress;
use crate::metrics::{Connections, Counted, EmbeddedCounts, EmbeddedMetrics, Observation, State, Totals};
use crate::mode::Mode;

/// Settings of records and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSettings {
    /// Name of the service in records, and dimension of metrics.
    pub service: ServiceName,
    /// Share of the records about requests that pass which is written. Denials, requests that
    /// `enforce` would have denied and differences from the shadow set are always written.
    pub allowed: Percent,
    /// Namespace of metrics; without it there are none.
    pub metrics: Option<MetricsNamespace>,
}

/// A value that CloudWatch takes for a dimension: 1 to 255 visible ASCII characters, no colon
/// first.
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
            Err("up to 255 visible ASCII characters, of which the first is not a colon")
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

/// Decision to be recorded.
pub(crate) struct AuditedRequest<'a> {
    /// The request; `None` for an event that is not one.
    pub(crate) request: Option<&'a Parts>,
    pub(crate) ingress: Option<&'a Ingress>,
    pub(crate) decision: &'a Decision,
    pub(crate) context: &'a DecisionContext,
    pub(crate) mode: Mode,
}

/// Writes audit records and counts metrics.
#[derive(Debug)]
pub(crate) struct AuditLog {
    settings: AuditSettings,
    sink: Box<dyn AuditSink>,
    metrics: Option<EmbeddedCounts>,
    totals: Option<Totals>,
    connections: Connections,
    deny_lists: Option<DenyLists>,
    is_warm: AtomicBool,
}

impl AuditLog {
    pub(crate) fn new(settings: AuditSettings, sink: Box<dyn AuditSink>) -> Self {
        let metrics = settings.metrics.as_ref();
        Self {
            metrics: metrics.map(|namespace| EmbeddedCounts::new(namespace.to_string())),
            totals: None,
            connections: Connections::default(),
            deny_lists: None,
            settings,
            sink,
            is_warm: AtomicBool::new(false),
        }
    }

    pub(crate) fn with_sink(self, sink: Box<dyn AuditSink>) -> Self {
        Self { sink, ..self }
    }

    pub(crate) fn with_totals(self) -> Self {
        Self {
            totals: Some(Totals::new()),
            ..self
        }
    }

    pub(crate) fn with_connections(self, connections: Connections) -> Self {
        Self { connections, ..self }
    }

    pub(crate) fn with_deny_lists(self, deny_lists: Option<DenyLists>) -> Self {
        Self { deny_lists, ..self }
    }

    fn state(&self, trust: &Trust) -> State {
        State::new(trust, self.deny_lists.as_ref(), &self.connections)
    }

    /// Returns the page for Prometheus.
    pub(crate) fn prometheus_page(&self, trust: &Trust, now: Timestamp) -> String {
        let state = self.state(trust);
        match &self.totals {
            Some(totals) => totals.text(&state, now),
            None => Totals::new().text(&state, now),
        }
    }

    /// Writes and counts a decision.
    pub(crate) fn write(&self, audited: &AuditedRequest<'_>, trust: &Trust) {
        let cold_start = !self.is_warm.swap(true, Ordering::Relaxed);
        let outcome = audited.outcome();
        let duration = audited.context.elapsed();
        self.count(audited, outcome, duration);
        let now = audited.context.now;
        let state = || self.state(trust);
        let counted = counted(outcome);
        if self.is_written(audited, outcome) {
            let metrics = self.metrics.as_ref();
            let metrics = metrics.and_then(|metrics| metrics.take(counted, now, state));
            self.sink
                .write(&self.record(audited, outcome, duration, cold_start, metrics));
        } else if let Some(metrics) = self.metrics.as_ref().filter(|metrics| metrics.are_due(now))
            && let Some(metrics) = metrics.take(counted, now, state)
        {
            self.write_metrics(metrics, now);
        }
    }

    /// Writes the metrics of decisions that were left out of the records and wait for a line.
    pub(crate) fn write_waiting_metrics(&self, trust: &Trust, now: Timestamp) {
        let waiting = self.metrics.as_ref().filter(|metrics| metrics.are_waiting());
        let state = || self.state(trust);
        if let Some(metrics) = waiting.and_then(|metrics| metrics.take(None, now, state)) {
            self.write_metrics(metrics, now);
        }
    }

    fn count(&self, audited: &AuditedRequest<'_>, outcome: Outcome, duration: Duration) {
        if self.metrics.is_none() && self.totals.is_none() {
            return;
        }
        if let Some(observation) = audited.observation(outcome, duration) {
            if let Some(metrics) = &self.metrics {
                metrics.count(&observation, audited.context.now);
            }
            if let Some(totals) = &self.totals {
                totals.count(&observation);
            }
        }
    }

    fn write_metrics(&self, metrics: EmbeddedMetrics<'_>, now: Timestamp) {
        self.sink.write_metrics(&MetricsRecord {
            timestamp: now,
            level: "INFO",
            message: "metrics",
            service: &self.settings.service.0,
            metrics,
        });
    }

    fn is_written(&self, audited: &AuditedRequest<'_>, outcome: Outcome) -> bool {
        match self.settings.allowed.get() {
            _ if audited.is_always_written(outcome) => true,
            percent => fastrand::u8(0..100) < percent,
        }
    }

    fn sampling_rate(&self, audited: &AuditedRequest<'_>, outcome: Outcome) -> Option<f32> {
        let percent = self.settings.allowed.get();
        (percent < 100 && !audited.is_always_written(outcome)).then(|| f32::from(percent) / 100.0)
    }

    fn record<'a>(
        &'a self,
        audited: &AuditedRequest<'a>,
        outcome: Outcome,
        duration: Duration,
        cold_start: bool,
        metrics: Option<EmbeddedMetrics<'a>>,
    ) -> AuditRecord<'a> {
        let context = audited.context;
        let (request, ingress) = (audited.request, audited.ingress);
        let trace_id = request.and_then(|request| request.headers.get("x-amzn-trace-id"));
        AuditRecord {
            timestamp: context.now,
            level: match outcome {
                Outcome::Denied | Outcome::WouldDeny => "WARN",
                _ => "INFO",
            },
            message: "decision",
            service: &self.settings.service.0,
            cold_start,
            function: ingress.and_then(|ingress| ingress.function.as_deref()),
            decision: outcome,
            mode: audited.mode,
            denial: audited.denial().map(DenialRecord::new),
            policies: &context.policies,
            shadow: context.shadow.as_ref(),
            client: audited.client().map(ClientRecord::new),
            trust_version: context.snapshot.as_deref().map(alb_mtls_trust::Snapshot::version),
            crypto_module: CryptoModule::BUILT
                .is_fips()
                .then_some(CryptoModule::BUILT.as_str()),
            cache_hit: context.is_cache_hit,
            method: request.map(|request| request.method.as_str()).unwrap_or_default(),
            host: context.host.named().map(Host::as_str),
            path: request.map(|request| request.uri.path()).unwrap_or_default(),
            alb_trace_id: trace_id.and_then(|value| value.to_str().ok()),
            function_request_id: ingress.and_then(|ingress| ingress.function_request_id.as_deref()),
            xray_trace_id: ingress.and_then(|ingress| ingress.xray_trace_id.as_deref()),
            peer: ingress.and_then(|ingress| ingress.peer.address()),
            target_group: ingress.and_then(|ingress| ingress.target_group.as_deref()),
            duration,
            sampling_rate: self.sampling_rate(audited, outcome),
            metrics,
        }
    }
}

impl<'a> AuditedRequest<'a> {
    fn outcome(&self) -> Outcome {
        match self.decision {
            Decision::HealthCheck => Outcome::HealthCheck,
            Decision::Deny(_) => Outcome::Denied,
            Decision::Allow(_) if self.context.overruled.is_some() => Outcome::WouldDeny,
            Decision::Allow(Principal::Verified(_)) => Outcome::Allowed,
            Decision::Allow(Principal::Public) => Outcome::Public,
            Decision::Allow(Principal::Anonymous) => Outcome::Anonymous,
        }
    }

    /// Returns the reason why the request was denied, why it would have been, or why its client is
    /// not verified.
    fn denial(&self) -> Option<&'a Denial> {
        match self.decision {
            Decision::Deny(denial) => Some(denial),
            Decision::Allow(_) | Decision::HealthCheck => {
                let context = self.context;
                context.overruled.as_ref().or(context.not_verified.as_ref())
            }
        }
    }

    fn client(&self) -> Option<&'a VerifiedClient> {
        match self.decision {
            Decision::Allow(Principal::Verified(client)) => Some(client),
            _ => self.context.denied_client.as_ref(),
        }
    }

    fn validators_disagree(&self) -> bool {
        matches!(
            self.denial(),
            Some(Denial::Certificate(rejection)) if rejection.reason() == Reason::ValidatorsDisagree
        )
    }

    fn is_always_written(&self, outcome: Outcome) -> bool {
        self.context.shadow.is_some() || matches!(outcome, Outcome::Denied | Outcome::WouldDeny)
    }

    /// Returns what is counted about the decision, if it is counted.
    fn observation(&self, outcome: Outcome, duration: Duration) -> Option<Observation> {
        let outcome = counted(outcome)?;
        let code = match outcome {
            Counted::Denied | Counted::WouldDeny => self.denial().map(|denial| denial.reason().code),
            Counted::Allowed | Counted::Anonymous => None,
        };
        Some(Observation {
            outcome,
            code,
            differs_from_shadow: self.context.shadow.is_some(),
            is_cache_hit: self.context.is_cache_hit,
            validators_disagree: self.validators_disagree(),
            client_end: self.client().map(|client| client.identity().validity.not_after),
            duration,
        })
    }
}

fn counted(outcome: Outcome) -> Option<Counted> {
    match outcome {
        Outcome::Allowed => Some(Counted::Allowed),
        Outcome::Anonymous => Some(Counted::Anonymous),
        Outcome::Denied => Some(Counted::Denied),
        Outcome::WouldDeny => Some(Counted::WouldDeny),
        Outcome::HealthCheck | Outcome::Public => None,
    }
}

impl<'a> DenialRecord<'a> {
    fn new(denial: &'a Denial) -> Self {
        let reason = denial.reason();
        Self {
            code: reason.code,
            detail: reason.detail,
            explanation: denial.to_string(),
            context: match denial {
                Denial::Certificate(rejection) => rejection.context().if_any(),
                _ => None,
            },
            status: reason.status.as_u16(),
            www_authenticate: denial.token_challenge(),
        }
    }
}

impl<'a> ClientRecord<'a> {
    fn new(client: &'a VerifiedClient) -> Self {
        let identity = client.identity();
        let names = identity.alternative_names.as_slice();
        let shown = names.get(..Self::MAX_ALTERNATIVE_NAMES).unwrap_or(names);
        Self {
            subject: &identity.subject,
            issuer: &identity.issuer,
            serial_number: &identity.serial_number,
            alternative_names: shown,
            alternative_names_left_out: names.len() - shown.len(),
            extensions: ExtensionMap(&identity.extensions),
            unreadable_extensions: &identity.unreadable_extensions,
            certificate_sha256: identity.certificate_fingerprint,
            not_after: identity.validity.not_after,
            validators: client.validators().as_str(),
            anchor_id: identity.anchor.id(),
            anchor: identity.anchor.subject(),
            crl_next_update: client.revocation().next_update(),
            ocsp_until: client.revocation().ocsp_until(),
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
        let denial = Denial::from(rejection);
        let record = serde_json::to_value(DenialRecord::new(&denial)).unwrap();
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
        let denial = Denial::from(Rejection::new(Reason::CertificateMissing));
        let record = serde_json::to_value(DenialRecord::new(&denial)).unwrap();
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
