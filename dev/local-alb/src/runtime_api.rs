use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::{identifiers, locked};

/// Lambda's own limit for a synchronous answer.
const MAXIMUM_ANSWER: usize = 6 * 1024 * 1024;

const NEXT: &str = "/2018-06-01/runtime/invocation/next";
const INVOCATION: &str = "/2018-06-01/runtime/invocation/";
const INITIALIZATION_ERROR: &str = "/2018-06-01/runtime/init/error";

/// The Lambda Runtime API for one process:
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    invocations: Option<mpsc::UnboundedSender<Invocation>>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

/// Number of concurrent invocations of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concurrency {
    /// As many as it polls for.
    Many,
    /// Single invocation: a newer poll ends an older one, which the process has given up.
    One,
}

impl RuntimeApi {
    pub(crate) async fn start(concurrency: Concurrency) -> io::Result<(Self, oneshot::Receiver<Startup>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (invocations, receiver) = mpsc::unbounded_channel();
        let (startup, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let state = Arc::new(State {
            invocations: tokio::sync::Mutex::new(receiver),
            concurrency,
            newer_poll: Notify::new(),
            startup: Mutex::new(Some(startup)),
            under_way: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, state, stopped));
        let runtime_api = Self {
            address,
            invocations: Some(invocations),
            stop: Some(stop),
            server,
        };
        Ok((runtime_api, started))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands the invocation to the next poll. When the server is gone, so is the invocation, and
    /// the way to answer it.
    pub(crate) fn hand_out(&self, invocation: Invocation) {
        if let Some(invocations) = &self.invocations {
            let _ = invocations.send(invocation);
        }
    }

    /// Lets the requests that are under way end; for when the process has ended.
    pub(crate) async fn drain(&mut self, limit: Duration) {
        // Ends the poll that the process may have left behind.
        self.invocations = None;
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
            let _ = timeout(limit, &mut self.server).await;
        }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Event on its way to the function.
#[derive(Debug)]
pub(crate) struct Invocation {
    request_id: String,
    function: String,
    event: Bytes,
    deadline: Duration,
    answer: oneshot::Sender<Answer>,
}

impl Invocation {
    pub(crate) fn new(event: Bytes, function: &str, limit: Duration) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let invocation = Self {
            request_id: identifiers::request(),
            function: function.to_owned(),
            event,
            deadline: identifiers::since_epoch().saturating_add(limit),
            answer,
        };
        (invocation, answered)
    }
}

/// Answer of the function to an event.
#[derive(Debug)]
pub(crate) enum Answer {
    Error { error_type: String, message: String },
    Response(Bytes),
}

/// The first sign of life.
#[derive(Debug)]
pub(crate) enum Startup {
    FirstPoll(Instant),
    InitializationError(String),
}

#[derive(Debug)]
struct State {
    invocations: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    concurrency: Concurrency,
    newer_poll: Notify,
    startup: Mutex<Option<oneshot::Sender<Startup>>>,
    /// The ways to answer, by request id.
    under_way: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
}

impl State {
    fn report(&self, startup: Startup) {
        if let Some(sender) = locked(&self.startup).take() {
            let _ = sender.send(startup);
        }
    }

    fn begin(&self, request_id: String, answer: oneshot::Sender<Answer>) {
        let mut under_way = locked(&self.under_way);
        if self.concurrency == Concurrency::One {
            under_way.clear();
        }
        under_way.insert(request_id, answer);
    }

    /// Returns the way to answer, for an invocation under way only.
    fn take(&self, request_id: &str) -> Option<oneshot::Sender<Answer>> {
        locked(&self.under_way).remove(request_id)
    }
}

async fn serve(listener: TcpListener, state: Arc<State>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = &mut stopped => break,
        };
        let Ok((stream, _)) = accepted else { continue };
        // Loopback with small messages: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        let service = service_fn(move |request| {
            let state = Arc::clone(&state);
            async move { Ok::<_, Infallible>(handle(request, &state).await) }
        });
        connections.spawn(async move {
            // A connection fails when the process ends, which is noticed elsewhere.
            // A process may end right after its last request, which must still be read.
            let _ = http1::Builder::new()
                .half_close(true)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
    while connections.join_next().await.is_some() {}
}

async fn handle(request: Request<Incoming>, state: &State) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if head.method == Method::GET && path == NEXT {
        return next(state).await;
    }
    if head.method != Method::POST {
        return problem(StatusCode::NOT_FOUND, "NotFound", "no such operation");
    }
    if path == INITIALIZATION_ERROR {
        return match collect(body).await {
            Ok(body) => {
                let (error_type, message) = error_of(&head.headers, &body);
                let separator = if error_type.is_empty() { "" } else { ": " };
                state.report(Startup::InitializationError(format!(
                    "{error_type}{separator}{message}"
                )));
                accepted()
            }
            Err(error) => unreadable(error),
        };
    }
    let operation = path
        .strip_prefix(INVOCATION)
        .and_then(|rest| rest.split_once('/'));
    match operation {
        Some((request_id, "response")) => {
            let answer = match collect(body).await {
                Ok(body) => Answer::Response(body),
                Err(BodyError::TooLarge) => Answer::Error {
                    error_type: "Function.ResponseSizeTooLarge".to_owned(),
                    message: format!("response payload size exceeded {MAXIMUM_ANSWER} bytes"),
                },
                Err(error) => return unreadable(error),
            };
            let too_large = matches!(answer, Answer::Error { .. });
            match answer_current(state, request_id, answer) {
                Ok(_) if too_large => unreadable(BodyError::TooLarge),
                Ok(response) | Err(response) => response,
            }
        }
        Some((request_id, "error")) => match collect(body).await {
            Ok(body) => {
                let (error_type, message) = error_of(&head.headers, &body);
                match answer_current(state, request_id, Answer::Error { error_type, message }) {
                    Ok(response) | Err(response) => response,
                }
            }
            Err(error) => unreadable(error),
        },
        _ => problem(StatusCode::NOT_FOUND, "NotFound", "no such operation"),
    }
}

