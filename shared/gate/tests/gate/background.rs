//! A gate in a process that is never frozen: files are replaced while requests come, and the page
//! for Prometheus says what the embedded metrics say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_gate::{Connections, Gate, METRICS, Readiness, Reload, SeriesKind};
use http::Request;
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential, CrlBuilder};
use time::OffsetDateTime;

use crate::support::{Records, of_client, settings, status};

/// Two CAs with a client each, and a folder for what is replaced.
struct Site {
    folder: tempfile::TempDir,
    authorities: [Credential; 2],
    clients: [Credential; 2],
}

impl Site {
    fn new() -> Self {
        let authorities = ["One", "Two"].map(|name| {
            CertificateBuilder::root(&format!("CN={name}"))
                .self_signed()
                .unwrap()
        });
        let clients = [0, 1].map(|index: usize| {
            CertificateBuilder::client(&format!("CN=client-{index}"))
                .issued_by(&authorities[index])
                .unwrap()
        });
        Self {
            folder: tempfile::tempdir().unwrap(),
            authorities,
            clients,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file as a careful writer does.
    fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path("new"), content).unwrap();
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn source(&self, name: &str) -> String {
        format!("file:{}", self.path(name).display())
    }

    fn gate(&self, variables: &[(&str, &str)]) -> Gate {
        let anchors = self.source("anchors.pem");
        let own = [("MTLS_ANCHORS", anchors.as_str()), ("MTLS_METRICS", "tests")];
        Gate::new(settings(&own, variables))
            .with_totals()
            .with_audit_sink(Records::default())
    }

    /// Asks as a client, and returns the status; 200 for a request that passes.
    async fn ask(&self, gate: &Gate, client: &Credential) -> u16 {
        let request = of_client(client).header("x-forwarded-for", "192.0.2.1");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        status(&gate.admit(parts).await)
    }
}

#[tokio::test]
async fn no_request_waits_or_is_answered_wrongly_while_anchors_rotate() {
    let site = Site::new();
    let [one, two] = site.authorities.each_ref().map(Credential::pem);
    let both = format!("{one}{two}");
    site.replace("anchors.pem", &one);
    let gate = Arc::new(site.gate(&[("MTLS_VERDICT_CACHE", "0"), ("MTLS_REFRESH", "2s")]));
    assert_eq!(gate.readiness(), Readiness::NoTrustMaterial);
    gate.load().await;
    assert_eq!(gate.readiness(), Readiness::Ready);
    let task = {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { match gate.refresh_in_background(&Reload::new()).await {} })
    };
    tokio::task::yield_now().await;

    let mut asked = 0;
    let mut slowest = Duration::ZERO;
    // One alone, both, Two alone; then a bundle that is not one, which changes nothing.
    let steps = [
        (both.as_str(), [200, 200]),
        (two.as_str(), [401, 200]),
        ("damaged", [401, 200]),
    ];
    let mut before = [200, 401];
    for (content, after) in steps {
        site.replace("anchors.pem", content);
        let started = Instant::now();
        let mut seen_after = false;
        while started.elapsed() < Duration::from_secs(4) {
            let asking = Instant::now();
            let answers = [
                site.ask(&gate, &site.clients[0]).await,
                site.ask(&gate, &site.clients[1]).await,
            ];
            slowest = slowest.max(asking.elapsed());
            asked += 2;
            seen_after |= answers == after;
            // A change can come between the two requests; never back again.
            let is_right = |index: usize| {
                answers[index] == after[index] || (!seen_after && answers[index] == before[index])
            };
            assert!(is_right(0) && is_right(1), "{content}: {answers:?}");
            assert_eq!(gate.readiness(), Readiness::Ready);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(seen_after, "{content} is not in use after four seconds");
        before = after;
    }
    assert!(asked > 1_000, "{asked} requests");
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    task.abort();
}

#[tokio::test]
async fn a_gate_without_trust_becomes_ready_by_itself() {
    let site = Site::new();
    let gate = Arc::new(site.gate(&[]));
    gate.load().await;
    let reload = Reload::new();
    let task = {
        let (gate, reload) = (Arc::clone(&gate), reload.clone());
        tokio::spawn(async move { match gate.refresh_in_background(&reload).await {} })
    };
    tokio::task::yield_now().await;
    let started = Instant::now();
    assert_eq!(site.ask(&gate, &site.clients[0]).await, 503);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "the request waited for a lookup"
    );
    assert_eq!(gate.readiness(), Readiness::NoTrustMaterial);
    site.replace("anchors.pem", site.authorities[0].pem());
    reload.ask();
    while !gate.readiness().is_ready() {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(site.ask(&gate, &site.clients[0]).await, 200);
    task.abort();
}

/// Returns the sum of the values of a series, whatever its labels.
fn value(page: &str, series: &str) -> Option<f64> {
    let of_series = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        (name.split('{').next() == Some(series)).then(|| value.parse::<f64>().unwrap())
    };
    page.lines()
        .filter_map(of_series)
        .reduce(|sum, value| sum + value)
}

