//! Functions in several languages, bare or behind the layer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use alb_mtls_tests::{Answer, Clients, Function, binary, leave_out, project};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use local_alb::FunctionCommand;
use serde_json::Value;

/// A function that answers with the event as it arrived and the number of its calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Language {
    Python,
    Node,
}

impl Language {
    /// Returns the runtimes that this machine has. `.ci/run` installs Node.js; without it, this
    /// says so and Python stands alone.
    pub(crate) fn all() -> Vec<Self> {
        if has("node") {
            vec![Self::Python, Self::Node]
        } else {
            leave_out("`node` is not installed: Python stands alone");
            vec![Self::Python]
        }
    }

    fn command_line(self) -> [PathBuf; 2] {
        match self {
            Self::Python => [python(), here("function.py")],
            Self::Node => ["node".into(), here("function.js")],
        }
    }

    /// Returns the function by itself.
    pub(crate) fn bare(self) -> FunctionCommand {
        let [program, script] = self.command_line();
        FunctionCommand::new(program).argument(script).name("app")
    }

    /// Returns the function behind the layer, with the anchors of these clients.
    pub(crate) fn behind_layer(self, clients: &Clients, variables: &[(&str, &str)]) -> FunctionCommand {
        behind_layer(self.command_line(), clients, variables)
    }

    /// Returns the function behind the layer, started.
    pub(crate) async fn start(self, clients: &Clients, variables: &[(&str, &str)]) -> Function {
        Function::run(self.behind_layer(clients, variables)).await
    }
}

/// Returns true if this machine has a program.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A command line behind the layer.
pub(crate) fn behind_layer<A: Into<std::ffi::OsString>>(
    command_line: impl IntoIterator<Item = A>,
    clients: &Clients,
    variables: &[(&str, &str)],
) -> FunctionCommand {
    let command = FunctionCommand::new(layer())
        .name("app")
        .variable("MTLS_ANCHORS", clients.anchors_source());
    let command = command_line.into_iter().fold(command, FunctionCommand::argument);
    variables
        .iter()
        .fold(command, |command, (name, value)| command.variable(*name, *value))
}

pub(crate) fn layer() -> PathBuf {
    binary("alb-mtls-layer")
}

pub(crate) fn python() -> PathBuf {
    project().join(".venv/bin/python")
}

/// A file beside this one.
pub(crate) fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/layer")
        .join(name)
}

/// Returns the number of calls of the function, this one included.
pub(crate) fn calls(answer: &Answer) -> u64 {
    answer.json["calls"].as_u64().unwrap()
}

/// Returns the event as the function got it, byte for byte.
pub(crate) fn received(answer: &Answer) -> String {
    let event = STANDARD.decode(answer.json["event"].as_str().unwrap()).unwrap();
    String::from_utf8(event).unwrap()
}

pub(crate) fn received_json(answer: &Answer) -> Value {
    serde_json::from_str(&received(answer)).unwrap()
}

/// Short enough for a test of what happens at its end, long enough for an event that is answered.
pub(crate) const SHORT: Duration = Duration::from_secs(2);
