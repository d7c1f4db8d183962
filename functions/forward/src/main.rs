//! A Lambda target that sends requests which passed the gate on to an upstream, byte for byte, with headers that say
//! who the client is.

mod assertion;
mod connection;
mod failure;
mod forwarder;
mod headers;
mod hop;
mod identity;
mod raw_path;
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

use alb_mtls_gate::Gate;
use http::Request;
use lambda_http::Body;
use tower::service_fn;

use crate::forwarder::Forwarder;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    alb_mtls_alb::start_logging();
    let (gate, forwarder) = match set_up() {
        Ok(set_up) => set_up,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    tokio::join!(gate.load(), forwarder.load());
    let handler = service_fn(move |request: Request<Body>| {
        let forwarder = Arc::clone(&forwarder);
        async move { Ok::<_, Infallible>(forwarder.forward(request).await) }
    });
    match alb_mtls_alb::run(Arc::new(gate), handler).await {
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

fn to_line(error: impl Display) -> String {
    error.to_string()
}
