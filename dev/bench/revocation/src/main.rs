//! Cost of revocation: webpki's own check against the verifier's, with CRLs of several sizes, in
//! one run.
//!
//! ```text
//! make bench-revocation [ENTRIES="100 500000"]
//! ```
//!
//! Without arguments: 100, 500,000 (a load balancer's own limit), 2,000,000 and 10,000,000 entries.
//! Every measurement is made in a process of its own, so that memory is that of one CRL: from a
//! file on disk to the first client that can be verified. "rest" is the part of it after the last
//! octet of the file was handed over, which is what a download leaves to do. "clean" and "held" are
//! the median time of one verification of a client with one intermediate, without and with the CRL,
//! alternating.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made has no result"
)]

mod files;
mod memory;
mod verifier;
mod webpki_peer;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const SIZES: [usize; 4] = [100, 500_000, 2_000_000, 10_000_000];

/// Way to load a CRL.
struct Engine {
    name: &'static str,
    measure: fn(&Path) -> Measured,
}

const ENGINES: [Engine; 3] = [
    Engine {
        name: "webpki",
        measure: webpki_peer::measure,
    },
    Engine {
        name: "memory",
        measure: verifier::measure_in_memory,
    },
    Engine {
        name: "file",
        measure: verifier::measure_in_file,
    },
];

/// Result of one engine with one CRL.
struct Measured {
    load: Duration,
    /// Part of the load after the last octet was handed over.
    rest: Duration,
    /// In bytes.
    resident: u64,
    /// In bytes.
    peak: u64,
    clean: Duration,
    held: Duration,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, engine, folder] if flag == "--measure" => measure(engine, Path::new(folder)),
        [] => compare(&SIZES),
        sizes => compare(&sizes.iter().map(|size| size.parse().unwrap()).collect::<Vec<_>>()),
    }
}

fn compare(sizes: &[usize]) {
    println!(
        "{:>10}  {:<7}  {:>9}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}",
        "entries", "who", "load ms", "rest ms", "now MB", "peak MB", "clean µs", "held µs", "ratio"
    );
    for size in sizes {
        // The largest CRL has half a gigabyte: each is made, measured and removed.
        let folder = tempfile::tempdir().unwrap();
        files::make(*size, folder.path());
        for engine in &ENGINES {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--measure", engine.name])
                .arg(folder.path())
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            print!(
                "{size:>10}  {:<7}  {}",
                engine.name,
                String::from_utf8_lossy(&output.stdout)
            );
        }
    }
}

/// Measures one engine with the files of one size; prints the rest of its line.
fn measure(name: &str, folder: &Path) {
    let engine = ENGINES.iter().find(|engine| engine.name == name).unwrap();
    let measured = (engine.measure)(folder);
    println!(
        "{:>9.2}  {:>8.2}  {:>8.1}  {:>8.1}  {:>8.1}  {:>8.1}  {:>6.3}",
        measured.load.as_secs_f64() * 1e3,
        measured.rest.as_secs_f64() * 1e3,
        megabytes(measured.resident),
        megabytes(measured.peak),
        measured.clean.as_secs_f64() * 1e6,
        measured.held.as_secs_f64() * 1e6,
        measured.held.as_secs_f64() / measured.clean.as_secs_f64(),
    );
}

/// Returns the median times of both, measured alternately so that other work of the machine affects
/// both alike.
fn in_turns(first: impl Fn(), second: impl Fn()) -> (Duration, Duration) {
    const BUDGET: Duration = Duration::from_secs(3);
    const AT_LEAST: usize = 20;
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    first();
    second();
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while firsts.len() < AT_LEAST || start.elapsed() < BUDGET {
        firsts.push(time(&first));
        seconds.push(time(&second));
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        *times.get(times.len() / 2).unwrap()
    };
    (median(firsts), median(seconds))
}

#[expect(clippy::cast_precision_loss, reason = "printed with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
