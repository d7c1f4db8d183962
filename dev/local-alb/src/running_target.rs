use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::answer::{AnswerError, http_response};
use crate::environment::EnvironmentFacts;
use crate::event::{HeaderMode, health_check_event};
use crate::function_pool::FunctionPool;
use crate::http_client::{self, SendError};
use crate::invocation::{InvocationOutcome, StartError};
use crate::target::{InvokeUrl, Target, TargetGroup};
use crate::tasks::Spawner;

/// Largest answer of an Invoke endpoint, in bytes. The function's answer is limited further.
const MAXIMUM_INVOKE_ANSWER: usize = 8 * 1024 * 1024;

/// A target group whose target runs.
#[derive(Debug)]
pub(crate) struct RunningGroup {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) header_mode: HeaderMode,
    pub(crate) target: RunningTarget,
}

impl RunningGroup {
    pub(crate) async fn start(group: &TargetGroup) -> Result<Self, StartError> {
        let target = match &group.target {
            Target::Function { command, concurrency } => {
                let pool = FunctionPool::start(command.clone(), *concurrency).await?;
                RunningTarget::Lambda(Arc::new(Invoker::Pool(pool)))
            }
            Target::Http(address) => RunningTarget::Http(*address),
            Target::InvokeUrl { url, timeout } => RunningTarget::Lambda(Arc::new(Invoker::Url {
                url: url.clone(),
                timeout: *timeout,
            })),
        };
        Ok(Self {
            name: group.name.clone(),
            arn: group.arn.clone(),
            header_mode: group.header_mode,
            target,
        })
    }

    /// Returns the status that the target answers a health check with.
    pub(crate) async fn check_health(&self, path: &str, spawner: &Spawner) -> Result<u16, TargetError> {
        match &self.target {
            RunningTarget::Http(address) => {
                let request = Request::get(path)
                    .header(HOST, address.to_string())
                    .header(USER_AGENT, "ELB-HealthChecker/2.0")
                    .body(Full::<Bytes>::default())
                    .map_err(|_| TargetError::HealthCheckPath)?;
                let response = http_client::send(address, request, spawner).await?;
                Ok(response.status().as_u16())
            }
            RunningTarget::Lambda(invoker) => {
                let event = health_check_event(&self.arn, self.header_mode, path);
                let answer = invoker.invoke(event, spawner).await?;
                Ok(http_response(&answer, self.header_mode)?.status().as_u16())
            }
        }
    }
}

#[derive(Debug)]
pub(crate) enum RunningTarget {
    Http(SocketAddr),
    Lambda(Arc<Invoker>),
}

/// The two ways to a function.
#[derive(Debug)]
pub(crate) enum Invoker {
    Pool(FunctionPool),
    Url { url: InvokeUrl, timeout: Duration },
}

impl Invoker {
    pub(crate) async fn invoke(&self, event: Bytes, spawner: &Spawner) -> Result<Bytes, TargetError> {
        match self {
            Self::Pool(pool) => match pool.invoke(event).await {
                InvocationOutcome::Crashed { reason } => Err(TargetError::Crashed { reason }),
                InvocationOutcome::FunctionError { error_type, message } => {
                    Err(TargetError::FunctionError { error_type, message })
                }
                InvocationOutcome::Response(answer) => Ok(answer),
                InvocationOutcome::TimedOut => Err(TargetError::TimedOut),
            },
            Self::Url { url, timeout: limit } => timeout(*limit, invoke_url(url, event, spawner))
                .await
                .unwrap_or(Err(TargetError::TimedOut)),
        }
    }

    pub(crate) fn facts(&self) -> Vec<EnvironmentFacts> {
        match self {
            Self::Pool(pool) => pool.facts(),
            Self::Url { .. } => Vec::new(),
        }
    }

    pub(crate) async fn stop(&self) {
        match self {
            Self::Pool(pool) => pool.stop().await,
            Self::Url { .. } => {}
        }
    }
}

/// Reason why a target did not answer; each of them is a 502 of the load balancer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("the function ended without an answer: {reason}")]
    Crashed { reason: String },
    #[error("the function failed: {error_type}: {message}")]
    FunctionError { error_type: String, message: String },
    #[error("the path of the health check is not one")]
    HealthCheckPath,
    #[error("the target cannot be reached: {0}")]
    Send(#[from] SendError),
    #[error("the function did not answer in time")]
    TimedOut,
    #[error("the Invoke endpoint's answer cannot be read: {0}")]
    UnreadableInvokeAnswer(String),
    #[error("the Invoke endpoint answered {status}: {body}")]
    UnexpectedInvokeStatus { status: u16, body: String },
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
async fn invoke_url(url: &InvokeUrl, event: Bytes, spawner: &Spawner) -> Result<Bytes, TargetError> {
    let mut request = Request::new(Full::new(event));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.path.clone().into();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    if let Ok(host) = url.authority.as_str().parse() {
        headers.insert(HOST, host);
    }
    let address = (
        url.authority.host().trim_matches(['[', ']']),
        url.authority.port_u16().unwrap_or(80),
    );
    let response = http_client::send(address, request, spawner).await?;
    let status = response.status();
    let failed = response.headers().contains_key("x-amz-function-error");
    let body = read(response).await?;
    if !status.is_success() {
        return Err(TargetError::UnexpectedInvokeStatus {
            status: status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
    }
    if failed {
        let report: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let field = |name: &str| {
            report
                .get(name)
                .and_then(|value| value.as_str())
                .map(str::to_owned)
        };
        return Err(TargetError::FunctionError {
            error_type: field("errorType").unwrap_or_default(),
            message: field("errorMessage").unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned()),
        });
    }
    Ok(body)
}

async fn read(response: Response<Incoming>) -> Result<Bytes, TargetError> {
    match Limited::new(response.into_body(), MAXIMUM_INVOKE_ANSWER)
        .collect()
        .await
    {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(TargetError::UnreadableInvokeAnswer(error.to_string())),
    }
}
