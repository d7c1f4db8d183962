//! `alb-mtls vectors`

mod case;
mod conformance;
mod corpus;
mod exceptions;
mod judge;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};

use crate::outcome::finish;
use case::CaseError;
use judge::Judge;

const EXAMPLES: &str = "\
Examples:
  alb-mtls vectors vectors/headers.jsonl
  alb-mtls vectors vectors/headers.jsonl --json
  alb-mtls vectors generate --dir vectors
  alb-mtls vectors --conformance suites --exceptions vectors/exceptions.json

vectors/README.md describes a file of cases. With --conformance, the exit code is 1 when a case is accepted that must be
refused, or when a disagreement is not listed as an exception, or a listed one is none.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(group = ArgGroup::new("cases").required(true))]
pub(crate) struct VectorsArguments {
    #[command(subcommand)]
    command: Option<VectorsCommand>,

    /// File of cases, one JSON object a line; prints one verdict a line
    #[arg(value_name = "FILE.jsonl", group = "cases")]
    file: Option<PathBuf>,

    /// Folder of such files; prints a table of suites and every disagreement
    #[arg(long, value_name = "FOLDER", group = "cases")]
    conformance: Option<PathBuf>,

    /// Disagreements that are on purpose, each with its reason
    #[arg(long, value_name = "FILE", requires = "conformance")]
    exceptions: Option<PathBuf>,

    /// Certificates below the trust anchor; the suites' chains are longer than a load balancer's
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    max_depth: usize,

    /// Print JSON, one object a line
    #[arg(long, conflicts_with = "conformance")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum VectorsCommand {
    /// Write the project's own files of cases; the same come out each time
    Generate(GenerateArguments),
}

#[derive(Args, Debug)]
struct GenerateArguments {
    /// Folder that is there
    #[arg(long, value_name = "FOLDER", default_value = "vectors")]
    dir: PathBuf,
}

pub(crate) fn run(arguments: VectorsArguments) -> ExitCode {
    if let Some(VectorsCommand::Generate(arguments)) = &arguments.command {
        return finish(corpus::generate(&arguments.dir));
    }
    let judge = Judge {
        max_depth: arguments.max_depth,
    };
    if let Some(folder) = &arguments.conformance {
        return match conformance::run(folder, arguments.exceptions.as_deref(), judge) {
            Ok(report) => {
                let as_expected = report.is_as_expected();
                match finish(Ok::<_, CaseError>(report.to_string())) {
                    ExitCode::SUCCESS if !as_expected => ExitCode::FAILURE,
                    code => code,
                }
            }
            Err(error) => finish(Err(error)),
        };
    }
    let Some(file) = &arguments.file else {
        return finish(Err("name a file of cases, or --conformance and a folder"));
    };
    finish(verdicts(file, judge, arguments.json))
}

/// One line for each case, in the order of the file.
fn verdicts(file: &std::path::Path, judge: Judge, json: bool) -> Result<String, CaseError> {
    let mut lines = String::new();
    for case in case::read_file(file)? {
        let verdict = judge.judge(&case);
        let line = if json {
            verdict.to_json(&case.id).to_string()
        } else {
            format!("{}: {verdict}", case.id)
        };
        lines.push_str(&line);
        lines.push('\n');
    }
    Ok(lines)
}
