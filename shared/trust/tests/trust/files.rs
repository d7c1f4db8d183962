//! Trust material in files, where nothing but the content can go wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{ca, ca_credential, names, settings, start};
use alb_mtls_trust::{LoadError, Loader, Trust, TrustError, Warning, inspect_anchors};
use alb_mtls_verifier::{Fingerprint, Timestamp};
use tempfile::TempDir;
use test_pki::{CertificateBuilder, KeyKind, KeyUsage};

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns it as a source.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.source(name)
    }

    fn source(&self, name: &str) -> String {
        format!("file:{}", self.path(name).display())
    }
}

/// Returns the reason why trust in this one file cannot be loaded.
async fn refusal(content: impl AsRef<[u8]>) -> String {
    let files = Files::new();
    let source = files.write("anchors.pem", content);
    let error = Trust::new(settings(&source)).load(start()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&format!("`{source}`")),
        "does not name its source: {text}"
    );
    text
}

#[tokio::test]
async fn refuses_a_bundle_without_a_certificate() {
    for content in ["", "\n", "there is nothing here"] {
        assert!(refusal(content).await.contains("there is no certificate in it"));
    }
}

#[tokio::test]
async fn refuses_a_bundle_with_a_private_key_and_does_not_print_it() {
    let credential = ca_credential("One");
    let key = credential.key().to_pem().unwrap();
    let secret = key.lines().nth(1).unwrap();
    let text = refusal(format!("{}{key}", credential.pem())).await;
    assert!(text.contains("entry 2: holds a private key"), "{text}");
    assert!(!text.contains(secret));
}

#[tokio::test]
async fn refuses_a_truncated_bundle() {
    let whole = format!("{}{}", ca("One"), ca("Two"));
    for cut in [whole.len() - 2, whole.len() - 30, whole.len() - 300] {
        let text = refusal(&whole[..cut]).await;
        assert!(text.contains("entry 2: "), "cut at {cut}: {text}");
    }
}

#[tokio::test]
async fn refuses_a_certificate_that_is_no_authority_and_names_its_entry() {
    let client = CertificateBuilder::client("CN=client").self_signed().unwrap();
    let text = refusal(format!("{}{}", ca("One"), client.pem())).await;
    assert!(text.contains("entry 2: is not a CA certificate"), "{text}");

    let no_signing = CertificateBuilder::root("CN=ca")
        .key_usage(&[KeyUsage::CRLSign])
        .self_signed()
        .unwrap();
    assert!(refusal(no_signing.pem()).await.contains("lacks keyCertSign"));

    let unsupported = CertificateBuilder::root("CN=ca")
        .key_kind(KeyKind::Ed25519)
        .self_signed()
        .unwrap();
    assert!(
        refusal(unsupported.pem())
            .await
            .contains("which is not supported: use RSA")
    );
}

#[tokio::test]
async fn refuses_damaged_base64_and_garbage_in_a_certificate() {
    let pem = ca("One");
    assert!(
        refusal(pem.replacen("MII", "M!I", 1))
            .await
            .contains("line 2: `!` stands in the base64")
    );
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(
        refusal(garbage)
            .await
            .contains("entry 1: is not a certificate that can be read")
    );
}

#[tokio::test]
async fn refuses_a_file_beyond_the_limit_without_reading_on() {
    let content = vec![b'\n'; alb_mtls_trust::MAX_CERTIFICATE_BYTES + 1];
    assert!(refusal(content).await.contains("is larger than 16777216 bytes"));
}

