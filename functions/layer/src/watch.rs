//! Check that the runtime asks the gate for its events, and not another proxy.
//!
//! A wrapper that the gate or the runtime's own script starts can set `AWS_LAMBDA_RUNTIME_API` to
//! another proxy, as Datadog's does when its application security is on. That proxy asks Lambda,
//! and the function gets events that no gate has seen.

use std::convert::Infallible;
use std::time::Duration;

use alb_mtls_lambda::{ErrorReport, RUNTIME_API};
use rustix::process::{Pid, Signal, getpid, kill_process};
use tokio::time::{Instant, sleep};

use crate::launch::STARTED;
use crate::proxy::Proxy;

/// Interval at which the runtime's variables are looked at while it starts: sooner than an
/// interpreter is ready.
const WHILE_IT_STARTS: Duration = Duration::from_millis(5);

/// Interval at which they are looked at after that.
const LATER: Duration = Duration::from_secs(1);

/// Time in which a runtime should ask for its first event: Lambda's own limit of the init phase.
const START: Duration = Duration::from_secs(10);

/// Looks at the runtime until it has asked the gate, and ends it when it is about to ask another.
pub(crate) async fn watch(runtime: Pid, address: &str, proxy: &Proxy) -> Infallible {
    let began = Instant::now();
    let mut is_late = false;
    while !proxy.was_asked() {
        if let Some((process, found)) = led_elsewhere(runtime, address) {
            end([runtime, process], &found, proxy);
            break;
        }
        if !is_late && began.elapsed() >= START {
            is_late = true;
            tracing::warn!(
                "the gate has not been asked for an event for 10 seconds: if requests are answered meanwhile, an extension or another process fetches them past the gate"
            );
        }
        sleep(if is_late { LATER } else { WHILE_IT_STARTS }).await;
    }
    std::future::pending().await
}

/// Returns the first of the runtime's processes that will look elsewhere for the Runtime API, and
/// where.
fn led_elsewhere(runtime: Pid, address: &str) -> Option<(Pid, String)> {
    // A wrapper can start the runtime as its child.
    let mut processes = vec![runtime];
    while let Some(process) = processes.pop() {
        if let Some(found) = runtime_api_of(process).filter(|found| found != address.as_bytes()) {
            return Some((process, String::from_utf8_lossy(&found).into_owned()));
        }
        processes.extend(children(process));
    }
    None
}

/// Returns the children of a process; none where the kernel does not tell.
///
/// Source: proc_pid_task(5).
fn children(process: Pid) -> Vec<Pid> {
    let id = process.as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let ids = children.split_whitespace().filter_map(|id| id.parse().ok());
    ids.filter_map(Pid::from_raw)
        .filter(|child| *child != getpid())
        .collect()
}

/// Returns the address at which a process will look for the Runtime API, according to the variables
/// of the program that it last became. None before it has become what the gate starts, and when it
/// has ended.
///
/// Source: proc_pid_environ(5).
fn runtime_api_of(process: Pid) -> Option<Vec<u8>> {
    let variables = std::fs::read(format!("/proc/{}/environ", process.as_raw_nonzero())).ok()?;
    value_of(STARTED, &variables)?;
    value_of(RUNTIME_API, &variables).map(<[u8]>::to_vec)
}

fn value_of<'a>(name: &str, variables: &'a [u8]) -> Option<&'a [u8]> {
    let mut variables = variables.split(|byte| *byte == 0);
    variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn end(processes: [Pid; 2], found: &str, proxy: &Proxy) {
    let report = ErrorReport {
        error_type: "AlbMtls.GateBypassed".to_owned(),
        message: format!(
            "a wrapper has set {RUNTIME_API} to `{}`, so that the runtime would get its events past the gate: leave out the wrapper or its setting that does so (of Datadog's: DD_SERVERLESS_APPSEC_ENABLED and DD_EXPERIMENTAL_ENABLE_PROXY)",
            found.escape_debug()
        ),
    };
    // First, so that it cannot ask meanwhile.
    let killed = processes.map(|process| kill_process(process, Signal::KILL));
    eprintln!("{}", report.message);
    if let [Err(error), _] = killed {
        tracing::error!(explanation = %error, "the runtime cannot be ended");
    }
    proxy.report_init_error(report);
}
