//! Services behind the gate, by the recipes of docs/containers.md.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use alb_mtls_tests::{Clients, Server, binary, leave_out, project};

use crate::gate::{becomes_ready, curl};

const HEADER: &str = "x-7f3a9c1e";

/// Service that says its port. Ends with the value.
struct Service {
    process: Child,
    port: u16,
}

impl Service {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self { process, port }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Checks that the service knows a verified client, and believes nothing that a client states.
async fn knows_the_client(service: &Service) {
    let clients = Clients::new();
    let mut command = Command::new(binary("alb-mtls-server"));
    command
        .env_clear()
        .env("MTLS_ANCHORS", clients.anchors_source())
        .env("MTLS_HEADER", HEADER)
        .env("MTLS_PEERS", "127.0.0.0/8")
        .env("MTLS_MODE", "optional")
        .env("FORWARD_UPSTREAM", format!("http://127.0.0.1:{}", service.port))
        .env("SERVER_LISTEN", "127.0.0.1:0")
        .env("SERVER_ADMIN_LISTEN", "127.0.0.1:0");
    let server = Server::run(command.into()).await;
    becomes_ready(&server, "/readyz").await;
    let url = format!("http://{}/hello", server.address("SERVER_LISTEN"));
    let certificate = format!("{HEADER}: {}", clients.header(&clients.good));
    let hello = (
        "200".to_owned(),
        "hello CN=client-1,OU=Payments,O=Tests".to_owned(),
    );
    let stranger = ("403".to_owned(), "who are you?".to_owned());
    assert_eq!(curl(&["--header", &certificate, &url]).await, hello);
    assert_eq!(curl(&[&url]).await, stranger);
    for forged in [
        "X-Amzn-Mtls-Clientcert-Subject: CN=admin",
        "X_Amzn_Mtls_Clientcert_Subject: CN=admin",
        "x-amzn_mtls-clientcert_subject: CN=admin",
        "Remote-User: CN=admin",
    ] {
        assert_eq!(curl(&["--header", forged, &url]).await, stranger, "{forged}");
        let both = curl(&["--header", forged, "--header", &certificate, &url]).await;
        assert_eq!(both, hello, "{forged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn express_reads_the_subject() {
    let modules = project().join(".venv/express/node_modules");
    if !modules.is_dir() {
        leave_out("`make .venv/express/installed` sets Express up");
        return;
    }
    let script =
        std::fs::read_to_string(project().join("tests/tests/containers/express_service.cjs")).unwrap();
    let mut command = Command::new("node");
    command.args(["--eval", &script]).env("NODE_PATH", modules);
    knows_the_client(&Service::start(command)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn django_makes_users_of_subjects() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(project().join(".venv/bin/python"));
    command
        .arg("-B")
        .arg(project().join("tests/tests/containers/django_service.py"))
        .arg(folder.path().join("users.sqlite3"))
        .stderr(Stdio::null());
    knows_the_client(&Service::start(command)).await;
}
