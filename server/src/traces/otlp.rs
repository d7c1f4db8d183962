//! Spans, by the SDK of OpenTelemetry.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alb_mtls_gate::Admission;
use alb_mtls_proxy::Upstream;
use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceId, Tracer,
    TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, IdGenerator, RandomIdGenerator, Sampler, SamplingResult, SdkTracer,
    SdkTracerProvider, ShouldSample,
};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::parent::{self, Parent};
use super::{Kind, TraceSettings};
use crate::body::{Body, Keeping};

/// Longest time for the answer of a collector.
const EXPORT: Duration = Duration::from_secs(10);

/// Longest time that the end of the process waits for the last spans.
const FLUSH: Duration = Duration::from_secs(2);

/// Most characters of a text in a span.
const MAX_TEXT: usize = 1_024;

/// Most bytes of a collector's answer, which says at most how many spans it refused.
const MAX_ANSWER: usize = 64 << 10;

/// Sender of traces.
#[derive(Clone, Debug)]
pub(crate) struct Traces(Option<Sender>);

#[derive(Clone, Debug)]
struct Sender {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Starts a thread that sends spans to the collector, a batch every 5 s, on this runtime. More
    /// spans than it can send are lost, and no request waits for them.
    ///
    /// # Errors
    /// One sentence, when the exporter cannot be set up.
    pub(crate) fn start(settings: &TraceSettings, runtime: Handle) -> Result<Self, String> {
        let Some(collector) = &settings.collector else {
            return Ok(Self(None));
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(CollectorClient::new(runtime))
            .with_endpoint(collector.0.to_string())
            .with_timeout(EXPORT)
            .build()
            .map_err(|error| format!("traces cannot be sent: {error}"))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("alb-mtls-server");
        }
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).build())
            .with_sampler(Share::new(f64::from(settings.share.get()) / 100.0))
            .with_id_generator(Ids::default())
            .with_resource(resource.build())
            .build();
        let tracer = provider.tracer("alb-mtls");
        Ok(Self(Some(Sender { provider, tracer })))
    }

    /// Begins the span of a request.
    pub(crate) fn begin(&self, kind: Kind, request: &Parts) -> Span {
        let Some(Sender { tracer, .. }) = &self.0 else {
            return Span(None);
        };
        let builder = SpanBuilder::from_name(match kind {
            // Any text can be a method.
            Kind::Proxied => cut(request.method.as_str()),
            Kind::Asked => "authorize".to_owned(),
        })
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new("http.request.method", cut(request.method.as_str())),
            KeyValue::new("url.path", cut(request.uri.path())),
        ]);
        let parent = Parent::read(&request.headers);
        NEXT_TRACE.set(match &parent {
            Parent::Trace(trace) => Some(*trace),
            Parent::Span(_) | Parent::None => None,
        });
        let parent = match parent {
            Parent::Span(context) => context,
            Parent::Trace(_) | Parent::None => Context::new(),
        };
        let span = tracer.build_with_context(builder, &parent);
        Span(Some(Box::new(Recorded {
            tracer: tracer.clone(),
            span,
        })))
    }

    /// Sends the spans that are left.
    pub(crate) async fn end(&self) {
        let Some(Sender { provider, .. }) = &self.0 else {
            return;
        };
        let provider = provider.clone();
        // It waits for the thread that sends.
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
        // A collector that cannot be reached was logged.
        let _ = ended.await;
    }
}

/// Span of a request; ends when it is dropped. Without traces it is nothing.
#[derive(Debug)]
pub(crate) struct Span(Option<Box<Recorded>>);

#[derive(Debug)]
struct Recorded {
    tracer: SdkTracer,
    span: opentelemetry_sdk::trace::Span,
}

impl Span {
    /// Returns the span in the form of X-Ray, for the request's record.
    pub(crate) fn xray_trace_id(&self) -> Option<String> {
        let Recorded { span, .. } = self.0.as_deref()?;
        Some(parent::xray(span.span_context()))
    }

