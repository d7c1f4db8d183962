//! `alb-mtls authorize`

mod handshake;

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use alb_mtls_http::forms::CERTIFICATE_HEADER;
use clap::{ArgGroup, Args, ValueEnum};
use http::Method;
use local_alb::{Environment, FunctionCommand, FunctionOutput, InvocationOutcome, OutputLine, StartError};
use serde::Serialize;
use serde_json::Value;
use test_pki::Certificate;
use tokio::runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::console::{Exit, finish, finish_with, note};
use crate::event::api_gateway::{ApiEvent, ApiRequest};
use crate::event::{self, Header, RequestTarget, certificate_header, headers_with};

const EXAMPLES: &str = "\
Examples:
  alb-mtls authorize --pem .demo/good.pem --env MTLS_ANCHORS=file:$PWD/.demo/anchors.pem \\
      --env MTLS_INTERMEDIATES=file:$PWD/.demo/issuing-ca.pem
      the decision about this certificate, for each kind of API
  alb-mtls authorize --listen 127.0.0.1:9443 --env MTLS_ANCHORS=file:$PWD/.demo/anchors.pem
      https://localhost:9443 answers each request with the decisions about the certificate of its TLS handshake

The function sees PATH, what Lambda sets, --env and AUTHORIZE_CERTIFICATE; nothing else.
Exit codes: 0 allowed, or stopped by Ctrl-C; 1 denied in one of the events; 2 wrong usage or unusable input";

const DEFAULT_FUNCTION: &str = "authorize";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("client").required(true))]
pub(crate) struct AuthorizeArguments {
    /// Chain that the client presents, leaf first
    #[arg(long, value_name = "FILE", group = "client")]
    pem: Option<PathBuf>,

    /// The client presents no certificate
    #[arg(long, group = "client")]
    no_certificate: bool,

    /// Take certificates from TLS handshakes at this address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", group = "client", conflicts_with_all = ["method", "path", "header", "json"])]
    listen: Option<SocketAddr>,

    /// The built authorizer [default: authorize, next to this program]
    #[arg(long, value_name = "FILE")]
    function: Option<PathBuf>,

    /// An environment variable of the function; repeatable
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,

    /// The kind of API whose event the function gets; repeatable [default: each]
    #[arg(long = "event-version", value_enum, value_name = "VERSION")]
    events: Vec<ApiEvent>,

    /// Place of the certificate in the event
    #[arg(long, value_enum, default_value_t = Place::ClientCert)]
    certificate: Place,

    /// Method of the request
    #[arg(long, default_value = "GET")]
    method: Method,

    /// Path of the request, with its query if it has one
    #[arg(long, default_value = "/")]
    path: RequestTarget,

    /// Header that the client sends, in place of the usual one of that name; may be repeated
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<Header>,

    /// The server's certificate chain for --listen, PEM
    #[arg(long, value_name = "FILE", default_value = ".demo/server.pem")]
    server_certificate: PathBuf,

    /// The server's private key for --listen, PEM
    #[arg(long, value_name = "FILE", default_value = ".demo/server.key")]
    server_key: PathBuf,

    /// Print JSON, and not the function's log
    #[arg(long)]
    json: bool,
}

/// Place of the certificate in an event, as AUTHORIZE_CERTIFICATE names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Place {
    /// API Gateway ended TLS: the client's own certificate, without intermediates
    ClientCert,
    /// A load balancer did: the whole chain in its header
    Header,
}

impl Place {
    fn setting(self) -> &'static str {
        match self {
            Self::ClientCert => "client-cert",
            Self::Header => "header",
        }
    }
}

