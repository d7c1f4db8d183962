//! Time and memory that the layer adds to a function: to each invocation with bodies of 1 KB and of
//! 1 MB in both header modes, to the start, and in memory. One run, alternating with the same
//! function without it and behind a relay that only copies bytes, which is the least that a proxy
//! of the Runtime API can do without on the machine that measures.
//!
//! `make bench-layer`, or `cargo run --profile PROFILE --package alb-mtls-bench --bin
//! layer_latency` after `cargo build --profile PROFILE --package layer --package empty-function`.

#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot be made has no result"
)]

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alb_mtls_bench::{built, cpu_time, load, machine, peak_memory, percentile_of};
use alb_mtls_tests::{Clients, TARGET_GROUP};
use bytes::Bytes;
use local_alb::{AlbRequest, Environment, FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome};

const WARM_UP: u32 = 200;
const STARTS: usize = 41;

const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => measure(),
        [first] if first == COPY => relay(),
        [program] => become_behind_relay(program),
        _ => eprintln!("layer_latency takes no arguments but its own"),
    }
}

#[tokio::main]
async fn measure() {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: the figures mean nothing; `make bench-layer` does not build one");
    }
    println!("at the start: {}, load {}", machine(), load());
    let clients = Clients::new();
    starts(&clients).await;
    let bare = start(bare()).await;
    let relayed = start(behind_relay()).await;
    let behind = start(behind_layer(&clients)).await;
    let gate = gate_of(&behind);

    println!(
        "\n| bodies of | headers | bare, median | a relay adds | the layer adds | the layer's 99th percentile adds | the gate's processor time |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
    for (size, turns) in [(1_024, 4_000), (1_000_000, 300)] {
        for (mode, name) in [
            (HeaderMode::MultiValue, "multi-value"),
            (HeaderMode::SingleValue, "single-value"),
        ] {
            let event = event(&clients, size, mode);
            let mut taken = [Vec::new(), Vec::new(), Vec::new()];
            let before = cpu_time(gate);
            for turn in 0..turns + WARM_UP {
                for (environment, taken) in [&bare, &relayed, &behind].into_iter().zip(&mut taken) {
                    let duration = invoke(environment, &event).await;
                    if turn >= WARM_UP {
                        taken.push(duration);
                    }
                }
            }
            let of_gate = (cpu_time(gate) - before) / (turns + WARM_UP);
            let [without, relayed, with] = taken;
            let added = |to: &[Duration], percent| {
                percentile_of(to, percent)
                    .saturating_sub(percentile_of(&without, percent))
                    .as_micros()
            };
            println!(
                "| {size} bytes | {name} | {} µs | {} µs | {} µs | {} µs | {} µs |",
                percentile_of(&without, 50).as_micros(),
                added(&relayed, 50),
                added(&with, 50),
                added(&with, 99),
                of_gate.as_micros(),
            );
        }
        println!(
            "<!-- peak memory of the gate so far: {} KiB -->",
            peak_memory(gate) / 1_024
        );
    }
    println!("\nat the end: load {}", load());
}

/// Starts of the process until it asks for its first event.
async fn starts(clients: &Clients) {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        without.push(start(bare()).await.facts().start_to_first_poll);
        with.push(start(behind_layer(clients)).await.facts().start_to_first_poll);
    }
    let (without, with) = (percentile_of(&without, 50), percentile_of(&with, 50));
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

fn behind_relay() -> FunctionCommand {
    let program = std::env::current_exe().expect("a running program has a path");
    FunctionCommand::new(program).argument(built("empty-function"))
}

/// First argument of the process that copies.
const COPY: &str = "--copy";

/// Starts the relay and becomes the program, as the layer does with the gate.
#[expect(
    clippy::zombie_processes,
    reason = "this process becomes the program, and the relay ends with that"
)]
fn become_behind_relay(program: &OsStr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let address = listener.local_addr().expect("a socket has an address");
    Command::new(std::env::current_exe().expect("a running program has a path"))
        .arg(COPY)
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .spawn()
        .expect("this program runs");
    let error = Command::new(program).env(RUNTIME_API, address.to_string()).exec();
    eprintln!("{error}");
}

/// Copies both ways between the runtime's one connection and the Runtime API, until the runtime
/// ends.
fn relay() {
    let listener = io::stdin().as_fd().try_clone_to_owned().map(TcpListener::from);
    let (runtime, _) = listener
        .and_then(|listener| listener.accept())
        .expect("the runtime connects");
    let address = std::env::var(RUNTIME_API).expect("the Runtime API has an address");
    let lambda = TcpStream::connect(address).expect("the Runtime API listens");
    for stream in [&runtime, &lambda] {
        stream.set_nodelay(true).expect("a socket takes options");
    }
    std::thread::scope(|scope| {
        scope.spawn(|| copy(&lambda, &runtime));
        copy(&runtime, &lambda);
        std::process::exit(0);
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    // Ends with the connection.
    let _ = io::copy(&mut from, &mut to);
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

/// Returns the process that is the gate: the runtime's only child.
fn gate_of(environment: &Environment) -> u32 {
    let runtime = environment.facts().pid;
    let children = std::fs::read_to_string(format!("/proc/{runtime}/task/{runtime}/children"))
        .expect("Linux lists the children of a process");
    children.trim().parse().expect("the runtime has one child")
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
