//! The run of a Lambda function: it asks for events and sends answers until Lambda ends the
//! process.
//!
//! `lambda_runtime`'s own loop is not used, for three reasons. For each invocation it writes an
//! environment variable, of which glibc frees none (163 bytes an invocation). A worker that fails
//! to exchange a message ends for good, until the last one ends the process. And a header that it
//! cannot read is a panic. Its public types are those of handlers here too.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_settings::SettingsError;
use bytes::Bytes;
use futures_util::FutureExt;
use http::StatusCode;
use lambda_runtime::{Config, Context, Diagnostic, LambdaEvent, SnapStartResource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower::{Service, ServiceExt, service_fn};

use crate::executor::concurrency;
use crate::invocation::Invocation;
use crate::runtime_api::{ErrorReport, RuntimeApi, RuntimeApiError};

/// Shortest and longest pause after an event could not be had. A Runtime API that restarts is asked
/// again at once; one that is gone costs neither a processor nor a log.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

/// Says in the environment that Lambda restores functions from a snapshot.
///
/// Source: AWS Lambda developer guide, "Lambda SnapStart", environment variables.
const INITIALIZATION_TYPE: &str = "AWS_LAMBDA_INITIALIZATION_TYPE";
const SNAPSTART: &str = "snap-start";

/// Setting of the gate that has no effect in a function.
const PEERS: &str = "MTLS_PEERS";

/// Error type of a handler that panicked.
const PANICKED: &str = "AlbMtls.HandlerPanicked";
/// Error type of an event that the handler's type cannot be read from.
const UNREADABLE: &str = "AlbMtls.EventUnreadable";
/// Error type of an answer that cannot be written as JSON.
const UNWRITABLE: &str = "AlbMtls.AnswerUnwritable";

/// Failure that ends a function.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Lambda says that the environment cannot recover.
    #[error("Lambda ended the environment: {0}")]
    Ended(RuntimeApiError),
    /// A hook of SnapStart failed, or Lambda did not restore the environment.
    #[error("the function cannot go on from a snapshot: {0}")]
    Snapshot(String),
}

/// A Lambda function that can be run.
pub struct Function {
    api: RuntimeApi,
    /// Context without an invocation.
    context: Context,
    workers: u32,
    is_snapstart: bool,
    resources: Vec<Arc<dyn SnapStartResource>>,
}

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Function")
            .field("name", &self.context.env_config.function_name)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

impl Function {
    /// Returns the function that this process is, by what Lambda tells it in the environment.
    ///
    /// # Errors
    /// One line for the operator, when Lambda did not start this process, or a setting is about
    /// peers of the network.
    pub fn from_environment() -> Result<Self, String> {
        if std::env::var_os(PEERS).is_some() {
            let without = "without TCP peers, which a Lambda event does not name";
            return Err(SettingsError::Useless { name: PEERS, without }.to_string());
        }
        let variable = |name| std::env::var(name).unwrap_or_default();
        let config = Config {
            function_name: variable("AWS_LAMBDA_FUNCTION_NAME"),
            memory: variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
                .parse()
                .unwrap_or_default(),
            version: variable("AWS_LAMBDA_FUNCTION_VERSION"),
            log_stream: variable("AWS_LAMBDA_LOG_STREAM_NAME"),
            log_group: variable("AWS_LAMBDA_LOG_GROUP_NAME"),
        };
        let mut context = Context::default();
        context.env_config = Arc::new(config);
        Ok(Self {
            api: RuntimeApi::from_environment()?,
            context,
            workers: concurrency(),
            is_snapstart: variable(INITIALIZATION_TYPE) == SNAPSTART,
            resources: Vec::new(),
        })
    }

    /// Adds hooks around the snapshot of SnapStart. Those before it run last first, those after it
    /// first first.
    #[must_use]
    pub fn with_snapstart(mut self, resource: Arc<dyn SnapStartResource>) -> Self {
        self.resources.push(resource);
        self
    }

    /// Runs a handler that was written for `lambda_runtime`, as [`Self::run_raw`] does.
    ///
    /// An event that is not an `A` gets an error for an answer.
    ///
    /// # Errors
    /// Those of [`Self::run_raw`].
    pub async fn run<A, S, R>(self, handler: S) -> Result<Infallible, RunError>
    where
        A: DeserializeOwned + Send + 'static,
        S: Service<LambdaEvent<A>, Response = R> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Diagnostic>,
        R: Serialize + Send + 'static,
    {
        let raw = service_fn(move |event: LambdaEvent<Bytes>| {
            let handler = handler.clone();
            async move {
                let payload = serde_json::from_slice(&event.payload).map_err(|error| Diagnostic {
                    error_type: UNREADABLE.to_owned(),
                    error_message: error.to_string(),
                })?;
                let event = LambdaEvent::new(payload, event.context);
                handler.oneshot(event).await.map_err(Into::into)
            }
        });
        self.run_raw(raw).await
    }

