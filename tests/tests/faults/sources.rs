//! Sources of material that fail: every fault, at the start, during a refresh, and beyond the age
//! that is allowed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_tests::{Clients, Fault, FaultProxy, Moto, binary, client_headers, event};
use local_alb::{FunctionCommand, FunctionOutput, HeaderMode, InvocationOutcome, ManagedInstance};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::gates::{Gate, Material, ROWS, Row, Service, Subject};
use crate::{is_complete, run_all};

/// A fault of a source, as the page names it.
pub(crate) struct SourceFault {
    pub(crate) does: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A fault of each request.
    Request(fn(Service) -> Fault),
    RefusesConnections,
    IgnoresConnections,
    /// The material itself is replaced.
    Spoilt,
    /// The endpoint is another from the start, so that there is no other phase.
    Endpoint(fn(&FaultProxy) -> String),
}

impl SourceFault {
    fn is_for_start_alone(&self) -> bool {
        matches!(self.kind, Kind::Endpoint(_))
    }
}

const fn request(does: &'static str, fault: fn(Service) -> Fault) -> SourceFault {
    SourceFault {
        does,
        kind: Kind::Request(fault),
    }
}

const fn other(does: &'static str, kind: Kind) -> SourceFault {
    SourceFault { does, kind }
}

/// The fault that stands for those of its kind in the short form.
const SILENCE: &str = "accepts the connection and never answers";

pub(crate) static FAULTS: [SourceFault; 18] = [
    other("refuses connections", Kind::RefusesConnections),
    other(
        "neither accepts nor refuses connections",
        Kind::IgnoresConnections,
    ),
    request(SILENCE, |_| Fault::Silence),
    other(
        "never answers the TLS handshake",
        Kind::Endpoint(|proxy| format!("https://127.0.0.1:{}", proxy.port())),
    ),
    other(
        "has a name without an address",
        Kind::Endpoint(|_| "http://nowhere.invalid".to_owned()),
    ),
    request("closes the connection without an answer", |_| Fault::Drop),
    request("closes the connection in the middle of its answer", |_| {
        Fault::Truncate
    }),
    request("resets the connection in the middle of its answer", |_| {
        Fault::Reset
    }),
    request("stops in the middle of its answer", |_| Fault::Stall),
    request("sends a byte every 200 ms", |_| {
        Fault::Drip(Duration::from_millis(200))
    }),
    request("sends a body that does not end", |_| Fault::Endless(200)),
    request("sends bytes that are not HTTP", |_| Fault::Garbage),
    request("sends a page of another service", |_| {
        let page = "<html><body>Please log in</body></html>";
        Fault::Answer(200, "content-type: text/html\r\n", page.to_owned())
    }),
    request("answers 500", |_| Fault::Answer(500, "", String::new())),
    request("answers 503", |_| Fault::Answer(503, "", "try later".to_owned())),
    request("limits the rate of requests", |service| match service {
        Service::Ssm => Fault::ssm_error("ThrottlingException"),
        Service::S3 => Fault::s3_error(503, "SlowDown"),
    }),
    request("denies access", |service| match service {
        Service::Ssm => Fault::ssm_error("AccessDeniedException"),
        Service::S3 => Fault::s3_error(403, "AccessDenied"),
    }),
    other("has text that is not the material", Kind::Spoilt),
];

/// Time at which a source fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Start,
    Refresh,
    Stale,
}

#[derive(Clone, Copy)]
struct Case {
    row: &'static Row,
    service: Service,
    fault: &'static SourceFault,
    phase: Phase,
    timeout: u64,
}

