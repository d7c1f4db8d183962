//! From Lambda's start of the runtime to the runtime itself, with the gate beside it.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio, id};

use alb_mtls_lambda::{ErrorReport, RUNTIME_API, RuntimeApi};

use crate::extensions;
use crate::settings::{LoopbackAddress, Settings};

/// The first argument of the process that is the gate; the second is the id of the runtime's
/// process.
pub(crate) const GATE: &str = "--gate-of-process";

/// Variable by which Lambda starts a wrapper.
const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

const NEXT_WRAPPER: &str = "LAYER_NEXT_WRAPPER";

/// Variable that tells a second gate of the first one, with its address.
pub(crate) const STARTED: &str = "ALB_MTLS_GATE";

/// Variables that make the gate's allocator (glibc's) keep memory for the next event, in bytes. A
/// load balancer's largest body is a megabyte, of which a few copies are in memory. Without them
/// the memory would be returned to the kernel and requested again with each large event, which
/// takes longer than everything else. Values that an operator set stay.
///
/// Source: mallopt(3).
const MEMORY: [(&str, &str); 2] = [
    ("MALLOC_MMAP_THRESHOLD_", "8388608"),
    ("MALLOC_TRIM_THRESHOLD_", "8388608"),
];

/// Exit code of a wrong setting.
const WRONG_SETTING: u8 = 2;

/// Exit code of a program that cannot be run, as shells have it.
const NOT_RUN: u8 = 127;

/// Starts the gate and becomes the runtime. Returns only when that fails: after it has told Lambda.
pub(crate) fn launch(program: &OsStr, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let runtime_api = match RuntimeApi::from_environment() {
        Ok(runtime_api) => runtime_api,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(WRONG_SETTING);
        }
    };
    let wrong = |error: &dyn Display| fail(&runtime_api, "AlbMtls.WrongSetting", error, WRONG_SETTING);
    let settings = match Settings::from_environment() {
        Ok(settings) => settings.layer,
        Err(error) => return wrong(&error),
    };
    // A wrapper can start the program that started it. The second gate would deny everything, as
    // the first removes the certificate.
    if let Some(address) = std::env::var_os(STARTED) {
        return wrong(&format!(
            "the gate was started already, at {}: start it once, by {WRAPPER} or in the command line, and not by {NEXT_WRAPPER}",
            address.display()
        ));
    }
    let next_wrapper = settings.next_wrapper.as_ref().map(AsRef::as_ref);
    if let Err(error) = next_wrapper.map_or(Ok(()), check_wrapper) {
        return wrong(&error);
    }
    if let Err(error) = extensions::check(&settings) {
        return wrong(&error);
    }
    let address = match start_gate(settings.listen) {
        Ok(address) => address,
        Err(error) => return fail(&runtime_api, "AlbMtls.GateNotStarted", &error, NOT_RUN),
    };
    let error = command(program, arguments, next_wrapper)
        .env(RUNTIME_API, address.to_string())
        .env(STARTED, address.to_string())
        .exec();
    let program = next_wrapper.map_or(program, Path::as_os_str);
    let error = format!("the runtime `{}` cannot be run: {error}", program.display());
    fail(&runtime_api, "Runtime.InvalidEntrypoint", &error, NOT_RUN)
}

/// Returns the runtime's command line, or the wrapper with it as arguments and as the one that
/// Lambda started.
fn command(
    program: &OsStr,
    arguments: impl Iterator<Item = OsString>,
    next_wrapper: Option<&Path>,
) -> Command {
    let mut command = match next_wrapper {
        Some(wrapper) => {
            let mut command = Command::new(wrapper);
            command
                .arg(program)
                .env(WRAPPER, wrapper)
                .env_remove(NEXT_WRAPPER);
            command
        }
        None => Command::new(program),
    };
    command.args(arguments);
    command
}

/// Checks that the next wrapper can be started, and is another program than this.
fn check_wrapper(wrapper: &Path) -> Result<(), String> {
    let wrong = |what: &str| {
        format!(
            "{NEXT_WRAPPER} holds `{}`, {what}",
            wrapper.display().to_string().escape_debug()
        )
    };
    let file = wrapper
        .metadata()
        .map_err(|error| wrong(&format!("which cannot be found: {error}")))?;
    let is = |path: &Path| {
        path.metadata()
            .is_ok_and(|other| (other.dev(), other.ino()) == (file.dev(), file.ino()))
    };
    let own = [
        std::env::current_exe().ok(),
        std::env::var_os(WRAPPER).map(Into::into),
    ];
    if own.iter().flatten().any(|path| is(path)) {
        return Err(wrong(
            "which is the gate itself: it takes the wrapper that is to come behind the gate",
        ));
    }
    if !file.is_file() || file.permissions().mode() & 0o111 == 0 {
        return Err(wrong(
            "which is not a program that can be run: set its executable permission",
        ));
    }
    Ok(())
}

/// Starts this program as the gate of this process, listening where it says. The socket listens
/// already, so that the runtime need not wait.
fn start_gate(listen: Option<LoopbackAddress>) -> Result<SocketAddr, String> {
    let listener = match listen {
        None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(not_started)?,
        Some(address) => TcpListener::bind(address.0).map_err(|error| {
            format!("the gate cannot listen at LAYER_LISTEN, {address}: {error}; where an extension listens there, take another port for both settings")
        })?,
    };
    let address = listener.local_addr().map_err(not_started)?;
    let keeps_memory = MEMORY
        .into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none());
    let program = std::env::current_exe().map_err(not_started)?;
    Command::new(program)
        .arg(GATE)
        .arg(id().to_string())
        .envs(keeps_memory)
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .spawn()
        .map_err(not_started)?;
    Ok(address)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn not_started(error: io::Error) -> String {
    format!("the gate cannot be started: {error}")
}

/// Reports to Lambda and the log why the runtime is not started.
fn fail(
    runtime_api: &RuntimeApi,
    error_type: &'static str,
    error: &(impl Display + ?Sized),
    code: u8,
) -> ExitCode {
    let report = ErrorReport {
        error_type: error_type.to_owned(),
        message: error.to_string(),
    };
    eprintln!("{}", report.message);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let told = match runtime {
        Ok(runtime) => runtime
            .block_on(runtime_api.report_init_error(&report))
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = told {
        eprintln!("Lambda could not be told: {error}");
    }
    ExitCode::from(code)
}
