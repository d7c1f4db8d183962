//! From an event to an answer.

use std::sync::Arc;

use alb_mtls_gate::{Decision, Gate, Ingress, Passage, Refusal};
use alb_mtls_http::headers::looks_like_certificate_header;
use alb_mtls_verifier::{PresentedChain, Reason, Timestamp};
use http::StatusCode;
use http::header::{HeaderMap, HeaderName};
use lambda_runtime::Diagnostic;

use crate::answer::{Answer, Form, Verdict};
use crate::event::{self, Api, Defect, Question};
use crate::settings::{AuthorizerSettings, CertificateSource, ResponseFormat, Settings};

/// Asks the gate about what API Gateway asks.
#[derive(Debug)]
pub(crate) struct Authorizer {
    gate: Arc<Gate>,
    settings: AuthorizerSettings,
}

/// The one error of an authorizer that is an answer: a REST API turns exactly this message into 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unauthorized;

impl From<Unauthorized> for Diagnostic {
    fn from(_: Unauthorized) -> Self {
        Self {
            error_type: "Unauthorized".to_owned(),
            error_message: "Unauthorized".to_owned(),
        }
    }
}

impl Authorizer {
    pub(crate) fn new(settings: Settings) -> Self {
        let gate = Gate::new(settings.gate);
        Self {
            gate: Arc::new(match settings.authorizer.certificate {
                CertificateSource::ClientCert => gate.without_certificate_header(),
                CertificateSource::Header => gate,
            }),
            settings: settings.authorizer,
        }
    }

    /// Loads the trust material now, so that the first event does not wait for it.
    pub(crate) async fn load(&self) {
        self.gate.load().await;
    }

    /// Returns the gate that decides.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Answers one event, whatever it holds.
    ///
    /// # Errors
    /// [`Unauthorized`] for a REST API when the client's certificate or token is missing or not valid.
    pub(crate) async fn authorize(&self, payload: &[u8], ingress: Ingress) -> Result<Answer, Unauthorized> {
        let now = Timestamp::now();
        let event = event::parse(payload);
        // What it is that asks cannot be told without an event: a policy is an answer for all of them.
        let api = event.as_ref().map_or(Api::Rest, Api::of);
        let read = event
            .and_then(|event| Question::read(&event, api))
            .and_then(|question| {
                let resource = question.arn.resource(self.settings.resource);
                Ok((question, resource.ok_or(Defect::Resource)?))
            });
        let (mut question, resource) = match read {
            Ok(read) => read,
            Err(defect) => {
                let refusal = self.gate.refuse_not_servable(&defect.to_string(), &ingress, now);
                return Ok(Answer::new(
                    Verdict::Denied(&refusal),
                    self.form(api, everything()),
                ));
            }
        };
        question.request.extensions.insert(ingress);
        let presented = self.check_headers(&question.request.headers);
        let presented = presented.and_then(|()| self.presented(&question));
        let judgement = self
            .gate
            .decide_presented(&question.request, presented, now)
            .await;
        let form = self.form(api, resource);
        let refusal = match &judgement.decision {
            Decision::Pass(Passage::Verified(client)) => {
                return Ok(Answer::new(
                    Verdict::Verified(client, judgement.token.as_ref()),
                    form,
                ));
            }
            Decision::Pass(Passage::Anonymous) => return Ok(Answer::new(Verdict::Anonymous, form)),
            // This gate is open for no requests, and answers no health checks.
            Decision::Pass(Passage::Public) | Decision::HealthCheck => {
                &Refusal::NotServable("the gate did not decide about a client".to_owned())
            }
            Decision::Refuse(refusal) => refusal,
        };
        match (api, refusal.status()) {
            (Api::Rest, StatusCode::UNAUTHORIZED) => Err(Unauthorized),
            _ => Ok(Answer::new(Verdict::Denied(refusal), form)),
        }
    }

    /// Refuses headers that state an identity, and, where policies decide, those that restate method, path or host: an
    /// authorizer cannot remove what reaches the API behind it.
    ///
    /// What stands for the certificate header is left to [`Self::presented`], which knows where certificates come from.
    fn check_headers(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let settings = self.gate.settings();
        let is_certificate = |name: &HeaderName| {
            let continues = self.settings.certificate == CertificateSource::Header
                && settings.header_format.chain_header().as_ref() == Some(name);
            continues || *name == settings.header || looks_like_certificate_header(name, &settings.header)
        };
        for name in headers.keys().filter(|name| !is_certificate(name)) {
            if settings.stripped.states_identity(name) {
                return Err(Refusal::IdentityHeader(name.to_string()));
            }
            if self.gate.asks_policies() && settings.stripped.restates(name) {
                return Err(Refusal::Restated(format!(
                    "the header `{name}` restates what policies decide by, and would reach the API"
                )));
            }
        }
        Ok(())
    }

    /// The certificates from the one place that they may come from.
    ///
    /// One in the other place is refused. Beside `clientCert` a header is the client's own, and would reach the API
    /// behind; beside the header, `clientCert` means that the client came to API Gateway directly and not through the
    /// load balancer, so that the header is the client's own too.
    fn presented(&self, question: &Question) -> Result<PresentedChain, Refusal> {
        let settings = self.gate.settings();
        let headers = &question.request.headers;
        match (self.settings.certificate, &question.client_certificate) {
            (CertificateSource::ClientCert, client_certificate) => {
                if let Some(name) = settings.certificate_header_in(headers) {
                    return Err(Refusal::CertificateSource(format!(
                        "the client sent the header `{name}`, and certificates come from `clientCert`"
                    )));
                }
                let pem = client_certificate.as_ref().ok_or(Reason::CertificateMissing)?;
                Ok(settings.read_pem(pem)?)
            }
            (CertificateSource::Header, Some(_)) => Err(Refusal::CertificateSource(
                "the event has a `clientCert`, and certificates come from the header: the client came past the load balancer"
                    .to_owned(),
            )),
            (CertificateSource::Header, None) => Ok(settings.read_header(headers)?),
        }
    }

    fn form(&self, api: Api, resource: String) -> Form {
        match (api, self.settings.response) {
            (Api::Http2, ResponseFormat::Simple) => Form::Simple,
            _ => Form::Policy { resource },
        }
    }
}

/// What is denied when it is not known what was asked for.
fn everything() -> String {
    "*".to_owned()
}