fn variable(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !text.contains('\0') => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("a variable is written `KEY=VALUE`"),
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot find out where this program is: {0}; name the function with `--function FILE`")]
    OwnPath(#[source] io::Error),

    #[error("there is no function at `{}`: build it with `cargo build -p authorize`", .0.display())]
    NoFunction(PathBuf),

    #[error("cannot start a runtime: {0}")]
    Runtime(#[source] io::Error),

    #[error(transparent)]
    Start(#[from] StartError),

    #[error(transparent)]
    Event(#[from] event::Failure),

    #[error("{0}; what the function wrote is above")]
    Function(String),

    #[error(transparent)]
    Handshake(#[from] handshake::Failure),
}

pub(crate) fn run(arguments: AuthorizeArguments) -> ExitCode {
    let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return finish(Err(Failure::Runtime(error))),
    };
    finish_with(runtime.block_on(authorize(&arguments)).map(|decisions| {
        let is_allowed = decisions
            .iter()
            .all(|decision| decision.verdict == Verdict::Allow);
        (arguments.print(&decisions), Exit::accepted(is_allowed))
    }))
}

async fn authorize(arguments: &AuthorizeArguments) -> Result<Vec<Decision>, Failure> {
    let (sender, lines) = unbounded_channel();
    let printer = tokio::spawn(print_log(lines, !arguments.json));
    let authorizer = Authorizer::start(arguments, FunctionOutput::Lines(sender)).await;
    let outcome = match (authorizer, arguments.listen) {
        (Err(error), _) => Err(error),
        (Ok(authorizer), None) => match arguments.request() {
            Ok(request) => authorizer.decide_all(&request).await,
            Err(error) => Err(error.into()),
        },
        (Ok(authorizer), Some(address)) => {
            let server = (
                arguments.server_certificate.as_path(),
                arguments.server_key.as_path(),
            );
            let served = handshake::serve(address, server, Arc::new(authorizer)).await;
            served.map(|()| Vec::new()).map_err(Failure::from)
        }
    };
    // The function is gone by now, and its last lines are there.
    let _ = printer.await;
    outcome
}

/// Prints log lines to standard error, because standard output has only the decisions.
async fn print_log(mut lines: UnboundedReceiver<OutputLine>, wanted: bool) {
    while let Some(line) = lines.recv().await {
        if wanted {
            note(format!("{} | {}", line.function, line.text));
        }
    }
}

impl AuthorizeArguments {
    fn request(&self) -> Result<ApiRequest, event::Failure> {
        let chain = match &self.pem {
            None => Vec::new(),
            Some(pem) => {
                let chain = Certificate::load_all(pem)?;
                if chain.is_empty() {
                    return Err(event::Failure::NoCertificate { path: pem.clone() });
                }
                chain
            }
        };
        let mut request = ApiRequest {
            method: self.method.to_string(),
            path: self.path.path.clone(),
            query: self.path.query.clone(),
            headers: headers_with(&self.header),
            client_certificate: None,
        };
        match self.certificate {
            Place::ClientCert => request.client_certificate = chain.into_iter().next(),
            Place::Header if chain.is_empty() => {}
            Place::Header => request
                .headers
                .push((CERTIFICATE_HEADER.to_owned(), certificate_header(&chain))),
        }
        Ok(request)
    }

    fn function(&self) -> Result<PathBuf, Failure> {
        let function = match &self.function {
            // A bare file name would be looked for in PATH.
            Some(function) if function.is_relative() => Path::new(".").join(function),
            Some(function) => function.clone(),
            None => {
                let own_path = std::env::current_exe().map_err(Failure::OwnPath)?;
                own_path.with_file_name(DEFAULT_FUNCTION)
            }
        };
        if function.is_file() {
            Ok(function)
        } else {
            Err(Failure::NoFunction(function))
        }
    }

    fn print(&self, decisions: &[Decision]) -> String {
        if self.json {
            // Text and what was JSON before always serialise.
            return serde_json::to_string(decisions).unwrap_or_default() + "\n";
        }
        decisions.iter().map(ToString::to_string).collect()
    }
}

/// The function, and what it is asked about.
struct Authorizer {
    environment: Environment,
    events: Vec<ApiEvent>,
    place: Place,
}

impl Authorizer {
    async fn start(arguments: &AuthorizeArguments, output: FunctionOutput) -> Result<Self, Failure> {
        let mut command = FunctionCommand::new(arguments.function()?)
            .output(output)
            .variable("AUTHORIZE_CERTIFICATE", arguments.certificate.setting());
        for (key, value) in &arguments.variables {
            command = command.variable(key, value);
        }
        Ok(Self {
            environment: Environment::start(command).await?,
            events: match arguments.events.as_slice() {
                [] => ApiEvent::ALL.to_vec(),
                some => some.to_vec(),
            },
            place: arguments.certificate,
        })
    }

    async fn decide_all(&self, request: &ApiRequest) -> Result<Vec<Decision>, Failure> {
        let mut decisions = Vec::new();
        for event in &self.events {
            let json = request.to_event(*event)?;
            decisions.push(Decision::read(*event, self.environment.invoke(json).await)?);
        }
        Ok(decisions)
    }
}

/// Decision of the function about one event.
#[derive(Debug, Serialize)]
struct Decision {
    event: &'static str,
    #[serde(rename = "decision")]
    verdict: Verdict,
    /// Answer of the function; `None` after an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Value>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Allow,
    /// The API answers with 403.
    Deny,
    /// The API answers with 401.
    Unauthorized,
}

impl Decision {
    fn read(event: ApiEvent, outcome: InvocationOutcome) -> Result<Self, Failure> {
        let answer = match outcome {
            InvocationOutcome::Response(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Failure::Function(format!("the function answered with no JSON: {error}")))?,
            InvocationOutcome::FunctionError { message, .. } => {
                return if event == ApiEvent::Rest && message == "Unauthorized" {
                    Ok(Self {
                        event: event.name(),
                        verdict: Verdict::Unauthorized,
                        answer: None,
                    })
                } else {
                    Err(Failure::Function(format!(
                        "the function reported the error `{message}`"
                    )))
                };
            }
            InvocationOutcome::Crashed { reason } => {
                return Err(Failure::Function(format!(
                    "the function ended without an answer: {reason}"
                )));
            }
            InvocationOutcome::TimedOut => {
                return Err(Failure::Function(
                    "the function did not answer in time".to_owned(),
                ));
            }
        };
        let allowed = allows(&answer).ok_or_else(|| {
            Failure::Function("the function answered with neither a policy nor a simple answer".to_owned())
        })?;
        Ok(Self {
            event: event.name(),
            verdict: if allowed { Verdict::Allow } else { Verdict::Deny },
            answer: Some(answer),
        })
    }
}

fn allows(answer: &Value) -> Option<bool> {
    if let Some(authorized) = answer.get("isAuthorized") {
        return authorized.as_bool();
    }
    let effect = answer.pointer("/policyDocument/Statement/0/Effect")?;
    Some(effect.as_str()? == "Allow")
}

impl Display for Decision {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = match self.verdict {
            Verdict::Allow => "allow",
            Verdict::Deny => "deny (403)",
            Verdict::Unauthorized => "unauthorized (401): the function ended with the error `Unauthorized`",
        };
        writeln!(formatter, "{}: {verdict}", self.event)?;
        match &self.answer {
            None => Ok(()),
            // What was JSON before always serialises.
            Some(answer) => writeln!(
                formatter,
                "{}",
                serde_json::to_string_pretty(answer).unwrap_or_default()
            ),
        }
    }
}
