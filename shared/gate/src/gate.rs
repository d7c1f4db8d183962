//! The gate: its one entry, and the order in which a request is checked, cheapest denial first.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_http::headers::looks_like_certificate_header;
use alb_mtls_http::host::RequestHost;
use alb_mtls_http::restated::{self, Restated};
use alb_mtls_trust::{AuthorizationSettings, DenyLists, OcspClient, Snapshot, Trust};
use alb_mtls_verifier::{Reason, ReasonCode, Rejection, Timestamp, VerifiedClient};
use http::Method;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::request::Parts;

use crate::admission::{Admission, AllowedRequest, EdgeCertificate, GateAnswer, Incoming};
use crate::audit::{AuditLog, AuditedRequest};
use crate::audit_record::{AuditSink, StandardOutput};
use crate::decision::{Decision, DecisionContext, Principal, time_left};
use crate::denial::Denial;
use crate::denial_page::DenialForm;
use crate::ingress::{Ingress, Peer};
use crate::metrics::Connections;
use crate::peers::Peers;
use crate::policy::{self, InUse};
use crate::presented::Presented;
use crate::reason::GateReason;
use crate::settings::{GateSettings, Settings};
use crate::target_groups::TargetGroups;
use crate::token::BoundTokens;
use crate::verdict_cache::VerdictCache;

/// Decides about requests. One gate serves a process; it is shared, and every decision uses one
/// snapshot of the trust material from start to end.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    pub(crate) trust: Trust,
    authorization: AuthorizationSettings,
    pub(crate) audit: AuditLog,
    public: Option<Arc<dyn PublicRequests>>,
    pub(crate) bound_tokens: Option<BoundTokens>,
    pub(crate) deny_lists: Option<DenyLists>,
    verdicts: Option<VerdictCache>,
    reads_header: bool,
}

/// Says which requests pass without a certificate, such as those of a route that the operator
/// opened.
///
/// They still have to come through a target group that is served, and lose every header that states
/// an identity.
pub trait PublicRequests: Send + Sync + std::fmt::Debug {
    /// Returns whether this request passes as [`Principal::Public`], whatever certificate comes
    /// with it.
    fn is_public(&self, request: &Parts, host: &RequestHost) -> bool;

    /// Returns whether the host of a request decides something here, such as which clients may see
    /// what. Then a request whose host is absent or unreadable is denied in every mode: it is not a
    /// request for another host.
    fn goes_by_host(&self) -> bool;
}

/// User agent of the load balancer's health checks.
const HEALTH_CHECKER: &str = "ELB-HealthChecker/2.0";

