//! Compares our verdicts on mutated chains and CRLs with those of OpenSSL, pyca/cryptography and
//! webpki.

mod certificate;
mod choices;
mod der;
mod explanations;
mod keys;
mod list;
mod mutation;
#[cfg(test)]
mod page;
mod peers;
mod report;
mod scene;
mod seal;
mod tree;
mod values;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;

use crate::explanations::{EXPLANATIONS, differences, explain};
use crate::keys::{Keys, Signer};
use crate::peers::{Python, PythonError, Verdict, Verdicts};
use crate::report::Report;
use crate::scene::Case;

const EXAMPLES: &str = "\
Examples:
  differential --cases 20000 --seed 1
  differential --seed 1 --case 4711

Exit codes: 0 every difference is explained, 1 one is not, 2 wrong usage or a verifier that cannot be asked";

/// Compare verdicts on mutated chains and CRLs with those of OpenSSL, pyca/cryptography and webpki
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
struct CommandLine {
    /// Number of cases
    #[arg(long, default_value_t = 20_000)]
    cases: u64,

    /// Seed of all choices; the same seed makes the same cases
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Print one case and its verdicts
    #[arg(long, value_name = "NUMBER")]
    case: Option<u64>,

    /// Python with pyOpenSSL and cryptography
    #[arg(long, value_name = "FILE", default_value = ".venv/bin/python")]
    python: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error("cannot make the certificates of a case: {0}")]
    Pki(#[from] test_pki::Error),
    #[error("a thread ended with a panic, and its message is above")]
    Panic,
}

fn main() -> ExitCode {
    let arguments = CommandLine::parse();
    let result = match arguments.case {
        Some(number) => replay(&arguments, number),
        None => run(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Judges every case on all cores. Returns true if every difference is explained.
fn run(arguments: &CommandLine) -> Result<bool, RunError> {
    let started = Instant::now();
    let keys = Arc::new(Keys::new()?);
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let reports: Vec<Result<Report, RunError>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|first| {
                let numbers = (first..arguments.cases).step_by(usize::try_from(threads).unwrap_or(1));
                let keys = Arc::clone(&keys);
                scope.spawn(move || judge(numbers, arguments.seed, &arguments.python, keys))
            })
            .collect();
        let finished = running.into_iter().map(|thread| thread.join());
        finished
            .map(|report| report.unwrap_or(Err(RunError::Panic)))
            .collect()
    });
    let mut all = Report::default();
    for report in reports {
        all.merge(report?);
    }
    print!("{all}");
    println!("seed {}, {} s", arguments.seed, started.elapsed().as_secs());
    Ok(all.is_explained())
}

/// Cases that are handed over before their verdicts are read: enough to keep Python busy, and few
/// enough for their answers to fit into a pipe.
const BATCH: usize = 64;

fn judge(
    numbers: impl Iterator<Item = u64>,
    seed: u64,
    python: &Path,
    keys: Arc<Keys>,
) -> Result<Report, RunError> {
    let mut python = Python::start(python)?;
    let mut signer = Signer::new(keys);
    let mut report = Report::default();
    let mut numbers = numbers.peekable();
    while numbers.peek().is_some() {
        let mut batch = Vec::with_capacity(BATCH);
        for number in numbers.by_ref().take(BATCH) {
            let case = Case::new(seed, number, &mut signer)?;
            python.ask(&case)?;
            batch.push(case);
        }
        for case in batch {
            let verdicts = Verdicts::new(&case, python.answer()?);
            report.add(&case, &verdicts);
        }
    }
    Ok(report)
}

/// Prints one case and its verdicts.
fn replay(arguments: &CommandLine, number: u64) -> Result<bool, RunError> {
    let mut signer = Signer::new(Arc::new(Keys::new()?));
    let case = Case::new(arguments.seed, number, &mut signer)?;
    let mut python = Python::start(&arguments.python)?;
    python.ask(&case)?;
    let verdicts = Verdicts::new(&case, python.answer()?);
    println!("{case}");
    for (what, encodings) in [
        ("anchor", Some(&case.anchors)),
        ("presented", Some(&case.presented)),
        ("CRL", case.lists.as_ref()),
    ] {
        for encoding in encodings.into_iter().flatten() {
            println!("{what} {}", STANDARD.encode(encoding));
        }
    }
    let describe = |verdict: &Verdict| match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Reject(reason) => format!("reject: {reason}"),
    };
    println!("ours: {} ({})", describe(&verdicts.own), verdicts.explanation);
    for (peer, verdict) in &verdicts.peers {
        println!("{}: {}", peer.name(), describe(verdict));
    }
    let mut is_explained = true;
    for (difference, reason) in differences(&verdicts) {
        let row = explain(&case, difference, &reason).and_then(|row| EXPLANATIONS.get(row));
        is_explained &= row.is_some();
        let name = row.map_or("UNEXPLAINED", |row| row.name);
        println!("{difference:?}: {name}");
    }
    Ok(is_explained)
}
