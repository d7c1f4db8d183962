//! The flags of `alb-mtls local` and what they mean.

use std::collections::HashSet;
use std::env;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use alb_mtls_http::forms::CERTIFICATE_HEADER;
use clap::{Args, ValueEnum};
use http::HeaderName;
use local_alb::{
    ClientCertificateHeaderCopies, FunctionCommand, HeaderMode, HealthChecks, InvokeUrl, Listener,
    MutualAuthentication, PemFileError, Target, TargetGroup, certificates_from_pem_file,
};

const EXAMPLES: &str = "\
Examples, after `alb-mtls pki init`:
  alb-mtls local --env MTLS_ANCHORS=file:$PWD/.demo/anchors.pem
      the function `respond` that was built next to this program, for every path
  alb-mtls local --function respond=target/debug/respond --route /=respond \\
      --env MTLS_ANCHORS=file:$PWD/.demo/anchors.pem \\
      --invoke-url forward=http://127.0.0.1:9000/2015-03-31/functions/forward/invocations --route /api=forward
      two functions, one of them run by `cargo lambda watch` or another Lambda Invoke endpoint

Functions that are run here see PATH and HOME, the AWS_* variables of this shell, what Lambda sets, MTLS_HEADER, and --env; nothing else.
The certificate header has the name of --header-name, else that of --env MTLS_HEADER, else a new one for each start, as in template.yaml. With
--invoke-url or --http-target it keeps ALB's own name: this program cannot set their MTLS_HEADER.
Exit codes: 0 stopped by Ctrl-C, 2 wrong usage, port in use, missing program or missing certificates";

const DEFAULT_FUNCTION: &str = "respond";
const HEADER_SETTING: &str = "MTLS_HEADER";

/// The header in which the listener hands certificates over.
#[derive(Debug)]
pub(super) struct CertificateHeader {
    name: HeaderName,
    /// True if it has ALB's default name because a target runs elsewhere.
    is_left: bool,
}

impl Display for CertificateHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "certificate header: {}", self.name)?;
        if self.is_left {
            formatter.write_str(
                ", which clients can copy; to rename it, give --header-name and set MTLS_HEADER where the target runs",
            )?;
        }
        Ok(())
    }
}

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LocalArguments {
    /// Address to listen on; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,

    /// Mode of mutual TLS
    #[arg(long, value_enum, default_value_t = Mode::Passthrough)]
    mode: Mode,

    /// The server's certificate chain, PEM
    #[arg(long, value_name = "FILE", default_value = ".demo/server.pem")]
    server_certificate: PathBuf,

    /// The server's private key, PEM
    #[arg(long, value_name = "FILE", default_value = ".demo/server.key")]
    server_key: PathBuf,

    /// The trust anchors of verify mode, PEM
    #[arg(long, value_name = "FILE", required_if_eq("mode", "verify"))]
    anchors: Option<PathBuf>,

    /// A built function to run here; repeatable [default: respond, next to this program]
    #[arg(long = "function", value_name = "NAME=PATH")]
    functions: Vec<Named<PathBuf>>,

    /// A Lambda Invoke endpoint to call; repeatable; NAME defaults to the function's name in the
    /// URL
    #[arg(long = "invoke-url", value_name = "[NAME=]URL")]
    invoke_urls: Vec<NamedUrl>,

    /// An HTTP server to pass requests on to (target type `ip`); repeatable
    #[arg(long = "http-target", value_name = "NAME=ADDRESS")]
    http_targets: Vec<Named<SocketAddr>>,

    /// Sends the paths that begin with PREFIX to a target, the longest prefix first; repeatable
    /// [default: / for the only one]
    #[arg(long = "route", value_name = "PREFIX=NAME")]
    routes: Vec<Route>,

    /// An environment variable of the functions that are run here; repeatable
    #[arg(long = "env", value_name = "KEY=VALUE")]
    variables: Vec<Variable>,

    /// Target groups in single-value mode: functions see the last of repeated headers and
    /// parameters
    #[arg(long)]
    single_value_headers: bool,

    /// The certificate header's name (a listener attribute) [default: a new one, see below]
    #[arg(long, value_name = "NAME")]
    header_name: Option<HeaderName>,

    /// Handling of certificate headers that the client sends itself; AWS does not document ALB's
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Copies::PassOn)]
    client_header_copies: Copies,

    /// Number of requests that each local function handles at once [default: 1]
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<NonZeroUsize>,

    /// Checks the health of each target at this interval
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    health_checks: Option<Duration>,

    /// Time that a function can take to answer
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
}

