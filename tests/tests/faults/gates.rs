//! The functions that a fault can reach, each with a source of material, as one thing to ask.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use alb_mtls_tests::api_events::{Api, anonymous, with_pem};
use alb_mtls_tests::upstream::{Recorder, Reply};
use alb_mtls_tests::{Clients, Function, Moto, binary, client_headers, event, project};
use bytes::Bytes;
use local_alb::{FunctionCommand, HeaderMode, InvocationOutcome};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential, Key, KeyKind, chain_pem};

/// A function with the material that comes from a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Respond,
    Authorize,
    Layer,
    ForwardKey,
    ForwardCertificate,
    ForwardCa,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Ssm,
    S3,
}

impl Service {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ssm => "Parameter Store",
            Self::S3 => "S3",
        }
    }
}

/// Outcome for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Status(u64),
    /// Answers of the authorizer.
    Allowed,
    Denied,
    Unauthorized,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(formatter, "{status}"),
            Self::Allowed => formatter.write_str("allow"),
            Self::Denied => formatter.write_str("deny (API Gateway: 403)"),
            Self::Unauthorized => formatter.write_str("`Unauthorized` (API Gateway: 401)"),
        }
    }
}

/// A row of the page: a gate, where its material comes from, and what clients get.
pub(crate) struct Row {
    pub(crate) gate: Gate,
    pub(crate) services: &'static [Service],
    pub(crate) material: &'static str,
    /// A good client with material that may be used.
    pub(crate) served: Outcome,
    /// A good client without such material.
    pub(crate) unavailable: Outcome,
    /// A client without a certificate, at any time.
    pub(crate) stranger: Outcome,
}

const fn http(gate: Gate, services: &'static [Service], material: &'static str) -> Row {
    Row {
        gate,
        services,
        material,
        served: Outcome::Status(200),
        unavailable: Outcome::Status(503),
        stranger: Outcome::Status(401),
    }
}

pub(crate) static ROWS: [Row; 6] = [
    http(
        Gate::Respond,
        &[Service::Ssm, Service::S3],
        "`respond`: `MTLS_ANCHORS`",
    ),
    Row {
        served: Outcome::Allowed,
        unavailable: Outcome::Denied,
        stranger: Outcome::Unauthorized,
        ..http(Gate::Authorize, &[Service::Ssm], "`authorize`: `MTLS_ANCHORS`")
    },
    http(Gate::Layer, &[Service::Ssm], "the layer: `MTLS_ANCHORS`"),
    http(
        Gate::ForwardKey,
        &[Service::Ssm],
        "`forward`: `FORWARD_ASSERTION_KEYS`",
    ),
    http(
        Gate::ForwardCertificate,
        &[Service::Ssm],
        "`forward`: `FORWARD_UPSTREAM_CERTIFICATE`",
    ),
    http(
        Gate::ForwardCa,
        &[Service::S3],
        "`forward`: `FORWARD_UPSTREAM_CA`",
    ),
];

pub(crate) fn row(gate: Gate) -> &'static Row {
    ROWS.iter().find(|row| row.gate == gate).unwrap()
}

/// Material of one test at a place of its own, in a service.
pub(crate) struct Material {
    pub(crate) source: String,
    service: Service,
    content: String,
    key: String,
}

impl Material {
    /// Makes material for a gate, and puts it there.
    pub(crate) fn put(gate: Gate, service: Service, clients: &Clients) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        static BUCKET: OnceLock<()> = OnceLock::new();
        BUCKET.get_or_init(|| Moto::shared().create_bucket("faults"));
        let key = format!("faults/{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let content = match gate {
            Gate::Respond | Gate::Authorize | Gate::Layer => clients.root.pem(),
            Gate::ForwardKey => Key::random(KeyKind::P256).unwrap().to_pem().unwrap(),
            Gate::ForwardCertificate => {
                let client = clients.issue(CertificateBuilder::client("CN=gate"));
                chain_pem([&client, &clients.issuing]) + &client.key().to_pem().unwrap()
            }
            Gate::ForwardCa => TlsUpstream::shared().root.pem(),
        };
        let source = match service {
            Service::Ssm => format!("ssm:/{key}"),
            Service::S3 => format!("s3://faults/{key}"),
        };
        let material = Self {
            source,
            service,
            content,
            key,
        };
        material.write(&material.content);
        material
    }

    /// Puts text there that is not the material.
    pub(crate) fn spoil(&self) {
        self.write("-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n");
    }

    pub(crate) fn restore(&self) {
        self.write(&self.content);
    }

    fn write(&self, content: &str) {
        match self.service {
            Service::Ssm => Moto::shared().put_parameter(&format!("/{}", self.key), content),
            Service::S3 => drop(Moto::shared().put_object("faults", &self.key, content)),
        }
    }
}

