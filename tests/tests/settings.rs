//! Wrong settings and missing trust material.

#![expect(clippy::unwrap_used, clippy::string_slice, reason = "helpers of tests")]

use std::process::{Command, Output};

use alb_mtls_gate::SETTINGS;
use alb_mtls_tests::{Clients, Function, binary};

fn start(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary("respond"));
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
        .envs(variables.iter().copied());
    command.output().unwrap()
}

#[test]
fn a_wrong_setting_stops_the_function_with_one_line() {
    for (name, value, words) in [
        (
            "MTLS_MAX_DEPTH",
            "eleven",
            "MTLS_MAX_DEPTH holds `eleven`: it takes a number from 1 to 10",
        ),
        (
            "MTLS_MODE",
            "off",
            "MTLS_MODE holds `off`: it takes `enforce`, `optional`, `report`",
        ),
        (
            "MTLS_MAX_HEADERS",
            "1",
            "MTLS_MAX_HEADERS is not a setting: did you mean MTLS_MAX_HEADER?",
        ),
        (
            "MTLS_TARGET_GROUPS",
            "arn:*",
            "MTLS_TARGET_GROUPS holds `arn:*`: it takes `*` in the name and in the id of a target group only, not in its \
             account or Region, such as `arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/*`",
        ),
        (
            "MTLS_HEADER",
            "host",
            "MTLS_HEADER holds `host`: it takes a header without another meaning: write a name that only you know, such as \
             `x-` and the output of `uuidgen`",
        ),
        (
            "MTLS_HEADER",
            "client-cert-chain",
            "MTLS_HEADER holds `client-cert-chain`: it takes a header that servers do not take for an identity: write a name \
             that only you know, such as `x-` and the output of `uuidgen`",
        ),
    ] {
        let output = start(&[("MTLS_ANCHORS", "file:/nowhere"), (name, value)]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.trim_end(), words);
        assert_eq!(output.status.code(), Some(2));
    }
}

/// Programs, and a setting of each prefix that they read.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("respond", &["MTLS_MODE"]),
    ("forward", &["MTLS_MODE", "FORWARD_HOST"]),
    ("authorize", &["MTLS_MODE", "AUTHORIZE_CERTIFICATE"]),
    ("alb-mtls-layer", &["MTLS_MODE", "LAYER_OTHER_EVENTS"]),
    ("refresh-crls", &["CRL_TIMEOUT"]),
    ("example-axum", &["MTLS_MODE"]),
];

#[test]
fn a_setting_in_another_letter_case_stops_every_program() {
    for (program, settings) in PROGRAMS {
        for setting in *settings {
            let mut capitalised = setting.to_ascii_lowercase();
            capitalised.replace_range(..1, &setting[..1]);
            for name in [setting.to_ascii_lowercase(), capitalised] {
                let output = Command::new(binary(program))
                    .arg("true")
                    .env_clear()
                    .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
                    .env("MTLS_ANCHORS", "file:/nowhere")
                    .env("FORWARD_UPSTREAM", "http://127.0.0.1:9")
                    .env("CRL_ANCHORS", "file:/nowhere")
                    .env("CRL_SOURCES", "http://crl.example.com/root.crl")
                    .env("CRL_DESTINATION", "s3://bucket/")
                    .env(&name, "x")
                    .output()
                    .unwrap();
                let error = String::from_utf8(output.stderr).unwrap();
                let words = format!("{name} is not a setting: its letter case is wrong, write {setting}");
                // The layer tells Lambda too, which is not there.
                let line = error.lines().next().unwrap();
                assert!(line.ends_with(&words), "{program}: {error}");
                assert!(!output.status.success(), "{program}");
            }
        }
    }
}

/// Returns the lines of a log that warn of the certificate header's default name.
fn warnings(function: &Function) -> Vec<serde_json::Value> {
    let lines = function.log().into_iter();
    let lines = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok());
    lines
        .filter(|line| line["kind"] == "default_certificate_header")
        .collect()
}

