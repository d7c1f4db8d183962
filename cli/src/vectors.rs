//! `alb-mtls vectors`: the verifier's verdict on each case of a file.

mod case;
mod judge;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::console::finish;
pub use case::{Case, CaseError, Expected, Tier, read_cases};
pub use judge::{Judge, Verdict};

const EXAMPLES: &str = "\
Examples:
  alb-mtls vectors vectors/headers.jsonl
  alb-mtls vectors vectors/headers.jsonl --json
  alb-mtls vectors suite.jsonl --json --plain-anchors

vectors/README.md describes a file of cases.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VectorsArguments {
    /// File of cases, one JSON object a line
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,

    #[command(flatten)]
    judge: Judge,

    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: VectorsArguments) -> ExitCode {
    finish(verdicts(&arguments.file, arguments.judge, arguments.json))
}

/// Returns one line for each case, in the order of the file.
fn verdicts(file: &Path, judge: Judge, json: bool) -> Result<String, CaseError> {
    let mut lines = String::new();
    for case in read_cases(file)? {
        let verdict = judge.judge(&case);
        let line = match json {
            true => verdict.to_json(&case.id).to_string(),
            false => format!("{}: {verdict}", case.id),
        };
        lines.push_str(&line);
        lines.push('\n');
    }
    Ok(lines)
}
