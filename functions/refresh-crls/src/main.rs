//! A Lambda function for a schedule: it fetches the CRLs that the operator named, verifies them,
//! and publishes those that are newer for the gate to read. What it publishes stays when a fetch
//! fails.

mod authorities;
mod bucket;
mod error;
mod event;
mod fetch;
mod record;
mod refresh;
mod settings;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alb_mtls_lambda::{Function, StartError};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

use crate::refresh::Refresher;
use crate::settings::Settings;

const ABOUT: &str = "A Lambda function for a schedule that fetches, verifies and publishes CRLs.";

fn main() -> ExitCode {
    alb_mtls_lambda::start(ABOUT, &[&settings::SETTINGS], serve())
}

async fn serve() -> Result<Infallible, StartError> {
    let settings = Settings::from_environment().map_err(StartError::settings)?;
    let function = Function::from_environment().map_err(StartError::Settings)?;
    let refresher = Arc::new(Refresher::new(settings));
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let refresher = Arc::clone(&refresher);
        async move {
            let available = time_available(event.context.deadline());
            let outcome = refresher.run(&event.payload, available).await;
            outcome.map_err(|error| Diagnostic {
                error_type: error.kind().to_owned(),
                error_message: error.to_string(),
            })
        }
    });
    Ok(function.run(handler).await?)
}

/// Time that is kept back for the last records and the answer.
const RESERVE: Duration = Duration::from_secs(1);

fn time_available(deadline: SystemTime) -> Duration {
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    left.saturating_sub(RESERVE)
}
