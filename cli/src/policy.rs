//! `alb-mtls policy`

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use alb_mtls_http::host::RequestHost;
use alb_mtls_policy::{
    Policies, PolicyErrors, PolicyInput, PolicyOutcome, RequestFacts, SCHEMA, SourceAddress,
};
use alb_mtls_verifier::{
    ClientIdentity, IdentityExtensions, Intermediates, Rejection, Timestamp, Verifier, VerifyOptions,
    read_text,
};
use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use crate::console::{Exit, finish, finish_with};
use crate::files::{self, FileError};

const EXAMPLES: &str = "\
Examples:
  alb-mtls policy check deploy/policies/path-by-role.cedar
  alb-mtls policy check deploy/policies/path-by-role.cedar --pem client.pem --anchors anchors.pem --method GET --host api.example.org \\
      --path /orders/7
  alb-mtls policy check deploy/policies/anonymous-paths.cedar --anonymous --path /status
  alb-mtls policy check deploy/policies/device-by-extension.cedar --extensions \\
      'device_id=1.3.6.1.4.1.99999.1 device_class=1.3.6.1.4.1.99999.2'
  alb-mtls policy schema > alb-mtls.cedarschema

Exit codes of check: 0 valid policies, and the request is allowed; 1 the request is denied; 2 a file cannot be used";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PolicyArguments {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Check Cedar policies, and show if they allow a request and which of them decide
    Check(Box<CheckArguments>),
    /// Print the schema that policies are checked against
    Schema,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("principal").args(["pem", "anonymous"]))]
struct CheckArguments {
    /// Policy files; together they are one set
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Chain that a client presents, leaf first
    #[arg(long, value_name = "FILE", requires = "anchors")]
    pem: Option<PathBuf>,

    /// Trust anchors that the chain must lead to
    #[arg(long, value_name = "FILE", requires = "pem")]
    anchors: Option<PathBuf>,

    /// Extensions that are part of an identity, as MTLS_EXTENSIONS
    #[arg(long, value_name = "OIDS")]
    extensions: Option<IdentityExtensions>,

    /// The client presents no certificate
    #[arg(long)]
    anonymous: bool,

    /// Method of the request [default: GET]
    #[arg(long, requires = "principal")]
    method: Option<String>,

    /// Path of the request, as it is sent; a query is left out [default: /]
    #[arg(long, requires = "principal")]
    path: Option<String>,

    /// Host header of the request
    #[arg(long, requires = "principal")]
    host: Option<String>,

    /// Address of the client, as the load balancer sees it
    #[arg(long, value_name = "IP", requires = "principal")]
    source_address: Option<IpAddr>,

    /// Target group of the request
    #[arg(long, value_name = "ARN", requires = "principal")]
    target_group: Option<String>,

    /// Time to decide at, such as 2026-11-22T05:29:00Z [default: now]
    #[arg(long, value_name = "RFC3339", requires = "principal", value_parser = Timestamp::parse_rfc3339)]
    at: Option<Timestamp>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    File(#[from] FileError),

    #[error("`{}` {found}", path.display())]
    NotText { path: PathBuf, found: String },

    #[error("{}", each(.0))]
    Policies(PolicyErrors),
}

/// Returns one line for each error.
fn each(errors: &PolicyErrors) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\nerror: ")
}

pub(crate) fn run(arguments: PolicyArguments) -> ExitCode {
    match arguments.command {
        PolicyCommand::Schema => finish(Ok::<_, Failure>(SCHEMA.to_owned())),
        PolicyCommand::Check(arguments) => finish_with(check(&arguments)),
    }
}

fn check(arguments: &CheckArguments) -> Result<(String, Exit), Failure> {
    let extensions = arguments.extensions.clone().unwrap_or_default();
    let policies = read_policies(&arguments.files, &extensions)?;
    let now = arguments.at.unwrap_or_else(Timestamp::now);
    let client = match (&arguments.pem, &arguments.anchors) {
        (Some(pem), Some(anchors)) => Some(verify(pem, anchors, extensions, now)?),
        _ => None,
    };
    if client.is_none() && !arguments.anonymous {
        let report = describe(&policies, arguments.json);
        return Ok((report, Exit::Done));
    }
    let answer = match client {
        Some(Err(rejection)) => Answer::CertificateRefused(rejection),
        Some(Ok(identity)) => {
            let decision = decide(&policies, Some(&identity), arguments, now);
            Answer::Decided(Some(identity), decision)
        }
        None => Answer::Decided(None, decide(&policies, None, arguments, now)),
    };
    let report = match arguments.json {
        true => format!("{}\n", answer.to_json()),
        false => format!("{}{answer}\n", warnings(&policies)),
    };
    Ok((report, answer.exit()))
}

