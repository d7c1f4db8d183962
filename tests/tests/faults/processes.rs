//! Processes that are frozen, killed and told to end.

use std::process::Command;
use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, Fault, FaultProxy, Moto};
use local_alb::InvocationOutcome;
use serde_json::Value;

use crate::gates::{Gate, Material, Service, Subject, row};

/// Fault of a process, as the page names it.
pub(crate) struct ProcessFault {
    pub(crate) what: &'static str,
    pub(crate) outcome: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Frozen,
    FrozenInAnOutage,
    KilledIdle,
    KilledAtWork,
    GateOfLayerKilled,
    Terminated,
    FrozenForGood,
}

pub(crate) static FAULTS: [ProcessFault; 7] = [
    ProcessFault {
        what: "the environment is frozen, and an event waits when it goes on",
        outcome: "the event is answered",
        kind: Kind::Frozen,
    },
    ProcessFault {
        what: "the source stops answering while the environment is frozen, and the material is due when it goes on",
        outcome: "the last good material serves; a client without a certificate gets 401 at once",
        kind: Kind::FrozenInAnOutage,
    },
    ProcessFault {
        what: "the process is killed between two events",
        outcome: "Lambda starts another one, which answers the next event",
        kind: Kind::KilledIdle,
    },
    ProcessFault {
        what: "the process is killed during an event",
        outcome: "the event has no answer (the load balancer: 502), or the right one",
        kind: Kind::KilledAtWork,
    },
    ProcessFault {
        what: "the layer's gate is killed",
        outcome: "the runtime gets no further event and ends; Lambda starts another environment",
        kind: Kind::GateOfLayerKilled,
    },
    ProcessFault {
        what: "the process is told to end (SIGTERM)",
        outcome: "metrics that wait are written, and it ends within a second",
        kind: Kind::Terminated,
    },
    ProcessFault {
        what: "the environment is frozen and never goes on, without a signal",
        outcome: "of metrics whose records are left out, at most one request in nine is not counted, and 99 at most",
        kind: Kind::FrozenForGood,
    },
];

const GATES: [Gate; 4] = [Gate::Respond, Gate::Authorize, Gate::Layer, Gate::ForwardKey];

const TIMEOUT: Duration = Duration::from_secs(8);

async fn start(gate: Gate, variables: &[(&str, &str)]) -> Subject {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Subject::start(gate, Clients::new(), None, &variables, TIMEOUT, "").await
}

/// Sends a signal to the processes of an environment, as Lambda freezes and ends all of them.
fn signal(name: &str, subject: &Subject) {
    let group = format!("-{}", subject.function.facts().pid);
    let sent = Command::new("kill").args([name, "--", &group]).status();
    assert!(sent.unwrap().success());
}

/// Kills the processes of an environment and waits until they are gone.
async fn kill(subject: &Subject) {
    let process = subject.function.facts().pid;
    signal("-KILL", subject);
    ended(process).await;
}

