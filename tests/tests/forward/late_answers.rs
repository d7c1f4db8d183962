//! Answers that an upstream sends without having been asked never reach another client.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alb_mtls_tests::{Clients, Function, binary};
use local_alb::{FunctionCommand, FunctionOutput, InvocationOutcome, ManagedInstance};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use test_pki::CertificateBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::server::TlsStream;

use crate::harness::{Event, forward};

/// Times that late answers are sent.
const ROUNDS: usize = 100;

/// Requests under way at once.
const AT_ONCE: u32 = 16;

/// An upstream that answers each request with its path, and writes an unrequested answer to every
/// connection when it is told to. It leaves Nagle's algorithm on, as most servers do.
struct Late {
    url: String,
    variables: Vec<(&'static str, String)>,
    orders: broadcast::Sender<Order>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
    _directory: tempfile::TempDir,
}

#[derive(Clone)]
struct Order {
    bytes: Vec<u8>,
    below_tls: bool,
    _until_done: mpsc::Sender<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Late {
    async fn start(scheme: Scheme) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let mut variables = Vec::new();
        let mut acceptor = None;
        let url = match scheme {
            Scheme::Http => format!("http://{}", SocketAddr::from(([127, 0, 0, 1], port))),
            Scheme::Https => {
                let root = CertificateBuilder::root("CN=Late").self_signed().unwrap();
                let file = directory.path().join("root.pem");
                std::fs::write(&file, root.pem()).unwrap();
                variables.push(("FORWARD_UPSTREAM_CA", format!("file:{}", file.display())));
                acceptor = Some(acceptor_of(&root));
                format!("https://localhost:{port}")
            }
        };
        let (orders, _) = broadcast::channel(4);
        let connections = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn({
            let (orders, connections) = (orders.clone(), Arc::clone(&connections));
            async move {
                let mut tasks = JoinSet::new();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    connections.fetch_add(1, Ordering::Relaxed);
                    let (acceptor, orders) = (acceptor.clone(), orders.subscribe());
                    tasks.spawn(async move {
                        let wire = match acceptor {
                            None => Wire::Plain(stream),
                            Some(acceptor) => Wire::Tls(Box::new(acceptor.accept(stream).await?)),
                        };
                        serve(wire, orders).await
                    });
                }
            }
        });
        Self {
            url,
            variables,
            orders,
            connections,
            task,
            _directory: directory,
        }
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        let variables = self.variables.iter();
        variables.map(|(name, value)| (*name, value.as_str())).collect()
    }

    async fn function(&self, clients: &Clients) -> Function {
        forward(clients, &self.url, &self.variables()).await
    }

    /// Writes what this round brings to every connection, and returns when it is on its way.
    async fn write(&self, round: usize) {
        let (until_done, mut done) = mpsc::channel(1);
        // Whole, broken off, no answer at all, or the beginning of a record of TLS.
        let late: [&[u8]; 5] = [
            &answer("another client's"),
            b"HTTP/1.1 2",
            b"\r\n",
            b"x",
            &[23, 3, 3, 0, 80, 1, 2, 3],
        ];
        let order = Order {
            bytes: late[round % late.len()].to_vec(),
            below_tls: round % late.len() == 4,
            _until_done: until_done,
        };
        let _ = self.orders.send(order);
        assert_eq!(done.recv().await, None);
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn acceptor_of(root: &test_pki::Credential) -> TlsAcceptor {
    let server = CertificateBuilder::server("CN=localhost").dns("localhost");
    let server = server.issued_by(root).unwrap();
    let key = PrivateKeyDer::from_pem_slice(server.key().to_pem().unwrap().as_bytes()).unwrap();
    let configuration = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(server.der().to_vec())], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(configuration))
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(buffer).await,
            Self::Tls(stream) => stream.read_buf(buffer).await,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    fn write_below_tls(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_write(bytes),
            Self::Tls(stream) => stream.get_ref().0.try_write(bytes),
        }
    }
}

async fn serve(mut wire: Wire, mut orders: broadcast::Receiver<Order>) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        tokio::select! {
            read = wire.read(&mut buffer) => {
                if read? == 0 {
                    return Ok(());
                }
                let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                    continue;
                };
                let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
                buffer.drain(..end + 4);
                let path = head.split(' ').nth(1).unwrap_or_default();
                let mut bytes = answer(path);
                if path.starts_with("/twice") {
                    bytes.extend(answer("another client's"));
                }
                wire.write(&bytes).await?;
            }
            order = orders.recv() => {
                let Ok(order) = order else { return Ok(()) };
                if order.below_tls {
                    wire.write_below_tls(&order.bytes)?;
                } else {
                    wire.write(&order.bytes).await?;
                }
            }
        }
    }
}

fn answer(body: &str) -> Vec<u8> {
    let last = if body.starts_with("/last") {
        "connection: close\r\n"
    } else {
        ""
    };
    let head = format!("HTTP/1.1 200 OK\r\n{last}content-length: {}\r\n", body.len());
    format!("{head}content-type: text/plain\r\n\r\n{body}").into_bytes()
}

/// Returns an event whose answer is this path. Half of them may have an effect and are sent once
/// only.
fn event(clients: &Clients, path: &str) -> Vec<u8> {
    let method = if path.ends_with(['0', '2', '4', '6', '8']) {
        "GET"
    } else {
        "POST"
    };
    Event::new(method, path, clients.good_headers()).to_bytes()
}

