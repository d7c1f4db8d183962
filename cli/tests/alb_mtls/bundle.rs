//! `alb-mtls bundle`, as an operator runs it: the built program, its environment, moto's server.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests")]

#[expect(
    dead_code,
    reason = "made for the tests of the library, which need more of it"
)]
#[path = "../../../shared/trust/tests/trust/support/moto.rs"]
mod moto;

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use moto::store;
use serde_json::Value;
use tempfile::TempDir;
use test_pki::{CertificateBuilder, Credential, CrlBuilder, KeyKind};
use test_servers::Moto;

fn ca(name: &str) -> String {
    let builder = CertificateBuilder::root(&format!("CN={name},O=Bundle Tests"));
    builder.self_signed().unwrap().pem()
}

/// A directory to work in.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.0.path().join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_and_answer(arguments, "")
    }

    fn run_and_answer(&self, arguments: &[&str], answer: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_alb-mtls"))
            .arg("bundle")
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env(
                "AWS_ENDPOINT_URL",
                format!("http://127.0.0.1:{}", Moto::shared().port()),
            )
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have ended without reading.
        let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Returns the subjects' common names that a lint of these sources finds.
    fn anchors(&self, sources: &[&str]) -> Vec<String> {
        let output = self.run(&[&["lint", "--json"], sources].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut names: Vec<String> = report["anchors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|anchor| {
                let subject = anchor["subject"].as_str().unwrap();
                subject
                    .strip_prefix("CN=")
                    .unwrap()
                    .strip_suffix(",O=Bundle Tests")
                    .unwrap()
                    .into()
            })
            .collect();
        names.sort();
        names
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn lint_of_a_clean_file_ends_with_0_and_shows_what_is_in_it() {
    let directory = Directory::new();
    directory.write("anchors.pem", &format!("{}{}", ca("One"), ca("Two")));
    let output = directory.run(&["lint", "anchors.pem"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let text = stdout(&output);
    assert!(text.contains("anchors.pem: 2 certificates"), "{text}");
    assert!(text.contains("anchor: CN=One,O=Bundle Tests; "), "{text}");
    assert!(
        text.ends_with("2 trust anchors, 0 errors, 0 warnings, 0 notices\n"),
        "{text}"
    );
}

#[test]
fn lint_ends_with_1_for_what_is_refused_and_lists_all_of_it() {
    let directory = Directory::new();
    let client = CertificateBuilder::client("CN=client")
        .self_signed()
        .unwrap()
        .pem();
    directory.write("anchors.pem", &[client.clone(), ca("One"), client].concat());
    directory.write("empty.pem", "");
    let output = directory.run(&["lint", "anchors.pem", "empty.pem"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("entry 1: is not a CA certificate") && text.contains("entry 3: is not"),
        "{text}"
    );
    assert!(text.contains("there is no certificate in it"), "{text}");
}

#[test]
fn lint_ends_with_0_for_a_notice() {
    let directory = Directory::new();
    let rsa = CertificateBuilder::root("CN=RSA 2048")
        .key_kind(KeyKind::Rsa2048)
        .self_signed()
        .unwrap();
    directory.write("rsa.pem", &rsa.pem());
    let output = directory.run(&["lint", "rsa.pem", "--deny-warnings"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).contains("notice: entry 1 of"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn lint_ends_with_2_for_what_cannot_be_read() {
    let directory = Directory::new();
    for source in ["missing.pem", "ssm:/lint/missing", "s3://lint-missing/key"] {
        let output = directory.run(&["lint", source]);
        assert_eq!(output.status.code(), Some(2), "{source}");
        assert!(
            stdout(&output).contains("there is no such"),
            "{}",
            stdout(&output)
        );
    }
    let output = directory.run(&["lint", "http://example.com/anchors.pem"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("has no known scheme"),
        "{}",
        stderr(&output)
    );
}

/// A root, an issuing CA and their CRLs, as files.
fn crls(directory: &Directory) -> (Credential, Credential) {
    let root = CertificateBuilder::root("CN=Root,O=Bundle Tests")
        .self_signed()
        .unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Bundle Tests")
        .issued_by(&root)
        .unwrap();
    directory.write("root.pem", &root.pem());
    directory.write("issuing.pem", &issuing.pem());
    let client = CertificateBuilder::client("CN=client")
        .issued_by(&issuing)
        .unwrap();
    let root_crl = CrlBuilder::new().number(7).issued_by(&root).unwrap();
    let issuing_crl = CrlBuilder::new()
        .number(8)
        .revoke(&client)
        .issued_by(&issuing)
        .unwrap();
    directory.write("root.crl", &root_crl.pem());
    directory.write("issuing.crl", &issuing_crl.pem());
    (root, issuing)
}

const ALL_OF_IT: [&str; 8] = [
    "lint",
    "root.pem",
    "--intermediates",
    "issuing.pem",
    "--crls",
    "root.crl",
    "--crls",
    "issuing.crl",
];

#[test]
fn lint_of_crls_shows_what_they_are_who_signed_them_and_what_strict_makes_of_them() {
    let directory = Directory::new();
    crls(&directory);
    let output = directory.run(&ALL_OF_IT);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in [
        "issuing.crl: 1 CRLs",
        "crl: CRL 0x7 of CN=Root,O=Bundle Tests for all certificates, ",
        "; 0 entries; ",
        "crl: CRL 0x8 of CN=Issuing,O=Bundle Tests for all certificates, ",
        "; 1 entries; ",
        "strict: all certificates of CN=Root,O=Bundle Tests are cleared by CRL 0x7 until ",
        "strict: all certificates of CN=Issuing,O=Bundle Tests are cleared by CRL 0x8 until ",
        "1 trust anchors, 2 CRLs, 0 errors, 0 warnings, 0 notices",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }

    let report = directory.json(&ALL_OF_IT);
    let crl = &report["crls"][1];
    assert_eq!(crl["issuer"], "CN=Issuing,O=Bundle Tests");
    assert_eq!((&crl["number"], &crl["entries"]), (&"0x8".into(), &1.into()));
    assert_eq!(crl["scope"], "all certificates");
    let strict = &report["strict"][1];
    assert_eq!(strict["issuer"], "CN=Issuing,O=Bundle Tests");
    assert_eq!(strict["scopes"][0]["cleared_until"], crl["next_update"]);
    assert!(strict["scopes"][0]["refused"].is_null() && strict["others"].is_null());
}

#[test]
fn lint_ends_with_1_for_an_issuer_whose_certificates_no_crl_clears() {
    let directory = Directory::new();
    let (root, issuing) = crls(&directory);
    let first_four = &ALL_OF_IT[..6];
    let output = directory.run(first_four);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let words = "strict: everything that CN=Issuing,O=Bundle Tests issued is refused with crl_missing";
    assert!(text.contains(words), "{text}");

    let hour = time::Duration::HOUR;
    let long_ago = time::OffsetDateTime::now_utc() - 48 * hour;
    let stale = CrlBuilder::new()
        .valid(long_ago, long_ago + hour)
        .issued_by(&issuing)
        .unwrap();
    directory.write("issuing.crl", &stale.pem());
    let output = directory.run(&ALL_OF_IT);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("are refused with crl_stale"), "{text}");
    assert!(text.contains("the CRL is stale since"), "{text}");

    let partition = CrlBuilder::new().distribution_point("http://pca.example/1.crl");
    directory.write("issuing.crl", &partition.issued_by(&issuing).unwrap().pem());
    let output = directory.run(&ALL_OF_IT);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("all certificates of the distribution point http://pca.example/1.crl of CN=Issuing"),
        "{text}"
    );
    assert!(
        text.contains("what else CN=Issuing,O=Bundle Tests issued is refused with crl_scope"),
        "{text}"
    );

    let impostor = CertificateBuilder::intermediate("CN=Issuing,O=Bundle Tests")
        .issued_by(&root)
        .unwrap();
    let forged = CrlBuilder::new().issued_by(&impostor).unwrap();
    directory.write("issuing.crl", &forged.pem());
    let output = directory.run(&ALL_OF_IT);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("its signature does not verify"), "{text}");
    assert!(text.contains("refused with crl_signature"), "{text}");
}

#[test]
fn lint_of_crls_alone_says_that_their_signatures_were_not_checked() {
    let directory = Directory::new();
    crls(&directory);
    let output = directory.run(&["lint", "--crls", "root.crl"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("its signature was not checked, name the trust anchors too"),
        "{text}"
    );
    assert!(!text.contains("strict:"), "{text}");

    directory.write("cut.crl", "-----BEGIN X509 CRL-----\nMIIB\n");
    directory.write("anchors.pem", &ca("One"));
    for (file, words) in [
        ("cut.crl", "CRL"),
        ("anchors.pem", "begins a certificate (`CERTIFICATE`)"),
    ] {
        let output = directory.run(&["lint", "--crls", file]);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("error: ") && text.contains(words), "{text}");
    }
    let output = directory.run(&["lint"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn crls_prints_the_setting_for_what_refresh_crls_publishes() {
    let directory = Directory::new();
    let urls = [
        "http://crl.example.com/root.crl",
        "https://pki.example.com:8443/CertEnroll/Example%20CA(1)+.crl http://a.example/x%2Fy.crl",
        "http://ejbca.example.com/certdist?cmd=crl&issuer=CN%3DManagement+CA%2CO%3DExample&format=PEM",
        "s3://pki/issuing.crl",
    ];
    let arguments = [
        &["crls", "--destination", "s3://trust/crls/?region=eu-west-1"],
        urls.as_slice(),
    ]
    .concat();
    let output = directory.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let sources = [
        "crl.example.com/root.crl",
        "pki.example.com_8443/CertEnroll/Example%20CA(1)+.crl",
        "a.example/x/y.crl",
        "ejbca.example.com/certdist%3Fcmd=crl%26issuer=CN=Management+CA,O=Example%26format=PEM",
        "pki/issuing.crl",
    ];
    let sources = sources.map(|source| format!("s3://trust/crls/{source}?region=eu-west-1"));
    assert_eq!(stdout(&output), format!("{}\n", sources.join(" ")));
    let report = directory.json(&arguments);
    assert_eq!(report["MTLS_CRLS"], sources.join(" "));
    assert_eq!(
        report["crls"][1]["key"],
        "crls/pki.example.com_8443/CertEnroll/Example CA(1)+.crl"
    );
    assert_eq!(report["skipped"], serde_json::json!([]));
}

#[test]
fn crls_adds_distribution_points_and_names_what_is_skipped() {
    let directory = Directory::new();
    let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    let ldap = "ldap:///CN=Example%20CA,CN=CDP?certificateRevocationList";
    let with = |urls: &[&str]| {
        let issuing = urls
            .iter()
            .fold(CertificateBuilder::intermediate("CN=Issuing"), |builder, url| {
                builder.crl_distribution_point(url)
            });
        issuing.issued_by(&root).unwrap().pem()
    };
    directory.write(
        "mixed.pem",
        &with(&[ldap, "http://pki.example.com/Example CA.crl"]),
    );
    directory.write("ldap.pem", &with(&[ldap]));
    let crls = ["crls", "--destination", "s3://trust/crls/", "--certificates"];
    let output = directory.run(&[&crls, ["mixed.pem"].as_slice()].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "s3://trust/crls/pki.example.com/Example%20CA.crl\n"
    );
    let skipped = format!("skipped: `{ldap}` has the scheme `ldap:`, which is not fetched");
    assert!(stderr(&output).starts_with(&skipped), "{}", stderr(&output));

    let output = directory.run(&[&crls, ["ldap.pem"].as_slice()].concat());
    assert_eq!(output.status.code(), Some(1), "nothing would be fetched");
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).starts_with(&skipped), "{}", stderr(&output));
}

#[test]
fn crls_refuses_what_refresh_crls_refuses() {
    let directory = Directory::new();
    for (arguments, words) in [
        (
            ["s3://trust/crls", "http://a.example/x.crl"],
            "a prefix that ends with a slash",
        ),
        (
            ["s3://trust/crls/", "ldap://a.example/x"],
            "has the scheme `ldap:`, which is not fetched",
        ),
        (["s3://trust/crls/", "http://a.example/"], "names no file"),
        (
            ["s3://trust/crls/", "http://a.example/x%2Fy http://a.example/x/y"],
            "would both be published as `s3://trust/crls/a.example/x/y`",
        ),
    ] {
        let [destination, url] = arguments;
        let output = directory.run(&["crls", "--destination", destination, url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        assert_eq!(stdout(&output), "", "{url}");
    }
}

#[test]
fn publishes_below_a_path_and_keeps_it_in_step() {
    let directory = Directory::new();
    let many: Vec<(String, String)> = (1..=25)
        .map(|number| format!("CA {number:02}"))
        .map(|name| (ca(&name), name))
        .collect();
    let bundle = |range: std::ops::Range<usize>| {
        many[range]
            .iter()
            .map(|(pem, _)| pem.as_str())
            .collect::<String>()
    };
    let names = |range: std::ops::Range<usize>| {
        many[range]
            .iter()
            .map(|(_, name)| name.clone())
            .collect::<Vec<_>>()
    };
    let publish = ["publish", "anchors.pem", "--to", "ssm:/published/*"];

    directory.write("anchors.pem", &bundle(0..20));
    let result = directory.json(&publish);
    let parameters = result["written"].as_array().unwrap().len();
    assert!(
        (2..20).contains(&parameters),
        "several certificates share a parameter: {parameters}"
    );
    assert_eq!(result["change"]["added"].as_array().unwrap().len(), 20);
    assert_eq!(directory.anchors(&["ssm:/published/*"]), names(0..20));

    // The same again changes nothing.
    let result = directory.json(&publish);
    assert_eq!(
        (
            result["written"].as_array().unwrap().len(),
            result["deleted"].as_array().unwrap().len()
        ),
        (0, 0)
    );

    directory.write("anchors.pem", &bundle(5..25));
    let refused = directory.run(&publish);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("- removed: CN=CA 01"),
        "{}",
        stderr(&refused)
    );
    assert!(
        stderr(&refused).contains("5 added, 5 removed, 15 kept"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(
        directory.anchors(&["ssm:/published/*"]),
        names(0..20),
        "nothing was written"
    );

    let output = directory.run(&[&publish[..], &["--dry-run", "--yes"]].concat());
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        directory.anchors(&["ssm:/published/*"]),
        names(0..20),
        "nothing was written"
    );

    let output = directory.run_and_answer(&publish, "y\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(directory.anchors(&["ssm:/published/*"]), names(5..25));

    directory.write("anchors.pem", &bundle(10..12));
    let output = directory.run(&[&publish[..], &["--yes"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(directory.anchors(&["ssm:/published/*"]), names(10..12));
}

#[test]
fn any_answer_but_yes_keeps_everything() {
    let directory = Directory::new();
    directory.write("old.pem", &ca("Old"));
    directory.write("new.pem", &ca("New"));
    directory.json(&["publish", "old.pem", "--to", "ssm:/answers"]);
    for answer in ["", "\n", "n\n", "no\n", "yes please\n", "Y E S\n"] {
        let output = directory.run_and_answer(&["publish", "new.pem", "--to", "ssm:/answers"], answer);
        assert_eq!(output.status.code(), Some(1), "{answer:?}");
        assert_eq!(directory.anchors(&["ssm:/answers"]), ["Old"]);
    }
}

#[test]
fn one_parameter_takes_what_fits_and_says_where_to_put_more() {
    let directory = Directory::new();
    let large: String = (0..8).map(|number| ca(&format!("CA {number}"))).collect();
    directory.write("large.pem", &large);
    let output = directory.run(&["publish", "large.pem", "--to", "ssm:/single/anchors"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("`ssm:/single/anchors/*`"),
        "{}",
        stderr(&output)
    );

    let output = directory.run(&[
        "publish",
        "large.pem",
        "--to",
        "ssm:/single/anchors",
        "--tier",
        "advanced",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(directory.anchors(&["ssm:/single/anchors"]).len(), 8);
}

#[tokio::test]
async fn publishes_an_object_and_prints_a_pointer_that_can_be_used_as_it_is() {
    store().make_bucket("published").await;
    let directory = Directory::new();
    directory.write("anchors.pem", &ca("One"));
    let output = directory.run(&["publish", "anchors.pem", "--to", "s3://published/anchors.pem"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let first = stdout(&output).trim().to_owned();
    assert!(
        first.starts_with("s3://published/anchors.pem?versionId="),
        "{first}"
    );

    directory.write("more.pem", &[directory.read("anchors.pem"), ca("Two")].concat());
    let output = directory.run(&["publish", "more.pem", "--to", "s3://published/anchors.pem"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        directory.anchors(&[&first]),
        ["One"],
        "the pointer keeps its version"
    );
    assert_eq!(directory.anchors(&["s3://published/anchors.pem"]), ["One", "Two"]);

    let again = directory.run(&["publish", "more.pem", "--to", "s3://published/anchors.pem"]);
    assert_eq!(
        stdout(&again),
        stdout(&output),
        "the same bundle is not written again"
    );
}

#[tokio::test]
async fn switches_a_pointer_and_compares_with_what_it_leads_to() {
    store().make_bucket("pointed").await;
    let directory = Directory::new();
    directory.write("one.pem", &ca("One"));
    directory.write("two.pem", &ca("Two"));
    for (pointer, source) in [
        ("ssm:/pointed/anchors", "ssm:/pointed/anchors"),
        ("pointer.txt", "pointer.txt"),
    ] {
        let publish = |file| {
            [
                "publish",
                file,
                "--to",
                "s3://pointed/anchors.pem",
                "--pointer",
                pointer,
            ]
        };
        let result = directory.json(&publish("one.pem"));
        assert_eq!(result["change"]["added"].as_array().unwrap().len(), 1);
        assert_eq!(directory.anchors(&[source]), ["One"]);

        let refused = directory.run(&publish("two.pem"));
        assert_eq!(refused.status.code(), Some(1));
        assert_eq!(directory.anchors(&[source]), ["One"]);
        let two = publish("two.pem");
        let result = directory.json(&[&two[..], &["--yes"]].concat());
        assert_eq!(directory.anchors(&[source]), ["Two"]);
        let unchanged = directory.json(&publish("two.pem"));
        assert_eq!(unchanged["pointer"], result["pointer"]);
        assert_eq!(unchanged["written"].as_array().unwrap().len(), 0);
    }
    assert!(
        directory
            .read("pointer.txt")
            .starts_with("s3://pointed/anchors.pem?versionId=")
    );
}

#[tokio::test]
async fn replaces_what_cannot_be_used_only_when_told_to() {
    let directory = Directory::new();
    store().put_parameter("/unusable/anchors", "damaged").await;
    directory.write("anchors.pem", &ca("One"));
    let publish = ["publish", "anchors.pem", "--to", "ssm:/unusable/anchors"];
    let output = directory.run(&publish);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("what is published now cannot be used"),
        "{}",
        stderr(&output)
    );
    directory.json(&[&publish[..], &["--yes"]].concat());
    assert_eq!(directory.anchors(&["ssm:/unusable/anchors"]), ["One"]);
}

#[test]
fn publishes_nothing_that_the_functions_would_refuse() {
    let directory = Directory::new();
    let credential = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    let key = credential.key().to_pem().unwrap();
    directory.write("key.pem", &[credential.pem(), key].concat());
    let output = directory.run(&["publish", "key.pem", "--to", "ssm:/never", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("entry 2: holds a private key"),
        "{}",
        stderr(&output)
    );
    let output = directory.run(&["publish", "missing.pem", "--to", "ssm:/never", "--yes"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(directory.run(&["lint", "ssm:/never"]).status.code(), Some(2));
}

#[test]
fn wrong_usage_is_one_clear_error() {
    let directory = Directory::new();
    directory.write("anchors.pem", &ca("One"));
    for (arguments, words) in [
        (
            &["publish", "anchors.pem", "--to", "anchors.pem"][..],
            "has no known scheme",
        ),
        (
            &["publish", "anchors.pem", "--to", "file:/tmp/x"],
            "is not a source that bundles are published to",
        ),
        (
            &["publish", "anchors.pem", "--to", "s3://bucket/key?versionId=1"],
            "names a version",
        ),
        (
            &["publish", "anchors.pem", "--to", "ssm:/name:3"],
            "without ARN, version or label",
        ),
        (
            &["publish", "anchors.pem", "--to", "ssm:/a", "--pointer", "ssm:/b"],
            "only objects are pointed to",
        ),
        (
            &[
                "publish",
                "anchors.pem",
                "--to",
                "s3://bucket/key",
                "--pointer",
                "ssm:/b/*",
            ],
            "name a parameter or a file",
        ),
        (&["publish", "--to", "ssm:/a"], "SOURCE"),
        (&["lint"], "SOURCE"),
        (&["lint", "anchors.pem", "anchors.pem"], "is named twice"),
    ] {
        let output = directory.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).contains(words),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn without_a_region_it_says_what_to_set() {
    let directory = Directory::new();
    let output = Command::new(env!("CARGO_BIN_EXE_alb-mtls"))
        .args(["bundle", "lint", "ssm:/anchors"])
        .current_dir(directory.0.path())
        .env_clear()
        .env(
            "AWS_ENDPOINT_URL",
            format!("http://127.0.0.1:{}", Moto::shared().port()),
        )
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stdout(&output).contains("set AWS_REGION"), "{}", stdout(&output));
}
