//! From Lambda's start of the runtime to the runtime itself, with the gate beside it.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio, id};

use crate::runtime_api::{ErrorReport, RuntimeApi};
use crate::settings::Settings;

/// The first argument of the process that is the gate; the second is the id of the runtime's process.
pub(crate) const GATE: &str = "--gate-of-process";

const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// What has the gate's allocator (glibc's) keep memory for the next event, in bytes: a megabyte is a load balancer's largest body,
/// and is held in a few copies. Otherwise it would be given back to the kernel and asked for anew with each large event,
/// which takes longer than everything else. What an operator set stays.
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
    if let Err(error) = Settings::from_environment() {
        return fail(&runtime_api, "AlbMtls.WrongSetting", &error, WRONG_SETTING);
    }
    let address = match start_gate() {
        Ok(address) => address,
        Err(error) => {
            let error = format!("the gate cannot be started: {error}");
            return fail(&runtime_api, "AlbMtls.GateNotStarted", &error, NOT_RUN);
        }
    };
    let error = Command::new(program)
        .args(arguments)
        .env(RUNTIME_API, address.to_string())
        .exec();
    let error = format!("the runtime `{}` cannot be run: {error}", program.display());
    fail(&runtime_api, "Runtime.InvalidEntrypoint", &error, NOT_RUN)
}

/// Starts this program as the gate of this process, listening where it says. The socket listens already, so that the
/// runtime need not wait.
fn start_gate() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let keeps_memory = MEMORY
        .into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none());
    Command::new(std::env::current_exe()?)
        .arg(GATE)
        .arg(id().to_string())
        .envs(keeps_memory)
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .spawn()?;
    Ok(address)
}

/// Tells Lambda and the log why there will be no runtime.
fn fail(runtime_api: &RuntimeApi, error_type: &'static str, error: &impl Display, code: u8) -> ExitCode {
    let report = ErrorReport {
        error_type,
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
