//! `alb-mtls local` as people run it: with the demo PKI, curl and Ctrl-C.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A function in another language, started like any other: it shows the event and its settings.
pub(crate) const FUNCTION: &str = r#"#!/usr/bin/env python3
import http.client, json, os, sys
if os.environ.get("REFUSE"):
    sys.exit("REFUSE holds a value that is not allowed")
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    event = json.loads(answer.read())
    if event["path"] == "/crash":
        os._exit(3)
    print("handled", event["path"], flush=True)
    body = json.dumps({"event": event, "environment": dict(os.environ), "pid": os.getpid()})
    headers = {"content-type": "application/json"}
    if "multiValueHeaders" in event:
        fields = {"multiValueHeaders": {name: [value] for name, value in headers.items()}}
    else:
        fields = {"headers": headers}
    fields |= {"statusCode": 200, "isBase64Encoded": False, "body": body}
    request = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", f"/2018-06-01/runtime/invocation/{request}/response", json.dumps(fields))
    api.getresponse().read()
"#;

/// A folder with a demo PKI and a function.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        // On the file system of the built programs, for a hard link to one.
        let folder = Self(TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        let function = folder.path().join("function");
        fs::write(&function, FUNCTION).unwrap();
        fs::set_permissions(&function, fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_alb-mtls"))
            .args(["pki", "init"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alb-mtls"));
        command.arg("local").args(arguments).current_dir(self.path());
        command
    }

    /// Returns the one line on stderr of a run that ends with 2.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(output.stdout.is_empty());
        let line = text.strip_prefix("error: ").unwrap().strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'), "{text}");
        line.to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Running {
        let mut child = self
            .command(&["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (address, mode) = line
            .strip_prefix("listening on https://127.0.0.1:")
            .and_then(|rest| rest.trim_end().split_once(' '))
            .unwrap_or_else(|| panic!("{line:?}"));
        Running {
            port: address.to_owned(),
            mode: mode.to_owned(),
            child,
            stdout,
        }
    }

    fn curl(&self, running: &Running, path: &str, options: &[&str]) -> Output {
        Command::new("curl")
            .args(["--silent", "--show-error", "--cacert", ".demo/server-ca.pem"])
            .args(options)
            .arg(format!("https://localhost:{}{path}", running.port))
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    fn shown(&self, running: &Running, path: &str, options: &[&str]) -> Value {
        let output = self.curl(running, path, options);
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text} {output:?}"))
    }
}

/// A load balancer that runs until it is dropped, or stopped in the proper way.
struct Running {
    port: String,
    mode: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Returns the output until this signal ends it.
    fn stop(mut self, signal: &str) -> String {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        rest
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CERTIFICATE: [&str; 4] = ["--cert", ".demo/good.pem", "--key", ".demo/good.key"];

#[test]
fn serves_the_function_and_prints_a_line_for_each_request() {
    let folder = Folder::new();
    let running = folder.run(&["--function", "demo=function", "--env", "MTLS_X=a=b"]);
    assert_eq!(running.mode, "(passthrough)");
    let anonymous = folder.shown(&running, "/a?b=c", &[]);
    let client = folder.shown(&running, "/", &CERTIFICATE);
    let name = client["environment"]["MTLS_HEADER"].as_str().unwrap().to_owned();
    assert_ne!(name, "x-amzn-mtls-clientcert");
    assert!(anonymous["event"]["multiValueHeaders"][&name].is_null());
    assert!(client["event"]["multiValueHeaders"]["x-amzn-mtls-clientcert"].is_null());
    let header = &client["event"]["multiValueHeaders"][&name][0];
    assert!(
        header
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN%20CERTIFICATE-----%0A")
    );
    assert_eq!(client["environment"]["MTLS_X"], "a=b");
    assert_eq!(client["environment"]["AWS_LAMBDA_FUNCTION_NAME"], "demo");
    let lines = running.stop("-INT");
    assert!(
        lines.starts_with(&format!("certificate header: {name}\n")),
        "{lines}"
    );
    for expected in [
        "demo | handled /a\n",
        "200 GET /a?b=c (no certificate) in ",
        "200 GET / (2 certificates) in ",
        ", by demo\n",
    ] {
        assert!(lines.contains(expected), "{expected}: {lines}");
    }
    assert!(!lines.contains('\u{1b}'), "{lines}");
}

#[test]
fn a_target_that_runs_elsewhere_gets_the_default_header_and_a_line_says_so() {
    let folder = Folder::new();
    let running = folder.run(&["--http-target", "demo=127.0.0.1:9"]);
    let lines = running.stop("-INT");
    assert!(
        lines.starts_with("certificate header: x-amzn-mtls-clientcert, which clients can copy; to rename it, give --header-name"),
        "{lines}"
    );
}

#[test]
fn stopping_ends_the_function() {
    let folder = Folder::new();
    for signal in ["-INT", "-TERM"] {
        let running = folder.run(&["--function", "demo=function"]);
        let pid = folder.shown(&running, "/", &[])["pid"].to_string();
        assert!(Path::new("/proc").join(&pid).exists());
        running.stop(signal);
        assert!(!Path::new("/proc").join(&pid).exists());
    }
}

#[test]
fn a_crash_is_one_bad_answer() {
    let folder = Folder::new();
    let running = folder.run(&["--function", "demo=function", "--single-value-headers"]);
    let output = folder.curl(&running, "/crash", &["--write-out", "%{http_code}"]);
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("502"));
    assert!(folder.shown(&running, "/", &[])["event"]["headers"].is_object());
    assert!(
        running
            .stop("-INT")
            .contains("502 GET /crash (no certificate) in ")
    );
}

#[test]
fn routes_and_flags_reach_the_listener() {
    let folder = Folder::new();
    let running = folder.run(&[
        "--function",
        "one=function",
        "--function",
        "two=./function",
        "--route",
        "/=one",
        "--route",
        "/two=two",
        "--header-name",
        "X-Own",
        "--client-header-copies",
        "strip",
    ]);
    let own = ["--header", "x-own: forged"];
    for (path, name) in [("/", "one"), ("/two/x", "two")] {
        let shown = folder.shown(&running, path, &[&own[..], &CERTIFICATE].concat());
        assert_eq!(shown["environment"]["AWS_LAMBDA_FUNCTION_NAME"], name);
        assert_eq!(shown["environment"]["MTLS_HEADER"], "x-own");
        let headers = shown["event"]["multiValueHeaders"]["x-own"].as_array().unwrap();
        assert_eq!(headers.len(), 1);
        assert_ne!(headers.first().unwrap(), "forged");
    }
}

#[test]
fn verify_mode_lets_only_verified_clients_in() {
    let folder = Folder::new();
    let arguments = [
        "--mode",
        "verify",
        "--anchors",
        ".demo/anchors.pem",
        "--function",
        "demo=function",
    ];
    let running = folder.run(&arguments);
    assert_eq!(running.mode, "(verify)");
    assert!(!folder.curl(&running, "/", &[]).status.success());
    let shown = folder.shown(&running, "/", &CERTIFICATE);
    assert!(shown["event"]["multiValueHeaders"]["x-amzn-mtls-clientcert-subject"].is_array());
    assert!(shown["environment"]["MTLS_HEADER"].is_null());
    assert!(running.stop("-INT").contains("TLS handshake failed"));
}

#[test]
fn wrong_usage_is_one_line() {
    let folder = Folder::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    let function = ["--function", "demo=function"];
    for (arguments, expected) in [
        (&["--listen", &address][..], "cannot listen on `127.0.0.1:"),
        (&["--server-key", "missing.key"], "`missing.key`"),
        (&["--server-certificate", "missing.pem"], "alb-mtls pki init"),
        (
            &["--server-certificate", ".demo/good.key"],
            "the file does not contain one",
        ),
        (&["--anchors", ".demo/anchors.pem"], "`--mode verify`"),
        (&["--mode", "verify", "--anchors", "missing.pem"], "`missing.pem`"),
        (
            &[
                "--mode",
                "verify",
                "--anchors",
                ".demo/anchors.pem",
                "--header-name",
                "x",
            ],
            "`--header-name`",
        ),
        (&["--route", "/=other"], "the targets are `demo`"),
        (&["--function", "b=missing"], "there is no function at `missing`"),
    ] {
        let line = folder.refusal(&[&function[..], arguments].concat());
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn a_function_that_refuses_its_settings_stops_the_start() {
    let folder = Folder::new();
    let output = folder
        .command(&[
            "--listen",
            "127.0.0.1:0",
            "--function",
            "demo=function",
            "--env",
            "REFUSE=1",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "demo | REFUSE holds a value that is not allowed\n\
         error: function `demo` ended before it asked for its first event: exit status: 1\n"
    );
}

#[test]
fn the_default_function_is_named_when_it_is_not_built() {
    let folder = Folder::new();
    // Beside this link to the program there is no other one.
    let program = folder.path().join("alb-mtls");
    fs::hard_link(env!("CARGO_BIN_EXE_alb-mtls"), &program).unwrap();
    let output = Command::new(program)
        .arg("local")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("cargo build -p respond"), "{text}");
}
