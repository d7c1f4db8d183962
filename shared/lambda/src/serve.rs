//! From an event through the gate to the handler behind it.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use alb_mtls_gate::{FunctionFacts, Gate, GateLayer, Ingress, Settings};
use alb_mtls_verifier::Timestamp;
use bytes::Bytes;
use http::{Request, Response};
use lambda_http::Body;
use lambda_runtime::{BoxFuture, Context, Error, LambdaEvent, SnapStartResource};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::event::Event;
use crate::function::{Function, RunError};
use crate::response::Answer;
use crate::start::StartError;
use crate::termination::at_termination;

/// Serves events with a gate before `handler`: settings from the environment, trust material, then one event after the
/// other until Lambda ends the process.
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
        async move { handle(gate, handler, Event::from_bytes(event.payload), event.context).await }
    });
    function.run_raw(answer).await
}

impl Function {
    /// Looks after a gate: its metrics are written before the process ends, and its trust material is looked up again
    /// after the environment was restored from a snapshot, which may be days old.
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

/// Answers one event.
///
/// # Errors
/// Those of the handler alone: whatever the event contains, the gate's part ends in an answer.
pub async fn handle<S>(gate: Arc<Gate>, handler: S, event: Event, context: Context) -> Result<Answer, Error>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Error>,
{
    let ingress = ingress_of(&context);
    let handler = handler.map_request(move |mut request: Request<Body>| {
        request.extensions_mut().insert(context.clone());
        request
    });
    handle_from(gate, handler, event, ingress).await
}

/// Answers one event of an invocation that did not come through [`Function`]. The target group is the event's, whatever
/// `ingress` says.
///
/// # Errors
/// Those of the handler alone.
pub async fn handle_from<S>(
    gate: Arc<Gate>,
    handler: S,
    event: Event,
    ingress: Ingress,
) -> Result<Answer, Error>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Error>,
{
    let header_mode = event.header_mode;
    let ingress = Ingress {
        target_group: event.target_group_arn.clone(),
        ..ingress
    };
    let response = match event.into_request() {
        Err(defect) => {
            let refusal = gate.refuse_not_servable(&defect.to_string(), &ingress, Timestamp::now());
            refusal.to_response(gate.settings().refusal_body)
        }
        Ok(mut request) => {
            request.extensions_mut().insert(ingress);
            GateLayer::new(gate)
                .layer(handler)
                .oneshot(request)
                .await
                .map_err(Into::into)?
        }
    };
    Ok(Answer::new(response, header_mode))
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
        target_group: None,
        function_request_id: Some(context.request_id.clone()),
        xray_trace_id: context.xray_trace_id.clone(),
        function: Some(Arc::clone(function)),
        deadline: Some(context.deadline()),
    }
}
