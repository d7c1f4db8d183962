//! Verdicts that are remembered: never for longer than they hold, and never about anything else.

use std::path::Path;

use alb_mtls_gate::Gate;
use alb_mtls_verifier::Timestamp;
use http::Request;
use http::request::Parts;
use test_pki::{CertificateBuilder, Credential, CrlBuilder};
use time::{Duration, OffsetDateTime};

use crate::support::{CERTIFICATE, Records, percent_encoded, settings};

const HOUR: i64 = 3_600;

struct Site {
    directory: tempfile::TempDir,
    root: Credential,
    good: Credential,
    records: Records,
}

impl Site {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=Root")
            .days(30)
            .self_signed()
            .unwrap();
        let good = CertificateBuilder::client("CN=good")
            .days(2)
            .issued_by(&root)
            .unwrap();
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
            root,
            good,
            records: Records::default(),
        };
        site.write("anchors.pem", site.root.pem());
        site
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn gate(&self, others: &[(&str, &str)]) -> Gate {
        let file = |path: &Path| format!("file:{}", path.display());
        let anchors = file(&self.path("anchors.pem"));
        let list = file(&self.path("list.crl"));
        let mut own = vec![("MTLS_ANCHORS", anchors.as_str())];
        if self.path("list.crl").exists() {
            own.push(("MTLS_CRLS", &list));
        }
        Gate::new(settings(&own, others)).with_audit_sink(self.records.clone())
    }

    /// Returns the decision about this header, its detail, and whether it came from the cache.
    async fn ask(&self, gate: &Gate, header: &str, now: Timestamp) -> (Option<String>, bool) {
        let _ = gate.admit_at(request(header).into(), now).await;
        let record = self.records.last();
        let detail = match &record["decision"] {
            decision if decision == "allowed" => None,
            _ => Some(record["detail"].as_str().unwrap().to_owned()),
        };
        (detail, record["cache_hit"].as_bool().unwrap())
    }
}

fn header_of(client: &Credential) -> String {
    percent_encoded(&client.pem())
}

fn request(header: &str) -> Parts {
    let request = Request::builder().header(CERTIFICATE, header);
    request.body(()).unwrap().into_parts().0
}

const VERIFIED: (Option<String>, bool) = (None, false);
const REMEMBERED: (Option<String>, bool) = (None, true);

fn refused(detail: &str) -> (Option<String>, bool) {
    (Some(detail.to_owned()), false)
}

fn refused_again(detail: &str) -> (Option<String>, bool) {
    (Some(detail.to_owned()), true)
}

#[tokio::test]
async fn a_client_that_comes_again_is_remembered_and_the_record_is_the_same() {
    let site = Site::new();
    let gate = site.gate(&[]);
    let (header, now) = (header_of(&site.good), Timestamp::now());
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
    let first = site.records.last();
    assert_eq!(site.ask(&gate, &header, now).await, REMEMBERED);
    let second = site.records.last();
    assert!(first["client"].is_object());
    assert_eq!(first["client"], second["client"]);
    assert_eq!(first["trust_version"], second["trust_version"]);
}

#[tokio::test]
async fn only_requests_that_passed_are_left_out_of_the_records() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_RECORD_ALLOWED", "0%")]);
    let now = Timestamp::now();
    for _ in 0..20 {
        let _ = gate.admit_at(request(&header_of(&site.good)).into(), now).await;
    }
    assert!(site.records.last().is_null());
    assert_eq!(
        site.ask(&gate, "forged", now).await.0.as_deref(),
        Some("header_not_pem")
    );
}

#[tokio::test]
async fn record_names_the_fips_module_in_its_builds_alone() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_METRICS", "AlbMtls")]);
    site.ask(&gate, &header_of(&site.good), Timestamp::now()).await;
    let record = site.records.last();
    let (module, mode) = (record["crypto_module"].as_str(), record["FipsMode"].as_u64());
    let expected = if cfg!(feature = "fips") {
        (Some("aws-lc-fips"), Some(1))
    } else {
        (None, None)
    };
    assert_eq!((module, mode), expected);
}

