//! Wrong settings are reported to Lambda and in the log, and the runtime never starts.

use std::process::Command;

use alb_mtls_tests::Clients;
use local_alb::{Environment, FunctionOutput, StartError};
use serde_json::Value;

use crate::api::Api;
use crate::functions::{behind_layer, layer};

#[tokio::test]
async fn wrong_settings_end_the_start_before_there_is_a_runtime() {
    let clients = Clients::new();
    for (name, value, words) in [
        ("MTLS_ANCHORS", "nonsense", "MTLS_ANCHORS holds `nonsense`"),
        ("MTLS_MODE", "open", "MTLS_MODE holds `open`"),
        ("MTLS_MODES", "report", "MTLS_MODES is not a setting"),
        ("LAYER_OTHER_EVENTS", "maybe", "LAYER_OTHER_EVENTS holds `maybe`"),
        ("LAYER_IDENTITY", "assertion", "LAYER_IDENTITY holds `assertion`"),
        ("LAYER_IDENTITIES", "none", "LAYER_IDENTITIES is not a setting"),
        ("LAYER_LISTEN", "9009", "LAYER_LISTEN holds `9009`"),
        ("LAYER_EXTENSIONS", "other", "LAYER_EXTENSIONS names `other`"),
        ("AWS_LWA_PORT", "8000", "AWS_LWA_PORT is set"),
        (
            "MTLS_RENEWAL_HINT",
            "30d",
            "MTLS_RENEWAL_HINT has no effect without",
        ),
    ] {
        let mut api = Api::start().await;
        let marker = clients.directory().join("started");
        let output = tokio::task::spawn_blocking({
            let (marker, address, anchors) = (marker.clone(), api.address, clients.anchors_source());
            move || {
                Command::new(layer())
                    .arg("touch")
                    .arg(marker)
                    .env_clear()
                    .env("MTLS_ANCHORS", anchors)
                    .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
                    .env(name, value)
                    .output()
                    .unwrap()
            }
        });
        let (head, body) = api.request().await;
        assert!(head.starts_with("POST /2018-06-01/runtime/init/error "), "{head}");
        assert!(
            head.to_ascii_lowercase()
                .contains("lambda-runtime-function-error-type: albmtls.wrongsetting"),
            "{head}"
        );
        let report: Value = serde_json::from_slice(&body).unwrap();
        let message = report["errorMessage"].as_str().unwrap();
        assert!(message.starts_with(words), "{message}");
        let output = output.await.unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{message}\n"));
        assert!(!marker.exists(), "the runtime was started");
    }
}

#[tokio::test]
async fn lambda_hears_what_is_wrong() {
    let clients = Clients::new();
    let command = behind_layer(["true"], &clients, &[("MTLS_MODE", "open")]);
    let started = Environment::start(command.output(FunctionOutput::Discard)).await;
    match started {
        Err(StartError::Initialization { message, .. }) => {
            assert!(
                message.starts_with("AlbMtls.WrongSetting: MTLS_MODE holds `open`"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wrong_command_line_or_no_lambda_is_one_line() {
    let line = |arguments: &[&str], api: Option<&str>| {
        let output = Command::new(layer())
            .args(arguments)
            .env_clear()
            .envs(api.map(|api| ("AWS_LAMBDA_RUNTIME_API", api)))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        error
    };
    assert!(line(&[], None).contains("alb-mtls-layer RUNTIME"));
    assert!(line(&["true"], None).starts_with("AWS_LAMBDA_RUNTIME_API is not set"));
    assert!(line(&["true"], Some("a b")).starts_with("AWS_LAMBDA_RUNTIME_API holds `a b`"));
}

#[test]
fn help_names_every_setting() {
    let output = Command::new(layer()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for name in [
        "AWS_LAMBDA_EXEC_WRAPPER",
        "MTLS_ANCHORS",
        "LAYER_IDENTITY",
        "LAYER_OTHER_EVENTS",
        "LAYER_LISTEN",
        "LAYER_NEXT_WRAPPER",
        "LAYER_EXTENSIONS",
    ] {
        assert!(help.contains(name), "{help}");
    }
}
