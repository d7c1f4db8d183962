//! Time from `alb-mtls deny add` until warm environments deny the client, and what the refresh of
//! the list costs other requests.
//!
//! Each environment is a process of `respond` behind a Runtime API, with its list in S3 (moto). It
//! is asked again and again, in turn with one without a list. Then entries come and go by the
//! command line. Some environments are frozen while an entry comes, and are asked once they go on.
//!
//! `make bench-deny`, or `cargo run --package alb-mtls-bench --bin deny_latency` after `cargo build
//! --package respond --package alb-mtls`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot be made has no result"
)]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use alb_mtls_bench::{built, load, machine, percentile_of};
use alb_mtls_tests::{Clients, Moto, TARGET_GROUP};
use bytes::Bytes;
use clap::Parser;
use local_alb::{AlbRequest, Environment, FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome};
use tokio::task::JoinSet;

const LIST: &str = "s3://trust/deny.txt";

/// Time from an entry until warm environments act on it.
#[derive(Parser)]
struct Arguments {
    /// Warm environments; as many without a list are asked in turn.
    #[arg(long, default_value_t = 50)]
    environments: usize,
    /// Times that an entry is added and removed.
    #[arg(long, default_value_t = 8)]
    rounds: usize,
    /// Milliseconds between two requests of an environment.
    #[arg(long, default_value_t = 500)]
    pace: u64,
    /// Environments that are frozen while an entry comes.
    #[arg(long, default_value_t = 5)]
    frozen: usize,
}

/// Request and its answer.
struct Asked {
    sent: Instant,
    took: Duration,
    is_denied: bool,
}

/// Time of an entry: before the command was started, and after it had ended.
struct Added {
    started: Instant,
    ended: Instant,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    println!("at the start: {}, load {}", machine(), load());
    if cfg!(debug_assertions) {
        println!("a debug build: times of single requests are longer than in a release build");
    }
    let clients = Clients::new();
    let moto = Arc::new(Moto::start());
    moto.create_bucket("trust");
    deny(&moto, &["create", LIST]);
    let event = event(&clients);
    let mut pairs = Vec::new();
    for _ in 0..arguments.environments {
        pairs.push([start(&clients, Some(&moto)).await, start(&clients, None).await]);
    }
    frozen(&arguments, &clients, &moto, &event).await;

