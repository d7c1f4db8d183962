//! The Runtime API as the runtime sees it: Lambda's, with the gate before the events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alb_mtls_gate::{FunctionFacts, Ingress, Peer};
use alb_mtls_lambda::{
    ErrorReport, InvocationId, REQUEST_ID, RuntimeApi, RuntimeApiError, deadline, trace_id,
};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http::response::Parts as ResponseParts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use crate::judge::{Judge, Verdict};
use crate::recorder::UnderWay;

/// Body for the runtime: Lambda's, or the gate's.
pub(crate) type ResponseBody = Either<Incoming, Full<Bytes>>;

/// The path of every version of the API by which a runtime asks for its next event.
const NEXT: &str = "/runtime/invocation/next";

/// The path by which one with SnapStart says that it has started.
const RESTORE: &str = "/runtime/restore/next";

#[derive(Debug)]
pub(crate) struct Proxy {
    runtime_api: RuntimeApi,
    judge: Judge,
    function: Option<Arc<FunctionFacts>>,
    loaded: OnceCell<()>,
    asked: AtomicBool,
    /// Locked for reading by every message of the runtime to Lambda.
    under_way: UnderWay,
}

/// Reason why the runtime gets no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error(transparent)]
    RuntimeApi(#[from] RuntimeApiError),
    #[error("the Runtime API's answer ended early: {0}")]
    Interrupted(#[from] hyper::Error),
    #[error("the answer cannot be written: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("the request's task ended: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Request of the runtime.
enum Asked {
    /// To know something, for as long as it waits for it.
    Get(Box<Parts>),
    /// To tell Lambda something.
    Tell(JoinHandle<Result<Response<Incoming>, RuntimeApiError>>),
}

impl Proxy {
    pub(crate) fn new(runtime_api: RuntimeApi, judge: Judge, under_way: UnderWay) -> Self {
        Self {
            runtime_api,
            judge,
            function: function(),
            loaded: OnceCell::new(),
            asked: AtomicBool::new(false),
            under_way,
        }
    }

    /// Loads the trust material, once.
    pub(crate) async fn load(&self) {
        self.loaded.get_or_init(|| Box::pin(self.judge.load())).await;
    }

    /// Writes the metrics that wait for a line.
    pub(crate) fn write_metrics(&self) {
        self.judge.write_metrics();
    }

    /// Returns whether the runtime has asked for an event, or to be restored from a snapshot.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Begins to report to Lambda that the runtime is not started. The report arrives even if the
    /// runtime ends at this moment.
    pub(crate) fn report_init_error(&self, report: ErrorReport) {
        let runtime_api = self.runtime_api.clone();
        let under_way = Arc::clone(&self.under_way).try_read_owned();
        tokio::spawn(async move {
            if let Err(error) = runtime_api.report_init_error(&report).await {
                tracing::error!(explanation = %error, "Lambda could not be told");
            }
            drop(under_way);
        });
    }

    /// Waits until all that the runtime told Lambda has got there, and every record is written.
    pub(crate) async fn all_told(&self) {
        drop(self.under_way.write().await);
    }

    /// Answers a request of the runtime.
    ///
    /// # Errors
    /// When Lambda does not answer, or says what cannot be understood: the connection to the
    /// runtime is to be closed, as Lambda's would be.
    pub(crate) fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, ProxyError>> + Send + use<> {
        let proxy = Arc::clone(self);
        let asked = if request.method() == Method::GET {
            Asked::Get(Box::new(request.into_parts().0))
        } else {
            Asked::Tell(self.tell(request))
        };
        async move {
            match asked {
                Asked::Get(request) => proxy.get(*request).await,
                Asked::Tell(told) => Ok(told.await??.map(Either::Left)),
            }
        }
    }

    /// Begins to send Lambda a message of the runtime. The message arrives even if the runtime ends
    /// at this moment, when hyper gives up the connection and the answer to it.
    fn tell(&self, request: Request<Incoming>) -> JoinHandle<Result<Response<Incoming>, RuntimeApiError>> {
        let runtime_api = self.runtime_api.clone();
        // Only when every message is sent, there is no reader.
        let under_way = Arc::clone(&self.under_way).try_read_owned();
        tokio::spawn(async move {
            let response = runtime_api.send(request.map(Either::Left)).await;
            drop(under_way);
            response
        })
    }

    /// Asks Lambda until there is something that the runtime is allowed to see.
    async fn get(&self, request: Parts) -> Result<Response<ResponseBody>, ProxyError> {
        let asks_for_event = request.uri.path().ends_with(NEXT);
        if asks_for_event || request.uri.path().ends_with(RESTORE) {
            self.asked.store(true, Ordering::Relaxed);
        }
        if asks_for_event {
            self.load().await;
        }
        loop {
            let body = Either::Right(Full::default());
            let response = self
                .runtime_api
                .send(Request::from_parts(request.clone(), body))
                .await?;
            let is_event = asks_for_event && response.status() == StatusCode::OK;
            // Whatever is an invocation is judged, whichever way it was asked for.
            if !(is_event || response.headers().contains_key(REQUEST_ID)) {
                return Ok(response.map(Either::Left));
            }
            let id = InvocationId::from_headers(response.headers()).ok_or(RuntimeApiError::NoRequestId)?;
            let (parts, body) = response.into_parts();
            let event = body.collect().await?.to_bytes();
            let ingress = self.ingress(&id, &parts.headers);
            let told = match self.judge.judge(event, ingress).await? {
                Verdict::Pass(event) => return Ok(with_event(parts, event)),
                Verdict::Answer(answer) => self.runtime_api.respond(&id, answer).await,
                Verdict::Error(report) => self.runtime_api.report_error(&id, &report).await,
            };
            // It came too late or was too long, which is not a reason to end the runtime.
            if let Err(error) = told {
                tracing::error!(
                    function_request_id = id.request_id(),
                    explanation = %error,
                    "Lambda did not take an answer of the gate's own"
                );
            }
        }
    }

    fn ingress(&self, id: &InvocationId, headers: &HeaderMap) -> Ingress {
        Ingress {
            hides_source_address: false,
            peer: Peer::Unknown,
            target_group: None,
            function_request_id: Some(id.request_id().to_owned()),
            xray_trace_id: trace_id(headers),
            function: self.function.clone(),
            deadline: deadline(headers),
        }
    }
}

/// Returns Lambda's response with another body.
fn with_event(mut parts: ResponseParts, event: Bytes) -> Response<ResponseBody> {
    parts.headers.remove(TRANSFER_ENCODING);
    parts.headers.insert(CONTENT_LENGTH, event.len().into());
    Response::from_parts(parts, Either::Right(Full::new(event)))
}

/// Returns the function as Lambda names it to every process of its environment.
fn function() -> Option<Arc<FunctionFacts>> {
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok()?;
    let version = std::env::var("AWS_LAMBDA_FUNCTION_VERSION").ok()?;
    Some(Arc::new(FunctionFacts { name, version }))
}
