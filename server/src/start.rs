//! Start of the process, and its exit code.

use std::io;
use std::process::ExitCode;

use alb_mtls_gate::start_logging;
use alb_mtls_settings::SettingsError;
use alb_mtls_verifier::{CryptoModule, NotInFipsMode};
use tracing::level_filters::LevelFilter;

use crate::lifecycle;
use crate::listener::ListenAddress;
use crate::settings::Settings;
use crate::workers::Workers;

/// Reason why the server does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The server would not compute with the FIPS module that it was built for.
    #[error(transparent)]
    NotInFipsMode(#[from] NotInFipsMode),
    #[error("cannot listen on {address} ({setting}): {source}")]
    Listen {
        address: ListenAddress,
        setting: &'static str,
        source: io::Error,
    },
    /// Setting of the upstreams that cannot be used.
    #[error("{0}")]
    Upstreams(String),
    /// Traces that cannot be sent.
    #[error("{0}")]
    Traces(String),
    #[error("the process cannot receive signals: {0}")]
    Signals(io::Error),
    #[error("the asynchronous runtime cannot start: {0}")]
    Runtime(io::Error),
}

impl StartError {
    /// Returns the exit code: 2 for settings, as of any program's usage, else 1.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::Upstreams(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Serves until the process is told to end. The error is one line on standard error.
pub(crate) fn start() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    }
}

fn run() -> Result<(), StartError> {
    start_logging(LevelFilter::INFO);
    CryptoModule::check()?;
    let settings = Settings::from_environment()?;
    let workers = Workers::start().map_err(StartError::Runtime)?;
    // Of what no request waits for: the second thread goes on while the first one reads a long
    // list.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime
        .map_err(StartError::Runtime)?
        .block_on(lifecycle::run(settings, workers))
}
