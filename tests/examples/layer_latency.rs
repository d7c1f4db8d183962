//! What the layer adds to a function: to each invocation with bodies of 1 KB and of 1 MB in both header modes, to the start,
//! and in memory. One run, in turns with the same function without it, so that the figures can be compared.
//!
//! `make bench-layer`, or `cargo run --profile PROFILE --package alb-mtls-tests --example layer_latency` after
//! `cargo build --profile PROFILE --package layer --package empty-function`.

#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot be made has no result"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, TARGET_GROUP};
use bytes::Bytes;
use local_alb::{AlbRequest, Environment, FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome};

const WARM_UP: usize = 200;
const STARTS: usize = 41;

#[tokio::main]
async fn main() {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: the figures mean nothing; `make bench-layer` does not build one");
    }
    println!("at the start: {}", load());
    let clients = Clients::new();
    starts(&clients).await;
    let bare = start(bare()).await;
    let behind = start(behind_layer(&clients)).await;
    let gate = gate_of(&behind);

    println!(
        "\n| bodies of | headers | bare, median | behind the layer | added, median | added, 99th percentile |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    for (size, turns) in [(1_024, 4_000), (1_000_000, 300)] {
        for (mode, name) in [
            (HeaderMode::MultiValue, "multi-value"),
            (HeaderMode::SingleValue, "single-value"),
        ] {
            let event = event(&clients, size, mode);
            let (mut without, mut with) = (Vec::new(), Vec::new());
            for turn in 0..turns + WARM_UP {
                let taken = [invoke(&bare, &event).await, invoke(&behind, &event).await];
                if turn >= WARM_UP {
                    let [of_bare, of_behind] = taken;
                    without.push(of_bare);
                    with.push(of_behind);
                }
            }
            let added = |percent| percentile(&with, percent).saturating_sub(percentile(&without, percent));
            println!(
                "| {size} bytes | {name} | {} µs | {} µs | {} µs | {} µs |",
                percentile(&without, 50).as_micros(),
                percentile(&with, 50).as_micros(),
                added(50).as_micros(),
                added(99).as_micros(),
            );
        }
        println!("<!-- peak memory of the gate so far: {} KiB -->", peak(gate));
    }
    println!("\nat the end: {}", load());
}

/// Starts of the process until it asks for its first event.
async fn starts(clients: &Clients) {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        without.push(start(bare()).await.facts().start_to_first_poll);
        with.push(start(behind_layer(clients)).await.facts().start_to_first_poll);
    }
    let (without, with) = (percentile(&without, 50), percentile(&with, 50));
    println!(
        "start to the first poll, median of {STARTS}: bare {:.1} ms, behind the layer {:.1} ms, added {:.1} ms",
        milliseconds(without),
        milliseconds(with),
        milliseconds(with) - milliseconds(without)
    );
}

fn bare() -> FunctionCommand {
    FunctionCommand::new(built("empty-function"))
}

fn behind_layer(clients: &Clients) -> FunctionCommand {
    FunctionCommand::new(built("alb-mtls-layer"))
        .argument(built("empty-function"))
        .variable("MTLS_ANCHORS", clients.anchors_source())
}

async fn start(command: FunctionCommand) -> Environment {
    Environment::start(command.output(FunctionOutput::Discard))
        .await
        .expect("the function starts")
}

async fn invoke(environment: &Environment, event: &Bytes) -> Duration {
    let started = Instant::now();
    let outcome = environment.invoke(event.clone()).await;
    let duration = started.elapsed();
    assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");
    duration
}

/// A request of the good client with a body of text.
fn event(clients: &Clients, size: usize, mode: HeaderMode) -> Bytes {
    let mut headers = clients.good_headers();
    headers.push(("content-type".to_owned(), "text/plain".to_owned()));
    let request = AlbRequest {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: None,
        headers,
        body: Bytes::from("x".repeat(size)),
    };
    request.to_event(TARGET_GROUP, mode).expect("an event")
}

/// The process that is the gate: the runtime's only child.
fn gate_of(environment: &Environment) -> u32 {
    let runtime = environment.facts().pid;
    let children = std::fs::read_to_string(format!("/proc/{runtime}/task/{runtime}/children"))
        .expect("Linux lists the children of a process");
    children.trim().parse().expect("the runtime has one child")
}

/// Largest resident set of a process so far, in KiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .expect("Linux says how much memory a process had")
}

/// A program as it was built in the profile of this one.
fn built(name: &str) -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let examples = program.parent().expect("a program is in a folder");
    let path = examples.parent().expect("examples are in `examples`").join(name);
    assert!(
        path.exists(),
        "{} is missing: `make bench-layer` builds it",
        path.display()
    );
    path
}

/// How busy the machine is, as Linux counts it.
fn load() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = averages.split(' ').take(3).collect();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{cores} cores, load {}", averages.join(" "))
}

fn percentile(samples: &[Duration], percent: usize) -> Duration {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    samples
        .get(samples.len() * percent / 100)
        .copied()
        .unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
