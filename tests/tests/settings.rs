//! What a function does with settings that are wrong and trust material that is not there.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

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
    ] {
        let output = start(&[("MTLS_ANCHORS", "file:/nowhere"), (name, value)]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.trim_end(), words);
        assert_eq!(output.status.code(), Some(2));
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
