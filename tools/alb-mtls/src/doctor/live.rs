//! A deployed stack, asked through the AWS command line: its region, profile and sign-on are the user's own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::deployment::Deployment;
use super::described::{self, DescribedError};
use super::node::{Node, NodeError};

/// How many commands run at once: each takes about a second, most of it to start.
const AT_ONCE: usize = 8;

#[derive(Debug, thiserror::Error)]
pub(super) enum LiveError {
    #[error(
        "cannot run `aws`, the AWS command line: {0}; elsewhere, save what the commands of --help say, and name the folder"
    )]
    Start(io::Error),
    #[error("`{command}` failed: {message}")]
    Failed { command: String, message: String },
    #[error("`{command}` says nothing")]
    Silent { command: String },
    #[error("what `{command}` says is {error}")]
    Answer { command: String, error: NodeError },
    #[error("`{command}`: {error}")]
    Described { command: String, error: DescribedError },
    #[error("`{}` is not empty: what another stack left there would be read too", .0.display())]
    NotEmpty(PathBuf),
    #[error("cannot write `{}`: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
}

/// What a command said.
#[derive(Debug)]
pub(super) struct Answer {
    /// The command itself, which names what the answer is about.
    pub(super) command: String,
    pub(super) node: Node,
    file: String,
    text: String,
}

/// Everything about a stack that the doctor looks at.
pub(super) fn describe(stack: &str) -> Result<Vec<Answer>, LiveError> {
    let list = Question::new(
        "stack",
        ["cloudformation", "list-stack-resources", "--stack-name", stack],
    );
    let resources = ask(vec![list])?;
    let mut answers = ask(questions_about_resources(&resources))?;
    let more = questions_about_answers(&answers)?;
    answers.append(&mut ask(more)?);
    Ok(answers)
}

/// Writes each answer into a file of a folder, which must be new or empty, for another look without AWS.
pub(super) fn save(answers: &[Answer], folder: &Path) -> Result<(), LiveError> {
    let write_error = |path: &Path| {
        let path = path.to_owned();
        move |error| LiveError::Write { path, error }
    };
    fs::create_dir_all(folder).map_err(write_error(folder))?;
    let mut files = fs::read_dir(folder).map_err(write_error(folder))?;
    if files.next().is_some() {
        return Err(LiveError::NotEmpty(folder.to_owned()));
    }
    for answer in answers {
        let path = folder.join(format!("{}.json", answer.file));
        fs::write(&path, &answer.text).map_err(write_error(&path))?;
    }
    Ok(())
}

/// One call of the command line.
struct Question {
    file: String,
    arguments: Vec<String>,
    absence: Absence,
}

/// How the command line says that there is no such thing, and the answer that this stands for.
enum Absence {
    /// There is one: anything else is an error.
    Impossible,
    Error(&'static str, Option<&'static str>),
    Silence(&'static str),
}

impl Question {
    fn new<'a>(file: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            // Names of log groups hold slashes.
            file: file.replace('/', "_"),
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            absence: Absence::Impossible,
        }
    }

    fn with(self, absence: Absence) -> Self {
        Self { absence, ..self }
    }

    /// Nothing where the absence of what it asks for stands for no answer.
    fn ask(self) -> Result<Option<Answer>, LiveError> {
        let command = format!("aws {}", self.arguments.join(" "));
        let output = Command::new("aws")
            .args(&self.arguments)
            .args(["--output", "json"])
            .env("AWS_PAGER", "")
            .output()
            .map_err(LiveError::Start)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let text = match (output.status.success(), self.absence) {
            (true, Absence::Silence(means)) if said.trim().is_empty() => means.to_owned(),
            (true, _) if said.trim().is_empty() => return Err(LiveError::Silent { command }),
            (true, _) => said,
            (false, Absence::Error(code, means)) if complaint.contains(&format!("({code})")) => match means {
                Some(means) => means.to_owned(),
                None => return Ok(None),
            },
            (false, _) => {
                let message = complaint.trim().to_owned();
                return Err(LiveError::Failed { command, message });
            }
        };
        match Node::parse(&text) {
            Ok(node) => Ok(Some(Answer {
                command,
                node,
                file: self.file,
                text,
            })),
            Err(error) => Err(LiveError::Answer { command, error }),
        }
    }
}

fn ask(questions: Vec<Question>) -> Result<Vec<Answer>, LiveError> {
    let mut answers = Vec::new();
    let mut questions = questions.into_iter().peekable();
    while questions.peek().is_some() {
        let batch: Vec<_> = thread::scope(|scope| {
            let started: Vec<_> = questions
                .by_ref()
                .take(AT_ONCE)
                .map(|question| scope.spawn(|| question.ask()))
                .collect();
            started
                .into_iter()
                .filter_map(|thread| thread.join().ok())
                .collect()
        });
        for answer in batch {
            answers.extend(answer?);
        }
    }
    Ok(answers)
}

