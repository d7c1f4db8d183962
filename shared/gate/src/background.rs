//! The gate in a process that is never frozen: lookups in the background, readiness, and the page
//! that Prometheus scrapes.

use std::convert::Infallible;
use std::fmt;

use alb_mtls_trust::Reload;
use alb_mtls_verifier::Timestamp;

use crate::gate::Gate;

/// Media type of [`Gate::prometheus_page`].
pub const PROMETHEUS_MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Ability to decide about requests, for a load balancer's health check. A process that is not
/// ready is alive: it denies requests and tries again, and to start it again would not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Requests are decided about.
    Ready,
    /// There is no trust material, or none that is younger than `MTLS_MAX_STALE`.
    NoTrustMaterial,
    /// There are no keys for `MTLS_BOUND_TOKEN`, or none that are younger than `MTLS_MAX_STALE`.
    NoTokenKeys,
    /// The deny list of `MTLS_DENY` is not loaded, or is older than `MTLS_DENY_MAX_STALE`.
    NoDenyList,
}

impl Readiness {
    /// Returns true if requests are decided about.
    pub fn is_ready(self) -> bool {
        self == Self::Ready
    }

    /// Returns the word in the answer to a health check. It says nothing about the material.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NoTrustMaterial => "no trust material",
            Self::NoTokenKeys => "no token keys",
            Self::NoDenyList => "no deny list",
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Gate {
    /// Keeps trust material, policies, token keys and the deny list fresh until the future is
    /// dropped, so that no request waits for a lookup: before they are due, when a `file:` source
    /// changes, and when a reload is asked for. Call [`Gate::load`] first. After a future that
    /// ended, requests look up by themselves as in Lambda.
    pub async fn refresh_in_background(&self, reload: &Reload) -> Infallible {
        let tokens = async {
            match &self.bound_tokens {
                Some(bound_tokens) => bound_tokens.refresh_in_background(reload).await,
                None => std::future::pending().await,
            }
        };
        let deny_list = async {
            match &self.deny_lists {
                Some(deny_lists) => deny_lists.refresh_in_background(reload).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            never = self.trust.refresh_in_background(reload) => never,
            never = tokens => never,
            never = deny_list => never,
        }
    }

    /// Returns whether requests can be decided about now.
    pub fn readiness(&self) -> Readiness {
        let now = Timestamp::now();
        let has_keys = |tokens: &crate::token::BoundTokens| tokens.can_serve(now);
        if !self.trust.can_serve(now) {
            Readiness::NoTrustMaterial
        } else if !self.bound_tokens.as_ref().is_none_or(has_keys) {
            Readiness::NoTokenKeys
        } else if !self.deny_lists.as_ref().is_none_or(|lists| lists.can_serve(now)) {
            Readiness::NoDenyList
        } else {
            Readiness::Ready
        }
    }

    /// Returns the totals since the start for Prometheus, in the format of
    /// [`PROMETHEUS_MEDIA_TYPE`]. Decisions are counted from [`Gate::with_totals`] on; without it
    /// they stay 0.
    pub fn prometheus_page(&self) -> String {
        self.audit.prometheus_page(&self.trust, Timestamp::now())
    }
}
