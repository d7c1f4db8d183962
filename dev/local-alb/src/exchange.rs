use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, SERVER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::admission::{ConnectionFacts, Refusal, admit};
use crate::answer::http_response;
use crate::event::{AlbRequest, EventError, MAXIMUM_BODY};
use crate::http_client;
use crate::listener_state::ListenerState;
use crate::record::{Record, RequestRecord};
use crate::running_target::{Invoker, RunningGroup, RunningTarget, TargetError};
use crate::tasks::Spawner;
use crate::tls::HTTP_2;

/// Most bytes that the HTTP libraries read before ALB's own limits apply. Beyond it they answer 431
/// or 414 themselves.
const READ_LIMIT: u32 = 256 * 1024;

/// More header fields than fit into ALB's 64 K in real requests.
const MAXIMUM_HEADER_COUNT: usize = 4096;

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) client: SocketAddr,
    pub(crate) certificates: usize,
    pub(crate) connection: ConnectionFacts,
    pub(crate) state: Arc<ListenerState>,
    pub(crate) spawner: Spawner,
}

impl Exchange {
    pub(crate) async fn serve(self: Arc<Self>, stream: TlsStream<TcpStream>) -> Result<(), hyper::Error> {
        let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        let spawner = self.spawner.clone();
        let service = service_fn(move |request| {
            let exchange = Arc::clone(&self);
            async move { Ok::<_, Infallible>(exchange.handle(request).await) }
        });
        let stream = TokioIo::new(stream);
        if is_http_2 {
            http2::Builder::new(spawner)
                .timer(TokioTimer::new())
                .max_header_list_size(READ_LIMIT)
                .serve_connection(stream, service)
                .await
        } else {
            http1::Builder::new()
                .timer(TokioTimer::new())
                .max_buf_size(READ_LIMIT as usize)
                .max_headers(MAXIMUM_HEADER_COUNT)
                .serve_connection(stream, service)
                .await
        }
    }

    async fn handle(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        let started_at = Instant::now();
        let (head, body) = request.into_parts();
        let group = self.state.route(head.uri.path()).cloned();
        let result = self.answer(&head, body, group.as_ref()).await;
        let (response, problem) = match result {
            Ok(response) => (response, None),
            Err(failure) => (error_page(failure.status()), Some(failure.to_string())),
        };
        let response = complete(response, &head.method);
        self.state.tell(Record::Request(RequestRecord {
            client: self.client,
            certificates: self.certificates,
            target: head
                .uri
                .path_and_query()
                .map(|target| target.as_str().to_owned())
                .unwrap_or_default(),
            method: head.method.to_string(),
            target_group: group.map(|group| group.name.clone()),
            status: response.status().as_u16(),
            problem,
            duration: started_at.elapsed(),
        }));
        response
    }

    async fn answer(
        &self,
        head: &Parts,
        body: Incoming,
        group: Option<&Arc<RunningGroup>>,
    ) -> Result<Response<AnswerBody>, Failure> {
        let headers = admit(head, &self.connection)?;
        let group = group.ok_or(Failure::NoTargetGroup)?;
        match &group.target {
            RunningTarget::Http(address) => self.proxy(head, headers, body, *address).await,
            RunningTarget::Lambda(invoker) => {
                let request = alb_request(head, &headers, read_body(body).await?)?;
                let event = request.to_event(&group.arn, group.header_mode)?;
                let answer = self.invoke(Arc::clone(invoker), event).await?;
                let response = http_response(&answer, group.header_mode).map_err(TargetError::from)?;
                Ok(response.map(|body| Either::Left(Full::new(body))))
            }
        }
    }

    /// Invokes in a separate task: a client that disconnects does not end the invocation.
    async fn invoke(&self, invoker: Arc<Invoker>, event: Bytes) -> Result<Bytes, Failure> {
        let spawner = self.spawner.clone();
        let invocation = async move { invoker.invoke(event, &spawner).await };
        match self.spawner.spawn(invocation).await {
            Ok(Some(answer)) => Ok(answer?),
            Ok(None) | Err(_) => Err(Failure::Stopping),
        }
    }

    async fn proxy(
        &self,
        head: &Parts,
        headers: HeaderMap,
        body: Incoming,
        address: SocketAddr,
    ) -> Result<Response<AnswerBody>, Failure> {
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head
            .uri
            .path_and_query()
            .cloned()
            .map(Uri::from)
            .unwrap_or_default();
        *request.headers_mut() = headers;
        let response = http_client::send(address, request, &self.spawner).await;
        let mut response = response.map_err(TargetError::from)?;
        for name in [
            "connection",
            "keep-alive",
            "proxy-connection",
            "transfer-encoding",
            "upgrade",
        ] {
            response.headers_mut().remove(name);
        }
        Ok(response.map(Either::Right))
    }
}

/// Bytes of a function, or a stream of an HTTP target.
pub(crate) type AnswerBody = Either<Full<Bytes>, Incoming>;

/// Reason why the load balancer answers by itself.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the request's body ended early")]
    BodyBroken,
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("the value of the header `{0}` is not UTF-8")]
    HeaderNotText(String),
    #[error("no target group is for this path")]
    NoTargetGroup,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the load balancer is stopping")]
    Stopping,
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::Event(EventError::BodyTooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            // `LambdaBadRequest` in ALB's access log; that its status is 502 is unconfirmed.
            Self::Event(EventError::BodyNotText) | Self::HeaderNotText(_) => StatusCode::BAD_GATEWAY,
            // What a default action of the kind `fixed-response` would answer.
            Self::NoTargetGroup => StatusCode::NOT_FOUND,
            Self::Refused(refusal) => refusal.status(),
            Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Target(_) => StatusCode::BAD_GATEWAY,
        }
    }
}

async fn read_body(body: Incoming) -> Result<Bytes, Failure> {
    match Limited::new(body, MAXIMUM_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(EventError::BodyTooLarge.into()),
        Err(_) => Err(Failure::BodyBroken),
    }
}

fn alb_request(head: &Parts, headers: &HeaderMap, body: Bytes) -> Result<AlbRequest, Failure> {
    let headers = headers.iter().map(|(name, value)| {
        let text =
            std::str::from_utf8(value.as_bytes()).map_err(|_| Failure::HeaderNotText(name.to_string()))?;
        Ok((name.to_string(), text.to_owned()))
    });
    Ok(AlbRequest {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: headers.collect::<Result<_, Failure>>()?,
        body,
    })
}

/// Returns the page that ALB shows for its own answers.
fn error_page(status: StatusCode) -> Response<AnswerBody> {
    let title = match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    };
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(Either::Left(Full::from(page)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("awselb/2.0"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// Sets the length, and leaves out the body where HTTP has none.
fn complete(response: Response<AnswerBody>, method: &Method) -> Response<AnswerBody> {
    let (mut head, body) = response.into_parts();
    let Either::Left(full) = body else {
        return Response::from_parts(head, body);
    };
    let bodiless = head.status == StatusCode::NO_CONTENT || head.status == StatusCode::NOT_MODIFIED;
    if !bodiless && let Some(length) = http_body::Body::size_hint(&full).exact() {
        head.headers.insert(CONTENT_LENGTH, length.into());
    }
    let full = if bodiless || method == Method::HEAD {
        Full::default()
    } else {
        full
    };
    Response::from_parts(head, Either::Left(full))
}
