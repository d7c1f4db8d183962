//! `deploy/canary`: silent while the gate denies what it must, and an alarm when it does not.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Output;

use alb_mtls_tests::{Clients, binary, project};
use local_alb::{ClientCertificateHeaderCopies, FunctionCommand, FunctionOutput, Target};
use test_pki::{CertificateBuilder, CrlBuilder};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::load_balancer::{LoadBalancer, stdout};

/// Clients of each kind as files, and the CRLs that revoke one of them.
fn clients() -> Clients {
    let clients = Clients::new();
    let foreign = Clients::of("Foreign");
    let revoked = clients.issue(CertificateBuilder::client("CN=revoked,O=Tests"));
    clients.write_client("good", &clients.good);
    clients.write_client("expired", &clients.expired());
    clients.write_client("revoked", &revoked);
    let (chain, key) = foreign.write_client("foreign", &foreign.good);
    for file in [chain, key] {
        std::fs::copy(&file, clients.directory().join(file.file_name().unwrap())).unwrap();
    }
    let crls = [
        CrlBuilder::new().issued_by(&clients.root).unwrap().pem(),
        CrlBuilder::new()
            .revoke(&revoked)
            .issued_by(&clients.issuing)
            .unwrap()
            .pem(),
    ];
    clients.write("crls.pem", &crls.concat());
    clients
}

fn respond(clients: &Clients, variables: &[(&str, &str)]) -> Target {
    let mut command = FunctionCommand::new(binary("respond"))
        .variable("MTLS_ANCHORS", clients.anchors_source())
        .output(FunctionOutput::Discard);
    for (name, value) in variables {
        command = command.variable(*name, *value);
    }
    Target::Function {
        command,
        concurrency: NonZeroUsize::MIN,
    }
}

fn crls(clients: &Clients) -> String {
    format!("file:{}", clients.directory().join("crls.pem").display())
}

async fn canary(balancer: &LoadBalancer, folder: &Path) -> Output {
    canary_at(&balancer.url(), folder, &balancer.server_authority).await
}

async fn canary_at(url: &str, folder: &Path, server_authority: &Path) -> Output {
    tokio::process::Command::new(project().join("deploy/canary"))
        .arg(url)
        .arg(folder)
        .arg("--cacert")
        .arg(server_authority)
        .output()
        .await
        .unwrap()
}

fn assert_every_line_is_ok(output: &Output) {
    let text = stdout(output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let names = ["good", "expired", "revoked", "foreign", "none", "forged"];
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), names.len(), "{text}");
    for (line, name) in lines.iter().zip(names) {
        assert!(line.starts_with(&format!("ok     {name}: ")), "{text}");
    }
}

/// `alb-mtls local`, stopped with its functions.
struct Local(tokio::process::Child);

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(id) = self.0.id() {
            let _ = std::process::Command::new("kill").arg(id.to_string()).status();
        }
    }
}

#[tokio::test]
async fn the_default_configuration_of_alb_mtls_local_passes_every_line() {
    let clients = clients();
    let made = std::process::Command::new(binary("alb-mtls"))
        .args(["pki", "init"])
        .current_dir(clients.directory())
        .output()
        .unwrap();
    assert!(made.status.success());
    let mut local = Local(
        tokio::process::Command::new(binary("alb-mtls"))
            .args(["local", "--listen", "127.0.0.1:0"])
            .args(["--env", &format!("MTLS_ANCHORS={}", clients.anchors_source())])
            .args(["--env", &format!("MTLS_CRLS={}", crls(&clients))])
            .current_dir(clients.directory())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(local.0.stdout.take().unwrap()).lines();
    let listening = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        // The function's own lines come before it.
        if line.starts_with("listening on") {
            break line;
        }
    };
    let (_, port) = listening.split_once("127.0.0.1:").unwrap();
    let url = format!("https://localhost:{}/", port.split(' ').next().unwrap());
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let authority = clients.directory().join(".demo/server-ca.pem");
    assert_every_line_is_ok(&canary_at(&url, clients.directory(), &authority).await);
}

#[tokio::test]
async fn a_gate_that_refuses_whom_it_must_is_fine() {
    let clients = clients();
    let target = respond(&clients, &[("MTLS_CRLS", &crls(&clients))]);
    let balancer = LoadBalancer::start(&clients, target, ClientCertificateHeaderCopies::Strip).await;
    assert_every_line_is_ok(&canary(&balancer, clients.directory()).await);
}

#[tokio::test]
async fn each_wrong_answer_is_named() {
    let clients = clients();
    let everything = crls(&clients);
    let strip = ClientCertificateHeaderCopies::Strip;
    let pass_on = ClientCertificateHeaderCopies::PassOn;
    for (variables, copies, wrong) in [
        (vec![], strip, vec!["revoked"]),
        (
            vec![("MTLS_MODE", "report")],
            strip,
            vec!["expired", "revoked", "foreign", "none", "forged"],
        ),
        (
            vec![("MTLS_CRLS", everything.as_str()), ("MTLS_MODE", "optional")],
            strip,
            vec!["none", "forged"],
        ),
        // What a load balancer does with it is not documented: if it hands it over, this is how one
        // learns.
        (vec![("MTLS_CRLS", everything.as_str())], pass_on, vec!["forged"]),
        (
            vec![("MTLS_CRLS", "file:/nowhere")],
            strip,
            vec!["good", "expired", "revoked", "foreign"],
        ),
    ] {
        let balancer = LoadBalancer::start(&clients, respond(&clients, &variables), copies).await;
        let output = canary(&balancer, clients.directory()).await;
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{variables:?}: {text}");
        let found: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("WRONG  ")?.split(':').next())
            .collect();
        assert_eq!(found, wrong, "{variables:?}: {text}");
    }
}

#[tokio::test]
async fn a_missing_file_or_a_wrong_usage_is_no_wrong_answer() {
    let clients = Clients::new();
    let output = std::process::Command::new(project().join("deploy/canary"))
        .args(["https://localhost:1/"])
        .arg(clients.directory())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("good.pem"));
    let output = std::process::Command::new(project().join("deploy/canary"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
