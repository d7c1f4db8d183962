use std::io::{self, Write};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::function_command::{FunctionCommand, FunctionOutput, OutputLine, OutputStream};
use crate::identifiers;
use crate::invocation::{InvocationOutcome, StartError};
use crate::runtime_api::{Concurrency, Invocation, RuntimeApi, Startup};

/// Time to wait for remaining data of a dead process in its connections and pipes. A descendant of
/// it can keep them open indefinitely.
const DRAIN: Duration = Duration::from_secs(1);

/// Process of a function and the Runtime API that serves it; both end together.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    start_to_first_poll: Duration,
    runtime_api: RuntimeApi,
    output: Vec<JoinHandle<()>>,
    busy: bool,
}

impl Process {
    pub(crate) async fn start(
        command: &FunctionCommand,
        concurrency: Concurrency,
    ) -> Result<Self, StartError> {
        let runtime_api = RuntimeApi::start(concurrency).await;
        let (runtime_api, mut startup) = runtime_api.map_err(StartError::RuntimeApi)?;
        let mut prepared = prepare(command, &runtime_api.address().to_string());
        let spawned_at = Instant::now();
        let mut child = prepared.spawn().map_err(|source| StartError::Program {
            program: command.program.clone(),
            source,
        })?;
        let output = forward_output(&mut child, command);
        let pid = child.id().unwrap_or_default();
        let mut process = Self {
            child,
            pid,
            start_to_first_poll: Duration::ZERO,
            runtime_api,
            output,
            busy: false,
        };
        let started = tokio::select! {
            biased;
            started = &mut startup => started.ok(),
            status = process.child.wait() => {
                process.drain().await;
                match startup.try_recv() {
                    Ok(Startup::InitializationError(message)) => Some(Startup::InitializationError(message)),
                    _ => return Err(StartError::Exited { function: command.name.clone(), status: describe(status) }),
                }
            }
            () = sleep(command.initialization_timeout) => None,
        };
        match started {
            Some(Startup::FirstPoll(at)) => {
                process.start_to_first_poll = at.saturating_duration_since(spawned_at);
                Ok(process)
            }
            Some(Startup::InitializationError(message)) => {
                process.stop().await;
                Err(StartError::Initialization {
                    function: command.name.clone(),
                    message,
                })
            }
            None => {
                process.stop().await;
                Err(StartError::TimedOut {
                    function: command.name.clone(),
                    limit: command.initialization_timeout,
                })
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn start_to_first_poll(&self) -> Duration {
        self.start_to_first_poll
    }

    /// Returns true if the process runs and has answered every event.
    pub(crate) fn is_fit(&mut self) -> bool {
        !self.busy && matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn kill_unless_fit(&mut self) {
        if self.busy {
            // It fails only when the process is gone already.
            let _ = self.child.start_kill();
        }
    }

    pub(crate) async fn invoke(&mut self, event: Bytes, command: &FunctionCommand) -> InvocationOutcome {
        let (invocation, mut answer) = Invocation::new(event, &command.name, command.timeout);
        self.busy = true;
        self.runtime_api.hand_out(invocation);
        tokio::select! {
            biased;
            answered = &mut answer => match answered {
                Ok(answer) => {
                    self.busy = false;
                    answer.into()
                }
                Err(_) => InvocationOutcome::Crashed { reason: "the Runtime API ended".to_owned() },
            },
            status = self.child.wait() => {
                self.drain().await;
                match answer.try_recv() {
                    Ok(answer) => answer.into(),
                    Err(_) => InvocationOutcome::Crashed { reason: describe(status) },
                }
            }
            () = sleep(command.timeout) => {
                self.kill().await;
                InvocationOutcome::TimedOut
            }
        }
    }

    /// Hands out one of several events that are under way at once.
    pub(crate) async fn invoke_beside_others(
        &self,
        event: Bytes,
        command: &FunctionCommand,
    ) -> InvocationOutcome {
        let (invocation, answer) = Invocation::new(event, &command.name, command.timeout);
        self.runtime_api.hand_out(invocation);
        match timeout(command.timeout, answer).await {
            Ok(Ok(answer)) => answer.into(),
            Ok(Err(_)) => InvocationOutcome::Crashed {
                reason: "the Runtime API ended".to_owned(),
            },
            Err(_) => InvocationOutcome::TimedOut,
        }
    }

    pub(crate) async fn stop(mut self) {
        self.kill().await;
    }

    async fn kill(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
        self.drain().await;
    }

    /// Reads what a process that has ended left behind: its last request and its last lines.
    async fn drain(&mut self) {
        self.runtime_api.drain(DRAIN).await;
        for reader in self.output.drain(..) {
            let _ = timeout(DRAIN, reader).await;
        }
    }
}

fn prepare(command: &FunctionCommand, runtime_api: &str) -> Command {
    let name = &command.name;
    let task_root = command
        .program
        .parent()
        .map(|folder| folder.as_os_str().to_owned());
    let mut prepared = Command::new(&command.program);
    prepared
        .args(&command.arguments)
        .env_clear()
        .env("_HANDLER", "bootstrap")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", command.memory_size.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
        .env(
            "AWS_LAMBDA_LOG_STREAM_NAME",
            format!("local/[$LATEST]{}", identifiers::hexadecimal(32)),
        )
        .env("AWS_REGION", "us-east-1")
        .env("LAMBDA_TASK_ROOT", task_root.unwrap_or_default())
        .env("TZ", ":UTC");
    if let Some(path) = std::env::var_os("PATH") {
        prepared.env("PATH", path);
    }
    for (variable, value) in &command.variables {
        prepared.env(variable, value);
    }
    prepared
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C on the terminal is for this process, which then ends the function itself.
        .process_group(0)
        .kill_on_drop(true);
    prepared
}

fn forward_output(child: &mut Child, command: &FunctionCommand) -> Vec<JoinHandle<()>> {
    let mut readers = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        readers.push(forward_stream(stdout, OutputStream::StandardOutput, command));
    }
    if let Some(stderr) = child.stderr.take() {
        readers.push(forward_stream(stderr, OutputStream::StandardError, command));
    }
    readers
}

fn forward_stream(
    stream: impl AsyncRead + Send + Unpin + 'static,
    kind: OutputStream,
    command: &FunctionCommand,
) -> JoinHandle<()> {
    let function = command.name.clone();
    let output = command.output.clone();
    tokio::spawn(async move {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = stream.read_until(b'\n', &mut line).await {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']);
            write_line(&output, &function, kind, text);
            line.clear();
        }
    })
}

/// A terminal or receiver that is gone does not stop the function.
fn write_line(output: &FunctionOutput, function: &str, stream: OutputStream, text: &str) {
    match (output, stream) {
        (FunctionOutput::Discard, _) => {}
        (FunctionOutput::Lines(lines), _) => {
            let _ = lines.send(OutputLine {
                function: function.to_owned(),
                stream,
                text: text.to_owned(),
            });
        }
        (FunctionOutput::Terminal, OutputStream::StandardError) => {
            let _ = writeln!(io::stderr(), "{function} | {text}");
        }
        (FunctionOutput::Terminal, OutputStream::StandardOutput) => {
            let _ = writeln!(io::stdout(), "{function} | {text}");
        }
    }
}

fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => format!("its exit status is unknown: {error}"),
    }
}

/// `VmHWM` of `/proc/PID/status`, which is in units of 1,024 bytes.
pub(crate) fn peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}
