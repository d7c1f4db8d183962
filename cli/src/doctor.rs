//! `alb-mtls doctor`

mod aws;
mod checks;
mod cloudformation;
mod facts;
mod input;
mod kubernetes;
mod networks;
mod node;
mod page;
mod report;
mod resources;
mod rules;
mod terraform;
mod text;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::console::{Colours, Exit, finish, finish_with, note};
use aws::described;
use aws::live::{self, LiveError, Subject};
use checks::Outcome;
use cloudformation::combinations;
use cloudformation::program::Program;
use facts::{Deployment, Place, Unread};
use input::Input;
use node::Node;
use report::{Answer, Extent, Report, Strictness};

const EXAMPLES: &str = "\
Examples:
  alb-mtls doctor template.yaml --parameter ListenerArn=
  alb-mtls doctor cdk.out/ --deny-warnings
  terraform show -json plan.out > plan.json && alb-mtls doctor plan.json
  kubectl get ingress,service,deployment -o yaml > app.yaml && alb-mtls doctor app.yaml
  alb-mtls doctor --stack alb-mtls
  alb-mtls doctor --load-balancer gate
  alb-mtls doctor --stack alb-mtls --save stack/, and later alb-mtls doctor stack/
  alb-mtls doctor template.yaml --accept nested-stack:Network --parameter HeaderName=x-7f3a

--stack and --load-balancer run the AWS command line, `aws`, which has the region and the credentials: AWS_REGION and AWS_PROFILE say others.
A folder, or several files, can contain what it prints instead, each answer in a file of its own ending in .json:
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

Exit codes: 0 nothing opens the gate, and everything was looked at; 1 something opens it; 2 wrong usage, a file or the stack cannot be read,
or there is no gate in it; 3 nothing was found, and something was not looked at";

/// Something was not looked at.

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArguments {
    /// Templates, Terraform plans (JSON), Kubernetes manifests, answers of the AWS command line
    /// (JSON), or folders of them
    #[arg(
        value_name = "FILE",
        required_unless_present_any = ["stack", "load_balancer", "rules"],
        conflicts_with_all = ["stack", "load_balancer", "rules"]
    )]
    files: Vec<PathBuf>,

    /// Look at a deployed CloudFormation stack; reads, and changes nothing
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,

    /// Look at a load balancer, whatever made it, and at the functions behind it; reads, and
    /// changes nothing
    #[arg(long, value_name = "NAME", conflicts_with = "stack")]
    load_balancer: Option<String>,

    /// Keep what AWS says of either in a folder, which must be new or empty
    #[arg(long, value_name = "FOLDER", conflicts_with = "files")]
    save: Option<PathBuf>,

    /// Value of a parameter of a template, instead of its default and all others
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    parameter: Vec<(String, String)>,

    /// Finding (CHECK:RESOURCE) or thing not looked at (KIND:NAME) to leave out, as the report
    /// names it
    #[arg(long, value_name = "CHECK:RESOURCE")]
    accept: Vec<String>,

    /// Count warnings as errors
    #[arg(long)]
    deny_warnings: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Print SARIF, for code scanning
    #[arg(long, conflicts_with = "json")]
    sarif: bool,

    /// Print every rule, with its reason and samples, as Markdown
    #[arg(long, conflicts_with_all = ["stack", "load_balancer", "json", "sarif"])]
    rules: bool,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn run(arguments: DoctorArguments) -> ExitCode {
    if arguments.rules {
        return finish(Ok::<_, LiveError>(page::markdown()));
    }
    let report = match examine(&arguments) {
        Ok(report) => report,
        Err(error) => return failed(&arguments, &error),
    };
    let text = match (arguments.json, arguments.sarif) {
        (true, _) => report.to_json(),
        (_, true) => report.to_sarif(),
        _ if report.is_empty() => String::new(),
        _ => report.to_text(Colours::of_stdout()),
    };
    let exit = match report.answer() {
        Answer::Clean => Exit::Done,
        Answer::Findings => Exit::Rejected,
        Answer::NotLookedAt => Exit::Incomplete,
        Answer::Unreadable => Exit::Unusable,
    };
    let code = finish_with(Ok::<_, LiveError>((text, exit)));
    for error in report.errors() {
        note(format!("error: {error}"));
    }
    code
}

