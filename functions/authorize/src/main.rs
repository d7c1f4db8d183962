//! A Lambda authorizer for API Gateway: REST APIs, and HTTP APIs with payload format 1.0 and 2.0.

mod answer;
mod authorizer;
mod event;
mod method_arn;
mod settings;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use alb_mtls_lambda::{Function, StartError};
use bytes::Bytes;
use lambda_runtime::{LambdaEvent, service_fn};

use crate::authorizer::Authorizer;
use crate::settings::Settings;

const ABOUT: &str = "A Lambda authorizer for API Gateway.";

fn main() -> ExitCode {
    let tables = [&settings::SETTINGS, &alb_mtls_gate::SETTINGS];
    alb_mtls_lambda::start(ABOUT, &tables, serve())
}

async fn serve() -> Result<Infallible, StartError> {
    let settings = Settings::from_environment().map_err(StartError::settings)?;
    let function = Function::from_environment().map_err(StartError::Settings)?;
    let authorizer = Arc::new(Authorizer::new(settings));
    authorizer.load().await;
    let function = function.with_gate(authorizer.gate());
    let handler = service_fn(move |event: LambdaEvent<Bytes>| {
        let authorizer = Arc::clone(&authorizer);
        async move {
            let ingress = alb_mtls_lambda::ingress_of(&event.context);
            authorizer.authorize(&event.payload, ingress).await
        }
    });
    Ok(function.run_raw(handler).await?)
}
