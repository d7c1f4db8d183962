//! `alb-mtls clients`

mod inventory;
mod log_lines;

use std::path::PathBuf;
use std::process::ExitCode;

use alb_mtls_verifier::Timestamp;
use clap::Args;

use crate::console::finish;
use crate::files::{self, FileError};
use inventory::Inventory;
use log_lines::LogLines;

const EXAMPLES: &str = "\
Examples:
  aws logs tail /aws/lambda/respond --since 30d --format short | alb-mtls clients --logs -
  alb-mtls clients --logs export.log --anchors anchors.pem
  gunzip -c export/*/*.gz | alb-mtls clients --logs - --json

Lines other than decision records are skipped. Where allowed requests are sampled, clients with few requests can be
missing; denied requests are always recorded.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ClientsArguments {
    /// Log of a function, or `-` for the standard input
    #[arg(long, value_name = "FILE")]
    logs: PathBuf,

    /// Trust anchors in use, to list also those without clients
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,

    /// Time from which days are counted, such as 2026-11-22T05:29:00Z [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = Timestamp::parse_rfc3339)]
    at: Option<Timestamp>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    File(#[from] FileError),

    #[error(
        "there is no decision record that can be read in `{}`: {other_lines} other lines, {unreadable} records unreadable",
        path.display()
    )]
    NoRecord {
        path: PathBuf,
        other_lines: u64,
        unreadable: u64,
    },
}

pub(crate) fn run(arguments: ClientsArguments) -> ExitCode {
    finish(list(&arguments))
}

fn list(arguments: &ClientsArguments) -> Result<String, Failure> {
    let mut inventory = Inventory::default();
    if let Some(path) = &arguments.anchors {
        for anchor in files::anchors(path)? {
            inventory.expect(&anchor.id().to_string(), &anchor.subject().to_string());
        }
    }
    let path = &arguments.logs;
    let lines = LogLines::read(files::open(path)?, |record| inventory.take(record));
    let lines = lines.map_err(FileError::unreadable(path))?;
    if lines.records == 0 {
        return Err(Failure::NoRecord {
            path: path.clone(),
            other_lines: lines.other,
            unreadable: lines.unreadable,
        });
    }
    let now = arguments.at.unwrap_or_else(Timestamp::now);
    Ok(match arguments.json {
        true => format!("{}\n", inventory.to_json(&lines, now)),
        false => inventory.to_text(&lines, now),
    })
}
