//! A Lambda authorizer for API Gateway: REST APIs, and HTTP APIs with payload format 1.0 and 2.0.

mod answer;
mod authorizer;
mod event;
mod method_arn;
mod settings;

use std::process::ExitCode;
use std::sync::Arc;

use alb_mtls_alb::Payload;
use alb_mtls_settings::help_if_asked;
use lambda_runtime::{LambdaEvent, service_fn};

use crate::authorizer::Authorizer;
use crate::settings::Settings;

const ABOUT: &str = "A Lambda authorizer for API Gateway.";

fn main() -> ExitCode {
    if let Some(help) = help_if_asked(ABOUT, &[&settings::SETTINGS, &alb_mtls_gate::SETTINGS]) {
        print!("{help}");
        return ExitCode::SUCCESS;
    }
    alb_mtls_alb::block_on(serve())
}

async fn serve() -> ExitCode {
    alb_mtls_alb::start_logging();
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let authorizer = Arc::new(Authorizer::new(settings));
    authorizer.load().await;
    alb_mtls_alb::at_termination({
        let authorizer = Arc::clone(&authorizer);
        move || authorizer.write_metrics()
    });
    let handler = service_fn(move |event: LambdaEvent<Payload>| {
        let authorizer = Arc::clone(&authorizer);
        async move {
            let ingress = alb_mtls_alb::ingress_of(&event.context);
            authorizer.authorize(&event.payload, ingress).await
        }
    });
    match lambda_runtime::run_concurrent(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the Lambda runtime stopped: {error}");
            ExitCode::FAILURE
        }
    }
}
