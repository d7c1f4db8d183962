//! A stack of a simulated account: its functions with what the template gives them, behind its
//! listener.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use local_alb::{
    Environment, FunctionCommand, FunctionOutput, HeaderMode, Listener, LocalAlb, OutputLine, Target,
    TargetGroup,
};
use serde_json::Value;
use test_pki::CertificateBuilder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{binary, project};

/// Attribute of a listener that renames the certificate header.
const HEADER_NAME: &str = "routing.http.request.x_amzn_mtls_clientcert.header_name";

/// Name in the server's certificate.
const HOST: &str = "gate.example.org";

/// A deployed stack as the simulator describes it.
#[derive(Clone, Debug)]
pub struct Stack {
    name: String,
    description: Value,
}

impl Stack {
    /// Returns a stack that is described as the simulated account does it.
    pub fn new(name: &str, description: Value) -> Self {
        Self {
            name: name.to_owned(),
            description,
        }
    }

    /// Returns an output.
    pub fn output(&self, name: &str) -> &str {
        let output = self.description["outputs"][name].as_str();
        output.unwrap_or_else(|| panic!("{} has no output {name}", self.name))
    }

    /// Returns the type of a resource, nested ones included, if the stack has it.
    pub fn resource(&self, logical: &str) -> Option<&str> {
        self.description["resources"][logical]["type"].as_str()
    }

    /// Returns the properties of a resource.
    pub fn properties(&self, logical: &str) -> &Value {
        &self.description["resources"][logical]["properties"]
    }

    /// Returns the properties of each resource of a type.
    pub fn of_type(&self, kind: &str) -> Vec<&Value> {
        let resources = self.description["resources"].as_object().expect("resources");
        let wanted = resources.values().filter(|resource| resource["type"] == kind);
        wanted.map(|resource| &resource["properties"]).collect()
    }

    /// Returns the logical names of the functions.
    pub fn functions(&self) -> Vec<&str> {
        let functions = self.description["functions"].as_object().expect("functions");
        functions.keys().map(String::as_str).collect()
    }

    /// Returns the variables of a container of a task, and the credentials of the task's role.
    pub fn task(&self, logical: &str, container: &str) -> (&Value, &Value) {
        let task = &self.description["tasks"][logical];
        let variables = &task["containers"][container];
        assert!(
            variables.is_object(),
            "{} has no {logical}/{container}",
            self.name
        );
        (variables, &task["credentials"])
    }

    /// Returns the variables of a function.
    pub fn variables(&self, logical: &str) -> &Value {
        &self.function(logical)["environment"]
    }

    fn function(&self, logical: &str) -> &Value {
        let function = &self.description["functions"][logical];
        assert!(function.is_object(), "{} has no {logical}", self.name);
        function
    }

    /// Returns the built program of a function with exactly the variables and the role that the
    /// stack gives it.
    pub fn command(&self, logical: &str) -> FunctionCommand {
        let function = self.function(logical);
        let mut command = match function["binary"].as_str() {
            Some(program) => FunctionCommand::new(binary(program)),
            None => layered(function),
        };
        for variables in ["environment", "credentials"] {
            for (name, value) in function[variables].as_object().expect("variables") {
                command = command.variable(name, value.as_str().expect("a variable is text"));
            }
        }
        let seconds = function["timeout"].as_u64().expect("a timeout");
        command
            .name(function["name"].as_str().expect("a name"))
            .timeout(Duration::from_secs(seconds))
    }

    /// Starts a function by itself, with its output.
    pub async fn start(&self, logical: &str) -> (Environment, UnboundedReceiver<OutputLine>) {
        let (sender, lines) = unbounded_channel();
        let command = self.command(logical).output(FunctionOutput::Lines(sender));
        (
            Environment::start(command).await.expect("the function starts"),
            lines,
        )
    }

    /// Starts the stack's functions behind its HTTPS listener.
    pub async fn listen(&self) -> RunningStack {
        let listeners = self.description["listeners"].as_object().expect("listeners");
        let https: Vec<_> = listeners
            .iter()
            .filter(|(_, listener)| listener["Protocol"] == "HTTPS")
            .collect();
        let [(arn, listener)] = https.as_slice() else {
            panic!("not one HTTPS listener: {https:?}");
        };
        assert_eq!(listener["MutualAuthentication"]["Mode"], "passthrough");
        let attributes = listener["ListenerAttributes"].as_array().expect("attributes");
        let attribute = attributes
            .iter()
            .find(|attribute| attribute["Key"] == HEADER_NAME);
        let header = attribute.expect("the header has a name")["Value"].as_str();
        let default = listener["DefaultActions"][0]["TargetGroupArn"].as_str();
        let mut routes = vec![("/".to_owned(), default.expect("a target group").to_owned())];
        routes.extend(self.rules(arn));
        self.open(header.expect("text"), routes).await
    }

