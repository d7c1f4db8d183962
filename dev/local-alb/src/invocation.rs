use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use crate::runtime_api::Answer;

/// Outcome of an invocation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvocationOutcome {
    /// The process ended without an answer, or could not be started again.
    Crashed {
        /// Exit status or error.
        reason: String,
    },
    /// The function reported an error.
    FunctionError {
        /// Such as `Runtime.UnknownReason` or `&alloc::string::String`; empty when the function
        /// names none.
        error_type: String,
        /// The function's own words.
        message: String,
    },
    /// The function answered, with these bytes.
    Response(Bytes),
    /// There was no answer in time; the process was killed.
    TimedOut,
}

impl From<Answer> for InvocationOutcome {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Error { error_type, message } => Self::FunctionError { error_type, message },
            Answer::Response(body) => Self::Response(body),
        }
    }
}

/// Reason why a function did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The process ended before it asked for an event.
    #[error("function `{function}` ended before it asked for its first event: {status}")]
    Exited {
        /// The function's name.
        function: String,
        /// Exit status of the process.
        status: String,
    },
    /// The function reported that it cannot start.
    #[error("function `{function}` reported an initialization error: {message}")]
    Initialization {
        /// The function's name.
        function: String,
        /// The function's own words.
        message: String,
    },
    /// The program cannot be run.
    #[error("cannot run `{program}`: {source}")]
    Program {
        /// The program as given.
        program: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The Runtime API could not listen on the loopback address.
    #[error("the Runtime API cannot listen on 127.0.0.1: {0}")]
    RuntimeApi(#[source] io::Error),
    /// The function did not ask for an event in time.
    #[error("function `{function}` did not ask for its first event within {} s", limit.as_secs_f64())]
    TimedOut {
        /// The function's name.
        function: String,
        /// The initialization timeout.
        limit: Duration,
    },
}
