//! The built functions against a Runtime API that fails in every way that it can.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, Next, PlannedApi, Sent, Taken, binary, event};
use bytes::Bytes;
use local_alb::HeaderMode;
use serde_json::{Value, json};
use tokio::time::sleep;

/// A function that was started by hand; ends with the value.
struct Process {
    child: Child,
    output: JoinHandle<String>,
    errors: JoinHandle<String>,
}

/// Reads a pipe to its end, so that its writer never waits.
fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

impl Process {
    fn start(package: &str, api: SocketAddr, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary(package));
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", package)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            output: read(child.stdout.take().unwrap()),
            errors: read(child.stderr.take().unwrap()),
            child,
        }
    }

    fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends the process where it still runs; returns how, and what it wrote to standard output and
    /// error.
    async fn end(mut self) -> (Option<ExitStatus>, String, String) {
        for _ in 0..100 {
            if !self.is_alive() {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        let status = self.child.try_wait().unwrap();
        let _ = self.child.kill();
        let [output, errors] = [&mut self.output, &mut self.errors].map(|pipe| {
            std::mem::replace(pipe, std::thread::spawn(String::new))
                .join()
                .unwrap()
        });
        (status, output, errors)
    }

    /// Returns the resident memory in KB.
    ///
    /// Source: proc_pid_status(5).
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A function with an event and the answer that it must give.
struct Case {
    package: &'static str,
    variables: Vec<(&'static str, String)>,
    event: Bytes,
    /// Holds of each answer.
    expected: &'static str,
}

impl Case {
    fn respond(clients: &Clients) -> Self {
        Self {
            package: "respond",
            variables: vec![("MTLS_ANCHORS", clients.anchors_source())],
            event: event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue),
            expected: "\"statusCode\":200",
        }
    }

    /// Returns the functions behind the same loop, each with an event that needs nothing but
    /// itself.
    fn all(clients: &Clients) -> [Self; 4] {
        let authorizer =
            json!({"type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:a/b/GET/c"});
        let forward = vec![
            ("MTLS_ANCHORS", clients.anchors_source()),
            ("FORWARD_UPSTREAM", "http://127.0.0.1:9".to_owned()),
        ];
        [
            Self::respond(clients),
            Self {
                package: "forward",
                variables: forward,
                event: event("GET", "/", &[], HeaderMode::MultiValue),
                expected: "\"statusCode\":401",
            },
            Self {
                package: "authorize",
                variables: vec![("MTLS_ANCHORS", clients.anchors_source())],
                event: Bytes::from(authorizer.to_string()),
                expected: "Deny",
            },
            Self {
                package: "refresh-crls",
                variables: vec![
                    ("CRL_ANCHORS", clients.anchors_source()),
                    ("CRL_SOURCES", "http://127.0.0.1:9/a.crl".to_owned()),
                    ("CRL_DESTINATION", "s3://bucket/crls/".to_owned()),
                    ("AWS_REGION", "eu-west-1".to_owned()),
                ],
                event: Bytes::from("{\"unknown\": 1}"),
                expected: "errorType",
            },
        ]
    }

    fn start(&self, api: SocketAddr, more: &[(&str, &str)]) -> Process {
        let own = self.variables.iter().map(|(name, value)| (*name, &**value));
        let variables: Vec<_> = own.chain(more.iter().copied()).collect();
        Process::start(self.package, api, &variables)
    }

    fn check(&self, sent: &Sent) {
        let body = String::from_utf8_lossy(&sent.body);
        assert!(
            body.contains(self.expected),
            "{} {}: {body}",
            self.package,
            sent.path
        );
    }
}

/// Returns everything but an event, and but the 500 after which a function ends.
fn faults_of_next() -> Vec<Next> {
    let broken = |headers: &str| Next::Event {
        id: "broken".to_owned(),
        headers: headers.to_owned(),
        event: Bytes::from("{}"),
    };
    let unnamed = |id: &str| Next::Event {
        id: id.to_owned(),
        headers: "Lambda-Runtime-Deadline-Ms: 4102444800000\r\n".to_owned(),
        event: Bytes::from("{}"),
    };
    vec![
        Next::Status(204),
        Next::Status(400),
        Next::Status(403),
        Next::Status(410),
        Next::Status(503),
        Next::Reset,
        Next::Bytes(""),
        Next::Bytes("SSH-2.0-OpenSSH_9.2\r\n"),
        Next::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        Next::Bytes("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: cut\r\nContent-Length: 200\r\n\r\n{"),
        Next::Bytes(
            "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: cut\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        ),
        unnamed(""),
        unnamed("../../../2018-06-01/runtime/init/error?"),
        broken(""),
        broken("Lambda-Runtime-Deadline-Ms: soon\r\n"),
        broken("Lambda-Runtime-Deadline-Ms: 99999999999999999999999999\r\n"),
        broken("Lambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Client-Context: {\r\n"),
        broken("Lambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Cognito-Identity: {}\r\n"),
    ]
}

#[tokio::test]
async fn functions_answer_the_event_after_each_fault_of_next() {
    let clients = Clients::new();
    for case in Case::all(&clients) {
        let mut api = PlannedApi::start().await;
        let mut process = case.start(api.address, &[]);
        for (number, fault) in faults_of_next().into_iter().enumerate() {
            api.plan(fault.clone());
            let id = format!("event-{number}");
            api.plan(Next::event(&id, case.event.clone()));
            let mut sent = api.sent().await;
            if sent.path.contains("/broken/") {
                assert!(sent.path.ends_with("/invocation/broken/error"), "{}", sent.path);
                let error: Value = serde_json::from_slice(&sent.body).unwrap();
                assert_eq!(error["errorType"], "AlbMtls.MalformedInvocation", "{fault:?}");
                sent = api.sent().await;
            }
            assert!(
                sent.path.contains(&format!("/invocation/{id}/")),
                "{fault:?}: {}",
                sent.path
            );
            case.check(&sent);
            assert!(process.is_alive(), "{} after {fault:?}", case.package);
        }
        let (_, output, errors) = process.end().await;
        assert!(!errors.contains("panicked"), "{errors}");
        assert!(output.contains("no event could be had"), "{output}");
    }
}

#[tokio::test]
async fn functions_answer_the_event_after_each_fault_of_an_answer() {
    let clients = Clients::new();
    for case in Case::all(&clients) {
        let mut api = PlannedApi::start().await;
        let mut process = case.start(api.address, &[]);
        let faults = [
            (Taken::Status(400), 1),
            (Taken::Status(403), 1),
            (Taken::Status(410), 1),
            (Taken::Status(413), 1),
            (Taken::Status(500), 1),
            // May not have arrived, and is sent again.
            (Taken::Reset, 2),
            (Taken::Close, 2),
        ];
        for (number, (fault, times)) in faults.into_iter().enumerate() {
            api.take_next(fault);
            let id = format!("event-{number}");
            api.plan(Next::event(&id, case.event.clone()));
            for _ in 0..times {
                let sent = api.sent().await;
                assert!(
                    sent.path.contains(&format!("/invocation/{id}/")),
                    "{fault:?}: {}",
                    sent.path
                );
                case.check(&sent);
            }
        }
        api.plan(Next::event("last", case.event.clone()));
        let sent = api.sent().await;
        assert!(sent.path.contains("/invocation/last/"), "{}", sent.path);
        assert!(process.is_alive(), "{}", case.package);
        let (_, output, errors) = process.end().await;
        assert!(!errors.contains("panicked"), "{errors}");
        assert_eq!(
            output.matches("Lambda did not take an answer").count(),
            5,
            "{output}"
        );
    }
}

#[tokio::test]
async fn function_ends_with_one_line_where_lambda_says_that_it_cannot_recover() {
    let clients = Clients::new();
    for case in Case::all(&clients) {
        let api = PlannedApi::start().await;
        let process = case.start(api.address, &[]);
        api.plan(Next::Status(500));
        while api.polls() == 0 {
            sleep(Duration::from_millis(10)).await;
        }
        let (status, _, errors) = process.end().await;
        assert_eq!(
            status.and_then(|status| status.code()),
            Some(1),
            "{}",
            case.package
        );
        assert!(errors.lines().count() == 1 && errors.contains("500"), "{errors}");
    }
}

#[tokio::test]
async fn answers_repeat_the_invocation_id() {
    let clients = Clients::new();
    let case = Case::respond(&clients);
    let mut api = PlannedApi::start().await;
    let _process = case.start(api.address, &[]);
    api.plan(Next::Event {
        id: "one".to_owned(),
        headers: "Lambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Invocation-Id: attempt-2\r\n"
            .to_owned(),
        event: case.event.clone(),
    });
    let sent = api.sent().await;
    assert!(
        sent.head
            .to_ascii_lowercase()
            .contains("lambda-runtime-invocation-id: attempt-2\r\n"),
        "{}",
        sent.head
    );
}

#[tokio::test]
async fn managed_instance_keeps_all_workers_through_a_thousand_failures() {
    const WORKERS: usize = 4;
    let clients = Clients::new();
    let case = Case::respond(&clients);
    let mut api = PlannedApi::start().await;
    let mut process = case.start(api.address, &[("AWS_LAMBDA_MAX_CONCURRENCY", "4")]);
    // A status is the quickest fault; each sends its worker into a longer pause until the next
    // event.
    let mut faults = faults_of_next();
    faults.push(Next::Status(500));
    let mut failures = 0;
    let mut answers = 0;
    while failures < 1_000 {
        for fault in &faults {
            api.plan(fault.clone());
            failures += 1;
            answers += usize::from(matches!(fault, Next::Event { id, .. } if id == "broken"));
            let taken = [Taken::Reset, Taken::Status(500), Taken::Close, Taken::Status(413)];
            api.take_next(taken[failures % taken.len()]);
            failures += 1;
            for _ in 0..WORKERS {
                api.plan(Next::event(format!("event-{failures}"), case.event.clone()));
                answers += 1;
            }
        }
        // Those of which the first sending failed come twice.
        while answers > 0 {
            let sent = api.sent().await;
            if sent.path.contains("/event-") {
                case.check(&sent);
            }
            answers -= 1;
        }
    }
    let began = Instant::now();
    while api.waiting() < WORKERS {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} workers wait",
            api.waiting()
        );
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(api.waiting(), WORKERS);
    assert!(process.is_alive());
    let (_, output, errors) = process.end().await;
    assert!(!errors.contains("panicked"), "{errors}");
    assert!(!output.contains("a worker of this function ended"), "{output}");
}

#[tokio::test]
async fn dead_runtime_api_is_asked_with_pauses_until_it_is_back() {
    let clients = Clients::new();
    let case = Case::respond(&clients);
    let api = PlannedApi::start().await;
    let address = api.address;
    let mut process = case.start(address, &[("AWS_LAMBDA_MAX_CONCURRENCY", "4")]);
    while api.waiting() < 4 {
        sleep(Duration::from_millis(10)).await;
    }
    drop(api);
    sleep(Duration::from_secs(3)).await;
    let mut api = PlannedApi::start_at(address).await;
    for number in 0..8 {
        api.plan(Next::event(format!("event-{number}"), case.event.clone()));
    }
    for _ in 0..8 {
        case.check(&api.sent().await);
    }
    assert!(process.is_alive());
    let (_, output, _) = process.end().await;
    // Pauses of 50 ms to 5 s: seven in three seconds, where asking without a pause makes thousands
    // of lines.
    let asked = output.matches("no event could be had").count();
    assert!((4..=60).contains(&asked), "{asked}");
}

#[tokio::test]
async fn memory_is_flat_over_new_trace_ids() {
    const WARM_UP: usize = 2_000;
    const MEASURED: usize = 12_000;
    let clients = Clients::new();
    let case = Case::respond(&clients);
    let mut api = PlannedApi::start().await;
    let process = case.start(api.address, &[("MTLS_RECORD_ALLOWED", "0%")]);
    let mut before = 0;
    for number in 0..WARM_UP + MEASURED {
        api.plan(Next::event(format!("{number:08x}-67890"), case.event.clone()));
        api.sent().await;
        if number == WARM_UP {
            before = process.resident();
        }
    }
    let grown = process.resident().saturating_sub(before);
    // With `lambda_runtime`'s loop it is 163 bytes an invocation: 1.9 MB.
    assert!(grown < 800, "{grown} KB");
}

#[tokio::test]
async fn function_with_snapstart_is_restored_before_its_first_event() {
    let clients = Clients::new();
    let case = Case::respond(&clients);
    let mut api = PlannedApi::start().await;
    let process = case.start(api.address, &[("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")]);
    api.plan(Next::Status(200));
    api.plan(Next::event("first", case.event.clone()));
    case.check(&api.sent().await);
    drop(process);

    let mut api = PlannedApi::start().await;
    let process = case.start(api.address, &[("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")]);
    api.plan(Next::Status(403));
    let sent = api.sent().await;
    assert!(sent.path.ends_with("/runtime/init/error"), "{}", sent.path);
    let (status, _, errors) = process.end().await;
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{errors}");
}

#[tokio::test]
async fn function_that_lambda_did_not_start_says_how_it_is_started() {
    let clients = Clients::new();
    for case in Case::all(&clients) {
        let mut command = Command::new(binary(case.package));
        let variables = case.variables.iter().map(|(name, value)| (*name, &**value));
        let output = command.env_clear().envs(variables).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{}: {errors}", case.package);
        assert!(
            errors.lines().count() == 1 && errors.contains("alb-mtls local"),
            "{}: {errors}",
            case.package
        );
    }
}
