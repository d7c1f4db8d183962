//! Wrappers behind the gate, and before it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use alb_mtls_tests::{Clients, Function, client_headers, valid_event};
use serde_json::Value;

use crate::api::{Api, Arrived, Invocation};
use crate::functions::{behind_layer, calls, here, layer, python};
use crate::process::{Started, in_background, shell};

/// Returns an executable script.
pub(crate) fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// As AWS's documentation and OpenTelemetry do it: an option of the interpreter, and variables that
/// it reads.
const FOR_PYTHON: &str = r#"program=$1; shift; export PYTHONPATH="$HANDLERS"; exec "$program" -X utf8 "$@""#;

async fn assert_gated(command: local_alb::FunctionCommand, clients: &Clients) {
    let function = Function::run(command).await;
    for number in 1..3 {
        assert_eq!(function.get("/", &client_headers()).await.status, 401);
        let answer = function.get("/", &clients.good_headers()).await;
        assert_eq!((answer.status, calls(&answer)), (200, number));
    }
}

#[tokio::test]
async fn next_wrapper_starts_awss_python_runtime_behind_the_gate() {
    let clients = Clients::new();
    let command_line = [
        python(),
        "-m".into(),
        "awslambdaric".into(),
        "handler.handler".into(),
    ];
    let handlers = here("");
    let next = script(clients.directory(), "next", FOR_PYTHON);
    let variables = [
        ("HANDLERS", handlers.to_str().unwrap()),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("LAYER_NEXT_WRAPPER", next.to_str().unwrap()),
    ];
    assert_gated(behind_layer(command_line, &clients, &variables), &clients).await;
}

