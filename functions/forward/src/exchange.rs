//! Exchange with an upstream whose answer is taken as a whole, in the time of one invocation.

use std::time::{Duration, Instant, SystemTime};

use alb_mtls_proxy::{
    Endpoint, ForwardError, Phase, Pool, Secrets, TimeLimit, UpstreamBody, UpstreamClient, classify,
};
use alb_mtls_trust::Waiting;
use bytes::Bytes;
use http::{Method, Request, Response};

use crate::response::{self, ReceiveError};

/// Part of the invocation's time that is kept to answer in.
const RESERVE: Duration = Duration::from_millis(200);

/// Bounds of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) retry: Retry,
    /// Most bytes of the answer's body.
    pub(crate) maximum_body: usize,
    /// Time at which the invocation ends.
    pub(crate) deadline: Option<SystemTime>,
}

/// Sends a request whose URL is the upstream's, and returns its answer.
///
/// # Errors
/// [`ForwardError`] when there is no answer that can be passed on.
pub(crate) async fn exchange(
    client: &UpstreamClient,
    endpoint: &Endpoint,
    request: Request<Bytes>,
    bounds: Bounds,
    secrets: &Secrets,
) -> Result<Response<Bytes>, ForwardError> {
    // A lookup has limits of its own. Inside the exchange's, a slow one would fail every request
    // although the last good material is there.
    let pool = client.pool(secrets, waiting_until(bounds.deadline)).await?;
    let started = Instant::now();
    let (time, limit) = time_left(client.timeout(), bounds.deadline);
    let exchange = async {
        // Connections that ended while the process was frozen are told so before one of them is
        // taken.
        tokio::task::yield_now().await;
        match attempt(&pool, endpoint, &request, bounds.maximum_body).await {
            Err(AttemptError::DiedInPool(_)) if bounds.retry == Retry::Allowed => {
                attempt(&pool, endpoint, &request, bounds.maximum_body)
                    .await
                    .map_err(AttemptError::into_error)
            }
            answered => answered.map_err(AttemptError::into_error),
        }
    };
    match tokio::time::timeout(time, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ForwardError::Timeout {
            elapsed: started.elapsed(),
            limit,
        }),
    }
}

fn time_left(timeout: Duration, deadline: Option<SystemTime>) -> (Duration, TimeLimit) {
    let left = deadline.map(|deadline| {
        deadline
            .duration_since(SystemTime::now())
            .unwrap_or_default()
            .saturating_sub(RESERVE)
    });
    match left {
        Some(left) if left < timeout => (left, TimeLimit::Invocation),
        _ => (timeout, TimeLimit::Setting),
    }
}

/// Returns what waits for a lookup: a request whose invocation ends at `deadline`.
pub(crate) fn waiting_until(deadline: Option<SystemTime>) -> Waiting {
    let left = deadline.map(|deadline| deadline.duration_since(SystemTime::now()).unwrap_or_default());
    Waiting::Request { left }
}

/// Permission to send a request a second time when the fate of the first is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    Allowed,
    Forbidden,
}

impl Retry {
    /// Returns the permission that the method gives (RFC 9110 §9.2.2).
    pub(crate) fn for_method(method: &Method) -> Self {
        if method.is_idempotent() {
            Self::Allowed
        } else {
            Self::Forbidden
        }
    }
}

enum AttemptError {
    Final(ForwardError),
    /// A connection that had carried an answer before ended without a word of this one.
    DiedInPool(ForwardError),
}

impl AttemptError {
    fn into_error(self) -> ForwardError {
        match self {
            Self::Final(failure) | Self::DiedInPool(failure) => failure,
        }
    }
}

async fn attempt(
    pool: &Pool,
    endpoint: &Endpoint,
    request: &Request<Bytes>,
    maximum_body: usize,
) -> Result<Response<Bytes>, AttemptError> {
    let (connection, answer) = loop {
        let mut connection = pool
            .connection(endpoint)
            .await
            .map_err(|error| AttemptError::Final(classify(&*error, Phase::Connecting)))?;
        match connection.send(copy(request)).await {
            Ok(answer) => break (connection, answer),
            // Ends with the last connection that was kept: a new one carries the request, or fails.
            Err(error) if error.is_unsent && connection.is_reused() => {}
            Err(error) => {
                let failure = classify(&error.error, Phase::Exchange);
                return Err(match failure {
                    ForwardError::Closed(_) if connection.is_reused() => AttemptError::DiedInPool(failure),
                    _ => AttemptError::Final(failure),
                });
            }
        }
    };
    match response::receive(request.method(), answer, maximum_body).await {
        Ok(answer) => {
            pool.keep(connection);
            Ok(answer)
        }
        Err(ReceiveError::Final(failure)) => Err(AttemptError::Final(failure)),
        Err(ReceiveError::Transport(error)) => Err(AttemptError::Final(classify(&error, Phase::Exchange))),
    }
}

/// Returns a copy of the request; its body is shared.
fn copy(request: &Request<Bytes>) -> Request<UpstreamBody> {
    let mut copy = Request::new(UpstreamBody::from(request.body().clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}
