//! The reverse proxy between clients and servers that others wrote, and byte for byte.

use std::path::Path;
use std::process::Stdio;

use alb_mtls_tests::{Clients, SECRET_HEADER, binary, leave_out, project};
use test_pki::{CertificateBuilder, write_private};
use tokio::process::Command;
use tokio::sync::Mutex;

/// Scenarios measure times, so they run one after the other.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Runs a scenario of a script in this folder.
async fn run(script: &str, scenario: &str) {
    let _alone = ALONE.lock().await;
    let clients = Clients::new();
    let authority = CertificateBuilder::root("CN=Upstream CA").self_signed().unwrap();
    let upstream = CertificateBuilder::server("CN=localhost").dns("localhost");
    let upstream = upstream.issued_by(&authority).unwrap();
    let key = clients.directory().join("upstream.key");
    write_private(&key, &upstream.key().to_pem().unwrap()).unwrap();
    let authority = clients.write("upstream-ca.pem", &authority.pem());
    let output = Command::new(project().join(".venv/bin/python"))
        .args([
            Path::new("-B"),
            &project().join("tests/tests/server").join(script),
            Path::new(scenario),
        ])
        .env("SERVER", binary("alb-mtls-server"))
        .env("MTLS_ANCHORS", clients.anchors_source())
        .env("MTLS_HEADER", SECRET_HEADER)
        .env("CERTIFICATE", clients.header(&clients.good))
        .env("UPSTREAM_CA", format!("file:{}", authority.display()))
        .env("UPSTREAM_CHAIN", clients.write("upstream.pem", &upstream.pem()))
        .env("UPSTREAM_KEY", &key)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("Python starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {scenario}: {said}");
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn grpc_calls_streams_deadlines_and_cancellations_pass() {
    run("proxy_libraries.py", "grpc").await;
}

#[tokio::test]
async fn websockets_pass_and_end_with_either_side() {
    run("proxy_libraries.py", "websocket").await;
}

#[tokio::test]
async fn large_bodies_and_events_pass_as_they_come() {
    run("proxy_libraries.py", "bodies").await;
}

#[tokio::test]
async fn sigterm_loses_no_request() {
    run("proxy_libraries.py", "restarts").await;
}

#[tokio::test]
async fn broken_answers_are_broken_for_clients() {
    run("proxy_bytes.py", "broken_answers").await;
}

#[tokio::test]
async fn answers_without_bodies_are_told_apart() {
    run("proxy_bytes.py", "bodyless_answers").await;
}

#[tokio::test]
async fn only_a_completed_websocket_is_joined() {
    run("proxy_bytes.py", "switched_protocols").await;
}

#[tokio::test]
async fn early_answers_to_uploads_arrive() {
    run("proxy_bytes.py", "uploads").await;
}

#[tokio::test]
async fn waits_for_slow_peers_end() {
    run("proxy_bytes.py", "slow_peers").await;
}

#[tokio::test]
async fn upstreams_learn_that_clients_left() {
    run("proxy_bytes.py", "clients_that_leave").await;
}

#[tokio::test]
async fn late_answers_reach_no_client() {
    run("proxy_bytes.py", "late_answers").await;
}

#[tokio::test]
async fn requests_for_two_hosts_are_rejected() {
    run("proxy_bytes.py", "hosts").await;
}

#[tokio::test]
async fn identity_and_overrides_cannot_be_forged() {
    run("proxy_bytes.py", "forgery").await;
}

#[tokio::test]
async fn requests_are_spans_of_their_traces() {
    run("traces.py", "requests").await;
}

#[tokio::test]
async fn callers_cannot_have_their_traces_sent() {
    run("traces.py", "callers").await;
}

#[tokio::test]
async fn collector_that_fails_costs_spans_alone() {
    run("traces.py", "collectors").await;
}

#[tokio::test]
async fn questions_are_spans_below_the_proxys() {
    run("traces.py", "questions").await;
}

#[tokio::test]
async fn nothing_is_smuggled_to_a_server_in_python() {
    run("proxy_smuggling.py", "python").await;
}

#[tokio::test]
async fn nothing_is_smuggled_to_nginx() {
    let version = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
    if version.await.is_err() {
        leave_out("`apt-get install nginx-light` installs nginx");
        return;
    }
    run("proxy_smuggling.py", "nginx").await;
}
