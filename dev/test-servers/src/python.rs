use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Server in Python that prints its port first and reads its standard input to the end. It ends
/// with the value, and with the test process however that ends: its standard input is a pipe of
/// ours.
#[derive(Debug)]
pub struct PythonServer {
    process: Child,
    port: u16,
    _ends_with_us: ChildStdin,
}

impl PythonServer {
    /// Starts Python with these arguments and variables, and waits for the port.
    pub fn start(
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        variables: &[(&str, &OsStr)],
    ) -> Self {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
        assert!(
            python.exists(),
            "{} is missing: `make test` sets it up",
            python.display()
        );
        let mut process = Command::new(python)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("standard output is piped"))
            .read_line(&mut line)
            .expect("the server writes text");
        Self {
            port: line.trim().parse().expect("the server prints its port"),
            _ends_with_us: process.stdin.take().expect("standard input is piped"),
            process,
        }
    }

    /// Returns the port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the value of `AWS_ENDPOINT_URL` for AWS SDKs.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        // It has ended already, or it ends now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
