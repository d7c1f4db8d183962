//! A deployed stack, asked through the AWS command line: its region, profile and sign-on are the
//! user's own.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::doctor::aws::described::{self, DescribedError, unqualified};
use crate::doctor::facts::{Deployment, TargetGroup};
use crate::doctor::node::Node;
use crate::doctor::yaml::{self, YamlError};

/// Number of commands that run at once: each takes about a second, most of it to start.
const AT_ONCE: usize = 8;

/// Deepest nesting of stacks that is followed, as for templates.
const MAX_NESTING: usize = 8;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    #[error(
        "cannot run `aws`, the AWS command line: {0}; elsewhere, save what the commands of --help say, and name the folder"
    )]
    Start(io::Error),
    #[error("`{command}` failed: {message}")]
    Failed { command: String, message: String },
    #[error("`{command}` says nothing")]
    Silent { command: String },
    #[error("what `{command}` says is {error}")]
    Answer { command: String, error: YamlError },
    #[error("`{command}`: {error}")]
    Described { command: String, error: DescribedError },
    #[error(
        "`{0}` has stacks that are nested more than {MAX_NESTING} deep: name the nested ones by themselves"
    )]
    Nested(String),
    #[error("`{}` is not empty: what another stack left there would be read too", .0.display())]
    NotEmpty(PathBuf),
    #[error("cannot write `{}`: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
}

/// Answer of a command.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The command itself, which names what the answer is about.
    pub(crate) command: String,
    pub(crate) node: Node,
    file: String,
    text: String,
}

