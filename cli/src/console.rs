//! Standard output, standard error, colours and exit codes of all sub-commands.

use std::fmt::Display;
use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};

/// Exit codes; clap also exits with 2 when it rejects the usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, accepted or without findings.
    Done = 0,
    /// Rejected, or with findings.
    Rejected = 1,
    /// Unreadable or unusable input.
    Unusable = 2,
    /// Incomplete: something was not checked.
    Incomplete = 3,
}

impl Exit {
    /// Returns `Done` or `Rejected`.
    pub fn accepted(is_accepted: bool) -> Self {
        match is_accepted {
            true => Self::Done,
            false => Self::Rejected,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Prints the text, or one line about the error.
pub fn finish(result: Result<String, impl Display>) -> ExitCode {
    finish_with(result.map(|text| (text, Exit::Done)))
}

/// Prints the text and exits with the code beside it, or prints one line about the error.
pub fn finish_with(result: Result<(String, Exit), impl Display>) -> ExitCode {
    let (text, exit) = match result {
        Ok(output) => output,
        Err(error) => return unusable(&error),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // A reader may close the pipe early, as in `alb-mtls event … | head`.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            unusable(&format!("cannot write the output: {error}"))
        }
        _ => exit.into(),
    }
}

fn unusable(error: &impl Display) -> ExitCode {
    note(format!("error: {error}"));
    Exit::Unusable.into()
}

/// Writes one line to standard error.
pub(crate) fn note(line: impl Display) {
    // If standard error is closed, the exit code must do.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Runs a command that waits for the network, on one thread.
pub(crate) fn block_on(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => unusable(&format!("cannot start a runtime: {error}")),
    }
}

/// Choice of coloured or plain output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    Always,
    Never,
}

impl Colours {
    /// Returns `Always` for a terminal, unless `NO_COLOR` is set and not empty
    /// (<https://no-color.org>).
    pub(crate) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match io::stdout().is_terminal() && !unwanted {
            true => Self::Always,
            false => Self::Never,
        }
    }

    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        match self {
            Self::Always => format!("{style}{text}{style:#}"),
            Self::Never => text.to_owned(),
        }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    pub(crate) fn notable(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }
}
