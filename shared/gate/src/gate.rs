//! The order in which a request is judged, cheapest refusal first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_http::host::{Host, RequestHost};
use alb_mtls_http::restated::{self, Restated};
use alb_mtls_token::TokenIdentity;
use alb_mtls_trust::{AuthorizationSettings, Snapshot, Trust};
use alb_mtls_verifier::{PresentedChain, Reason, Timestamp, VerifiedClient};
use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method};

use crate::ShadowDifference;
use crate::authorization;
use crate::bound_token::BoundTokens;
use crate::ingress::Ingress;
use crate::mode::Mode;
use crate::opinion::{Active, Asked};
use crate::presented::Presented;
use crate::record::{Outcome, Recorder, StandardOutput};
use crate::recording::{Account, Recording};
use crate::refusal::Refusal;
use crate::settings::{GateSettings, Settings};
use crate::target_groups::TargetGroups;
use crate::verdicts::Verdicts;

/// Decides about requests. One gate serves a process; it is shared, and every decision uses one snapshot of the trust
/// material from start to end.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    trust: Trust,
    authorization: AuthorizationSettings,
    recording: Recording,
    public: Option<Arc<dyn PublicRequests>>,
    bound_tokens: Option<BoundTokens>,
    verdicts: Option<Verdicts>,
    reads_header: bool,
}

/// Says which requests pass without a certificate, such as those of a route that the operator opened.
///
/// They still have to come through a target group that is served, and lose every header that states an identity.
pub trait PublicRequests: Send + Sync + std::fmt::Debug {
    /// Whether this request passes as nobody, whatever certificate comes with it.
    fn is_public(&self, request: &Parts) -> bool;

    /// Returns whether the host of a request decides something here, such as who may see what. Then a request whose host
    /// is absent or cannot be read is refused in every mode: it is not one for another host.
    fn goes_by_host(&self) -> bool;
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

/// A decision, and what it was made by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Judgement {
    /// What was decided.
    pub decision: Decision,
    /// The trust material, when any was needed.
    pub snapshot: Option<Arc<Snapshot>>,
    /// What the client's token says, when one was checked: see `MTLS_BOUND_TOKEN`.
    pub token: Option<TokenIdentity>,
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

impl Gate {
    /// A gate that loads its trust material at the first request, or when [`Gate::load`] is called.
    pub fn new(settings: Settings) -> Self {
        Self {
            trust: Trust::new(settings.trust).with_authorization(settings.authorization.clone()),
            bound_tokens: settings.gate.bound_token.clone().map(BoundTokens::new),
            authorization: settings.authorization,
            recording: Recording::new(settings.gate.records.clone(), Box::new(StandardOutput)),
            public: None,
            verdicts: Verdicts::new(settings.gate.verdicts),
            reads_header: true,
            settings: settings.gate,
        }
    }

    /// The same gate with another place for its records.
    #[must_use]
    pub fn with_recorder(mut self, recorder: impl Recorder + 'static) -> Self {
        self.recording = self.recording.with_recorder(Box::new(recorder));
        self
    }

    /// The same gate, open for these requests. Without this it is open for none.
    #[must_use]
    pub fn with_public_requests(mut self, public: Arc<dyn PublicRequests>) -> Self {
        self.public = Some(public);
        self
    }

    /// Puts the gate behind another edge than a load balancer, which hands certificates over by
    /// [`Gate::decide_presented`]: no header of a client can take their place.
    #[must_use]
    pub fn without_certificate_header(mut self) -> Self {
        self.reads_header = false;
        self
    }

    /// When the client's certificate expires, if that is near enough to tell.
    pub(crate) fn expiry_to_tell(&self, client: &VerifiedClient, now: Timestamp) -> Option<HeaderValue> {
        let not_after = client.identity().validity.not_after;
        let seconds_left = not_after.unix_seconds().saturating_sub(now.unix_seconds());
        let hint = i64::try_from(self.settings.renewal_hint?.as_secs()).unwrap_or(i64::MAX);
        if seconds_left > hint {
            return None;
        }
        HeaderValue::from_str(&not_after.to_string()).ok()
    }

