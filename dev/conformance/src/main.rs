//! Makes the project's vectors, and compares the verifier with suites of others.

mod corpus;
mod exceptions;
mod families;
mod suites;

use std::path::PathBuf;
use std::process::ExitCode;

use alb_mtls::console::{Exit, finish, finish_with};
use alb_mtls::vectors::Judge;
use clap::{Args, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  conformance generate --dir vectors
  conformance run suites --plain-anchors --exceptions vectors/exceptions.json

vectors/README.md describes a file of cases.
Exit codes: 0 done or as expected, 1 unexpected verdicts, 2 wrong usage or unreadable input";

/// Make the project's vectors, and compare the verifier with suites of others
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the project's own files of cases; the result is the same each time
    Generate(GenerateArguments),
    /// Judge each file of cases in a folder; print a table of suites and each disagreement
    ///
    /// Fails if a case is accepted that must be rejected, if one is rejected for a reason of
    /// another family than the suite's, if a disagreement is not listed as an exception, or if a
    /// listed exception agrees.
    Run(RunArguments),
}

#[derive(Args, Debug)]
struct GenerateArguments {
    /// Existing folder
    #[arg(long, value_name = "FOLDER", default_value = "vectors")]
    dir: PathBuf,
}

#[derive(Args, Debug)]
struct RunArguments {
    /// Folder of *.jsonl files
    folder: PathBuf,

    /// Intended disagreements, each with its reason
    #[arg(long, value_name = "FILE")]
    exceptions: Option<PathBuf>,

    #[command(flatten)]
    judge: Judge,
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Generate(arguments) => finish(corpus::generate(&arguments.dir)),
        Command::Run(arguments) => {
            let report = suites::run(
                &arguments.folder,
                arguments.exceptions.as_deref(),
                arguments.judge,
            );
            finish_with(report.map(|report| (report.to_string(), Exit::accepted(report.is_as_expected()))))
        }
    }
}