/// Returns the sum of each embedded metric over the records; for states, the last value.
fn embedded(records: &[Value]) -> BTreeMap<&'static str, f64> {
    let mut found = BTreeMap::new();
    for metric in METRICS {
        for record in records {
            let number = match &record[metric.name] {
                Value::Null => continue,
                Value::Array(values) => values.iter().map(|value| value.as_f64().unwrap()).sum(),
                value => value.as_f64().unwrap(),
            };
            let sum: &mut f64 = found.entry(metric.name).or_default();
            match metric.kind {
                SeriesKind::Counter | SeriesKind::Histogram => *sum += number,
                SeriesKind::Gauge | SeriesKind::Time => *sum = number,
            }
        }
    }
    found
}

#[tokio::test]
async fn both_outputs_of_metrics_say_the_same() {
    let site = Site::new();
    site.replace("anchors.pem", site.authorities[0].pem());
    let now = OffsetDateTime::now_utc();
    let hour = time::Duration::hours(1);
    let crl = CrlBuilder::new()
        .valid(now - hour, now + hour)
        .issued_by(&site.authorities[0])
        .unwrap();
    site.replace("crls.pem", crl.pem());
    let (records, connections) = (Records::default(), Connections::default());
    let crls = site.source("crls.pem");
    let gate = site
        .gate(&[("MTLS_CRLS", crls.as_str()), ("MTLS_MODE", "optional")])
        .with_audit_sink(records.clone())
        .with_connections(connections.clone());
    gate.load().await;
    let _open = [connections.open(), connections.open()];
    for client in [0, 0, 1] {
        site.ask(&gate, &site.clients[client]).await;
    }
    let (parts, ()) = Request::new(()).into_parts();
    assert_eq!(status(&gate.admit(parts).await), 200);
    gate.write_metrics();

    let page = gate.prometheus_page();
    let records = records.0.lock().unwrap();
    let embedded = embedded(&records);
    let unix_now = OffsetDateTime::now_utc().unix_timestamp();
    assert!(embedded.len() >= 10, "{embedded:?}");
    for metric in METRICS {
        let Some(number) = embedded.get(metric.name).copied() else {
            // Nothing was counted, and Prometheus says so.
            let expected = match metric.kind {
                SeriesKind::Time => None,
                _ => Some(0.0),
            };
            assert_eq!(value(&page, metric.series), expected, "{}", metric.name);
            continue;
        };
        let in_page = match metric.kind {
            SeriesKind::Histogram => value(&page, &format!("{}_sum", metric.series)).unwrap() * 1e6,
            SeriesKind::Time => {
                let time = value(&page, metric.series).unwrap();
                #[expect(clippy::cast_precision_loss, reason = "seconds of today")]
                let left = time - unix_now as f64;
                match metric.unit {
                    "None" => (left / 86_400.0).floor(),
                    _ => left.abs(),
                }
            }
            _ => value(&page, metric.series).unwrap(),
        };
        // The records are some seconds older at most, and an average day has no boundary here.
        let tolerance = match metric.kind {
            SeriesKind::Time => 3.0,
            _ => 0.001,
        };
        assert!(
            (number - in_page).abs() <= tolerance,
            "{}: {number} in a record, {in_page} in the page\n{page}",
            metric.name
        );
    }
    assert_eq!(value(&page, "alb_mtls_connections"), Some(2.0));
    assert_eq!(value(&page, "alb_mtls_denied_requests_total"), Some(1.0));
    assert_eq!(embedded["Allowed"], 2.0);
}

#[tokio::test]
async fn the_page_is_what_prometheus_reads() {
    let site = Site::new();
    site.replace("anchors.pem", site.authorities[0].pem());
    let gate = site.gate(&[]);
    gate.load().await;
    site.ask(&gate, &site.clients[0]).await;
    site.ask(&gate, &site.clients[1]).await;
    let page = site.path("metrics.txt");
    std::fs::write(&page, gate.prometheus_page()).unwrap();
    let checked = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&page).unwrap())
        .output();
    match checked {
        Ok(checked) => {
            let said = String::from_utf8_lossy(&checked.stderr).into_owned();
            assert!(checked.status.success() && said.is_empty(), "{said}");
        }
        Err(missing) => {
            assert!(
                std::env::var_os("CI").is_none(),
                "promtool (Debian's prometheus): {missing}"
            );
            eprintln!("not checked: promtool is not installed");
        }
    }
}
