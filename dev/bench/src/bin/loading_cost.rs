//! Cost of loading: `cargo run --release -p alb-mtls-bench --bin loading_cost [CERTIFICATES]`
//!
//! First, how long a new process takes from `main` to its first snapshot, for each kind of source,
//! and beside it the AWS SDK in its default set-up doing nothing but reading the same parameter.
//! Then, how long many trust anchors take from a file and from S3. The services are a socket of
//! this process that answers at once, so that what is measured is the program. Each figure is the
//! median of several runs; the starts are those of separate processes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on ends"
)]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_bench::percentile_of;
use alb_mtls_trust::{Deadlines, Percent, Trust, TrustSettings};
use alb_mtls_verifier::{IdentityExtensions, Timestamp, VerifyOptions};
use test_pki::CertificateBuilder;

const STARTS: usize = 21;
const LOADS: usize = 7;

/// Set for the processes whose start is measured: what they load.
const CHILD: &str = "LOADING_COST_CHILD";

fn main() {
    if let Ok(work) = std::env::var(CHILD) {
        return start(&work);
    }
    let count = std::env::args()
        .nth(1)
        .map_or(10_000, |count| count.parse().expect("a number of certificates"));
    measure_starts();
    measure_loads(count);
}

fn measure_starts() {
    let pem = certificates(1);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("anchors.pem");
    std::fs::write(&file, &pem).unwrap();
    let endpoint = serve(pem);

    println!("start of a process to its first snapshot, one trust anchor, median of {STARTS}:");
    let file = format!("file:{}", file.display());
    for (name, work) in [
        ("nothing", "nothing"),
        ("file", file.as_str()),
        ("SSM", "ssm:/anchors"),
        ("SSM path", "ssm:/anchors/*"),
        ("S3", "s3://bucket/anchors.pem"),
        ("SSM and S3", "ssm:/anchors s3://bucket/other.pem"),
        ("SDK's default set-up, SSM", "sdk"),
    ] {
        let took = median(STARTS, || measure_start(work, &endpoint));
        println!("  {name:<28}{:>8.2} ms", milliseconds(took));
    }
}

/// Measures from before the process exists until it has ended.
fn measure_start(work: &str, endpoint: &str) -> Duration {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env_clear()
        .env(CHILD, work)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    // Lambda has its CA certificates in one file; where they are a folder of hundreds, reading them
    // is what takes longest.
    let file = "/etc/ssl/certs/ca-certificates.crt";
    if Path::new(file).exists() {
        command.env("SSL_CERT_FILE", file);
    }
    let started = Instant::now();
    assert!(command.status().unwrap().success());
    started.elapsed()
}

fn start(work: &str) {
    if work == "nothing" {
        return;
    }
    runtime().block_on(async {
        if work == "sdk" {
            let config = aws_config::load_defaults(aws_config::BehaviorVersion::v2026_01_12()).await;
            let client = aws_sdk_ssm::Client::new(&config);
            client.get_parameter().name("/anchors").send().await.unwrap();
        } else {
            load(work).await;
        }
    });
}

fn measure_loads(count: usize) {
    print!("making {count} certificates ... ");
    std::io::stdout().flush().unwrap();
    let pem = certificates(count);
    println!("{:.1} MB", f64::from(u32::try_from(pem.len()).unwrap()) / 1e6);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anchors.pem");
    std::fs::write(&path, &pem).unwrap();
    let endpoint = serve(pem);

    println!("load of {count} trust anchors, median of {LOADS}:");
    let file = format!("file:{}", path.display());
    let took = median(LOADS, || {
        let started = Instant::now();
        runtime().block_on(load(&file));
        started.elapsed()
    });
    println!("  {:<28}{:>8.2} ms", "file", milliseconds(took));
    let took = median(LOADS, || measure_start("s3://bucket/anchors.pem", &endpoint));
    println!(
        "  {:<28}{:>8.2} ms, start of the process included",
        "S3",
        milliseconds(took)
    );
}

async fn load(anchors: &str) {
    let trust = Trust::new(TrustSettings {
        anchors: anchors.parse().unwrap(),
        intermediates: None,
        options: VerifyOptions::default(),
        identity_extensions: IdentityExtensions::default(),
        revocation: None,
        ocsp: None,
        refresh: Duration::from_secs(300),
        max_stale: Duration::from_secs(3_600),
        max_anchor_loss: Percent::default(),
    });
    let patient = Deadlines {
        start: Duration::from_secs(60),
        request: Duration::from_secs(60),
        ..Deadlines::default()
    };
    trust
        .with_deadlines(patient)
        .load(Timestamp::now())
        .await
        .unwrap();
}

fn certificates(count: usize) -> String {
    (0..count).fold(String::new(), |mut pem, number| {
        let builder = CertificateBuilder::root(&format!(
            "CN=Trust Anchor {number},OU=Measured,O=Example Organisation"
        ));
        pem += &builder.self_signed().unwrap().pem();
        pem
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn median(runs: usize, mut run: impl FnMut() -> Duration) -> Duration {
    let times: Vec<Duration> = (0..runs).map(|_| run()).collect();
    percentile_of(&times, 50)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Answers every GET with `pem` and every POST as Parameter Store would, until the process ends.
fn serve(pem: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let escaped = pem.replace('\n', "\\n");
    let parameter = format!(r#"{{"Name":"/anchors","Type":"String","Version":1,"Value":"{escaped}"}}"#);
    let answers = Arc::new(Answers {
        object: answer("etag: \"1\"\r\n", &pem),
        other_object: answer("etag: \"1\"\r\n", &certificates(1)),
        parameter: answer("", &format!(r#"{{"Parameter":{parameter}}}"#)),
        path: answer("", &format!(r#"{{"Parameters":[{parameter}]}}"#)),
    });
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let answers = Arc::clone(&answers);
            // A client that goes away ends its thread.
            std::thread::spawn(move || answers.serve(client.unwrap()));
        }
    });
    endpoint
}

struct Answers {
    object: String,
    other_object: String,
    parameter: String,
    path: String,
}

impl Answers {
    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut bytes = [0; 16_384];
        let read = client.read(&mut bytes)?;
        let request = String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned();
        let answer = if request.contains("GetParametersByPath") {
            &self.path
        } else if request.starts_with("POST") {
            &self.parameter
        } else if request.contains("other.pem") {
            &self.other_object
        } else {
            &self.object
        };
        client.write_all(answer.as_bytes())?;
        client.shutdown(std::net::Shutdown::Write)
    }
}

fn answer(headers: &str, body: &str) -> String {
    let mut answer = String::new();
    write!(
        answer,
        "HTTP/1.1 200 OK\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    answer
}