/// Returns 1 if the answer is another client's.
fn swapped(path: &str, outcome: &InvocationOutcome) -> usize {
    let InvocationOutcome::Response(bytes) = outcome else {
        panic!("{path}: not an answer but {outcome:?}");
    };
    let answer: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(answer["statusCode"], 200, "{path}: {answer}");
    usize::from(answer["body"] != path)
}

async fn ask(clients: &Clients, function: &Function, path: &str) -> usize {
    swapped(path, &function.invoke(event(clients, path)).await)
}

/// Asks for so many paths of this round at once.
async fn ask_at_once(clients: &Clients, function: &Arc<ManagedInstance>, round: &str) -> usize {
    let mut invocations = JoinSet::new();
    for number in 0..AT_ONCE {
        // One in four is answered twice, in one segment.
        let kind = if number % 4 == 3 { "twice" } else { "once" };
        let path = format!("/{kind}/{round}/{number}");
        let event = event(clients, &path);
        let function = Arc::clone(function);
        invocations.spawn(async move { swapped(&path, &function.invoke(event).await) });
    }
    invocations.join_all().await.into_iter().sum()
}

/// Lets a process run on after a while, when the next event is already there.
async fn wake_up(pid: u32) {
    tokio::time::sleep(Duration::from_millis(5)).await;
    signal("-CONT", pid);
}

fn signal(signal: &str, pid: u32) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

async fn late_answers(scheme: Scheme) {
    let clients = Clients::new();
    let upstream = Late::start(scheme).await;
    let function = upstream.function(&clients).await;
    let mut swapped = 0;
    for round in 0..ROUNDS {
        swapped += ask(&clients, &function, &format!("/{round}")).await;
        upstream.write(round).await;
    }
    assert_eq!(swapped, 0, "of {ROUNDS}");
}

async fn late_answers_to_a_frozen_function(scheme: Scheme) {
    let clients = Clients::new();
    let upstream = Late::start(scheme).await;
    let function = upstream.function(&clients).await;
    let pid = function.facts().pid;
    let mut swapped = 0;
    for round in 0..ROUNDS {
        swapped += ask(&clients, &function, &format!("/before/{round}")).await;
        signal("-STOP", pid);
        upstream.write(round).await;
        let path = format!("/after/{round}");
        let (next, ()) = tokio::join!(ask(&clients, &function, &path), wake_up(pid));
        swapped += next;
    }
    assert_eq!(swapped, 0, "of {}", 2 * ROUNDS);
}

async fn late_answers_under_load(scheme: Scheme) {
    let clients = Clients::new();
    let upstream = Late::start(scheme).await;
    let anchors = clients.anchors_source();
    let mut command = FunctionCommand::new(binary("forward"))
        .output(FunctionOutput::Discard)
        .variable("MTLS_ANCHORS", &anchors)
        .variable("FORWARD_UPSTREAM", &upstream.url);
    for (name, value) in upstream.variables() {
        command = command.variable(name, value);
    }
    let at_once = NonZeroU32::new(AT_ONCE).unwrap();
    let function = Arc::new(ManagedInstance::start(command, at_once).await.unwrap());
    let mut swapped = 0;
    for round in 0..ROUNDS {
        swapped += ask_at_once(&clients, &function, &format!("a/{round}")).await;
        upstream.write(round).await;
        swapped += ask_at_once(&clients, &function, &format!("b/{round}")).await;
        signal("-STOP", function.pid());
        upstream.write(round + 1).await;
        let round = format!("c/{round}");
        let (next, ()) = tokio::join!(ask_at_once(&clients, &function, &round), wake_up(function.pid()));
        swapped += next;
    }
    assert_eq!(swapped, 0, "of {}", ROUNDS * 3 * AT_ONCE as usize);
}

#[tokio::test]
async fn a_late_answer_reaches_no_client() {
    late_answers(Scheme::Http).await;
}

#[tokio::test]
async fn a_late_answer_over_tls_reaches_no_client() {
    late_answers(Scheme::Https).await;
}

#[tokio::test]
async fn a_late_answer_to_a_frozen_function_reaches_no_client() {
    late_answers_to_a_frozen_function(Scheme::Http).await;
}

#[tokio::test]
async fn a_late_answer_over_tls_to_a_frozen_function_reaches_no_client() {
    late_answers_to_a_frozen_function(Scheme::Https).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_reaches_no_client_of_many_at_once() {
    late_answers_under_load(Scheme::Http).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_over_tls_reaches_no_client_of_many_at_once() {
    late_answers_under_load(Scheme::Https).await;
}

#[tokio::test]
async fn a_connection_that_stays_quiet_carries_every_request() {
    let clients = Clients::new();
    for scheme in [Scheme::Http, Scheme::Https] {
        let upstream = Late::start(scheme).await;
        let function = upstream.function(&clients).await;
        for round in 0..ROUNDS {
            assert_eq!(ask(&clients, &function, &format!("/{round}")).await, 0);
        }
        // The session tickets of TLS 1.3 come before the first answer.
        assert_eq!(upstream.connections(), 1);
    }
}

#[tokio::test]
async fn a_connection_whose_answer_is_the_last_carries_no_other_request() {
    let clients = Clients::new();
    // This upstream says so and goes on reading and writing.
    let upstream = Late::start(Scheme::Http).await;
    let function = upstream.function(&clients).await;
    for round in 0..ROUNDS {
        assert_eq!(ask(&clients, &function, &format!("/last/{round}")).await, 0);
    }
    assert_eq!(upstream.connections(), ROUNDS);
}