/// An HTTPS upstream for the tests of this process.
struct TlsUpstream {
    url: String,
    root: Credential,
    _directory: tempfile::TempDir,
    _process: Child,
}

impl TlsUpstream {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<TlsUpstream> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let root = CertificateBuilder::root("CN=Upstream Root")
            .self_signed()
            .unwrap();
        let server = CertificateBuilder::server("CN=localhost").dns("localhost");
        let server = server.issued_by(&root).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (chain, key) = (directory.path().join("chain"), directory.path().join("key"));
        std::fs::write(&chain, chain_pem([&server])).unwrap();
        std::fs::write(&key, server.key().to_pem().unwrap()).unwrap();
        let mut process = Command::new("sh")
            // It ends with this process, whose end is that of its standard input.
            .args(["-c", "\"$@\" & cat >/dev/null; kill $!", "sh", "python3"])
            .arg(project().join("tests/tests/forward/tls_upstream.py"))
            .args([chain, key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            url: format!("https://localhost:{}", line.trim()),
            root,
            _directory: directory,
            _process: process,
        }
    }
}

/// A started gate with its clients.
pub(crate) struct Subject {
    pub(crate) row: &'static Row,
    pub(crate) function: Function,
    clients: Clients,
    timeout: Duration,
    slowest_stranger: std::sync::Mutex<Duration>,
    _upstream: Option<Recorder>,
}

impl Subject {
    /// Starts a gate with these variables beside those that it needs; its material comes from
    /// `source`, or from files. A shell redirects its output as `redirection` says, where that is
    /// not empty.
    pub(crate) async fn start(
        gate: Gate,
        clients: Clients,
        source: Option<&str>,
        others: &[(String, String)],
        timeout: Duration,
        redirection: &str,
    ) -> Self {
        let program = binary(match gate {
            Gate::Respond => "respond",
            Gate::Authorize => "authorize",
            Gate::Layer => "alb-mtls-layer",
            Gate::ForwardKey | Gate::ForwardCertificate | Gate::ForwardCa => "forward",
        });
        let mut command = if redirection.is_empty() {
            FunctionCommand::new(program)
        } else {
            FunctionCommand::new("sh")
                .argument("-c")
                .argument(format!("exec \"$0\" \"$@\" {redirection}"))
                .argument(program)
        };
        if gate == Gate::Layer {
            command = command.argument(binary("empty-function"));
        }
        let intermediates = clients.write("intermediates.pem", &clients.issuing.pem());
        let anchors = clients.anchors_source();
        let mut upstream = None;
        let mut variables = vec![("MTLS_INTERMEDIATES", format!("file:{}", intermediates.display()))];
        match gate {
            Gate::Respond | Gate::Authorize | Gate::Layer => {
                variables.push(("MTLS_ANCHORS", source.map_or(anchors, str::to_owned)));
            }
            Gate::ForwardKey => {
                let recorder = Recorder::start([Reply::ok()]).await;
                variables.extend([("MTLS_ANCHORS", anchors), ("FORWARD_UPSTREAM", recorder.url())]);
                if let Some(source) = source {
                    variables.extend([
                        ("FORWARD_IDENTITY", "assertion".to_owned()),
                        ("FORWARD_ASSERTION_ISSUER", "https://gate.example".to_owned()),
                        ("FORWARD_ASSERTION_KEYS", source.to_owned()),
                    ]);
                }
                upstream = Some(recorder);
            }
            Gate::ForwardCertificate | Gate::ForwardCa => {
                let server = TlsUpstream::shared();
                let root = clients.write("upstream-root.pem", &server.root.pem());
                let root = format!("file:{}", root.display());
                variables.extend([
                    ("MTLS_ANCHORS", anchors),
                    ("FORWARD_UPSTREAM", server.url.clone()),
                ]);
                let source = source.expect("the material of this gate has a source").to_owned();
                if gate == Gate::ForwardCa {
                    variables.push(("FORWARD_UPSTREAM_CA", source));
                } else {
                    variables.extend([
                        ("FORWARD_UPSTREAM_CA", root),
                        ("FORWARD_UPSTREAM_CERTIFICATE", source),
                    ]);
                }
            }
        }
        for (name, value) in variables {
            command = command.variable(name, value);
        }
        for (name, value) in others {
            command = command.variable(name, value);
        }
        let function = Function::run(command.timeout(timeout)).await;
        Self {
            row: row(gate),
            function,
            clients,
            timeout,
            slowest_stranger: std::sync::Mutex::default(),
            _upstream: upstream,
        }
    }

