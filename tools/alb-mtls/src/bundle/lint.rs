use std::process::ExitCode;

use alb_mtls_trust::{Inspection, Loader, Severity, Sources, inspect_anchors};
use alb_mtls_verifier::Timestamp;
use clap::Args;

use super::{SourceOrPath, patience, report};
use crate::outcome::finish;

const EXIT_CODES: &str = "\
Exit codes: 0 clean or notices only, 1 errors or warnings, 2 wrong usage or a source that cannot be read";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct LintArguments {
    /// File, `ssm:/name`, `ssm:/path/*` or `s3://bucket/key`
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<SourceOrPath>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &LintArguments) -> ExitCode {
    let sources = match Sources::new(arguments.sources.iter().map(|source| source.0.clone())) {
        Ok(sources) => sources,
        Err(error) => return finish(Err(error)),
    };
    let inspection = inspect_anchors(&Loader::new(), &sources, patience(), Timestamp::now()).await;
    let text = if arguments.json {
        format!("{:#}\n", report::inspection_json(&inspection))
    } else {
        report::inspection_text(&inspection)
    };
    match finish(Ok::<_, String>(text)) {
        ExitCode::SUCCESS => exit_code(&inspection),
        code => code,
    }
}

fn exit_code(inspection: &Inspection) -> ExitCode {
    let unreadable = inspection
        .problems
        .iter()
        .any(|problem| !problem.problem.is_refusal());
    let warned = inspection
        .warnings
        .iter()
        .any(|warning| warning.severity() == Severity::Warning);
    if unreadable {
        ExitCode::from(2)
    } else if warned || !inspection.problems.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
