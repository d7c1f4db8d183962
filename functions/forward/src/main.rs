//! A Lambda target that sends requests which passed the gate on to an upstream, byte for byte, with
//! headers that say who the client is.

mod exchange;
mod forwarder;
mod headers;
mod invoke;
mod response;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use alb_mtls_gate::Gate;
use alb_mtls_lambda::{Function, StartError};
use bytes::Bytes;
use lambda_runtime::{LambdaEvent, service_fn};

use crate::forwarder::Forwarder;

const ABOUT: &str = "A Lambda target that sends requests which passed the gate on to an upstream.";

fn main() -> ExitCode {
    let tables = [&alb_mtls_gate::SETTINGS, &alb_mtls_proxy::SETTINGS];
    alb_mtls_lambda::start(ABOUT, &tables, serve())
}

async fn serve() -> Result<Infallible, StartError> {
    let gate = alb_mtls_gate::Settings::from_environment().map_err(StartError::settings)?;
    let forward = alb_mtls_proxy::Settings::from_environment().map_err(StartError::settings)?;
    let forwarder = Arc::new(Forwarder::new(forward, &gate.trust).map_err(StartError::Settings)?);
    let function = Function::from_environment().map_err(StartError::Settings)?;
    let gate = Gate::new(gate).with_public_requests(forwarder.proxy() as _);
    tokio::join!(gate.load(), forwarder.load());
    let gate = Arc::new(gate);
    let function = function.with_gate(&gate);
    let handler = service_fn(move |event: LambdaEvent<Bytes>| {
        let (gate, forwarder) = (Arc::clone(&gate), Arc::clone(&forwarder));
        async move { Ok::<_, Infallible>(forwarder.answer(&gate, &event.payload, event.context).await) }
    });
    Ok(function.run_raw(handler).await?)
}
