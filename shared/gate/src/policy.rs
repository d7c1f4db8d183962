//! Policies about a request, and the difference that the shadow set would make.

#[cfg(feature = "policy")]
pub use alb_mtls_policy::ShadowDifference;
#[cfg(feature = "policy")]
pub(crate) use cedar::{compare, decide};
#[cfg(not(feature = "policy"))]
pub(crate) use none::{compare, decide};

/// Difference that the shadow set would make, of which a program without the cargo feature `policy`
/// has none.
#[cfg(not(feature = "policy"))]
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub enum ShadowDifference {}

/// Outcome of a request with the material in use, to be compared with the shadow set.
#[cfg_attr(
    not(feature = "policy"),
    expect(dead_code, reason = "only a shadow set is compared with it")
)]
pub(crate) struct InUse<'a> {
    /// Verified client, also of a request that policies deny; `None` for an anonymous one.
    pub(crate) client: Option<&'a alb_mtls_verifier::VerifiedClient>,
    pub(crate) denial: Option<&'a crate::denial::Denial>,
}

#[cfg(feature = "policy")]
mod cedar {
    use alb_mtls_http::host::RequestHost;
    use alb_mtls_policy::{
        Policies, PolicyInput, PolicyOutcome, RequestFacts, SetOutcome, ShadowDifference, SourceAddress,
    };
    use alb_mtls_trust::{OcspClient, Snapshot};
    use alb_mtls_verifier::{Timestamp, VerifiedClient};
    use http::request::Parts;
    use http::{HeaderName, HeaderValue};

    use super::InUse;
    use crate::decision::DecisionContext;
    use crate::denial::Denial;
    use crate::ingress::Ingress;

    /// Asks the policies in use about a client, `None` for an anonymous one. Without policies every
    /// client passes.
    ///
    /// # Errors
    /// The denial by the policies.
    pub(crate) fn decide(
        snapshot: &Snapshot,
        request: &Parts,
        client: Option<&VerifiedClient>,
        context: &mut DecisionContext,
    ) -> Result<(), Denial> {
        let Some(policies) = snapshot.policies() else {
            return Ok(());
        };
        let outcome = ask(policies, request, client, &context.host, context.now);
        context.policies = outcome.policies();
        match outcome {
            PolicyOutcome::Allow { .. } => Ok(()),
            PolicyOutcome::Deny(denial) => Err(denial.into()),
        }
    }

    /// Returns the difference that the shadow set would make.
    pub(crate) fn compare(
        snapshot: &Snapshot,
        request: &Parts,
        in_use: &InUse<'_>,
        ocsp: Option<&OcspClient>,
        context: &DecisionContext,
    ) -> Option<ShadowDifference> {
        let shadow = snapshot.shadow()?;
        let tried: VerifiedClient;
        let client = match (&context.chain, shadow.verifier()) {
            // No chain: the client is anonymous.
            (None, _) => Ok(None),
            (Some(chain), Some(verifier)) => {
                let verdict = match ocsp {
                    None => verifier.verify(chain, context.now),
                    // What was asked for the decision in use is known now.
                    Some(ocsp) => ocsp.recall(verifier, chain, context.now),
                };
                match verdict {
                    Ok(client) => {
                        tried = client;
                        Ok(Some(&tried))
                    }
                    Err(rejection) => Err(rejection),
                }
            }
            // The same anchors come to the same verdict: a client that they reject is denied either
            // way.
            (Some(_), None) => Ok(Some(in_use.client?)),
        };
        let policies = shadow.policies().or_else(|| snapshot.policies());
        let outcome = match (&client, policies) {
            (Ok(client), Some(policies)) => Some(ask(policies, request, *client, &context.host, context.now)),
            _ => None,
        };
        let identity = client
            .as_ref()
            .map(|client| client.map(|client| client.identity().as_ref()));
        let tried = SetOutcome::of(identity, outcome.as_ref());
        let in_use = match in_use.denial {
            Some(denial) => SetOutcome::Refused {
                detail: denial.detail(),
                policies: context.policies.clone(),
            },
            None => SetOutcome::Passes {
                anchor: in_use.client.map(|client| client.identity().anchor.id()),
            },
        };
        in_use.difference(&tried)
    }

    fn ask(
        policies: &Policies,
        request: &Parts,
        client: Option<&VerifiedClient>,
        host: &RequestHost,
        now: Timestamp,
    ) -> PolicyOutcome {
        let forwarded = HeaderName::from_static("x-forwarded-for");
        let addresses = request.headers.get_all(forwarded).iter().next_back();
        let ingress = request.extensions.get::<Ingress>();
        let source_address = match ingress {
            Some(ingress) if ingress.hides_source_address => SourceAddress::Unreadable,
            _ => SourceAddress::from_forwarded_for(addresses.map(HeaderValue::as_bytes)),
        };
        policies.decide(&PolicyInput {
            client: client.map(|client| client.identity().as_ref()),
            request: RequestFacts {
                method: request.method.as_str(),
                path: request.uri.path(),
                host,
                target_group: ingress.and_then(|ingress| ingress.target_group.as_deref()),
                source_address,
            },
            now,
        })
    }
}

/// A program without the cargo feature `policy`: settings that name policies are an error, so there
/// are none to ask.
#[cfg(not(feature = "policy"))]
mod none {
    use alb_mtls_trust::{OcspClient, Snapshot};
    use alb_mtls_verifier::VerifiedClient;
    use http::request::Parts;

    use super::{InUse, ShadowDifference};
    use crate::decision::DecisionContext;
    use crate::denial::Denial;

    pub(crate) fn decide(
        _: &Snapshot,
        _: &Parts,
        _: Option<&VerifiedClient>,
        _: &mut DecisionContext,
    ) -> Result<(), Denial> {
        Ok(())
    }

    pub(crate) fn compare(
        _: &Snapshot,
        _: &Parts,
        _: &InUse<'_>,
        _: Option<&OcspClient>,
        _: &DecisionContext,
    ) -> Option<ShadowDifference> {
        None
    }
}
