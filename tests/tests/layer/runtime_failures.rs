//! Errors, time-outs and crashes of the function look as they do without the layer.

use alb_mtls_tests::{Clients, event};
use local_alb::{Environment, FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome};

use crate::functions::{Language, SHORT, behind_layer, here, python};

async fn start(command: FunctionCommand) -> Environment {
    Environment::start(command.output(FunctionOutput::Discard))
        .await
        .unwrap()
}

#[tokio::test]
async fn they_are_reported_as_without_the_layer() {
    let clients = Clients::new();
    for language in Language::all() {
        let bare = start(language.bare().timeout(SHORT)).await;
        let behind = start(language.behind_layer(&clients, &[]).timeout(SHORT)).await;
        for path in ["/error", "/exit", "/kill", "/silence", "/error"] {
            let event = event("GET", path, &clients.good_headers(), HeaderMode::MultiValue);
            let expected = bare.invoke(event.clone()).await;
            let outcome = behind.invoke(event.clone()).await;
            assert_eq!(outcome, expected, "{language:?} {path}");
            let is_as_meant = match (path, &outcome) {
                ("/error", InvocationOutcome::FunctionError { error_type, message }) => {
                    error_type == "ValueError" && message == "the function failed"
                }
                ("/exit", InvocationOutcome::Crashed { reason }) => reason.contains("exit status: 3"),
                ("/kill", InvocationOutcome::Crashed { reason }) => reason.contains("signal: 9"),
                ("/silence", outcome) => *outcome == InvocationOutcome::TimedOut,
                _ => false,
            };
            assert!(is_as_meant, "{path}: {outcome:?}");
        }
        assert_eq!(behind.facts().restarts, bare.facts().restarts);
    }
}

#[tokio::test]
async fn a_function_that_cannot_start_says_so_itself() {
    let clients = Clients::new();
    let arguments = [python(), here("function.py"), "init-error".into()];
    let [program, rest @ ..] = arguments.clone();
    let bare = rest.iter().fold(
        FunctionCommand::new(program).name("app"),
        FunctionCommand::argument,
    );
    let behind = behind_layer(arguments, &clients, &[]);
    let mut errors = Vec::new();
    for command in [bare, behind] {
        let error = Environment::start(command.output(FunctionOutput::Discard))
            .await
            .unwrap_err();
        errors.push(error.to_string());
    }
    assert_eq!(errors[0], errors[1]);
    assert!(
        errors[0].contains("Import: no module of that name"),
        "{}",
        errors[0]
    );
}