impl LocalArguments {
    pub(super) fn mode_name(&self) -> &'static str {
        match self.mode {
            Mode::Passthrough => "passthrough",
            Mode::Verify => "verify",
        }
    }

    /// Returns the name of the certificate header; verify mode has none.
    pub(super) fn certificate_header(&self) -> Option<CertificateHeader> {
        if matches!(self.mode, Mode::Verify) {
            return None;
        }
        let of_functions = || {
            let mut variables = self.variables.iter().rev();
            // A function refuses what is not a name, and says so.
            variables
                .find(|variable| variable.key == HEADER_SETTING)?
                .value
                .parse()
                .ok()
        };
        let runs_elsewhere = !(self.invoke_urls.is_empty() && self.http_targets.is_empty());
        Some(match self.header_name.clone().or_else(of_functions) {
            Some(name) => CertificateHeader { name, is_left: false },
            None if runs_elsewhere => CertificateHeader {
                name: HeaderName::from_static(CERTIFICATE_HEADER),
                is_left: true,
            },
            None => CertificateHeader {
                name: Listener::new_header_name(),
                is_left: false,
            },
        })
    }

    pub(super) fn listener(&self, header: Option<&CertificateHeader>) -> Result<Listener, SettingsError> {
        let mut listener = Listener::from_pem_files(&self.server_certificate, &self.server_key)
            .map_err(SettingsError::ServerFiles)?
            .address(self.listen)
            .client_header_copies(self.client_header_copies.into());
        if let Some(header) = header {
            listener = listener.certificate_header(header.name.clone());
        }
        match (self.mode, &self.anchors, &self.header_name) {
            (Mode::Passthrough, Some(_), _) => return Err(SettingsError::AnchorsInPassthrough),
            (Mode::Passthrough, None, _) => {}
            (Mode::Verify, _, Some(_)) => return Err(SettingsError::HeaderNameInVerify),
            (Mode::Verify, anchors, None) => {
                let anchors = anchors.as_deref().ok_or(SettingsError::NoAnchors)?;
                let trust_anchors = certificates_from_pem_file(anchors).map_err(SettingsError::Anchors)?;
                listener = listener.mode(MutualAuthentication::Verify { trust_anchors });
            }
        }
        Ok(listener)
    }

    pub(super) fn target_groups(
        &self,
        header: Option<&CertificateHeader>,
    ) -> Result<Vec<TargetGroup>, SettingsError> {
        let targets = self.targets(header)?;
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
            return Err(SettingsError::DuplicateName((*twice).to_owned()));
        }
        if let Some(route) = self
            .routes
            .iter()
            .find(|route| !names.contains(&route.name.as_str()))
        {
            return Err(SettingsError::UnknownTarget {
                name: route.name.clone(),
                known: names.join("`, `"),
            });
        }
        let only_one = targets.len() == 1;
        let groups = targets.into_iter().map(|target| {
            let mut prefixes: Vec<&str> = Vec::new();
            for route in self.routes.iter().filter(|route| route.name == target.name) {
                prefixes.push(&route.prefix);
            }
            if prefixes.is_empty() {
                if !only_one {
                    return Err(SettingsError::NoRoute(target.name));
                }
                prefixes.push("/");
            }
            let header_mode = if self.single_value_headers {
                HeaderMode::SingleValue
            } else {
                HeaderMode::MultiValue
            };
            let group = TargetGroup::new(target.name, target.value)
                .header_mode(header_mode)
                .path_prefixes(prefixes);
            Ok(match self.health_checks {
                Some(interval) => group.health_checks(HealthChecks::every(interval)),
                None => group,
            })
        });
        groups.collect()
    }

    fn targets(&self, header: Option<&CertificateHeader>) -> Result<Vec<Named<Target>>, SettingsError> {
        let mut functions = self.functions.clone();
        if functions.is_empty() && self.invoke_urls.is_empty() && self.http_targets.is_empty() {
            functions.push(default_function()?);
        }
        if functions.is_empty() && !self.variables.is_empty() {
            return Err(SettingsError::NothingRunsHere("--env"));
        }
        if functions.is_empty() && self.concurrency.is_some() {
            return Err(SettingsError::NothingRunsHere("--concurrency"));
        }
        let mut targets = Vec::new();
        for Named { name, value: path } in functions {
            if !path.is_file() {
                return Err(SettingsError::NoProgram { name, path });
            }
            let target = Target::Function {
                command: self.command(&name, &path, header),
                concurrency: self.concurrency.unwrap_or(NonZeroUsize::MIN),
            };
            targets.push(Named { name, value: target });
        }
        for NamedUrl(Named { name, value: url }) in &self.invoke_urls {
            let target = Target::InvokeUrl {
                url: url.clone(),
                timeout: self.timeout,
            };
            targets.push(Named {
                name: name.clone(),
                value: target,
            });
        }
        for Named { name, value: address } in &self.http_targets {
            targets.push(Named {
                name: name.clone(),
                value: Target::Http(*address),
            });
        }
        Ok(targets)
    }

    fn command(&self, name: &str, path: &Path, header: Option<&CertificateHeader>) -> FunctionCommand {
        // A bare file name would be looked for in PATH.
        let program = if path.is_absolute() {
            path.to_owned()
        } else {
            Path::new(".").join(path)
        };
        let mut command = FunctionCommand::new(program).name(name).timeout(self.timeout);
        for (variable, value) in inherited_variables(env::vars_os()) {
            command = command.variable(variable, value);
        }
        if let Some(header) = header {
            command = command.variable(HEADER_SETTING, header.name.as_str());
        }
        for Variable { key, value } in &self.variables {
            command = command.variable(key, value);
        }
        command
    }
}