    /// Starts the stack's functions behind a listener that was there before, in passthrough mode
    /// and with this name for the certificate header.
    pub async fn listen_elsewhere(&self, listener: &str, header: &str) -> RunningStack {
        let routes = self.rules(listener);
        assert!(!routes.is_empty(), "no rule of {listener}");
        self.open(header, routes).await
    }

    /// Returns the path prefixes of a listener's rules, with their target groups.
    fn rules(&self, listener: &str) -> Vec<(String, String)> {
        let rules = self.description["rules"].as_array().expect("rules").iter();
        let of_listener = rules.filter(|rule| rule["ListenerArn"] == listener);
        of_listener
            .flat_map(|rule| {
                let group = rule["Actions"][0]["TargetGroupArn"]
                    .as_str()
                    .expect("a target group");
                let patterns = rule["Conditions"][0]["PathPatternConfig"]["Values"].as_array();
                let patterns = patterns.expect("a path pattern").iter();
                patterns.map(|pattern| {
                    let prefix = pattern.as_str().expect("text").trim_end_matches('*');
                    (prefix.to_owned(), group.to_owned())
                })
            })
            .collect()
    }

    async fn open(&self, header: &str, routes: Vec<(String, String)>) -> RunningStack {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for (prefix, group) in routes {
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, prefixes)) => prefixes.push(prefix),
                None => groups.push((group, vec![prefix])),
            }
        }
        let (sender, lines) = unbounded_channel();
        let mut made = Vec::new();
        for (arn, prefixes) in groups {
            let group = &self.description["target_groups"][&arn];
            let target = group["Targets"][0]["Id"].as_str().expect("a target");
            assert!(self.may_invoke(target, &arn), "{arn} may not invoke {target}");
            let functions = self.description["functions"].as_object().expect("functions");
            let function = functions.iter().find(|(_, function)| function["arn"] == target);
            let (logical, _) = function.expect("the target is a function of the stack");
            let attributes = group["TargetGroupAttributes"]
                .as_array()
                .expect("attributes")
                .iter();
            let is_multi_value = attributes
                .filter(|attribute| attribute["Key"] == "lambda.multi_value_headers.enabled")
                .any(|attribute| attribute["Value"] == "true");
            let target = Target::Function {
                command: self
                    .command(logical)
                    .output(FunctionOutput::Lines(sender.clone())),
                concurrency: NonZeroUsize::MIN,
            };
            let name = group["Name"].as_str().expect("a name");
            made.push(
                TargetGroup::new(name, target)
                    .arn(&arn)
                    .path_prefixes(prefixes)
                    .header_mode(match is_multi_value {
                        true => HeaderMode::MultiValue,
                        false => HeaderMode::SingleValue,
                    }),
            );
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = server(folder.path()).certificate_header(header.parse().expect("a header's name"));
        let alb = LocalAlb::start(listener, made)
            .await
            .expect("the load balancer starts");
        RunningStack { alb, folder, lines }
    }

    /// Returns true if a permission lets a target group invoke a function.
    fn may_invoke(&self, function: &str, group: &str) -> bool {
        let permissions = self.description["permissions"].as_array().expect("permissions");
        permissions.iter().any(|permission| {
            let source = permission["SourceArn"].as_str().unwrap_or_default();
            permission["Principal"] == "elasticloadbalancing.amazonaws.com"
                && permission["FunctionName"] == function
                && match source.strip_suffix('*') {
                    Some(prefix) => group.starts_with(prefix),
                    None => source == group,
                }
        })
    }
}

/// Returns the example behind the layer, as Lambda's Python starts it.
fn layered(function: &Value) -> FunctionCommand {
    let folder = function["folder"].as_str().expect("a folder");
    [
        project().join(".venv/bin/python").into_os_string(),
        "-m".into(),
        "awslambdaric".into(),
        function["handler"].as_str().expect("a handler").into(),
    ]
    .into_iter()
    .fold(
        FunctionCommand::new(binary("alb-mtls-layer")),
        FunctionCommand::argument,
    )
    .variable("PYTHONPATH", folder)
    .variable("PYTHONDONTWRITEBYTECODE", "1")
}

/// Returns a listener with a new server certificate, whose authority is in the folder.
fn server(folder: &Path) -> Listener {
    let authority = CertificateBuilder::root("CN=Server CA")
        .self_signed()
        .expect("an authority");
    let server = CertificateBuilder::server(&format!("CN={HOST}"))
        .dns(HOST)
        .issued_by(&authority)
        .expect("a server");
    let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
    std::fs::write(&certificate, server.pem()).expect("a file in the folder");
    std::fs::write(&key, server.key().to_pem().expect("a key")).expect("a file in the folder");
    std::fs::write(folder.join("server-ca.pem"), authority.pem()).expect("a file in the folder");
    Listener::from_pem_files(&certificate, &key).expect("a listener")
}

