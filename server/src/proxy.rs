//! The reverse proxy.

use std::net::IpAddr;
use std::sync::Arc;

use alb_mtls_gate::{Admission, Gate, Ingress, Peer};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::body::{self, Body};
use crate::listener::Service;

/// Passes on the requests that the gate allows.
#[derive(Debug)]
pub(crate) struct Proxy {
    gate: Arc<Gate>,
}

impl Proxy {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }
}

impl Service for Proxy {
    async fn answer(&self, request: Request<Incoming>, peer: Option<IpAddr>) -> Response<Body> {
        let (mut parts, _) = request.into_parts();
        let peer = peer.map_or(Peer::Unknown, Peer::Address);
        parts.extensions.insert(Ingress::from_peer(peer));
        match self.gate.admit(parts).await {
            Admission::Answered(answer) => answer.to_response::<String>().map(body::full),
            Admission::Allowed(_) => {
                let mut response = Response::new(body::empty());
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        }
    }
}