/// Flags that do not describe a load balancer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("{0}; name a file of trust anchors with `--anchors FILE`")]
    Anchors(#[source] PemFileError),
    #[error("`--anchors` is for `--mode verify`: in passthrough mode the function checks the certificate")]
    AnchorsInPassthrough,
    #[error("there are two targets with the name `{0}`")]
    DuplicateName(String),
    #[error("`--header-name` is for `--mode passthrough`: verify mode sends other headers")]
    HeaderNameInVerify,
    #[error("`--mode verify` needs `--anchors FILE`")]
    NoAnchors,
    #[error(
        "there is no function at `{}`: build it with `cargo build -p {name}`, or name another with `--function NAME=PATH`",
        path.display()
    )]
    NoProgram { name: String, path: PathBuf },
    #[error("the target `{0}` has no route: add `--route PREFIX={0}`")]
    NoRoute(String),
    #[error("`{0}` is for functions that are run here, and there is none: add `--function NAME=PATH`")]
    NothingRunsHere(&'static str),
    #[error("cannot find out where this program is: {0}; name a function with `--function NAME=PATH`")]
    OwnPath(#[source] std::io::Error),
    #[error(
        "{0}; make a demo PKI with `alb-mtls pki init`, or name other files with `--server-certificate` and `--server-key`"
    )]
    ServerFiles(#[source] PemFileError),
    #[error("there is a route to `{name}`, but the targets are `{known}`")]
    UnknownTarget { name: String, known: String },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Check only that the client holds its private key, and send its chain to the function
    Passthrough,
    /// Require a certificate that a trust anchor vouches for, and send its fields to the function
    Verify,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Copies {
    /// Pass them to the function, before the load balancer's own
    PassOn,
    /// Remove them
    Strip,
}

impl From<Copies> for ClientCertificateHeaderCopies {
    fn from(copies: Copies) -> Self {
        match copies {
            Copies::PassOn => Self::PassOn,
            Copies::Strip => Self::Strip,
        }
    }
}

#[derive(Clone, Debug)]
struct Named<T> {
    name: String,
    value: T,
}

impl<T: FromStr<Err: Display>> FromStr for Named<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once('=')
            .ok_or("a name and `=` are missing in front")?;
        Ok(Self {
            name: checked_name(name)?,
            value: value.parse().map_err(|error: T::Err| error.to_string())?,
        })
    }
}