#[tokio::test]
async fn only_the_same_bytes_are_the_same_client() {
    let site = Site::new();
    let gate = site.gate(&[]);
    let (header, now) = (header_of(&site.good), Timestamp::now());
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
    let broken = site.good.certificate().with_broken_signature().unwrap();
    let broken = percent_encoded(&broken.pem());
    assert_eq!(site.ask(&gate, &broken, now).await, refused("signature_invalid"));
    let twice = format!("{header}{header}");
    assert_eq!(site.ask(&gate, &twice, now).await, VERIFIED);
    assert_eq!(
        site.ask(&gate, &format!("{header}x"), now).await,
        refused("header_not_pem")
    );
}

#[tokio::test]
async fn a_verdict_ends_with_the_certificate() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_VERDICT_TTL", "365d"), ("MTLS_REFRESH", "365d")]);
    let header = header_of(&site.good);
    let end = site.good.certificate().not_after().unwrap().unix_timestamp();
    let before = Timestamp::from_unix_seconds(end - 1);
    assert_eq!(site.ask(&gate, &header, before).await, VERIFIED);
    let last = Timestamp::from_unix_seconds(end);
    assert_eq!(site.ask(&gate, &header, last).await, REMEMBERED);
    let after = Timestamp::from_unix_seconds(end + 1);
    assert_eq!(site.ask(&gate, &header, after).await.0.unwrap(), "expired");
}

#[tokio::test]
async fn a_verdict_ends_with_its_time_and_when_the_clock_is_set_back() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_VERDICT_TTL", "10m"), ("MTLS_REFRESH", "1d")]);
    let (header, now) = (header_of(&site.good), Timestamp::now());
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
    assert_eq!(site.ask(&gate, &header, now.plus_seconds(600)).await, REMEMBERED);
    assert_eq!(site.ask(&gate, &header, now.plus_seconds(601)).await, VERIFIED);
    assert_eq!(site.ask(&gate, &header, now.plus_seconds(600)).await, VERIFIED);
}

#[tokio::test]
async fn a_verdict_ends_with_the_crl_that_it_rests_on() {
    let site = Site::new();
    let now = OffsetDateTime::now_utc();
    let list = CrlBuilder::new()
        .valid(now - Duration::HOUR, now + Duration::HOUR)
        .issued_by(&site.root)
        .unwrap();
    site.write("list.crl", list.der());
    let gate = site.gate(&[("MTLS_VERDICT_TTL", "1d"), ("MTLS_REFRESH", "1d")]);
    let (header, now) = (header_of(&site.good), Timestamp::now());
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
    assert_eq!(
        site.ask(&gate, &header, now.plus_seconds(HOUR - 10)).await,
        REMEMBERED
    );
    assert_eq!(
        site.ask(&gate, &header, now.plus_seconds(HOUR + 10)).await,
        refused("crl_stale")
    );
}

#[tokio::test]
async fn a_revocation_counts_from_the_first_request_that_sees_the_new_list() {
    let site = Site::new();
    let list = CrlBuilder::new().number(1).issued_by(&site.root).unwrap();
    site.write("list.crl", list.der());
    let gate = site.gate(&[("MTLS_REFRESH", "1m")]);
    let (header, now) = (header_of(&site.good), Timestamp::now());
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
    assert_eq!(site.ask(&gate, &header, now).await, REMEMBERED);
    let list = CrlBuilder::new()
        .number(2)
        .revoke(&site.good)
        .issued_by(&site.root)
        .unwrap();
    site.write("list.crl", list.der());
    let refreshed = now.plus_seconds(2 * 60);
    assert_eq!(site.ask(&gate, &header, refreshed).await, refused("revoked"));
    assert_eq!(
        site.ask(&gate, &header, refreshed).await,
        refused_again("revoked")
    );
}

