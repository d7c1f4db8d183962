//! From the request that the gate allowed to the upstream's.

use std::sync::Arc;

use alb_mtls_gate::{AllowedRequest, PublicRequests};
use alb_mtls_http::headers::remove_hop_by_hop;
use alb_mtls_http::host::{RequestHost, UnreadableHost};
use alb_mtls_http::{IdentityHeaderCache, forms};
use alb_mtls_trust::{Snapshot, TrustSettings, Waiting};
use alb_mtls_verifier::Timestamp;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Response};

use crate::assertion::{self, Assertions};
use crate::error::ForwardError;
use crate::routes::{Access, HostHeader};
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::upstream::{Server, Upstream};
use crate::upstream_client::UpstreamClient;

/// The upstream side: says where requests go, makes the upstream's request of the client's, and has
/// the connections.
#[derive(Debug)]
pub struct Proxy {
    pub(crate) settings: Settings,
    pub(crate) upstream_client: UpstreamClient,
    pub(crate) secrets: Secrets,
    identity: IdentityHeaderCache,
    assertions: Option<Assertions>,
}

/// A request for the key set of the assertions, which the proxy itself answers.
#[derive(Debug)]
pub struct KeySetRequest<'a>(&'a Assertions);

impl Proxy {
    /// A proxy by the settings; `trust` says how often keys and trust anchors are looked up again.
    ///
    /// # Errors
    /// When there are no trust anchors to check upstreams with.
    pub fn new(settings: Settings, trust: &TrustSettings) -> Result<Self, String> {
        let assertions = settings
            .assertion
            .clone()
            .map(|assertion| Assertions::new(assertion, trust.refresh, trust.max_stale));
        Ok(Self {
            upstream_client: UpstreamClient::new(
                settings.timeout,
                &settings.tls,
                settings.routes.any_tls(),
                trust,
            )?,
            secrets: Secrets::default(),
            identity: IdentityHeaderCache::new(settings.identity.forms),
            assertions,
            settings,
        })
    }

    /// Loads keys and trust anchors when the process starts, so that no request waits for them.
    /// What fails is logged and tried again.
    pub async fn load(&self) {
        if let Err(failure) = self.keep_up().await {
            tracing::error!(explanation = %failure, "what upstreams are checked with cannot be read");
        }
    }

    /// Looks keys and trust anchors up again where that is due, and drops connections that are too
    /// old to be used again.
    ///
    /// # Errors
    /// [`ForwardError::Material`] while some of it cannot be had. A lookup that fails is logged by
    /// itself, once.
    pub async fn keep_up(&self) -> Result<(), ForwardError> {
        let assertions = async {
            if let Some(assertions) = &self.assertions {
                assertions.load(&self.secrets).await;
            }
        };
        let ((), servers) = tokio::join!(assertions, self.upstream_client.load(&self.secrets));
        servers
    }

    /// Returns the connections to servers.
    pub fn upstream_client(&self) -> &UpstreamClient {
        &self.upstream_client
    }

    /// Returns the reader of keys.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Returns the upstream of a request; `None` when no route takes it.
    pub fn upstream(&self, allowed: &AllowedRequest) -> Option<&Upstream> {
        let path = allowed.parts.uri.path();
        self.settings.routes.upstream(&allowed.host, path)
    }

    /// Returns the request as one for the key set, if it is one.
    pub fn key_set_request(&self, parts: &Parts) -> Option<KeySetRequest<'_>> {
        let assertions = self.assertions.as_ref()?;
        (parts.uri.path() == assertions.jwks_path()).then_some(KeySetRequest(assertions))
    }

    /// Returns the key set of the assertions.
    ///
    /// # Errors
    /// [`ForwardError`] when there are no keys, or the request is not one to read.
    pub async fn key_set<B: From<String>>(
        &self,
        request: KeySetRequest<'_>,
        parts: &Parts,
        waiting: Waiting,
    ) -> Result<Response<B>, ForwardError> {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(ForwardError::KeySetMethod);
        }
        let jwks = request.0.jwks(&self.secrets, waiting).await?;
        let mut response = Response::new(B::from(jwks));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        Ok(response)
    }

    /// Returns the head of the request for a server: the client's, without headers about one
    /// connection only, and with the client's identity.
    ///
    /// # Errors
    /// [`ForwardError`] when its target or its host cannot be sent on, or when there is no key for
    /// an assertion.
    pub async fn head(
        &self,
        allowed: &AllowedRequest,
        upstream: &Upstream,
        server: &Server,
        waiting: Waiting,
    ) -> Result<Request<()>, ForwardError> {
        check_host(allowed)?;
        let parts = &allowed.parts;
        let root = PathAndQuery::from_static("/");
        let target = parts.uri.path_and_query().unwrap_or(&root);
        let unsendable = |error: &dyn std::fmt::Display| ForwardError::Target(error.to_string());
        let mut request = Request::new(());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = server.url(target).map_err(|error| unsendable(&error))?;
        *request.headers_mut() = parts.headers.clone();
        let headers = request.headers_mut();
        remove_hop_by_hop(headers);
        let host = match (self.settings.host, parts.uri.authority()) {
            (HostHeader::Upstream, _) => Some(server.authority()),
            // HTTP/2 names the host in the target. The gate has compared it with the header.
            (HostHeader::Keep, named) => named.filter(|_| !headers.contains_key(HOST)),
        };
        if let Some(host) = host {
            let host = HeaderValue::from_str(host.as_str());
            headers.insert(HOST, host.map_err(|error| unsendable(&error))?);
        }
        self.state_identity(allowed, upstream, headers, waiting).await?;
        Ok(request)
    }

    /// Sets the headers that state who the client is, if it was verified.
    ///
    /// # Errors
    /// [`ForwardError::Material`] when there is no key for an assertion.
    pub async fn state_identity(
        &self,
        allowed: &AllowedRequest,
        upstream: &Upstream,
        headers: &mut HeaderMap,
        waiting: Waiting,
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
            let now = Timestamp::now();
            let token = assertions.assert(client, version, &origin, now, &self.secrets, waiting);
            // In a box: without assertions, requests would have to make room for its state.
            let token = Box::pin(token).await?;
            forms::set(headers, assertion::HEADER, token);
        }
        Ok(())
    }
}

/// Checks that the upstream cannot take the request for one for another host.
///
/// # Errors
/// [`ForwardError::SeveralHosts`].
pub fn check_host(allowed: &AllowedRequest) -> Result<(), ForwardError> {
    match allowed.host {
        RequestHost::Unreadable(UnreadableHost::Repeated | UnreadableHost::Contradiction { .. }) => {
            Err(ForwardError::SeveralHosts)
        }
        _ => Ok(()),
    }
}

impl PublicRequests for Proxy {
    fn is_public(&self, request: &Parts, host: &RequestHost) -> bool {
        self.key_set_request(request).is_some()
            || self.settings.routes.access(host, request.uri.path()) == Access::Public
    }

    fn goes_by_host(&self) -> bool {
        self.settings.routes.go_by_host()
    }
}
