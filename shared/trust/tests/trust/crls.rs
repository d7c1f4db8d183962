//! CRLs beside the anchors, from files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_trust::{
    CrlState, RevocationSettings, S3Object, Snapshot, Source, Trust, TrustError, TrustSettings,
    crl_state_object, read_crl_state, write_crl_state,
};
use alb_mtls_verifier::{
    CertificateDer, Intermediates, PresentedChain, Reason, RevocationList, RevocationLists, RevocationMode,
    RevocationOptions, Timestamp, TrustAnchor, TrustAnchors,
};
use test_pki::{CertificateBuilder, Credential, Criticality, Crl, CrlBuilder, CrlScope, KeyKind};

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
                options: RevocationOptions {
                    mode,
                    ..RevocationOptions::default()
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
    lists
        .iter()
        .map(|(list, _)| list.number().unwrap().to_string())
        .collect()
}

fn reason(outcome: Result<Arc<Snapshot>, TrustError>) -> String {
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

/// A CRL of another authority that cannot be used, beside one that revokes a client; whether
/// `strict` refuses both.
fn unusable_crls(other: &Credential) -> [(String, bool, &'static str); 5] {
    let named = |kind: KeyKind| {
        let builder = CertificateBuilder::root("CN=Other,O=Trust Tests").key_kind(kind);
        builder.self_signed().unwrap()
    };
    let crl = |builder: CrlBuilder, credential: &Credential| builder.issued_by(credential).unwrap().pem();
    let damaged = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
    let unknown = CrlBuilder::new().extension("1.3.6.1.4.1.99999.1", Criticality::Critical, &[5, 0]);
    [
        (
            crl(CrlBuilder::new(), &named(KeyKind::P256)),
            true,
            "CRL 1, of CN=Other,O=Trust Tests: its signature does not verify",
        ),
        (
            damaged.to_owned(),
            true,
            "CRL 1: is not the DER encoding of a whole CRL",
        ),
        (
            crl(CrlBuilder::new(), &named(KeyKind::Ed25519)),
            false,
            "CRL 1, of CN=Other,O=Trust Tests: its signature algorithm is not supported: Ed25519 (1.3.101.112)",
        ),
        (
            crl(CrlBuilder::new().without_next_update(), other),
            false,
            "CRL 1, of CN=Other,O=Trust Tests: has no nextUpdate",
        ),
        (
            crl(unknown, other),
            false,
            "CRL 1, of CN=Other,O=Trust Tests: has the critical extension 1.3.6.1.4.1.99999.1 at octet",
        ),
    ]
}

#[tokio::test]
async fn one_unusable_crl_does_not_take_the_others_down() {
    let fixture = Fixture::new();
    let other = ca_credential("Other");
    let both = fixture.authority.pem() + &other.pem();
    std::fs::write(fixture.path("anchors.pem"), both).unwrap();
    let issued = |authority: &Credential, name: &str| {
        let builder = CertificateBuilder::client(name);
        builder.issued_by(authority).unwrap()
    };
    let (revoked, cleared) = (
        issued(&fixture.authority, "CN=revoked"),
        issued(&fixture.authority, "CN=cleared"),
    );
    let of_other = issued(&other, "CN=other");
    let good = CrlBuilder::new()
        .revoke(&revoked)
        .issued_by(&fixture.authority)
        .unwrap();
    for (unusable, refuses_strict, words) in unusable_crls(&other) {
        fixture.publish(&(unusable + &good.pem()));
        for mode in [RevocationMode::Soft, RevocationMode::Strict] {
            let trust = Trust::new(fixture.settings(mode));
            let loaded = trust.snapshot(start()).await;
            if mode == RevocationMode::Strict && refuses_strict {
                assert!(reason(loaded).contains(words), "{words}");
                continue;
            }
            let snapshot = loaded.unwrap();
            let warnings = snapshot.warnings().iter();
            let warnings: Vec<String> = warnings
                .filter(|warning| warning.kind() == "crl_unusable")
                .map(ToString::to_string)
                .collect();
            assert!(
                warnings.len() == 1 && warnings[0].contains(words),
                "{words}: {warnings:?}"
            );
            let refused = |client: &Credential| {
                let chain = PresentedChain::new([CertificateDer::from(client.der().to_vec())]).unwrap();
                let verdict = snapshot.verifier().verify(&chain, start());
                verdict.err().map(|rejection| rejection.reason())
            };
            assert_eq!(refused(&revoked), Some(Reason::Revoked), "{mode}: {words}");
            assert_eq!(refused(&cleared), None, "{mode}: {words}");
            assert_eq!(
                refused(&of_other).is_some(),
                mode == RevocationMode::Strict,
                "{mode}: {words}"
            );
        }
    }
}

#[tokio::test]
async fn an_unusable_crl_does_not_make_room_under_soft_for_one_in_use() {
    let fixture = Fixture::new();
    let other = ca_credential("Other");
    let both = fixture.authority.pem() + &other.pem();
    std::fs::write(fixture.path("anchors.pem"), both).unwrap();
    let of_other = CrlBuilder::new().number(5).issued_by(&other).unwrap().pem();
    fixture.publish(&(fixture.crl(1) + &of_other));
    let trust = Trust::new(fixture.settings(RevocationMode::Soft));
    assert_eq!(numbers(&trust.snapshot(start()).await.unwrap()), ["0x1", "0x5"]);
    let mut now = start();
    // Those that the other authority did not sign itself.
    for (unusable, _, words) in unusable_crls(&other).into_iter().take(3) {
        now = now.plus_seconds(1_000);
        fixture.publish(&(unusable + &fixture.crl(2)));
        let snapshot = trust.snapshot(now).await.unwrap();
        assert_eq!(numbers(&snapshot), ["0x1", "0x5"], "{words}");
        let error = trust.status().last_error.unwrap().to_string();
        assert!(
            error.contains("the CRL of CN=Other,O=Trust Tests for all certificates is missing"),
            "{error}"
        );
        // Confirm the good ones, so that they do not grow too old.
        now = now.plus_seconds(1_500);
        fixture.publish(&(fixture.crl(1) + &of_other));
        trust.snapshot(now).await.unwrap();
    }
}

#[tokio::test]
async fn a_replay_without_numbers_is_refused_in_strict_and_soft() {
    let day = Duration::from_secs(86_400);
    for mode in [RevocationMode::Strict, RevocationMode::Soft] {
        let mut shown = Shown::new(mode).await;
        let now = time::OffsetDateTime::now_utc();
        let unnumbered = |hours: u32| {
            let from = now - Duration::from_secs(3_600) * hours;
            CrlBuilder::new().without_number().valid(from, now + day)
        };
        let revoking = unnumbered(0).revoke(&shown.client);
        let revoking = revoking.issued_by(&shown.issuing).unwrap();
        shown.publish(&[&revoking]);
        // The one before had a number and an earlier date.
        assert_eq!(shown.next().await, (Some(Reason::Revoked), None));
        let older = shown.silent(unnumbered(2));
        let older_with_number = shown.silent(unnumbered(2).number(900));
        for (crls, words) in [
            (vec![], "is missing"),
            (vec![&older], "goes back from"),
            (vec![&older_with_number], "goes back from the one of"),
        ] {
            shown.publish(&crls);
            let (verdict, error) = shown.next().await;
            assert_eq!(verdict, Some(Reason::Revoked), "{mode}: {words}");
            assert!(error.unwrap().contains(words), "{mode}: {words}");
            shown.publish(&[&revoking]);
            assert_eq!(shown.next().await, (Some(Reason::Revoked), None));
        }
    }
}

/// A client's authority that is not configured, its CRL beside that of the anchor, and a trust that
/// saw both.
struct Shown {
    fixture: Fixture,
    issuing: Credential,
    client: Credential,
    trust: Trust,
    now: Timestamp,
}

impl Shown {
    async fn new(mode: RevocationMode) -> Self {
        let fixture = Fixture::new();
        let issuing = CertificateBuilder::intermediate("CN=Shown")
            .issued_by(&fixture.authority)
            .unwrap();
        let client = CertificateBuilder::client("CN=client")
            .issued_by(&issuing)
            .unwrap();
        let trust = Trust::new(fixture.settings(mode));
        let shown = Self {
            fixture,
            issuing,
            client,
            trust,
            now: start(),
        };
        shown.publish(&[&shown.revoking(5)]);
        shown
    }

    fn revoking(&self, number: u64) -> Crl {
        let crl = CrlBuilder::new().number(number).revoke(&self.client);
        crl.issued_by(&self.issuing).unwrap()
    }

    fn silent(&self, builder: CrlBuilder) -> Crl {
        builder.issued_by(&self.issuing).unwrap()
    }

    fn publish(&self, crls: &[&Crl]) {
        let issuing: String = crls.iter().map(|crl| crl.pem()).collect();
        self.fixture.publish(&(self.fixture.crl(1) + &issuing));
    }

    /// Returns the status of the client in the next snapshot, and the reason why the lookup was
    /// rejected.
    async fn next(&mut self) -> (Option<Reason>, Option<String>) {
        self.now = self.now.plus_seconds(3_000);
        let snapshot = self.trust.snapshot(self.now).await.unwrap();
        let chain =
            [&self.client, &self.issuing].map(|certificate| CertificateDer::from(certificate.der().to_vec()));
        let verdict = snapshot
            .verifier()
            .verify(&PresentedChain::new(chain).unwrap(), self.now);
        let error = self.trust.status().last_error.map(|error| error.to_string());
        (verdict.err().map(|rejection| rejection.reason()), error)
    }
}

#[tokio::test]
async fn a_replay_after_another_crl_is_refused_in_strict_and_soft() {
    for mode in [RevocationMode::Strict, RevocationMode::Soft] {
        let mut shown = Shown::new(mode).await;
        assert_eq!(shown.next().await, (Some(Reason::Revoked), None));
        let older = shown.silent(CrlBuilder::new().number(4));
        let scoped = shown.silent(CrlBuilder::new().number(9).scope(CrlScope::EndEntities));
        for (crls, words) in [
            (vec![], "is missing"),
            (vec![&older], "goes back from number 0x5 to 0x4"),
            (vec![&scoped], "is missing"),
            (vec![&older, &scoped], "goes back"),
        ] {
            shown.publish(&crls);
            let (verdict, error) = shown.next().await;
            assert_eq!(verdict, Some(Reason::Revoked), "{mode}: {words}");
            assert!(error.unwrap().contains(words), "{mode}: {words}");
            // Confirm the good one, so that it does not grow too old.
            shown.publish(&[&shown.revoking(5)]);
            assert_eq!(shown.next().await, (Some(Reason::Revoked), None));
        }
        shown.publish(&[&shown.revoking(6)]);
        assert_eq!(shown.next().await, (Some(Reason::Revoked), None));
    }
}

#[tokio::test]
async fn a_crl_goes_with_its_anchor_and_is_not_forgotten() {
    let fixture = Fixture::new();
    let other = ca_credential("Other");
    let other_crl = |number| CrlBuilder::new().number(number).issued_by(&other).unwrap().pem();
    let anchors = fixture.path("anchors.pem");
    let both = fixture.authority.pem() + &other.pem();
    std::fs::write(&anchors, &both).unwrap();
    fixture.publish(&(fixture.crl(1) + &other_crl(5)));
    let trust = Trust::new(fixture.settings(RevocationMode::Soft));
    trust.snapshot(start()).await.unwrap();

    fixture.publish(&fixture.crl(2));
    let now = start().plus_seconds(3_000);
    assert_eq!(numbers(&trust.snapshot(now).await.unwrap()), ["0x1", "0x5"]);
    let error = trust.status().last_error.unwrap().to_string();
    assert!(
        error.contains("CN=Other") && error.contains("take its CA out of MTLS_ANCHORS"),
        "{error}"
    );

    std::fs::write(&anchors, fixture.authority.pem()).unwrap();
    let now = now.plus_seconds(3_000);
    assert_eq!(numbers(&trust.snapshot(now).await.unwrap()), ["0x2"]);

    std::fs::write(&anchors, &both).unwrap();
    fixture.publish(&(fixture.crl(3) + &other_crl(4)));
    let now = now.plus_seconds(3_000);
    assert_eq!(numbers(&trust.snapshot(now).await.unwrap()), ["0x2"]);
    let error = trust.status().last_error.unwrap().to_string();
    assert!(error.contains("goes back from number 0x5 to 0x4"), "{error}");
}

#[test]
fn a_record_reads_as_it_was_written() {
    let authority = ca_credential("Recorded");
    let crl = |builder: CrlBuilder| {
        let crl = builder.issued_by(&authority).unwrap();
        Arc::new(RevocationList::from_der(crl.der().to_vec()).unwrap())
    };
    let lists = [
        crl(CrlBuilder::new().number(300)),
        crl(CrlBuilder::new()
            .number(7)
            .distribution_point("http://crl.example.com/1.crl")),
        crl(CrlBuilder::new().without_number().without_next_update()),
    ];
    let anchor = TrustAnchor::new(CertificateDer::from(authority.der().to_vec())).unwrap();
    let anchors = TrustAnchors::new([anchor]).unwrap();
    let lists = RevocationLists::new(lists, &anchors, &Intermediates::default(), None);
    let mut history = lists.history();
    let written = write_crl_state(&history).unwrap();
    assert!(written.contains("\"number\": \"0x12C\""), "{written}");
    let read = read_crl_state(written.as_bytes()).unwrap();
    assert_eq!(
        read.iter().len(),
        3,
        "numbered lists and others of a series apart"
    );
    assert_eq!(write_crl_state(&read).unwrap(), written);
    history.merge(&read);
    assert_eq!(history.iter().len(), 3, "they are the same series");

    for damaged in [
        String::new(),
        "{}".to_owned(),
        r#"{"format": 1, "lists": []}"#.to_owned(),
        written.replace("\"format\": 1", "\"format\": 2"),
        written.replace("0x12C", "300"),
        written.replace("\"expected\": true,", ""),
        written.replace("\"format\"", "\"more\": 1, \"format\""),
        written.replace("\"scope\": \"M", "\"scope\": \"A"),
    ] {
        assert!(read_crl_state(damaged.as_bytes()).is_err(), "{damaged}");
    }
}

#[test]
fn a_pinned_crl_has_no_record() {
    let object = |text: &str| -> S3Object {
        let source: Source = text.parse().unwrap();
        source.downcast_ref::<S3Object>().unwrap().clone()
    };
    let state = crl_state_object(&object("s3://pki/a.crl?region=eu-west-1")).unwrap();
    assert_eq!(state.to_string(), "s3://pki/a.crl.state.json?region=eu-west-1");
    let digest = "0".repeat(64);
    for pinned in [
        "s3://pki/a.crl?versionId=x".to_owned(),
        format!("s3://pki/a.crl#sha256={digest}"),
    ] {
        assert!(crl_state_object(&object(&pinned)).is_none(), "{pinned}");
    }
}

#[tokio::test]
async fn crl_that_mtls_signatures_excludes_is_used_with_a_warning() {
    let fixture = Fixture::new();
    fixture.publish(&fixture.crl(1));
    let mut settings = fixture.settings(RevocationMode::Strict);
    settings.options.signatures = "ml-dsa-65".parse().unwrap();
    let snapshot = Trust::new(settings).snapshot(start()).await.unwrap();
    let warnings: Vec<String> = snapshot.warnings().iter().map(ToString::to_string).collect();
    let expected = "it is signed with ecdsa-p256-sha256, and MTLS_SIGNATURES lists ml-dsa-65: this CRL clears no certificate";
    assert!(
        warnings.iter().any(|warning| warning.contains(expected)),
        "{warnings:?}"
    );
}
