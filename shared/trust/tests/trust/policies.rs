//! Policies and the shadow set as part of a snapshot: whole and good, or as they were before.

use std::path::PathBuf;

use alb_mtls_policy::{PolicyInput, PolicyOutcome, RequestFacts};
use alb_mtls_trust::{AuthorizationSettings, Snapshot, Trust, TrustSettings, Warning};
use alb_mtls_verifier::Timestamp;
use tempfile::TempDir;

use crate::support::{ca, names, settings, start};

const READ: &str = "@id(\"all-read\")\npermit (principal, action in Action::\"read\", resource);\n";
const FORBID_ALL: &str = "@id(\"forbid_all\")\nforbid (principal, action, resource);\n";

/// An anchor, and a folder for what is decided by.
struct Files {
    folder: TempDir,
    now: Timestamp,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            folder: TempDir::new().unwrap(),
            now: start(),
        };
        files.write("anchors.pem", &ca("One"));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn source(&self, name: &str) -> String {
        format!("file:{}", self.path(name).display())
    }

    fn trust(&self, authorization: AuthorizationSettings) -> Trust {
        Trust::new(settings(&self.source("anchors.pem"))).with_authorization(authorization)
    }

    fn with_policies(&self, names: &[&str]) -> Trust {
        let sources: Vec<String> = names.iter().map(|name| self.source(name)).collect();
        self.trust(AuthorizationSettings {
            policies: Some(sources.join(" ").parse().unwrap()),
            ..AuthorizationSettings::default()
        })
    }
}

/// Returns the policy that permits an anonymous GET, or the name of the denial.
fn permitted_by(snapshot: &Snapshot) -> Vec<String> {
    let facts = PolicyInput {
        client: None,
        request: RequestFacts {
            method: "GET",
            path: "/",
            ..RequestFacts::default()
        },
        now: snapshot.loaded_at(),
    };
    match snapshot.policies().unwrap().decide(&facts) {
        PolicyOutcome::Allow { policies } => policies.iter().map(ToString::to_string).collect(),
        PolicyOutcome::Deny(denial) => vec![denial.detail().to_owned()],
    }
}

#[tokio::test]
async fn policies_are_part_of_the_snapshot_and_of_its_version() {
    let files = Files::new();
    files.write("a.cedar", READ);
    let trust = files.with_policies(&["a.cedar"]);
    let first = trust.load(files.now).await.unwrap();
    assert_eq!(permitted_by(&first), ["all-read"]);

    files.write("a.cedar", FORBID_ALL);
    let second = trust.snapshot(files.now.plus_seconds(301)).await.unwrap();
    assert_eq!(permitted_by(&second), ["policy_forbids"]);
    assert_ne!(first.version(), second.version());
    assert_eq!(
        permitted_by(&first),
        ["all-read"],
        "a snapshot in use does not change"
    );
}

#[tokio::test]
async fn several_sources_are_one_set() {
    let files = Files::new();
    files.write("a.cedar", READ);
    files.write("b.cedar", FORBID_ALL);
    let trust = files.with_policies(&["a.cedar", "b.cedar"]);
    assert_eq!(
        permitted_by(&trust.load(files.now).await.unwrap()),
        ["policy_forbids"]
    );

    files.write("b.cedar", READ);
    let error = files
        .with_policies(&["a.cedar", "b.cedar"])
        .load(files.now)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the id `all-read` is that of the policy at"),
        "{error}"
    );
}

#[tokio::test]
async fn policies_with_a_byte_order_mark_and_other_line_ends_are_the_same() {
    let files = Files::new();
    for text in [
        format!("\u{feff}{READ}"),
        READ.replace('\n', "\r\n"),
        format!("\u{feff}// comment\r\n{READ}"),
    ] {
        files.write("a.cedar", &text);
        let trust = files.with_policies(&["a.cedar"]);
        trust.load(files.now).await.unwrap();
        let snapshot = trust.snapshot(files.now).await.unwrap();
        assert_eq!(permitted_by(&snapshot), ["all-read"], "{text:?}");
    }
    let utf16: Vec<u8> = format!("\u{feff}{READ}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(files.path("a.cedar"), utf16).unwrap();
    let error = files
        .with_policies(&["a.cedar"])
        .load(files.now)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("is text in UTF-16: `iconv "),
        "{error}"
    );
}

