//! Lambda's own Runtime API.
//!
//! Every event and every answer goes over a connection that is kept, of which a function needs one for each event that it
//! handles at once. A pool for any number of hosts would take more time for that than for the request.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

/// What is sent: what the runtime sends, or something of our own.
pub(crate) type RequestBody = Either<Incoming, Full<Bytes>>;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");

const ADDRESS: &str = "AWS_LAMBDA_RUNTIME_API";
/// Of HTTP, where the address has none.
const PORT: u16 = 80;
const VERSION: &str = "/2018-06-01/runtime";

/// What is read of an answer that only says that all is well.
const MAXIMUM_STATUS: usize = 64 * 1024;

/// Headers that are about one connection (RFC 9110 §7.6.1), and `Expect`: whoever asked for a permission to send its body
/// has got it from us.
const OF_ONE_CONNECTION: [HeaderName; 5] = [
    CONNECTION,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    UPGRADE,
];

/// Why there is nothing to tell the runtime, or the Runtime API.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the Runtime API cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("the connection to the Runtime API failed: {}", chain(.0))]
    Connection(#[from] hyper::Error),
    #[error("the Runtime API's answer ended early: {0}")]
    Interrupted(String),
    #[error("the Runtime API sent an event without a request id that can be read")]
    NoRequestId,
    #[error("the Runtime API answered {status} to `{path}`: {}", body.escape_debug())]
    Refused {
        status: StatusCode,
        path: String,
        body: String,
    },
    #[error("no request can be made: {0}")]
    Request(#[from] http::Error),
    #[error("the answer cannot be written: {0}")]
    Answer(String),
    #[error("the request's task ended: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// An error with what is behind it, in one line.
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

/// A failure in the form that Lambda takes.
#[derive(Clone, Debug)]
pub(crate) struct ErrorReport {
    pub(crate) error_type: &'static str,
    pub(crate) message: String,
}

/// A client of the Runtime API.
#[derive(Clone, Debug)]
pub(crate) struct RuntimeApi {
    address: String,
    host: HeaderValue,
    /// Those that were used before, of which some may still be in use or have ended.
    connections: Arc<Mutex<Vec<SendRequest<RequestBody>>>>,
}

impl RuntimeApi {
    /// The one that Lambda tells this process of.
    ///
    /// # Errors
    /// One line that says that there is none.
    pub(crate) fn from_environment() -> Result<Self, String> {
        let address = std::env::var(ADDRESS)
            .map_err(|_| format!("{ADDRESS} is not set: Lambda sets it to the address of its Runtime API"))?;
        let wrong = || {
            format!(
                "{ADDRESS} holds `{}`: it takes a host and a port",
                address.escape_debug()
            )
        };
        let authority: Authority = address.parse().map_err(|_| wrong())?;
        let port = authority.port_u16().unwrap_or(PORT);
        Ok(Self {
            address: format!("{}:{port}", authority.host()),
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?,
            connections: Arc::default(),
        })
    }

    /// Sends a request of the runtime as it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, Failure> {
        let target = request.uri().path_and_query().cloned();
        *request.uri_mut() = target.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
        *request.version_mut() = Version::HTTP_11;
        remove_of_one_connection(request.headers_mut());
        request.headers_mut().insert(HOST, self.host.clone());
        let mut response = self.exchange(request).await?;
        remove_of_one_connection(response.headers_mut());
        Ok(response)
    }

    async fn exchange(&self, mut request: Request<RequestBody>) -> Result<Response<Incoming>, Failure> {
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

    /// A connection on which nothing is under way.
    fn idle(&self) -> Option<SendRequest<RequestBody>> {
        let mut connections = self.connections();
        connections.retain(|connection| !connection.is_closed());
        let position = connections.iter().position(SendRequest::is_ready)?;
        Some(connections.swap_remove(position))
    }

    fn connections(&self) -> MutexGuard<'_, Vec<SendRequest<RequestBody>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, Failure> {
        let stream = TcpStream::connect(&self.address)
            .await
            .map_err(Failure::Unreachable)?;
        // Small messages on one machine: waiting for more to send only delays them.
        stream.set_nodelay(true).map_err(Failure::Unreachable)?;
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .handshake(TokioIo::new(stream))
            .await?;
        // Whoever uses the connection is told how it ended.
        tokio::spawn(async move { _ = connection.await });
        Ok(sender)
    }

    /// Answers an invocation in place of the function.
    ///
    /// # Errors
    /// When Lambda does not take it.
    pub(crate) async fn respond(&self, request_id: &str, answer: Vec<u8>) -> Result<(), Failure> {
        let path = format!("{VERSION}/invocation/{request_id}/response");
        self.post(&path, HeaderMap::new(), answer).await
    }

    /// Fails an invocation in place of the function.
    ///
    /// # Errors
    /// When Lambda does not take it.
    pub(crate) async fn report_error(&self, request_id: &str, report: &ErrorReport) -> Result<(), Failure> {
        let path = format!("{VERSION}/invocation/{request_id}/error");
        self.report(&path, report).await
    }

    /// Says that there will be no runtime.
    ///
    /// # Errors
    /// When Lambda does not take it.
    pub(crate) async fn report_init_error(&self, report: &ErrorReport) -> Result<(), Failure> {
        self.report(&format!("{VERSION}/init/error"), report).await
    }

    async fn report(&self, path: &str, report: &ErrorReport) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(ERROR_TYPE, HeaderValue::from_static(report.error_type));
        let body = json!({"errorType": report.error_type, "errorMessage": report.message, "stackTrace": []});
        self.post(path, headers, body.to_string().into_bytes()).await
    }

    async fn post(&self, path: &str, headers: HeaderMap, body: Vec<u8>) -> Result<(), Failure> {
        let mut request = Request::new(Either::Right(Full::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.parse().map_err(http::Error::from)?;
        *request.headers_mut() = headers;
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = self.send(request).await?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        let body = Limited::new(response.into_body(), MAXIMUM_STATUS)
            .collect()
            .await
            .map_err(|error| Failure::Interrupted(error.to_string()))?;
        if status == StatusCode::ACCEPTED || status == StatusCode::OK {
            return Ok(());
        }
        Err(Failure::Refused {
            status,
            path: path.to_owned(),
            body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        })
    }
}

fn remove_of_one_connection(headers: &mut HeaderMap) {
    for name in OF_ONE_CONNECTION {
        headers.remove(name);
    }
}