/// Waits until a process has ended, whether or not its status has been taken.
async fn ended(process: u32) {
    let started = Instant::now();
    let is_running = || {
        // The first thread may have ended before the others.
        let threads = std::fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
        let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        threads > 1 || !status.is_empty() && !status.contains(") Z ")
    };
    while is_running() {
        assert!(started.elapsed() < Duration::from_secs(5), "it does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns the sum of a metric over the lines written so far.
fn sum(lines: &[String], metric: &str) -> u64 {
    let values = lines.iter().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line[metric].as_u64()
    });
    values.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_process_ends_as_documented() {
    for fault in &FAULTS {
        match fault.kind {
            Kind::GateOfLayerKilled => gate_of_layer_killed().await,
            kind => {
                for gate in GATES {
                    run(kind, gate).await;
                }
            }
        }
    }
}

async fn run(kind: Kind, gate: Gate) {
    match kind {
        Kind::Frozen => frozen(gate).await,
        Kind::FrozenInAnOutage => frozen_in_an_outage(gate).await,
        Kind::KilledIdle => killed_idle(gate).await,
        Kind::KilledAtWork => killed_at_work(gate).await,
        Kind::Terminated => terminated(gate).await,
        Kind::FrozenForGood => frozen_for_good(gate).await,
        Kind::GateOfLayerKilled => {}
    }
}

async fn frozen(gate: Gate) {
    let subject = start(gate, &[]).await;
    assert_eq!(subject.ask().await, subject.row.served);
    for _ in 0..3 {
        signal("-STOP", &subject);
        let (outcome, ()) = tokio::join!(subject.ask(), async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            signal("-CONT", &subject);
        });
        assert_eq!(outcome, subject.row.served, "{gate:?}");
    }
    subject.ask_as_stranger("after a freeze").await;
    subject.assert_not_restarted("frozen");
}

async fn frozen_in_an_outage(gate: Gate) {
    let clients = Clients::new();
    let material = Material::put(gate, Service::Ssm, &clients);
    let proxy = FaultProxy::before(Moto::shared().port()).await;
    let mut variables = proxy.variables();
    variables.push(("MTLS_REFRESH".to_owned(), "1s".to_owned()));
    let subject = Subject::start(gate, clients, Some(&material.source), &variables, TIMEOUT, "").await;
    assert_eq!(subject.ask().await, subject.row.served);
    signal("-STOP", &subject);
    proxy.always(Fault::Silence);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    signal("-CONT", &subject);
    subject.ask_as_stranger("after a freeze in an outage").await;
    proxy.take_requests();
    assert_eq!(subject.ask().await, subject.row.served, "{gate:?}");
    assert!(
        !proxy.take_requests().is_empty(),
        "{gate:?}: the material was due"
    );
    subject.assert_not_restarted("frozen in an outage");
}

async fn killed_idle(gate: Gate) {
    let subject = start(gate, &[]).await;
    for restarts in 1..=3 {
        assert_eq!(subject.ask().await, subject.row.served);
        kill(&subject).await;
        assert_eq!(subject.ask().await, subject.row.served, "{gate:?}");
        assert_eq!(subject.function.facts().restarts, restarts);
    }
}

async fn killed_at_work(gate: Gate) {
    let subject = start(gate, &[]).await;
    for number in 0..12_u64 {
        let is_good = number % 2 == 0;
        let event = if is_good {
            subject.good()
        } else {
            subject.stranger()
        };
        let (outcome, ()) = tokio::join!(subject.function.invoke(event), async {
            tokio::time::sleep(Duration::from_micros(number * 300)).await;
            kill(&subject).await;
        });
        match outcome {
            InvocationOutcome::Crashed { .. } => {}
            InvocationOutcome::FunctionError { message, .. } => {
                assert!(!is_good && message == "Unauthorized", "{message}");
            }
            InvocationOutcome::Response(answer) => {
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                let expected = if is_good { 200 } else { 401 };
                assert!(
                    answer["statusCode"] == expected || is_good && gate == Gate::Authorize,
                    "{gate:?}: {answer}"
                );
            }
            InvocationOutcome::TimedOut => panic!("{gate:?}: neither answered nor ended"),
        }
        assert_eq!(subject.ask().await, subject.row.served, "{gate:?}");
    }
}

async fn gate_of_layer_killed() {
    let subject = start(Gate::Layer, &[]).await;
    for _ in 0..3 {
        assert_eq!(subject.ask().await, subject.row.served);
        let runtime = subject.function.facts().pid;
        let children = std::fs::read_to_string(format!("/proc/{runtime}/task/{runtime}/children")).unwrap();
        let gate = children.trim();
        assert!(
            Command::new("kill")
                .args(["-KILL", gate])
                .status()
                .unwrap()
                .success(),
            "{gate}"
        );
        let stranger = subject.function.invoke(subject.stranger()).await;
        assert!(
            matches!(stranger, InvocationOutcome::Crashed { .. }) || subject.function.facts().pid != runtime,
            "an event was answered without the gate: {stranger:?}"
        );
        subject.ask_as_stranger("after the gate was killed").await;
    }
}

/// Leaves every record of a good client out.
const METRICS: [(&str, &str); 2] = [("MTLS_METRICS", "gate/tests"), ("MTLS_RECORD_ALLOWED", "0%")];

/// Asks so often that some counts wait.
async fn with_waiting_metrics(gate: Gate) -> (Subject, Vec<String>) {
    let subject = start(gate, &METRICS).await;
    for _ in 0..ASKED {
        assert_eq!(subject.ask().await, row(gate).served);
    }
    // What is on its way through the pipe.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let lines = subject.function.log();
    (subject, lines)
}

const ASKED: u64 = 56;

async fn terminated(gate: Gate) {
    let (subject, mut lines) = with_waiting_metrics(gate).await;
    assert!(sum(&lines, "Allowed") < ASKED, "{gate:?}: nothing waits");
    let started = Instant::now();
    let process = subject.function.facts().pid;
    signal("-TERM", &subject);
    while sum(&lines, "Allowed") < ASKED {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{gate:?}: {}",
            lines.join("\n")
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
        lines.extend(subject.function.log());
    }
    assert_eq!(sum(&lines, "Allowed"), ASKED, "{gate:?}");
    ended(process).await;
    assert_eq!(subject.ask().await, subject.row.served, "{gate:?}");
}

async fn frozen_for_good(gate: Gate) {
    let (subject, lines) = with_waiting_metrics(gate).await;
    signal("-STOP", &subject);
    let counted = sum(&lines, "Allowed");
    signal("-KILL", &subject);
    assert!((ASKED - counted) * 9 <= ASKED, "{gate:?}: {counted} of {ASKED}");
}
