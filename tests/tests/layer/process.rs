//! The runtime's process is what it would be without the layer.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use alb_mtls_tests::{Clients, Fault, FaultProxy, valid_event};

use crate::api::{Api, Arrived, Invocation};
use crate::functions::{here, layer, python};

/// A process with a Runtime API of the test's own. Killed with the value.
pub(crate) struct Started {
    process: Child,
}

impl Started {
    /// A program before a runtime, with the anchors of these clients.
    pub(crate) fn of(
        program: PathBuf,
        runtime: impl IntoIterator<Item = PathBuf>,
        clients: &Clients,
        api: &Api,
        variables: &[(&str, &str)],
    ) -> Self {
        let process = Command::new(program)
            .args(runtime)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "app")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "7")
            .env("AWS_LAMBDA_LOG_LEVEL", "ERROR")
            .env("MTLS_ANCHORS", clients.anchors_source())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { process }
    }

    /// Returns true if the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    fn output(&mut self) -> BufReader<std::process::ChildStdout> {
        BufReader::new(self.process.stdout.take().unwrap())
    }

    /// Waits for the end of the process and of everything that holds its output: of the gate, too.
    pub(crate) fn end(mut self) -> (ExitStatus, String, String) {
        let (mut output, mut error) = (String::new(), String::new());
        if let Some(mut stdout) = self.process.stdout.take() {
            stdout.read_to_string(&mut output).unwrap();
        }
        let mut stderr = self.process.stderr.take().unwrap();
        stderr.read_to_string(&mut error).unwrap();
        (self.process.wait().unwrap(), output, error)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn shell(script: &str) -> [PathBuf; 3] {
    ["sh".into(), "-c".into(), script.into()]
}

pub(crate) async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn exit_codes_and_signals_are_the_runtimes() {
    let clients = Clients::new();
    let api = Api::start().await;
    for (script, code, signal) in [
        ("exit 0", Some(0), None),
        ("exit 3", Some(3), None),
        ("exit 255", Some(255), None),
        ("kill -KILL $$", None, Some(9)),
        ("kill -SEGV $$", None, Some(11)),
        ("kill -TERM $$", None, Some(15)),
        ("kill -PIPE $$", None, Some(13)),
    ] {
        let started = Started::of(layer(), shell(script), &clients, &api, &[]);
        let (status, ..) = in_background(|| started.end()).await;
        assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
    }
}

#[tokio::test]
async fn a_signal_to_the_process_is_the_runtimes_own() {
    let clients = Clients::new();
    let api = Api::start().await;
    let runtime = [python(), here("function.py"), "terminated".into()];
    let mut started = Started::of(layer(), runtime, &clients, &api, &[]);
    let mut output = started.output();
    let id = started.process.id();
    let (first, rest) = in_background(move || {
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        let sent = Command::new("kill").arg(id.to_string()).status().unwrap();
        assert!(sent.success());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        (first, rest)
    })
    .await;
    assert_eq!(first, "function: started\n");
    assert_eq!(rest, "function: told to end\n");
    let (status, ..) = in_background(|| started.end()).await;
    assert_eq!(status.code(), Some(5));
}

#[tokio::test]
async fn arguments_and_environment_reach_the_runtime_as_they_are() {
    let clients = Clients::new();
    let api = Api::start().await;
    let script = r#"printf '%s|' "$0" "$@"; printf '%s' "$OTHER" | od -An -tx1; cat"#;
    let runtime = shell(script)
        .into_iter()
        .chain(["a b".into(), "".into(), "--help".into(), "ü".into()]);
    let started = Started::of(layer(), runtime, &clients, &api, &[("OTHER", "x\ny")]);
    let (_, output, error) = in_background(|| started.end()).await;
    assert_eq!(output, "a b||--help|ü| 78 0a 79\n");
    assert_eq!(error, "");
}

#[tokio::test]
async fn what_the_runtime_says_last_arrives() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let runtime = [python(), here("function.py"), "last-words".into()];
    let started = Started::of(layer(), runtime, &clients, &api, &[]);
    let (head, body) = api.request().await;
    assert!(head.starts_with("POST /2018-06-01/runtime/init/error "), "{head}");
    assert_eq!(body, br#"{"errorType":"Last","errorMessage":"words"}"#);
    let (status, ..) = in_background(|| started.end()).await;
    assert_eq!(status.code(), Some(1));

    let started = Started::of(layer(), [python(), here("function.py")], &clients, &api, &[]);
    let event = alb_mtls_tests::event(
        "GET",
        "/last-words",
        &clients.good_headers(),
        local_alb::HeaderMode::MultiValue,
    );
    api.hand_out(Invocation::new("id-1", event));
    let (head, body) = api.request().await;
    assert!(
        head.starts_with("POST /2018-06-01/runtime/invocation/id-1/error "),
        "{head}"
    );
    assert_eq!(body, br#"{"errorType":"Last","errorMessage":"words"}"#);
    let (status, ..) = in_background(|| started.end()).await;
    assert_eq!(status.code(), Some(1));
}

/// Starts a Parameter Store with these anchors, which answers when the value becomes true.
async fn parameter_store(anchors: &str, answers: tokio::sync::watch::Receiver<bool>) -> FaultProxy {
    let store = FaultProxy::before(0).await;
    let value = serde_json::Value::from(anchors);
    let body =
        format!(r#"{{"Parameter":{{"Name":"/anchors","Type":"String","Version":1,"Value":{value}}}}}"#);
    store.decide(move |_| Fault::Answer(200, "", body.clone()));
    let proxy = FaultProxy::before(store.port()).await;
    proxy.always(Fault::Hold(answers));
    proxy
}

#[tokio::test]
async fn trust_material_loads_while_the_runtime_starts() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let (answer, answers) = tokio::sync::watch::channel(false);
    let store = parameter_store(&clients.root.pem(), answers).await;
    let mut variables = store.variables();
    variables.push(("MTLS_ANCHORS".to_owned(), "ssm:/anchors".to_owned()));
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut started = Started::of(
        layer(),
        [python(), here("function.py")],
        &clients,
        &api,
        &variables,
    );
    let mut output = started.output();
    let (line, output) = in_background(move || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        (line, output)
    })
    .await;
    assert_eq!(line, "function: started\n");
    store.arrived(1).await;
    assert!(api.is_quiet(), "an event was asked for before there were anchors");
    answer.send(true).unwrap();
    assert!(matches!(api.arrived().await, Arrived::Next));
    api.hand_out(Invocation::new("id-1", valid_event(&clients).to_string()));
    let (head, _) = api.request().await;
    assert!(head.contains("/id-1/response"), "{head}");
    drop(output);
}

#[tokio::test]
async fn records_are_lines_of_their_own_among_those_of_the_function() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let mut started = Started::of(layer(), [python(), here("function.py")], &clients, &api, &[]);
    let output = started.output();
    for number in 0..50 {
        let id = format!("id-{number}");
        api.hand_out(Invocation::new(&id, valid_event(&clients).to_string()));
        let (head, _) = api.request().await;
        assert!(head.contains(&format!("/{id}/response")), "{head}");
    }
    drop(started);
    let lines: Vec<String> = in_background(move || output.lines().map(Result::unwrap).collect()).await;
    let (of_function, others): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line.starts_with("function: "));
    assert_eq!(of_function.len(), 51);
    assert_eq!(others.len(), 50);
    for (number, line) in others.iter().enumerate() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["message"], "decision");
        assert_eq!(record["function_name"], "app");
        assert_eq!(record["function_version"], "7");
        assert_eq!(record["function_request_id"], format!("id-{number}"));
    }
}