    fn set(&mut self, name: &'static str, value: impl Into<opentelemetry::Value>) {
        if let Some(recorded) = &mut self.0 {
            recorded.span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// Notes what the gate decided.
    pub(crate) fn decided(&mut self, admission: &Admission) {
        match admission {
            Admission::Allowed(_) => self.set("alb_mtls.decision", "allowed"),
            // Without a denial, the gate answered a health check.
            Admission::Answered(answer) => {
                if let Some(denial) = answer.denial() {
                    self.set("alb_mtls.decision", "denied");
                    self.set("alb_mtls.reason", denial.code().as_str().to_owned());
                }
            }
        }
    }

    /// Begins the span of the exchange with an upstream, and names it in the headers for that.
    pub(crate) fn pass_on(&self, headers: &mut HeaderMap, upstream: Option<&Upstream>) -> Self {
        let Some(Recorded { tracer, span }) = self.0.as_deref() else {
            return Self(None);
        };
        let context = Context::new().with_remote_span_context(as_local(span.span_context()));
        let attributes = upstream.map(|upstream| KeyValue::new("server.address", upstream.to_string()));
        let builder = SpanBuilder::from_name("upstream")
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        let span = tracer.build_with_context(builder, &context);
        parent::write(span.span_context(), headers);
        Self(Some(Box::new(Recorded {
            tracer: tracer.clone(),
            span,
        })))
    }

    /// Notes the status of the response. An error of the server is one of the span.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.set("http.response.status_code", i64::from(status.as_u16()));
        if let Some(recorded) = &mut self.0
            && status.is_server_error()
        {
            recorded.span.set_status(Status::error(""));
        }
    }

    /// Has the span end with the body of the response.
    pub(crate) fn until_the_end_of(mut self, response: Response<Body>) -> Response<Body> {
        self.answered(response.status());
        match &self.0 {
            Some(recorded) if recorded.span.is_recording() => {
                response.map(|body| Keeping::new(body, self).boxed_unsync())
            }
            _ => response,
        }
    }
}

/// Returns the beginning of a text that a client chose: spans wait in memory, 2,048 at most.
fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// Returns a span of this process: whether it is recorded was decided, and is not asked again.
fn as_local(span: &SpanContext) -> SpanContext {
    SpanContext::new(
        span.trace_id(),
        span.span_id(),
        span.trace_flags(),
        false,
        span.trace_state().clone(),
    )
}

thread_local! {
    /// Trace of the span that is begun next on this thread, where a load balancer has named one.
    static NEXT_TRACE: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Random ids, except for traces that have one.
#[derive(Clone, Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT_TRACE.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> opentelemetry::trace::SpanId {
        self.0.new_span_id()
    }
}

/// Share of the traces that are recorded.
///
/// A caller can have its request left out, and cannot have it recorded: it has not proven who it is
/// when the span begins. It can choose the trace's id, so that the id alone must not decide.
#[derive(Clone, Debug)]
struct Share {
    share: f64,
    secret: RandomState,
}

impl Share {
    fn new(share: f64) -> Self {
        Self {
            share,
            secret: RandomState::new(),
        }
    }

    /// Chooses a trace by a digest of its id with a secret of the process.
    fn chooses(&self, trace: TraceId) -> bool {
        // 2^53 values, which an f64 holds exactly.
        let digest = self.secret.hash_one(trace.to_bytes()) >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let place = digest as f64 / (1_u64 << 53) as f64;
        place < self.share
    }
}

impl ShouldSample for Share {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let caller = parent.map(|parent| parent.span().span_context().clone());
        let is_recorded = match caller.filter(SpanContext::is_valid) {
            Some(caller) if !caller.is_sampled() => false,
            Some(caller) if !caller.is_remote() => true,
            _ => self.chooses(trace),
        };
        let sampler = match is_recorded {
            true => Sampler::AlwaysOn,
            false => Sampler::AlwaysOff,
        };
        sampler.should_sample(parent, trace, name, kind, attributes, links)
    }
}

/// HTTP to the collector.
#[derive(Debug)]
struct CollectorClient {
    client: Client<HttpConnector, Full<Bytes>>,
    /// The exporter's thread is outside of every runtime.
    runtime: Handle,
    /// A collector that cannot be reached is logged once, and again when it can be.
    fails: Arc<AtomicBool>,
}

impl CollectorClient {
    fn new(runtime: Handle) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            runtime,
            fails: Arc::default(),
        }
    }

    fn note(&self, sent: Result<StatusCode, &HttpError>) {
        let failure = match sent {
            Ok(status) if status.is_success() => None,
            Ok(status) => Some(format!("it answers {status}")),
            Err(error) => Some(error.to_string()),
        };
        match (failure, self.fails.load(Ordering::Relaxed)) {
            (Some(explanation), false) => {
                tracing::warn!(
                    kind = "traces",
                    explanation,
                    "spans are lost: the collector of SERVER_TRACES does not take them"
                );
                self.fails.store(true, Ordering::Relaxed);
            }
            (None, true) => {
                tracing::info!("the collector takes spans again");
                self.fails.store(false, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.client.request(request.map(Full::new));
        let exchange = self.runtime.spawn(async move {
            let answer = async {
                let (parts, body) = sent.await?.into_parts();
                let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
                Ok::<_, HttpError>(Response::from_parts(parts, body))
            };
            match timeout(EXPORT, answer).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {} s", EXPORT.as_secs()).into()),
            }
        });
        let answer = match exchange.await {
            Ok(answer) => answer,
            Err(error) => Err(error.into()),
        };
        self.note(answer.as_ref().map(Response::status));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_that_a_caller_chooses_does_not_decide_what_is_recorded() {
        let recorded = |share: &Share, low: u64| {
            (0..2_000_u128)
                .filter(|high| share.chooses(TraceId::from((high << 64) | u128::from(low))))
                .count()
        };
        // What samplers that compare the id itself take first and last.
        for low in [0, 1, u64::MAX] {
            let count = recorded(&Share::new(0.1), low);
            assert!((100..300).contains(&count), "{count} of 2,000 with {low}");
            assert_eq!(recorded(&Share::new(0.0), low), 0);
            assert_eq!(recorded(&Share::new(1.0), low), 2_000);
        }
    }
}