    /// Writes the metrics that were gathered and wait for a line: for the end of the process. Until then they are
    /// written with the next record, when more than one request in nine or 100 of them wait, and after a minute.
    pub fn write_metrics(&self) {
        self.recording
            .write_waiting_metrics(&self.trust, Timestamp::now());
    }

    /// Returns `true` if policies decide about requests: see `MTLS_POLICY`.
    pub fn asks_policies(&self) -> bool {
        self.authorization.policies.is_some()
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &GateSettings {
        &self.settings
    }

    /// Loads the trust material now, so that the first request does not wait for it. When it cannot be loaded the
    /// reason is logged, and requests are answered with 503 until a later attempt succeeds.
    ///
    /// Every program calls it once at its start, so it also warns of a certificate header with its default name.
    pub async fn load(&self) {
        if self.reads_header && self.settings.has_default_header() {
            tracing::warn!(
                kind = "default_certificate_header",
                header = %self.settings.header,
                remedy = "set the listener attribute routing.http.request.x_amzn_mtls_clientcert.header_name to a name \
                          that only you know, and MTLS_HEADER to the same",
                "the certificate header has its default name: a client without a certificate can copy a public chain into \
                 it, and AWS does not say whether the load balancer passes that on"
            );
        }
        let now = Timestamp::now();
        // The trust room logs the failure with its particulars; the gate stays up to answer and to try again.
        let (_, ()) = tokio::join!(self.trust.load(now), async {
            if let Some(bound_tokens) = &self.bound_tokens {
                bound_tokens.load(now).await;
            }
        });
    }

    /// Decides about a request at the time `now`, and records the decision.
    pub async fn decide(&self, request: &Parts, now: Timestamp) -> Decision {
        self.decide_fully(request, now).await.decision
    }

    /// The decision, and what it was made by.
    pub(crate) async fn decide_fully(&self, request: &Parts, now: Timestamp) -> Judgement {
        self.decide_by(request, Edge::LoadBalancer, now).await
    }

    /// Decides about a request whose client presented its certificates to another edge than a load balancer, such as
    /// API Gateway, and records the decision. The edge hands them over, or says why it has to refuse; nothing about them
    /// is read from the request.
    pub async fn decide_presented(
        &self,
        request: &Parts,
        presented: Result<PresentedChain, Refusal>,
        now: Timestamp,
    ) -> Judgement {
        self.decide_by(request, Edge::Other(presented), now).await
    }

    async fn decide_by(&self, request: &Parts, edge: Edge, now: Timestamp) -> Judgement {
        let started = Instant::now();
        let mut findings = Findings::default();
        let host = RequestHost::from_parts(request);
        let verdict = self.judge(request, &host, edge, now, &mut findings).await;
        let verdict = self.check_token(request, verdict, now, &mut findings).await;
        let verdict = self.ask_policies(request, verdict, now, &mut findings).await;
        findings.shadow = self.compare_with_shadow(request, &verdict, &findings, now);
        let (decision, overruled) = match verdict {
            Ok(Verdict::HealthCheck) => (Decision::HealthCheck, None),
            Ok(Verdict::Client(client)) => (Decision::Pass(Passage::Verified(client)), None),
            Ok(Verdict::Public) => (Decision::Pass(Passage::Public), None),
            Err(refusal) if self.passes_anonymously(&refusal) => match &findings.client {
                // Who it is, is certain all the same.
                Some(client) if matches!(refusal, Refusal::Policy { .. }) => {
                    (Decision::Pass(Passage::Verified(client.clone())), Some(refusal))
                }
                _ => (Decision::Pass(Passage::Anonymous), Some(refusal)),
            },
            Err(refusal) => (Decision::Refuse(refusal), None),
        };
        self.record(
            request,
            &host,
            &decision,
            overruled.as_ref(),
            &findings,
            now,
            started,
        );
        Judgement {
            decision,
            snapshot: findings.snapshot,
            token: findings.token,
        }
    }

    /// Refuses what an edge could not turn into a request, and records it.
    pub fn refuse_not_servable(&self, explanation: &str, ingress: &Ingress, now: Timestamp) -> Refusal {
        let refusal = Refusal::NotServable(explanation.to_owned());
        let account = Account {
            now,
            mode: self.settings.mode,
            outcome: Outcome::Denied,
            refusal: Some(&refusal),
            policies: &[],
            shadow: None,
            client: None,
            snapshot: None,
            is_remembered: false,
            method: "",
            host: None,
            path: "",
            alb_trace_id: None,
            ingress: Some(ingress),
            duration: Duration::ZERO,
        };
        self.recording.tell(&account, &self.trust);
        refusal
    }

    async fn judge(
        &self,
        request: &Parts,
        host: &RequestHost,
        edge: Edge,
        now: Timestamp,
        findings: &mut Findings,
    ) -> Result<Verdict, Refusal> {
        let ingress = request.extensions.get::<Ingress>();
        self.check_target_group(ingress)?;
        if request.method == Method::CONNECT {
            return Err(Refusal::Connect);
        }
        if matches!(edge, Edge::LoadBalancer) && is_health_check(request, ingress) {
            return Ok(Verdict::HealthCheck);
        }
        let mut is_public = false;
        if let Some(public) = &self.public {
            if public.goes_by_host() && host.named().is_none() {
                return Err(Refusal::HostUnclear(host.clone()));
            }
            is_public = public.is_public(request);
        }
        self.check_query(request, is_public)?;
        if is_public {
            return Ok(Verdict::Public);
        }
        let presented = match edge {
            Edge::LoadBalancer => self.settings.header_of(&request.headers)?,
            Edge::Other(chain) => Presented::Chain(chain?),
        };
        let verdict = self
            .verdict(&presented, time_left(request), now, findings)
            .await?;
        Ok(Verdict::Client(verdict))
    }

    /// The verdict about what was presented, by signatures or by memory.
    async fn verdict(
        &self,
        presented: &Presented<'_>,
        left: Option<Duration>,
        now: Timestamp,
        findings: &mut Findings,
    ) -> Result<VerifiedClient, Refusal> {
        let memory = self
            .verdicts
            .as_ref()
            .and_then(|verdicts| Some((verdicts, presented.presentation(&self.settings)?)));
        let snapshot = match self.trust.at_hand(now) {
            Some(snapshot) => snapshot,
            None => {
                // A request that is denied whatever the trust material says does not wait for a lookup.
                presented.decode(&self.settings)?;
                self.look_up(left, now).await?
            }
        };
        let remembered = memory
            .as_ref()
            .and_then(|(verdicts, presentation)| verdicts.recall(presentation, &snapshot, now));
        let verdict = match remembered {
            Some(verdict) => {
                findings.is_remembered = true;
                if snapshot.shadow().is_some() {
                    findings.chain = Some(presented.decode(&self.settings)?);
                }
                verdict
            }
            None => {
                let chain = presented.decode(&self.settings)?;
                let verdict = snapshot.verifier().verify(&chain, now);
                if let Some((verdicts, presentation)) = &memory {
                    verdicts.remember(presentation, &snapshot, now, &verdict);
                }
                findings.chain = Some(chain);
                verdict
            }
        };
        findings.snapshot = Some(snapshot);
        Ok(verdict?)
    }

    /// Returns the snapshot to decide by, after a lookup if one is due.
    async fn look_up(&self, left: Option<Duration>, now: Timestamp) -> Result<Arc<Snapshot>, Refusal> {
        let snapshot = self.trust.snapshot_within(now, left).await;
        snapshot.map_err(|unavailable| Refusal::NoTrustMaterial(unavailable.to_string()))
    }

    /// Asks the policies about everybody who would pass and is not let through unseen.
    async fn ask_policies(
        &self,
        request: &Parts,
        verdict: Result<Verdict, Refusal>,
        now: Timestamp,
        findings: &mut Findings,
    ) -> Result<Verdict, Refusal> {
        let Some(passing) = self.passing(&verdict) else {
            return verdict;
        };
        let client = passing.client();
        if findings.snapshot.is_none() && self.has_policies() {
            match self.look_up(time_left(request), now).await {
                Ok(snapshot) => findings.snapshot = Some(snapshot),
                // What is only tried out never refuses.
                Err(_) if self.authorization.policies.is_none() => {}
                Err(unavailable) => return Err(unavailable),
            }
        }
        let Some(snapshot) = &findings.snapshot else {
            return verdict;
        };
        let opinion = authorization::ask(snapshot, Asked { request, client, now });
        findings.policies = opinion.policies;
        match opinion.refusal {
            None => verdict,
            Some(refusal) => {
                findings.client = client.cloned();
                Err(refusal)
            }
        }
    }

    fn has_policies(&self) -> bool {
        self.authorization.policies.is_some() || self.authorization.shadow_policies.is_some()
    }

    /// What would be different by the shadow set, for whoever got as far as trust material.
    fn compare_with_shadow(
        &self,
        request: &Parts,
        verdict: &Result<Verdict, Refusal>,
        findings: &Findings,
        now: Timestamp,
    ) -> Option<ShadowDifference> {
        let snapshot = findings.snapshot.as_deref()?;
        let (client, refusal) = match (self.passing(verdict), verdict) {
            (Some(passing), _) => (passing.client(), None),
            // Tokens and their keys are not tried out.
            (None, Ok(_) | Err(Refusal::Token(_) | Refusal::NoTokenKeys(_))) => return None,
            (None, Err(refusal)) => (findings.client.as_ref(), Some(refusal)),
        };
        let active = Active {
            client,
            refusal,
            policies: &findings.policies,
        };
        authorization::compare(snapshot, request, findings.chain.as_ref(), &active, now)
    }

    /// Holds the token against the certificate, for everybody who would pass and is not let through unseen. A client
    /// without a certificate is among them: leaving it out must not make a token usable that is bound to one.
    async fn check_token(
        &self,
        request: &Parts,
        verdict: Result<Verdict, Refusal>,
        now: Timestamp,
        findings: &mut Findings,
    ) -> Result<Verdict, Refusal> {
        let Some(bound_tokens) = &self.bound_tokens else {
            return verdict;
        };
        let Some(passing) = self.passing(&verdict) else {
            return verdict;
        };
        let client = passing.client();
        let left = time_left(request);
        match bound_tokens.check(&request.headers, client, left, now).await {
            Ok(token) => {
                findings.token = token;
                verdict
            }
            Err(refusal) => {
                findings.client = client.cloned();
                Err(refusal)
            }
        }
    }

    /// Refuses a query that restates the method where something was decided by the request: it cannot be removed without
    /// changing what the client sent.
    fn check_query(&self, request: &Parts, is_public: bool) -> Result<(), Refusal> {
        let decides = is_public || self.asks_policies();
        let query = request.uri.query().unwrap_or_default();
        if decides
            && self.settings.stripped.restated() == Restated::Strip
            && restated::query_restates_method(query)
        {
            let explanation = "a parameter of the query restates the method, such as `_method`";
            return Err(Refusal::Restated(explanation.to_owned()));
        }
        Ok(())
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

    /// Who passes by this verdict and is not let through unseen, if anybody: whom tokens and policies are asked about.
    fn passing<'v>(&self, verdict: &'v Result<Verdict, Refusal>) -> Option<Passing<'v>> {
        match verdict {
            Ok(Verdict::Client(client)) => Some(Passing::Client(client)),
            Err(refusal) if self.settings.mode == Mode::Optional && self.passes_anonymously(refusal) => {
                Some(Passing::Anonymous)
            }
            Ok(Verdict::HealthCheck | Verdict::Public) | Err(_) => None,
        }
    }

