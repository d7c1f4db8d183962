//! Time that the forwarder adds to a direct call of an upstream, beside nginx as a plain proxy
//! where it is installed; and growth of memory. One run with alternating subjects, so that the
//! figures can be compared.
//!
//! `make bench-forward`, or `cargo run --profile PROFILE --package alb-mtls-bench --bin
//! forward_latency [REQUESTS]` (100,000 unless told otherwise) after `cargo build --profile PROFILE
//! --package forward --package respond
//! --package empty-function`.

#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot be made has no result"
)]

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alb_mtls_bench::{built, load, machine, percentile_of, resident_memory};
use alb_mtls_tests::{Clients, event};
use local_alb::{Environment, FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome};
use test_pki::{Key, KeyKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TURNS: usize = 3_000;
const WARM_UP: usize = 200;
const BODY: usize = 1_024;

#[tokio::main]
async fn main() {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: the figures mean nothing; `make bench-forward` builds for release");
    }
    let requests: usize = std::env::args()
        .nth(1)
        .map_or(100_000, |number| number.parse().expect("a number"));
    let clients = Clients::new();
    let upstream = serve(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {BODY}\r\n\r\n{}",
        "x".repeat(BODY)
    ))
    .await;
    let answer = serde_json::json!({"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "x".repeat(BODY)});
    let answer = answer.to_string();
    let invoke_api = serve(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
        answer.len()
    ))
    .await;
    let nginx = Nginx::start(&clients, upstream);
    let key = clients.write(
        "key.pem",
        &Key::random(KeyKind::P256)
            .and_then(|key| key.to_pem())
            .expect("a key"),
    );

    let anchors = clients.anchors_source();
    let function = async |package: &str, variables: &[(&str, &str)]| {
        let command = FunctionCommand::new(built(package))
            .variable("MTLS_ANCHORS", &anchors)
            .output(FunctionOutput::Discard);
        let command = variables
            .iter()
            .fold(command, |command, (name, value)| command.variable(*name, *value));
        Environment::start(command).await.expect("the function starts")
    };
    let url = format!("http://{upstream}");
    let keys = format!("file:{}", key.display());
    let assertion = [
        ("FORWARD_UPSTREAM", url.as_str()),
        ("FORWARD_IDENTITY", "assertion"),
        ("FORWARD_ASSERTION_KEYS", &keys),
        ("FORWARD_ASSERTION_ISSUER", "bench"),
    ];
    let endpoint = format!("http://{invoke_api}");
    let calling = [
        ("FORWARD_UPSTREAM", "lambda:app"),
        ("AWS_ENDPOINT_URL_LAMBDA", &endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "bench"),
        ("AWS_SECRET_ACCESS_KEY", "bench"),
    ];
    let respond = function("respond", &[]).await;
    let forward = function("forward", &[("FORWARD_UPSTREAM", url.as_str())]).await;
    let asserting = function("forward", &assertion).await;
    let calling = function("forward", &calling).await;

    let request = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    let mut direct = Connection::to(upstream).await;
    let mut proxied = match &nginx {
        Some(nginx) => Some(Connection::to(nginx.address).await),
        None => None,
    };
    let mut samples: [Vec<Duration>; 6] = Default::default();
    for turn in 0..TURNS + WARM_UP {
        let of_nginx = match &mut proxied {
            Some(connection) => connection.exchange().await,
            None => Duration::ZERO,
        };
        let taken = [
            direct.exchange().await,
            of_nginx,
            invoke(&respond, &request).await,
            invoke(&forward, &request).await,
            invoke(&asserting, &request).await,
            invoke(&calling, &request).await,
        ];
        // The first ones warm everything up.
        if turn >= WARM_UP {
            samples
                .iter_mut()
                .zip(taken)
                .for_each(|(samples, taken)| samples.push(taken));
        }
    }
    println!(
        "{TURNS} requests each, alternating, answers of {BODY} bytes; {}, load {}\n",
        machine(),
        load()
    );
    println!("| what | median | 99th percentile |\n| --- | ---: | ---: |");
    let names = [
        "the upstream called directly",
        "through nginx as a plain proxy",
        "`respond`: the gate alone, no hop",
        "`forward`, verify mode and RFC 9440",
        "`forward`, a signed assertion alone",
        "`forward`, another function as the upstream",
    ];
    for (name, samples) in names.iter().zip(&samples) {
        if nginx.is_none() && name.contains("nginx") {
            println!("| {name} | not installed | |");
            continue;
        }
        let (median, high) = (percentile_of(samples, 50), percentile_of(samples, 99));
        println!("| {name} | {} µs | {} µs |", median.as_micros(), high.as_micros());
    }

    let [direct, _, respond, forward_median, ..] = samples
        .each_ref()
        .map(|samples| percentile_of(samples, 50).as_micros());
    println!(
        "\n`forward` takes {} µs more than `respond`, and {} µs of them are the upstream's",
        forward_median.saturating_sub(respond),
        direct
    );

    // The runtime puts each invocation's trace into an environment variable, and glibc never frees
    // one that was set: what an empty function grows by is not the forwarder's.
    let empty = function("empty-function", &[]).await;
    for _ in 0..TURNS + WARM_UP {
        invoke(&empty, &request).await;
    }
    println!(
        "\n| requests | resident memory of `forward` | of an empty function | more growth |\n| ---: | ---: | ---: | ---: |"
    );
    let sizes = || [&forward, &empty].map(|function| kibibytes(resident_memory(function.facts().pid)));
    let [of_forward_before, of_empty_before] = sizes();
    for sent in 0..=requests {
        if sent % 10_000 == 0 {
            let [of_forward, of_empty] = sizes();
            let own = (of_forward - of_forward_before) - (of_empty - of_empty_before);
            println!(
                "| {} | {of_forward} KiB | {of_empty} KiB | {own:+} KiB |",
                TURNS + WARM_UP + sent
            );
        }
        if sent < requests {
            invoke(&forward, &request).await;
            invoke(&empty, &request).await;
        }
    }
    println!("\nat the end: load {}", load());
}

