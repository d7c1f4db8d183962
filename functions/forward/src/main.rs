//! A Lambda target that sends requests which passed the gate on to an upstream, byte for byte, with headers that say
//! who the client is.

mod assertion;
mod connection;
mod failure;
mod forwarder;
mod headers;
mod hop;
mod identity;
mod invoke;
mod pool;
mod resolver;
mod response;
mod routes;
mod secrets;
mod settings;
mod tls;
mod upstream;

use std::convert::Infallible;
use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;

use alb_mtls_alb::Payload;
use alb_mtls_gate::Gate;
use alb_mtls_settings::help_if_asked;
use http::{Request, Response};
use lambda_http::Body;
use lambda_runtime::LambdaEvent;
use tower::{Service, service_fn};

use crate::forwarder::Forwarder;
use crate::invoke::SentEvent;

const ABOUT: &str = "A Lambda target that sends requests which passed the gate on to an upstream.";

fn main() -> ExitCode {
    if let Some(help) = help_if_asked(ABOUT, &[&alb_mtls_gate::SETTINGS, &settings::SETTINGS]) {
        print!("{help}");
        return ExitCode::SUCCESS;
    }
    alb_mtls_alb::block_on(serve())
}

async fn serve() -> ExitCode {
    alb_mtls_alb::start_logging();
    let (gate, forwarder) = match set_up() {
        Ok(set_up) => set_up,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    tokio::join!(gate.load(), forwarder.load());
    let served = if forwarder.needs_events() {
        run_with_events(Arc::new(gate), forwarder).await
    } else {
        alb_mtls_alb::run(Arc::new(gate), handler(forwarder, None)).await
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the Lambda runtime stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The gate and what is behind it, or one line that says which setting is wrong.
fn set_up() -> Result<(Gate, Arc<Forwarder>), String> {
    let gate = alb_mtls_gate::Settings::from_environment().map_err(to_line)?;
    let forward = settings::Settings::from_environment().map_err(to_line)?;
    let forwarder = Arc::new(Forwarder::new(forward, &gate.trust)?);
    Ok((
        Gate::new(gate).with_public_requests(Arc::clone(&forwarder) as _),
        forwarder,
    ))
}

/// Serves events with the gate before the forwarder, which gets each request with the event's text beside it.
async fn run_with_events(gate: Arc<Gate>, forwarder: Arc<Forwarder>) -> Result<(), lambda_runtime::Error> {
    alb_mtls_alb::at_termination({
        let gate = Arc::clone(&gate);
        move || gate.write_metrics()
    });
    lambda_runtime::run_concurrent(service_fn(move |event: LambdaEvent<Payload>| {
        let (gate, forwarder) = (Arc::clone(&gate), Arc::clone(&forwarder));
        async move {
            let event_read = event.payload.event();
            let sent = event.payload.into_text().map(|text| SentEvent(text.into()));
            alb_mtls_alb::handle(gate, handler(forwarder, sent), event_read, event.context).await
        }
    }))
    .await
}

fn handler(
    forwarder: Arc<Forwarder>,
    sent: Option<SentEvent>,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(move |mut request: Request<Body>| {
        let forwarder = Arc::clone(&forwarder);
        if let Some(sent) = &sent {
            request.extensions_mut().insert(sent.clone());
        }
        async move { Ok(forwarder.forward(request).await) }
    })
}

fn to_line(error: impl Display) -> String {
    error.to_string()
}
