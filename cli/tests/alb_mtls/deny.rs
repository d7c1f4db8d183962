//! `alb-mtls deny`, as an operator runs it: the built program, files, and moto's server.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::{Command, Output};

use tempfile::TempDir;
use test_pki::{CertificateBuilder, Credential};
use test_servers::{Fault, FaultProxy, Moto};

struct Site {
    folder: TempDir,
    client: Credential,
}

impl Site {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=Root,O=Deny").self_signed().unwrap();
        let client = CertificateBuilder::client("CN=client")
            .serial_bytes(&[0x0A, 0x1B])
            .uri("spiffe://example.org/client")
            .issued_by(&root)
            .unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("client.pem"), client.pem()).unwrap();
        std::fs::write(folder.path().join("root.pem"), root.pem()).unwrap();
        Self { folder, client }
    }

    fn command(&self, endpoint: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alb-mtls"));
        command
            .arg("deny")
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        text(
            &self
                .command(&Moto::shared().endpoint(), arguments)
                .output()
                .unwrap(),
        )
    }

    #[track_caller]
    fn must(&self, arguments: &[&str]) -> String {
        let (code, output) = self.run(arguments);
        assert_eq!(code, Some(0), "{output}");
        output
    }

    /// Returns the entries, without their times.
    fn entries(&self, list: &str) -> Vec<String> {
        let output = self.must(&["list", list]);
        let entries = output
            .lines()
            .map(|line| line.split(" at ").next().unwrap().to_owned());
        entries.collect()
    }
}

fn text(output: &Output) -> (Option<i32>, String) {
    let all = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8(all).unwrap())
}

fn key_of(credential: &Credential) -> String {
    let info = credential.key().public_key_info().unwrap();
    format!("key {}", alb_mtls_verifier::Fingerprint::of(&info))
}

#[test]
fn entries_come_and_go_in_every_kind_of_place() {
    let site = Site::new();
    Moto::shared().create_bucket("deny-cli");
    for list in ["s3://deny-cli/a%20b.txt", "ssm:/deny-cli/list", "deny.txt"] {
        let (code, output) = site.run(&["add", list, "--pem", "client.pem"]);
        assert_eq!(code, Some(2), "{output}");
        assert!(output.contains("alb-mtls deny create"), "{output}");
        site.must(&["create", list]);
        let (code, output) = site.run(&["create", list]);
        assert!(code == Some(2) && output.contains("is there already"), "{output}");
        assert!(site.must(&["list", list]).contains("no client is denied"));

        let output = site.must(&["add", list, "--pem", "client.pem", "--because", "stolen"]);
        assert!(
            output.contains("denies the client `CN=client`") && output.contains("1 entry"),
            "{output}"
        );
        assert!(
            site.must(&["add", list, "--pem", "client.pem"])
                .contains("has the entry already")
        );
        site.must(&["add", list, "--serial", "0a:1b", "--issuer", "cn=root, o=deny"]);
        site.must(&["add", list, "--pem", "client.pem", "--by", "spiffe"]);
        let output = site.must(&[
            "add",
            list,
            "--pem",
            "root.pem",
            "--by",
            "certificate",
            "--dry-run",
        ]);
        assert!(
            output.contains("every client under the CA `CN=Root,O=Deny`"),
            "{output}"
        );
        assert_eq!(
            site.entries(list),
            [
                key_of(&site.client),
                "serial A1B issuer \"CN=root,O=deny\"".to_owned(),
                "spiffe spiffe://example.org/client".to_owned()
            ]
        );
        let (code, output) = site.run(&["list", list, "--pem", "client.pem"]);
        assert!(code == Some(1) && output.contains("denied: key"), "{output}");
        let output = site.must(&["list", list, "--pem", "root.pem"]);
        assert!(output.contains("does not deny it"), "{output}");

        site.must(&["remove", list, "--spiffe", "spiffe://example.org/client"]);
        let output = site.must(&["remove", list, "--pem", "client.pem"]);
        assert!(
            output.contains("- key") && output.contains("- serial") && output.contains("0 entries left"),
            "{output}"
        );
        let (code, output) = site.run(&["remove", list, "--pem", "client.pem"]);
        assert!(code == Some(1) && output.contains("no entry"), "{output}");
        site.must(&["list", list, "--pem", "client.pem"]);
    }
}