#[expect(clippy::cast_possible_wrap, reason = "memory is far below")]
fn kibibytes(bytes: u64) -> i64 {
    (bytes / 1_024) as i64
}

async fn invoke(environment: &Environment, request: &bytes::Bytes) -> Duration {
    let started = Instant::now();
    let outcome = environment.invoke(request.clone()).await;
    let duration = started.elapsed();
    assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");
    duration
}

/// A server that answers every request with the same bytes.
async fn serve(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("an option of TCP");
            tokio::spawn(answer_all(stream, answer.clone()));
        }
    });
    address
}

async fn answer_all(mut stream: TcpStream, answer: String) {
    let mut buffer = Vec::new();
    while stream.read_buf(&mut buffer).await.unwrap_or(0) > 0 {
        if is_complete(&buffer) {
            buffer.clear();
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("the client is there");
        }
    }
}

/// Returns true if this is one request with its whole body.
fn is_complete(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return false;
    };
    let (head, body) = request.split_at(end + 4);
    let length = String::from_utf8_lossy(head)
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    body.len() >= length
}

/// A connection that is kept.
struct Connection {
    stream: TcpStream,
    request: String,
}

impl Connection {
    async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("an option of TCP");
        Self {
            stream,
            request: format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n"),
        }
    }

    async fn exchange(&mut self) -> Duration {
        let started = Instant::now();
        self.stream
            .write_all(self.request.as_bytes())
            .await
            .expect("the server is there");
        let mut answer = Vec::with_capacity(2 * BODY);
        while !answer.ends_with(&[b'x'; BODY]) {
            assert!(
                self.stream
                    .read_buf(&mut answer)
                    .await
                    .expect("the server answers")
                    > 0,
                "the server left"
            );
        }
        started.elapsed()
    }
}

/// nginx before the upstream. Ends with the value.
struct Nginx {
    process: Child,
    address: SocketAddr,
}

impl Nginx {
    fn start(clients: &Clients, upstream: SocketAddr) -> Option<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let directory = clients.directory().display().to_string();
        let configuration = format!(
            "daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr;\n\
             events {{}}\n\
             http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {directory}/body;\n\
             proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;\n\
             scgi_temp_path {directory}/scgi;\n\
             upstream app {{ server {upstream}; keepalive 4; }}\n\
             server {{ listen {address}; location / {{ proxy_pass http://app; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; }} }} }}\n"
        );
        let path = clients.write("nginx.conf", &configuration);
        let process = Command::new("nginx")
            .arg("-c")
            .arg(path)
            .stderr(Stdio::inherit())
            .spawn()
            .ok()?;
        let nginx = Self { process, address };
        let deadline = Instant::now() + Duration::from_secs(5);
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen");
            std::thread::yield_now();
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
