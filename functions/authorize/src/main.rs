//! A Lambda authorizer for API Gateway: REST APIs, and HTTP APIs with payload format 1.0 and 2.0.

mod answer;
mod authorizer;
mod event;
mod method_arn;
mod settings;

use std::process::ExitCode;

use alb_mtls_settings::help_if_asked;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

use crate::authorizer::Authorizer;
use crate::settings::Settings;

const ABOUT: &str = "A Lambda authorizer for API Gateway.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if let Some(help) = help_if_asked(ABOUT, &[&settings::SETTINGS, &alb_mtls_gate::SETTINGS]) {
        print!("{help}");
        return ExitCode::SUCCESS;
    }
    alb_mtls_alb::start_logging();
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let authorizer = Authorizer::new(settings);
    authorizer.load().await;
    let authorizer = &authorizer;
    // Any JSON is an event: one that cannot be read must be refused, and not become an error.
    let handler = service_fn(async |event: LambdaEvent<Value>| {
        authorizer
            .authorize(&event.payload, alb_mtls_alb::ingress_of(&event.context))
            .await
    });
    match lambda_runtime::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the Lambda runtime stopped: {error}");
            ExitCode::FAILURE
        }
    }
}
