//! The reverse proxy: requests that the gate allows go to their upstreams, bodies as they come.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_gate::{Admission, AllowedRequest, Gate, Ingress, Peer};
use alb_mtls_proxy::{ForwardError, TooLarge, UpstreamBody};
use alb_mtls_trust::Waiting;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;

use crate::body::{self, Body};
use crate::listener::Service;
use crate::traces::{Kind, Span, Traces};
use crate::tunnel;

/// Passes on the requests that the gate allows.
#[derive(Debug)]
pub(crate) struct Proxy {
    gate: Arc<Gate>,
    upstreams: Arc<alb_mtls_proxy::Proxy>,
    traces: Traces,
    limits: BodyLimits,
}

/// Limits of what is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyLimits {
    /// Most bytes of a request's body; none without it.
    pub(crate) request: Option<usize>,
    /// Longest time without a byte in either direction of a WebSocket.
    pub(crate) tunnel_idle: Duration,
}

impl Proxy {
    pub(crate) fn new(
        gate: Arc<Gate>,
        upstreams: Arc<alb_mtls_proxy::Proxy>,
        traces: Traces,
        limits: BodyLimits,
    ) -> Self {
        Self {
            gate,
            upstreams,
            traces,
            limits,
        }
    }

    async fn pass_on(
        &self,
        mut allowed: AllowedRequest,
        body: Incoming,
        client: OnUpgrade,
        span: &Span,
    ) -> Response<Body> {
        let started = Instant::now();
        let rest = Rest::new(&allowed.parts);
        let body = self.bounded(body);
        let upstream = self.upstreams.upstream(&allowed);
        let mut upstream_span = span.pass_on(&mut allowed.parts.headers, upstream);
        let mut response = match self.exchange(&allowed, &body, client).await {
            Ok(response) => response,
            Err(failure) => {
                rest.discard(body);
                failure.report(
                    &allowed.parts,
                    self.upstreams.upstream(&allowed),
                    started.elapsed(),
                );
                failure.to_response::<String>().map(body::full)
            }
        };
        upstream_span.answered(response.status());
        response.headers_mut().extend(allowed.response_headers);
        response
    }

    async fn exchange(
        &self,
        allowed: &AllowedRequest,
        body: &UpstreamBody,
        client: OnUpgrade,
    ) -> Result<Response<Body>, ForwardError> {
        if let Some(request) = self.upstreams.key_set_request(&allowed.parts) {
            let waiting = Waiting::Request { left: None };
            let keys = self.upstreams.key_set::<String>(request, &allowed.parts, waiting);
            return Ok(keys.await?.map(body::full));
        }
        self.check_length(&allowed.parts.headers)?;
        let mut answer = self.upstreams.forward(allowed, body).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let upstream = hyper::upgrade::on(&mut answer);
            tokio::spawn(tunnel::join(client, upstream, self.limits.tunnel_idle));
        }
        // What hyper noted about the upstream's connection says nothing about the client's.
        answer.extensions_mut().clear();
        Ok(answer.map(BodyExt::boxed_unsync))
    }

    /// Rejects a request whose body is too long according to its own header.
    fn check_length(&self, headers: &HeaderMap) -> Result<(), ForwardError> {
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        match (self.limits.request, announced) {
            (Some(limit), Some(length)) if length > limit => Err(ForwardError::RequestTooLarge { limit }),
            _ => Ok(()),
        }
    }

    /// Returns the body of a request, which fails beyond the limit.
    fn bounded(&self, body: Incoming) -> UpstreamBody {
        let Some(limit) = self.limits.request else {
            return UpstreamBody::new(body);
        };
        UpstreamBody::new(Limited::new(body, limit).map_err(
            move |error| match error.is::<LengthLimitError>() {
                true => TooLarge(limit).into(),
                false => error,
            },
        ))
    }
}

impl Service for Proxy {
    fn expects(&self, peer: IpAddr) -> bool {
        let peers = self.gate.settings().peers.as_ref();
        peers.is_none_or(|peers| peers.contains(peer))
    }

    async fn answer(&self, mut request: Request<Incoming>, peer: Option<IpAddr>) -> Response<Body> {
        let client = hyper::upgrade::on(&mut request);
        let (mut parts, body) = request.into_parts();
        let peer = peer.map_or(Peer::Unknown, Peer::Address);
        let mut span = self.traces.begin(Kind::Proxied, &parts);
        parts.extensions.insert(Ingress {
            xray_trace_id: span.xray_trace_id(),
            ..Ingress::from_peer(peer)
        });
        let rest = Rest::new(&parts);
        let admission = self.gate.admit(parts).await;
        span.decided(&admission);
        let response = match admission {
            Admission::Answered(answer) => {
                rest.discard(body);
                answer.to_response::<String>().map(body::full)
            }
            Admission::Allowed(allowed) => self.pass_on(allowed, body, client, &span).await,
        };
        span.until_the_end_of(response)
    }
}

/// Longest time that is spent on a body that is not needed. Its client has the response by then.
const DISCARD: Duration = Duration::from_secs(10);

/// Rest of a request's body that is not needed, because the request is not passed on.
#[derive(Clone, Copy, Debug)]
struct Rest {
    is_sent: bool,
}

impl Rest {
    fn new(request: &Parts) -> Self {
        Self {
            // HTTP/2 resets the stream. A client that waits for `100 Continue` sends nothing.
            is_sent: request.version < Version::HTTP_2 && !request.headers.contains_key(EXPECT),
        }
    }

    /// Reads the rest in the background. The connection would otherwise be reset while the client
    /// still writes, and a load balancer then answers 502 in place of the response.
    fn discard<B>(self, mut body: B)
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Send,
    {
        if self.is_sent && !body.is_end_stream() {
            tokio::spawn(timeout(DISCARD, async move {
                while let Some(Ok(_)) = body.frame().await {}
            }));
        }
    }
}
