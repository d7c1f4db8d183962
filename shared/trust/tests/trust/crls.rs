//! CRLs beside the anchors, from files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_trust::{CrlState, RevocationSettings, Snapshot, Trust, TrustSettings, Unavailable};
use alb_mtls_verifier::{RevocationMode, RevocationPolicy, Timestamp};
use pki::{CertificateBuilder, Credential, CrlBuilder};

use crate::support::{ca_credential, settings, start};

/// An anchor and a folder for its CRLs.
struct Fixture {
    directory: tempfile::TempDir,
    authority: Credential,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = ca_credential("CRL Issuer");
        std::fs::write(directory.path().join("anchors.pem"), authority.pem()).unwrap();
        Self { directory, authority }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn settings(&self, mode: RevocationMode) -> TrustSettings {
        TrustSettings {
            revocation: Some(RevocationSettings {
                crls: source(&self.path("crls.pem")).parse().unwrap(),
                policy: RevocationPolicy {
                    mode,
                    ..RevocationPolicy::default()
                },
                state: CrlState::Read,
            }),
            ..settings(&source(&self.path("anchors.pem")))
        }
    }

    fn publish(&self, crl: &str) {
        std::fs::write(self.path("crls.pem"), crl).unwrap();
    }

    fn crl(&self, number: u64) -> String {
        CrlBuilder::new()
            .number(number)
            .issued_by(&self.authority)
            .unwrap()
            .pem()
    }
}

fn source(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// A moment at which the snapshot of `start()` is due again.
fn later() -> Timestamp {
    start().plus_seconds(400)
}

fn numbers(snapshot: &Snapshot) -> Vec<String> {
    let lists = snapshot.revocation_lists().unwrap();
    lists.iter().map(|(list, _)| list.number().to_string()).collect()
}

fn reason(outcome: Result<Arc<Snapshot>, Unavailable>) -> String {
    outcome.map(|_| ()).unwrap_err().to_string()
}

#[tokio::test]
async fn strict_revocation_has_no_snapshot_without_its_crls() {
    let fixture = Fixture::new();
    let trust = Trust::new(fixture.settings(RevocationMode::Strict));
    assert!(reason(trust.snapshot(start()).await).contains("crls.pem"));
    fixture.publish(&fixture.crl(1));
    let trust = Trust::new(fixture.settings(RevocationMode::Strict));
    assert_eq!(numbers(&trust.snapshot(start()).await.unwrap()).len(), 1);
}

#[tokio::test]
async fn soft_revocation_goes_on_without_crls_and_takes_them_when_they_come() {
    let fixture = Fixture::new();
    let trust = Trust::new(fixture.settings(RevocationMode::Soft));
    assert!(numbers(&trust.snapshot(start()).await.unwrap()).is_empty());
    fixture.publish(&fixture.crl(1));
    assert_eq!(numbers(&trust.snapshot(later()).await.unwrap()).len(), 1);
    // What was known stays known while the source is away.
    std::fs::remove_file(fixture.path("crls.pem")).unwrap();
    let snapshot = trust.snapshot(later().plus_seconds(400)).await.unwrap();
    assert_eq!(numbers(&snapshot).len(), 1);
}

#[tokio::test]
async fn forged_rolled_back_and_damaged_crls_never_replace_the_good_one() {
    let fixture = Fixture::new();
    let impostor = ca_credential("CRL Issuer");
    fixture.publish(&fixture.crl(7));
    let trust = Trust::new(fixture.settings(RevocationMode::Strict));
    let good = numbers(&trust.snapshot(start()).await.unwrap());

    let forged = CrlBuilder::new().number(8).issued_by(&impostor).unwrap().pem();
    let whole = fixture.crl(8);
    let truncated = whole.get(..whole.len() / 2).unwrap().to_owned();
    let cases = [
        (forged, "its signature does not verify"),
        (fixture.crl(6), "goes back from number"),
        (truncated, "crls.pem"),
        (fixture.authority.pem(), "crls.pem"),
        (String::new(), "there is no CRL in it"),
    ];
    for (round, (content, words)) in (1_i64..).zip(cases) {
        fixture.publish(&content);
        // Failures are followed by ever longer pauses; a day is longer than any.
        let now = start().plus_seconds(round * 3_000);
        assert_eq!(numbers(&trust.snapshot(now).await.unwrap()), good, "{words}");
        let error = trust.status().last_error.unwrap().to_string();
        assert!(error.contains(words), "{words}: {error}");
        // Confirm the good one, so that it does not grow too old.
        fixture.publish(&fixture.crl(7));
        trust.snapshot(now.plus_seconds(1_500)).await.unwrap();
    }
    fixture.publish(&fixture.crl(8));
    let newest = numbers(&trust.snapshot(start().plus_seconds(100_000)).await.unwrap());
    assert_ne!(newest, good);
}

#[tokio::test]
async fn stale_future_and_unknown_crls_are_warned_of() {
    let fixture = Fixture::new();
    let now = time::OffsetDateTime::now_utc();
    let day = Duration::from_secs(86_400);
    let stale = CrlBuilder::new()
        .valid(now - 2 * day, now - day)
        .number(1)
        .issued_by(&fixture.authority)
        .unwrap();
    let early = CrlBuilder::new()
        .valid(now + day, now + 2 * day)
        .number(2)
        .issued_by(&fixture.authority)
        .unwrap();
    let stranger = CertificateBuilder::root("CN=Stranger").self_signed().unwrap();
    let strange = CrlBuilder::new().number(1).issued_by(&stranger).unwrap();
    fixture.publish(&[stale.pem(), early.pem(), strange.pem()].concat());
    let trust = Trust::new(fixture.settings(RevocationMode::Strict));
    let snapshot = trust.snapshot(start()).await.unwrap();
    let kinds: Vec<&str> = snapshot.warnings().iter().map(|warning| warning.kind()).collect();
    for kind in ["crl_stale", "crl_not_yet_valid", "crl_issuer_unknown"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
}