#[tokio::test]
async fn names_every_source_that_fails() {
    let files = Files::new();
    let good = files.write("good.pem", ca("One"));
    let empty = files.write("empty.pem", "");
    let missing = files.source("missing.pem");
    let directory = files.source("directory");
    std::fs::create_dir(files.path("directory")).unwrap();

    let trust = Trust::new(settings(&format!("{good} {empty} {missing} {directory}")));
    let text = trust.load(start()).await.unwrap_err().to_string();
    assert!(
        text.contains(&format!("`{missing}`: there is no such file")),
        "{text}"
    );
    assert!(
        text.contains(&format!("`{empty}`: there is no certificate in it")),
        "{text}"
    );
    assert!(
        text.contains(&format!("`{directory}`: is not a regular file")),
        "{text}"
    );
    assert!(!text.contains(&good), "{text}");
}

#[tokio::test]
async fn refuses_a_source_that_only_repeats_others() {
    let files = Files::new();
    let (one, two) = (ca("One"), ca("Two"));
    let all = files.write("all.pem", format!("{one}{two}"));
    let again = files.write("again.pem", &two);
    let error = Trust::new(settings(&format!("{all} {again}")))
        .load(start())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains(&format!("`{again}`: adds nothing")),
        "{error}"
    );

    let overlapping = files.write("overlapping.pem", format!("{two}{}", ca("Three")));
    let snapshot = Trust::new(settings(&format!("{all} {overlapping}")))
        .load(start())
        .await
        .unwrap();
    assert_eq!(names(&snapshot), ["One", "Two", "Three"]);
    assert_eq!(snapshot.sources()[1].certificates, 2);
    assert!(
        matches!(snapshot.warnings(), [Warning::Duplicate { .. }]),
        "{:?}",
        snapshot.warnings()
    );
}

#[tokio::test]
async fn takes_text_between_the_blocks_and_line_ends_of_windows() {
    let files = Files::new();
    let text = format!(
        "# our roots\r\n\r\nsubject: One\n{}\n\nTwo\n{}trailing",
        ca("One").replace('\n', "\r\n"),
        ca("Two")
    );
    let source = files.write("anchors.pem", text);
    let snapshot = Trust::new(settings(&source)).load(start()).await.unwrap();
    assert_eq!(names(&snapshot), ["One", "Two"]);
}

#[tokio::test]
async fn intermediates_are_checked_like_anchors_and_are_not_trusted() {
    let files = Files::new();
    let root = ca_credential("Root");
    let issuing = CertificateBuilder::intermediate("CN=Issuing")
        .issued_by(&root)
        .unwrap();
    let anchors = files.write("anchors.pem", root.pem());
    let intermediates = files.write("intermediates.pem", issuing.pem());
    let mut with_intermediates = settings(&anchors);
    with_intermediates.intermediates = Some(intermediates.parse().unwrap());
    let snapshot = Trust::new(with_intermediates.clone())
        .load(start())
        .await
        .unwrap();
    assert_eq!(names(&snapshot), ["Root"]);
    assert_ne!(
        snapshot.version(),
        Trust::new(settings(&anchors))
            .load(start())
            .await
            .unwrap()
            .version()
    );

    let client = CertificateBuilder::client("CN=client")
        .issued_by(&issuing)
        .unwrap();
    files.write("intermediates.pem", client.pem());
    let error = Trust::new(with_intermediates).load(start()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("`{intermediates}`: entry 1: is not a CA")),
        "{error}"
    );
}

#[tokio::test]
async fn the_snapshot_says_what_was_read_and_its_version_follows_the_content() {
    let files = Files::new();
    let pem = ca("One");
    let source = files.write("anchors.pem", &pem);
    let now = start();
    let snapshot = Trust::new(settings(&source)).load(now).await.unwrap();
    assert_eq!(snapshot.loaded_at(), now);
    let [record] = snapshot.sources() else {
        panic!("{:?}", snapshot.sources())
    };
    assert_eq!(record.source.to_string(), source);
    assert_eq!(record.certificates, 1);
    assert_eq!(record.documents[0].sha256, Fingerprint::of(pem.as_bytes()));

    let again = Trust::new(settings(&source))
        .load(now.plus_seconds(9))
        .await
        .unwrap();
    assert_eq!(snapshot.version(), again.version());
    assert_eq!(snapshot.version().len(), 16);
    files.write("anchors.pem", ca("One"));
    let other = Trust::new(settings(&source)).load(now).await.unwrap();
    assert_ne!(snapshot.version(), other.version());
}

