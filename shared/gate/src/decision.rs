//! Decision about a request, and the facts that are gathered on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_http::host::RequestHost;
use alb_mtls_trust::{LoadedDenyList, Snapshot};
use alb_mtls_verifier::{PresentedChain, Timestamp, VerifiedClient};
use http::request::Parts;

use crate::denial::Denial;
use crate::ingress::Ingress;
use crate::policy::ShadowDifference;
use crate::token::TokenIdentity;

/// Decision about one request.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// The request goes on as this principal.
    Allow(Principal),
    /// The request is denied.
    Deny(Denial),
    /// The request is the load balancer's own health check: the gate answers it itself.
    HealthCheck,
}

/// Identity that a request is allowed as.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Principal {
    /// Verified client.
    Verified(VerifiedClient),
    /// Client without a certificate in `MTLS_MODE=optional`, or a client in `MTLS_MODE=report` that
    /// `enforce` denies.
    Anonymous,
    /// Any client, where the operator opened the route: see
    /// [`PublicRequests`](crate::PublicRequests).
    Public,
}

impl Principal {
    /// Returns the verified client; `None` for the principals that are not verified.
    pub fn client(&self) -> Option<&VerifiedClient> {
        match self {
            Self::Verified(client) => Some(client),
            Self::Anonymous | Self::Public => None,
        }
    }

    pub(crate) fn into_client(self) -> Option<VerifiedClient> {
        match self {
            Self::Verified(client) => Some(client),
            Self::Anonymous | Self::Public => None,
        }
    }
}

/// Facts gathered on the way to a decision, for the audit record and for the service behind the
/// gate.
#[derive(Debug)]
pub(crate) struct DecisionContext {
    pub(crate) now: Timestamp,
    started: Instant,
    /// Host of the request, read once for routes, policies and the record.
    pub(crate) host: RequestHost,
    /// Trust material that the decision used, if it got that far. One decision uses one snapshot.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// Deny list that the client was looked up in, if it got that far.
    pub(crate) deny_list: Option<Arc<LoadedDenyList>>,
    /// Verified client of a request that is denied after its certificate was verified.
    pub(crate) denied_client: Option<VerifiedClient>,
    /// Token that was checked.
    pub(crate) token: Option<TokenIdentity>,
    /// Decoded chain, where it was decoded: the shadow set verifies it too.
    pub(crate) chain: Option<PresentedChain>,
    /// True if the verdict was in the cache.
    pub(crate) is_cache_hit: bool,
    /// Ids of the policies that decided.
    pub(crate) policies: Vec<Arc<str>>,
    /// Difference that the shadow set would make.
    pub(crate) shadow: Option<ShadowDifference>,
    /// Reason why an anonymous client is not verified, in `MTLS_MODE=optional`.
    pub(crate) not_verified: Option<Denial>,
    /// Denial that `MTLS_MODE=report` overruled.
    pub(crate) overruled: Option<Denial>,
}

impl DecisionContext {
    pub(crate) fn new(host: RequestHost, now: Timestamp) -> Self {
        Self {
            now,
            started: Instant::now(),
            host,
            snapshot: None,
            deny_list: None,
            denied_client: None,
            token: None,
            chain: None,
            is_cache_hit: false,
            policies: Vec::new(),
            shadow: None,
            not_verified: None,
            overruled: None,
        }
    }

    /// Returns the time since the decision began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Returns the time until the invocation of a request ends; `None` where it has no end.
pub(crate) fn time_left(request: &Parts) -> Option<Duration> {
    request.extensions.get::<Ingress>()?.time_left()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::Request;

    use super::*;

    #[test]
    fn time_that_is_left_is_that_of_the_invocation() {
        let (mut request, ()) = Request::new(()).into_parts();
        assert_eq!(time_left(&request), None);
        request.extensions.insert(Ingress {
            deadline: Some(SystemTime::now() + Duration::from_secs(60)),
            ..Ingress::default()
        });
        assert!(time_left(&request).is_some_and(|left| left > Duration::from_secs(50)));
        request.extensions.insert(Ingress {
            deadline: Some(SystemTime::UNIX_EPOCH),
            ..Ingress::default()
        });
        assert_eq!(time_left(&request), Some(Duration::ZERO));
    }
}
