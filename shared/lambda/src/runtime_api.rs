//! Client of the Lambda Runtime API.
//!
//! Every event and every answer uses a kept connection; a process needs one for each event that it
//! handles at once. A pool for several hosts costs more time than the request itself.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE, USER_AGENT,
};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::invocation::{Invocation, InvocationId};

/// Body of a request to the Runtime API: relayed from a runtime, or made here.
pub type RequestBody = Either<Incoming, Full<Bytes>>;

const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");

/// Environment variable in which Lambda tells a process where its Runtime API is.
pub const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Port of HTTP, for an address without one.
const PORT: u16 = 80;
const VERSION: &str = "/2018-06-01/runtime";
const NEXT: &str = "/2018-06-01/runtime/invocation/next";
const RESTORE_NEXT: &str = "/2018-06-01/runtime/restore/next";
/// Type of an error whose own cannot stand in a header.
const UNHANDLED: HeaderValue = HeaderValue::from_static("Unhandled");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("alb-mtls/", env!("CARGO_PKG_VERSION")));

/// Longest answer of the Runtime API to an answer, in bytes: a short JSON text.
const MAXIMUM_STATUS: usize = 64 * 1024;

/// Longest event in bytes: more than twice the 6 MB of a synchronous invocation, so only a broken
/// peer reaches it.
///
/// Source: AWS Lambda developer guide, "Lambda quotas", synchronous payload.
const MAXIMUM_EVENT: usize = 16 * 1024 * 1024;

/// Longest time for an exchange whose peer has no reason to wait: the rest of an event that has
/// begun, and the answer to an answer. The Runtime API is on the same machine; a worker must not
/// hang for longer on one that died. It is for functions that handle several events at once: Lambda
/// itself ends others with their invocation, and a timer costs a system call for each event.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(30);

/// Headers of one connection (RFC 9110 §7.6.1), and `Expect`, which is answered on the connection
/// that it arrived on.
const OF_ONE_CONNECTION: [HeaderName; 5] = [
    CONNECTION,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    UPGRADE,
];

/// Failure of an exchange with the Runtime API.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeApiError {
    /// No connection could be made.
    #[error("the Runtime API cannot be reached: {0}")]
    Unreachable(io::Error),
    /// The connection ended or did not carry HTTP.
    #[error("the connection to the Runtime API failed: {}", chain(.0))]
    Connection(#[from] hyper::Error),
    /// A body ended early, or exceeded its limit.
    #[error("the Runtime API's answer ended early: {0}")]
    Interrupted(String),
    /// No answer within the time that an exchange can take.
    #[error("the Runtime API did not answer within {} s", EXCHANGE_LIMIT.as_secs())]
    TimedOut,
    /// An event without a request id, to which no answer can be sent.
    #[error("the Runtime API sent an event without a request id that can be read")]
    NoRequestId,
    /// Another status than the documented one for success.
    #[error("the Runtime API answered {status} to `{path}`: {}", body.escape_debug())]
    Refused {
        /// Status of the answer.
        status: StatusCode,
        /// Path of the request.
        path: String,
        /// Text of the answer.
        body: String,
    },
    /// A request cannot be built from the values that Lambda sent.
    #[error("no request to the Runtime API can be made: {0}")]
    Request(#[from] http::Error),
}

/// Returns an error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

/// Error in the form that the Runtime API takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    /// Type of the error, such as `AlbMtls.EventRefused`.
    pub error_type: String,
    /// Message for the invoker.
    pub message: String,
}

/// Client of the Runtime API, which shares its connections with its clones.
#[derive(Clone, Debug)]
pub struct RuntimeApi {
    address: Arc<str>,
    host: HeaderValue,
    /// Connections that were used before; some may be in use or have ended.
    connections: Arc<Mutex<Vec<SendRequest<RequestBody>>>>,
    limit: Option<Duration>,
}

impl RuntimeApi {
    /// Returns the client for the address that Lambda tells this process.
    ///
    /// # Errors
    /// One line for the operator, when the environment does not contain an address.
    pub fn from_environment() -> Result<Self, String> {
        let address = std::env::var(RUNTIME_API).map_err(|_| {
            format!(
                "{RUNTIME_API} is not set: Lambda starts this program and sets it; on this machine, `alb-mtls local` does"
            )
        })?;
        Self::new(&address)
    }

