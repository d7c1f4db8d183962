//! Logs that are closed, full, slow, or not read.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, binary, event};
use local_alb::{FunctionCommand, HeaderMode, InvocationOutcome, ManagedInstance};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe::{OpenOptions, Receiver};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::gates::{Gate, Subject};

/// Fault of the log, as the page names it.
pub(crate) struct LogFault {
    pub(crate) what: &'static str,
    pub(crate) outcome: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Closed,
    Full,
    ReaderGone,
    NotRead,
    Slow,
}

pub(crate) static FAULTS: [LogFault; 5] = [
    LogFault {
        what: "standard output is closed",
        outcome: "requests are answered without a delay; lines are lost",
        kind: Kind::Closed,
    },
    LogFault {
        what: "no space is left on the device of the log",
        outcome: "requests are answered without a delay; lines are lost",
        kind: Kind::Full,
    },
    LogFault {
        what: "the reader of the log has gone",
        outcome: "requests are answered without a delay; lines are lost",
        kind: Kind::ReaderGone,
    },
    LogFault {
        what: "nothing reads the log, which is a pipe",
        outcome: "one request waits for 100 ms, the others not at all; 512 KB of lines wait. When these are full, records of requests that passed are lost before those of denials, warnings, errors and metrics. When the log is read again it has the lines that waited, in order, and `log lines lost` with how many were lost",
        kind: Kind::NotRead,
    },
    LogFault {
        what: "the log is read more slowly than it is written",
        outcome: "a request waits for 100 ms at most; lines wait and are lost as with a log that nothing reads",
        kind: Kind::Slow,
    },
];

const GATES: [Gate; 4] = [Gate::Respond, Gate::Authorize, Gate::Layer, Gate::ForwardKey];

/// Longest time of an answer: the bound of 100 ms, and what a busy machine adds.
const LONGEST: Duration = Duration::from_millis(900);

const TIMEOUT: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_log_leaves_requests_answered() {
    for fault in &FAULTS {
        for gate in GATES {
            run(fault.kind, gate).await;
        }
    }
}

/// With several events at once, those that wait for the lock of the log wait for the same bound.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_read_stops_no_event_among_several() {
    const AT_ONCE: u32 = 16;
    let (clients, log) = with_pipe();
    let reader = open(&log);
    let command = FunctionCommand::new("sh")
        .argument("-c")
        .argument(format!("exec \"$0\" {}", to(&log)))
        .argument(binary("respond"))
        .variable("MTLS_ANCHORS", clients.anchors_source())
        .timeout(TIMEOUT);
    let instance = ManagedInstance::start(command, AT_ONCE.try_into().unwrap()).await;
    let instance = Arc::new(instance.unwrap());
    let good = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (instance, good) = (Arc::clone(&instance), good.clone());
        workers.spawn(async move {
            for _ in 0..60 {
                let started = Instant::now();
                let outcome = instance.invoke(good.clone()).await;
                assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");
                assert!(started.elapsed() < LONGEST, "{:?}", started.elapsed());
            }
        });
    }
    workers.join_all().await;
    let records = read_all(reader).await;
    let lost: u64 = records
        .iter()
        .filter_map(|record| record["lost_routine"].as_u64())
        .sum();
    let written = records
        .iter()
        .filter(|record| record["decision"] == "allowed")
        .count() as u64;
    assert!(lost > 0, "the queue was never full");
    assert_eq!(written + lost, u64::from(AT_ONCE) * 60);
}

async fn run(kind: Kind, gate: Gate) {
    match kind {
        Kind::Closed => lost(gate, ">&-", None).await,
        Kind::Full => lost(gate, ">/dev/full", None).await,
        Kind::ReaderGone => {
            let (clients, log) = with_pipe();
            let redirection = to(&log);
            let reader = open(&log);
            lost_with(clients, gate, &redirection, Some(reader)).await;
        }
        Kind::NotRead => not_read(gate).await,
        Kind::Slow => slow(gate).await,
    }
}

/// A named pipe in the folder of new clients.
fn with_pipe() -> (Clients, std::path::PathBuf) {
    let clients = Clients::new();
    let log = clients.directory().join("log");
    assert!(Command::new("mkfifo").arg(&log).status().unwrap().success());
    (clients, log)
}

fn to(log: &Path) -> String {
    format!(">'{}'", log.display())
}

