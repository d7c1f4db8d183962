//! local-alb
mod certificate_headers;
mod environment;
mod event;
mod function_command;
mod identifiers;
mod process;
mod runtime_api;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use certificate_headers::{UnreadableCertificateError, passthrough_header, verify_headers};
pub use environment::{Environment, EnvironmentFacts, InvocationOutcome, StartError};
pub use event::{AlbRequest, EventError, HeaderMode, MAXIMUM_BODY, health_check_event};
pub use function_command::{FunctionCommand, FunctionOutput, OutputLine, OutputStream};

/// What these locks guard is whole after every statement, so a panic elsewhere leaves nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