#[test]
fn usage_that_names_no_certificate_or_two_is_an_error() {
    let site = Site::new();
    site.must(&["create", "deny.txt"]);
    for arguments in [
        &["add", "deny.txt"][..],
        &[
            "add",
            "deny.txt",
            "--pem",
            "client.pem",
            "--spiffe",
            "spiffe://a/b",
        ],
        &["add", "deny.txt", "--serial", "1"],
        &["add", "deny.txt", "--issuer", "CN=a", "--pem", "client.pem"],
        &["add", "deny.txt", "--serial", "1", "--issuer", "Root"],
        &["add", "deny.txt", "--key", "0123"],
        &["add", "deny.txt", "--spiffe", "spiffe://example.org"],
        &["add", "deny.txt", "--pem", "root.pem", "--by", "spiffe"],
        &["add", "deny.txt", "--pem", "client.pem", "--because", "a\nkey b"],
        &["add", "deny.txt", "--pem", "nowhere.pem"],
        &["add", "ssm:/a/*", "--pem", "client.pem"],
        &["add", "s3://a-bucket/b?versionId=1", "--pem", "client.pem"],
    ] {
        let (code, output) = site.run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {output}");
    }
    assert!(site.must(&["list", "deny.txt"]).contains("no entry"));
}

#[test]
fn list_that_gates_refuse_is_left_as_it_is() {
    let site = Site::new();
    let path = site.folder.path().join("deny.txt");
    for content in ["", "key 0123\n", "<html>"] {
        std::fs::write(&path, content).unwrap();
        let (code, output) = site.run(&["add", "deny.txt", "--pem", "client.pem"]);
        assert!(
            code == Some(2) && output.contains("correct it by hand"),
            "{output}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
}

/// Another writer comes between reading and writing.
#[tokio::test]
async fn list_that_changed_meanwhile_is_read_again() {
    let site = Site::new();
    let moto = Moto::shared();
    moto.create_bucket("deny-between");
    for (list, is_write) in [
        (
            "s3://deny-between/list.txt",
            ("content-type", "text/plain; charset=utf-8"),
        ),
        (
            "ssm:/deny-between/list",
            ("x-amz-target", "AmazonSSM.PutParameter"),
        ),
    ] {
        site.must(&["create", list]);
        let proxy = FaultProxy::before(moto.port()).await;
        let mut is_first = true;
        proxy.decide(move |request| {
            let is_this = request.header(is_write.0) == Some(is_write.1);
            if is_this && std::mem::take(&mut is_first) {
                let other = "spiffe spiffe://example.org/other\n";
                match list.starts_with("s3:") {
                    true => _ = Moto::shared().put_object("deny-between", "list.txt", other),
                    false => Moto::shared().put_parameter("/deny-between/list", other),
                }
            }
            Fault::None
        });
        let endpoint = proxy.endpoint();
        let mut command = site.command(&endpoint, &["add", list, "--pem", "client.pem"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        assert!(output.status.success(), "{:?}", text(&output));
        let expected = [
            "spiffe spiffe://example.org/other".to_owned(),
            key_of(&site.client),
        ];
        assert_eq!(site.entries(list), expected, "{list}");
    }
}

/// The examples of `--help`, as they stand and in their order.
#[test]
fn examples_run_one_after_the_other() {
    let site = Site::new();
    Moto::shared().create_bucket("pki-trust");
    Moto::shared().put_parameter("/mtls/deny", "none");
    std::fs::copy(
        site.folder.path().join("client.pem"),
        site.folder.path().join("stolen.pem"),
    )
    .unwrap();
    let program = Command::new(env!("CARGO_BIN_EXE_alb-mtls"))
        .args(["deny", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(program.stdout).unwrap();
    let examples: Vec<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  alb-mtls deny "))
        .collect();
    assert_eq!(examples.len(), 6, "{help}");
    for example in examples {
        let command = site.command(&Moto::shared().endpoint(), &[]);
        let mut shell = Command::new("bash");
        shell.args([
            "-c",
            &format!("{} deny {example}", env!("CARGO_BIN_EXE_alb-mtls")),
        ]);
        let variables: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        let output = text(
            &shell
                .envs(variables)
                .current_dir(site.folder.path())
                .output()
                .unwrap(),
        );
        // The list names the certificate of one of them.
        let expected = if example.starts_with("list") { 1 } else { 0 };
        assert_eq!(output.0, Some(expected), "{example}: {}", output.1);
    }
}