    /// Runs a handler for every event until Lambda ends the process: for one event at a time, or in
    /// a Lambda Managed Instance for as many at once as `AWS_LAMBDA_MAX_CONCURRENCY` says.
    ///
    /// - Errors and panics of the handler are the answer to their event.
    /// - An event that could not be had is asked for again after a pause of 50 ms to 5 s.
    /// - An answer whose connection failed is sent a second time. One that Lambda does not take is
    ///   an `ERROR` line.
    ///
    /// # Errors
    /// When Lambda answers 500 to a function that handles one event at a time, which it calls a
    /// state without recovery, or when a hook of SnapStart fails.
    pub async fn run_raw<S, R>(self, handler: S) -> Result<Infallible, RunError>
    where
        S: Service<LambdaEvent<Bytes>, Response = R> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Diagnostic>,
        R: Serialize + Send + 'static,
    {
        if self.is_snapstart {
            restore(&self.api, &self.resources).await?;
        }
        let api = if self.workers > 1 {
            self.api.with_limit()
        } else {
            self.api
        };
        let worker = Worker {
            api,
            context: self.context,
            handler,
        };
        if self.workers <= 1 {
            return Err(worker.run_until(is_final).await);
        }
        let mut workers = JoinSet::new();
        for _ in 0..self.workers {
            workers.spawn(worker.clone().run_until(|_| false));
        }
        loop {
            // A worker only ends by a bug of ours: another takes its place.
            if let Some(Err(error)) = workers.join_next().await {
                tracing::error!(explanation = %error, "a worker of this function ended and is started again");
            }
            workers.spawn(worker.clone().run_until(|_| false));
        }
    }
}

/// Returns whether Lambda says that the environment cannot recover.
///
/// Source: AWS Lambda developer guide, "Using the Lambda runtime API", next invocation, status 500.
fn is_final(error: &RuntimeApiError) -> bool {
    matches!(error, RuntimeApiError::Refused { status, .. } if *status == StatusCode::INTERNAL_SERVER_ERROR)
}

#[derive(Clone)]
struct Worker<S> {
    api: RuntimeApi,
    context: Context,
    handler: S,
}

impl<S, R> Worker<S>
where
    S: Service<LambdaEvent<Bytes>, Response = R> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Diagnostic>,
    R: Serialize + Send + 'static,
{
    async fn run_until(mut self, is_final: impl Fn(&RuntimeApiError) -> bool + Send) -> RunError {
        let mut failures = 0;
        loop {
            match self.api.next().await {
                Ok(invocation) => {
                    failures = 0;
                    self.answer(invocation).await;
                }
                // What an emulator without an event says.
                Err(RuntimeApiError::Refused { status, .. }) if status == StatusCode::NO_CONTENT => {
                    sleep(backoff(0)).await;
                }
                Err(error) if is_final(&error) => return RunError::Ended(error),
                Err(error) => {
                    let pause = backoff(failures);
                    failures += 1;
                    tracing::warn!(
                        explanation = %error,
                        failures,
                        pause_ms = pause.as_millis(),
                        "no event could be had, and is asked for again"
                    );
                    sleep(pause).await;
                }
            }
        }
    }

    async fn answer(&mut self, invocation: Invocation) {
        let answer = match invocation.context(&self.context) {
            Ok(context) => self.call(LambdaEvent::new(invocation.event, context)).await,
            Err(report) => Err(report),
        };
        let sent = match answer {
            Ok(answer) => self.api.respond(&invocation.id, answer).await,
            Err(report) => {
                tracing::error!(
                    function_request_id = invocation.id.request_id(),
                    error_type = report.error_type,
                    explanation = report.message,
                    "an invocation failed"
                );
                self.api.report_error(&invocation.id, &report).await
            }
        };
        if let Err(error) = sent {
            tracing::error!(
                function_request_id = invocation.id.request_id(),
                explanation = %error,
                "Lambda did not take an answer"
            );
        }
    }

    async fn call(&mut self, event: LambdaEvent<Bytes>) -> Result<Vec<u8>, ErrorReport> {
        let handler = self.handler.clone();
        // The handler is a clone, which is dropped after a panic.
        let called = AssertUnwindSafe(async move { handler.oneshot(event).await }).catch_unwind();
        match called.await {
            Ok(Ok(answer)) => serde_json::to_vec(&answer).map_err(|error| ErrorReport {
                error_type: UNWRITABLE.to_owned(),
                message: error.to_string(),
            }),
            Ok(Err(error)) => {
                let diagnostic = error.into();
                Err(ErrorReport {
                    error_type: diagnostic.error_type,
                    message: diagnostic.error_message,
                })
            }
            Err(panic) => Err(ErrorReport {
                error_type: PANICKED.to_owned(),
                message: format!("the handler panicked: {}", message(&*panic)),
            }),
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Returns the pause after so many failures in a row, with jitter.
fn backoff(failures: u32) -> Duration {
    let [shortest, longest] = BACKOFF;
    let pause = shortest.saturating_mul(1 << failures.min(16)).min(longest);
    pause.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}

/// Takes a function with SnapStart from its start to its first event.
async fn restore(api: &RuntimeApi, resources: &[Arc<dyn SnapStartResource>]) -> Result<(), RunError> {
    let report = |message: &str| ErrorReport {
        error_type: "AlbMtls.Snapshot".to_owned(),
        message: message.to_owned(),
    };
    let unsent = |error: RuntimeApiError| tracing::error!(explanation = %error, "Lambda could not be told");
    let init = async {
        for resource in resources.iter().rev() {
            resource
                .before_snapshot()
                .await
                .map_err(|error| error.to_string())?;
        }
        api.restore_next().await.map_err(|error| error.to_string())
    };
    if let Err(error) = init.await {
        api.report_init_error(&report(&error))
            .await
            .unwrap_or_else(unsent);
        return Err(RunError::Snapshot(error));
    }
    for resource in resources {
        if let Err(error) = resource.after_restore().await {
            let error = error.to_string();
            api.report_restore_error(&report(&error))
                .await
                .unwrap_or_else(unsent);
            return Err(RunError::Snapshot(error));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        for failures in 0..40 {
            let pause = backoff(failures);
            assert!(
                pause >= BACKOFF[0] / 2 && pause <= BACKOFF[1],
                "{failures}: {pause:?}"
            );
        }
        assert!(backoff(20) >= BACKOFF[1] / 2);
    }
}
