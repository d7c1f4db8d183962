//! Health checks: whether the process lives, and whether requests should be sent to it.

use std::net::IpAddr;
use std::sync::Arc;

use alb_mtls_gate::Gate;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::body::{self, Body};
use crate::lifecycle::Phase;
use crate::listener::Service;

/// Answers health checks. It tells states alone, because load balancers and kubelets have no
/// certificate.
#[derive(Debug)]
pub(crate) struct Admin {
    gate: Arc<Gate>,
    phase: watch::Receiver<Phase>,
}

impl Admin {
    pub(crate) fn new(gate: Arc<Gate>, phase: watch::Receiver<Phase>) -> Self {
        Self { gate, phase }
    }

    async fn readiness(&self) -> (StatusCode, &'static str) {
        let phase = *self.phase.borrow();
        match phase {
            Phase::Serving if self.gate.is_ready().await => (StatusCode::OK, "ready\n"),
            Phase::Serving => (StatusCode::SERVICE_UNAVAILABLE, "no trust material\n"),
            Phase::Draining | Phase::Ending => (StatusCode::SERVICE_UNAVAILABLE, "ending\n"),
        }
    }
}

impl Service for Admin {
    async fn answer(&self, request: Request<Incoming>, _: Option<IpAddr>) -> Response<Body> {
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        let (status, text) = match request.uri().path() {
            "/livez" if is_read => (StatusCode::OK, "alive\n"),
            "/readyz" if is_read => self.readiness().await,
            _ => (StatusCode::NOT_FOUND, "not found\n"),
        };
        let mut response = Response::new(body::full(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
