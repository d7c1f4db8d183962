//! What becomes of an event: it reaches the function, or an answer goes back in its place.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use alb_mtls_gate::{Gate, Ingress, VerifiedClient};
use alb_mtls_http::IdentityHeaderCache;
use alb_mtls_lambda::{
    ErrorReport, Event, EventForm, EventHeaders, RewriteError, handle_from, holds_request_headers, rewrite,
};
use alb_mtls_verifier::Timestamp;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use lambda_http::Body;
use tower::service_fn;

use crate::proxy::ProxyError;
use crate::settings::{LayerSettings, OtherEvents};

/// The type of the error that an invoker gets for an event that is refused and no HTTP request.
const EVENT_REFUSED: &str = "AlbMtls.EventRefused";

/// What becomes of one event.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The function gets this.
    Pass(Bytes),
    /// The client gets this answer, a response for the load balancer.
    Answer(Vec<u8>),
    /// Whoever invoked the function gets this error. No client of a load balancer can cause it.
    Error(ErrorReport),
}

/// Judges events with the gate.
#[derive(Debug)]
pub(crate) struct Judge {
    gate: Arc<Gate>,
    identity_headers: IdentityHeaderCache<EventHeaders>,
    other_events: OtherEvents,
}

impl Judge {
    pub(crate) fn new(gate: Gate, settings: LayerSettings) -> Self {
        Self {
            gate: Arc::new(gate),
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
        match self.other_events {
            OtherEvents::Pass if holds_request_headers(text) => Ok(self.refuse(
                "the event holds the headers of an HTTP request that did not come through the load balancer, in which its client can claim any identity",
                &ingress,
            )),
            OtherEvents::Pass => {
                tracing::info!(
                    function_request_id = ingress.function_request_id,
                    "an event that is no HTTP request was passed on"
                );
                Ok(Verdict::Pass(sent))
            }
            OtherEvents::Refuse => Ok(self.refuse(
                "the event does not come from an Application Load Balancer: LAYER_OTHER_EVENTS=pass would pass it on",
                &ingress,
            )),
        }
    }

    async fn judge_request(&self, text: &str, event: Event, ingress: Ingress) -> Result<Verdict, ProxyError> {
        let (passed, passes) = sync_channel(1);
        // Stands for the function: what it is asked is what the function may see.
        let function = service_fn(move |request: Request<Body>| {
            // There is room for the one request.
            let _ = passed.try_send(request.into_parts().0);
            std::future::ready(Ok::<_, Infallible>(Response::new(Body::Empty)))
        });
        let answer = handle_from(Arc::clone(&self.gate), function, event, ingress.clone())
            .await
            .map_err(ProxyError::Handler)?;
        let Ok(request) = passes.try_recv() else {
            return Ok(Verdict::Answer(serde_json::to_vec(&answer)?));
        };
        match self.with_identity(text, &request) {
            Ok(event) => Ok(Verdict::Pass(event.into())),
            Err(error) => Ok(self.refuse(&error.to_string(), &ingress)),
        }
    }

    /// The event with the client's identity in place of all that the client claimed.
    fn with_identity(&self, text: &str, request: &Parts) -> Result<Vec<u8>, RewriteError> {
        let client = request.extensions.get::<VerifiedClient>();
        let identity = client.map_or_else(Arc::default, |client| self.identity_headers.headers(client));
        match rewrite(text, &request.headers, &identity, EventForm::AsSent) {
            Ok((event, _)) => Ok(event),
            // Nothing is claimed, and there is nothing to tell.
            Err(RewriteError::NoHeaders) if identity.is_empty() => Ok(text.as_bytes().to_vec()),
            Err(error) => Err(error),
        }
    }

    fn refuse(&self, explanation: &str, ingress: &Ingress) -> Verdict {
        let refusal = self
            .gate
            .refuse_not_servable(explanation, ingress, Timestamp::now());
        Verdict::Error(ErrorReport {
            error_type: EVENT_REFUSED.to_owned(),
            message: refusal.to_string(),
        })
    }
}