/// The stack's functions behind its listener.
#[derive(Debug)]
pub struct RunningStack {
    alb: LocalAlb,
    folder: tempfile::TempDir,
    lines: UnboundedReceiver<OutputLine>,
}

impl RunningStack {
    /// Sends a request with curl and returns status and body. A client is its chain and key.
    pub async fn ask(&self, client: Option<(&Path, &Path)>, path: &str) -> (u16, String) {
        let mut command = Command::new("curl");
        if let Some((chain, key)) = client {
            command.arg("--cert").arg(chain).arg("--key").arg(key);
        }
        self.curl(command, &format!("https://{HOST}{path}")).await
    }

    /// Runs the command of the output `TryIt` in a folder with `client.pem` and `client.key`.
    pub async fn try_it(&self, command: &str, folder: &Path) -> (u16, String) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let position = words.iter().position(|word| *word == "--connect-to");
        let connection = words[position.expect("it says where to connect to") + 1];
        let parts: Vec<&str> = connection.split(':').collect();
        assert!(
            parts.len() == 4 && parts[0] == "NAME" && parts[2].ends_with(".elb.amazonaws.com"),
            "{connection}"
        );
        assert_eq!(parts[1], parts[3], "{connection}");
        let url = words.last().expect("a URL");
        assert!(url.starts_with(&format!("https://NAME:{}/", parts[1])), "{url}");
        let mut curl = Command::new("curl");
        let others = words.iter().skip(1).take(words.len() - 2);
        curl.current_dir(folder)
            .args(others.filter(|word| ![&"--connect-to", &connection].contains(word)));
        self.curl(curl, &format!("https://{HOST}/")).await
    }

    /// Runs `alb-mtls probe` in a folder with `client.pem` and `client.key`, with the connection of
    /// the output `TryIt`, and returns its report.
    pub async fn probe(&self, try_it: &str, folder: &Path) -> String {
        assert!(try_it.contains("--connect-to NAME:443:"), "{try_it}");
        let port = self.alb.address().port();
        let output = tokio::process::Command::new(binary("alb-mtls"))
            .args(["probe", &format!("https://{HOST}:443/")])
            .args(["--connect-to", &format!("{HOST}:443:127.0.0.1:{port}")])
            .args(["--cert", "client.pem", "--key", "client.key", "--cacert"])
            .arg(self.folder.path().join("server-ca.pem"))
            .current_dir(folder)
            .output()
            .await
            .expect("the probe starts");
        [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .concat()
    }

    async fn curl(&self, command: Command, url: &str) -> (u16, String) {
        let port = self.alb.address().port();
        let output = tokio::process::Command::from(command)
            .args([
                "--silent",
                "--show-error",
                "--max-time",
                "60",
                "--write-out",
                "\n%{http_code}",
            ])
            .arg("--cacert")
            .arg(self.folder.path().join("server-ca.pem"))
            .args(["--connect-to", &format!("{HOST}:443:127.0.0.1:{port}")])
            .arg(url)
            .output()
            .await
            .expect("curl starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        let (body, status) = text.rsplit_once('\n').expect("curl prints the status");
        assert!(output.status.success(), "{text}{problem}");
        (status.parse().expect("a status"), body.to_owned())
    }

    /// Returns the next decision record.
    pub async fn record(&mut self) -> Value {
        loop {
            let line = tokio::time::timeout(Duration::from_secs(30), self.lines.recv());
            let line = line
                .await
                .expect("a record within 30 seconds")
                .expect("the function runs");
            match serde_json::from_str::<Value>(&line.text) {
                Ok(record) if record["message"] == "decision" => return record,
                _ => {}
            }
        }
    }

    /// Ends the load balancer and its functions.
    pub async fn close(self) {
        self.alb.stop().await;
    }
}

/// Files that are served over HTTP on this machine, as a CA serves its CRLs.
#[derive(Debug)]
pub struct FileServer {
    process: std::process::Child,
    port: u16,
}

impl FileServer {
    /// Serves the files of a folder.
    pub fn start(folder: &Path) -> Self {
        use std::io::BufRead as _;
        let python: PathBuf = project().join(".venv/bin/python");
        let mut process = Command::new(python)
            .args([
                "-u",
                "-m",
                "http.server",
                "0",
                "--bind",
                "127.0.0.1",
                "--directory",
            ])
            .arg(folder)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("Python starts");
        let mut line = String::new();
        std::io::BufReader::new(process.stdout.take().expect("standard output is piped"))
            .read_line(&mut line)
            .expect("it writes text");
        let (_, port) = line.split_once(" port ").expect("it says its port");
        Self {
            port: port.split(' ').next().expect("a word").parse().expect("a port"),
            process,
        }
    }

    /// Returns the host, with a port, that stands for a CA's own in scripts of pages.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