    /// Target groups and malformed requests are refused in every mode: there is no client to be lenient with.
    fn passes_anonymously(&self, refusal: &Refusal) -> bool {
        match (self.settings.mode, refusal) {
            (Mode::Enforce, _) => false,
            (Mode::Optional, Refusal::Certificate(rejection)) => {
                rejection.reason() == Reason::CertificateMissing
            }
            (
                Mode::Report,
                Refusal::Certificate(_)
                | Refusal::NoTrustMaterial(_)
                | Refusal::CertificateSource(_)
                | Refusal::IdentityHeader(_)
                | Refusal::Restated(_)
                | Refusal::Token(_)
                | Refusal::NoTokenKeys(_)
                | Refusal::Policy { .. },
            ) => true,
            (Mode::Optional | Mode::Report, _) => false,
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call, and each is a fact of one decision"
    )]
    fn record(
        &self,
        request: &Parts,
        host: &RequestHost,
        decision: &Decision,
        overruled: Option<&Refusal>,
        findings: &Findings,
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
            _ => findings.client.as_ref(),
        };
        let outcome = match (decision, overruled, self.settings.mode) {
            (Decision::HealthCheck, ..) => Outcome::HealthCheck,
            (Decision::Refuse(_), ..) => Outcome::Denied,
            (Decision::Pass(_), Some(_), Mode::Report) => Outcome::WouldDeny,
            (Decision::Pass(Passage::Verified(_)), ..) => Outcome::Allowed,
            (Decision::Pass(Passage::Public), ..) => Outcome::Public,
            (Decision::Pass(Passage::Anonymous), ..) => Outcome::Anonymous,
        };
        let trace_id = request.headers.get("x-amzn-trace-id");
        let account = Account {
            now,
            mode: self.settings.mode,
            outcome,
            refusal,
            policies: &findings.policies,
            shadow: findings.shadow.as_ref(),
            client,
            snapshot: findings.snapshot.as_deref(),
            is_remembered: findings.is_remembered,
            method: request.method.as_str(),
            host: host.named().map(Host::as_str),
            path: request.uri.path(),
            alb_trace_id: trace_id.and_then(|value| value.to_str().ok()),
            ingress,
            duration: started.elapsed(),
        };
        self.recording.tell(&account, &self.trust);
    }
}

