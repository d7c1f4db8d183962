//! The built functions, whole processes behind a Runtime API, beside an empty one.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_bench::{Beside, Effort, Goal, Quantity, Row, Series, Table, built, cpu_time, progress};
use alb_mtls_tests::{Clients, Fault, FaultProxy, ProxiedRequest, event, large_crl, project, source};
use bytes::Bytes;
use local_alb::{
    Environment, FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome, ManagedInstance,
};
use test_pki::CrlBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const START: &str = "start of a process to its first poll";
const FIRST: &str = "first invocation";
const WARM: &str = "warm invocation, remembered client, over the Runtime API";
const CPU: &str = "processor time of a warm invocation";
const AT_ONCE: &str = "invocations a second in a Managed Instance";
const MEMORY: &str = "peak memory";

/// Lambda has its CA certificates in one file; where they are a folder of hundreds, reading them
/// takes longest.
const CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(crate) async fn measure(effort: Effort, table: &mut Table) {
    let clients = Clients::new();
    let of_alb = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    let services = services(&clients.root.pem()).await;
    let entries = effort.choose(500_000, 1_000);
    let crls = [
        source(
            &clients,
            "issuing.crl",
            large_crl(entries, &clients.issuing, CrlBuilder::new()).der(),
        ),
        source(
            &clients,
            "root.crl",
            CrlBuilder::new().issued_by(&clients.root).expect("a CRL").der(),
        ),
    ];
    let upstream = format!("http://{}", upstream().await);
    let anchors = clients.anchors_source();
    let with_file = [("MTLS_ANCHORS", anchors.as_str())];
    let crls = crls.join(" ");
    let sample = |name: &str| format!("file:{}", project().join("events").join(name).display());
    let of_api = std::fs::read(project().join("events/apigw-rest-valid.json")).expect("a sample event");
    let mut subjects = vec![
        Subject::new("empty function", "empty-function", &[], &of_alb),
        Subject::new("respond", "respond", &with_file, &of_alb),
        Subject::new(
            "authorize",
            "authorize",
            &[
                ("MTLS_ANCHORS", &sample("anchors.pem")),
                ("MTLS_INTERMEDIATES", &sample("intermediates.pem")),
            ],
            &Bytes::from(of_api),
        ),
        Subject::new(
            "forward",
            "forward",
            &[with_file[0], ("FORWARD_UPSTREAM", &upstream)],
            &of_alb,
        ),
        Subject::aws("respond, SSM", "ssm:/anchors", &services, &of_alb),
        Subject::aws("respond, S3", "s3://bucket/anchors.pem", &services, &of_alb),
        Subject::new(
            effort.choose("respond, 500,000 revoked", "respond, 1,000 revoked"),
            "respond",
            &[with_file[0], ("MTLS_CRLS", &crls)],
            &of_alb,
        ),
    ];
    for round in 0..effort.choose(31, 2) {
        if round % 10 == 0 {
            progress(&format!("starts of functions, round {round}"));
        }
        for subject in &mut subjects {
            subject.start().await;
        }
    }
    subjects_with(table, &subjects, START, |subject| &subject.starts);
    subjects_with(table, &subjects, FIRST, |subject| &subject.first);
    warm(effort, table, &mut subjects).await;
    for subject in &subjects[1..4] {
        at_once(effort, table, subject).await;
    }
}

/// Invocations a second while so many are under way.
async fn at_once(effort: Effort, table: &mut Table, subject: &Subject) {
    let mut rates = Vec::new();
    for concurrency in effort.choose(&[1, 8, 64][..], &[1, 8]) {
        progress(&format!("{}, {concurrency} invocations at once", subject.name));
        let limit = NonZeroU32::new(*concurrency).expect("more than none");
        let instance = ManagedInstance::start(subject.command.clone(), limit)
            .await
            .expect("the function starts");
        let instance = Arc::new(instance);
        let end = Instant::now() + effort.choose(Duration::from_secs(5), Duration::from_millis(100));
        let started = Instant::now();
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..*concurrency {
            let (instance, event) = (Arc::clone(&instance), subject.event.clone());
            callers.spawn(async move {
                let mut answered = 0_u32;
                while Instant::now() < end {
                    assert_good(&instance.invoke(event.clone()).await);
                    answered += 1;
                }
                answered
            });
        }
        let answered: u32 = callers.join_all().await.into_iter().sum();
        rates.push((
            *concurrency,
            f64::from(answered) / started.elapsed().as_secs_f64(),
        ));
    }
    let (_, alone) = rates[0];
    for (concurrency, rate) in rates {
        let row = Row::new(
            AT_ONCE,
            format!("{}, {concurrency} at once", subject.name),
            Quantity::PerSecond(rate),
        );
        table.push(if concurrency == 1 {
            row
        } else {
            row.beside("1 at once", Quantity::PerSecond(alone))
        });
    }
}

/// Rows of what was measured at the starts of all subjects.
fn subjects_with(
    table: &mut Table,
    subjects: &[Subject],
    section: &'static str,
    of: impl Fn(&Subject) -> &Series,
) {
    let [empty, others @ ..] = subjects else { return };
    for subject in others {
        let row = compared(section, subject.name, of(subject), of(empty));
        table.push(match (section, subject.name) {
            (START, "respond") => row.goal(Goal::Ratio(3.0)),
            (START, "respond, SSM" | "respond, S3") => {
                row.goal(Goal::AtMost(Quantity::Seconds(of(empty).median() + 0.015)))
            }
            _ => row,
        });
    }
}

fn compared(section: &'static str, what: &str, own: &Series, empty: &Series) -> Row {
    let beside = Beside::with_ratio(
        "empty function",
        Quantity::Seconds(empty.median()),
        own.ratio_to(empty),
    );
    Row::new(section, what, Quantity::Seconds(own.median())).compared(beside)
}