/// Headers that the load balancer adds to every request of a client. `X-Forwarded-For` is not
/// enough: a listener attribute can turn it off.
const CLIENT_TRACES: [&str; 4] = [
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// Tells a client when its certificate expires, once that is near: see `MTLS_RENEWAL_HINT`.
const EXPIRES: HeaderName = HeaderName::from_static("client-cert-expires");

impl Gate {
    /// Creates a gate that loads its trust material at the first request, or when [`Gate::load`] is
    /// called.
    pub fn new(settings: Settings) -> Self {
        let deny_lists = settings.gate.deny_list.clone().map(DenyLists::new);
        Self {
            trust: Trust::new(settings.trust).with_authorization(settings.authorization.clone()),
            bound_tokens: settings.gate.bound_token.clone().map(BoundTokens::new),
            authorization: settings.authorization,
            audit: AuditLog::new(settings.gate.audit.clone(), Box::new(StandardOutput))
                .with_deny_lists(deny_lists.clone()),
            deny_lists,
            public: None,
            verdicts: VerdictCache::new(settings.gate.verdict_cache),
            reads_header: true,
            settings: settings.gate,
        }
    }

    /// Sets where audit records go; defaults to [`StandardOutput`].
    #[must_use]
    pub fn with_audit_sink(mut self, sink: impl AuditSink + 'static) -> Self {
        self.audit = self.audit.with_sink(Box::new(sink));
        self
    }

    /// Counts decisions for [`Gate::prometheus_page`] too.
    #[must_use]
    pub fn with_totals(mut self) -> Self {
        self.audit = self.audit.with_totals();
        self
    }

    /// Sets where open connections are counted, for the metrics of a server.
    #[must_use]
    pub fn with_connections(mut self, connections: Connections) -> Self {
        self.audit = self.audit.with_connections(connections);
        self
    }

    /// Opens the gate for these requests; defaults to none.
    #[must_use]
    pub fn with_public_requests(mut self, public: Arc<dyn PublicRequests>) -> Self {
        self.public = Some(public);
        self
    }

    /// Returns `true` if policies decide about requests: see `MTLS_POLICY`.
    pub fn has_policies(&self) -> bool {
        self.authorization.policies.is_some()
    }

    fn needs_snapshot_for_policies(&self) -> bool {
        self.has_policies() || self.authorization.shadow_policies.is_some()
    }

    /// Returns the settings of the gate.
    pub fn settings(&self) -> &GateSettings {
        &self.settings
    }

    /// Puts the gate behind another edge than a load balancer, which hands certificates over as
    /// [`EdgeCertificate`]: no header of a client can take their place, and a request without that
    /// extension has no certificate.
    #[must_use]
    pub fn without_certificate_header(mut self) -> Self {
        self.reads_header = false;
        self
    }

    /// Loads the trust material now, so that the first request does not wait for it. When it cannot
    /// be loaded the reason is logged, and requests are answered with 503 until a later attempt
    /// succeeds.
    ///
    /// Every program calls it once at its start, so it also warns of a certificate header with its
    /// default name.
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
        // Trust logs the failure with its particulars; the gate stays up to answer and to try
        // again.
        let tokens = async {
            if let Some(bound_tokens) = &self.bound_tokens {
                bound_tokens.load(now).await;
            }
        };
        let deny_list = async {
            if let Some(deny_lists) = &self.deny_lists {
                deny_lists.load(now).await;
            }
        };
        let (_, (), ()) = tokio::join!(self.trust.load(now), tokens, deny_list);
    }

    /// Writes the metrics that were gathered and wait for a record: for the end of the process.
    /// Until then they are written with the next record, when more than one request in nine or 100
    /// of them wait, and after a minute.
    pub fn write_metrics(&self) {
        self.audit.write_waiting_metrics(&self.trust, Timestamp::now());
    }

    /// Decides about a request, records the decision, and returns the request for the service
    /// behind the gate or the answer in its place. This is the only way past the gate.
    ///
    /// A request is changed only where it is allowed: it loses the headers that state an identity
    /// or restate what was decided, and gets the extensions of [`AllowedRequest::parts`].
    pub async fn admit(&self, incoming: impl Into<Incoming>) -> Admission {
        self.admit_at(incoming.into(), Timestamp::now()).await
    }

    /// Does as [`Gate::admit`] at the time `now`.
    pub async fn admit_at(&self, incoming: Incoming, now: Timestamp) -> Admission {
        match incoming {
            Incoming::Request(parts) => {
                let mut context = DecisionContext::new(RequestHost::from_parts(&parts), now);
                let decision = self.decide(&parts, &mut context).await;
                let ingress = parts.extensions.get::<Ingress>();
                self.record(Some(&parts), ingress, &decision, &context);
                self.carry_out(decision, parts, context)
            }
            Incoming::NotServable { explanation, ingress } => {
                let context = DecisionContext::new(RequestHost::Absent, now);
                let denial = Denial::new(GateReason::NotServable, explanation);
                let decision = Decision::Deny(denial.clone());
                self.record(None, Some(&ingress), &decision, &context);
                Admission::Answered(GateAnswer::denied(
                    denial,
                    self.settings.denial_body,
                    DenialForm::Problem,
                ))
            }
        }
    }

    /// Comes to the decision: the ingress, then the client's identity, then what that principal
    /// may do.
    async fn decide(&self, request: &Parts, context: &mut DecisionContext) -> Decision {
        let ingress = request.extensions.get::<Ingress>();
        if let Err(denial) = self.check_ingress(request, ingress) {
            return Decision::Deny(denial);
        }
        let edge = request.extensions.get::<EdgeCertificate>();
        if edge.is_none() && is_health_check(request, ingress) {
            return Decision::HealthCheck;
        }
        let checked = self.check(request, edge, context).await;
        context.shadow = compare_with_shadow(request, &checked, self.trust.ocsp(), context);
        self.settings.mode.decision(checked, context)
    }

    async fn check(
        &self,
        request: &Parts,
        edge: Option<&EdgeCertificate>,
        context: &mut DecisionContext,
    ) -> Result<Principal, Denial> {
        let is_public = self.is_public(request, &context.host)?;
        self.check_query(request, is_public)?;
        if is_public {
            return Ok(Principal::Public);
        }
        let authenticated = self.authenticate(request, edge, context).await;
        let principal = self
            .settings
            .mode
            .principal(authenticated.map(Principal::Verified), context)?;
        match self.authorize(request, principal.client(), context).await {
            Ok(()) => Ok(principal),
            Err(denial) => {
                context.denied_client = principal.into_client();
                Err(denial)
            }
        }
    }

    /// Verifies what the client presented.
    async fn authenticate(
        &self,
        request: &Parts,
        edge: Option<&EdgeCertificate>,
        context: &mut DecisionContext,
    ) -> Result<VerifiedClient, Denial> {
        let presented = match edge {
            Some(EdgeCertificate(chain)) => Presented::Chain(chain.as_ref().map_err(Clone::clone)?),
            None if self.reads_header => self.settings.header_of(&request.headers)?,
            None => return Err(Reason::CertificateMissing.into()),
        };
        self.verify(&presented, time_left(request), context).await
    }

    /// Verifies a chain, or recalls the verdict about the same one.
    async fn verify(
        &self,
        presented: &Presented<'_>,
        left: Option<Duration>,
        context: &mut DecisionContext,
    ) -> Result<VerifiedClient, Denial> {
        let now = context.now;
        let cached = self
            .verdicts
            .as_ref()
            .and_then(|verdicts| Some((verdicts, presented.cache_key(&self.settings)?)));
        let snapshot = match self.trust.at_hand(now) {
            Some(snapshot) => snapshot,
            None => {
                // A request that is denied whatever the trust material says does not wait for a
                // lookup.
                presented.decode(&self.settings)?;
                self.look_up(left, now).await?
            }
        };
        let known = cached
            .as_ref()
            .and_then(|(verdicts, key)| verdicts.get(key, &snapshot, now));
        let verdict = match known {
            Some(verdict) => {
                context.is_cache_hit = true;
                if snapshot.shadow().is_some() {
                    context.chain = Some(presented.decode(&self.settings)?);
                }
                verdict
            }
            None => {
                let chain = presented.decode(&self.settings)?;
                let verifier = snapshot.verifier();
                let verdict = match self.trust.ocsp() {
                    None => verifier.verify(&chain, now),
                    // In a box of its own type, as a lookup.
                    Some(ocsp) => Box::pin(ocsp.verify(verifier, &chain, now, left)).await,
                };
                report_disagreement(&verdict);
                if let Some((verdicts, key)) = &cached
                    && !(self.trust.ocsp().is_some() && is_passing(&verdict))
                {
                    verdicts.insert(key, &snapshot, now, &verdict);
                }
                context.chain = Some(chain);
                verdict
            }
        };
        context.snapshot = Some(snapshot);
        Ok(verdict?)
    }

    /// Checks what the principal may do: the deny list, its token, and the policies. An anonymous
    /// client is asked for both: leaving the certificate out must not make a token usable that is
    /// bound to one.
    async fn authorize(
        &self,
        request: &Parts,
        client: Option<&VerifiedClient>,
        context: &mut DecisionContext,
    ) -> Result<(), Denial> {
        self.check_deny_list(client, time_left(request), context).await?;
        if let Some(bound_tokens) = &self.bound_tokens {
            let left = time_left(request);
            context.token = bound_tokens
                .check(&request.headers, client, left, context.now)
                .await?;
        }
        if context.snapshot.is_none() && self.needs_snapshot_for_policies() {
            match self.look_up(time_left(request), context.now).await {
                Ok(snapshot) => context.snapshot = Some(snapshot),
                // The shadow set never denies.
                Err(_) if !self.has_policies() => {}
                Err(denial) => return Err(denial),
            }
        }
        if let Some(snapshot) = context.snapshot.clone() {
            policy::decide(&snapshot, request, client, context)?;
        }
        self.check_newer_deny_list(client, context)
    }

    /// Returns the snapshot to decide with, after a lookup if one is due.
    ///
    /// In a box of its own type: a lookup is rare and its state is large, and callers need not know
    /// what it consists of.
    fn look_up(
        &self,
        left: Option<Duration>,
        now: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<Snapshot>, Denial>> + Send + '_>> {
        Box::pin(async move {
            let snapshot = self.trust.snapshot_within(now, left).await;
            snapshot.map_err(|error| {
                Denial::new(
                    GateReason::NoTrustMaterial,
                    format!("there is no trust material: {error}"),
                )
            })
        })
    }

    /// Checks the way that the request took. Denies in every mode: there is no client to be lenient
    /// with.
    fn check_ingress(&self, request: &Parts, ingress: Option<&Ingress>) -> Result<(), Denial> {
        let target_group = ingress.and_then(|ingress| ingress.target_group.as_deref());
        match (&self.settings.target_groups, target_group) {
            (TargetGroups::Any, _) => {}
            (served, Some(arn)) if served.serve(arn) => {}
            (_, arn) => return Err(target_group_not_served(arn)),
        }
        self.check_peer(peer_of(request))?;
        if request.method == Method::CONNECT {
            return Err(Denial::new(
                GateReason::Connect,
                "the method CONNECT asks for a tunnel, and the gate decides about requests",
            ));
        }
        Ok(())
    }

    /// Checks that the request came from a network of the load balancer. A peer that is not known
    /// is in none.
    fn check_peer(&self, peer: Peer) -> Result<(), Denial> {
        let explanation = match (&self.settings.peers, peer) {
            (None | Some(Peers::Any), _) | (_, Peer::Vouched) => return Ok(()),
            (Some(peers), Peer::Address(address)) if peers.contains(address) => return Ok(()),
            (_, Peer::Address(address)) => format!(
                "the request came from `{}`, which is in no network of MTLS_PEERS",
                address.to_canonical()
            ),
            (_, Peer::Unknown) => {
                "the address that the request came from is not known although MTLS_PEERS is set".to_owned()
            }
        };
        Err(Denial::new(GateReason::Peer, explanation))
    }

    /// Denies headers that state an identity, and, if `with_restated`, those that restate method,
    /// path, host or framing: for a request that another program passes on, which does not remove
    /// them.
    ///
    /// The certificate header itself is left to [`Gate::admit`].
    ///
    /// # Errors
    /// A denial that names the header, for an [`EdgeCertificate`].
    pub fn check_kept_headers(&self, headers: &HeaderMap, with_restated: bool) -> Result<(), Denial> {
        let settings = &self.settings;
        let chain_header = settings.header_format.chain_header();
        let is_certificate = |name: &HeaderName| {
            let continues = self.reads_header && chain_header.as_ref() == Some(name);
            continues || *name == settings.header
        };
        for name in headers.keys().filter(|name| !is_certificate(name)) {
            if looks_like_certificate_header(name, &settings.header) {
                return Err(Denial::new(
                    GateReason::CertificateSource,
                    format!(
                        "the header `{name}` could be taken for the certificate header by the service behind"
                    ),
                ));
            }
            if settings.stripped.states_identity(name) {
                return Err(Denial::new(
                    GateReason::IdentityHeader,
                    format!(
                        "the request has the header `{name}`, which states an identity and would reach the service behind"
                    ),
                ));
            }
            let stripped = &settings.stripped;
            if with_restated && (stripped.restates(name) || stripped.is_look_alike(name)) {
                return Err(Denial::new(
                    GateReason::Restated,
                    format!(
                        "the header `{name}` restates what is decided by, and would reach the service behind"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn is_public(&self, request: &Parts, host: &RequestHost) -> Result<bool, Denial> {
        let is_of_another_proxy = peer_of(request) == Peer::Vouched;
        let Some(public) = self.public.as_ref().filter(|_| !is_of_another_proxy) else {
            return Ok(false);
        };
        if public.goes_by_host() && host.named().is_none() {
            return Err(Denial::new(
                GateReason::HostUnclear,
                format!("{host}, and routes go by hosts"),
            ));
        }
        Ok(public.is_public(request, host))
    }

    /// Rejects a query that restates the method where something is decided by the request: the
    /// parameter cannot be removed without changing what the client sent.
    fn check_query(&self, request: &Parts, is_public: bool) -> Result<(), Denial> {
        let decides = is_public || self.has_policies();
        let query = request.uri.query().unwrap_or_default();
        if decides
            && self.settings.stripped.restated() == Restated::Strip
            && restated::query_restates_method(query)
        {
            return Err(Denial::new(
                GateReason::Restated,
                "a parameter of the query restates the method, such as `_method`",
            ));
        }
        Ok(())
    }

    fn record(
        &self,
        request: Option<&Parts>,
        ingress: Option<&Ingress>,
        decision: &Decision,
        context: &DecisionContext,
    ) {
        let audited = AuditedRequest {
            request,
            ingress,
            decision,
            context,
            mode: self.settings.mode,
        };
        self.audit.write(&audited, &self.trust);
    }

    /// Turns the decision into what happens.
    fn carry_out(&self, decision: Decision, mut parts: Parts, context: DecisionContext) -> Admission {
        let principal = match decision {
            Decision::Allow(principal) => principal,
            Decision::Deny(denial) => {
                let form = DenialForm::preferred(&parts);
                return Admission::Answered(GateAnswer::denied(denial, self.settings.denial_body, form));
            }
            Decision::HealthCheck => return Admission::Answered(GateAnswer::healthy()),
        };
        self.settings.stripped.strip(&mut parts.headers);
        let mut response_headers = HeaderMap::new();
        if let Some(client) = principal.client() {
            if let Some(expires) = self.renewal_hint(client, context.now) {
                response_headers.insert(EXPIRES, expires);
            }
            parts.extensions.insert(client.clone());
            if let Some(snapshot) = context.snapshot {
                parts.extensions.insert(snapshot);
            }
            if let Some(token) = context.token {
                parts.extensions.insert(token);
            }
        }
        Admission::Allowed(AllowedRequest {
            parts,
            host: context.host,
            principal,
            response_headers,
        })
    }

    /// Returns the time at which the client's certificate expires, if that is near enough to tell.
    fn renewal_hint(&self, client: &VerifiedClient, now: Timestamp) -> Option<HeaderValue> {
        let not_after = client.identity().validity.not_after;
        let seconds_left = not_after.unix_seconds().saturating_sub(now.unix_seconds());
        let hint = i64::try_from(self.settings.renewal_hint?.as_secs()).unwrap_or(i64::MAX);
        if seconds_left > hint {
            return None;
        }
        HeaderValue::from_str(&not_after.to_string()).ok()
    }
}

/// Returns true for a rejection that ends when a responder answers. Its client keeps a failure for
/// a few seconds, and the verdict cache would keep it for longer.
fn is_passing(verdict: &Result<VerifiedClient, Rejection>) -> bool {
    let code = verdict.as_ref().err().map(Rejection::code);
    code == Some(ReasonCode::ClientCertCrlProcessingError)
}

/// Reports a path that one validator accepted and the other rejected: a fault of one of them, which
/// a maintainer has to look into.
fn report_disagreement(verdict: &Result<VerifiedClient, Rejection>) {
    if let Err(rejection) = verdict
        && rejection.reason() == Reason::ValidatorsDisagree
    {
        tracing::error!(
            detail = rejection.detail(),
            explanation = %rejection,
            "the path validators disagree, and the client is denied"
        );
    }
}

/// Returns the difference that the shadow set would make, for a request that got as far as trust
/// material.
fn compare_with_shadow(
    request: &Parts,
    checked: &Result<Principal, Denial>,
    ocsp: Option<&OcspClient>,
    context: &DecisionContext,
) -> Option<crate::ShadowDifference> {
    let snapshot = context.snapshot.as_deref()?;
    let in_use = match checked {
        Ok(Principal::Public) => return None,
        Ok(principal) => InUse {
            client: principal.client(),
            denial: None,
        },
        // The shadow set has neither tokens nor keys for them, nor a deny list.
        Err(denial) if denial.is_of_tokens() || denial.is_of_deny_list() => return None,
        Err(denial) => InUse {
            client: context.denied_client.as_ref(),
            denial: Some(denial),
        },
    };
    policy::compare(snapshot, request, &in_use, ocsp, context)
}

fn target_group_not_served(arn: Option<&str>) -> Denial {
    let explanation = match arn {
        Some(arn) => {
            format!(
                "the request came through the target group `{arn}`, which MTLS_TARGET_GROUPS does not list"
            )
        }
        None => "the request names no target group although MTLS_TARGET_GROUPS is set".to_owned(),
    };
    Denial::new(GateReason::TargetGroup, explanation)
}

/// Returns whether the load balancer itself asks. A client can send the user agent but cannot avoid
/// the headers that the load balancer adds to what clients send; in a Lambda event not even a host
/// is there.
///
/// Source: Elastic Load Balancing user guide, "Lambda functions as targets", health check event.
fn is_health_check(request: &Parts, ingress: Option<&Ingress>) -> bool {
    let peer = peer_of(request);
    let headers = &request.headers;
    let from_health_checker = headers
        .get(USER_AGENT)
        .is_some_and(|agent| agent == HEALTH_CHECKER);
    let from_a_client = CLIENT_TRACES.iter().any(|name| headers.contains_key(*name))
        || (ingress.is_some() && peer == Peer::Unknown && headers.contains_key(HOST));
    from_health_checker && !from_a_client && request.method == Method::GET && peer != Peer::Vouched
}

fn peer_of(request: &Parts) -> Peer {
    let ingress = request.extensions.get::<Ingress>();
    ingress.map(|ingress| ingress.peer).unwrap_or_default()
}
