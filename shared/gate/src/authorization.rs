//! What policies say about a request, and what the shadow set would have said.

use alb_mtls_http::host::RequestHost;
pub use alb_mtls_policy::ShadowDifference;
use alb_mtls_policy::{Facts, Policies, PolicyDecision, Principal, RequestFacts, SourceAddress, Standing};
use alb_mtls_trust::Snapshot;
use alb_mtls_verifier::{PresentedChain, Timestamp, VerifiedClient};
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use crate::ingress::Ingress;
use crate::opinion::{Active, Asked, Opinion};
use crate::refusal::Refusal;

/// Asks the policies in use.
pub(crate) fn ask(snapshot: &Snapshot, asked: Asked<'_>) -> Opinion {
    let Some(policies) = snapshot.policies() else {
        return Opinion::default();
    };
    let decision = decide(policies, asked);
    Opinion {
        policies: decision.policies(),
        refusal: match &decision {
            PolicyDecision::Allow { .. } => None,
            PolicyDecision::Deny(denial) => Some(Refusal::Policy {
                detail: denial.detail(),
                explanation: denial.to_string(),
            }),
        },
    }
}

/// What would be different by the shadow set. `chain` is `None` for an anonymous client.
pub(crate) fn compare(
    snapshot: &Snapshot,
    request: &Parts,
    chain: Option<&PresentedChain>,
    active: &Active<'_>,
    now: Timestamp,
) -> Option<ShadowDifference> {
    let shadow = snapshot.shadow()?;
    let tried: VerifiedClient;
    let client = match (chain, shadow.verifier()) {
        (None, _) => Ok(None),
        (Some(chain), Some(verifier)) => match verifier.verify(chain, now) {
            Ok(client) => {
                tried = client;
                Ok(Some(&tried))
            }
            Err(rejection) => Err(rejection),
        },
        // The same anchors come to the same verdict: a client that they refuse is refused either way.
        (Some(_), None) => Ok(Some(active.client?)),
    };
    let policies = shadow.policies().or_else(|| snapshot.policies());
    let decision = match (&client, policies) {
        (Ok(client), Some(policies)) => Some(decide(
            policies,
            Asked {
                request,
                client: *client,
                now,
            },
        )),
        _ => None,
    };
    let identity = client
        .as_ref()
        .map(|client| client.map(|client| client.identity().as_ref()));
    let tried = Standing::of(identity, decision.as_ref());
    let in_use = match active.refusal {
        Some(refusal) => Standing::Refused {
            detail: refusal.detail(),
            policies: active.policies.to_vec(),
        },
        None => Standing::Passes {
            anchor: active.client.map(|client| client.identity().anchor.id()),
        },
    };
    in_use.difference(&tried)
}

fn decide(policies: &Policies, asked: Asked<'_>) -> PolicyDecision {
    let Asked { request, client, now } = asked;
    let forwarded = HeaderName::from_static("x-forwarded-for");
    let addresses = request.headers.get_all(forwarded).iter().next_back();
    let ingress = request.extensions.get::<Ingress>();
    policies.decide(&Facts {
        principal: match client {
            Some(client) => Principal::Client(client.identity()),
            None => Principal::Anonymous,
        },
        request: RequestFacts {
            method: request.method.as_str(),
            path: request.uri.path(),
            host: &RequestHost::from_parts(request),
            target_group: ingress.and_then(|ingress| ingress.target_group.as_deref()),
            source_address: SourceAddress::from_forwarded_for(addresses.map(HeaderValue::as_bytes)),
        },
        now,
    })
}