fn read_policies(files: &[PathBuf], extensions: &IdentityExtensions) -> Result<Policies, Failure> {
    let texts = files.iter().map(|path| {
        let text = read_text(files::read(path)?).map_err(|found| Failure::NotText {
            path: path.clone(),
            found,
        })?;
        Ok((path.display().to_string(), text))
    });
    let texts = texts.collect::<Result<Vec<_>, Failure>>()?;
    let sources = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let policies = Policies::parse_all(sources).map_err(Failure::Policies)?;
    policies.check_extensions(extensions).map_err(Failure::Policies)?;
    Ok(policies)
}

/// Verifies the chain with the functions' default options.
fn verify(
    pem: &Path,
    anchors: &Path,
    extensions: IdentityExtensions,
    now: Timestamp,
) -> Result<Result<Arc<ClientIdentity>, Rejection>, FileError> {
    let trusted = files::trust_anchors(anchors)?;
    let chain = files::presented_chain(pem)?;
    let verifier = Verifier::new(trusted, Intermediates::default(), VerifyOptions::default())
        .with_identity_extensions(extensions);
    Ok(verifier
        .verify(&chain, now)
        .map(|client| Arc::clone(client.identity())))
}

fn decide(
    policies: &Policies,
    client: Option<&ClientIdentity>,
    arguments: &CheckArguments,
    now: Timestamp,
) -> PolicyOutcome {
    let target = arguments.path.as_deref().unwrap_or("/");
    let (path, _) = target.split_once('?').unwrap_or((target, ""));
    policies.decide(&PolicyInput {
        client,
        request: RequestFacts {
            method: arguments.method.as_deref().unwrap_or("GET"),
            path,
            host: &RequestHost::from_header(arguments.host.as_deref()),
            target_group: arguments.target_group.as_deref(),
            source_address: arguments
                .source_address
                .map_or(SourceAddress::Absent, SourceAddress::Known),
        },
        now,
    })
}

fn describe(policies: &Policies, json: bool) -> String {
    if json {
        let warnings: Vec<String> = policies.warnings().iter().map(ToString::to_string).collect();
        let object = json!({"policies": policies.ids(), "version": policies.version(), "warnings": warnings});
        return format!("{object}\n");
    }
    let count = match policies.ids() {
        [_] => "1 policy fits".to_owned(),
        ids => format!("{} policies fit", ids.len()),
    };
    format!(
        "{}{count} the schema: {}\n",
        warnings(policies),
        list(policies.ids())
    )
}

fn warnings(policies: &Policies) -> String {
    policies
        .warnings()
        .iter()
        .map(|warning| format!("warning: {warning}\n"))
        .collect()
}

fn list(policies: &[Arc<str>]) -> String {
    let quoted: Vec<String> = policies.iter().map(|policy| format!("`{policy}`")).collect();
    quoted.join(", ")
}

/// Result for a request.
enum Answer {
    /// Policies are not asked about a client that is not verified.
    CertificateRefused(Rejection),
    /// `None` for an anonymous client.
    Decided(Option<Arc<ClientIdentity>>, PolicyOutcome),
}

impl Answer {
    fn exit(&self) -> Exit {
        Exit::accepted(matches!(self, Self::Decided(_, PolicyOutcome::Allow { .. })))
    }

    fn to_json(&self) -> Value {
        match self {
            Self::CertificateRefused(rejection) => json!({
                "verdict": "refuse",
                "code": rejection.code(),
                "detail": rejection.detail(),
                "explanation": rejection.to_string(),
                "policies": [],
                "client": null,
            }),
            Self::Decided(client, decision) => {
                let (verdict, detail, explanation) = match decision {
                    PolicyOutcome::Allow { .. } => ("pass", "", String::new()),
                    PolicyOutcome::Deny(denial) => ("refuse", denial.detail(), denial.to_string()),
                };
                json!({
                    "verdict": verdict,
                    "code": "",
                    "detail": detail,
                    "explanation": explanation,
                    "policies": decision.policies(),
                    "client": client.as_deref(),
                })
            }
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateRefused(rejection) => {
                write!(
                    formatter,
                    "refused: {} {}: {rejection}",
                    rejection.code(),
                    rejection.detail()
                )
            }
            Self::Decided(_, PolicyOutcome::Allow { policies }) => {
                write!(formatter, "passes: permitted by {}", list(policies))
            }
            Self::Decided(_, PolicyOutcome::Deny(denial)) => {
                write!(formatter, "refused: {}: {denial}", denial.detail())
            }
        }
    }
}
