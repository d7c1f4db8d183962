//! The way of a request from the gate to the upstream and back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use alb_mtls_gate::{AllowedRequest, Gate, Ingress, PublicRequests};
use alb_mtls_http::headers::remove_hop_by_hop;
use alb_mtls_http::host::{RequestHost, UnreadableHost};
use alb_mtls_http::{IdentityHeaderCache, forms};
use alb_mtls_lambda::{Answer, Event, ingress_of};
use alb_mtls_trust::{Snapshot, TrustSettings};
use alb_mtls_verifier::Timestamp;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Response};
use lambda_http::Body;
use lambda_runtime::Context;

use crate::assertion::{self, Assertions};
use crate::error::ForwardError;
use crate::invoke::Invoker;
use crate::response;
use crate::routes::{Access, HostHeader};
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::upstream::{Function, Server, Upstream};
use crate::upstream_client::{Retry, UpstreamClient, waiting_until};

/// Sends requests that passed the gate to their upstreams, and hands back what these answer.
#[derive(Debug)]
pub(crate) struct Forwarder {
    settings: Settings,
    upstream_client: UpstreamClient,
    invoker: Option<Invoker>,
    secrets: Secrets,
    identity: IdentityHeaderCache,
    assertions: Option<Assertions>,
}

impl Forwarder {
    /// A forwarder by the settings; `trust` says how often keys and trust anchors are looked up
    /// again.
    ///
    /// # Errors
    /// When there are no trust anchors to check upstreams with, or it is not known how functions
    /// are called.
    pub(crate) fn new(settings: Settings, trust: &TrustSettings) -> Result<Self, String> {
        let assertions = settings
            .assertion
            .clone()
            .map(|assertion| Assertions::new(assertion, trust.refresh, trust.max_stale));
        let functions: Vec<&Function> = settings
            .routes
            .upstreams()
            .filter_map(|upstream| match upstream {
                Upstream::Function(function) => Some(function),
                Upstream::Server(_) => None,
            })
            .collect();
        let invoker = if functions.is_empty() {
            None
        } else {
            let form = settings.function_events;
            Some(Invoker::from_environment(
                functions,
                form,
                settings.timeout,
                trust,
            )?)
        };
        Ok(Self {
            upstream_client: UpstreamClient::new(
                settings.timeout,
                &settings.tls,
                settings.routes.any_tls(),
                trust,
            )?,
            invoker,
            secrets: Secrets::default(),
            identity: IdentityHeaderCache::new(settings.identity.forms),
            assertions,
            settings,
        })
    }

    /// Loads keys and trust anchors now, so that the first request does not wait for them. What
    /// fails is logged and tried again.
    pub(crate) async fn load(&self) {
        let assertions = async {
            if let Some(assertions) = &self.assertions {
                assertions.load(&self.secrets).await;
            }
        };
        let invoker = async {
            match &self.invoker {
                Some(invoker) => invoker.load(&self.secrets).await,
                None => Ok(()),
            }
        };
        let ((), servers, invoker) =
            tokio::join!(assertions, self.upstream_client.load(&self.secrets), invoker);
        for loaded in [servers, invoker] {
            if let Err(failure) = loaded {
                tracing::error!(explanation = %failure, "what upstreams are checked with cannot be read");
            }
        }
    }

    /// Answers an event: what the gate lets pass goes to its upstream.
    pub(crate) async fn answer(&self, gate: &Gate, sent: &[u8], context: Context) -> Answer {
        let event = Event::from_slice(sent);
        let ingress = ingress_of(&context);
        let answer = alb_mtls_lambda::answer(
            gate,
            event,
            ingress,
            async move |mut allowed: AllowedRequest, body| {
                allowed.parts.extensions.insert(context);
                let mut response = self.forward(&allowed, body, sent).await;
                response.headers_mut().extend(allowed.response_headers);
                Ok::<_, Infallible>(response)
            },
        );
        match answer.await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    /// Returns the answer to a request that the gate allowed: the upstream's, or why there is none.
    /// `sent` is the event.
    async fn forward(&self, allowed: &AllowedRequest, body: Body, sent: &[u8]) -> Response<Body> {
        let started = Instant::now();
        let path = allowed.parts.uri.path();
        let upstream = self.settings.routes.upstream(&allowed.host, path);
        match self.exchange(allowed, body, upstream, sent).await {
            Ok(response) => response,
            Err(failure) => {
                log(&failure, &allowed.parts, upstream, started.elapsed());
                failure.to_response()
            }
        }
    }

    async fn exchange(
        &self,
        allowed: &AllowedRequest,
        body: Body,
        upstream: Option<&Upstream>,
        sent: &[u8],
    ) -> Result<Response<Body>, ForwardError> {
        let parts = &allowed.parts;
        if let Some(assertions) = &self.assertions
            && parts.uri.path() == assertions.jwks_path()
        {
            return self.key_set(assertions, parts).await;
        }
        if allowed.host == RequestHost::Unreadable(UnreadableHost::Repeated) {
            return Err(ForwardError::SeveralHosts);
        }
        let upstream = upstream.ok_or(ForwardError::NoRoute)?;
        let answer = match upstream {
            Upstream::Server(server) => {
                let mut request = self.request(parts, body, server)?;
                self.state_identity(allowed, upstream, request.headers_mut())
                    .await?;
                let retry = Retry::for_method(&parts.method);
                self.upstream_client
                    .exchange(
                        request,
                        retry,
                        response::MAXIMUM_JSON,
                        deadline(parts),
                        &self.secrets,
                    )
                    .await?
            }
            Upstream::Function(function) => {
                let mut identity = HeaderMap::new();
                self.state_identity(allowed, upstream, &mut identity).await?;
                let unavailable = || ForwardError::Invoke("there is no invoker".to_owned());
                let invoker = self.invoker.as_ref().ok_or_else(unavailable)?;
                invoker
                    .invoke(function, parts, sent, identity, &self.secrets)
                    .await?
            }
        };
        response::hand_over(answer)
    }

    async fn key_set(&self, assertions: &Assertions, parts: &Parts) -> Result<Response<Body>, ForwardError> {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(ForwardError::KeySetMethod);
        }
        let waiting = waiting_until(deadline(parts));
        let mut response = Response::new(Body::Text(assertions.jwks(&self.secrets, waiting).await?));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        Ok(response)
    }

