//! An AWS account on this machine, in which scripts of pages deploy stacks: `tests/simulator`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use test_servers::PythonServer;

use crate::stack::Stack;
use crate::{binary, project};

/// The account, with its own parameters, buckets, roles and stacks. It ends with the value.
#[derive(Debug)]
pub struct Account {
    server: PythonServer,
    programs: PathBuf,
    /// Folder with `sam`, which makes stacks in this account, and `aws`.
    commands: tempfile::TempDir,
}

/// Values of the variables that scripts of pages expect to be set.
const PLACEHOLDERS: [(&str, &str); 8] = [
    ("vpc", "vpc-0a1b2c3d4e5f67890"),
    ("networks", "10.0.0.0/24 10.0.1.0/24"),
    (
        "gate_image",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/alb-mtls-server@sha256:0a1b2c3d",
    ),
    ("service_image", "orders:1"),
    ("subnets", "subnet-0a1b2c3d4e5f67890,subnet-1a1b2c3d4e5f67890"),
    ("private_subnets", "subnet-2a1b2c3d4e5f67890"),
    (
        "certificate",
        "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000001",
    ),
    ("AWS_DEFAULT_REGION", "us-east-1"),
];

/// Output of a script, and whether it succeeded.
#[derive(Debug)]
pub struct ScriptOutput {
    pub is_success: bool,
    pub text: String,
}

impl Account {
    /// Starts an empty account.
    pub fn start() -> Self {
        let programs = binary("respond")
            .parent()
            .expect("a program is in a folder")
            .to_owned();
        let python = project().join(".venv/bin/python");
        let client = client_of_commands();
        let account = client.iter().map(String::as_str).chain(["account"]);
        let server = PythonServer::start(account, &[("SIMULATOR_PROGRAMS", programs.as_os_str())]);
        let commands = tempfile::tempdir().expect("a temporary folder");
        for name in ["aws", "sam"] {
            let file = commands.path().join(name);
            let script = format!(
                "#!/bin/sh\nexec {} {} {name} \"$@\"\n",
                python.display(),
                client.join(" ")
            );
            std::fs::write(&file, script).expect("a file in the temporary folder");
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&file, permissions).expect("the file is ours");
        }
        Self {
            server,
            programs,
            commands,
        }
    }

    /// Returns the value of `AWS_ENDPOINT_URL` for AWS SDKs.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Puts an object into a bucket, which is made if it is not there, as the operator.
    pub fn put_object(&self, bucket: &str, key: &str, content: &[u8]) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("object");
        std::fs::write(&file, content).expect("a file in the temporary folder");
        let file = file.to_str().expect("a path in UTF-8").to_owned();
        let endpoint = self.endpoint();
        self.transfer(&["--request", "PUT", &format!("{endpoint}/{bucket}")]);
        self.transfer(&["--upload-file", &file, &format!("{endpoint}/{bucket}/{key}")]);
    }

    fn transfer(&self, arguments: &[&str]) {
        let status = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--output", "/dev/null"])
            .args(arguments)
            .status()
            .expect("curl starts");
        assert!(status.success(), "{arguments:?}");
    }

    /// Runs a script of a page in a folder with the template, with our command line, AWS's and
    /// SAM's on the path.
    pub fn run(&self, folder: &Path, script: &str, variables: &[(&str, &str)]) -> ScriptOutput {
        for name in [
            "template.yaml",
            "samconfig.toml",
            "deploy",
            "functions",
            "examples",
        ] {
            let link = folder.join(name);
            if !link.exists() && project().join(name).exists() {
                std::os::unix::fs::symlink(project().join(name), link).expect("a link in the folder");
            }
        }
        let own = std::env::var_os("PATH").expect("there is a path");
        let folders = [
            self.commands.path().to_owned(),
            self.programs.clone(),
            project().join(".venv/bin"),
        ];
        let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&own)));
        let output = Command::new("timeout")
            .args(["300", "bash", "-euo", "pipefail", "-c"])
            .arg(format!("exec 2>&1; {script}"))
            .env("PATH", path.expect("folders without colons"))
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "operator")
            .env("AWS_SECRET_ACCESS_KEY", "operator")
            .env("AWS_PAGER", "")
            .envs(PLACEHOLDERS)
            .envs(variables.iter().copied())
            .current_dir(folder)
            .output()
            .expect("bash starts");
        ScriptOutput {
            is_success: output.status.success(),
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }

    /// Runs a script that must succeed.
    pub fn must_run(&self, folder: &Path, script: &str, variables: &[(&str, &str)]) -> String {
        let output = self.run(folder, script, variables);
        assert!(output.is_success, "{script}\n{}", output.text);
        output.text
    }

    /// Returns a stack that a script has deployed.
    pub fn stack(&self, name: &str) -> Stack {
        let description = self.ask(&["--fail"], &format!("/simulator/stack/{name}"));
        Stack::new(name, description)
    }

    /// Deploys a stack again with some parameters changed.
    ///
    /// # Errors
    /// The words with which the deployment is refused.
    pub fn change(&self, stack: &str, parameters: &[(&str, &str)]) -> Result<Stack, String> {
        let parameters: serde_json::Map<String, Value> = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        let request = serde_json::json!({"stack": stack, "parameters": parameters});
        let answer = self.ask(&["--data", &request.to_string()], "/simulator/change");
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(self.stack(stack)),
        }
    }

    /// Registers a program as a Lambda function of the account.
    pub fn register(&self, name: &str, command: &[&Path], variables: &Value) {
        let function = serde_json::json!({"name": name, "command": command, "environment": variables});
        self.ask(
            &["--fail", "--data", &function.to_string()],
            "/simulator/function",
        );
    }

    fn ask(&self, options: &[&str], path: &str) -> Value {
        let output = Command::new("curl")
            .args(["--silent", "--show-error"])
            .args(options)
            .arg(format!("{}{path}", self.endpoint()))
            .output()
            .expect("curl starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{path}: {text}");
        serde_json::from_str(&text).expect("the simulator answers with JSON")
    }
}

