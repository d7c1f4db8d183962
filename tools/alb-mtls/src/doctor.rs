//! `alb-mtls doctor`

mod checks;
mod deployment;
mod described;
mod live;
mod node;
mod report;
mod template;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::outcome::finish;
use checks::Finding;
use deployment::Deployment;
use described::DescribedError;
use live::{LiveError, Subject};
use node::{Node, NodeError};
use report::Report;
use world::World;

const EXAMPLES: &str = "\
Examples:
  alb-mtls doctor template.yaml
  alb-mtls doctor --stack alb-mtls
  alb-mtls doctor --load-balancer gate
  alb-mtls doctor --stack alb-mtls --save stack/, and later alb-mtls doctor stack/

--stack and --load-balancer run the AWS command line, `aws`, which has the region and the credentials: AWS_REGION and AWS_PROFILE say others.
A folder, or several files, may hold what it prints instead, each answer in a file of its own ending in .json:
  aws elbv2 describe-listeners --load-balancer-arn ARN
  aws elbv2 describe-rules --listener-arn ARN
  aws elbv2 describe-listener-attributes --listener-arn ARN         with the end of the ARN in the file's name
  aws elbv2 describe-target-groups --load-balancer-arn ARN
  aws elbv2 describe-target-group-attributes --target-group-arn ARN with the group's name in the file's name
  aws lambda get-function-configuration --function-name NAME
  aws lambda get-policy --function-name NAME
  aws lambda get-function-url-config --function-name NAME           where there is one
  aws logs describe-log-groups --log-group-name-prefix PREFIX
  aws apigateway get-authorizers --rest-api-id ID, aws apigatewayv2 get-authorizers --api-id ID
  aws apigateway get-rest-api --rest-api-id ID, aws apigatewayv2 get-api --api-id ID
  aws s3api get-public-access-block --bucket NAME, get-bucket-versioning, get-bucket-policy
                                       with the bucket's name in the file's name, where functions read several

Exit codes: 0 nothing found; 1 something opens the gate; 2 a file or the stack cannot be read, or there is no gate in it";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArguments {
    /// Templates (YAML or JSON), answers of the AWS command line (JSON), or folders of them
    #[arg(
        value_name = "FILE",
        required_unless_present_any = ["stack", "load_balancer"],
        conflicts_with_all = ["stack", "load_balancer"]
    )]
    files: Vec<PathBuf>,

    /// Look at a deployed CloudFormation stack; reads, and changes nothing
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,

    /// Look at a load balancer, whatever made it, and at the functions behind it; reads, and changes nothing
    #[arg(long, value_name = "NAME", conflicts_with = "stack")]
    load_balancer: Option<String>,

    /// Keep what AWS says of either in a folder, which must be new or empty
    #[arg(long, value_name = "FOLDER", conflicts_with = "files")]
    save: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum DoctorError {
    #[error("cannot read `{}`: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("`{}`: {error}", path.display())]
    Node { path: PathBuf, error: NodeError },
    #[error("`{file}`: {error}")]
    Described { file: String, error: DescribedError },
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error("`{}` is Terraform, which is not read: deploy it, and look at what it made with `--load-balancer NAME`", path.display())]
    Terraform { path: PathBuf },
    #[error("`{}` holds no .json, .yaml or .yml file", path.display())]
    EmptyFolder { path: PathBuf },
    #[error("there is no gate in it: no function has MTLS_ANCHORS, and no listener is in passthrough mode")]
    NoGate,
}

pub(crate) fn run(arguments: DoctorArguments) -> ExitCode {
    let examined = examine(&arguments);
    let has_findings = matches!(&examined, Ok(report) if report.has_findings());
    let text = examined.map(|report| match arguments.json {
        true => report.to_json(),
        false => report.to_text(report::Colour::of_terminal()),
    });
    match finish(text) {
        ExitCode::SUCCESS if has_findings => ExitCode::FAILURE,
        code => code,
    }
}

fn examine(arguments: &DoctorArguments) -> Result<Report, DoctorError> {
    let mut findings: BTreeSet<Finding> = BTreeSet::new();
    let mut looked_at = Vec::new();
    let subject = match (&arguments.stack, &arguments.load_balancer) {
        (Some(name), _) => Some(Subject::Stack(name)),
        (None, Some(name)) => Some(Subject::LoadBalancer(name)),
        (None, None) => None,
    };
    let mut answers = match subject {
        Some(subject) => described_live(subject, arguments.save.as_deref())?,
        None => Vec::new(),
    };
    for path in files(&arguments.files)? {
        if path.extension().is_some_and(|extension| extension == "tf") {
            return Err(DoctorError::Terraform { path });
        }
        let text = fs::read_to_string(&path).map_err(|error| file_error(&path, error))?;
        let node = Node::parse(&text).map_err(|error| DoctorError::Node {
            path: path.clone(),
            error,
        })?;
        if node.get("Resources").is_none() {
            answers.push((path.display().to_string(), node));
            continue;
        }
        for world in World::all_of(&node) {
            let mut deployment = Deployment::default();
            template::read(&node, &world, &path.display().to_string(), &mut deployment);
            findings.append(&mut checks::all(&deployment));
            looked_at.push(deployment);
        }
    }
    if !answers.is_empty() {
        let deployment = stack(answers)?;
        findings.append(&mut checks::all(&deployment));
        looked_at.push(deployment);
    }
    if !looked_at.iter().any(checks::has_gate) {
        return Err(DoctorError::NoGate);
    }
    Ok(Report::new(findings, &looked_at))
}

/// One deployment from everything that the AWS command line said.
fn stack(mut answers: Vec<(String, Node)>) -> Result<Deployment, DoctorError> {
    answers.sort_by_key(|(_, answer)| described::order(answer));
    let mut deployment = Deployment::default();
    for (file, answer) in answers {
        described::read(&answer, &file, &mut deployment)
            .map_err(|error| DoctorError::Described { file, error })?;
    }
    Ok(deployment)
}

/// What the AWS command line says, by the command that says it.
fn described_live(subject: Subject<'_>, save: Option<&Path>) -> Result<Vec<(String, Node)>, DoctorError> {
    let answers = live::describe(subject)?;
    if let Some(folder) = save {
        live::save(&answers, folder)?;
    }
    Ok(answers
        .into_iter()
        .map(|answer| (answer.command, answer.node))
        .collect())
}

/// Files, and the files in folders, in order.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DoctorError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        for entry in fs::read_dir(path).map_err(|error| file_error(path, error))? {
            let file = entry.map_err(|error| file_error(path, error))?.path();
            let extension = file.extension().and_then(|extension| extension.to_str());
            if matches!(extension, Some("json" | "yaml" | "yml")) {
                files.push(file);
            }
        }
        if files.len() == before {
            return Err(DoctorError::EmptyFolder { path: path.clone() });
        }
    }
    files.sort();
    Ok(files)
}

fn file_error(path: &Path, error: io::Error) -> DoctorError {
    DoctorError::File {
        path: path.to_owned(),
        error,
    }
}