    /// Returns the request for the server: the client's, without headers about one connection only.
    fn request(&self, parts: &Parts, body: Body, server: &Server) -> Result<Request<Bytes>, ForwardError> {
        let root = PathAndQuery::from_static("/");
        let target = parts.uri.path_and_query().unwrap_or(&root);
        let url = server
            .url(target)
            .map_err(|error| ForwardError::Target(error.to_string()))?;
        let mut request = Request::new(to_bytes(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = url;
        *request.headers_mut() = parts.headers.clone();
        let length = request.body().len();
        let headers = request.headers_mut();
        remove_hop_by_hop(headers);
        // What frames the body on this connection is its length here (RFC 9112 §6.3).
        if headers.contains_key(CONTENT_LENGTH) || length > 0 {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if self.settings.host == HostHeader::Upstream {
            let authority = HeaderValue::from_str(server.authority().as_str());
            headers.insert(
                HOST,
                authority.map_err(|error| ForwardError::Target(error.to_string()))?,
            );
        }
        Ok(request)
    }

    /// Sets the headers that state who the client is, if it was verified.
    async fn state_identity(
        &self,
        allowed: &AllowedRequest,
        upstream: &Upstream,
        headers: &mut HeaderMap,
    ) -> Result<(), ForwardError> {
        let parts = &allowed.parts;
        let Some(client) = allowed.principal.client() else {
            return Ok(());
        };
        let identity = self.identity.headers(client);
        for (name, value) in identity.iter() {
            headers.insert(name.clone(), value.clone());
        }
        if let Some(assertions) = &self.assertions {
            let version = parts
                .extensions
                .get::<Arc<Snapshot>>()
                .map(|snapshot| snapshot.version());
            let origin = upstream.origin();
            let waiting = waiting_until(deadline(parts));
            let token = assertions
                .assert(client, version, &origin, Timestamp::now(), &self.secrets, waiting)
                .await?;
            forms::set(headers, assertion::HEADER, token);
        }
        Ok(())
    }
}

impl PublicRequests for Forwarder {
    fn is_public(&self, request: &Parts, host: &RequestHost) -> bool {
        let path = request.uri.path();
        self.assertions
            .as_ref()
            .is_some_and(|assertions| assertions.jwks_path() == path)
            || self.settings.routes.access(host, path) == Access::Public
    }

    fn goes_by_host(&self) -> bool {
        self.settings.routes.go_by_host()
    }
}

fn to_bytes(body: Body) -> Bytes {
    match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    }
}

/// Returns the time at which Lambda ends the invocation; `None` outside Lambda.
fn deadline(parts: &Parts) -> Option<SystemTime> {
    parts.extensions.get::<Context>().map(Context::deadline)
}

/// Writes one line for the operator, which has the same ids as the record of the decision.
fn log(failure: &ForwardError, parts: &Parts, upstream: Option<&Upstream>, duration: Duration) {
    let upstream = upstream.map(Upstream::to_string);
    let ingress = parts.extensions.get::<Ingress>();
    tracing::error!(
        detail = failure.detail(),
        explanation = %failure,
        status = failure.status().as_u16(),
        upstream,
        alb_trace_id = parts.headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()),
        function_request_id = ingress.and_then(|ingress| ingress.function_request_id.as_deref()),
        duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        "not forwarded"
    );
}
