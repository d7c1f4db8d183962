//! AWS's own Runtime Interface Emulator, which comes with the SAM CLI and needs no container.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use alb_mtls_tests::{binary, project};
use serde_json::Value;

/// The emulator with a built function in it. Ends with the value.
pub(crate) struct Emulator {
    process: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Emulator {
    /// Starts a built function; the emulator itself starts it at the first event.
    pub(crate) fn start<'a>(package: &str, variables: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        Self::run([binary(package)], variables)
    }

    /// Starts any command line.
    pub(crate) fn run<'a>(
        command_line: impl IntoIterator<Item = PathBuf>,
        variables: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Self {
        // Free ports, which other programs are unlikely to take in the meantime.
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [address, runtime_api] = ports.each_ref().map(|listener| listener.local_addr().unwrap());
        drop(ports);
        let mut process = Command::new(program())
            .args(["--runtime-interface-emulator-address", &address.to_string()])
            .args(["--runtime-api-address", &runtime_api.to_string()])
            .args(command_line)
            .envs(variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        collect(process.stdout.take().unwrap(), Arc::clone(&log));
        collect(process.stderr.take().unwrap(), Arc::clone(&log));
        let mut emulator = Self {
            process,
            address,
            log,
        };
        while TcpStream::connect(address).is_err() {
            let ended = emulator.process.try_wait().unwrap();
            assert!(ended.is_none(), "the emulator ended: {}", emulator.log());
            std::thread::yield_now();
        }
        emulator
    }

    /// Returns the function's answer to the event in this file; a function error is JSON, too.
    pub(crate) fn invoke(&self, event: &Path) -> Value {
        let answer = self.invoke_raw(event);
        serde_json::from_slice(&answer).unwrap_or_else(|error| {
            let answer = String::from_utf8_lossy(&answer);
            panic!("{}: {error}: {answer}\n{}", event.display(), self.log())
        })
    }

    /// Returns the raw answer, which is empty when the function does not start.
    pub(crate) fn invoke_raw(&self, event: &Path) -> Vec<u8> {
        let url = format!(
            "http://{}/2015-03-31/functions/function/invocations",
            self.address
        );
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--noproxy", "*", "--data-binary"])
            .arg(format!("@{}", event.display()))
            .arg(url)
            .output()
            .unwrap();
        output.stdout
    }

    /// Returns the output of the emulator and the function.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // With this signal the emulator ends the function too.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn collect(output: impl std::io::Read + Send + 'static, log: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}

fn program() -> PathBuf {
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let libraries = project().join(".venv/lib");
    let folders = std::fs::read_dir(&libraries).unwrap_or_else(|error| {
        panic!("{}: {error}: `make test` sets it up", libraries.display());
    });
    folders
        .map(|entry| {
            let packages = entry.unwrap().path().join("site-packages");
            packages.join(format!("samcli/local/rapid/aws-lambda-rie-{machine}"))
        })
        .find(|program| program.exists())
        .expect("the SAM CLI is installed in .venv: `make test` sets it up")
}
