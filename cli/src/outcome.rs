//! What every sub-command ends with.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// The input cannot be used; clap ends with the same code when it refuses the usage.
const UNUSABLE: u8 = 2;

/// Prints the result, or one line about why there is none.
pub(crate) fn finish(outcome: Result<String, impl Display>) -> ExitCode {
    match outcome {
        Ok(text) => match io::stdout().lock().write_all(text.as_bytes()) {
            // The reader has seen enough, as in `alb-mtls event … | head`.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                unusable(&format!("cannot write the output: {error}"))
            }
            _ => ExitCode::SUCCESS,
        },
        Err(error) => unusable(&error),
    }
}

fn unusable(error: &impl Display) -> ExitCode {
    // With no stderr there is nobody to tell; the exit code says it.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(UNUSABLE)
}