#[tokio::test]
async fn refuses_broken_policies_with_source_line_and_column_and_keeps_the_last_good_ones() {
    let files = Files::new();
    files.write("a.cedar", READ);
    let trust = files.with_policies(&["a.cedar"]);
    trust.load(files.now).await.unwrap();
    let mut now = files.now;
    for (text, words) in [
        (
            format!("{READ}permit (principal, action, resource) when {{ principal.cn == \"x\" }};"),
            "line 3, column 45: does not fit the schema",
        ),
        (format!("{READ}permit (principal"), "line 3, column 18: "),
        (String::new(), "there is no policy in it"),
        ("\u{feff}".to_owned(), "there is no policy in it"),
        (format!("{READ}\u{feff}"), "line 3, column 1: "),
    ] {
        files.write("a.cedar", &text);
        now = now.plus_seconds(301);
        let snapshot = trust.snapshot(now).await.unwrap();
        assert_eq!(permitted_by(&snapshot), ["all-read"], "{text}");
        let error = trust.status().last_error.expect("it is refused");
        let start = format!("`{}`: ", files.source("a.cedar"));
        let error = error.to_string();
        assert!(error.starts_with(&start) && error.contains(words), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    std::fs::write(files.path("a.cedar"), b"permit (\xff").unwrap();
    trust.snapshot(now.plus_seconds(301)).await.unwrap();
    assert!(
        trust
            .status()
            .last_error
            .unwrap()
            .to_string()
            .contains("is not text in UTF-8, from octet 8 on")
    );
}

#[tokio::test]
async fn without_one_good_set_of_policies_there_is_no_snapshot() {
    let files = Files::new();
    let trust = files.with_policies(&["a.cedar"]);
    assert!(
        trust
            .load(files.now)
            .await
            .unwrap_err()
            .to_string()
            .contains("there is no such file")
    );
    files.write("a.cedar", "permit (");
    let error = files
        .with_policies(&["a.cedar"])
        .load(files.now)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("line 1, column "), "{error}");
}

#[tokio::test]
async fn policy_on_an_extension_that_is_not_selected_is_refused() {
    let files = Files::new();
    files.write(
        "a.cedar",
        "forbid (principal is Client, action, resource)\n  when { principal.hasTag(\"device_id\") };",
    );
    let trust = |extensions: &str| {
        let settings = TrustSettings {
            identity_extensions: extensions.parse().unwrap(),
            ..settings(&files.source("anchors.pem"))
        };
        let authorization = AuthorizationSettings {
            policies: Some(files.source("a.cedar").parse().unwrap()),
            ..AuthorizationSettings::default()
        };
        Trust::new(settings).with_authorization(authorization)
    };
    let unavailable = trust("deviceid=1.2.3").snapshot(files.now).await.unwrap_err();
    assert!(
        unavailable
            .to_string()
            .ends_with("`device_id` is not an extension of MTLS_EXTENSIONS, which has `deviceid`"),
        "{unavailable}"
    );
    assert!(trust("device_id=1.2.3").snapshot(files.now).await.is_ok());
}

#[tokio::test]
async fn refuses_more_policies_than_are_read() {
    let files = Files::new();
    files.write("a.cedar", &" ".repeat(alb_mtls_trust::MAX_POLICY_BYTES + 1));
    let error = files
        .with_policies(&["a.cedar"])
        .load(files.now)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("is larger than 1048576 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn warnings_about_policies_are_the_snapshots() {
    let files = Files::new();
    files.write("a.cedar", FORBID_ALL);
    let snapshot = files.with_policies(&["a.cedar"]).load(files.now).await.unwrap();
    let about_policies = |warning: &&Warning| warning.kind() == "policy";
    assert!(
        snapshot.warnings().iter().any(|warning| about_policies(&warning)),
        "{:?}",
        snapshot.warnings()
    );
}

fn shadow(files: &Files, anchors: Option<&str>, policies: Option<&str>) -> Trust {
    let sources = |name: Option<&str>| name.map(|name| files.source(name).parse().unwrap());
    files.trust(AuthorizationSettings {
        policies: None,
        shadow_anchors: sources(anchors),
        shadow_policies: sources(policies),
    })
}

#[tokio::test]
async fn the_shadow_set_stands_beside_what_is_in_use() {
    let files = Files::new();
    files.write("shadow.pem", &format!("{}{}", ca("Two"), ca("Three")));
    files.write("shadow.cedar", FORBID_ALL);
    let snapshot = shadow(&files, Some("shadow.pem"), Some("shadow.cedar"))
        .load(files.now)
        .await
        .unwrap();
    assert_eq!(names(&snapshot), ["One"]);
    assert!(snapshot.policies().is_none());
    let set = snapshot.shadow().unwrap();
    assert_eq!(set.verifier().unwrap().anchors().len(), 2);
    assert_eq!(set.policies().unwrap().ids().len(), 1);

    let snapshot = shadow(&files, None, Some("shadow.cedar"))
        .load(files.now)
        .await
        .unwrap();
    assert!(snapshot.shadow().unwrap().verifier().is_none());
    assert!(
        files
            .trust(AuthorizationSettings::default())
            .load(files.now)
            .await
            .unwrap()
            .shadow()
            .is_none()
    );
}

#[tokio::test]
async fn a_shadow_set_that_cannot_be_used_keeps_nothing_else_from_being_used() {
    let files = Files::new();
    files.write("shadow.cedar", "permit (");
    for (anchors, policies) in [
        (Some("nothing.pem"), None),
        (None, Some("shadow.cedar")),
        (None, Some("nothing.cedar")),
    ] {
        let snapshot = shadow(&files, anchors, policies).load(files.now).await.unwrap();
        assert_eq!(names(&snapshot), ["One"]);
        assert!(snapshot.shadow().is_none());
        let warnings: Vec<String> = snapshot.warnings().iter().map(ToString::to_string).collect();
        assert!(
            warnings
                .iter()
                .any(|warning| warning.starts_with("the shadow set cannot be used")),
            "{warnings:?}"
        );
    }
}

#[tokio::test]
async fn the_last_good_shadow_set_stays_and_a_mended_one_replaces_it() {
    let files = Files::new();
    files.write("shadow.cedar", READ);
    let trust = shadow(&files, None, Some("shadow.cedar"));
    let ids = |snapshot: &Snapshot| snapshot.shadow().unwrap().policies().unwrap().ids().join(" ");
    assert_eq!(ids(&trust.load(files.now).await.unwrap()), "all-read");
    let mut now = files.now;
    for (text, expected) in [
        ("permit (", "all-read"),
        (FORBID_ALL, "forbid_all"),
        ("", "forbid_all"),
        (READ, "all-read"),
    ] {
        files.write("shadow.cedar", text);
        now = now.plus_seconds(301);
        let snapshot = trust.snapshot(now).await.unwrap();
        assert_eq!(ids(&snapshot), expected, "{text}");
        assert_eq!(trust.status().last_error, None);
    }
    std::fs::remove_file(files.path("shadow.cedar")).unwrap();
    assert_eq!(
        ids(&trust.snapshot(now.plus_seconds(301)).await.unwrap()),
        "all-read"
    );
    files.write("anchors.pem", &ca("Two"));
    assert_eq!(
        ids(&trust.snapshot(now.plus_seconds(602)).await.unwrap()),
        "all-read"
    );
}
