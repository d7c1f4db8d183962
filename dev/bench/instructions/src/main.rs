//! `make instructions`: instructions of the hot paths, compared with stored counts.
//!
//! Each path runs under valgrind's callgrind twice, with more and with fewer repetitions; the
//! difference is what the path itself takes, without its set-up. What is spent inside AWS-LC is
//! left out: signatures and digests are not ours, and AWS-LC chooses its code by the processor.
//! What is left differs by one or two percent between runs, because hash tables have random seeds
//! and the allocator depends on addresses, and by little between machines.
//!
//! gungraun (formerly iai-callgrind) was considered. It compares all instructions of a function,
//! those of AWS-LC included, so that counts of one processor would not hold for another; it keeps
//! baselines as callgrind's output below `target`, not as counts in the repository; and it needs a
//! runner of exactly its version to be installed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot be made has no result"
)]

mod callgrind;
mod counts;
mod paths;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;

use crate::callgrind::Profile;
use crate::counts::{Counts, Standing};
use crate::paths::HotPath;

/// Counts the instructions of the hot paths and compares them with stored counts.
#[derive(Parser)]
struct Arguments {
    /// The stored counts.
    #[arg(long, value_name = "FILE")]
    counts: PathBuf,
    /// Stores the counts instead of comparing them.
    #[arg(long)]
    update: bool,
    /// Runs one path so many times and counts nothing: what callgrind runs.
    #[arg(long, num_args = 2, value_names = ["PATH", "TIMES"])]
    run: Option<Vec<String>>,
}

const FEW: u64 = 20;
const MANY: u64 = 120;

/// Share by which a count may exceed the stored one.
const TOLERANCE: f64 = 0.10;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some([path, times]) = arguments.run.as_deref() {
        let path = HotPath::named(path).unwrap_or_else(|| panic!("`{path}` is not a path"));
        path.run(times.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    let mut counted = Counts::default();
    for path in HotPath::ALL {
        eprintln!("… {}", path.name());
        counted.set(path.name(), measure(*path));
    }
    if arguments.update {
        counted.write(&arguments.counts);
        println!("{counted}");
        return ExitCode::SUCCESS;
    }
    let stored = Counts::read(&arguments.counts);
    let mut is_good = true;
    println!(
        "{:<26} {:>12} {:>12} {:>8}",
        "path", "stored", "counted", "change"
    );
    for (name, count) in counted.iter() {
        let standing = Standing::of(count, stored.get(name), TOLERANCE);
        is_good &= standing.is_good();
        println!("{name:<26} {standing}");
    }
    if is_good {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "a path takes over {:.0} % more instructions than stored: make it quicker, or store the new count with \
         `make instructions UPDATE=1` and say why",
        TOLERANCE * 100.0
    );
    ExitCode::FAILURE
}

/// Instructions of one run of a path, outside of AWS-LC.
fn measure(path: HotPath) -> u64 {
    let [few, many] = [FEW, MANY].map(|times| profile(path, times).outside_of_aws_lc());
    many.saturating_sub(few) / (MANY - FEW)
}

fn profile(path: HotPath, times: u64) -> Profile {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-line=no"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe().expect("a running program has a path"))
        .args(["--counts", "none", "--run", path.name(), &times.to_string()])
        .output()
        .unwrap_or_else(|error| {
            panic!("valgrind cannot be run ({error}): it is Debian's package `valgrind`")
        });
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Profile::parse(&std::fs::read_to_string(file).expect("callgrind's output"))
}
