//! The gate as tower middleware.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use alb_mtls_verifier::Timestamp;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::gate::{Decision, Gate, Passage};
use crate::identity_headers;

/// Puts the gate before a service.
///
/// The service sees only requests that may pass, without the headers that state an identity. A verified client's
/// request carries a [`VerifiedClient`](alb_mtls_verifier::VerifiedClient) as an extension; without it the client is
/// anonymous, which only happens when `MTLS_MODE` is `optional` or `report`.
#[derive(Clone, Debug)]
pub struct GateLayer {
    gate: Arc<Gate>,
}

impl GateLayer {
    /// A layer that asks this gate.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> GateService<S> {
        GateService {
            gate: Arc::clone(&self.gate),
            inner,
        }
    }
}

/// A service with the gate before it; made by [`GateLayer`].
#[derive(Clone, Debug)]
pub struct GateService<S> {
    gate: Arc<Gate>,
    inner: S,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for GateService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>> + Clone + Send + 'static,
    S::Future: Send,
    RequestBody: Send + 'static,
    ResponseBody: From<String>,
{
    type Response = Response<ResponseBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let gate = Arc::clone(&self.gate);
        // The service that was polled ready is the one to call; its clone waits for the next request.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match gate.decide(&parts, Timestamp::now()).await {
                Decision::Refuse(refusal) => Ok(refusal.to_response(gate.settings().refusal_body)),
                Decision::HealthCheck => Ok(Response::new("healthy".to_owned().into())),
                Decision::Pass(passage) => {
                    identity_headers::strip(&mut parts.headers, &gate.settings().header);
                    if let Passage::Verified(client) = passage {
                        parts.extensions.insert(client);
                    }
                    inner.call(Request::from_parts(parts, body)).await
                }
            }
        })
    }
}
