//! Runtimes of others, as they are: AWS's own for Python and Node.js, the one for Rust, and Java's
//! own client.

use alb_mtls_tests::{Clients, Function, binary, client_headers, event, leave_out, project};
use local_alb::{HeaderMode, InvocationOutcome};
use serde_json::{Value, json};

use crate::functions::{behind_layer, calls, has, here, python, received_json};

#[tokio::test]
async fn awss_own_python_runtime_works_behind_the_layer() {
    let clients = Clients::new();
    let command_line = [
        python(),
        "-m".into(),
        "awslambdaric".into(),
        "handler.handler".into(),
    ];
    let folder = here("");
    let variables = [
        ("PYTHONPATH", folder.to_str().unwrap()),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ];
    let function = Function::run(behind_layer(command_line, &clients, &variables)).await;
    assert_works(&function, &clients).await;
}

#[tokio::test]
async fn awss_own_node_runtime_works_behind_the_layer_with_both_of_its_clients() {
    let program = project().join(".venv/node/node_modules/aws-lambda-ric/bin/index.mjs");
    if !program.exists() {
        leave_out("`make node-runtime` installs AWS's runtime for Node.js, and was not run");
        return;
    }
    let clients = Clients::new();
    for uses_nodes_own_client in ["false", "true"] {
        let command_line = ["node".into(), program.clone(), here("handler.handler")];
        let variables = [(
            "AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1",
            uses_nodes_own_client,
        )];
        let function = Function::run(behind_layer(command_line, &clients, &variables)).await;
        assert_works(&function, &clients).await;
    }
}

/// Checks that the function is called for accepted clients, sees the event with the client's
/// identity and nothing else changed, and its errors are its own.
async fn assert_works(function: &Function, clients: &Clients) {
    for (mode, field, number) in [
        (HeaderMode::MultiValue, "multiValueHeaders", 1),
        (HeaderMode::SingleValue, "headers", 2),
    ] {
        let refused = function.answer(event("GET", "/", &client_headers(), mode)).await;
        assert_eq!(refused.status, 401);
        let sent = event("POST", "/a%20b?c=%2F", &clients.good_headers(), mode);
        let answer = function.answer(sent.clone()).await;
        assert_eq!((answer.status, calls(&answer)), (200, number));
        assert_eq!(answer.body(), "true");
        assert_only_identity_changed(&sent, answer.json["seen"].clone(), field);
    }
    let failing = event("GET", "/error", &clients.good_headers(), HeaderMode::MultiValue);
    match function.invoke(failing).await {
        InvocationOutcome::FunctionError { error_type, message } => {
            assert_eq!(
                (error_type.as_str(), message.as_str()),
                ("ValueError", "the function failed")
            );
        }
        other => panic!("{other:?}"),
    }
    let refused = function.get("/", &client_headers()).await;
    assert_eq!(refused.status, 401);
    let answer = function.get("/", &clients.good_headers()).await;
    // The third call failed.
    assert_eq!(calls(&answer), 4);
}

fn assert_only_identity_changed(sent: &[u8], mut seen: Value, field: &str) {
    let mut expected: Value = serde_json::from_slice(sent).unwrap();
    let subject = &seen[field]["x-amzn-mtls-clientcert-subject"];
    assert_eq!(
        subject.get(0).unwrap_or(subject),
        "CN=client-1,OU=Payments,O=Tests"
    );
    seen.as_object_mut().unwrap().remove(field);
    expected.as_object_mut().unwrap().remove(field);
    assert_eq!(seen, expected);
}

/// Runs a runtime that sends `Connection: Upgrade, HTTP2-Settings` with each first request of a
/// connection.
#[tokio::test]
async fn a_function_with_javas_own_client_works_behind_the_layer() {
    if !has("java") {
        leave_out("`java` is not installed");
        return;
    }
    let clients = Clients::new();
    let command_line = ["java".into(), here("Function.java")];
    let function = Function::run(behind_layer(command_line, &clients, &[])).await;
    for (mode, field, number) in [
        (HeaderMode::MultiValue, "multiValueHeaders", 1),
        (HeaderMode::SingleValue, "headers", 2),
    ] {
        let refused = function.answer(event("GET", "/", &client_headers(), mode)).await;
        assert_eq!(refused.status, 401);
        let sent = event("POST", "/", &clients.good_headers(), mode);
        let answer = function.answer(sent.clone()).await;
        assert_eq!((answer.status, calls(&answer)), (200, number));
        assert_only_identity_changed(&sent, received_json(&answer), field);
    }
}

/// `respond` records each of its calls, so that it can be seen that there was none.
#[tokio::test]
async fn a_function_with_the_rust_runtime_works_behind_the_layer() {
    let clients = Clients::new();
    let variables = [("LAYER_IDENTITY", "passthrough")];
    let function = Function::run(behind_layer([binary("respond")], &clients, &variables)).await;
    for mode in [HeaderMode::MultiValue, HeaderMode::SingleValue] {
        let refused = function.answer(event("GET", "/", &client_headers(), mode)).await;
        assert_eq!(refused.status, 401);
        assert_eq!(function.record().await["decision"], "denied");
        let answer = function
            .answer(event("GET", "/", &clients.good_headers(), mode))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body());
        assert_eq!(
            answer.body_json()["client"]["subject"],
            "CN=client-1,OU=Payments,O=Tests"
        );
        // The gate's, then the function's own.
        for _ in 0..2 {
            assert_eq!(function.record().await["decision"], json!("allowed"));
        }
    }
}

#[tokio::test]
async fn the_wrapper_script_of_the_layer_starts_it() {
    let clients = Clients::new();
    let opt = clients.directory().join("opt");
    std::fs::create_dir_all(opt.join("bin")).unwrap();
    std::os::unix::fs::symlink(binary("alb-mtls-layer"), opt.join("bin/alb-mtls-layer")).unwrap();
    let script = project().join("functions/layer/alb-mtls");
    let text = std::fs::read_to_string(&script).unwrap();
    assert!(text.contains("/opt/bin/alb-mtls-layer"));
    let text = text.replace("/opt/", &format!("{}/", opt.display()));
    clients.write("alb-mtls", &text);
    let command = local_alb::FunctionCommand::new("sh")
        .argument(clients.directory().join("alb-mtls"))
        .argument(python())
        .argument(here("function.py"))
        .variable("MTLS_ANCHORS", clients.anchors_source());
    let function = Function::run(command).await;
    assert_eq!(function.get("/", &client_headers()).await.status, 401);
    let answer = function.get("/", &clients.good_headers()).await;
    assert_eq!((answer.status, calls(&answer)), (200, 1));
}
