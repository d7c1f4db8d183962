//! Health checks and metrics: whether the process lives, whether requests should be sent to it, and
//! what it counted.

use std::net::IpAddr;
use std::sync::Arc;

use alb_mtls_gate::{Gate, PROMETHEUS_MEDIA_TYPE, Readiness};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::body::{self, Body};
use crate::lifecycle::Phase;
use crate::listener::Service;

/// Answers health checks and the scrapes of Prometheus. It tells states and numbers alone, because
/// load balancers, kubelets and Prometheus have no certificate.
#[derive(Debug)]
pub(crate) struct Admin {
    gate: Arc<Gate>,
    phase: watch::Receiver<Phase>,
}

impl Admin {
    pub(crate) fn new(gate: Arc<Gate>, phase: watch::Receiver<Phase>) -> Self {
        Self { gate, phase }
    }

    fn readiness(&self) -> (StatusCode, &'static str) {
        let phase = *self.phase.borrow();
        match (phase, self.gate.readiness()) {
            (Phase::Draining | Phase::Ending, _) => (StatusCode::SERVICE_UNAVAILABLE, "ending"),
            (Phase::Serving, Readiness::Ready) => (StatusCode::OK, Readiness::Ready.as_str()),
            (Phase::Serving, missing) => (StatusCode::SERVICE_UNAVAILABLE, missing.as_str()),
        }
    }

    fn metrics(&self) -> Response<Body> {
        let mut response = Response::new(body::full(self.gate.prometheus_page()));
        let media_type = HeaderValue::from_static(PROMETHEUS_MEDIA_TYPE);
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response
    }
}

impl Service for Admin {
    async fn answer(&self, request: Request<Incoming>, _: Option<IpAddr>) -> Response<Body> {
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        let (status, text) = match request.uri().path() {
            "/livez" if is_read => (StatusCode::OK, "alive"),
            "/readyz" if is_read => self.readiness(),
            "/metrics" if is_read => return self.metrics(),
            _ => (StatusCode::NOT_FOUND, "not found"),
        };
        let mut response = Response::new(body::full(format!("{text}\n")));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