    let stop = Arc::new(AtomicBool::new(false));
    let mut asking = JoinSet::new();
    for pair in pairs {
        let (event, stop, pace) = (event.clone(), Arc::clone(&stop), arguments.pace);
        asking.spawn(async move { ask(&pair, &event, pace, &stop).await });
    }
    // Until every environment is warm.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let quiet = Instant::now();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let quiet = quiet..Instant::now();
    let key = key_of(&clients);
    let mut entries = Vec::new();
    for _ in 0..arguments.rounds {
        // At any time of the environments' refresh.
        tokio::time::sleep(Duration::from_millis(8_000 + fastrand::u64(0..5_000))).await;
        let started = Instant::now();
        deny_by_key(&moto, "add", &key).await;
        entries.push(Added {
            started,
            ended: Instant::now(),
        });
        tokio::time::sleep(Duration::from_secs(12)).await;
        deny_by_key(&moto, "remove", &key).await;
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    stop.store(true, Ordering::Relaxed);
    let asked: Vec<[Vec<Asked>; 2]> = asking.join_all().await;

    report_refusals(&asked, &entries);
    report_cost(&asked, &quiet);
    println!("at the end: load {}", load());
}

/// Freezes environments, adds an entry, and asks them when they go on.
async fn frozen(arguments: &Arguments, clients: &Clients, moto: &Arc<Moto>, event: &Bytes) {
    let key = key_of(clients);
    let mut environments = Vec::new();
    for _ in 0..arguments.frozen {
        let environment = start(clients, Some(moto)).await;
        assert!(!is_denied(&environment, event).await);
        environments.push(environment);
    }
    environments
        .iter()
        .for_each(|environment| signal("-STOP", environment));
    deny_by_key(moto, "add", &key).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let mut times = Vec::new();
    for environment in &environments {
        signal("-CONT", environment);
        let sent = Instant::now();
        assert!(
            is_denied(environment, event).await,
            "the first answer after a freeze allowed the client"
        );
        times.push(sent.elapsed());
    }
    deny_by_key(moto, "remove", &key).await;
    println!(
        "frozen while the entry came: {} of {} denied by their first answer, which took {} to {} ms",
        times.len(),
        environments.len(),
        times.iter().min().map_or(0, Duration::as_millis),
        times.iter().max().map_or(0, Duration::as_millis)
    );
}

fn report_refusals(asked: &[[Vec<Asked>; 2]], entries: &[Added]) {
    let (mut from_start, mut from_end) = (Vec::new(), Vec::new());
    for Added { started, ended } in entries {
        for [with, _] in asked {
            let first = with
                .iter()
                .find(|asked| asked.is_denied && asked.sent >= *started);
            let first = first.expect("every environment denies in time");
            let answered = first.sent + first.took;
            from_start.push(answered - *started);
            from_end.push(answered.saturating_duration_since(*ended));
        }
    }
    println!(
        "\n{} environments, {} entries: time from `alb-mtls deny add` to the first refusal of an environment",
        asked.len(),
        entries.len()
    );
    println!("\n| counted from | median | p90 | p99 | longest |\n| --- | ---: | ---: | ---: | ---: |");
    for (what, mut times) in [("the start of the command", from_start), ("its end", from_end)] {
        times.sort_unstable();
        let [median, p90, p99] = [50, 90, 99].map(|percent| percentile_of(&times, percent).as_secs_f64());
        let longest = times.last().map_or(0.0, Duration::as_secs_f64);
        println!("| {what} | {median:.2} s | {p90:.2} s | {p99:.2} s | {longest:.2} s |");
    }
}

/// Compares requests with and without a list, while entries neither come nor go.
fn report_cost(asked: &[[Vec<Asked>; 2]], quiet: &std::ops::Range<Instant>) {
    println!("\n| requests | number | median | p99 |\n| --- | ---: | ---: | ---: |");
    let mut p99 = Vec::new();
    for (index, what) in [(1, "without a list"), (0, "with a list that is refreshed")] {
        let mut times: Vec<Duration> = asked
            .iter()
            .filter_map(|pair| pair.get(index))
            .flatten()
            .filter(|asked| quiet.contains(&asked.sent))
            .map(|asked| asked.took)
            .collect();
        times.sort_unstable();
        let [median, last] = [50, 99].map(|percent| percentile_of(&times, percent).as_secs_f64() * 1_000.0);
        println!("| {what} | {} | {median:.2} ms | {last:.2} ms |", times.len());
        p99.push(last);
    }
    if let [without, with] = p99.as_slice() {
        println!("\np99 with a list is {:.2} of that without", with / without);
    }
}

/// Asks an environment with a list and one without, in turn, until it is to stop.
async fn ask(pair: &[Environment; 2], event: &Bytes, pace: u64, stop: &AtomicBool) -> [Vec<Asked>; 2] {
    let mut all = [Vec::new(), Vec::new()];
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(pace / 2 + fastrand::u64(0..=pace))).await;
        for (environment, asked) in pair.iter().zip(&mut all) {
            let sent = Instant::now();
            let is_denied = is_denied(environment, event).await;
            asked.push(Asked {
                sent,
                took: sent.elapsed(),
                is_denied,
            });
        }
    }
    all
}

async fn start(clients: &Clients, moto: Option<&Arc<Moto>>) -> Environment {
    let mut command = FunctionCommand::new(built("respond"))
        .output(FunctionOutput::Discard)
        .variable("MTLS_ANCHORS", clients.anchors_source());
    if let Some(moto) = moto {
        for (name, value) in moto.variables() {
            command = command.variable(name, value);
        }
        command = command.variable("MTLS_DENY", LIST);
    }
    Environment::start(command).await.expect("the function starts")
}

async fn is_denied(environment: &Environment, event: &Bytes) -> bool {
    match environment.invoke(event.clone()).await {
        InvocationOutcome::Response(answer) => {
            let answer: serde_json::Value = serde_json::from_slice(&answer).expect("an answer is JSON");
            match answer.get("statusCode").and_then(serde_json::Value::as_u64) {
                Some(200) => false,
                Some(403) => true,
                _ => panic!("neither allowed nor denied: {answer}"),
            }
        }
        other => panic!("not an answer: {other:?}"),
    }
}

fn event(clients: &Clients) -> Bytes {
    let request = AlbRequest {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query: None,
        headers: clients.good_headers(),
        body: Bytes::new(),
    };
    request
        .to_event(TARGET_GROUP, HeaderMode::MultiValue)
        .expect("an event")
}

fn key_of(clients: &Clients) -> String {
    let info = clients.good.key().public_key_info().expect("a public key");
    alb_mtls_verifier::Fingerprint::of(&info).to_string()
}

async fn deny_by_key(moto: &Arc<Moto>, action: &'static str, key: &str) {
    let (moto, key) = (Arc::clone(moto), key.to_owned());
    let run = move || deny(&moto, &[action, LIST, "--key", &key]);
    tokio::task::spawn_blocking(run).await.expect("the command runs");
}

/// Runs `alb-mtls deny`.
fn deny(moto: &Moto, arguments: &[&str]) {
    let output = Command::new(built("alb-mtls"))
        .arg("deny")
        .args(arguments)
        .envs(moto.variables())
        .output()
        .expect("the command line starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn signal(name: &str, environment: &Environment) {
    let group = format!("-{}", environment.facts().pid);
    let sent = Command::new("kill").args([name, "--", &group]).status();
    assert!(sent.expect("kill starts").success());
}
