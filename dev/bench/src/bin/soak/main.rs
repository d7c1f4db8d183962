//! `make soak`: requests of every kind through the load balancer on this machine and the built
//! function, for hours if wanted, while CRLs change underneath. Every answer is checked; memory and
//! latency are reported as it goes.

#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot be made has no result"
)]

mod revocation;
mod visitor;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alb_mtls_bench::{HttpsClient, Series, built, load, machine, resident_memory};
use alb_mtls_tests::Clients;
use clap::Parser;
use local_alb::{
    ClientCertificateHeaderCopies, FunctionCommand, FunctionOutput, HeaderMode, LocalAlb, Target, TargetGroup,
};

use crate::revocation::Revocation;
use crate::visitor::Visitor;

/// Sends requests of every kind through the load balancer and the built function, and checks every
/// answer.
#[derive(Parser)]
struct Arguments {
    /// Number of requests.
    #[arg(long, default_value_t = 1_000_000)]
    requests: u64,
    /// Number of concurrent clients.
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Interval at which the function looks up its trust material, in seconds; CRLs change a few
    /// times slower.
    #[arg(long, default_value_t = 2)]
    refresh: u64,
}

/// Verdicts that the function remembers: few, so that their memory is full early.
const REMEMBERED: &str = "256";

/// Times that progress is told.
const SAMPLES: u64 = 20;

/// Growth of memory in the second half that is not a leak, in bytes: the allocator's, by the order
/// of requests.
const TOLERATED_GROWTH: f64 = 6e6;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let clients = Arc::new(Clients::new());
    println!("{}; load {}", machine(), load());

    let refresh = Duration::from_secs(arguments.refresh);
    let revocation = Arc::new(Revocation::start(&clients, refresh));
    let (listener, authority) = clients.listener(ClientCertificateHeaderCopies::Strip);
    let command = FunctionCommand::new(built("respond"))
        .variable("MTLS_ANCHORS", clients.anchors_source())
        .variable("MTLS_CRLS", revocation.sources())
        .variable("MTLS_REFRESH", format!("{}s", arguments.refresh))
        .variable("MTLS_VERDICT_CACHE", REMEMBERED)
        .output(FunctionOutput::Discard);
    let target = Target::Function {
        command,
        concurrency: NonZeroUsize::MIN,
    };
    let group = TargetGroup::new("soak", target).header_mode(HeaderMode::MultiValue);
    let alb = LocalAlb::start(listener, vec![group])
        .await
        .expect("the load balancer starts");
    let soak = Arc::new(Soak {
        clients,
        revocation,
        address: alb.address(),
        authority: std::fs::read_to_string(authority).expect("the authority's file"),
        wanted: arguments.requests,
        sent: AtomicU64::new(0),
        window: Mutex::default(),
        errors: Mutex::default(),
    });
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..arguments.clients {
        workers.spawn(Arc::clone(&soak).work());
    }
    let pid = || alb.environments("soak").first().map_or(0, |facts| facts.pid);
    let samples = soak.watch(pid).await;
    workers.join_all().await;
    let facts = alb.environments("soak");
    let is_good = soak.conclude(&samples, facts.iter().map(|facts| facts.restarts).sum());
    alb.stop().await;
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Soak {
    clients: Arc<Clients>,
    revocation: Arc<Revocation>,
    address: std::net::SocketAddr,
    authority: String,
    wanted: u64,
    sent: AtomicU64,
    /// Latencies since the last sample.
    window: Mutex<Series>,
    errors: Mutex<Vec<String>>,
}

impl Soak {
    /// Runs one visitor after another until there were enough requests.
    async fn work(self: Arc<Self>) {
        while self.sent.load(Ordering::Relaxed) < self.wanted {
            let visitor = Visitor::any(&self.clients, &self.revocation);
            let mut connection =
                HttpsClient::connect(self.address, &self.authority, &visitor.presented()).await;
            for _ in 0..fastrand::u32(5..60) {
                if self.sent.fetch_add(1, Ordering::Relaxed) >= self.wanted {
                    return;
                }
                let started = Instant::now();
                let answered = connection.get(visitor.target(), visitor.headers()).await;
                locked(&self.window).push(started.elapsed());
                let problem = match answered {
                    Ok((status, body)) => visitor.problem(status, &body, &self.revocation, started),
                    Err(error) => Some(format!("{visitor}: no answer: {error}")),
                };
                if let Some(problem) = problem {
                    eprintln!("{problem}");
                    locked(&self.errors).push(problem);
                }
                if !connection.is_open() {
                    break;
                }
            }
        }
    }

    /// Prints how it goes until the last request was sent. Returns the resident memory at each
    /// step, in bytes.
    async fn watch(&self, pid: impl Fn() -> u32) -> Vec<u64> {
        println!(
            "{:>9}  {:>8}  {:>9}  {:>9}  {:>9}  {:>6}",
            "requests", "a second", "median", "99th", "memory", "errors"
        );
        let started = Instant::now();
        let mut samples = Vec::new();
        let step = (self.wanted / SAMPLES).max(1);
        while samples.len() < usize::try_from(self.wanted.div_ceil(step)).unwrap_or(usize::MAX) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let sent = self.sent.load(Ordering::Relaxed).min(self.wanted);
            if sent < (samples.len() as u64 + 1) * step && sent < self.wanted {
                continue;
            }
            let window = std::mem::take(&mut *locked(&self.window));
            let memory = resident_memory(pid());
            println!(
                "{sent:>9}  {:>8.0}  {:>6.2} ms  {:>6.2} ms  {:>6.2} MB  {:>6}",
                sent as f64 / started.elapsed().as_secs_f64(),
                window.median() * 1e3,
                window.percentile(99) * 1e3,
                memory as f64 / 1e6,
                locked(&self.errors).len()
            );
            samples.push(memory);
            if sent >= self.wanted {
                break;
            }
        }
        samples
    }

    /// Returns the report's last lines, and whether all went well.
    fn conclude(&self, samples: &[u64], restarts: u64) -> bool {
        let errors = locked(&self.errors).len();
        println!(
            "\n{errors} wrong answers, {restarts} restarts, {} changes of CRLs",
            self.revocation.changes()
        );
        // What is remembered has filled its memory by the first half.
        let half = samples.get(samples.len() / 2).or_else(|| samples.first());
        let (Some(first), Some(last)) = (half, samples.last()) else {
            return errors == 0;
        };
        let grown = *last as f64 - *first as f64;
        println!("memory in the second half: {:+.2} MB", grown / 1e6);
        println!("load at the end: {}", load());
        errors == 0 && restarts == 0 && grown <= TOLERATED_GROWTH
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
