//! The way of a request from the gate to the upstream and back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use alb_mtls_gate::{AllowedRequest, Gate};
use alb_mtls_lambda::{Answer, Event, EventForm, ingress_of};
use alb_mtls_proxy::{ForwardError, Function, FunctionEvents, Proxy, Server, Settings, Upstream, check_host};
use alb_mtls_trust::TrustSettings;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Request, Response};
use lambda_http::Body;
use lambda_runtime::Context;

use crate::exchange::{Bounds, Retry, exchange, waiting_until};
use crate::invoke::Invoker;
use crate::response;

/// Sends requests that passed the gate to their upstreams, and hands back what these answer.
#[derive(Debug)]
pub(crate) struct Forwarder {
    proxy: Arc<Proxy>,
    invoker: Option<Invoker>,
}

impl Forwarder {
    /// A forwarder by the settings; `trust` says how often keys and trust anchors are looked up
    /// again.
    ///
    /// # Errors
    /// When there are no trust anchors to check upstreams with, or it is not known how functions
    /// are called.
    pub(crate) fn new(settings: Settings, trust: &TrustSettings) -> Result<Self, String> {
        let functions: Vec<&Function> = settings
            .upstreams()
            .filter_map(|upstream| match upstream {
                Upstream::Function(function) => Some(function),
                Upstream::Server(_) => None,
            })
            .collect();
        let invoker = if functions.is_empty() {
            None
        } else {
            let form = match settings.function_events {
                FunctionEvents::AsSent => EventForm::AsSent,
                FunctionEvents::SingleValue => EventForm::SingleValue,
            };
            Some(Invoker::from_environment(
                functions,
                form,
                settings.timeout,
                trust,
            )?)
        };
        Ok(Self {
            proxy: Proxy::new(settings, trust)?.into(),
            invoker,
        })
    }

    /// Returns the upstream side, which says which requests are public.
    pub(crate) fn proxy(&self) -> Arc<Proxy> {
        Arc::clone(&self.proxy)
    }

    /// Loads keys and trust anchors now, so that the first request does not wait for them. What
    /// fails is logged and tried again.
    pub(crate) async fn load(&self) {
        let invoker = async {
            match &self.invoker {
                Some(invoker) => invoker.load(self.proxy.secrets()).await,
                None => Ok(()),
            }
        };
        let ((), invoker) = tokio::join!(self.proxy.load(), invoker);
        if let Err(failure) = invoker {
            tracing::error!(explanation = %failure, "what Lambda is checked with cannot be read");
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
        let upstream = self.proxy.upstream(allowed);
        match self.exchange(allowed, body, upstream, sent).await {
            Ok(response) => response,
            Err(failure) => {
                failure.report(&allowed.parts, upstream, started.elapsed());
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
        let waiting = waiting_until(deadline(parts));
        if let Some(request) = self.proxy.key_set_request(parts) {
            return self.proxy.key_set(request, parts, waiting).await;
        }
        check_host(allowed)?;
        let upstream = upstream.ok_or(ForwardError::NoRoute)?;
        let answer = match upstream {
            Upstream::Server(server) => {
                let request = self.request(allowed, upstream, server, body).await?;
                let bounds = Bounds {
                    retry: Retry::for_method(&parts.method),
                    maximum_body: response::MAXIMUM_JSON,
                    deadline: deadline(parts),
                };
                exchange(
                    self.proxy.upstream_client(),
                    server.endpoint(),
                    request,
                    bounds,
                    self.proxy.secrets(),
                )
                .await?
            }
            Upstream::Function(function) => {
                let mut identity = HeaderMap::new();
                self.proxy
                    .state_identity(allowed, upstream, &mut identity, waiting)
                    .await?;
                let unavailable = || ForwardError::Invoke("there is no invoker".to_owned());
                let invoker = self.invoker.as_ref().ok_or_else(unavailable)?;
                invoker
                    .invoke(function, parts, sent, identity, self.proxy.secrets())
                    .await?
            }
        };
        response::hand_over(answer)
    }

    /// Returns the request for the server.
    async fn request(
        &self,
        allowed: &AllowedRequest,
        upstream: &Upstream,
        server: &Server,
        body: Body,
    ) -> Result<Request<Bytes>, ForwardError> {
        let waiting = waiting_until(deadline(&allowed.parts));
        let head = self.proxy.head(allowed, upstream, server, waiting).await?;
        let mut request = head.map(|()| to_bytes(body));
        let length = request.body().len();
        let headers = request.headers_mut();
        // What frames the body on this connection is its length here (RFC 9112 §6.3).
        if headers.contains_key(CONTENT_LENGTH) || length > 0 {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(request)
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
