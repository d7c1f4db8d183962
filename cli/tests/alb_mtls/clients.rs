//! `alb-mtls clients`: who was seen, and which trust anchor may go.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{alb_mtls, alb_mtls_error, alb_mtls_ok};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_pki::CertificateBuilder;

const OLD: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222222222222222222222222222";

/// A decision record as the gate writes it.
fn record(time: &str, decision: &str, client: Value) -> String {
    json!({
        "timestamp": time,
        "level": "INFO",
        "message": "decision",
        "decision": decision,
        "mode": "enforce",
        "client": client,
        "trust_version": "v1",
        "method": "GET",
        "path": "/orders",
        "alb_trace_id": null,
        "function_request_id": null,
        "target_group": null,
        "duration_us": 120,
    })
    .to_string()
}

fn client(number: u8, anchor: &str, not_after: &str) -> Value {
    json!({
        "subject": format!("CN=client-{number},O=Example"),
        "issuer": "CN=Issuing,O=Example",
        "serial_number": format!("0{number}"),
        "alternative_names": [{"dns": format!("client-{number}.example")}],
        "certificate_sha256": format!("{number}").repeat(64),
        "not_after": not_after,
        "anchor_id": anchor,
        "anchor": if anchor == OLD { "CN=Old Root" } else { "CN=New Root" },
    })
}

fn log() -> String {
    let soon = "2026-12-01T00:00:00Z";
    let late = "2027-11-01T00:00:00Z";
    let lines = [
        "INIT_START Runtime Version: provided:al2023.v1".to_owned(),
        "2026-11-20T10:00:00.000Z START RequestId: 8f5e Version: $LATEST".to_owned(),
        record("2026-11-20T10:00:00Z", "allowed", client(1, OLD, late)),
        format!(
            "2026-11-20T11:00:00.123Z {}",
            record("2026-11-20T11:00:00Z", "allowed", client(1, OLD, late))
        ),
        record("2026-11-21T09:00:00Z", "denied", client(2, NEW, soon)),
        record("2026-11-21T08:00:00Z", "allowed", client(2, NEW, soon)),
        record("2026-11-21T07:00:00Z", "allowed", client(1, NEW, late)),
        record("2026-11-22T00:00:00Z", "denied", Value::Null),
        record("2026-11-22T00:00:01Z", "allowed", client(3, NEW, soon))
            .chars()
            .take(300)
            .collect(),
        "{\"level\":\"WARN\",\"message\":\"something else\"}".to_owned(),
    ];
    lines.join("\n")
}

