//! `alb-mtls authorize`: the built function, asked by hand and by real handshakes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use alb_mtls_tests::{Clients, binary};
use serde_json::Value;
use test_pki::CertificateBuilder;

fn authorize(clients: &Clients) -> Command {
    let intermediates = clients.write("intermediates.pem", &clients.issuing.pem());
    let mut command = Command::new(binary("alb-mtls"));
    command
        .arg("authorize")
        .arg("--function")
        .arg(binary("authorize"))
        .arg("--env")
        .arg(format!("MTLS_ANCHORS={}", clients.anchors_source()))
        .arg("--env")
        .arg(format!("MTLS_INTERMEDIATES=file:{}", intermediates.display()));
    command
}

fn decisions(output: &Output) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(&output.stdout);
    let all: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    read_decisions(&all)
}

fn read_decisions(all: &Value) -> Vec<(String, String)> {
    let text = |json: &Value| json.as_str().unwrap().to_owned();
    all.as_array()
        .unwrap()
        .iter()
        .map(|decision| (text(&decision["event"]), text(&decision["decision"])))
        .collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter()
        .map(|(event, decision)| ((*event).to_owned(), (*decision).to_owned()))
        .collect()
}

const ALLOWED: [(&str, &str); 3] = [("rest", "allow"), ("http-1.0", "allow"), ("http-2.0", "allow")];
const REFUSED: [(&str, &str); 3] = [
    ("rest", "unauthorized"),
    ("http-1.0", "deny"),
    ("http-2.0", "deny"),
];

#[test]
fn shows_the_decision_about_a_certificate_for_each_kind_of_api() {
    let clients = Clients::new();
    let (good, _) = clients.write_client("good", &clients.good);
    let (expired, _) = clients.write_client("expired", &clients.expired());
    for place in ["client-cert", "header"] {
        for (chain, expected, code) in [(&good, ALLOWED, 0), (&expired, REFUSED, 1)] {
            let mut command = authorize(&clients);
            command
                .args(["--json", "--certificate", place, "--pem"])
                .arg(chain);
            let output = command.output().unwrap();
            assert_eq!(decisions(&output), pairs(&expected), "{place}");
            assert_eq!(output.status.code(), Some(code));
        }
    }
    let output = authorize(&clients)
        .args(["--no-certificate", "--event-version", "2.0"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("http-2.0: deny (403)\n{"), "{text}");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains("authorize | {") && log.contains("certificate_missing"),
        "{log}"
    );
}

#[test]
fn unusable_input_ends_with_2_and_one_line() {
    let clients = Clients::new();
    let (good, _) = clients.write_client("good", &clients.good);
    let empty = clients.write("empty.pem", "");
    for (arguments, reason) in [
        (
            vec!["--pem", empty.to_str().unwrap(), "--json"],
            "there is no certificate in",
        ),
        (
            vec!["--pem", good.to_str().unwrap(), "--json", "--function", "missing"],
            "there is no function at `./missing`",
        ),
        (
            vec![
                "--pem",
                good.to_str().unwrap(),
                "--json",
                "--env",
                "MTLS_MODE=off",
            ],
            "ended before it asked for its first event",
        ),
    ] {
        let mut command = Command::new(binary("alb-mtls"));
        command.args(["authorize", "--env", "MTLS_ANCHORS=file:/nowhere"]);
        if !arguments.contains(&"--function") {
            command.arg("--function").arg(binary("authorize"));
        }
        let output = command.args(&arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(reason) && error.lines().count() == 1, "{error}");
    }
}

/// Stops with the value.
struct Listening {
    process: Child,
    address: String,
}

impl Listening {
    fn start(clients: &Clients) -> Self {
        let server = CertificateBuilder::server("CN=localhost")
            .dns("localhost")
            .issued_by(&clients.root)
            .unwrap();
        let certificate = clients.write("server.pem", &server.pem());
        let key = clients.write("server.key", &server.key().to_pem().unwrap());
        let mut process = authorize(clients)
            .args(["--listen", "127.0.0.1:0", "--server-certificate"])
            .arg(certificate)
            .arg("--server-key")
            .arg(key)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim_end()
            .strip_prefix("listening on https://127.0.0.1")
            .expect(&line);
        Self {
            address: format!("https://localhost{address}"),
            process,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn answers_real_handshakes_with_the_decisions_about_them() {
    let clients = Clients::new();
    let foreign = Clients::new();
    let listening = Listening::start(&clients);
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--cacert"])
            .arg(clients.directory().join("anchors.pem"))
            .args(arguments)
            .arg(format!("{}/orders?id=7", listening.address))
            .output()
            .expect("curl must be installed");
        read_decisions(&serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!(
                "{}\n{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        }))
    };
    let (good, good_key) = clients.write_client("good", &clients.good);
    let (other, other_key) = foreign.write_client("other", &foreign.good);
    let with = |certificate: &std::path::Path, key: &std::path::Path| {
        curl(&[
            "--cert",
            certificate.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
        ])
    };
    assert_eq!(with(&good, &good_key), pairs(&ALLOWED));
    assert_eq!(with(&other, &other_key), pairs(&REFUSED));
    assert_eq!(curl(&[]), pairs(&REFUSED));
}
