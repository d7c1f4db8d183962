use std::num::NonZeroU32;

use bytes::Bytes;

use crate::function_command::FunctionCommand;
use crate::invocation::{InvocationOutcome, StartError};
use crate::process::{Process, peak_memory};
use crate::runtime_api::Concurrency;

/// An execution environment as a Lambda Managed Instance runs it: one process that handles several
/// invocations at once.
///
/// Unlike an [`Environment`](crate::Environment) it does not start a process that has died again,
/// and it tells such a one from one that takes long by nothing: its invocations time out.
///
/// Source: Lambda developer guide, "Lambda Managed Instances", `AWS_LAMBDA_MAX_CONCURRENCY`.
#[derive(Debug)]
pub struct ManagedInstance {
    command: FunctionCommand,
    process: Process,
}

impl ManagedInstance {
    /// Starts the process, tells it how many invocations it may get at once, and waits until it
    /// first asks for an event.
    ///
    /// # Errors
    ///
    /// As [`Environment::start`](crate::Environment::start).
    pub async fn start(command: FunctionCommand, concurrency: NonZeroU32) -> Result<Self, StartError> {
        let command = command.variable("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string());
        let process = Process::start(&command, Concurrency::Many).await?;
        Ok(Self { command, process })
    }

    /// Hands one event to the function, beside those that are under way, and waits for its
    /// outcome.
    ///
    /// More of them than the process polls for wait for their turn, which counts as part of the
    /// invocation.
    pub async fn invoke(&self, event: impl Into<Bytes>) -> InvocationOutcome {
        self.process
            .invoke_beside_others(event.into(), &self.command)
            .await
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns the largest resident set so far, in bytes; none once the process is gone.
    pub fn peak_memory(&self) -> Option<u64> {
        peak_memory(self.process.pid())
    }

    /// Kills the process and waits until it is gone.
    pub async fn stop(self) {
        self.process.stop().await;
    }
}