fn questions_about_resources(lists: &[Answer]) -> Vec<Question> {
    let resources = lists
        .iter()
        .filter_map(|list| list.node.get("StackResourceSummaries"))
        .flat_map(Node::elements);
    let mut questions = Vec::new();
    for resource in resources {
        let (Some(kind), Some(id)) = (
            resource.text_at(&["ResourceType"]),
            resource.text_at(&["PhysicalResourceId"]),
        ) else {
            // What is still being made has no id yet.
            continue;
        };
        let mut add = |file: &str, arguments: [&str; 4]| {
            let name = id.rsplit('/').next().unwrap_or(id);
            questions.push(Question::new(&format!("{file}-{name}"), arguments));
        };
        match kind {
            // Every listener and target group of the load balancers, not only those of the stack: others may have added some.
            "AWS::ElasticLoadBalancingV2::LoadBalancer" => {
                add(
                    "listeners",
                    ["elbv2", "describe-listeners", "--load-balancer-arn", id],
                );
                add(
                    "target-groups",
                    ["elbv2", "describe-target-groups", "--load-balancer-arn", id],
                );
            }
            "AWS::Lambda::Function" => {
                add(
                    "function",
                    ["lambda", "get-function-configuration", "--function-name", id],
                );
                for (file, command) in [("policy", "get-policy"), ("url", "get-function-url-config")] {
                    let arguments = ["lambda", command, "--function-name", id];
                    let question = Question::new(&format!("{file}-{id}"), arguments);
                    questions.push(question.with(Absence::Error("ResourceNotFoundException", None)));
                }
            }
            "AWS::Logs::LogGroup" => {
                add(
                    "log-group",
                    ["logs", "describe-log-groups", "--log-group-name-prefix", id],
                );
            }
            "AWS::ApiGateway::RestApi" => {
                add(
                    "authorizers",
                    ["apigateway", "get-authorizers", "--rest-api-id", id],
                );
                add("api", ["apigateway", "get-rest-api", "--rest-api-id", id]);
            }
            "AWS::ApiGatewayV2::Api" => {
                add("authorizers", ["apigatewayv2", "get-authorizers", "--api-id", id]);
                add("api", ["apigatewayv2", "get-api", "--api-id", id]);
            }
            _ => {}
        }
    }
    questions
}

/// What the answers name: listeners, target groups, and the buckets that functions have their trust material from.
fn questions_about_answers(answers: &[Answer]) -> Result<Vec<Question>, LiveError> {
    let mut questions = Vec::new();
    let mut deployment = Deployment::default();
    for answer in answers {
        if answer.node.get("Listeners").is_none()
            && answer.node.get("TargetGroups").is_none()
            && answer.node.get("FunctionArn").is_none()
        {
            continue;
        }
        described::read(&answer.node, &answer.command, &mut deployment).map_err(|error| {
            LiveError::Described {
                command: answer.command.clone(),
                error,
            }
        })?;
    }
    let end = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
    for listener in &deployment.listeners {
        let arn = listener.name.as_str();
        for (file, command) in [
            ("rules", "describe-rules"),
            ("listener-attributes", "describe-listener-attributes"),
        ] {
            let file = format!("{file}-{}", end(arn));
            questions.push(Question::new(&file, ["elbv2", command, "--listener-arn", arn]));
        }
    }
    for group in &deployment.target_groups {
        let arn = group.name.as_str();
        let file = format!("target-group-attributes-{}", end(arn));
        questions.push(Question::new(
            &file,
            [
                "elbv2",
                "describe-target-group-attributes",
                "--target-group-arn",
                arn,
            ],
        ));
    }
    for bucket in deployment.trust_buckets() {
        let mut add = |file: &str, command, absence| {
            let arguments = ["s3api", command, "--bucket", bucket];
            questions.push(Question::new(&format!("{file}-{bucket}"), arguments).with(absence));
        };
        let nothing_blocked = "{\"PublicAccessBlockConfiguration\": {}}";
        let no_block = Absence::Error("NoSuchPublicAccessBlockConfiguration", Some(nothing_blocked));
        add("public-access", "get-public-access-block", no_block);
        let never_versioned = Absence::Silence("{\"Status\": \"Suspended\"}");
        add("versioning", "get-bucket-versioning", never_versioned);
        let no_policy = Absence::Error("NoSuchBucketPolicy", None);
        add("bucket-policy", "get-bucket-policy", no_policy);
    }
    Ok(questions)
}