/// Says why AWS could not be asked, in the form that was wanted too.
fn failed(arguments: &DoctorArguments, error: &LiveError) -> ExitCode {
    let text = match (arguments.json, arguments.sarif) {
        (true, _) => format!(
            "{}\n",
            json!({"answer": Answer::Unreadable, "error": error.to_string()})
        ),
        (_, true) => report::error_as_sarif(&error.to_string()),
        _ => return finish(Err::<String, _>(error)),
    };
    finish(Ok::<_, LiveError>(text));
    finish(Err::<String, _>(error))
}

fn examine(arguments: &DoctorArguments) -> Result<Report, LiveError> {
    let mut input = Input::read(&arguments.files);
    let subject = match (&arguments.stack, &arguments.load_balancer) {
        (Some(name), _) => Some(Subject::Stack(name)),
        (None, Some(name)) => Some(Subject::LoadBalancer(name)),
        (None, None) => None,
    };
    if let Some(subject) = subject {
        input.answers = described_live(subject, arguments.save.as_deref())?;
    }
    let mut findings = BTreeMap::new();
    let mut unread = std::mem::take(&mut input.unread);
    let mut deployments = Vec::new();
    let mut extent = Extent {
        combinations: 0,
        is_exhaustive: true,
    };
    let given = arguments.parameter.iter().cloned().collect();
    for program in Program::all_of(input.templates, &given) {
        let examination = combinations::examine(&program);
        extent.combinations += examination.combinations;
        extent.is_exhaustive &= examination.is_exhaustive;
        findings.extend(examination.findings);
        unread.extend(examination.unread);
        deployments.extend(examination.deployments);
    }
    let plans = input.plans.iter().map(|(file, plan)| terraform::read(file, plan));
    let manifests = (!input.manifests.is_empty()).then(|| kubernetes::read(&input.manifests));
    let described = answers(input.answers);
    for deployment in plans.chain(manifests).chain(described) {
        let Outcome {
            findings: found,
            unread: missed,
        } = checks::all(&deployment);
        findings.extend(found.into_iter().map(|finding| (finding, Vec::new())));
        unread.extend(missed);
        deployments.push(deployment);
    }
    let strictness = Strictness {
        accepted: arguments.accept.iter().cloned().collect(),
        deny_warnings: arguments.deny_warnings,
    };
    Ok(Report::new(findings, unread, &deployments, extent, &strictness))
}

/// Returns one deployment from everything that the AWS command line said.
fn answers(mut answers: Vec<(String, Node)>) -> Option<Deployment> {
    if answers.is_empty() {
        return None;
    }
    answers.sort_by_key(|(_, answer)| described::order(answer));
    let mut deployment = Deployment::default();
    for (file, answer) in answers {
        if let Err(error) = described::read(&answer, &file, &mut deployment) {
            deployment.unread.insert(Unread {
                place: Place {
                    file: file.clone(),
                    line: answer.line,
                },
                kind: rules::UNREADABLE_FILE,
                subject: file,
                what: error.to_string(),
                remedy: "rename the file as it says, or save the missing answer beside".to_owned(),
            });
        }
    }
    deployment.link();
    Some(deployment)
}

/// Returns what the AWS command line says, by the command that says it.
fn described_live(subject: Subject<'_>, save: Option<&Path>) -> Result<Vec<(String, Node)>, LiveError> {
    let answers = live::describe(subject)?;
    if let Some(folder) = save {
        live::save(&answers, folder)?;
    }
    Ok(answers
        .into_iter()
        .map(|answer| (answer.command, answer.node))
        .collect())
}