#[derive(Clone, Debug)]
struct NamedUrl(Named<InvokeUrl>);

impl FromStr for NamedUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_url_alone = text.split_once('=').is_none_or(|(name, _)| name.contains("://"));
        if !is_url_alone {
            return text.parse().map(Self);
        }
        let value: InvokeUrl = text
            .parse()
            .map_err(|error: local_alb::InvokeUrlError| error.to_string())?;
        let name = value
            .function_name()
            .ok_or("the URL names no function: put `NAME=` in front")?;
        Ok(Self(Named {
            name: checked_name(name)?,
            value,
        }))
    }
}

#[derive(Clone, Debug)]
struct Route {
    prefix: String,
    name: String,
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (prefix, name) = text
            .rsplit_once('=')
            .ok_or("`=` and a target's name are missing")?;
        if !prefix.starts_with('/') {
            return Err("the prefix must begin with `/`".to_owned());
        }
        Ok(Self {
            prefix: prefix.to_owned(),
            name: checked_name(name)?,
        })
    }
}

#[derive(Clone, Debug)]
struct Variable {
    key: String,
    value: String,
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("`=` and a value are missing")?;
        if key.is_empty() || text.contains('\0') {
            return Err("this is not an environment variable".to_owned());
        }
        if key == "AWS_LAMBDA_RUNTIME_API" {
            return Err("the load balancer sets this one itself".to_owned());
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// Checks that a name has only characters that AWS allows for functions and target groups.
fn checked_name(name: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(allowed) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "`{name}` is not a name: it takes letters, digits, `-` and `_`"
        ))
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it takes a whole number of seconds above zero".to_owned()),
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

fn default_function() -> Result<Named<PathBuf>, SettingsError> {
    let own_path = env::current_exe().map_err(SettingsError::OwnPath)?;
    Ok(Named {
        name: DEFAULT_FUNCTION.to_owned(),
        value: own_path.with_file_name(DEFAULT_FUNCTION),
    })
}

/// Returns the variables from which the AWS SDK finds credentials and endpoints.
fn inherited_variables(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (String, OsString)> {
    variables.filter_map(|(key, value)| {
        let key = key.into_string().ok()?;
        let wanted = key == "HOME" || (key.starts_with("AWS_") && !key.starts_with("AWS_LAMBDA_"));
        wanted.then_some((key, value))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        local: LocalArguments,
    }

    fn parse(arguments: &[&str]) -> LocalArguments {
        let arguments = std::iter::once(&"local").chain(arguments);
        CommandLine::try_parse_from(arguments).unwrap().local
    }

    fn refusal(arguments: &[&str]) -> String {
        parse(arguments).target_groups(None).unwrap_err().to_string()
    }

    #[test]
    fn refuses_values_that_mean_nothing() {
        for arguments in [
            ["--listen", "localhost"],
            ["--function", "respond"],
            ["--function", "a b=respond"],
            ["--invoke-url", "https://localhost/functions/a/invocations"],
            ["--invoke-url", "http://localhost:9000/"],
            ["--http-target", "a=localhost"],
            ["--route", "/a"],
            ["--route", "a=b"],
            ["--env", "A"],
            ["--env", "=a"],
            ["--env", "AWS_LAMBDA_RUNTIME_API=127.0.0.1"],
            ["--header-name", "a b"],
            ["--concurrency", "0"],
            ["--health-checks", "0"],
            ["--timeout", "1.5"],
            ["--timeout", "0"],
            ["--mode", "verify"],
        ] {
            let parsed = CommandLine::try_parse_from(std::iter::once("local").chain(arguments));
            assert_eq!(parsed.unwrap_err().exit_code(), 2, "{arguments:?}");
        }
    }

    #[test]
    fn takes_the_name_from_an_invoke_url() {
        let NamedUrl(named) = "http://127.0.0.1:9000/2015-03-31/functions/respond/invocations"
            .parse()
            .unwrap();
        assert_eq!(named.name, "respond");
        let NamedUrl(named) = "mine=http://127.0.0.1:9000/functions/respond/invocations?a=b"
            .parse()
            .unwrap();
        assert_eq!(named.name, "mine");
    }

    #[test]
    fn refuses_routes_and_targets_that_do_not_fit() {
        let targets = ["--http-target", "a=127.0.0.1:1", "--http-target", "b=127.0.0.1:2"];
        assert_eq!(
            refusal(&targets),
            "the target `a` has no route: add `--route PREFIX=a`"
        );
        assert_eq!(
            refusal(&["--http-target", "a=127.0.0.1:1", "--route", "/=c"]),
            "there is a route to `c`, but the targets are `a`"
        );
        assert_eq!(
            refusal(&["--http-target", "a=127.0.0.1:1", "--http-target", "a=127.0.0.1:2"]),
            "there are two targets with the name `a`"
        );
        let routed = parse(
            &[
                &targets[..],
                &["--route", "/=a", "--route", "/b=b", "--route", "/c=b"],
            ]
            .concat(),
        );
        assert_eq!(routed.target_groups(None).unwrap().len(), 2);
    }

    #[test]
    fn refuses_settings_of_functions_where_none_is_run() {
        let target = ["--http-target", "a=127.0.0.1:1"];
        assert!(refusal(&[&target[..], &["--env", "A=1"]].concat()).contains("`--env`"));
        assert!(refusal(&[&target[..], &["--concurrency", "2"]].concat()).contains("`--concurrency`"));
    }

    #[test]
    fn the_certificate_header_is_a_new_one_unless_it_is_given_or_a_target_runs_elsewhere() {
        let header = |arguments: &[&str]| parse(arguments).certificate_header().unwrap().name;
        let function = ["--function", "a=a"];
        let elsewhere = ["--http-target", "b=127.0.0.1:1"];
        let own = ["--header-name", "X-Own"];
        let set = ["--env", "MTLS_HEADER=x-set"];
        for arguments in [&[][..], &function] {
            let name = header(arguments);
            assert!(
                name.as_str().starts_with("x-") && name.as_str().len() == 38,
                "{name}"
            );
            assert_ne!(name, header(arguments));
        }
        for (arguments, expected) in [
            (own.to_vec(), "x-own"),
            (set.to_vec(), "x-set"),
            ([own, set].concat(), "x-own"),
            ([elsewhere, own].concat(), "x-own"),
            (elsewhere.to_vec(), CERTIFICATE_HEADER),
            ([elsewhere, function].concat(), CERTIFICATE_HEADER),
        ] {
            assert_eq!(header(&arguments), expected, "{arguments:?}");
        }
        let verify = parse(&["--mode", "verify", "--anchors", "anchors.pem"]);
        assert!(verify.certificate_header().is_none());
    }

    #[test]
    fn functions_inherit_what_the_aws_sdk_needs_and_nothing_else() {
        let variables = [
            "AWS_PROFILE",
            "HOME",
            "AWS_LAMBDA_FUNCTION_NAME",
            "MTLS_ANCHORS",
            "LD_PRELOAD",
        ];
        let variables = variables.map(|key| (key.into(), "x".into()));
        let inherited: Vec<String> = inherited_variables(variables.into_iter())
            .map(|(key, _)| key)
            .collect();
        assert_eq!(inherited, ["AWS_PROFILE", "HOME"]);
    }
}
