use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

/// Command that starts a function, with the settings that Lambda gives it.
///
/// The process inherits nothing but `PATH`: like in Lambda, all that it knows comes from its own
/// settings ([`variable`](Self::variable)) and from the `AWS_LAMBDA_*` variables that the
/// environment sets.
#[derive(Clone, Debug)]
pub struct FunctionCommand {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) name: String,
    pub(crate) variables: Vec<(String, OsString)>,
    pub(crate) memory_size: u32,
    pub(crate) initialization_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) output: FunctionOutput,
}

impl FunctionCommand {
    /// A function named after its program, with Lambda's smallest memory size (128 MB), ten seconds
    /// to start and thirty to answer, and its output on the terminal.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let name = program.file_stem().map_or_else(
            || "function".to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        );
        Self {
            program,
            arguments: Vec::new(),
            name,
            variables: Vec::new(),
            memory_size: 128,
            initialization_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            output: FunctionOutput::Terminal,
        }
    }

    /// Adds one command line argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Returns the function's name, which is also in its ARN and its log group.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets an environment variable of the function. The last of several with one name counts, and
    /// it wins over what the environment would set by itself, except for `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Sets the memory size in megabytes that the function is told. It is not enforced.
    #[must_use]
    pub fn memory_size(mut self, megabytes: u32) -> Self {
        self.memory_size = megabytes;
        self
    }

    /// Sets the time until the process must ask for an event (ten seconds, as in Lambda).
    #[must_use]
    pub fn initialization_timeout(mut self, timeout: Duration) -> Self {
        self.initialization_timeout = timeout;
        self
    }

    /// Sets the timeout of an invocation (thirty seconds). A process that takes longer is killed,
    /// as in Lambda.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the destination of standard output and standard error.
    #[must_use]
    pub fn output(mut self, output: FunctionOutput) -> Self {
        self.output = output;
        self
    }
}

/// Destination of a function's output.
#[derive(Clone, Debug)]
pub enum FunctionOutput {
    /// Nowhere.
    Discard,
    /// Line by line to a receiver; lines after it is gone are dropped.
    Lines(UnboundedSender<OutputLine>),
    /// To this process's own standard output and standard error, each line after `NAME | `.
    Terminal,
}

/// Line that a function wrote.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OutputLine {
    /// The function's name.
    pub function: String,
    /// Output stream of the line.
    pub stream: OutputStream,
    /// The line without its end; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Output stream of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutputStream {
    /// Standard error.
    StandardError,
    /// Standard output.
    StandardOutput,
}
