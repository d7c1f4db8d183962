//! `alb-mtls event`

pub(crate) mod api_gateway;
mod samples;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use alb_mtls_http::forms::CERTIFICATE_HEADER;
use alb_mtls_verifier::FileKind;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use http::{HeaderName, HeaderValue, Method};
use local_alb::{AlbRequest, EventError, UnreadableCertificateError, health_check_event, passthrough_header};
use rustls_pki_types::CertificateDer;
use test_pki::Certificate;

use crate::console::finish;
use crate::files::{self, FileError};

const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/alb-mtls/50dc6c495c0c9188";

/// Headers that curl sends and that ALB adds. The time in the trace id is fixed: the same input
/// makes the same event.
const USUAL_HEADERS: [(&str, &str); 7] = [
    ("accept", "*/*"),
    ("host", "api.example.org"),
    ("user-agent", "curl/8.17.0"),
    ("x-amzn-trace-id", "Root=1-67e55044-1f2e3d4c5b6a798081726354"),
    ("x-forwarded-for", "192.0.2.10"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-proto", "https"),
];

const EXAMPLES: &str = "\
Examples:
  alb-mtls event --pem .demo/good.pem > event.json
  alb-mtls event --pem .demo/good.pem --header-mode single --path '/orders?id=7' --header 'accept: text/html'
  alb-mtls event --no-certificate
  alb-mtls event samples --dir events

`cargo lambda invoke respond --data-file event.json` hands the event to a function.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(group = ArgGroup::new("client").required(true))]
pub(crate) struct EventArguments {
    #[command(subcommand)]
    command: Option<EventCommand>,

    /// Chain that the client presents, leaf first
    #[arg(long, value_name = "FILE", group = "client")]
    pem: Option<PathBuf>,

    /// The client presents no certificate
    #[arg(long, group = "client")]
    no_certificate: bool,

    /// The load balancer's own health check
    #[arg(long, group = "client", conflicts_with_all = ["header_name", "method", "header"])]
    health_check: bool,

    /// Form of the headers, as the target group has it: every value, or only the last
    #[arg(long, value_enum, default_value_t = HeaderMode::Multi)]
    header_mode: HeaderMode,

    /// Name of the certificate header, when a listener attribute renames it
    #[arg(long, value_name = "NAME", default_value = CERTIFICATE_HEADER)]
    header_name: HeaderName,

    /// Method of the request
    #[arg(long, default_value = "GET")]
    method: Method,

    /// Path of the request, with its query if it has one
    #[arg(long, default_value = "/")]
    path: RequestTarget,

    /// Header that the client sends, in place of the usual one of that name; may be repeated
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<Header>,

    /// Target group that the event names
    #[arg(long, value_name = "ARN", default_value = TARGET_GROUP, value_parser = target_group_arn)]
    target_group_arn: String,
}

#[derive(Debug, Subcommand)]
enum EventCommand {
    /// Write the sample events of this project and the trust anchors they verify against
    Samples(samples::SamplesArguments),
}

/// The target group attribute `lambda.multi_value_headers.enabled`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum HeaderMode {
    Multi,
    Single,
}

impl From<HeaderMode> for local_alb::HeaderMode {
    fn from(mode: HeaderMode) -> Self {
        match mode {
            HeaderMode::Multi => Self::MultiValue,
            HeaderMode::Single => Self::SingleValue,
        }
    }
}

/// Path and query, as they are sent.
#[derive(Clone, Debug)]
pub(crate) struct RequestTarget {
    pub(crate) path: String,
    pub(crate) query: Option<String>,
}

impl FromStr for RequestTarget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('/') {
            return Err("a path starts with `/`");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err("a path contains only visible ASCII without `#`; percent-encode everything else");
        }
        Ok(match text.split_once('?') {
            Some((path, query)) => Self {
                path: path.to_owned(),
                query: Some(query.to_owned()),
            },
            None => Self {
                path: text.to_owned(),
                query: None,
            },
        })
    }
}