async fn warm(effort: Effort, table: &mut Table, subjects: &mut [Subject]) {
    let turns = effort.choose(5_000, 20);
    progress(&format!("{turns} warm invocations of each function"));
    let mut running = Vec::new();
    for subject in subjects.iter() {
        let environment = Environment::start(subject.command.clone())
            .await
            .expect("the function starts");
        for _ in 0..effort.choose(500, 2) {
            invoke(&environment, &subject.event).await;
        }
        let cpu = cpu_time(environment.facts().pid);
        running.push((environment, cpu));
    }
    for turn in 0..turns {
        if turn % 1_000 == 999 {
            progress(&format!("{} of {turns}", turn + 1));
        }
        for (subject, (environment, _)) in subjects.iter_mut().zip(&running) {
            subject.warm.push(invoke(environment, &subject.event).await);
        }
    }
    let used: Vec<f64> = running
        .iter()
        .map(|(environment, before)| {
            (cpu_time(environment.facts().pid) - *before).as_secs_f64() / f64::from(turns)
        })
        .collect();
    let peaks: Vec<u64> = running
        .iter()
        .map(|(environment, _)| {
            environment
                .facts()
                .peak_memory
                .expect("Linux says how much memory it had")
        })
        .collect();
    let [empty, others @ ..] = &*subjects else { return };
    for subject in others.iter().take(3) {
        let row = compared(
            WARM,
            &format!("{}, median", subject.name),
            &subject.warm,
            &empty.warm,
        );
        table.push(if subject.name == "respond" {
            row.goal(Goal::Ratio(1.1))
        } else {
            row
        });
        let high = |series: &Series| Quantity::Seconds(series.percentile(99));
        let what = format!("{}, 99th percentile", subject.name);
        table.push(Row::new(WARM, what, high(&subject.warm)).beside("empty function", high(&empty.warm)));
    }
    for (subject, used_by_it) in others.iter().zip(&used[1..]).take(3) {
        let row = Row::new(CPU, subject.name, Quantity::Seconds(*used_by_it));
        table.push(row.beside("empty function", Quantity::Seconds(used[0])));
    }
    for (subject, peak) in others.iter().zip(&peaks[1..]) {
        let row = Row::new(MEMORY, subject.name, Quantity::Bytes(*peak));
        let row = row.beside("empty function", Quantity::Bytes(peaks[0]));
        table.push(match subject.name {
            "respond" => row.goal(Goal::AtMost(Quantity::Bytes(16_000_000))),
            "respond, 500,000 revoked" => row.goal(Goal::AtMost(Quantity::Bytes(64_000_000))),
            _ => row,
        });
    }
    for (environment, _) in running {
        environment.stop().await;
    }
}

struct Subject {
    name: &'static str,
    command: FunctionCommand,
    event: Bytes,
    starts: Series,
    first: Series,
    warm: Series,
}

impl Subject {
    fn new(name: &'static str, package: &str, variables: &[(&str, &str)], event: &Bytes) -> Self {
        let mut command = FunctionCommand::new(built(package)).output(FunctionOutput::Discard);
        for (variable, value) in variables {
            command = command.variable(*variable, *value);
        }
        Self {
            name,
            command,
            event: event.clone(),
            starts: Series::default(),
            first: Series::default(),
            warm: Series::default(),
        }
    }

    /// `respond` with its trust anchors in AWS.
    fn aws(name: &'static str, anchors: &str, services: &FaultProxy, event: &Bytes) -> Self {
        let mut variables = services.variables();
        variables.push(("MTLS_ANCHORS".to_owned(), anchors.to_owned()));
        if std::path::Path::new(CA_FILE).exists() {
            variables.push(("SSL_CERT_FILE".to_owned(), CA_FILE.to_owned()));
        }
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Self::new(name, "respond", &variables, event)
    }

    async fn start(&mut self) {
        let environment = Environment::start(self.command.clone())
            .await
            .expect("the function starts");
        self.starts.push(environment.facts().start_to_first_poll);
        self.first.push(invoke(&environment, &self.event).await);
        environment.stop().await;
    }
}

async fn invoke(environment: &Environment, event: &Bytes) -> Duration {
    let started = Instant::now();
    let outcome = environment.invoke(event.clone()).await;
    let duration = started.elapsed();
    assert_good(&outcome);
    duration
}

fn assert_good(outcome: &InvocationOutcome) {
    let InvocationOutcome::Response(answer) = outcome else {
        panic!("{outcome:?}")
    };
    let answer = String::from_utf8_lossy(answer);
    let is_good = answer.contains(r#""statusCode":200"#) || answer.contains(r#""Effect":"Allow""#);
    assert!(is_good, "{answer}");
}

/// Answers at once as Parameter Store and as S3, with these trust anchors.
async fn services(pem: &str) -> FaultProxy {
    let proxy = FaultProxy::before(0).await;
    let value = serde_json::Value::from(pem);
    let parameter =
        format!(r#"{{"Parameter":{{"Name":"/anchors","Type":"String","Version":1,"Value":{value}}}}}"#);
    let object = pem.to_owned();
    proxy.decide(move |request: &ProxiedRequest| {
        if request.is_ssm("GetParameter") {
            Fault::Answer(200, "", parameter.clone())
        } else {
            Fault::Answer(200, "etag: \"1\"\r\n", object.clone())
        }
    });
    proxy
}

/// A server that answers every request without a body with the same bytes.
async fn upstream() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("an option of TCP");
            tokio::spawn(answer_all(stream));
        }
    });
    address
}

async fn answer_all(mut stream: TcpStream) {
    let mut request = Vec::new();
    while stream.read_buf(&mut request).await.unwrap_or(0) > 0 {
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}