#[tokio::test]
async fn a_rotation_is_seen_when_the_snapshot_is_due_and_not_before() {
    let files = Files::new();
    let source = files.write("anchors.pem", ca("Old"));
    let trust = Trust::new(settings(&source));
    let now = start();
    let old = trust.load(now).await.unwrap();
    files.write("anchors.pem", format!("{}{}", ca("Old"), ca("New")));

    let early = trust.snapshot(now.plus_seconds(200)).await.unwrap();
    assert!(Arc::ptr_eq(&old, &early));
    assert_eq!(trust.status().look_ups, 1);
    let new = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert_eq!(names(&new), ["Old", "New"]);
    assert_eq!(
        names(&old),
        ["Old"],
        "a decision that goes on keeps what it began with"
    );
    assert_eq!(trust.status().loads, 2);
}

#[tokio::test]
async fn unchanged_content_keeps_the_very_same_snapshot() {
    let files = Files::new();
    let source = files.write("anchors.pem", ca("One"));
    let trust = Trust::new(settings(&source));
    let now = start();
    let first = trust.load(now).await.unwrap();
    let second = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let status = trust.status();
    assert_eq!((status.look_ups, status.loads, status.unchanged), (2, 1, 1));
    assert_eq!(status.last_success, Some(now.plus_seconds(300)));
    assert_eq!(status.age(now.plus_seconds(310)), Some(Duration::from_secs(10)));
}

#[tokio::test]
async fn one_changed_source_of_two_makes_a_new_snapshot_of_both() {
    let files = Files::new();
    let one = files.write("one.pem", ca("One"));
    let two = files.write("two.pem", ca("Two"));
    let trust = Trust::new(settings(&format!("{one} {two}")));
    let now = start();
    trust.load(now).await.unwrap();
    files.write("two.pem", ca("Second"));
    let snapshot = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert_eq!(names(&snapshot), ["One", "Second"]);
}

#[tokio::test]
async fn bad_new_material_never_replaces_the_last_good_one() {
    let files = Files::new();
    let source = files.write("anchors.pem", ca("Good"));
    let trust = Trust::new(settings(&source));
    let mut now = start();
    let good = trust.load(now).await.unwrap();

    let client = CertificateBuilder::client("CN=client").self_signed().unwrap();
    let key = client.key().to_pem().unwrap();
    let mut refusals = 0;
    for bad in [
        String::new(),
        "damaged".into(),
        client.pem(),
        format!("{}{key}", ca("New")),
        ca("New")[..300].into(),
    ] {
        files.write("anchors.pem", &bad);
        now = now.plus_seconds(300);
        let served = trust.snapshot(now).await.unwrap();
        assert!(Arc::ptr_eq(&good, &served), "{bad}");
        refusals += 1;
        let status = trust.status();
        assert_eq!((status.refusals, status.failures), (refusals, 0));
        assert!(status.last_error.unwrap().is_refusal());
    }
    std::fs::remove_file(files.path("anchors.pem")).unwrap();
    now = now.plus_seconds(300);
    assert!(Arc::ptr_eq(&good, &trust.snapshot(now).await.unwrap()));
    assert_eq!(trust.status().failures, 1, "out of reach is not refused");

    files.write("anchors.pem", ca("New"));
    now = now.plus_seconds(300);
    assert_eq!(names(&trust.snapshot(now).await.unwrap()), ["New"]);
    assert_eq!(trust.status().last_error, None);
    assert_eq!(trust.status().failures_since, 0);
}

