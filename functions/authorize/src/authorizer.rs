//! From an event to an answer.

use std::sync::Arc;

use alb_mtls_gate::{Admission, Denial, EdgeCertificate, Gate, GateReason, Incoming, Ingress, TokenIdentity};
use alb_mtls_verifier::{PresentedChain, Reason};
use http::StatusCode;
use lambda_runtime::Diagnostic;

use crate::answer::{Answer, Form, Verdict};
use crate::event::{self, Api, EventError, Question};
use crate::settings::{AuthorizerSettings, CertificateSource, ResponseFormat, Settings};

/// Asks the gate about what API Gateway asks.
#[derive(Debug)]
pub(crate) struct Authorizer {
    gate: Arc<Gate>,
    settings: AuthorizerSettings,
}

/// The one error of an authorizer that is an answer: a REST API turns exactly this message into
/// 401.
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

    /// Answers one event, whatever it contains.
    ///
    /// # Errors
    /// [`Unauthorized`] for a REST API when the client's certificate or token is missing or not
    /// valid.
    pub(crate) async fn authorize(&self, payload: &[u8], ingress: Ingress) -> Result<Answer, Unauthorized> {
        let event = event::parse(payload);
        // What it is that asks cannot be told without an event: a policy is an answer for all of
        // them.
        let api = event.as_ref().map_or(Api::Rest, Api::of);
        let read = event
            .and_then(|event| Question::read(&event, api))
            .and_then(|question| {
                let resource = question.arn.resource(self.settings.resource);
                Ok((question, resource.ok_or(EventError::Resource)?))
            });
        let (mut question, resource) = match read {
            Ok(read) => read,
            Err(error) => {
                let explanation = error.to_string();
                let incoming = Incoming::NotServable { explanation, ingress };
                return self.answer(self.gate.admit(incoming).await, api, everything());
            }
        };
        let presented = self
            .gate
            .check_kept_headers(&question.request.headers, self.gate.has_policies())
            .and_then(|()| self.presented(&question));
        // Behind a load balancer, API Gateway appends the load balancer's address.
        let hides_source_address = self.settings.certificate == CertificateSource::Header;
        let extensions = &mut question.request.extensions;
        extensions.insert(Ingress {
            hides_source_address,
            ..ingress
        });
        extensions.insert(EdgeCertificate(presented));
        self.answer(self.gate.admit(question.request).await, api, resource)
    }

    fn answer(&self, admission: Admission, api: Api, resource: String) -> Result<Answer, Unauthorized> {
        let form = self.form(api, resource);
        match admission {
            Admission::Allowed(allowed) => match allowed.principal.client() {
                Some(client) => {
                    let token = allowed.parts.extensions.get::<TokenIdentity>();
                    Ok(Answer::new(Verdict::Verified(client, token), form))
                }
                None => Ok(Answer::new(Verdict::Anonymous, form)),
            },
            Admission::Answered(answer) => match answer.denial() {
                Some(denial) if api == Api::Rest && denial.status() == StatusCode::UNAUTHORIZED => {
                    Err(Unauthorized)
                }
                Some(denial) => Ok(Answer::new(Verdict::Denied(denial), form)),
                // An edge certificate is never a health check: should it come to one, nothing was
                // decided about a client.
                None => {
                    let denial =
                        Denial::new(GateReason::NotServable, "the gate did not decide about a client");
                    Ok(Answer::new(Verdict::Denied(&denial), form))
                }
            },
        }
    }

    /// Returns the certificates from the one place that `AUTHORIZE_CERTIFICATE` names.
    ///
    /// A certificate in the other place is denied. Beside `clientCert`, a header is the client's
    /// own and would reach the API behind. Beside the header, `clientCert` means that the client
    /// came to API Gateway directly and not through the load balancer, so that the header is the
    /// client's own too.
    fn presented(&self, question: &Question) -> Result<PresentedChain, Denial> {
        let settings = self.gate.settings();
        let headers = &question.request.headers;
        match (self.settings.certificate, &question.client_certificate) {
            (CertificateSource::ClientCert, client_certificate) => {
                if let Some(name) = settings.certificate_header_in(headers) {
                    return Err(Denial::new(
                        GateReason::CertificateSource,
                        format!(
                            "the client sent the header `{name}`, and certificates come from `clientCert`"
                        ),
                    ));
                }
                let pem = client_certificate.as_ref().ok_or(Reason::CertificateMissing)?;
                Ok(settings.read_pem(pem)?)
            }
            (CertificateSource::Header, Some(_)) => Err(Denial::new(
                GateReason::CertificateSource,
                "the event has a `clientCert`, and certificates come from the header: the client came past the load balancer",
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

/// Returns the resource to deny when the requested one is not known.
fn everything() -> String {
    "*".to_owned()
}