fn open(log: &Path) -> Receiver {
    OpenOptions::new().open_receiver(log).unwrap()
}

async fn lost(gate: Gate, redirection: &str, reader: Option<Receiver>) {
    lost_with(Clients::new(), gate, redirection, reader).await;
}

/// Answers as ever, although nothing of what is written arrives: a reader goes away after the
/// start.
async fn lost_with(clients: Clients, gate: Gate, redirection: &str, reader: Option<Receiver>) {
    let subject = Subject::start(gate, clients, None, &[], TIMEOUT, redirection).await;
    drop(reader);
    ask_in_turn(&subject, 60, redirection).await;
    subject.assert_not_restarted(redirection);
}

/// Returns the number of denials among `count` requests of [`ask_in_turn`].
fn denials(count: usize) -> usize {
    count.div_ceil(ONE_DENIED_IN)
}

const ONE_DENIED_IN: usize = 20;

/// Asks as the good client and, now and then, without a certificate; returns how long each answer
/// took.
async fn ask_in_turn(subject: &Subject, count: usize, what: &str) -> Vec<Duration> {
    let mut times = Vec::new();
    let row = subject.row;
    for number in 0..count {
        let is_stranger = number % ONE_DENIED_IN == 0;
        let (event, expected) = if is_stranger {
            (subject.stranger(), row.stranger)
        } else {
            (subject.good(), row.served)
        };
        let started = Instant::now();
        assert_eq!(subject.outcome(event).await, expected, "{what}");
        let took = started.elapsed();
        assert!(
            took < LONGEST,
            "{:?}, {what}: answer {number} took {took:?}",
            row.gate
        );
        times.push(took);
    }
    times
}

async fn not_read(gate: Gate) {
    // Two megabytes of records.
    const COUNT: usize = 1_800;
    let (clients, log) = with_pipe();
    let reader = open(&log);
    let subject = Subject::start(gate, clients, None, &[], TIMEOUT, &to(&log)).await;
    let mut times = ask_in_turn(&subject, COUNT, "not read").await;
    times.sort_unstable();
    println!(
        "{gate:?}, log not read: median {:?}, longest {:?}",
        times[COUNT / 2],
        times[COUNT - 1]
    );
    let waited = times
        .iter()
        .filter(|time| **time >= Duration::from_millis(95))
        .count();
    assert!(waited <= COUNT / 100, "{gate:?}: {waited} requests waited");

    let records = read_all(reader).await;
    let is = |name: &str, value: &str| records.iter().filter(|record| record[name] == value).count();
    assert_eq!(
        is("decision", "denied"),
        denials(COUNT),
        "{gate:?}: a denial was lost"
    );
    let lost = |name: &str| -> u64 { records.iter().filter_map(|record| record[name].as_u64()).sum() };
    assert_eq!(lost("lost_important"), 0);
    assert!(lost("lost_routine") > 0, "{gate:?}: the queue was never full");
    assert_eq!(
        is("decision", "allowed") + usize::try_from(lost("lost_routine")).unwrap(),
        COUNT - denials(COUNT),
        "{gate:?}: every record was written or counted"
    );
    subject.ask_as_stranger("read again").await;
    subject.assert_not_restarted("not read");
}

/// Returns the decision records and reports of losses in a log, until nothing more comes.
async fn read_all(reader: Receiver) -> Vec<Value> {
    let mut lines = BufReader::new(reader).lines();
    let mut records: Vec<Value> = Vec::new();
    while let Ok(Ok(Some(line))) = timeout(Duration::from_secs(2), lines.next_line()).await {
        records.push(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
    }
    records
}

async fn slow(gate: Gate) {
    const COUNT: usize = 150;
    let (clients, log) = with_pipe();
    let mut reader = open(&log);
    let reading = tokio::spawn(async move {
        let mut part = [0; 512];
        while reader.read(&mut part).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let subject = Subject::start(gate, clients, None, &[], TIMEOUT, &to(&log)).await;
    let mut times = ask_in_turn(&subject, COUNT, "slow").await;
    times.sort_unstable();
    println!(
        "{gate:?}, log read at 5 KB/s: median {:?}, longest {:?}",
        times[COUNT / 2],
        times[COUNT - 1]
    );
    reading.abort();
    subject.assert_not_restarted("slow");
}
