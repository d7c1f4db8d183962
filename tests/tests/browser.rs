//! Pages that a person with a browser gets, in a real Chromium.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use alb_mtls_tests::{Clients, binary, leave_out, source};
use local_alb::{
    ClientCertificateHeaderCopies, FunctionCommand, FunctionOutput, LocalAlb, Target, TargetGroup,
};
use test_pki::{CertificateBuilder, Credential};

/// Directory in which Debian's Chromium looks for the policies of an administrator.
const POLICIES: &str = "/etc/chromium/policies/managed";

const PASSWORD: &str = "demo";

fn succeed(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Home of a person whose browser trusts the server, with one certificate at most.
struct Home(tempfile::TempDir);

impl Home {
    fn new(server_authority: &Path) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(home.0.path().join(".pki/nssdb")).unwrap();
        succeed(home.certutil().args(["-N", "--empty-password"]));
        let add = ["-A", "-n", "server-ca", "-t", "C,,", "-i"];
        succeed(home.certutil().args(add).arg(server_authority));
        home
    }

    fn database(&self) -> String {
        format!("sql:{}", self.0.path().join(".pki/nssdb").display())
    }

    fn certutil(&self) -> Command {
        let mut command = Command::new("certutil");
        command.args(["-d", &self.database()]);
        command
    }

    /// Imports a certificate with its key, by the file that docs/demo.md names.
    fn import(&self, client: &Credential) {
        let file = |name: &str| self.0.path().join(name);
        fs::write(file("client.pem"), client.pem()).unwrap();
        fs::write(file("client.key"), client.key().to_pem().unwrap()).unwrap();
        let mut export = Command::new("openssl");
        export.args([
            "pkcs12",
            "-export",
            "-passout",
            &format!("pass:{PASSWORD}"),
            "-in",
        ]);
        export
            .arg(file("client.pem"))
            .arg("-inkey")
            .arg(file("client.key"));
        succeed(export.arg("-out").arg(file("client.p12")));
        let mut import = Command::new("pk12util");
        import.args(["-d", &self.database(), "-W", PASSWORD, "-i"]);
        succeed(import.arg(file("client.p12")));
    }

    /// Returns the page at this address, as Chromium shows it.
    fn page(&self, url: &str) -> String {
        let mut chromium = Command::new("timeout");
        chromium.args([
            "60",
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ]);
        chromium.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]);
        chromium.arg(format!(
            "--user-data-dir={}",
            self.0.path().join("profile").display()
        ));
        let output = succeed(chromium.args(["--dump-dom", url]).env("HOME", self.0.path()));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Policy by which Chromium chooses the only certificate by itself: no person is there to do it.
struct ChoosesCertificate(PathBuf);

impl ChoosesCertificate {
    fn of(url: &str) -> Self {
        fs::create_dir_all(POLICIES).expect("root may set policies of Chromium");
        let name = format!("alb-mtls-test-{}.json", std::process::id());
        let file = Path::new(POLICIES).join(name);
        let pattern = serde_json::json!({ "pattern": url, "filter": {} }).to_string();
        let policy = serde_json::json!({ "AutoSelectCertificateForUrls": [pattern] });
        fs::write(&file, policy.to_string()).unwrap();
        Self(file)
    }
}

impl Drop for ChoosesCertificate {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_with_only_a_leaf_gets_the_page_and_without_it_a_denial() {
    if !Path::new("/usr/bin/chromium").exists() || Command::new("certutil").arg("-H").output().is_err() {
        return leave_out("the packages chromium and libnss3-tools are missing");
    }
    let clients = Clients::new();
    let client = clients.issue(CertificateBuilder::client("CN=Mary <b>Major</b>"));
    let (listener, server_authority) = clients.listener(ClientCertificateHeaderCopies::PassOn);
    let command = FunctionCommand::new(binary("respond"))
        .variable("MTLS_ANCHORS", clients.anchors_source())
        .variable(
            "MTLS_INTERMEDIATES",
            source(&clients, "issuing.pem", clients.issuing.pem()),
        )
        .output(FunctionOutput::Discard);
    let concurrency = std::num::NonZeroUsize::MIN;
    let target = Target::Function { command, concurrency };
    let alb = LocalAlb::start(listener, vec![TargetGroup::new("respond", target)])
        .await
        .unwrap();
    let url = format!("https://localhost:{}", alb.address().port());

    let pages = tokio::task::spawn_blocking(move || {
        let without = Home::new(&server_authority).page(&url);
        let home = Home::new(&server_authority);
        home.import(&client);
        let _policy = ChoosesCertificate::of(&url);
        (without, home.page(&url))
    });
    let (without, with) = pages.await.unwrap();
    assert!(
        without.contains("A valid client certificate is required"),
        "{without}"
    );
    assert!(
        without.contains("<dt>Reference</dt><dd><code>Root=1-"),
        "{without}"
    );
    assert!(with.contains("Verified client"), "{with}");
    assert!(with.contains("<dd>CN=Test Root,O=Tests</dd>"), "{with}");
    assert!(with.contains("Mary &lt;b&gt;Major&lt;/b&gt;"), "{with}");
}