fn file(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn listed(log: &str, options: &[&str]) -> Value {
    listed_at("2026-11-22T12:00:00Z", log, options)
}

fn listed_at(time: &str, log: &str, options: &[&str]) -> Value {
    let directory = TempDir::new().unwrap();
    let path = file(&directory, "log", log);
    let mut arguments = vec!["clients", "--logs", &path, "--json", "--at", time];
    arguments.extend(options);
    serde_json::from_str(&alb_mtls_ok(&arguments)).unwrap()
}

#[test]
fn lists_clients_with_how_often_and_until_when() {
    let listed = listed(&log(), &[]);
    assert_eq!(listed["records"], 6);
    assert_eq!(listed["records_without_client"], 1);
    assert_eq!(listed["unreadable_records"], 1);
    assert_eq!(listed["other_lines"], 3);
    assert_eq!(listed["first_record"], "2026-11-20T10:00:00Z");
    assert_eq!(listed["last_record"], "2026-11-22T00:00:00Z");
    let clients = listed["clients"].as_array().unwrap();
    assert_eq!(clients.len(), 3, "one of them came by two anchors");
    let first = &clients[0];
    assert_eq!(
        first["subject"], "CN=client-2,O=Example",
        "the one that expires first"
    );
    assert_eq!((&first["allowed"], &first["refused"]), (&json!(1), &json!(1)));
    assert_eq!(first["first_seen"], "2026-11-21T08:00:00Z");
    assert_eq!(first["last_seen"], "2026-11-21T09:00:00Z");
    assert_eq!(first["days_left"], 8);
    assert_eq!(first["alternative_names"][0]["dns"], "client-2.example");
}

#[test]
fn tells_whether_an_anchor_is_still_in_use() {
    let anchors = listed(&log(), &[])["anchors"].clone();
    assert_eq!(anchors[0]["id"], OLD, "the one not seen for longest comes first");
    assert_eq!(anchors[0]["last_seen"], "2026-11-20T11:00:00Z");
    assert_eq!(
        (&anchors[0]["clients"], &anchors[0]["requests"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(anchors[0]["last_expiry"], "2027-11-01T00:00:00Z");
    assert_eq!(anchors[1]["id"], NEW);
    assert_eq!(
        (&anchors[1]["clients"], &anchors[1]["requests"]),
        (&json!(2), &json!(3))
    );

    let later = listed_at("2027-01-01T00:00:00Z", &log(), &[]);
    assert_eq!(later["anchors"][1]["valid_clients"], 1);
    assert!(later["clients"][0]["days_left"].as_i64().unwrap() < 0);
}

#[test]
fn an_anchor_that_nobody_came_by_is_listed_when_it_is_named() {
    let directory = TempDir::new().unwrap();
    let unused = CertificateBuilder::root("CN=Unused Root").self_signed().unwrap();
    let anchors = file(&directory, "anchors.pem", &unused.pem());
    let with_unused = listed(&log(), &["--anchors", &anchors]);
    assert_eq!(with_unused["anchors"].as_array().unwrap().len(), 3);
    assert_eq!(with_unused["anchors"][0]["subject"], "CN=Unused Root");
    assert_eq!(with_unused["anchors"][0]["last_seen"], Value::Null);
    let text = alb_mtls_ok(&[
        "clients",
        "--logs",
        &file(&directory, "log", &log()),
        "--anchors",
        &anchors,
    ]);
    assert!(
        text.contains("CN=Unused Root\n") && text.contains("not seen in these records"),
        "{text}"
    );
}

#[test]
fn reads_the_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_alb-mtls"))
        .args(["clients", "--logs", "-", "--at", "2026-11-22T12:00:00Z"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(log().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("6 records from 2026-11-20T10:00:00Z to 2026-11-22T00:00:00Z"),
        "{text}"
    );
    assert!(
        text.contains("expires 2026-12-01T00:00:00Z (8 days left), allowed 1, refused 1"),
        "{text}"
    );
    assert!(
        text.contains("in use: 2 requests, last seen 2026-11-20T11:00:00Z; 1 of 1 certificates valid"),
        "{text}"
    );
}

#[test]
fn names_cannot_act_on_the_terminal() {
    let mut hostile = client(1, OLD, "2027-11-01T00:00:00Z");
    for field in ["subject", "issuer", "serial_number", "anchor"] {
        hostile[field] = json!("x\u{1b}[2J\n\u{202e}\0\u{7f}Zoë");
    }
    let directory = TempDir::new().unwrap();
    let log = file(
        &directory,
        "log",
        &record("2026-11-20T10:00:00Z", "allowed", hostile),
    );
    let text = alb_mtls_ok(&["clients", "--logs", &log]);
    assert!(
        text.contains("x\\u{1b}[2J\\u{a}\\u{202e}\\u{0}\\u{7f}Zoë"),
        "{text}"
    );
    assert!(
        !text
            .chars()
            .any(|character| (character.is_control() && character != '\n') || character == '\u{202e}')
    );
}

#[test]
fn no_record_is_an_error_and_no_empty_list() {
    let directory = TempDir::new().unwrap();
    let empty = file(&directory, "empty", "");
    let other = file(&directory, "other", "START\nEND\n{\"message\":\"decision\",\n");
    assert!(alb_mtls_error(&["clients", "--logs", &empty]).contains("no decision record"));
    let error = alb_mtls_error(&["clients", "--logs", &other]);
    assert!(error.contains("2 other lines, 1 records unreadable"), "{error}");
    assert!(alb_mtls_error(&["clients", "--logs", "/nonexistent"]).contains("cannot read `/nonexistent`"));
    assert_eq!(alb_mtls(&["clients"]).status.code(), Some(2));
}
