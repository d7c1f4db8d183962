//! Time of functions from the start of the process to their first poll, by the source of their
//! trust anchors; beside an empty function, and beside a process that does no more than read the
//! parameter with the AWS SDK as it comes.
//!
//! `cargo run --profile PROFILE --package alb-mtls-bench --bin start_times` after `cargo build
//! --profile PROFILE --package respond --package empty-function`. One run, alternating, so that the
//! figures can be compared; each is a median. The services are a socket of this process that
//! answers at once.

#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot be made has no result"
)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use alb_mtls_bench::{built, load, machine, percentile_of};
use alb_mtls_tests::{Clients, Fault, FaultProxy, ProxiedRequest};
use local_alb::{Environment, FunctionCommand, FunctionOutput};
use test_pki::CertificateBuilder;

const ROUNDS: usize = 31;
const MANY: usize = 10_000;

/// Set for processes that are this program again: what they do.
const CHILD: &str = "START_TIMES_CHILD";

/// Lambda has its CA certificates in one file; where they are a folder of hundreds, reading them
/// takes longest.
const CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

#[tokio::main]
async fn main() {
    if let Ok(work) = std::env::var(CHILD) {
        return child(&work).await;
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: the figures mean nothing");
    }
    let clients = Clients::new();
    let (ssm, s3) = (clients.root.pem(), Clients::of("Other").root.pem());
    let one = services(&ssm, &s3).await;
    let many = services(&ssm, &many_anchors()).await;
    let subjects = [
        (
            "empty function",
            Subject::Function("empty-function", String::new()),
        ),
        ("respond, file", respond(clients.anchors_source())),
        ("respond, SSM", respond("ssm:/anchors".to_owned())),
        ("respond, SSM path", respond("ssm:/anchors/*".to_owned())),
        ("respond, S3", respond("s3://bucket/anchors.pem".to_owned())),
        (
            "respond, SSM and S3",
            respond("ssm:/anchors s3://bucket/other.pem".to_owned()),
        ),
        ("empty process", Subject::Child("nothing")),
        ("process, SDK's default set-up, SSM", Subject::Child("sdk")),
    ];
    let mut times = vec![Vec::new(); subjects.len()];
    for _ in 0..ROUNDS {
        for ((_, subject), times) in subjects.iter().zip(&mut times) {
            times.push(subject.start(&one).await);
        }
    }
    println!("milliseconds from the start to the first poll, median of {ROUNDS}:");
    for ((name, _), times) in subjects.iter().zip(times) {
        println!("  {name:<36}{:>8.2}", median(&times));
    }
    let s3 = respond("s3://bucket/anchors.pem".to_owned());
    let mut times = Vec::new();
    for _ in 0..7 {
        times.push(s3.start(&many).await);
    }
    let name = format!("respond, S3, {MANY} trust anchors");
    println!("  {name:<36}{:>8.2}", median(&times));
    println!("{}, load {}", machine(), load());
}

/// Program that is started.
enum Subject {
    /// A function with these trust anchors.
    Function(&'static str, String),
    /// This program again, until it ends.
    Child(&'static str),
}

fn respond(anchors: String) -> Subject {
    Subject::Function("respond", anchors)
}

impl Subject {
    async fn start(&self, services: &FaultProxy) -> Duration {
        let mut variables = services.variables();
        if Path::new(CA_FILE).exists() {
            variables.push(("SSL_CERT_FILE".to_owned(), CA_FILE.to_owned()));
        }
        match self {
            Self::Function(package, anchors) => {
                let mut command = FunctionCommand::new(built(package)).output(FunctionOutput::Discard);
                if !anchors.is_empty() {
                    variables.push(("MTLS_ANCHORS".to_owned(), anchors.clone()));
                }
                for (name, value) in variables {
                    command = command.variable(name, value);
                }
                let environment = Environment::start(command).await.expect("the function starts");
                environment.facts().start_to_first_poll
            }
            Self::Child(work) => {
                let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
                command.env_clear().envs(variables).env(CHILD, work);
                let running = tokio::task::spawn_blocking(move || {
                    let started = Instant::now();
                    let status = command.status().expect("this program starts");
                    assert!(status.success());
                    started.elapsed()
                });
                running.await.expect("the process ends")
            }
        }
    }
}

async fn child(work: &str) {
    if work == "sdk" {
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::v2026_01_12()).await;
        let client = aws_sdk_ssm::Client::new(&config);
        let parameter = client.get_parameter().name("/anchors").send().await;
        parameter.expect("the parameter is answered");
    }
}

/// Answers as Parameter Store with the one bundle, and as S3 with the other.
async fn services(ssm: &str, s3: &str) -> FaultProxy {
    let proxy = FaultProxy::before(0).await;
    let value = serde_json::Value::from(ssm);
    let parameter = format!(r#"{{"Name":"/anchors","Type":"String","Version":1,"Value":{value}}}"#);
    let object = s3.to_owned();
    let answer = move |request: &ProxiedRequest| {
        let (headers, body) = if request.is_ssm("GetParameter") {
            ("", format!(r#"{{"Parameter":{parameter}}}"#))
        } else if request.is_ssm("GetParametersByPath") {
            ("", format!(r#"{{"Parameters":[{parameter}]}}"#))
        } else {
            ("etag: \"1\"\r\n", object.clone())
        };
        Fault::Answer(200, headers, body)
    };
    proxy.decide(answer);
    proxy
}

fn many_anchors() -> String {
    (0..MANY)
        .map(|number| {
            let name = format!("CN=Trust Anchor {number},OU=Measured,O=Example Organisation");
            let anchor = CertificateBuilder::root(&name).self_signed();
            anchor.expect("a root").pem()
        })
        .collect()
}

fn median(times: &[Duration]) -> f64 {
    percentile_of(times, 50).as_secs_f64() * 1e3
}