    /// Returns an event of the good client.
    pub(crate) fn good(&self) -> Bytes {
        match self.row.gate {
            Gate::Authorize => with_pem(Api::Rest, &self.clients.good.pem()).to_string().into(),
            _ => event("GET", "/", &self.clients.good_headers(), HeaderMode::MultiValue),
        }
    }

    /// Returns an event of a client without a certificate.
    pub(crate) fn stranger(&self) -> Bytes {
        match self.row.gate {
            Gate::Authorize => anonymous(Api::Rest).to_string().into(),
            _ => event("GET", "/", &client_headers(), HeaderMode::MultiValue),
        }
    }

    /// Asks as the good client.
    pub(crate) async fn ask(&self) -> Outcome {
        self.outcome(self.good()).await
    }

    /// Asks three times without a certificate: denied each time, and as fast as ever.
    pub(crate) async fn ask_as_stranger(&self, what: &str) {
        for _ in 0..3 {
            let started = Instant::now();
            assert_eq!(self.outcome(self.stranger()).await, self.row.stranger, "{what}");
            let took = started.elapsed();
            let mut slowest = self.slowest_stranger.lock().unwrap();
            *slowest = took.max(*slowest);
            assert!(took < UNHURT, "{what}: a stranger waited {took:?}");
        }
    }

    /// Returns the longest time that a client without a certificate waited.
    pub(crate) fn slowest_stranger(&self) -> Duration {
        *self.slowest_stranger.lock().unwrap()
    }

    /// Returns the outcome of an event, and checks that it is answered within the function's time.
    pub(crate) async fn outcome(&self, event: Bytes) -> Outcome {
        let started = Instant::now();
        let outcome = self.function.invoke(event).await;
        let took = started.elapsed();
        assert!(
            took < self.timeout,
            "answered after {took:?}: {outcome:?}\n{}",
            self.function.log().join("\n")
        );
        match outcome {
            InvocationOutcome::Response(bytes) => {
                let answer: Value = serde_json::from_slice(&bytes).unwrap();
                if let Some(status) = answer["statusCode"].as_u64() {
                    return Outcome::Status(status);
                }
                match answer["policyDocument"]["Statement"][0]["Effect"].as_str() {
                    Some("Allow") => Outcome::Allowed,
                    Some("Deny") => Outcome::Denied,
                    _ => panic!("not an answer: {answer}"),
                }
            }
            InvocationOutcome::FunctionError { message, .. } if message == "Unauthorized" => {
                Outcome::Unauthorized
            }
            other => panic!("not answered: {other:?}\n{}", self.function.log().join("\n")),
        }
    }

    /// Asks as the good client until this is what it gets; all before is among `meanwhile`.
    pub(crate) async fn ask_until(&self, wanted: Outcome, meanwhile: &[Outcome], what: &str) {
        let started = Instant::now();
        loop {
            let outcome = self.ask().await;
            if outcome == wanted {
                return;
            }
            assert!(meanwhile.contains(&outcome), "{what}: {outcome:?}");
            assert!(
                started.elapsed() < LONGEST_CHANGE,
                "{what}: still {outcome:?} instead of {wanted:?}\n{}",
                self.function.log().join("\n")
            );
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Checks that the process which was started first is the one that answers.
    pub(crate) fn assert_not_restarted(&self, what: &str) {
        assert_eq!(
            self.function.facts().restarts,
            0,
            "{what}: an environment was lost"
        );
    }
}

/// Time that no client without a certificate waits, also on a busy machine. A request that waits
/// for a source which does not answer takes 1.25 s at least with the shortest timeout here.
const UNHURT: Duration = Duration::from_secs(1);

/// Longest time until a change of the source is noticed: the longest backoff without a value is 15
/// s, and the lookup takes up to 5 s.
const LONGEST_CHANGE: Duration = Duration::from_secs(45);