/// Returns the arguments with which Python has the process of `commands.py` run a program. The
/// first call starts that process, which ends with this one.
fn client_of_commands() -> [String; 5] {
    static SERVER: OnceLock<PythonServer> = OnceLock::new();
    let simulator = project().join("tests/simulator");
    let socket = format!("alb-mtls-simulator-{}", std::process::id());
    SERVER.get_or_init(|| {
        let script = simulator.join("commands.py");
        PythonServer::start([OsStr::new("-B"), script.as_os_str(), socket.as_ref()], &[])
    });
    // Without the packages that it does not need.
    let script = simulator.join("command.py").display().to_string();
    ["-E".to_owned(), "-S".to_owned(), "-B".to_owned(), script, socket]
}

/// Returns a block of a page's section that is marked as run, by its place in the section.
pub fn page_block(page: &str, section: &str, block: usize) -> String {
    let text = std::fs::read_to_string(project().join(page)).expect("the page is there");
    let section = text
        .split(&format!("\n## {section}\n"))
        .nth(1)
        .expect("the section");
    let block = section
        .split("<!-- run -->\n```sh\n")
        .nth(block + 1)
        .expect("the block");
    block
        .split_once("```")
        .expect("the end of the block")
        .0
        .to_owned()
}

/// Returns the blocks of a page that are marked as steps of a deployment, such as
/// `<!-- deploy: two tiers -->`, in order.
pub fn deployment_script(page: &str, name: &str) -> String {
    let text = std::fs::read_to_string(project().join(page)).expect("the page is there");
    let marker = format!("<!-- deploy: {name} -->");
    let blocks = text.split(&marker).skip(1).map(|after| {
        let (_, block) = after.split_once("```sh\n").expect("a block of commands");
        block.split_once("```").expect("the end of the block").0
    });
    let script = blocks.collect::<Vec<_>>().join("\n");
    assert!(!script.is_empty(), "{page} has no block `deploy: {name}`");
    script
}
