//! The deny list before every kind of decision.

use std::path::PathBuf;

use alb_mtls_gate::{Gate, Readiness};
use alb_mtls_verifier::{Fingerprint, Timestamp};
use http::Request;
use test_pki::{Certificate, CertificateBuilder, Credential, chain_pem};

use crate::support::{CERTIFICATE, Records, percent_encoded, settings, status};

/// A CA above an issuing CA above a client, a client of the root, and a deny list in a file.
struct Site {
    folder: tempfile::TempDir,
    root: Credential,
    issuing: Credential,
    client: Credential,
    other: Credential,
}

impl Site {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
            .serial_bytes(&[7])
            .issued_by(&root)
            .unwrap();
        let client = CertificateBuilder::client("CN=client")
            .serial_bytes(&[0x00, 0xA1])
            .uri("spiffe://example.org/client")
            .issued_by(&issuing)
            .unwrap();
        // The same serial number, from another issuer.
        let other = CertificateBuilder::client("CN=other")
            .serial_bytes(&[0x00, 0xA1])
            .issued_by(&root)
            .unwrap();
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            root,
            issuing,
            client,
            other,
        };
        std::fs::write(site.path("anchors.pem"), site.root.pem()).unwrap();
        site.deny("none");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn deny(&self, list: &str) {
        std::fs::write(self.path("deny.txt"), list).unwrap();
    }

    fn gate(&self, variables: &[(&str, &str)]) -> (Gate, Records) {
        let source = |name: &str| format!("file:{}", self.path(name).display());
        let (anchors, deny) = (source("anchors.pem"), source("deny.txt"));
        let own = [("MTLS_ANCHORS", anchors.as_str()), ("MTLS_DENY", deny.as_str())];
        let records = Records::default();
        let gate = Gate::new(settings(&own, variables)).with_audit_sink(records.clone());
        (gate, records)
    }

    async fn ask(&self, gate: &Gate, client: &Credential, now: Timestamp) -> u16 {
        self.ask_as(gate, client.certificate(), now).await
    }

    async fn ask_as(&self, gate: &Gate, client: &Certificate, now: Timestamp) -> u16 {
        let chain = chain_pem([client, self.issuing.certificate()]);
        let request = Request::builder().header(CERTIFICATE, percent_encoded(&chain));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        status(&gate.admit_at(parts.into(), now).await)
    }
}

fn key_of(credential: &Credential) -> String {
    let info = credential.key().public_key_info().unwrap();
    format!("key {}", Fingerprint::of(&info))
}

#[tokio::test]
async fn an_entry_acts_on_cached_verdicts_and_is_quoted_in_the_record() {
    let site = Site::new();
    let (gate, records) = site.gate(&[]);
    let now = Timestamp::now();
    for seconds in 0..2 {
        assert_eq!(
            site.ask(&gate, &site.client, now.plus_seconds(seconds)).await,
            200
        );
    }
    assert_eq!(records.last()["cache_hit"], true);
    let client = records.last()["client"].clone();
    assert!(client["alternative_names_left_out"].is_null(), "{client}");
    site.deny(&format!("{} because stolen, INC-4711", key_of(&site.client)));
    let now = now.plus_seconds(10);
    assert_eq!(site.ask(&gate, &site.client, now).await, 403);
    let record = records.last();
    assert_eq!(record["cache_hit"], true, "{record}");
    assert_eq!(record["detail"], "deny_list");
    assert_eq!(record["code"], "ClientCertRejected");
    assert_eq!(record["client"]["serial_number"], "A1", "{record}");
    let explanation = record["explanation"].as_str().unwrap();
    assert!(explanation.contains("because stolen, INC-4711"), "{explanation}");
    assert_eq!(site.ask(&gate, &site.other, now).await, 200);
    site.deny("none");
    assert_eq!(site.ask(&gate, &site.client, now.plus_seconds(10)).await, 200);
}

#[tokio::test]
async fn an_entry_denies_the_client_and_everything_under_a_ca() {
    let site = Site::new();
    let certificate = |one: &Credential| format!("certificate {}", Fingerprint::of(one.der()));
    for (list, expected) in [
        (certificate(&site.client), [403, 200]),
        (key_of(&site.client), [403, 200]),
        ("serial A1 issuer \"CN=Issuing,O=Example\"".to_owned(), [403, 200]),
        (
            "serial A1 issuer \"o=example, cn=issuing\"".to_owned(),
            [403, 200],
        ),
        ("serial A1 issuer \"CN=Root\"".to_owned(), [200, 403]),
        ("serial A1 issuer \"CN=Another\"".to_owned(), [200, 200]),
        ("spiffe spiffe://example.org/client".to_owned(), [403, 200]),
        (certificate(&site.issuing), [403, 200]),
        (key_of(&site.issuing), [403, 200]),
        ("serial 7 issuer \"CN=Root\"".to_owned(), [403, 200]),
        (certificate(&site.root), [403, 403]),
        (key_of(&site.root), [403, 403]),
    ] {
        site.deny(&list);
        let (gate, _) = site.gate(&[]);
        let now = Timestamp::now();
        let answers = [
            site.ask(&gate, &site.client, now).await,
            site.ask(&gate, &site.other, now).await,
        ];
        assert_eq!(answers, expected, "{list}");
    }
}