/// Records are written while the function runs, which here ends at once.
#[tokio::test]
async fn the_request_that_ends_the_runtime_is_recorded() {
    let clients = Clients::new();
    let api = Api::start().await;
    for path in ["/exit", "/kill"] {
        let started = Started::of(layer(), [python(), here("function.py")], &clients, &api, &[]);
        let event = alb_mtls_tests::event(
            "GET",
            path,
            &clients.good_headers(),
            local_alb::HeaderMode::MultiValue,
        );
        api.hand_out(Invocation::new("id-1", event));
        let (_, output, _) = in_background(|| started.end()).await;
        let record = output
            .lines()
            .find(|line| line.contains(r#""message":"decision""#));
        let record: serde_json::Value = serde_json::from_str(record.unwrap()).unwrap();
        assert_eq!(record["path"], path);
    }
}

/// 413 and 400 say that an answer was too long or came too late.
#[tokio::test]
async fn an_answer_of_the_gate_that_lambda_refuses_ends_nothing() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let mut started = Started::of(layer(), [python(), here("function.py")], &clients, &api, &[]);
    let refused = alb_mtls_tests::event(
        "GET",
        "/",
        &alb_mtls_tests::client_headers(),
        local_alb::HeaderMode::MultiValue,
    );
    for (status, event) in [
        (413, refused.to_vec()),
        (400, b"{}".to_vec()),
        (500, refused.to_vec()),
    ] {
        api.refuse_next(status).await;
        api.hand_out(Invocation::new("refused", event));
        let (head, _) = api.request().await;
        assert!(head.contains("/refused/"), "{head}");
    }
    api.hand_out(Invocation::new("good", valid_event(&clients).to_string()));
    let (head, _) = api.request().await;
    assert!(head.contains("/good/response"), "{head}");
    assert!(started.is_alive());
    let output = started.output();
    drop(started);
    let lines: Vec<String> = in_background(move || output.lines().map(Result::unwrap).collect()).await;
    let told = lines
        .iter()
        .filter(|line| line.contains("Lambda did not take an answer"));
    assert_eq!(told.count(), 3, "{lines:#?}");
}

#[tokio::test]
async fn the_gate_waits_for_descriptors_when_it_has_none_left() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    // The gate has 40, the runtime takes more connections than that and gives them back.
    let script = format!(
        "ulimit -Sn 40; exec {} sh -c 'ulimit -Sn 1024; exec {} {} connections'",
        layer().display(),
        python().display(),
        here("function.py").display()
    );
    let mut started = Started::of("sh".into(), ["-c".into(), script.into()], &clients, &api, &[]);
    api.hand_out(Invocation::new("id-1", valid_event(&clients).to_string()));
    let (head, _) = api.request().await;
    assert!(head.contains("/id-1/response"), "{head}");
    let output = started.output();
    drop(started);
    let lines: Vec<String> = in_background(move || output.lines().map(Result::unwrap).collect()).await;
    assert!(
        lines.iter().any(|line| line.contains("could not be accepted")),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn a_runtime_that_cannot_be_run_is_reported() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let started = Started::of(layer(), ["/nowhere/runtime".into()], &clients, &api, &[]);
    let (head, body) = api.request().await;
    assert!(head.starts_with("POST /2018-06-01/runtime/init/error "), "{head}");
    let report: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(report["errorType"], "Runtime.InvalidEntrypoint");
    assert!(
        report["errorMessage"]
            .as_str()
            .unwrap()
            .contains("`/nowhere/runtime`"),
        "{report}"
    );
    let (status, ..) = in_background(|| started.end()).await;
    assert_eq!(status.code(), Some(127));
}
