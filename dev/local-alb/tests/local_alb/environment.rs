//! Functions in their environments, with no network in front.

use std::time::Duration;

use local_alb::{Environment, FunctionCommand, FunctionOutput, InvocationOutcome, OutputStream, StartError};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{NAME, scripted_function, wait_for};

fn event(path: &str) -> String {
    json!({ "path": path, "multiValueHeaders": {} }).to_string()
}

fn shown(outcome: InvocationOutcome) -> Value {
    let InvocationOutcome::Response(answer) = outcome else {
        panic!("{outcome:?}")
    };
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

/// A function in another language, with only what the Runtime API asks for.
fn python(handle: &str) -> FunctionCommand {
    let script = format!(
        r#"
import http.client, os, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def ask(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/" + path, body)
    answer = api.getresponse()
    return answer, answer.read()
while True:
    answer, event = ask("GET", "invocation/next")
    request = "invocation/" + answer.headers["Lambda-Runtime-Aws-Request-Id"]
    {handle}
"#
    );
    FunctionCommand::new("python3")
        .argument("-c")
        .argument(script)
        .name(NAME)
}

fn peak_memory_of(environment: &Environment) -> u64 {
    environment.facts().peak_memory.unwrap()
}

#[tokio::test]
async fn hands_the_event_over_byte_for_byte_and_takes_the_answer() {
    let environment = Environment::start(python(r#"ask("POST", request + "/response", event[::-1])"#))
        .await
        .unwrap();
    let outcome = environment.invoke("\u{0} not JSON").await;
    assert_eq!(outcome, InvocationOutcome::Response("NOSJ ton \u{0}".into()));
}

#[tokio::test]
async fn tells_the_function_what_lambda_would() {
    let command = scripted_function().variable("MTLS_X", "1").memory_size(256);
    let environment = Environment::start(command).await.unwrap();
    let shown = shown(environment.invoke(event("/")).await);
    let variables = &shown["environment"];
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_NAME"], NAME);
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_VERSION"], "$LATEST");
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");
    assert_eq!(variables["AWS_LAMBDA_LOG_GROUP_NAME"], "/aws/lambda/scripted");
    assert!(variables["AWS_LAMBDA_LOG_STREAM_NAME"].is_string());
    assert_eq!(variables["_HANDLER"], "bootstrap");
    assert_eq!(variables["MTLS_X"], "1");
    assert_eq!(variables["PATH"], json!(std::env::var("PATH").unwrap()));
    assert_eq!(
        shown["function_arn"],
        "arn:aws:lambda:us-east-1:123456789012:function:scripted"
    );
    let left = shown["milliseconds_left"].as_u64().unwrap();
    assert!((1..=30_000).contains(&left), "{left}");
}

#[tokio::test]
async fn inherits_nothing_else_from_the_test() {
    let environment = Environment::start(scripted_function()).await.unwrap();
    let shown = shown(environment.invoke(event("/")).await);
    let variables = shown["environment"].as_object().unwrap();
    // Cargo sets it for every test.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(!variables.contains_key("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn measures_start_and_memory() {
    let environment = Environment::start(scripted_function()).await.unwrap();
    let facts = environment.facts();
    assert!(facts.start_to_first_poll > Duration::ZERO);
    assert!(peak_memory_of(&environment) > 100 * 1024);
    assert_eq!((facts.restarts, facts.invocations), (0, 0));
    let shown = shown(environment.invoke(event("/")).await);
    assert_eq!(shown["pid"], facts.pid);
    assert_eq!(environment.facts().invocations, 1);
}

#[tokio::test]
async fn keeps_the_process_between_invocations() {
    let environment = Environment::start(scripted_function()).await.unwrap();
    let first = shown(environment.invoke(event("/")).await);
    let second = shown(environment.invoke(event("/")).await);
    assert_eq!(first["pid"], second["pid"]);
    assert_ne!(first["request_id"], second["request_id"]);
}

#[tokio::test]
async fn handles_one_event_at_a_time() {
    let environment = Environment::start(scripted_function()).await.unwrap();
    let (first, second) = tokio::join!(environment.invoke(event("/")), environment.invoke(event("/")));
    assert_eq!(shown(first)["pid"], shown(second)["pid"]);
}

#[tokio::test]
async fn reports_an_error_of_the_function_and_keeps_the_process() {
    let environment = Environment::start(scripted_function()).await.unwrap();
    for path in ["/error", "/panic"] {
        let outcome = environment.invoke(event(path)).await;
        let InvocationOutcome::FunctionError { message, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(
            ["it went wrong", "the test asked for it"]
                .iter()
                .any(|text| message.contains(text))
        );
    }
    assert_eq!(environment.facts().restarts, 0);
}

#[tokio::test]
async fn reports_a_crash_and_starts_again_for_the_next_event() {
    let environment = Environment::start(scripted_function()).await.unwrap();
    let before = environment.facts().pid;
    let reason = "exit status: 3".to_owned();
    assert_eq!(
        environment.invoke(event("/exit")).await,
        InvocationOutcome::Crashed { reason }
    );
    let shown = shown(environment.invoke(event("/")).await);
    assert_ne!(shown["pid"], before);
    assert_eq!(environment.facts().restarts, 1);
    assert_eq!(shown["pid"], environment.facts().pid);
}

#[tokio::test]
async fn kills_a_function_that_takes_too_long_and_starts_again() {
    let command = scripted_function().timeout(Duration::from_millis(200));
    let environment = Environment::start(command).await.unwrap();
    let before = environment.facts().pid;
    assert_eq!(
        environment.invoke(event("/hang")).await,
        InvocationOutcome::TimedOut
    );
    assert!(!std::path::Path::new(&format!("/proc/{before}")).exists());
    assert_ne!(shown(environment.invoke(event("/")).await)["pid"], before);
}

#[tokio::test]
async fn takes_no_late_answer_for_that_of_the_next_event() {
    let (sender, mut lines) = unbounded_channel();
    let command = scripted_function().output(FunctionOutput::Lines(sender));
    let environment = Environment::start(command).await.unwrap();
    let before = environment.facts().pid;
    tokio::select! {
        outcome = environment.invoke(event("/slow")) => panic!("{outcome:?}"),
        () = wait_for(&mut lines, "begun") => {}
    }
    let shown = shown(environment.invoke(event("/")).await);
    assert_eq!(shown["event"]["path"], "/");
    assert_ne!(shown["pid"], before);
}

#[tokio::test]
async fn takes_the_answer_of_a_function_that_ends_right_after_it() {
    // It does not even wait for the reply to its own request.
    let handle =
        r#"api.request("POST", "/2018-06-01/runtime/" + request + "/response", "last"); os._exit(0)"#;
    for _ in 0..5 {
        let environment = Environment::start(python(handle)).await.unwrap();
        let outcome = environment.invoke("{}").await;
        assert_eq!(outcome, InvocationOutcome::Response("last".into()));
    }
}

#[tokio::test]
async fn gives_the_event_to_the_newest_of_two_polls() {
    let script = r#"
import http.client, os, select
def poll():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    return api
polls = [poll(), poll()]
ready, _, _ = select.select([api.sock for api in polls], [], [])
polls.sort(key=lambda api: api.sock not in ready)
print(polls[0].getresponse().status, flush=True)
request = polls[1].getresponse()
request.read()
path = f"/2018-06-01/runtime/invocation/{request.headers['Lambda-Runtime-Aws-Request-Id']}/response"
polls[1].request("POST", path, "ok")
polls[1].getresponse().read()
"#;
    let (sender, mut lines) = unbounded_channel();
    let command = FunctionCommand::new("python3").argument("-c").argument(script);
    let environment = Environment::start(command.output(FunctionOutput::Lines(sender)))
        .await
        .unwrap();
    assert_eq!(lines.recv().await.unwrap().text, "410");
    let outcome = environment.invoke("{}").await;
    assert_eq!(outcome, InvocationOutcome::Response("ok".into()));
}

#[tokio::test]
async fn refuses_an_answer_to_another_event() {
    let handle =
        r#"ask("POST", request + "/response", str(ask("POST", "invocation/other/response", "x")[0].status))"#;
    let environment = Environment::start(python(handle)).await.unwrap();
    assert_eq!(
        environment.invoke("{}").await,
        InvocationOutcome::Response("400".into())
    );
}

#[tokio::test]
async fn refuses_an_answer_over_six_megabytes() {
    let handle = r#"ask("POST", request + "/response", "x" * (6 * 1024 * 1024 + 1))"#;
    let environment = Environment::start(python(handle)).await.unwrap();
    let outcome = environment.invoke("{}").await;
    let InvocationOutcome::FunctionError { error_type, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error_type, "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn passes_lines_of_both_streams_on() {
    let (sender, mut lines) = unbounded_channel();
    let command = scripted_function().output(FunctionOutput::Lines(sender));
    let environment = Environment::start(command).await.unwrap();
    environment.invoke(event("/lines")).await;
    let mut received = Vec::new();
    while received.len() < 2 {
        let line = lines.recv().await.unwrap();
        if line.text.starts_with("to standard") {
            assert_eq!(line.function, NAME);
            received.push((line.stream, line.text));
        }
    }
    assert!(received.contains(&(OutputStream::StandardOutput, "to standard output".to_owned())));
    assert!(received.contains(&(OutputStream::StandardError, "to standard error".to_owned())));
}

#[tokio::test]
async fn refuses_a_program_that_is_not_there() {
    let error = Environment::start(FunctionCommand::new("/nonexistent/function"))
        .await
        .unwrap_err();
    assert!(matches!(error, StartError::Program { .. }));
    assert!(error.to_string().contains("`/nonexistent/function`"), "{error}");
}

#[tokio::test]
async fn reports_a_function_that_ends_before_its_first_poll_after_its_last_line() {
    let (sender, mut lines) = unbounded_channel();
    let command = scripted_function()
        .variable("BEFORE_FIRST_POLL", "exit")
        .output(FunctionOutput::Lines(sender));
    let error = Environment::start(command).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "function `scripted` ended before it asked for its first event: exit status: 7"
    );
    assert_eq!(lines.try_recv().unwrap().text, "the setting is wrong");
}

#[tokio::test]
async fn reports_a_function_that_never_polls() {
    let command = scripted_function()
        .variable("BEFORE_FIRST_POLL", "hang")
        .initialization_timeout(Duration::from_millis(200));
    let error = Environment::start(command).await.unwrap_err();
    assert!(matches!(error, StartError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn reports_an_initialization_error_in_the_functions_own_words() {
    let script = r#"
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("POST", "/2018-06-01/runtime/init/error", '{"errorType": "Setup", "errorMessage": "no anchors"}')
api.getresponse()
os._exit(1)
"#;
    let command = FunctionCommand::new("python3").argument("-c").argument(script);
    let error = Environment::start(command).await.unwrap_err();
    let StartError::Initialization { message, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(message, "Setup: no anchors");
}

#[tokio::test]
async fn stopping_ends_the_process() {
    let environment = Environment::start(scripted_function()).await.unwrap();
    let pid = environment.facts().pid;
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    environment.stop().await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(environment.facts().peak_memory, None);
}