/// Where the client presented its certificates.
enum Edge {
    /// To a load balancer, which put them into a header.
    LoadBalancer,
    /// To another edge, which hands them over.
    Other(Result<PresentedChain, Refusal>),
}

/// What was found out on the way to a verdict.
#[derive(Default)]
struct Findings {
    snapshot: Option<Arc<Snapshot>>,
    /// The verified client of a request that is refused all the same.
    client: Option<VerifiedClient>,
    token: Option<TokenIdentity>,
    /// What the client presented, once it was judged, if somebody needs it.
    chain: Option<PresentedChain>,
    /// Whether the verdict is one of before.
    is_remembered: bool,
    /// Ids of the policies that decided.
    policies: Vec<Arc<str>>,
    shadow: Option<ShadowDifference>,
}

enum Verdict {
    Client(VerifiedClient),
    HealthCheck,
    Public,
}

/// Who passes so far.
enum Passing<'v> {
    Client(&'v VerifiedClient),
    Anonymous,
}

impl<'v> Passing<'v> {
    fn client(&self) -> Option<&'v VerifiedClient> {
        match self {
            Self::Client(client) => Some(client),
            Self::Anonymous => None,
        }
    }
}

/// Returns the time until the invocation ends; `None` where there is no end.
fn time_left(request: &Parts) -> Option<Duration> {
    request.extensions.get::<Ingress>()?.time_left()
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