#[tokio::test]
async fn an_anchor_that_goes_takes_its_clients_along() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_REFRESH", "1m")]);
    let (header, now) = (header_of(&site.good), Timestamp::now());
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
    let other = CertificateBuilder::root("CN=Other")
        .days(30)
        .self_signed()
        .unwrap();
    site.write("anchors.pem", other.pem());
    let refreshed = now.plus_seconds(2 * 60);
    assert_eq!(
        site.ask(&gate, &header, refreshed).await,
        refused("issuer_unknown")
    );
    site.write("anchors.pem", site.root.pem());
    assert_eq!(
        site.ask(&gate, &header, refreshed.plus_seconds(2 * 60)).await,
        VERIFIED
    );
}

#[tokio::test]
async fn a_refusal_is_remembered_for_a_minute_only() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_REFRESH", "1d")]);
    let starts = OffsetDateTime::now_utc() + Duration::seconds(30);
    let early = CertificateBuilder::client("CN=early")
        .valid(starts, starts + Duration::DAY)
        .issued_by(&site.root)
        .unwrap();
    let (header, now) = (header_of(&early), Timestamp::now());
    assert_eq!(site.ask(&gate, &header, now).await, refused("not_yet_valid"));
    assert_eq!(
        site.ask(&gate, &header, now.plus_seconds(1)).await,
        refused_again("not_yet_valid")
    );
    assert_eq!(site.ask(&gate, &header, now.plus_seconds(61)).await, VERIFIED);
}

#[tokio::test]
async fn however_many_bad_chains_come_the_good_client_stays() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_VERDICT_CACHE", "4")]);
    let (header, now) = (header_of(&site.good), Timestamp::now());
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
    let foreign = CertificateBuilder::root("CN=Foreign").self_signed().unwrap();
    for number in 0..40 {
        let client = CertificateBuilder::client(&format!("CN=foreign {number}"))
            .issued_by(&foreign)
            .unwrap();
        assert_eq!(
            site.ask(&gate, &header_of(&client), now).await,
            refused("issuer_unknown")
        );
    }
    assert_eq!(site.ask(&gate, &header, now).await, REMEMBERED);
}

/// Returns the header of a client with other bytes behind its certificate.
fn header_with_junk(client: &Credential, number: usize) -> String {
    let junk = CertificateBuilder::root(&format!("CN=Junk {number}"))
        .self_signed()
        .unwrap();
    let pem = format!("{}{}", client.pem(), junk.pem());
    percent_encoded(&pem)
}

#[tokio::test]
async fn junk_behind_the_chain_drives_out_no_other_client() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_VERDICT_CACHE", "4")]);
    let now = Timestamp::now();
    let other = CertificateBuilder::client("CN=other")
        .issued_by(&site.root)
        .unwrap();
    let header = header_of(&site.good);
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
    for number in 0..40 {
        let varied = header_with_junk(&other, number);
        assert_eq!(site.ask(&gate, &varied, now).await, VERIFIED);
        assert_eq!(site.ask(&gate, &varied, now).await, REMEMBERED);
    }
    assert_eq!(site.ask(&gate, &header, now).await, REMEMBERED);
}

#[tokio::test]
async fn a_client_is_remembered_with_and_without_its_intermediates() {
    let site = Site::new();
    let gate = site.gate(&[]);
    let now = Timestamp::now();
    let (alone, more) = (header_of(&site.good), header_with_junk(&site.good, 1));
    assert_eq!(site.ask(&gate, &alone, now).await, VERIFIED);
    assert_eq!(site.ask(&gate, &more, now).await, VERIFIED);
    assert_eq!(site.ask(&gate, &alone, now).await, REMEMBERED);
    assert_eq!(site.ask(&gate, &more, now).await, REMEMBERED);
}

#[tokio::test]
async fn without_places_every_request_is_verified() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_VERDICT_CACHE", "0")]);
    let (header, now) = (header_of(&site.good), Timestamp::now());
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
    assert_eq!(site.ask(&gate, &header, now).await, VERIFIED);
}
