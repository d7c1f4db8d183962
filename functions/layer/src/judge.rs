//! Decision about an event: it reaches the function, or an answer goes back in its place.

use std::sync::Arc;

use alb_mtls_gate::{Admission, AllowedRequest, Gate, Incoming, Ingress};
use alb_mtls_http::IdentityHeaderCache;
use alb_mtls_lambda::{
    Answer, ErrorReport, Event, EventForm, EventHeaders, RewriteError, admit, holds_request_headers, rewrite,
};
use bytes::Bytes;

use crate::proxy::ProxyError;
use crate::settings::{LayerSettings, OtherEvents};

/// Type of the error that an invoker gets for an event that is denied and is not an HTTP request.
const EVENT_REFUSED: &str = "AlbMtls.EventRefused";

/// Decision about one event.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The function gets this.
    Pass(Bytes),
    /// The client gets this answer, a response for the load balancer.
    Answer(Vec<u8>),
    /// The invoker of the function gets this error. A client of a load balancer cannot cause it.
    Error(ErrorReport),
}

/// Judges events with the gate.
#[derive(Debug)]
pub(crate) struct Judge {
    gate: Gate,
    identity_headers: IdentityHeaderCache<EventHeaders>,
    other_events: OtherEvents,
}

impl Judge {
    pub(crate) fn new(gate: Gate, settings: LayerSettings) -> Self {
        Self {
            gate,
            identity_headers: IdentityHeaderCache::new(settings.identity),
            other_events: settings.other_events,
        }
    }

    /// Loads the trust material.
    pub(crate) async fn load(&self) {
        self.gate.load().await;
    }

    /// Writes the metrics that wait for a line.
    pub(crate) fn write_metrics(&self) {
        self.gate.write_metrics();
    }

    /// Judges one event, and records it.
    ///
    /// # Errors
    /// None that an event can cause.
    pub(crate) async fn judge(&self, sent: Bytes, ingress: Ingress) -> Result<Verdict, ProxyError> {
        let (text, event) = match std::str::from_utf8(&sent) {
            Ok(text) => (text, Event::from_json(text)),
            Err(error) => ("", Event::unreadable(&error)),
        };
        if event.is_http() {
            return self.judge_request(text, event, ingress).await;
        }
        let explanation = match self.other_events {
            OtherEvents::Pass if holds_request_headers(text) => {
                "the event contains the headers of an HTTP request that did not come through the load balancer, in which its \
                 client can claim any identity"
            }
            OtherEvents::Pass => {
                tracing::info!(
                    function_request_id = ingress.function_request_id,
                    "an event that is not an HTTP request was passed on"
                );
                return Ok(Verdict::Pass(sent));
            }
            OtherEvents::Refuse => {
                "the event does not come from an Application Load Balancer: LAYER_OTHER_EVENTS=pass would pass it on"
            }
        };
        Ok(self.refuse(explanation.to_owned(), ingress).await)
    }

    async fn judge_request(&self, text: &str, event: Event, ingress: Ingress) -> Result<Verdict, ProxyError> {
        let header_mode = event.header_mode();
        match admit(&self.gate, event, ingress.clone()).await {
            (Admission::Answered(answer), _) => {
                let answer = Answer::new(answer.to_response(), header_mode);
                Ok(Verdict::Answer(serde_json::to_vec(&answer)?))
            }
            (Admission::Allowed(allowed), _) => match self.with_identity(text, &allowed) {
                Ok(event) => Ok(Verdict::Pass(event.into())),
                Err(error) => Ok(self.refuse(error.to_string(), ingress).await),
            },
        }
    }

    /// Returns the event with the client's identity in place of every identity that the client
    /// claimed.
    fn with_identity(&self, text: &str, allowed: &AllowedRequest) -> Result<Vec<u8>, RewriteError> {
        let client = allowed.principal.client();
        let identity = client.map_or_else(Arc::default, |client| self.identity_headers.headers(client));
        match rewrite(text, &allowed.parts.headers, &identity, EventForm::AsSent) {
            Ok((event, _)) => Ok(event),
            // Nothing is claimed, and there is nothing to tell.
            Err(RewriteError::NoHeaders) if identity.is_empty() => Ok(text.as_bytes().to_vec()),
            Err(error) => Err(error),
        }
    }

    async fn refuse(&self, explanation: String, ingress: Ingress) -> Verdict {
        let incoming = Incoming::NotServable {
            explanation: explanation.clone(),
            ingress,
        };
        // An event that is not a request is denied in every mode. The answer is for clients, and
        // the invoker is not one.
        let _: Admission = self.gate.admit(incoming).await;
        Verdict::Error(ErrorReport {
            error_type: EVENT_REFUSED.to_owned(),
            message: explanation,
        })
    }
}
