//! The built function beside an empty one: start to first poll, warm invocations, peak memory. Whole processes behind
//! a Runtime API, in one run and in turns, so that the ratios hold on a noisy machine.

#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot be made has no result"
)]

use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, TARGET_GROUP, event, release_binary};
use local_alb::{Environment, FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome};

const STARTS: usize = 21;
const WARM_INVOCATIONS: usize = 3_000;

/// What was measured of one function.
#[derive(Default)]
struct Samples {
    starts: Vec<Duration>,
    first: Vec<Duration>,
    warm: Vec<Duration>,
    peak_memory: u64,
}

#[tokio::main]
async fn main() {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: the figures mean nothing; `make bench` builds for release");
    }
    let clients = Clients::new();
    let request = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    let anchors = clients.anchors_source();
    let empty = || FunctionCommand::new(release_binary("empty-function")).output(FunctionOutput::Discard);
    let respond = || {
        FunctionCommand::new(release_binary("respond"))
            .variable("MTLS_ANCHORS", &anchors)
            .output(FunctionOutput::Discard)
    };

    let (mut of_empty, mut of_respond) = (Samples::default(), Samples::default());
    for _ in 0..STARTS {
        start(empty(), &request, &mut of_empty).await;
        start(respond(), &request, &mut of_respond).await;
    }
    let empty = Environment::start(empty())
        .await
        .expect("the empty function starts");
    let respond = Environment::start(respond()).await.expect("respond starts");
    for _ in 0..WARM_INVOCATIONS {
        of_empty.warm.push(invoke(&empty, &request).await);
        of_respond.warm.push(invoke(&respond, &request).await);
    }
    of_empty.peak_memory = empty.facts().peak_memory.unwrap_or_default();
    of_respond.peak_memory = respond.facts().peak_memory.unwrap_or_default();
    println!("target group {TARGET_GROUP}, {STARTS} starts, {WARM_INVOCATIONS} warm invocations, in turns\n");
    println!("| what | empty function | respond | ratio |");
    println!("| --- | ---: | ---: | ---: |");
    row(
        "start to first poll, median",
        median(&mut of_empty.starts),
        median(&mut of_respond.starts),
    );
    row(
        "first invocation, median",
        median(&mut of_empty.first),
        median(&mut of_respond.first),
    );
    row(
        "warm invocation, median",
        median(&mut of_empty.warm),
        median(&mut of_respond.warm),
    );
    row(
        "warm invocation, 99th percentile",
        percentile(&mut of_empty.warm, 99),
        percentile(&mut of_respond.warm, 99),
    );
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "| peak memory | {:.1} MB | {:.1} MB | {:.2} |",
        megabytes(of_empty.peak_memory),
        megabytes(of_respond.peak_memory),
        megabytes(of_respond.peak_memory) / megabytes(of_empty.peak_memory)
    );
}

async fn start(command: FunctionCommand, request: &bytes::Bytes, samples: &mut Samples) {
    let environment = Environment::start(command).await.expect("the function starts");
    samples.starts.push(environment.facts().start_to_first_poll);
    samples.first.push(invoke(&environment, request).await);
    environment.stop().await;
}

async fn invoke(environment: &Environment, request: &bytes::Bytes) -> Duration {
    let started = Instant::now();
    let outcome = environment.invoke(request.clone()).await;
    let duration = started.elapsed();
    assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");
    duration
}

fn row(what: &str, empty: Duration, respond: Duration) {
    let ratio = respond.as_secs_f64() / empty.as_secs_f64();
    println!(
        "| {what} | {} µs | {} µs | {ratio:.2} |",
        empty.as_micros(),
        respond.as_micros()
    );
}

fn median(samples: &mut [Duration]) -> Duration {
    percentile(samples, 50)
}

fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    samples
        .get(samples.len() * percent / 100)
        .copied()
        .unwrap_or_default()
}