async fn next(state: &State) -> Response<Full<Bytes>> {
    state.report(Startup::FirstPoll(Instant::now()));
    if state.concurrency == Concurrency::One {
        state.newer_poll.notify_waiters();
    }
    let invocation = tokio::select! {
        biased;
        () = state.newer_poll.notified() => None,
        invocation = async { state.invocations.lock().await.recv().await } => invocation,
    };
    let Some(invocation) = invocation else {
        return problem(StatusCode::GONE, "Shutdown", "the environment is being shut down");
    };
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", &invocation.request_id)
        .header(
            "lambda-runtime-deadline-ms",
            invocation.deadline.as_millis().to_string(),
        )
        .header(
            "lambda-runtime-invoked-function-arn",
            format!(
                "arn:aws:lambda:us-east-1:123456789012:function:{}",
                invocation.function
            ),
        )
        .header(
            "lambda-runtime-trace-id",
            format!(
                "Root={};Parent={};Sampled=0",
                identifiers::trace(),
                identifiers::hexadecimal(16)
            ),
        )
        .body(Full::new(invocation.event));
    match response {
        Ok(response) => {
            state.begin(invocation.request_id, invocation.answer);
            response
        }
        Err(_) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InvalidFunctionName",
            "the function's name does not fit into a header",
        ),
    }
}

#[expect(
    clippy::result_large_err,
    reason = "both cases are the answer to the same request"
)]
fn answer_current(
    state: &State,
    request_id: &str,
    answer: Answer,
) -> Result<Response<Full<Bytes>>, Response<Full<Bytes>>> {
    match state.take(request_id) {
        Some(sender) => {
            let _ = sender.send(answer);
            Ok(accepted())
        }
        None => Err(problem(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "no invocation with this id is under way",
        )),
    }
}

enum BodyError {
    Broken,
    TooLarge,
}

async fn collect(body: Incoming) -> Result<Bytes, BodyError> {
    match Limited::new(body, MAXIMUM_ANSWER).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Err(_) => Err(BodyError::Broken),
    }
}

/// Returns the type and message of an error report; one that is not the documented JSON is its own
/// message.
fn error_of(headers: &HeaderMap, body: &Bytes) -> (String, String) {
    let report: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| {
        report
            .get(name)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    let header = headers
        .get("lambda-runtime-function-error-type")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let error_type = field("errorType").or(header).unwrap_or_default();
    let message = field("errorMessage").unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    (error_type, message)
}

fn accepted() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(r#"{"status":"OK"}"#));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn unreadable(error: BodyError) -> Response<Full<Bytes>> {
    match error {
        BodyError::Broken => problem(
            StatusCode::BAD_REQUEST,
            "InvalidBody",
            "the body could not be read",
        ),
        BodyError::TooLarge => problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "the body is larger than 6 MB",
        ),
    }
}

fn problem(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": message });
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response
}
