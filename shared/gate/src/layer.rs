//! The gate as tower middleware.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::{Layer, Service};

use crate::admission::Admission;
use crate::gate::Gate;

/// Puts the gate before a service.
///
/// The service sees only requests that may pass, without the headers that state an identity or
/// restate what was decided: see [`StrippedHeaders`](alb_mtls_http::StrippedHeaders). A verified
/// client's request carries a [`VerifiedClient`](alb_mtls_verifier::VerifiedClient) as an
/// extension, and the [`Arc<Snapshot>`](alb_mtls_trust::Snapshot) that it was verified by; without
/// them the client is anonymous, which only happens when `MTLS_MODE` is `optional` or `report`, or
/// when the request is public. Beside them is the [`TokenIdentity`](crate::TokenIdentity) of a
/// token that was checked, by `MTLS_BOUND_TOKEN`.
#[derive(Clone, Debug)]
pub struct GateLayer {
    gate: Arc<Gate>,
}

impl GateLayer {
    /// A layer that asks this gate.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> GateService<S> {
        GateService {
            gate: Arc::clone(&self.gate),
            inner,
        }
    }
}

/// A service with the gate before it; made by [`GateLayer`].
#[derive(Clone, Debug)]
pub struct GateService<S> {
    gate: Arc<Gate>,
    inner: S,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for GateService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>> + Clone + Send + 'static,
    S::Future: Send,
    RequestBody: Send + 'static,
    ResponseBody: From<String>,
{
    type Response = Response<ResponseBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let gate = Arc::clone(&self.gate);
        // The service that was polled ready is the one to call; its clone waits for the next
        // request.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match gate.admit(parts).await {
                Admission::Answered(answer) => Ok(answer.to_response()),
                Admission::Allowed(allowed) => {
                    let mut response = inner.call(Request::from_parts(allowed.parts, body)).await?;
                    response.headers_mut().extend(allowed.response_headers);
                    Ok(response)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use alb_mtls_http::host::RequestHost;
    use http::StatusCode;
    use http::request::Parts;
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::{Ingress, PublicRequests, Settings};

    const SERVED: &str =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/73e2d6bc24d8a067";

    #[derive(Debug)]
    struct Status;

    impl PublicRequests for Status {
        fn is_public(&self, request: &Parts, _: &RequestHost) -> bool {
            request.uri.path() == "/status"
        }

        fn goes_by_host(&self) -> bool {
            true
        }
    }

    /// Returns the status, and the headers that the service behind the gate saw.
    async fn ask(path: &str, target_group: &str) -> (StatusCode, String) {
        ask_with_hosts(path, target_group, &["gate.example"], &[]).await
    }

    async fn ask_with_hosts(
        path: &str,
        target_group: &str,
        hosts: &[&str],
        variables: &[(&str, &str)],
    ) -> (StatusCode, String) {
        let settings = [("MTLS_ANCHORS", "file:/nowhere"), ("MTLS_TARGET_GROUPS", SERVED)];
        let settings = settings.iter().chain(variables);
        let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let gate =
            Gate::new(Settings::from_variables(settings).unwrap()).with_public_requests(Arc::new(Status));
        let inner = service_fn(async |request: Request<()>| {
            Ok::<_, Infallible>(Response::new(format!("{:?}", request.headers())))
        });
        let mut request = Request::builder().uri(path);
        for host in hosts {
            request = request.header("host", *host);
        }
        for name in [
            "x-amzn-mtls-clientcert",
            "X-Amzn-Mtls-Clientcert-Subject",
            "client_cert",
        ] {
            request = request.header(name, "forged");
        }
        let ingress = Ingress {
            target_group: Some(target_group.to_owned()),
            ..Ingress::default()
        };
        let request = request.extension(ingress).body(()).unwrap();
        let response = GateLayer::new(Arc::new(gate))
            .layer(inner)
            .oneshot(request)
            .await
            .unwrap();
        (response.status(), response.into_body())
    }

    #[tokio::test]
    async fn public_requests_pass_as_nobody_and_the_others_do_not() {
        assert_eq!(
            ask("/status", SERVED).await,
            (StatusCode::OK, r#"{"host": "gate.example"}"#.to_owned())
        );
        assert_eq!(ask("/status/", SERVED).await.0, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn a_host_that_cannot_be_read_is_refused_in_every_mode() {
        for mode in ["enforce", "optional", "report"] {
            for path in ["/status", "/"] {
                for hosts in [
                    &[][..],
                    &[""],
                    &["gate.example:abc"],
                    &["x@gate.example"],
                    &["gate.example", "gate.example"],
                ] {
                    let (status, _) = ask_with_hosts(path, SERVED, hosts, &[("MTLS_MODE", mode)]).await;
                    assert_eq!(status, StatusCode::BAD_REQUEST, "{mode} {path} {hosts:?}");
                }
            }
        }
        for host in ["GATE.example:443", "gate.example.", "[::1]", "192.0.2.1"] {
            let (status, _) = ask_with_hosts("/status", SERVED, &[host], &[]).await;
            assert_eq!(status, StatusCode::OK, "{host}");
        }
    }

    #[tokio::test]
    async fn public_requests_still_have_to_come_through_a_served_target_group() {
        assert_eq!(ask("/status", "arn:other").await.0, StatusCode::FORBIDDEN);
    }
}