#[tokio::test]
async fn losing_more_anchors_than_allowed_is_refused() {
    let files = Files::new();
    let four = [ca("A"), ca("B"), ca("C"), ca("D")];
    let source = files.write("anchors.pem", four.concat());
    let mut quarter = settings(&source);
    quarter.max_anchor_loss = "25%".parse().unwrap();
    let trust = Trust::new(quarter);
    let now = start();
    trust.load(now).await.unwrap();

    // Renewed ones do not make up for lost ones.
    files.write(
        "anchors.pem",
        format!("{}{}{}{}", four[0], four[1], ca("C"), ca("D")),
    );
    let served = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert_eq!(served.loaded_at(), now);
    assert_eq!(
        trust.status().last_error.as_deref(),
        Some(&LoadError::AnchorLoss {
            before: 4,
            lost: 2,
            allowed: "25%".parse().unwrap()
        })
    );
    assert_eq!(trust.status().refusals, 1);

    files.write(
        "anchors.pem",
        format!("{}{}{}{}", four[0], four[1], four[2], ca("D")),
    );
    let served = trust.snapshot(now.plus_seconds(600)).await.unwrap();
    assert_eq!(served.loaded_at(), now.plus_seconds(600));

    let all_at_once = Trust::new(settings(&source));
    all_at_once.load(now).await.unwrap();
    files.write("anchors.pem", ca("E"));
    assert_eq!(
        names(&all_at_once.snapshot(now.plus_seconds(300)).await.unwrap()),
        ["E"]
    );
}

#[tokio::test]
async fn serves_the_last_good_until_it_is_too_old_then_nothing_then_again() {
    let files = Files::new();
    let source = files.write("anchors.pem", ca("One"));
    let trust = Trust::new(settings(&source));
    let now = start();
    let good = trust.load(now).await.unwrap();
    std::fs::remove_file(files.path("anchors.pem")).unwrap();

    assert!(Arc::ptr_eq(
        &good,
        &trust.snapshot(now.plus_seconds(3_600)).await.unwrap()
    ));
    let error = trust.snapshot(now.plus_seconds(3_661)).await.unwrap_err();
    let TrustError::Stale { age, reason } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*age, Duration::from_secs(3_661));
    assert!(reason.to_string().contains("there is no such file"), "{reason}");

    files.write("anchors.pem", ca("Two"));
    assert_eq!(
        names(&trust.snapshot(now.plus_seconds(3_700)).await.unwrap()),
        ["Two"]
    );
}

#[tokio::test]
async fn after_a_long_freeze_the_first_caller_gets_fresh_material() {
    let files = Files::new();
    let source = files.write("anchors.pem", ca("Old"));
    let trust = Trust::new(settings(&source));
    let now = start();
    trust.load(now).await.unwrap();
    files.write("anchors.pem", ca("New"));
    assert_eq!(
        names(&trust.snapshot(now.plus_seconds(7 * 86_400)).await.unwrap()),
        ["New"]
    );
}

#[tokio::test]
async fn a_failed_start_is_tried_again_by_the_next_caller_and_not_by_each() {
    let files = Files::new();
    let source = files.source("anchors.pem");
    let trust = Trust::new(settings(&source));
    let now = start();
    assert!(trust.load(now).await.is_err());
    assert!(trust.snapshot(now).await.is_err());
    for _ in 0..50 {
        let error = trust.snapshot(now).await.unwrap_err();
        assert!(matches!(error, TrustError::NotLoaded(_)));
        assert!(
            error.to_string().contains("there is no such file"),
            "the reason stays: {error}"
        );
    }
    assert_eq!(trust.status().look_ups, 2);
    files.write("anchors.pem", ca("One"));
    assert!(trust.snapshot(now.plus_seconds(15)).await.is_ok());
}

#[tokio::test]
async fn nothing_is_read_before_the_first_use() {
    let files = Files::new();
    let trust = Trust::new(settings(&files.source("later.pem")));
    files.write("later.pem", ca("One"));
    assert!(trust.snapshot(start()).await.is_ok());
}

