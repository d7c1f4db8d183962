//! `alb-mtls bundle`

mod change;
mod crls;
mod forecast;
mod lint;
mod location;
pub(crate) mod objects;
mod parameters;
mod paths;
mod publish;
mod published;
mod report;
pub(crate) mod service_error;

use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use alb_mtls_trust::{Deadline, FORMS, InvalidSource, LocalFile, Source};
use clap::{Args, Subcommand};

use crate::console::block_on;

const EXAMPLES: &str = "\
Examples:
  alb-mtls bundle lint anchors.pem
  alb-mtls bundle lint 'ssm:/mtls/anchors/*' s3://pki-bundles/anchors.pem
  alb-mtls bundle lint root.pem --intermediates issuing.pem --crls s3://pki-bundles/root.crl --crls issuing.crl
  alb-mtls bundle crls --destination s3://trust/crls/ 'http://pki.example.com/CertEnroll/Example%20CA.crl'
  alb-mtls bundle publish anchors.pem --to 'ssm:/mtls/anchors/*'
  alb-mtls bundle publish anchors.pem --to s3://pki-bundles/anchors.pem --pointer ssm:/mtls/anchors

Credentials and region come from the environment, as for the functions: AWS_REGION, AWS_ACCESS_KEY_ID and so on, or a
profile. For a profile of `aws sso login`, run: eval \"$(aws configure export-credentials --format env)\"";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BundleArguments {
    #[command(subcommand)]
    command: BundleCommand,
}

#[derive(Debug, Subcommand)]
enum BundleCommand {
    /// Read trust anchors and CRLs like the functions do, and say all that is wrong or notable
    Lint(lint::LintArguments),
    /// Print the value of MTLS_CRLS for the CRLs that `refresh-crls` publishes
    Crls(published::CrlsArguments),
    /// Put trust anchors where the functions read them, after a look at what changes
    Publish(publish::PublishArguments),
}

pub(crate) fn run(arguments: BundleArguments) -> ExitCode {
    block_on(async {
        match arguments.command {
            BundleCommand::Lint(arguments) => lint::run(&arguments).await,
            BundleCommand::Crls(arguments) => published::run(&arguments).await,
            BundleCommand::Publish(arguments) => publish::run(&arguments).await,
        }
    })
}

/// Returns a long deadline: an operator prefers a slow answer to an error.
pub(crate) fn patience() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

/// A source, or the path of a file as one writes it in a shell.
#[derive(Clone, Debug)]
pub(crate) struct SourceOrPath(Source);

impl SourceOrPath {
    pub(crate) fn source(&self) -> &Source {
        &self.0
    }
}

impl FromStr for SourceOrPath {
    type Err = InvalidSource;

    fn from_str(word: &str) -> Result<Self, InvalidSource> {
        let schemes = FORMS.iter().map(|form| form.scheme.trim_end_matches('/'));
        let has_scheme = schemes.into_iter().any(|scheme| word.starts_with(scheme));
        if has_scheme || word.contains("://") || word.is_empty() {
            return word.parse().map(Self);
        }
        let path = Path::new(word);
        // Without a current directory the path stays as it is, and reading it says what is wrong.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self(LocalFile { path: absolute }.into()))
    }
}