/// Deployment to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject<'a> {
    /// A CloudFormation stack, by its name.
    Stack(&'a str),
    /// A load balancer, by whatever means it was made: by its name, and the functions behind it.
    LoadBalancer(&'a str),
}

/// Returns everything about it that the doctor looks at.
pub(crate) fn describe(subject: Subject<'_>) -> Result<Vec<Answer>, LiveError> {
    let mut answers = match subject {
        Subject::Stack(name) => ask(questions_about_resources(&resources_of_stack(name)?))?,
        Subject::LoadBalancer(name) => {
            let arguments = ["elbv2", "describe-load-balancers", "--names", name];
            let balancers = ask(vec![Question::new("load-balancer", arguments)])?;
            let mut answers = ask(questions_about_load_balancers(&balancers))?;
            let targets = ask(questions_about_target_groups(&answers)?)?;
            answers.append(&mut ask(questions_about_targets(&targets))?);
            answers
        }
    };
    let more = questions_about_answers(&answers)?;
    answers.append(&mut ask(more)?);
    Ok(answers)
}

/// Writes each answer into a file of a folder, which must be new or empty, for another look without
/// AWS.
pub(crate) fn save(answers: &[Answer], folder: &Path) -> Result<(), LiveError> {
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

/// Call of the AWS command line.
struct Question {
    file: String,
    arguments: Vec<String>,
    absence: Absence,
}

/// Answer that says that there is no such thing, and the answer that this stands for.
enum Absence {
    /// There is one: anything else is an error.
    Impossible,
    Error(&'static str, Option<&'static str>),
    Silence(&'static str),
}

impl Question {
    fn new<'a>(file: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            // Names of log groups hold slashes, ARNs colons.
            file: file.replace(['/', ':'], "_"),
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            absence: Absence::Impossible,
        }
    }

    /// Returns a question about the resource that the last argument names, by ARN or name.
    fn about<const N: usize>(kind: &str, arguments: [&str; N]) -> Self {
        let subject = arguments.last().copied().unwrap_or_default();
        let name = subject.rsplit('/').next().unwrap_or(subject);
        Self::new(&format!("{kind}-{name}"), arguments)
    }

    fn with(self, absence: Absence) -> Self {
        Self { absence, ..self }
    }

    /// Asks AWS; returns `None` if the resource does not exist and that is an answer.
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
        match yaml::parse(&text) {
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

/// Returns the lists of resources of a stack and of those that are nested in it.
fn resources_of_stack(name: &str) -> Result<Vec<Answer>, LiveError> {
    let question = |name: &str| {
        let arguments = ["cloudformation", "list-stack-resources", "--stack-name", name];
        Question::about("stack", arguments)
    };
    let mut lists = Vec::new();
    let mut questions = vec![question(name)];
    for _ in 0..MAX_NESTING {
        let answers = ask(std::mem::take(&mut questions))?;
        let nested = elements(&answers, "StackResourceSummaries")
            .filter(|resource| resource.text_at(&["ResourceType"]) == Some("AWS::CloudFormation::Stack"))
            .filter_map(|resource| resource.text_at(&["PhysicalResourceId"]));
        questions.extend(nested.map(question));
        lists.extend(answers);
        if questions.is_empty() {
            return Ok(lists);
        }
    }
    Err(LiveError::Nested(name.to_owned()))
}

/// Returns the load balancer in the ARN of one of its listeners or of a listener's rule.
fn load_balancer_of(arn: &str) -> Option<String> {
    let (start, path) = arn
        .split_once(":listener/")
        .or_else(|| arn.split_once(":listener-rule/"))?;
    let name: Vec<&str> = path.split('/').take(3).collect();
    Some(format!("{start}:loadbalancer/{}", name.join("/")))
}

fn questions_about_resources(lists: &[Answer]) -> Vec<Question> {
    let mut questions = Vec::new();
    // A stack can have a listener or a rule of a load balancer that is not its own.
    let mut balancers = BTreeSet::new();
    for resource in elements(lists, "StackResourceSummaries") {
        let (Some(kind), Some(id)) = (
            resource.text_at(&["ResourceType"]),
            resource.text_at(&["PhysicalResourceId"]),
        ) else {
            // What is still being made has no id yet.
            continue;
        };
        match kind {
            "AWS::ElasticLoadBalancingV2::LoadBalancer" => {
                balancers.insert(id.to_owned());
            }
            "AWS::ElasticLoadBalancingV2::Listener" | "AWS::ElasticLoadBalancingV2::ListenerRule" => {
                balancers.extend(load_balancer_of(id));
            }
            "AWS::Lambda::Function" => questions.extend(about_function(id)),
            "AWS::ApiGateway::RestApi" => {
                questions.extend(about_api("apigateway", "get-rest-api", "--rest-api-id", id));
            }
            "AWS::ApiGatewayV2::Api" => {
                questions.extend(about_api("apigatewayv2", "get-api", "--api-id", id));
            }
            _ => {}
        }
    }
    questions.extend(balancers.iter().flat_map(|arn| about_load_balancer(arn)));
    questions
}

fn questions_about_load_balancers(balancers: &[Answer]) -> Vec<Question> {
    let balancers = elements(balancers, "LoadBalancers");
    let arns = balancers.filter_map(|balancer| balancer.text_at(&["LoadBalancerArn"]));
    arns.flat_map(about_load_balancer).collect()
}

/// Returns the questions about functions that are registered in target groups.
fn questions_about_target_groups(answers: &[Answer]) -> Result<Vec<Question>, LiveError> {
    let deployment = known_so_far(answers)?;
    let groups = deployment
        .target_groups
        .iter()
        .filter(|group| group.is_for_lambda);
    let question = |group: &TargetGroup| {
        let arguments = [
            "elbv2",
            "describe-target-health",
            "--target-group-arn",
            &group.name,
        ];
        Question::about("targets", arguments)
    };
    Ok(groups.map(question).collect())
}

fn questions_about_targets(targets: &[Answer]) -> Vec<Question> {
    let targets = elements(targets, "TargetHealthDescriptions");
    let registered: BTreeSet<&str> = targets
        .filter_map(|target| target.text_at(&["Target", "Id"]))
        .collect();
    let functions: BTreeSet<String> = registered.iter().map(|id| unqualified(id)).collect();
    let mut questions: Vec<Question> = functions
        .iter()
        .flat_map(|function| about_function(function))
        .collect();
    // An alias has a policy and a URL of its own.
    let aliases = registered.into_iter().filter(|id| !functions.contains(*id));
    questions.extend(aliases.flat_map(about_invocations));
    questions
}

/// Returns every listener and target group of a load balancer, not only those of a stack: others
/// may have added some.
fn about_load_balancer(arn: &str) -> [Question; 2] {
    [
        ("listeners", "describe-listeners"),
        ("target-groups", "describe-target-groups"),
    ]
    .map(|(file, command)| Question::about(file, ["elbv2", command, "--load-balancer-arn", arn]))
}

fn about_api(service: &str, get: &str, option: &str, id: &str) -> [Question; 2] {
    [
        Question::about("authorizers", [service, "get-authorizers", option, id]),
        Question::about("api", [service, get, option, id]),
    ]
}

fn about_function(name: &str) -> Vec<Question> {
    let arguments = ["lambda", "get-function-configuration", "--function-name", name];
    let mut questions = vec![Question::about("function", arguments)];
    questions.extend(about_invocations(name));
    questions
}

fn about_invocations(name: &str) -> [Question; 2] {
    [("policy", "get-policy"), ("url", "get-function-url-config")].map(|(file, command)| {
        let absence = Absence::Error("ResourceNotFoundException", None);
        Question::about(file, ["lambda", command, "--function-name", name]).with(absence)
    })
}

fn elements<'a>(answers: &'a [Answer], list: &'a str) -> impl Iterator<Item = &'a Node> {
    let lists = answers.iter().filter_map(move |answer| answer.node.get(list));
    lists.flat_map(Node::elements)
}

/// Listeners, target groups and functions, as far as they are known.
fn known_so_far(answers: &[Answer]) -> Result<Deployment, LiveError> {
    let mut deployment = Deployment::default();
    let names_others = |answer: &&Answer| {
        ["Listeners", "TargetGroups", "FunctionArn"]
            .iter()
            .any(|name| answer.node.get(name).is_some())
    };
    for answer in answers.iter().filter(names_others) {
        described::read(&answer.node, &answer.command, &mut deployment).map_err(|error| {
            LiveError::Described {
                command: answer.command.clone(),
                error,
            }
        })?;
    }
    Ok(deployment)
}

/// Asks about what the answers name: listeners, target groups, log groups, and the buckets that
/// functions have their trust material from.
fn questions_about_answers(answers: &[Answer]) -> Result<Vec<Question>, LiveError> {
    let deployment = known_so_far(answers)?;
    let mut questions = Vec::new();
    for listener in &deployment.listeners {
        for (file, command) in [
            ("rules", "describe-rules"),
            ("listener-attributes", "describe-listener-attributes"),
        ] {
            let arguments = ["elbv2", command, "--listener-arn", &listener.name];
            questions.push(Question::about(file, arguments));
        }
    }
    for group in &deployment.target_groups {
        let arguments = [
            "elbv2",
            "describe-target-group-attributes",
            "--target-group-arn",
            &group.name,
        ];
        questions.push(Question::about("target-group-attributes", arguments));
    }
    let log_groups: BTreeSet<&str> = deployment
        .functions
        .iter()
        .filter_map(|one| one.log_group.as_deref())
        .collect();
    for group in log_groups {
        let arguments = ["logs", "describe-log-groups", "--log-group-name-prefix", group];
        questions.push(Question::new(&format!("log-group-{group}"), arguments));
    }
    for bucket in deployment.trust_buckets() {
        let mut add = |file: &str, command, absence| {
            questions.push(Question::about(file, ["s3api", command, "--bucket", &bucket]).with(absence));
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
