use std::process::ExitCode;

use alb_mtls_trust::{InspectedSources, Inspection, InvalidSources, Loader, Severity, Sources, inspect};
use alb_mtls_verifier::Timestamp;
use clap::Args;

use super::crls::StrictVerdict;
use super::{SourceOrPath, patience, report};
use crate::outcome::finish;

const EXIT_CODES: &str = "\
Every SOURCE is a file, `ssm:/name`, `ssm:/path/*` or `s3://bucket/key`.

With --crls it says too what MTLS_REVOCATION=strict would make of the certificates of each trust anchor and
intermediate.

Exit codes: 0 clean or notices only, 1 errors, warnings, or an issuer without a CRL that counts now, 2 wrong usage or a
source that cannot be read";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct LintArguments {
    /// Trust anchors
    #[arg(value_name = "SOURCE", required_unless_present_any = ["crls", "intermediates"])]
    anchors: Vec<SourceOrPath>,

    /// Untrusted intermediates, may be repeated
    #[arg(long, value_name = "SOURCE")]
    intermediates: Vec<SourceOrPath>,

    /// CRLs, may be repeated
    #[arg(long, value_name = "SOURCE")]
    crls: Vec<SourceOrPath>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &LintArguments) -> ExitCode {
    let now = Timestamp::now();
    let inspection = match inspection(arguments, now).await {
        Ok(inspection) => inspection,
        Err(error) => return finish(Err(error)),
    };
    let verdicts: Vec<StrictVerdict<'_>> = inspection
        .issuers
        .iter()
        .map(|issuer| StrictVerdict::of(issuer, now))
        .collect();
    let text = if arguments.json {
        format!("{:#}\n", report::inspection_json(&inspection, &verdicts))
    } else {
        report::inspection_text(&inspection, &verdicts)
    };
    match finish(Ok::<_, String>(text)) {
        ExitCode::SUCCESS => exit_code(&inspection, &verdicts),
        code => code,
    }
}

async fn inspection(arguments: &LintArguments, now: Timestamp) -> Result<Inspection, InvalidSources> {
    let anchors = sources(&arguments.anchors)?;
    let intermediates = sources(&arguments.intermediates)?;
    let crls = sources(&arguments.crls)?;
    let inspected = InspectedSources {
        anchors: anchors.as_ref(),
        intermediates: intermediates.as_ref(),
        crls: crls.as_ref(),
    };
    Ok(inspect(&Loader::new(), inspected, patience(), now).await)
}

fn sources(words: &[SourceOrPath]) -> Result<Option<Sources>, InvalidSources> {
    if words.is_empty() {
        return Ok(None);
    }
    Sources::new(words.iter().map(|source| source.0.clone())).map(Some)
}

fn exit_code(inspection: &Inspection, verdicts: &[StrictVerdict<'_>]) -> ExitCode {
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
    } else if warned || !inspection.problems.is_empty() || verdicts.iter().any(StrictVerdict::refuses) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
