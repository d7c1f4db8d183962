//! From an event through the gate to the handler behind it.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use alb_mtls_gate::{Admission, AllowedRequest, FunctionFacts, Gate, Incoming, Ingress, Peer, Settings};
use bytes::Bytes;
use http::{Request, Response};
use lambda_http::Body;
use lambda_runtime::{BoxFuture, Context, Error, LambdaEvent, SnapStartResource};
use tower::{Service, ServiceExt, service_fn};

use crate::event::Event;
use crate::function::{Function, RunError};
use crate::response::Answer;
use crate::start::StartError;
use crate::termination::at_termination;

/// Serves events with a gate before `handler`: settings from the environment, trust material, then
/// one event after the other until Lambda ends the process.
///
/// # Errors
/// For wrong settings, and when Lambda ends the function.
pub async fn serve<S>(handler: S) -> Result<Infallible, StartError>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Error>,
{
    let settings = Settings::from_environment().map_err(StartError::settings)?;
    let function = Function::from_environment().map_err(StartError::Settings)?;
    let gate = Arc::new(Gate::new(settings));
    gate.load().await;
    Ok(run(function, gate, handler).await?)
}

/// Serves events with this gate before `handler`, as [`Function::run_raw`] does.
///
/// # Errors
/// Those of [`Function::run_raw`].
pub async fn run<S>(function: Function, gate: Arc<Gate>, handler: S) -> Result<Infallible, RunError>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Error>,
{
    let function = function.with_gate(&gate);
    let answer = service_fn(move |event: LambdaEvent<Bytes>| {
        let (gate, handler) = (Arc::clone(&gate), handler.clone());
        async move {
            let read = Event::from_slice(&event.payload);
            handle(&gate, handler, read, event.context)
                .await
                .map_err(Into::into)
        }
    });
    function.run_raw(answer).await
}

impl Function {
    /// Looks after a gate. Its metrics are written before the process ends. Its trust material is
    /// looked up again after the environment was restored from a snapshot, which can be days old.
    #[must_use]
    pub fn with_gate(self, gate: &Arc<Gate>) -> Self {
        at_termination({
            let gate = Arc::clone(gate);
            move || gate.write_metrics()
        });
        self.with_snapstart(Arc::new(Restored(Arc::clone(gate))))
    }
}

#[derive(Debug)]
struct Restored(Arc<Gate>);

impl SnapStartResource for Restored {
    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            self.0.load().await;
            Ok(())
        })
    }
}

/// Answers one event with a handler behind the gate.
///
/// # Errors
/// Those of the handler alone: whatever the event contains, the gate's part ends in an answer.
pub async fn handle<S>(gate: &Gate, handler: S, event: Event, context: Context) -> Result<Answer, S::Error>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    let ingress = ingress_of(&context);
    answer(
        gate,
        event,
        ingress,
        async move |allowed: AllowedRequest, body| {
            let mut request = Request::from_parts(allowed.parts, body);
            request.extensions_mut().insert(context);
            let mut response = handler.oneshot(request).await?;
            response.headers_mut().extend(allowed.response_headers);
            Ok(response)
        },
    )
    .await
}

/// Answers one event: with what `serve` makes of the allowed request and its body, else with the
/// gate's own answer.
///
/// # Errors
/// Those of `serve` alone.
pub async fn answer<E>(
    gate: &Gate,
    event: Event,
    ingress: Ingress,
    serve: impl AsyncFnOnce(AllowedRequest, Body) -> Result<Response<Body>, E>,
) -> Result<Answer, E> {
    let header_mode = event.header_mode;
    let response = match admit(gate, event, ingress).await {
        (Admission::Allowed(allowed), body) => serve(allowed, body).await?,
        (Admission::Answered(answer), _) => answer.to_response(),
    };
    Ok(Answer::new(response, header_mode))
}

/// Puts one event before the gate, and returns the outcome with the body of the request. The target
/// group is the event's, whatever `ingress` says.
pub async fn admit(gate: &Gate, event: Event, ingress: Ingress) -> (Admission, Body) {
    let ingress = Ingress {
        target_group: event.target_group_arn.clone(),
        ..ingress
    };
    match event.into_request() {
        Ok(request) => {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(ingress);
            (gate.admit(parts).await, body)
        }
        Err(error) => {
            let explanation = error.to_string();
            let incoming = Incoming::NotServable { explanation, ingress };
            (gate.admit(incoming).await, Body::Empty)
        }
    }
}

/// Returns what an invocation says of itself, for the decision record.
pub fn ingress_of(context: &Context) -> Ingress {
    static FUNCTION: OnceLock<Arc<FunctionFacts>> = OnceLock::new();
    let function = FUNCTION.get_or_init(|| {
        let facts = &context.env_config;
        Arc::new(FunctionFacts {
            name: facts.function_name.clone(),
            version: facts.version.clone(),
        })
    });
    Ingress {
        hides_source_address: false,
        peer: Peer::Unknown,
        target_group: None,
        function_request_id: Some(context.request_id.clone()),
        xray_trace_id: context.xray_trace_id.clone(),
        function: Some(Arc::clone(function)),
        deadline: Some(context.deadline()),
    }
}
