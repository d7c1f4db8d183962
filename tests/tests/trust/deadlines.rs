//! Sources that never answer, and functions with little time: each invocation is answered, and no
//! environment is lost.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_tests::{
    Clients, Fault, FaultProxy, Moto, ProxiedRequest, binary, certificate_headers, client_headers, event,
};
use local_alb::{
    Environment, FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome, ManagedInstance,
};
use serde_json::Value;
use test_pki::{Key, KeyKind};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{proxy, respond};

fn command(package: &str, variables: Vec<(String, String)>, timeout: u64) -> FunctionCommand {
    let mut command = FunctionCommand::new(binary(package))
        .output(FunctionOutput::Discard)
        .timeout(Duration::from_secs(timeout));
    for (name, value) in variables {
        command = command.variable(name, value);
    }
    command
}

fn variables(proxy: &FaultProxy, others: &[(&str, &str)]) -> Vec<(String, String)> {
    let others = others
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    proxy.variables().into_iter().chain(others).collect()
}

fn status(outcome: &InvocationOutcome) -> u64 {
    let InvocationOutcome::Response(bytes) = outcome else {
        panic!("not an answer but {outcome:?}")
    };
    let answer: Value = serde_json::from_slice(bytes).unwrap();
    answer["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn requests_denied_by_their_header_cause_no_lookup() {
    let clients = Clients::new();
    let proxy = proxy().await;
    proxy.always(Fault::Silence);
    let function = respond(&proxy, "ssm:/deadlines/strangers", &[]).await;
    proxy.take_requests();
    let garbage = certificate_headers("-----BEGIN%20CERTIFICATE-----".to_owned());
    for _ in 0..3 {
        for headers in [client_headers(), garbage.clone()] {
            assert_eq!(function.get("/", &headers).await.status, 401);
        }
    }
    assert_eq!(proxy.take_requests().len(), 0, "a stranger made the gate look up");
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 503);
    assert!(!proxy.take_requests().is_empty(), "a good client does");
}

#[tokio::test]
async fn a_hanging_source_costs_no_environment_however_short_the_timeout() {
    let clients = Clients::new();
    Moto::shared().put_parameter("/deadlines/anchors", &clients.root.pem());
    for timeout in [1, 3, 5] {
        let proxy = proxy().await;
        let settings = [("MTLS_ANCHORS", "ssm:/deadlines/anchors"), ("MTLS_REFRESH", "1s")];
        let command = command("respond", variables(&proxy, &settings), timeout);
        let environment = Environment::start(command).await.unwrap();
        let good = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
        assert_eq!(status(&environment.invoke(good.clone()).await), 200);
        let process = environment.facts().pid;
        proxy.take_requests();
        proxy.always(Fault::Silence);
        let mut lookups = 0;
        while lookups < 2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(
                status(&environment.invoke(good.clone()).await),
                200,
                "{timeout} s"
            );
            lookups += proxy.take_requests().len();
        }
        assert_eq!(
            environment.facts().pid,
            process,
            "{timeout} s: the environment was lost"
        );
    }
}

#[tokio::test]
async fn a_hanging_source_at_the_start_costs_no_environment() {
    let clients = Clients::new();
    let proxy = proxy().await;
    proxy.always(Fault::Silence);
    let settings = [("MTLS_ANCHORS", "ssm:/deadlines/never")];
    let environment = Environment::start(command("respond", variables(&proxy, &settings), 3))
        .await
        .unwrap();
    let process = environment.facts().pid;
    let good = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    for _ in 0..3 {
        assert_eq!(status(&environment.invoke(good.clone()).await), 503);
    }
    assert_eq!(environment.facts().pid, process);
}

/// Returns an upstream that says `hello` to everything.
async fn upstream() -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while let Ok(1..) = stream.read_buf(&mut request).await {
                    if request.ends_with(b"\r\n\r\n") {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
                        stream.write_all(answer).await.unwrap();
                        request.clear();
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

/// Invokes the forwarder with so many requests at once and returns how many got each status. All
/// are answered.
async fn statuses_at_once(forward: &Arc<ManagedInstance>, clients: &Clients, count: u32) -> Vec<u64> {
    let good = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    let mut invocations = JoinSet::new();
    for _ in 0..count {
        let (forward, good) = (Arc::clone(forward), good.clone());
        invocations.spawn(async move { status(&forward.invoke(good).await) });
    }
    invocations.join_all().await
}

fn asks_for(request: &ProxiedRequest, parameter: &str) -> bool {
    request.body.contains(parameter)
}

#[tokio::test]
async fn forward_answers_everything_at_once_while_its_key_hangs_from_the_start() {
    let clients = Clients::new();
    let proxy = proxy().await;
    proxy.decide(|request| {
        if asks_for(request, "/deadlines/key") {
            Fault::Silence
        } else {
            Fault::None
        }
    });
    let (anchors, upstream) = (clients.anchors_source(), upstream().await);
    let settings = [
        ("MTLS_ANCHORS", &*anchors),
        ("FORWARD_UPSTREAM", &*upstream),
        ("FORWARD_IDENTITY", "assertion"),
        ("FORWARD_ASSERTION_KEYS", "ssm:/deadlines/key"),
        ("FORWARD_ASSERTION_ISSUER", "https://gate.example"),
    ];
    let command = command("forward", variables(&proxy, &settings), 10);
    let concurrency = NonZeroU32::new(16).unwrap();
    let forward = Arc::new(ManagedInstance::start(command, concurrency).await.unwrap());
    proxy.take_requests();
    let statuses = statuses_at_once(&forward, &clients, 16).await;
    assert_eq!(statuses, [503; 16]);
    let asked = proxy.take_requests().len();
    assert!((1..=3).contains(&asked), "{asked} requests for one lookup");

    let key = Key::random(KeyKind::P256).unwrap().to_pem().unwrap();
    Moto::shared().put_parameter("/deadlines/key", &key);
    proxy.recover();
    let mut again = statuses_at_once(&forward, &clients, 16).await;
    for _ in 0..100 {
        if again == [200; 16] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        again = statuses_at_once(&forward, &clients, 16).await;
    }
    panic!("the key was not loaded after the outage: {again:?}");
}

#[tokio::test]
async fn forward_serves_with_the_last_good_certificate_while_its_source_is_slow() {
    let clients = Clients::new();
    let client = clients.issue(test_pki::CertificateBuilder::client("CN=gate"));
    let pem = format!("{}{}", client.pem(), client.key().to_pem().unwrap());
    Moto::shared().put_parameter("/deadlines/certificate", &pem);
    let proxy = proxy().await;
    let (anchors, upstream) = (clients.anchors_source(), upstream().await);
    let settings = [
        ("MTLS_ANCHORS", &*anchors),
        ("MTLS_REFRESH", "1s"),
        ("FORWARD_UPSTREAM", &*upstream),
        ("FORWARD_ROUTES", "/tls=https://nowhere.invalid"),
        ("FORWARD_UPSTREAM_CA", &*anchors),
        ("FORWARD_UPSTREAM_CERTIFICATE", "ssm:/deadlines/certificate"),
        ("FORWARD_TIMEOUT", "1s"),
    ];
    let environment = Environment::start(command("forward", variables(&proxy, &settings), 10))
        .await
        .unwrap();
    proxy.take_requests();
    proxy.always(Fault::Silence);
    let good = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    let mut lookups = 0;
    while lookups < 2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(status(&environment.invoke(good.clone()).await), 200);
        lookups += proxy.take_requests().len();
    }
}