#[tokio::test]
async fn without_a_list_verified_clients_wait_for_it_and_others_are_denied_as_before() {
    let site = Site::new();
    std::fs::remove_file(site.path("deny.txt")).unwrap();
    let (gate, records) = site.gate(&[("MTLS_DENY_MAX_STALE", "1m")]);
    gate.load().await;
    assert_eq!(gate.readiness(), Readiness::NoDenyList);
    let now = Timestamp::now();
    assert_eq!(site.ask(&gate, &site.client, now).await, 503);
    assert_eq!(records.last()["detail"], "no_deny_list");
    let stranger = CertificateBuilder::root("CN=Stranger").self_signed().unwrap();
    let stranger = CertificateBuilder::client("CN=x").issued_by(&stranger).unwrap();
    assert_eq!(site.ask(&gate, &stranger, now).await, 401);
    site.deny(&key_of(&site.other));
    let now = now.plus_seconds(30);
    assert_eq!(site.ask(&gate, &site.client, now).await, 200);
    assert_eq!(gate.readiness(), Readiness::Ready);
    site.deny("");
    assert_eq!(site.ask(&gate, &site.client, now.plus_seconds(60)).await, 200);
    assert_eq!(site.ask(&gate, &site.other, now.plus_seconds(60)).await, 403);
    assert_eq!(site.ask(&gate, &site.client, now.plus_seconds(61)).await, 503);
}

#[tokio::test]
async fn modes_treat_an_entry_as_any_other_denial() {
    let site = Site::new();
    site.deny(&key_of(&site.client));
    for (mode, expected, decision) in [
        ("enforce", 403, "denied"),
        ("optional", 403, "denied"),
        ("report", 200, "would_deny"),
    ] {
        let (gate, records) = site.gate(&[("MTLS_MODE", mode)]);
        assert_eq!(
            site.ask(&gate, &site.client, Timestamp::now()).await,
            expected,
            "{mode}"
        );
        let record = records.last();
        assert_eq!(record["decision"], decision, "{record}");
        assert_eq!(record["detail"], "deny_list", "{record}");
    }
}

#[tokio::test]
async fn page_of_metrics_tells_the_age_of_the_list() {
    let site = Site::new();
    let (gate, _) = site.gate(&[]);
    gate.load().await;
    let gate = gate.with_totals();
    let page = gate.prometheus_page();
    assert!(
        page.contains("\nalb_mtls_deny_list_confirmed_timestamp_seconds"),
        "{page}"
    );
}

#[tokio::test]
async fn embedded_metrics_tell_the_age_of_the_trust_material_and_of_the_list() {
    let site = Site::new();
    let (gate, records) = site.gate(&[("MTLS_METRICS", "AlbMtls"), ("MTLS_DENY_REFRESH", "5m")]);
    let now = Timestamp::now();
    for seconds in [0, 70] {
        let at = now.plus_seconds(seconds);
        assert_eq!(site.ask(&gate, &site.client, at).await, 200);
    }
    let records = records.0.lock().unwrap();
    for metric in ["TrustAge", "DenyListAge"] {
        let ages = records.iter().filter_map(|record| record[metric].as_f64());
        assert_eq!(ages.collect::<Vec<f64>>(), [0.0, 70.0], "{metric} in {records:?}");
    }
}

/// Shadow trust anchors are a feature.
#[cfg(feature = "policy")]
#[tokio::test]
async fn shadow_set_does_not_compare_what_the_list_denies() {
    let site = Site::new();
    let anchors = format!("file:{}", site.path("anchors.pem").display());
    let (gate, records) = site.gate(&[("MTLS_SHADOW_ANCHORS", &anchors)]);
    site.deny(&key_of(&site.client));
    let now = Timestamp::now();
    assert_eq!(site.ask(&gate, &site.client, now).await, 403);
    // The set has no deny list, and would allow the client.
    assert!(records.last()["shadow"].is_null(), "{}", records.last());
    assert_eq!(site.ask(&gate, &site.other, now).await, 200);
}