/// Lambda's wrapper, the gate, and two more, the last of which has the runtime as its child.
#[tokio::test]
async fn wrappers_can_be_stacked_around_the_gate() {
    let clients = Clients::new();
    let folder = clients.directory();
    let last = script(folder, "last", r#""$@""#);
    let next = script(folder, "next", &format!("exec {} {}", last.display(), r#""$@""#));
    let outer = script(
        folder,
        "outer",
        &format!("exec {} {}", layer().display(), r#""$@""#),
    );
    let command = local_alb::FunctionCommand::new(outer)
        .name("app")
        .argument(python())
        .argument(here("function.py"))
        .variable("MTLS_ANCHORS", clients.anchors_source())
        .variable("LAYER_NEXT_WRAPPER", next);
    assert_gated(command, &clients).await;
}

#[tokio::test]
async fn next_wrapper_gets_what_lambda_would_give_it() {
    let clients = Clients::new();
    let api = Api::start().await;
    let next = script(
        clients.directory(),
        "next",
        r#"printf '%s|' "$AWS_LAMBDA_EXEC_WRAPPER" "${LAYER_NEXT_WRAPPER-none}" "$OTHER" "$@"
           test "$AWS_LAMBDA_RUNTIME_API" = "$LAYER_LISTEN" && echo gate"#,
    );
    let next = next.to_str().unwrap();
    let address = crate::adapter::free_address();
    let variables = [
        ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/alb-mtls"),
        ("LAYER_NEXT_WRAPPER", next),
        ("LAYER_LISTEN", &address),
        ("OTHER", "x"),
    ];
    let runtime = ["/var/lang/bin/python3".into(), "a b".into(), "".into()];
    let started = Started::of(layer(), runtime, &clients, &api, &variables);
    let (status, output, error) = in_background(|| started.end()).await;
    assert_eq!(
        (output.as_str(), error.as_str()),
        (&*format!("{next}|none|x|/var/lang/bin/python3|a b||gate\n"), "")
    );
    assert_eq!(status.code(), Some(0));
}

/// Returns the start that is refused: what Lambda was told, the exit code and what was printed.
pub(crate) async fn refused_start(started: Started, api: &mut Api) -> (String, String) {
    let (head, body) = api.request().await;
    assert!(head.starts_with("POST /2018-06-01/runtime/init/error "), "{head}");
    let report: Value = serde_json::from_slice(&body).unwrap();
    let message = report["errorMessage"].as_str().unwrap().to_owned();
    let (status, _, error) = in_background(|| started.end()).await;
    assert_eq!(status.code(), Some(2), "{message}");
    assert_eq!(error, format!("{message}\n"));
    (report["errorType"].as_str().unwrap().to_owned(), message)
}

#[tokio::test]
async fn next_wrapper_that_cannot_be_started_ends_the_start() {
    let clients = Clients::new();
    let folder = clients.directory();
    let not_executable = folder.join("not-executable");
    std::fs::write(&not_executable, "#!/bin/sh\n").unwrap();
    let loops = script(
        folder,
        "loops",
        &format!("exec {} {}", layer().display(), r#""$@""#),
    );
    let wrapper = script(
        folder,
        "alb-mtls",
        &format!("exec {} {}", layer().display(), r#""$@""#),
    );
    let link = folder.join("link");
    std::os::unix::fs::symlink(layer(), &link).unwrap();
    let marker = folder.join("started");
    for (next, words) in [
        (Path::new("bootstrap"), "it takes the whole path of a program"),
        (Path::new(""), "it takes the whole path of a program"),
        (Path::new("/nowhere/bootstrap"), "which cannot be found"),
        (folder, "which is not a program that can be run"),
        (&not_executable, "which is not a program that can be run"),
        (&layer(), "which is the gate itself"),
        (&link, "which is the gate itself"),
        (&wrapper, "which is the gate itself"),
        (&loops, "the gate was started already, at 127.0.0.1:"),
    ] {
        let mut api = Api::start().await;
        let variables = [
            ("LAYER_NEXT_WRAPPER", next.to_str().unwrap()),
            ("AWS_LAMBDA_EXEC_WRAPPER", wrapper.to_str().unwrap()),
        ];
        let runtime = ["touch".into(), marker.clone()];
        let started = Started::of(layer(), runtime, &clients, &api, &variables);
        let (error_type, message) = refused_start(started, &mut api).await;
        assert_eq!(error_type, "AlbMtls.WrongSetting");
        assert!(message.contains(words), "{}: {message}", next.display());
        assert!(!marker.exists(), "the runtime was started");
    }
}

/// Datadog's does so when its application security is on: its extension asks Lambda, past the gate.
#[tokio::test]
async fn wrapper_that_leads_the_runtime_past_the_gate_ends_it() {
    let clients = Clients::new();
    for (name, text) in [
        (
            "becomes",
            r#"export AWS_LAMBDA_RUNTIME_API="$OTHER_PROXY"; exec "$@""#,
        ),
        ("starts", r#"AWS_LAMBDA_RUNTIME_API="$OTHER_PROXY" "$@"; exit 7"#),
    ] {
        let mut api = Api::start().await;
        let next = script(clients.directory(), name, text);
        let address = api.address.to_string();
        let variables = [
            ("LAYER_NEXT_WRAPPER", next.to_str().unwrap()),
            ("OTHER_PROXY", &address),
        ];
        // Interpreters are not ready sooner.
        let runtime = shell("sleep 0.1; exec \"$0\" \"$1\"")
            .into_iter()
            .chain([python(), here("function.py")]);
        let started = Started::of(layer(), runtime, &clients, &api, &variables);
        let (head, body) = loop {
            match api.arrived().await {
                Arrived::End { head, body } => break (head, body),
                Arrived::Next => panic!("the runtime asked for an event"),
                _ => {}
            }
        };
        assert!(head.starts_with("POST /2018-06-01/runtime/init/error "), "{head}");
        let report: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(report["errorType"], "AlbMtls.GateBypassed");
        let message = report["errorMessage"].as_str().unwrap();
        assert!(message.contains(&address), "{message}");
        let (status, _, error) = in_background(|| started.end()).await;
        assert_eq!(status.signal(), Some(9), "{name}");
        assert!(error.contains(message), "{error}");
    }
}

#[tokio::test]
async fn log_says_when_the_gate_is_not_asked() {
    let clients = Clients::new();
    let api = Api::start().await;
    let variables = [("AWS_LAMBDA_LOG_LEVEL", "INFO")];
    let started = Started::of(layer(), shell("exec sleep 11"), &clients, &api, &variables);
    let (_, output, _) = in_background(|| started.end()).await;
    assert_eq!(
        output.matches("the gate has not been asked for an event").count(),
        1,
        "{output}"
    );
}

#[tokio::test]
async fn fixed_address_is_where_the_gate_listens() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let address = crate::adapter::free_address();
    let variables = [("LAYER_LISTEN", address.as_str())];
    let runtime = || [python(), here("function.py")];
    let started = Started::of(layer(), runtime(), &clients, &api, &variables);
    api.hand_out(Invocation::new("id-1", valid_event(&clients).to_string()));
    let (head, _) = api.request().await;
    assert!(head.contains("/id-1/response"), "{head}");

    // The first one listens there already.
    let mut other = Api::start().await;
    let second = Started::of(layer(), runtime(), &clients, &other, &variables);
    let (head, body) = other.request().await;
    assert!(head.starts_with("POST /2018-06-01/runtime/init/error "), "{head}");
    let body = String::from_utf8(body).unwrap();
    assert!(
        body.contains(&format!("cannot listen at LAYER_LISTEN, {address}")),
        "{body}"
    );
    let (status, ..) = in_background(|| second.end()).await;
    assert_eq!(status.code(), Some(127));
    drop(started);
}
