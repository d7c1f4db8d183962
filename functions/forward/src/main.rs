//! A Lambda target that sends requests which passed the gate on to an upstream, byte for byte, with
//! headers that say who the client is.

mod assertion;
mod connection;
mod error;
mod forwarder;
mod headers;
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
mod upstream_client;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use alb_mtls_gate::Gate;
use alb_mtls_lambda::{Function, StartError};
use http::{Request, Response};
use lambda_http::Body;
use tower::{Service, service_fn};

use crate::forwarder::Forwarder;

const ABOUT: &str = "A Lambda target that sends requests which passed the gate on to an upstream.";

fn main() -> ExitCode {
    let tables = [&alb_mtls_gate::SETTINGS, &settings::SETTINGS];
    alb_mtls_lambda::start(ABOUT, &tables, serve())
}

async fn serve() -> Result<Infallible, StartError> {
    let gate = alb_mtls_gate::Settings::from_environment().map_err(StartError::settings)?;
    let forward = settings::Settings::from_environment().map_err(StartError::settings)?;
    let forwarder = Arc::new(Forwarder::new(forward, &gate.trust).map_err(StartError::Settings)?);
    let function = Function::from_environment().map_err(StartError::Settings)?;
    let gate = Gate::new(gate).with_public_requests(Arc::clone(&forwarder) as _);
    tokio::join!(gate.load(), forwarder.load());
    Ok(alb_mtls_lambda::run(function, Arc::new(gate), handler(forwarder)).await?)
}

fn handler(
    forwarder: Arc<Forwarder>,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(move |request: Request<Body>| {
        let forwarder = Arc::clone(&forwarder);
        async move { Ok(forwarder.forward(request).await) }
    })
}