fn target_group_arn(text: &str) -> Result<String, &'static str> {
    if text.starts_with("arn:") && text.contains(":targetgroup/") {
        Ok(text.to_owned())
    } else {
        Err("the ARN of a target group starts with `arn:` and contains `:targetgroup/`")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Header {
    name: HeaderName,
    value: String,
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("a header is written `name: value`")?;
        let value = value.trim_matches([' ', '\t']);
        HeaderValue::from_str(value)
            .map_err(|_| "the value of a header cannot contain control characters")?;
        Ok(Self {
            name: name.parse().map_err(|_| "the name is not a valid header name")?,
            value: value.to_owned(),
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot print the event: {0}")]
    Json(#[from] serde_json::Error),

    #[error(transparent)]
    Event(#[from] EventError),

    #[error(transparent)]
    File(#[from] FileError),

    #[error("there is no certificate in `{}`", path.display())]
    NoCertificate { path: PathBuf },

    #[error(transparent)]
    Pki(#[from] test_pki::Error),

    #[error(transparent)]
    UnreadableCertificate(#[from] UnreadableCertificateError),

    #[error("cannot read the client certificate: its times are not those of a calendar")]
    Validity,
}

pub(crate) fn run(arguments: EventArguments) -> ExitCode {
    match arguments.command {
        Some(EventCommand::Samples(samples)) => finish(samples::run(&samples)),
        None => finish(event(&arguments)),
    }
}

fn event(arguments: &EventArguments) -> Result<String, Failure> {
    let header_mode = arguments.header_mode.into();
    let RequestTarget { path, query } = &arguments.path;
    if arguments.health_check {
        return pretty(&health_check_event(
            &arguments.target_group_arn,
            header_mode,
            path,
        ));
    }
    let mut headers = headers_with(&arguments.header);
    if let Some(pem) = &arguments.pem {
        let chain =
            Certificate::load_all(pem).map_err(|error| other_kind(pem).unwrap_or_else(|| error.into()))?;
        if chain.is_empty() {
            return Err(Failure::NoCertificate { path: pem.clone() });
        }
        headers.push((arguments.header_name.to_string(), certificate_header(&chain)));
    }
    let request = AlbRequest {
        method: arguments.method.to_string(),
        path: path.clone(),
        query: query.clone(),
        headers,
        body: Default::default(),
    };
    pretty(&request.to_event(&arguments.target_group_arn, header_mode)?)
}

/// Returns an error that names the kind of a file that is not text.
fn other_kind(path: &Path) -> Option<Failure> {
    let file = files::read(path).ok()?;
    if str::from_utf8(&file).is_ok() {
        return None;
    }
    let kind = FileKind::recognise(&file)?;
    Some(FileError::unusable(path, &kind).into())
}

/// Returns the usual headers, less those of which the client sends its own, and then the client's.
pub(crate) fn headers_with(own: &[Header]) -> Vec<(String, String)> {
    let is_own = |name: &str| own.iter().any(|header| header.name == name);
    let usual = USUAL_HEADERS.into_iter().filter(|(name, _)| !is_own(name));
    usual
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .chain(
            own.iter()
                .map(|header| (header.name.to_string(), header.value.clone())),
        )
        .collect()
}

pub(crate) fn certificate_header<'a>(chain: impl IntoIterator<Item = &'a Certificate>) -> String {
    let chain: Vec<CertificateDer<'_>> = chain
        .into_iter()
        .map(|certificate| certificate.der().into())
        .collect();
    passthrough_header(&chain)
}

/// Indents JSON and keeps the order of its members.
pub(crate) fn pretty(event: &[u8]) -> Result<String, Failure> {
    let mut text = Vec::new();
    serde_transcode::transcode(
        &mut serde_json::Deserializer::from_slice(event),
        &mut serde_json::Serializer::pretty(&mut text),
    )?;
    text.push(b'\n');
    Ok(String::from_utf8_lossy(&text).into_owned())
}
