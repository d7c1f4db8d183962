use std::process::ExitCode;

use alb_mtls_trust::{InspectedSources, Inspection, InvalidSources, Loader, Severity, Sources, inspect};
use alb_mtls_verifier::{SignatureAlgorithms, Timestamp, VerifyOptions};
use clap::Args;

use super::{SourceOrPath, forecast, paths, patience, report};
use crate::console::{Exit, finish_with};

const EXIT_CODES: &str = "\
Every SOURCE is a file, `ssm:/name`, `ssm:/path/*` or `s3://bucket/key`.

Each trust anchor and intermediate is put to the rules that a client below it will meet: one below which no client can
be accepted is an error. For each trust anchor it says which intermediates lead to it.

With --crls it says too what MTLS_REVOCATION=strict will make of the certificates of each CA; a CA is a name and a key,
however many certificates it has.

Exit codes: 0 no errors, 1 errors, or a CA without a CRL that counts now, 2 wrong usage or a source that cannot be read;
with --deny-warnings a warning counts as an error";

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

    /// Certificates below the trust anchor, as MTLS_MAX_DEPTH
    #[arg(long, value_name = "NUMBER", default_value_t = VerifyOptions::default().max_depth)]
    max_depth: usize,

    /// Signature algorithms that are allowed, as MTLS_SIGNATURES [default: all]
    #[arg(long, value_name = "ALGORITHMS")]
    signatures: Option<SignatureAlgorithms>,

    /// End with 1 for warnings too
    #[arg(long)]
    deny_warnings: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &LintArguments) -> ExitCode {
    let now = Timestamp::now();
    finish_with(inspection(arguments, now).await.map(|inspection| {
        let text = match arguments.json {
            true => format!("{:#}\n", report::inspection_json(&inspection)),
            false => report::inspection_text(&inspection),
        };
        (text, exit(&inspection, arguments.deny_warnings))
    }))
}

async fn inspection(arguments: &LintArguments, now: Timestamp) -> Result<Inspection, InvalidSources> {
    let anchors = sources(&arguments.anchors)?;
    let intermediates = sources(&arguments.intermediates)?;
    let crls = sources(&arguments.crls)?;
    let inspected = InspectedSources {
        anchors: anchors.as_ref(),
        intermediates: intermediates.as_ref(),
        crls: crls.as_ref(),
        options: VerifyOptions {
            max_depth: arguments.max_depth,
            signatures: arguments.signatures.unwrap_or_default(),
            ..VerifyOptions::default()
        },
    };
    Ok(inspect(&Loader::new(), inspected, patience(), now).await)
}

fn sources(words: &[SourceOrPath]) -> Result<Option<Sources>, InvalidSources> {
    if words.is_empty() {
        return Ok(None);
    }
    Sources::new(words.iter().map(|source| source.0.clone())).map(Some)
}

fn exit(inspection: &Inspection, deny_warnings: bool) -> Exit {
    let unreadable = inspection.errors.iter().any(|error| !error.is_refusal());
    let warned = inspection
        .warnings
        .iter()
        .any(|warning| warning.severity() == Severity::Warning);
    let refused = !inspection.errors.is_empty()
        || paths::errors(inspection).next().is_some()
        || inspection.forecasts.iter().any(forecast::is_refused)
        || forecast::uncleared(inspection).next().is_some();
    if unreadable {
        Exit::Unusable
    } else {
        Exit::accepted(!(refused || warned && deny_warnings))
    }
}