impl Case {
    /// Returns true if it is part of the short form: every gate with the fault that takes longest,
    /// and every fault with one gate.
    fn is_in_short_form(&self) -> bool {
        if self.timeout != 5 {
            return false;
        }
        let is_respond = self.row.gate == Gate::Respond && self.service == Service::Ssm;
        self.fault.does == SILENCE
            || self.fault.is_for_start_alone() && is_respond
            || self.phase == Phase::Refresh && is_respond
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for row in &ROWS {
        for service in row.services {
            for fault in &FAULTS {
                for phase in [Phase::Start, Phase::Refresh, Phase::Stale] {
                    // Lambda's default timeout with the fault that takes longest.
                    let timeouts: &[u64] = if fault.does == SILENCE { &[3, 5, 10] } else { &[5] };
                    for timeout in timeouts {
                        if phase == Phase::Start || !fault.is_for_start_alone() {
                            cases.push(Case {
                                row,
                                service: *service,
                                fault,
                                phase,
                                timeout: *timeout,
                            });
                        }
                    }
                }
            }
        }
    }
    cases.retain(|case| is_complete() || case.is_in_short_form());
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_source_is_answered_as_documented() {
    let cases = cases();
    let (count, started) = (cases.len(), Instant::now());
    let slowest = run_all(cases.into_iter().map(run))
        .await
        .into_iter()
        .max()
        .unwrap();
    println!(
        "{count} combinations in {:?}; a client without a certificate waited {slowest:?} at most",
        started.elapsed()
    );
}

/// Events at once, as a Managed Instance gets them.
const EVENTS: u32 = 16;

#[tokio::test(flavor = "multi_thread")]
async fn events_at_once_wait_for_one_lookup_and_strangers_for_none() {
    let clients = Clients::new();
    let proxy = FaultProxy::before(Moto::shared().port()).await;
    proxy.always(Fault::Silence);
    let mut command = FunctionCommand::new(binary("respond"))
        .variable("MTLS_ANCHORS", "ssm:/faults/at-once")
        .output(FunctionOutput::Discard)
        .timeout(Duration::from_secs(5));
    for (name, value) in proxy.variables() {
        command = command.variable(name, value);
    }
    let instance = ManagedInstance::start(command, EVENTS.try_into().unwrap()).await;
    let instance = Arc::new(instance.unwrap());
    let status = |outcome: InvocationOutcome| {
        let InvocationOutcome::Response(answer) = outcome else {
            panic!("not answered: {outcome:?}")
        };
        serde_json::from_slice::<Value>(&answer).unwrap()["statusCode"].clone()
    };
    proxy.take_requests();
    let good = event("GET", "/", &clients.good_headers(), HeaderMode::MultiValue);
    let mut waiting = JoinSet::new();
    for _ in 1..EVENTS {
        let (instance, good) = (Arc::clone(&instance), good.clone());
        waiting.spawn(async move { instance.invoke(good).await });
    }
    proxy.arrived(1).await;
    let stranger = event("GET", "/", &client_headers(), HeaderMode::MultiValue);
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        let started = Instant::now();
        assert_eq!(status(instance.invoke(stranger.clone()).await), 401);
        slowest = slowest.max(started.elapsed());
    }
    assert!(
        !waiting.is_empty() && waiting.try_join_next().is_none(),
        "the lookup has ended"
    );
    println!("beside 15 events that wait, one without a certificate waited {slowest:?} at most");
    assert!(slowest < Duration::from_secs(1), "a stranger waited {slowest:?}");
    for outcome in waiting.join_all().await {
        assert_eq!(status(outcome), 503);
    }
    let lookups = proxy.take_requests().len();
    // The SDK's own attempts are part of one lookup.
    assert!((1..=3).contains(&lookups), "{lookups} requests");
}

/// Runs one case and returns the longest time that a client without a certificate waited.
async fn run(case: Case) -> Duration {
    let Case {
        row,
        service,
        fault,
        phase,
        timeout,
    } = case;
    let what = format!(
        "{:?}, {} {}, {phase:?}, timeout {timeout} s",
        row.gate,
        service.name(),
        fault.does
    );
    let clients = Clients::new();
    let material = Material::put(row.gate, service, &clients);
    let proxy = FaultProxy::before(Moto::shared().port()).await;
    let mut variables = proxy.variables();
    if let Kind::Endpoint(endpoint) = fault.kind {
        variables.push(("AWS_ENDPOINT_URL".to_owned(), endpoint(&proxy)));
        proxy.always(Fault::Silence);
    }
    variables.push(("MTLS_REFRESH".to_owned(), "1s".to_owned()));
    if phase == Phase::Stale {
        variables.push(("MTLS_MAX_STALE".to_owned(), "3s".to_owned()));
    }
    if phase == Phase::Start {
        begin(fault, service, &proxy, &material).await;
    }
    let timeout = Duration::from_secs(timeout);
    let subject = Subject::start(row.gate, clients, Some(&material.source), &variables, timeout, "").await;
    match phase {
        Phase::Start => {
            subject.ask_as_stranger(&what).await;
            for _ in 0..2 {
                assert_eq!(subject.ask().await, row.unavailable, "{what}");
            }
            subject.ask_as_stranger(&what).await;
        }
        Phase::Refresh => {
            assert_eq!(subject.ask().await, row.served, "{what}");
            begin(fault, service, &proxy, &material).await;
            let since = Instant::now();
            // The first lookup fails, and after its backoff of up to 5 s a second one.
            while since.elapsed() < Duration::from_secs(8) {
                assert_eq!(subject.ask().await, row.served, "{what}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            subject.ask_as_stranger(&what).await;
            let log = subject.function.log().join("\n");
            assert!(
                log.contains(r#""level":"ERROR""#),
                "{what}: no lookup failed\n{log}"
            );
        }
        Phase::Stale => {
            assert_eq!(subject.ask().await, row.served, "{what}");
            begin(fault, service, &proxy, &material).await;
            subject.ask_until(row.unavailable, &[row.served], &what).await;
            subject.ask_as_stranger(&what).await;
            assert_eq!(subject.ask().await, row.unavailable, "{what}");
        }
    }
    if !fault.is_for_start_alone() {
        end(fault, &proxy, &material).await;
        subject.ask_until(row.served, &[row.unavailable], &what).await;
    }
    subject.assert_not_restarted(&what);
    subject.slowest_stranger()
}

async fn begin(fault: &SourceFault, service: Service, proxy: &FaultProxy, material: &Material) {
    match fault.kind {
        Kind::Request(fault) => proxy.always(fault(service)),
        Kind::RefusesConnections => proxy.refuse_connections().await,
        Kind::IgnoresConnections => proxy.ignore_connections().await,
        Kind::Spoilt => material.spoil(),
        Kind::Endpoint(_) => {}
    }
}

async fn end(fault: &SourceFault, proxy: &FaultProxy, material: &Material) {
    match fault.kind {
        Kind::Request(_) => proxy.recover(),
        Kind::RefusesConnections | Kind::IgnoresConnections => proxy.accept_connections().await,
        Kind::Spoilt => material.restore(),
        Kind::Endpoint(_) => {}
    }
}
