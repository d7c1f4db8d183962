//! The `main` of every function.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;

use alb_mtls_settings::{Table, help_if_asked};
use alb_mtls_verifier::{CryptoModule, NotInFipsMode};

use crate::function::RunError;

/// Reason why a function does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is wrong, or Lambda did not start this process: one line for the operator.
    #[error("{0}")]
    Settings(String),
    /// The function would not compute with the FIPS module that it was built for.
    #[error(transparent)]
    NotInFipsMode(#[from] NotInFipsMode),
    /// The function served, and cannot any longer.
    #[error("the function stopped: {0}")]
    Run(#[from] RunError),
}

impl StartError {
    /// Makes the error of a wrong setting.
    pub fn settings(error: impl Display) -> Self {
        Self::Settings(error.to_string())
    }

    /// Returns the exit code: 2 for settings, as of any program's usage, else 1.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) => ExitCode::from(2),
            Self::NotInFipsMode(_) | Self::Run(_) => ExitCode::FAILURE,
        }
    }
}

/// Runs a function: prints its help for `--help`; else starts logging and serves until Lambda ends
/// the process.
///
/// An error is one line on standard error.
pub fn start(
    about: &str,
    tables: &[&Table],
    serve: impl Future<Output = Result<Infallible, StartError>>,
) -> ExitCode {
    if let Some(help) = help_if_asked(about, tables) {
        print!("{help}");
        return ExitCode::SUCCESS;
    }
    crate::start_logging();
    if let Err(error) = CryptoModule::check() {
        let error = StartError::from(error);
        eprintln!("{error}");
        return error.exit_code();
    }
    match crate::executor::block_on(serve) {
        Ok(Err(error)) => {
            eprintln!("{error}");
            error.exit_code()
        }
        Err(error) => {
            eprintln!("the asynchronous runtime cannot start: {error}");
            ExitCode::FAILURE
        }
        Ok(Ok(never)) => match never {},
    }
}