#[tokio::test]
async fn a_certificate_header_with_its_default_name_is_warned_of_once() {
    let clients = Clients::new();
    let upstream = ("FORWARD_UPSTREAM", "http://127.0.0.1:9");
    for (program, variables, expected) in [
        ("respond", &[][..], 1),
        ("respond", &[("MTLS_HEADER", "X-Amzn-Mtls-Clientcert")], 1),
        ("respond", &[("MTLS_HEADER", "x-gate-7f3a")], 0),
        ("respond", &[("MTLS_HEADER_FORMAT", "rfc9440")], 0),
        ("forward", &[upstream], 1),
        ("forward", &[upstream, ("MTLS_HEADER", "x-gate-7f3a")], 0),
        ("authorize", &[("AUTHORIZE_CERTIFICATE", "header")], 1),
        ("authorize", &[("AUTHORIZE_CERTIFICATE", "client-cert")], 0),
    ] {
        let anchors = [("MTLS_ANCHORS", clients.anchors_source())];
        let others = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let function = Function::start(program, anchors.into_iter().chain(others)).await;
        // A function that polls for its first event has started.
        let warnings = warnings(&function);
        assert_eq!(warnings.len(), expected, "{program} {variables:?}: {warnings:?}");
        for warning in warnings {
            assert_eq!(warning["level"], "WARN");
            let remedy = warning["remedy"].as_str().unwrap();
            for part in [
                "routing.http.request.x_amzn_mtls_clientcert.header_name",
                "MTLS_HEADER",
            ] {
                assert!(remedy.contains(part), "{remedy}");
            }
        }
    }
}

#[test]
fn a_missing_required_setting_is_named() {
    let output = start(&[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("MTLS_ANCHORS is not set") && error.lines().count() == 1,
        "{error}"
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn every_setting_is_read_by_the_built_function() {
    for variable in SETTINGS.variables {
        let output = start(&[("MTLS_ANCHORS", "file:/nowhere"), (variable.name, "\u{7f}")]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with(variable.name), "{}: {error}", variable.name);
    }
}

#[tokio::test]
async fn without_trust_material_requests_wait_with_503_and_pass_once_it_is_there() {
    let clients = Clients::new();
    let anchors = clients.directory().join("anchors.pem");
    let content = std::fs::read_to_string(&anchors).unwrap();
    std::fs::remove_file(&anchors).unwrap();

    let function = Function::start("respond", [("MTLS_ANCHORS", clients.anchors_source())]).await;
    let answer = function.get("/", &clients.good_headers()).await;
    assert_eq!(answer.status, 503, "{}", answer.body());
    let record = function.record().await;
    assert_eq!(record["detail"], "no_trust_material");
    assert!(
        record["explanation"].as_str().unwrap().contains("anchors.pem"),
        "{record}"
    );
    assert!(
        !answer.body().contains("anchors.pem"),
        "the client learns a path: {}",
        answer.body()
    );

    std::fs::write(&anchors, content).unwrap();
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        loop {
            let answer = function.get("/", &clients.good_headers()).await;
            if answer.status != 503 {
                return answer;
            }
        }
    });
    assert_eq!(
        answer.await.expect("the function tries again by itself").status,
        200
    );
}

#[test]
fn every_function_says_what_it_is_and_what_can_be_set() {
    for (function, names) in [
        ("respond", &["MTLS_ANCHORS"][..]),
        ("forward", &["MTLS_ANCHORS", "FORWARD_UPSTREAM"]),
        ("authorize", &["MTLS_ANCHORS", "AUTHORIZE_CERTIFICATE"]),
        ("refresh-crls", &["CRL_SOURCES"]),
    ] {
        let output = Command::new(binary(function))
            .arg("--help")
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success(), "{function}");
        let help = String::from_utf8(output.stdout).unwrap();
        for name in names {
            assert!(help.contains(&format!("\n  {name} (")), "{function}: {help}");
        }
    }
}

#[test]
fn function_that_is_started_by_hand_says_how_to_start_it() {
    let clients = Clients::of("Example");
    let folder = tempfile::tempdir().unwrap();
    let anchors = folder.path().join("anchors.pem");
    std::fs::write(&anchors, clients.root.pem()).unwrap();
    let source = format!("file:{}", anchors.display());
    for (program, variables) in [
        ("respond", [("MTLS_ANCHORS", source.as_str())].as_slice()),
        (
            "authorize",
            &[
                ("MTLS_ANCHORS", &source),
                ("AUTHORIZE_CERTIFICATE", "client-cert"),
            ],
        ),
        (
            "forward",
            &[
                ("MTLS_ANCHORS", &source),
                ("FORWARD_UPSTREAM", "http://127.0.0.1:9"),
            ],
        ),
    ] {
        let output = Command::new(binary(program))
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{program}: {error}");
        assert_eq!(
            error.trim_end(),
            "AWS_LAMBDA_RUNTIME_API is not set: Lambda starts this program and sets it; on this machine, `alb-mtls local` does",
            "{program}"
        );
    }
}
