//! The authorization service: proxies ask it whether they may pass on a request.
//!
//! The path of a question says which proxy asks, and so where the request is told in it: see
//! [`conventions`]. The answer allows the request, with the headers that state the identity of its
//! client, or is the denial as a client should see it.

mod conventions;
mod envoy;
mod grpc;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_gate::{
    Admission, AllowedRequest, Denial, EdgeCertificate, Gate, GateReason, Incoming, Ingress, Peer, Peers,
};
use alb_mtls_http::IdentityHeaderCache;
use alb_mtls_http::forms::FORMS;
use alb_mtls_http::headers::ASSERTION;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming as IncomingBody;

use crate::authorize::conventions::{Absent, Convention};
use crate::body::{self, Body};
use crate::listener::Service;
use crate::once_a_second::OnceASecond;
use crate::settings::ServerSettings;
use crate::traces::{Kind, Traces};

/// Answers the questions of proxies.
#[derive(Debug)]
pub(crate) struct Authorizer {
    gate: Arc<Gate>,
    traces: Traces,
    peers: Peers,
    /// False on a Unix socket, whose peers have no address.
    has_addresses: bool,
    identity: IdentityHeaderCache,
    /// Longest time to read a question.
    timeout: Duration,
    /// Log lines about peers that may not ask.
    refused: OnceASecond,
}

/// Fate of the headers that state an identity or restate the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Headers {
    /// The proxy passes on what it does not overwrite: a request with others is denied.
    Kept,
    /// The answer names those that the proxy removes.
    Removed,
}

/// Properties of the way of a question that concern the request in it.
#[derive(Clone, Copy, Debug)]
struct ToldBy {
    headers: Headers,
    hides_source_address: bool,
}

impl Authorizer {
    pub(crate) fn new(gate: Arc<Gate>, traces: Traces, settings: &ServerSettings) -> Self {
        Self {
            gate,
            traces,
            peers: settings.authorize_peers.clone(),
            has_addresses: settings
                .authorize
                .as_ref()
                .is_some_and(|address| address.has_peers()),
            identity: IdentityHeaderCache::new(settings.identity),
            timeout: settings.limits.header_timeout,
            refused: OnceASecond::default(),
        }
    }

    /// Decides about a request that a proxy told, or that could not be read from its question.
    async fn decide(&self, told: Result<Parts, String>, by: ToldBy) -> Result<AllowedRequest, Denied> {
        let mut ingress = Ingress {
            hides_source_address: by.hides_source_address,
            ..Ingress::from_peer(Peer::Vouched)
        };
        let mut span = None;
        let admission = match told {
            Ok(mut request) => {
                let begun = self.traces.begin(Kind::Asked, &request);
                ingress.xray_trace_id = begun.xray_trace_id();
                span = Some(begun);
                if by.headers == Headers::Kept
                    && let Err(denial) = self.gate.check_kept_headers(&request.headers, true)
                {
                    request.extensions.insert(EdgeCertificate(Err(denial)));
                }
                request.extensions.insert(ingress);
                self.gate.admit(request).await
            }
            Err(explanation) => {
                self.gate
                    .admit(Incoming::NotServable { explanation, ingress })
                    .await
            }
        };
        if let Some(span) = &mut span {
            span.decided(&admission);
        }
        match admission {
            Admission::Allowed(allowed) => Ok(allowed),
            Admission::Answered(answer) if answer.denial().is_some() => Err(Denied(answer.to_response())),
            // The gate answers no health check of a proxy: should it come to one, nothing was
            // decided about a client.
            Admission::Answered(_) => Err(Denied::undecided()),
        }
    }

    /// Returns the headers that state who the client of an allowed request is.
    fn identity(&self, allowed: &AllowedRequest) -> Option<Arc<HeaderMap>> {
        let client = allowed.principal.client()?;
        Some(self.identity.headers(client))
    }

    /// Answers a question in HTTP: with 200 and the headers for the proxy to set, or the denial.
    async fn answer_http(&self, convention: &Convention, question: Parts) -> Response<Body> {
        let by = ToldBy {
            headers: Headers::Kept,
            hides_source_address: convention.hides_source_address(),
        };
        match self.decide(convention.read(question), by).await {
            Err(denied) => denied.0.map(body::full),
            Ok(allowed) => {
                let mut response = Response::new(body::empty());
                let headers = response.headers_mut();
                if convention.absent() == Absent::Empty {
                    let empty = |name| (HeaderName::from_static(name), HeaderValue::from_static(""));
                    headers.extend(own_names().map(empty));
                }
                if let Some(identity) = self.identity(&allowed) {
                    for (name, value) in identity.iter() {
                        headers.insert(name.clone(), value.clone());
                    }
                }
                headers.extend(allowed.response_headers);
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
        }
    }
}

/// Returns the names of the headers that programs of this project set.
fn own_names() -> impl Iterator<Item = &'static str> {
    let written = FORMS.into_iter().flat_map(|form| form.headers).copied();
    written.chain([ASSERTION]).filter(|name| !name.ends_with('*'))
}

/// Denial as a client should see it.
#[derive(Debug)]
struct Denied(Response<String>);

impl Denied {
    fn undecided() -> Self {
        let denial = Denial::new(GateReason::NotServable, "the gate did not decide about a client");
        let mut response = Response::new(String::new());
        *response.status_mut() = denial.status();
        Self(response)
    }
}

impl Service for Authorizer {
    fn serves(&self, peer: Option<IpAddr>) -> bool {
        let is_served = match peer {
            Some(peer) => self.peers.contains(peer),
            None => !self.has_addresses,
        };
        if !is_served && self.refused.is_due() {
            tracing::warn!(
                kind = "authorize_peer",
                peer = peer.map(|peer| peer.to_string()),
                "a connection to the authorization service is closed: SERVER_AUTHORIZE_PEERS does not list its address"
            );
        }
        is_served
    }

    async fn answer(&self, request: Request<IncomingBody>, _: Option<IpAddr>) -> Response<Body> {
        if request.uri().path() == envoy::CHECK {
            return grpc::unary(request, self.timeout, async |question| self.check(question).await).await;
        }
        let (question, _) = request.into_parts();
        match conventions::find(question.uri.path()) {
            Some(convention) => self.answer_http(convention, question).await,
            None => not_found(),
        }
    }
}

/// Answers a question whose path does not name a proxy. Nothing is recorded, because no request was
/// told, and every proxy takes the status for an error.
fn not_found() -> Response<Body> {
    let mut response = Response::new(body::full(
        "the path names no proxy: see docs/authorization-service.md\n",
    ));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
