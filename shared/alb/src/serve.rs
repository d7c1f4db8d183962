//! From the Lambda runtime to the gate and the handler behind it.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use alb_mtls_gate::{FunctionFacts, Gate, GateLayer, Ingress, Settings};
use alb_mtls_verifier::Timestamp;
use http::{Request, Response};
use lambda_http::Body;
use lambda_runtime::{Context, Error, LambdaEvent};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::event::Event;
use crate::payload::Payload;
use crate::response::Answer;

/// Starts a function: settings from the environment, logging, trust material, then the gate before `handler` for every
/// event until Lambda ends the process.
///
/// Wrong settings end the process at once with one line on standard error and exit code 2.
pub async fn serve<S>(handler: S) -> ExitCode
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Error>,
{
    crate::start_logging();
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let gate = Arc::new(Gate::new(settings));
    gate.load().await;
    match run(gate, handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the Lambda runtime stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves events with this gate before `handler`: one after the other, or, in a Lambda Managed Instance, as many at once as
/// `AWS_LAMBDA_MAX_CONCURRENCY` says.
///
/// # Errors
/// When the Lambda Runtime API cannot be reached.
pub async fn run<S>(gate: Arc<Gate>, handler: S) -> Result<(), Error>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Error>,
{
    crate::at_termination({
        let gate = Arc::clone(&gate);
        move || gate.write_metrics()
    });
    // The runtime's library follows each field that it reads, for its errors; as one text there is nothing to follow.
    lambda_runtime::run_concurrent(service_fn(move |event: LambdaEvent<Payload>| {
        let (gate, handler) = (Arc::clone(&gate), handler.clone());
        async move { handle(gate, handler, event.payload.event(), event.context).await }
    }))
    .await
}

/// Answers one event.
///
/// # Errors
/// Those of the handler alone: whatever the event holds, the gate's part ends in an answer.
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

/// Answers one event of an invocation that did not come through the Lambda runtime's library. The target group is the
/// event's, whatever `ingress` says.
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

/// What an invocation says of itself, for the decision record.
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
