//! Requests that come to the gate, and its answer to them.

use alb_mtls_http::host::RequestHost;
use alb_mtls_verifier::PresentedChain;
use http::Response;
use http::header::HeaderMap;
use http::request::Parts;

use crate::decision::Principal;
use crate::denial::{Denial, DenialBody};
use crate::denial_page::DenialForm;
use crate::ingress::Ingress;

/// Request as it comes to [`Gate::admit`](crate::Gate::admit).
#[derive(Debug)]
pub enum Incoming {
    /// Request that a service could serve. Its edge may add [`Ingress`] and [`EdgeCertificate`] as
    /// extensions.
    Request(Parts),
    /// Event that cannot be made into a request: it is denied and recorded.
    NotServable {
        /// Reason, as one sentence for the operator.
        explanation: String,
        /// Way that the event took.
        ingress: Ingress,
    },
}

impl From<Parts> for Incoming {
    fn from(parts: Parts) -> Self {
        Self::Request(parts)
    }
}

/// Certificates that a client presented to another edge than a load balancer, such as API Gateway:
/// a request extension.
///
/// With this extension the gate reads no certificate header, and answers no health check.
#[derive(Clone, Debug)]
pub struct EdgeCertificate(pub Result<PresentedChain, Denial>);

/// Outcome of [`Gate::admit`](crate::Gate::admit).
#[derive(Debug)]
#[must_use = "a request that is not allowed must not go on"]
#[expect(
    clippy::large_enum_variant,
    reason = "a request in a box would cost each an allocation"
)]
pub enum Admission {
    /// The request goes on.
    Allowed(AllowedRequest),
    /// The gate answers in place of the service.
    Answered(GateAnswer),
}

/// Request that may go on to the service.
#[derive(Debug)]
#[non_exhaustive]
pub struct AllowedRequest {
    /// Request without the headers that state an identity or restate what was decided.
    ///
    /// A verified client's request has [`VerifiedClient`](alb_mtls_verifier::VerifiedClient),
    /// [`Arc<Snapshot>`](alb_mtls_trust::Snapshot) and, where a token was checked,
    /// [`TokenIdentity`](crate::TokenIdentity) as extensions.
    pub parts: Parts,
    /// Host of the request, as the gate read it.
    pub host: RequestHost,
    /// Principal that the request is allowed as.
    pub principal: Principal,
    /// Headers that the gate adds to the service's response: see `MTLS_RENEWAL_HINT`.
    pub response_headers: HeaderMap,
}

/// Answer of the gate itself: a denial, or the answer to a health check.
#[derive(Debug)]
pub struct GateAnswer {
    denial: Option<Denial>,
    body: DenialBody,
    form: DenialForm,
}

impl GateAnswer {
    pub(crate) fn denied(denial: Denial, body: DenialBody, form: DenialForm) -> Self {
        Self {
            denial: Some(denial),
            body,
            form,
        }
    }

    pub(crate) fn healthy() -> Self {
        Self {
            denial: None,
            body: DenialBody::Vague,
            form: DenialForm::Problem,
        }
    }

    /// Returns the denial; `None` for a health check.
    pub fn denial(&self) -> Option<&Denial> {
        self.denial.as_ref()
    }

    /// Returns the answer as a response: for a denial problem details (RFC 9457), or a page if the
    /// client prefers `text/html`; 200 for a health check.
    pub fn to_response<B: From<String>>(&self) -> Response<B> {
        match &self.denial {
            Some(denial) => denial.to_response(self.body, &self.form),
            None => Response::new("healthy".to_owned().into()),
        }
    }
}
