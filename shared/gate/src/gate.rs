//! The order in which a request is judged, cheapest refusal first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_trust::{Snapshot, Trust};
use alb_mtls_verifier::{HeaderFormat, HeaderValues, Reason, Rejection, Timestamp, VerifiedClient};
use http::header::{HOST, HeaderName, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};

use crate::identity_headers::{self, CERTIFICATE_CHAIN};
use crate::record::{ClientRecord, DecisionRecord, Outcome, Recorder, RefusalRecord, StandardOutput};
use crate::refusal::Refusal;
use crate::settings::{GateSettings, Mode, Settings};
use crate::target_groups::TargetGroups;

/// Decides about requests. One gate serves a process; it is shared, and every decision uses one snapshot of the trust
/// material from start to end.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    trust: Trust,
    recorder: Box<dyn Recorder>,
    public: Option<Arc<dyn PublicRequests>>,
}

/// Says which requests pass without a certificate, such as those of a route that the operator opened.
///
/// They still have to come through a target group that is served, and lose every header that states an identity.
pub trait PublicRequests: Send + Sync + std::fmt::Debug {
    /// Whether this request passes as nobody, whatever certificate comes with it.
    fn is_public(&self, request: &Parts) -> bool;
}

/// Where a request came from, as far as the edge knows: a request extension that the edge sets.
///
/// Without it the request came over HTTP, to a container that is an IP target of the load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    /// ARN of the target group in the Lambda event.
    pub target_group: Option<String>,
    /// Lambda's id of the invocation.
    pub function_request_id: Option<String>,
}

/// What the gate decided.
#[derive(Clone, Debug)]
pub enum Decision {
    /// The request may pass.
    Pass(Passage),
    /// The request is the load balancer's own health check: it is answered, and passes nothing.
    HealthCheck,
    /// The request is refused.
    Refuse(Refusal),
}

/// As whom a request passes.
#[derive(Clone, Debug)]
pub enum Passage {
    /// As a verified client.
    Verified(VerifiedClient),
    /// As nobody: without a certificate where that is allowed, or in `MTLS_MODE=report`.
    Anonymous,
    /// As nobody, where everybody may pass: see [`PublicRequests`].
    Public,
}

/// User agent of the load balancer's health checks.
const HEALTH_CHECKER: &str = "ELB-HealthChecker/2.0";