    /// Returns the client for an address, a host with or without a port.
    ///
    /// # Errors
    /// One line for the operator, when it is not an address.
    pub fn new(address: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{RUNTIME_API} holds `{}`: it takes a host and a port",
                address.escape_debug()
            )
        };
        let authority: Authority = address.parse().map_err(|_| wrong())?;
        let port = authority.port_u16().unwrap_or(PORT);
        Ok(Self {
            address: format!("{}:{port}", authority.host()).into(),
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?,
            connections: Arc::default(),
            limit: None,
        })
    }

    /// Gives up an exchange that takes longer than 30 s, other than one that waits for an event.
    #[must_use]
    pub fn with_limit(self) -> Self {
        Self {
            limit: Some(EXCHANGE_LIMIT),
            ..self
        }
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// When none arrives; the next call can succeed.
    pub async fn next(&self) -> Result<Invocation, RuntimeApiError> {
        let response = self.get(NEXT).await?;
        let (parts, body) = response.into_parts();
        if parts.status != StatusCode::OK {
            return Err(self.refused(parts.status, NEXT, body).await);
        }
        let id = InvocationId::from_headers(&parts.headers).ok_or(RuntimeApiError::NoRequestId)?;
        Ok(Invocation {
            id,
            headers: parts.headers,
            event: self.read(body, MAXIMUM_EVENT).await?,
        })
    }

    /// Says that a function with SnapStart has started, and waits until its environment is restored
    /// from a snapshot. The connections of before it are gone.
    ///
    /// # Errors
    /// When Lambda does not say that it is restored.
    pub async fn restore_next(&self) -> Result<(), RuntimeApiError> {
        let response = self.get(RESTORE_NEXT).await?;
        let (parts, body) = response.into_parts();
        self.connections().clear();
        if !parts.status.is_success() {
            return Err(self.refused(parts.status, RESTORE_NEXT, body).await);
        }
        Ok(())
    }

    /// Sends the answer to an event.
    ///
    /// # Errors
    /// When Lambda does not take it.
    pub async fn respond(&self, id: &InvocationId, answer: Vec<u8>) -> Result<(), RuntimeApiError> {
        let path = format!("{VERSION}/invocation/{}/response", id.request_id());
        self.post(path, id.headers(), answer.into()).await
    }

    /// Sends an error as the answer to an event.
    ///
    /// # Errors
    /// When Lambda does not take it.
    pub async fn report_error(&self, id: &InvocationId, report: &ErrorReport) -> Result<(), RuntimeApiError> {
        let path = format!("{VERSION}/invocation/{}/error", id.request_id());
        self.report(path, id.headers(), report).await
    }

    /// Says that the runtime does not start.
    ///
    /// # Errors
    /// When Lambda does not take it.
    pub async fn report_init_error(&self, report: &ErrorReport) -> Result<(), RuntimeApiError> {
        self.report(format!("{VERSION}/init/error"), HeaderMap::new(), report)
            .await
    }

    /// Says that the runtime cannot go on after it was restored from a snapshot.
    ///
    /// # Errors
    /// When Lambda does not take it.
    pub async fn report_restore_error(&self, report: &ErrorReport) -> Result<(), RuntimeApiError> {
        self.report(format!("{VERSION}/restore/error"), HeaderMap::new(), report)
            .await
    }

    /// Relays a request of a runtime.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, RuntimeApiError> {
        let target = request.uri().path_and_query().cloned();
        *request.uri_mut() = target.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
        *request.version_mut() = Version::HTTP_11;
        remove_of_one_connection(request.headers_mut());
        request.headers_mut().insert(HOST, self.host.clone());
        let mut response = self.exchange(request).await?;
        remove_of_one_connection(response.headers_mut());
        Ok(response)
    }

    async fn get(&self, path: &'static str) -> Result<Response<Incoming>, RuntimeApiError> {
        let mut request = Request::new(Either::Right(Full::default()));
        *request.uri_mut() = PathAndQuery::from_static(path).into();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, AGENT);
        self.exchange(request).await
    }

    async fn exchange(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, RuntimeApiError> {
        while let Some(mut connection) = self.idle() {
            match connection.try_send_request(request).await {
                Ok(response) => {
                    self.connections().push(connection);
                    return Ok(response);
                }
                // Lambda had closed it, and nothing was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await?;
        // It can be used again as soon as the response has been read.
        self.connections().push(connection);
        Ok(response)
    }

    /// Takes a connection on which no exchange is under way.
    fn idle(&self) -> Option<SendRequest<RequestBody>> {
        let mut connections = self.connections();
        connections.retain(|connection| !connection.is_closed());
        let position = connections.iter().position(SendRequest::is_ready)?;
        Some(connections.swap_remove(position))
    }

    fn connections(&self) -> MutexGuard<'_, Vec<SendRequest<RequestBody>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, RuntimeApiError> {
        let stream = TcpStream::connect(&*self.address)
            .await
            .map_err(RuntimeApiError::Unreachable)?;
        // Small messages on one machine: waiting for more to send only delays them.
        stream.set_nodelay(true).map_err(RuntimeApiError::Unreachable)?;
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .handshake(TokioIo::new(stream))
            .await?;
        // The sender reports how the connection ended.
        tokio::spawn(async move { _ = connection.await });
        Ok(sender)
    }

    async fn report(
        &self,
        path: String,
        mut headers: HeaderMap,
        report: &ErrorReport,
    ) -> Result<(), RuntimeApiError> {
        let error_type = HeaderValue::from_str(&report.error_type);
        headers.insert(ERROR_TYPE, error_type.unwrap_or(UNHANDLED));
        let body = json!({"errorType": report.error_type, "errorMessage": report.message, "stackTrace": []});
        self.post(path, headers, body.to_string().into()).await
    }

    /// Sends an answer, a second time if the first might not have arrived: the Runtime API takes
    /// one answer for each invocation and rejects others.
    async fn post(&self, path: String, mut headers: HeaderMap, body: Bytes) -> Result<(), RuntimeApiError> {
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, AGENT);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let target = PathAndQuery::from_maybe_shared(Bytes::from(path.clone())).map_err(http::Error::from)?;
        let request = || {
            let mut request = Request::new(Either::Right(Full::new(body.clone())));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = target.clone().into();
            *request.headers_mut() = headers.clone();
            request
        };
        let response = match self.within_limit(self.exchange(request())).await {
            Err(RuntimeApiError::Connection(error)) => {
                tracing::warn!(
                    explanation = chain(&error),
                    "an answer is sent again: the connection to the Runtime API failed"
                );
                self.within_limit(self.exchange(request())).await?
            }
            other => other?,
        };
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            // Read to its end, so that the connection can be used again.
            self.read(body, MAXIMUM_STATUS).await.map(drop)
        } else {
            Err(self.refused(parts.status, &path, body).await)
        }
    }

    async fn within_limit<T>(
        &self,
        exchange: impl Future<Output = Result<T, RuntimeApiError>>,
    ) -> Result<T, RuntimeApiError> {
        match self.limit {
            None => exchange.await,
            Some(limit) => timeout(limit, exchange)
                .await
                .unwrap_or(Err(RuntimeApiError::TimedOut)),
        }
    }

    async fn read(&self, body: Incoming, most: usize) -> Result<Bytes, RuntimeApiError> {
        self.within_limit(async {
            match Limited::new(body, most).collect().await {
                Ok(body) => Ok(body.to_bytes()),
                Err(error) => Err(RuntimeApiError::Interrupted(error.to_string())),
            }
        })
        .await
    }

    async fn refused(&self, status: StatusCode, path: &str, body: Incoming) -> RuntimeApiError {
        let body = self.read(body, MAXIMUM_STATUS).await.unwrap_or_default();
        RuntimeApiError::Refused {
            status,
            path: path.to_owned(),
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

fn remove_of_one_connection(headers: &mut HeaderMap) {
    for name in OF_ONE_CONNECTION {
        headers.remove(name);
    }
}