#[tokio::test]
async fn warns_of_what_an_operator_should_look_after() {
    let files = Files::new();
    let expiring = CertificateBuilder::root("CN=Expiring")
        .days(29)
        .self_signed()
        .unwrap();
    let later = CertificateBuilder::root("CN=Later")
        .days(32)
        .self_signed()
        .unwrap();
    let twin = CertificateBuilder::root("CN=Later")
        .days(100)
        .self_signed()
        .unwrap();
    let weak = CertificateBuilder::root("CN=Weak")
        .key_kind(KeyKind::Rsa2048)
        .days(365 * 10)
        .self_signed()
        .unwrap();
    let strong = CertificateBuilder::root("CN=Strong")
        .key_kind(KeyKind::Rsa3072)
        .days(365 * 10)
        .self_signed()
        .unwrap();
    let old = CertificateBuilder::bare("CN=Old").self_signed().unwrap();
    let version_1 = old.certificate().edited(old.key(), |certificate| {
        certificate.version = None;
        certificate.extensions = None;
        Ok(())
    });
    let content = [&expiring, &later, &twin, &weak, &strong]
        .map(|credential| credential.pem())
        .concat();
    let content = format!("{content}{}{}", version_1.unwrap().pem(), later.pem());
    let source = files.write("anchors.pem", content);

    let now = start();
    let snapshot = Trust::new(settings(&source)).load(now).await.unwrap();
    let kinds = |warnings: &[Warning]| -> Vec<&'static str> { warnings.iter().map(Warning::kind).collect() };
    assert_eq!(
        kinds(snapshot.warnings()),
        [
            "anchor_expiring",
            "shared_name",
            "weak_key",
            "not_version_3",
            "duplicate"
        ]
    );
    let texts: Vec<String> = snapshot.warnings().iter().map(ToString::to_string).collect();
    assert!(
        texts[0].starts_with(&format!("entry 1 of `{source}` (CN=Expiring) expires at")),
        "{}",
        texts[0]
    );
    assert!(
        texts[0].ends_with("in 28 days") || texts[0].ends_with("in 29 days"),
        "{}",
        texts[0]
    );
    assert!(
        texts[1].starts_with("entry 3 of") && texts[1].contains("as entry 2 of"),
        "{}",
        texts[1]
    );
    assert!(
        texts[4].starts_with("entry 7 of") && texts[4].contains("as entry 2 of"),
        "{}",
        texts[4]
    );

    let much_later = now.plus_seconds(40 * 86_400);
    let snapshot = Trust::new(settings(&source)).load(much_later).await.unwrap();
    assert_eq!(
        kinds(snapshot.warnings())[..2],
        ["anchor_expired", "anchor_expired"]
    );
    let long_ago = Timestamp::from_unix_seconds(0);
    let snapshot = Trust::new(settings(&source)).load(long_ago).await.unwrap();
    assert_eq!(kinds(snapshot.warnings())[0], "anchor_not_yet_valid");
}

#[tokio::test]
async fn an_inspection_finds_every_problem_at_once() {
    let files = Files::new();
    let client = CertificateBuilder::client("CN=client").self_signed().unwrap();
    let mixed = files.write("mixed.pem", [client.pem(), ca("One"), client.pem()].concat());
    let empty = files.write("empty.pem", "");
    let sources = format!("{mixed} {empty}").parse().unwrap();
    let deadline = alb_mtls_trust::Deadline::after(Duration::from_secs(5));
    let inspection = inspect_anchors(&Loader::new(), &sources, deadline, start()).await;
    let problems: Vec<String> = inspection.errors.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(
        problems[1].contains("entry 1:") && problems[2].contains("entry 3:"),
        "{problems:?}"
    );
    assert_eq!(inspection.anchors.len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_that_nobody_writes_to_holds_up_nobody() {
    let files = Files::new();
    let pipe = files.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let error = Trust::new(settings(&files.source("pipe")))
        .load(start())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is not a regular file"), "{error}");
}