/// Headers that the load balancer adds to every request of a client. `X-Forwarded-For` is not enough: a listener
/// attribute can turn it off.
const CLIENT_TRACES: [&str; 4] = [
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// Longest path in a record; what a client sends beyond it says nothing new.
const MAX_RECORDED_PATH: usize = 1_024;

impl Gate {
    /// A gate that loads its trust material at the first request, or when [`Gate::load`] is called.
    pub fn new(settings: Settings) -> Self {
        Self {
            trust: Trust::new(settings.trust),
            settings: settings.gate,
            recorder: Box::new(StandardOutput),
            public: None,
        }
    }

    /// The same gate with another place for its records.
    #[must_use]
    pub fn with_recorder(mut self, recorder: impl Recorder + 'static) -> Self {
        self.recorder = Box::new(recorder);
        self
    }

    /// The same gate, open for these requests. Without this it is open for none.
    #[must_use]
    pub fn with_public_requests(mut self, public: Arc<dyn PublicRequests>) -> Self {
        self.public = Some(public);
        self
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &GateSettings {
        &self.settings
    }

    /// Loads the trust material now, so that the first request does not wait for it. When it cannot be loaded the
    /// reason is logged, and requests are answered with 503 until a later attempt succeeds.
    pub async fn load(&self) {
        // The trust room logs the failure with its particulars; the gate stays up to answer and to try again.
        let _ = self.trust.load(Timestamp::now()).await;
    }

    /// Decides about a request at the time `now`, and records the decision.
    pub async fn decide(&self, request: &Parts, now: Timestamp) -> Decision {
        self.decide_by_snapshot(request, now).await.0
    }

    /// The decision, and the trust material that it was made by if it needed any.
    pub(crate) async fn decide_by_snapshot(
        &self,
        request: &Parts,
        now: Timestamp,
    ) -> (Decision, Option<Arc<Snapshot>>) {
        let started = Instant::now();
        let ingress = request.extensions.get::<Ingress>();
        let mut snapshot = None;
        let verdict = self.judge(request, ingress, now, &mut snapshot).await;
        let decision = match verdict {
            Ok(Verdict::HealthCheck) => Decision::HealthCheck,
            Ok(Verdict::Client(client)) => Decision::Pass(Passage::Verified(client)),
            Ok(Verdict::Public) => Decision::Pass(Passage::Public),
            Err(refusal) if self.passes_anonymously(&refusal) => {
                self.record(
                    request,
                    &Decision::Pass(Passage::Anonymous),
                    Some(&refusal),
                    snapshot.as_deref(),
                    now,
                    started,
                );
                return (Decision::Pass(Passage::Anonymous), snapshot);
            }
            Err(refusal) => Decision::Refuse(refusal),
        };
        self.record(request, &decision, None, snapshot.as_deref(), now, started);
        (decision, snapshot)
    }

    /// Refuses what an edge could not turn into a request, and records it.
    pub fn refuse_not_servable(&self, explanation: &str, ingress: &Ingress, now: Timestamp) -> Refusal {
        let refusal = Refusal::NotServable(explanation.to_owned());
        self.recorder.record(&DecisionRecord {
            timestamp: now,
            level: "WARN",
            message: "decision",
            decision: Outcome::Denied,
            mode: self.settings.mode,
            refusal: Some(RefusalRecord::of(&refusal)),
            client: None,
            trust_version: None,
            method: "",
            path: "",
            alb_trace_id: None,
            function_request_id: ingress.function_request_id.as_deref(),
            target_group: ingress.target_group.as_deref(),
            duration: Duration::ZERO,
        });
        refusal
    }

    async fn judge(
        &self,
        request: &Parts,
        ingress: Option<&Ingress>,
        now: Timestamp,
        used: &mut Option<Arc<Snapshot>>,
    ) -> Result<Verdict, Refusal> {
        self.check_target_group(ingress)?;
        if is_health_check(request, ingress) {
            return Ok(Verdict::HealthCheck);
        }
        if self
            .public
            .as_ref()
            .is_some_and(|public| public.is_public(request))
        {
            return Ok(Verdict::Public);
        }
        let chain = {
            self.check_look_alikes(&request.headers)?;
            let certificate = values_of(&request.headers, &self.settings.header);
            let chain = match self.settings.header_format {
                HeaderFormat::Rfc9440 => {
                    values_of(&request.headers, &HeaderName::from_static(CERTIFICATE_CHAIN))
                }
                _ => Vec::new(),
            };
            let values = HeaderValues {
                certificate: &certificate,
                chain: &chain,
            };
            self.settings
                .header_format
                .decode(values, self.settings.header_limits)?
        };
        let snapshot = self
            .trust
            .snapshot(now)
            .await
            .map_err(|unavailable| Refusal::NoTrustMaterial(unavailable.to_string()))?;
        let verdict = snapshot.verifier().verify(&chain, now);
        *used = Some(snapshot);
        Ok(Verdict::Client(verdict?))
    }

    fn check_target_group(&self, ingress: Option<&Ingress>) -> Result<(), Refusal> {
        match (
            &self.settings.target_groups,
            ingress.and_then(|ingress| ingress.target_group.as_deref()),
        ) {
            (TargetGroups::Any, _) => Ok(()),
            (TargetGroups::Matching(_), None) => Err(Refusal::NoTargetGroup),
            (served, Some(arn)) if served.serve(arn) => Ok(()),
            (_, Some(arn)) => Err(Refusal::TargetGroup(arn.to_owned())),
        }
    }

    fn check_look_alikes(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let certificate_header = &self.settings.header;
        match headers
            .keys()
            .find(|name| identity_headers::looks_like_certificate_header(name, certificate_header))
        {
            None => Ok(()),
            Some(name) => Err(Rejection::new(Reason::HeaderLookAlike).because(format!("`{name}`"))),
        }
    }

    /// Target groups and malformed requests are refused in every mode: there is no client to be lenient with.
    fn passes_anonymously(&self, refusal: &Refusal) -> bool {
        match (self.settings.mode, refusal) {
            (Mode::Enforce, _) => false,
            (Mode::Optional, Refusal::Certificate(rejection)) => {
                rejection.reason() == Reason::CertificateMissing
            }
            (Mode::Report, Refusal::Certificate(_) | Refusal::NoTrustMaterial(_)) => true,
            (Mode::Optional | Mode::Report, _) => false,
        }
    }

    fn record(
        &self,
        request: &Parts,
        decision: &Decision,
        overruled: Option<&Refusal>,
        snapshot: Option<&Snapshot>,
        now: Timestamp,
        started: Instant,
    ) {
        let ingress = request.extensions.get::<Ingress>();
        let refusal = match decision {
            Decision::Refuse(refusal) => Some(refusal),
            Decision::Pass(_) | Decision::HealthCheck => overruled,
        };
        let client = match decision {
            Decision::Pass(Passage::Verified(client)) => Some(client),
            _ => None,
        };
        let outcome = match (decision, self.settings.mode) {
            (Decision::HealthCheck, _) => Outcome::HealthCheck,
            (Decision::Refuse(_), _) => Outcome::Denied,
            (Decision::Pass(Passage::Verified(_)), _) => Outcome::Allowed,
            (Decision::Pass(Passage::Public), _) => Outcome::Public,
            (Decision::Pass(Passage::Anonymous), Mode::Report) => Outcome::WouldDeny,
            (Decision::Pass(Passage::Anonymous), _) => Outcome::Anonymous,
        };
        self.recorder.record(&DecisionRecord {
            timestamp: now,
            level: if matches!(outcome, Outcome::Denied | Outcome::WouldDeny) {
                "WARN"
            } else {
                "INFO"
            },
            message: "decision",
            decision: outcome,
            mode: self.settings.mode,
            refusal: refusal.map(RefusalRecord::of),
            client: client.map(ClientRecord::of),
            trust_version: snapshot.map(|snapshot| snapshot.version().to_owned()),
            method: request.method.as_str(),
            path: shortened(request.uri.path()),
            alb_trace_id: request
                .headers
                .get("x-amzn-trace-id")
                .and_then(|value| value.to_str().ok()),
            function_request_id: ingress.and_then(|ingress| ingress.function_request_id.as_deref()),
            target_group: ingress.and_then(|ingress| ingress.target_group.as_deref()),
            duration: started.elapsed(),
        });
    }
}

enum Verdict {
    Client(VerifiedClient),
    HealthCheck,
    Public,
}

impl RefusalRecord {
    fn of(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code(),
            detail: refusal.detail(),
            explanation: refusal.to_string(),
            status: refusal.status().as_u16(),
        }
    }
}

impl<'a> ClientRecord<'a> {
    fn of(client: &'a VerifiedClient) -> Self {
        let identity = client.identity();
        Self {
            subject: &identity.subject,
            issuer: &identity.issuer,
            serial_number: &identity.serial_number,
            alternative_names: &identity.alternative_names,
            certificate_sha256: identity.certificate_fingerprint,
            not_after: identity.validity.not_after,
            anchor_id: identity.anchor.id(),
            anchor: identity.anchor.subject(),
        }
    }
}

/// Whether the load balancer itself asks. A client can send the user agent but cannot avoid the headers that the load
/// balancer adds to what clients send; in a Lambda event not even a host is there.
///
/// Source: Elastic Load Balancing user guide, "Lambda functions as targets", health check event.
fn is_health_check(request: &Parts, ingress: Option<&Ingress>) -> bool {
    let headers = &request.headers;
    let from_health_checker = headers
        .get(USER_AGENT)
        .is_some_and(|agent| agent == HEALTH_CHECKER);
    let from_a_client = CLIENT_TRACES.iter().any(|name| headers.contains_key(*name))
        || (ingress.is_some() && headers.contains_key(HOST));
    from_health_checker && !from_a_client && request.method == Method::GET
}

fn values_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .map(http::HeaderValue::as_bytes)
        .collect()
}

fn shortened(path: &str) -> &str {
    let mut end = path.len().min(MAX_RECORDED_PATH);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    path.get(..end).unwrap_or_default()
}
