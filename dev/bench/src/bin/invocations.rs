//! Time of an invocation and memory over many of them, for several programs in one run: each
//! invocation has a new trace id, as in Lambda.
//!
//! `cargo run --profile PROFILE --package alb-mtls-bench --bin invocations -- --invocations 1000000
//! PROGRAM...`, where a program is a built function that asks over one connection. The Runtime API
//! is a socket of this process, and the programs take turns.

#![expect(
    clippy::indexing_slicing,
    reason = "a measurement that cannot be made has no result"
)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use alb_mtls_bench::resident_memory;
use alb_mtls_tests::{Clients, event};
use bytes::Bytes;
use clap::Parser;
use local_alb::HeaderMode;
use serde_json::json;

/// Invocations of one program before it is another's turn.
const TURN: u64 = 500;

/// Invocations after which memory has its normal size.
const SETTLED: u64 = 10_000;

#[derive(Parser)]
struct Arguments {
    /// Invocations of each program.
    #[arg(long, default_value_t = 100_000)]
    invocations: u64,
    /// Share of requests that pass with a record, as in MTLS_RECORD_ALLOWED; records go to
    /// /dev/null.
    #[arg(long, default_value = "0%")]
    records: String,
    /// Paths of built functions.
    #[arg(required = true)]
    programs: Vec<String>,
}

/// A program that asks for events.
struct Program {
    name: String,
    child: Child,
    connection: Connection,
    event: Bytes,
    times: Vec<Duration>,
    settled: u64,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Reads a request; returns its first line.
    fn request(&mut self) -> io::Result<String> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    let is_length = name.eq_ignore_ascii_case("content-length");
                    is_length.then(|| value.trim().parse::<usize>().ok())?
                });
                let whole = end + 4 + length.unwrap_or(0);
                if self.buffer.len() >= whole {
                    self.buffer.drain(..whole);
                    return Ok(head.lines().next().unwrap_or_default().to_owned());
                }
            }
            let read = self.stream.read(&mut chunk)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }
}

impl Program {
    fn start(program: &str, clients: &Clients, records: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let of_alb = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
        let of_api =
            json!({"type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:a/b/GET/c"});
        let name = Path::new(program)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let child = Command::new(program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("MTLS_ANCHORS", clients.anchors_source())
            .env("MTLS_RECORD_ALLOWED", records)
            .env("FORWARD_UPSTREAM", "http://127.0.0.1:9")
            .stdout(Stdio::null())
            .spawn()?;
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut connection = Connection {
            stream,
            buffer: Vec::new(),
        };
        connection.request()?;
        Ok(Self {
            event: if name.contains("authorize") {
                Bytes::from(of_api.to_string())
            } else {
                of_alb
            },
            name: program.to_owned(),
            child,
            connection,
            times: Vec::new(),
            settled: 0,
        })
    }

    fn invoke(&mut self, number: u64) -> io::Result<()> {
        let id = format!("{number:08x}-e9f4-11e8-9739-2dfe598c3fcd");
        let message = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {id}\r\nLambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Trace-Id: Root=1-{number:08x}-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0;Lineage=1:{number:08x}:0\r\nContent-Length: {}\r\n\r\n",
            self.event.len()
        );
        let message = [message.as_bytes(), &self.event].concat();
        let began = Instant::now();
        self.connection.stream.write_all(&message)?;
        let answer = self.connection.request()?;
        self.connection
            .stream
            .write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
        self.connection.request()?;
        self.times.push(began.elapsed());
        if !answer.contains("/response") && !answer.contains("/error") {
            return Err(io::Error::other(answer));
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> io::Result<()> {
    let clients = Clients::new();
    let mut programs = Vec::new();
    for program in &arguments.programs {
        programs.push(Program::start(program, &clients, &arguments.records)?);
    }
    let mut number = 0;
    while number < arguments.invocations {
        for program in &mut programs {
            for invocation in number..number + TURN {
                program.invoke(invocation)?;
            }
            if number + TURN == SETTLED {
                program.settled = resident_memory(program.child.id()) / 1_024;
            }
        }
        number += TURN;
    }
    println!(
        "{:>10} {:>10} {:>10} {:>12} {:>12}  program",
        "median", "p99", "ratio", "KB at 10,000", "KB at end"
    );
    let mut first = None;
    for program in &mut programs {
        let end = resident_memory(program.child.id()) / 1_024;
        program.times.sort_unstable();
        let median = program.times[program.times.len() / 2];
        let p99 = program.times[program.times.len() * 99 / 100];
        let first = *first.get_or_insert(median);
        println!(
            "{:>7.1} µs {:>7.1} µs {:>10.3} {:>12} {:>12}  {}",
            median.as_secs_f64() * 1e6,
            p99.as_secs_f64() * 1e6,
            median.as_secs_f64() / first.as_secs_f64(),
            program.settled,
            end,
            program.name
        );
        let _ = program.child.kill();
        let _ = program.child.wait();
    }
    Ok(())
}
