//! A copy of `deploy/terraform` in a folder, with the PKI of a test, in an account of its own.

use std::path::{Path, PathBuf};

use alb_mtls_tests::{Account, RunningStack, ScriptOutput, Stack, deployment_script, leave_out, project};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential, CrlBuilder, chain_pem};

const PAGE: &str = "deploy/terraform/README.md";

/// Program that runs Terraform with the provider of this folder.
const COMMAND: &str = "tests/tests/terraform/terraform.py";

/// Values of the variables that the page's commands expect to be set.
const VARIABLES: [(&str, &str); 5] = [
    ("vpc", "vpc-0a1b2c3d"),
    ("subnets", r#"["subnet-0a1b2c3d", "subnet-1a2b3c4d"]"#),
    ("private_subnets", r#"["subnet-2a3b4c5d"]"#),
    (
        "certificate",
        "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d",
    ),
    ("TF_CLI_ARGS_apply", "-auto-approve"),
];

/// A root, an issuing CA, and a client that is not revoked and one that is, each as a file with its
/// own certificate alone.
pub(crate) struct Configuration {
    pub(crate) account: Account,
    folder: tempfile::TempDir,
    pub(crate) root: Credential,
    pub(crate) issuing: Credential,
    revoked: Credential,
}

impl Configuration {
    /// Returns nothing, and says so, where Terraform's library is not installed.
    pub(crate) fn new() -> Option<Self> {
        let python = project().join(".venv/terraform/bin/python");
        if !python.exists() {
            leave_out("Terraform's library is missing: `make test` installs it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        copy(
            &project().join("deploy/terraform"),
            &folder.path().join("deploy/terraform"),
        );
        // Only their digests are looked at.
        for program in ["respond", "forward", "authorize", "refresh-crls"] {
            let package = folder.path().join("target/lambda").join(program);
            std::fs::create_dir_all(&package).unwrap();
            std::fs::write(package.join("bootstrap.zip"), program).unwrap();
        }
        let command = folder.path().join("commands/terraform");
        std::fs::create_dir_all(command.parent().unwrap()).unwrap();
        let script = format!(
            "#!/bin/sh\nexec {} -B {} \"$@\"\n",
            python.display(),
            project().join(COMMAND).display()
        );
        std::fs::write(&command, script).unwrap();
        std::fs::set_permissions(&command, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let root = CertificateBuilder::root("CN=Example Root").self_signed().unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Example Issuing CA")
            .issued_by(&root)
            .unwrap();
        let client = |name: &str| CertificateBuilder::client(name).issued_by(&issuing).unwrap();
        let (good, revoked) = (client("CN=client-1"), client("CN=lost laptop"));
        let strange = Self::stranger();
        std::fs::write(folder.path().join("root.pem"), root.pem()).unwrap();
        std::fs::write(folder.path().join("issuing.pem"), issuing.pem()).unwrap();
        let configuration = Self {
            account: Account::start(),
            folder,
            root,
            issuing,
            revoked: revoked.clone(),
        };
        for (name, client) in [("good", &good), ("revoked", &revoked), ("strange", &strange)] {
            configuration.write(name, client);
        }
        Some(configuration)
    }

    /// Writes the certificate and the key of a client.
    pub(crate) fn write(&self, name: &str, client: &Credential) {
        let (chain, key) = self.client(name);
        std::fs::write(chain, chain_pem([client])).unwrap();
        std::fs::write(key, client.key().to_pem().unwrap()).unwrap();
    }

    /// Returns a client of a CA with the same names and other keys.
    fn stranger() -> Credential {
        let root = CertificateBuilder::root("CN=Example Root").self_signed().unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Example Issuing CA")
            .issued_by(&root)
            .unwrap();
        CertificateBuilder::client("CN=client-1")
            .issued_by(&issuing)
            .unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file into a bucket of the account.
    pub(crate) fn put(&self, object: &str, content: impl AsRef<[u8]>) {
        let (bucket, key) = object.strip_prefix("s3://").unwrap().split_once('/').unwrap();
        self.account.put_object(bucket, key, content.as_ref());
    }

    /// Puts the CRL of each CA into a bucket of the account; the issuing CA's revokes a client.
    pub(crate) fn put_crls(&self, root: &str, issuing: &[&str]) {
        self.put(
            root,
            CrlBuilder::new().number(1).issued_by(&self.root).unwrap().der(),
        );
        for object in issuing {
            let crl = CrlBuilder::new().number(1).revoke(&self.revoked);
            self.put(object, crl.issued_by(&self.issuing).unwrap().der());
        }
    }

    /// Runs a script with `terraform` on the path.
    pub(crate) fn run(&self, script: &str, variables: &[(&str, &str)]) -> ScriptOutput {
        let programs = alb_mtls_tests::binary("respond");
        let folder = self.path().join("commands");
        let script = format!("export PATH={}:$PATH\n{script}", folder.display());
        let programs = [("PROGRAMS", programs.parent().unwrap().to_str().unwrap())];
        let all: Vec<_> = [&VARIABLES[..], &programs, variables].concat();
        self.account.run(self.path(), &script, &all)
    }

    pub(crate) fn must_run(&self, script: &str, variables: &[(&str, &str)]) -> String {
        let output = self.run(script, variables);
        assert!(output.is_success, "{script}\n{}", output.text);
        output.text
    }

    /// Returns the page's commands for an example.
    pub(crate) fn commands(example: &str) -> String {
        deployment_script(PAGE, example)
    }

    /// Runs the page's commands for an example and returns what they made.
    pub(crate) fn apply(&self, example: &str, variables: &[(&str, &str)]) -> Stack {
        self.must_run(&Self::commands(example), variables);
        self.described(&format!("deploy/terraform/examples/{example}"))
    }

    /// Returns what was made in a folder.
    pub(crate) fn described(&self, folder: &str) -> Stack {
        let python = project().join(".venv/terraform/bin/python");
        let script = format!(
            "(cd {folder} && terraform show -json) > state.json\n{} -B {} < state.json > described.json",
            python.display(),
            project().join("tests/tests/terraform/described.py").display(),
        );
        self.must_run(&script, &[]);
        let text = std::fs::read_to_string(self.path().join("described.json")).unwrap();
        Stack::new(folder, serde_json::from_str(&text).unwrap())
    }

    fn client(&self, name: &str) -> (PathBuf, PathBuf) {
        (
            self.path().join(format!("{name}.pem")),
            self.path().join(format!("{name}.key")),
        )
    }

    /// Asks as a client that sends its own certificate alone, and returns the status with the
    /// record of the decision.
    pub(crate) async fn ask(&self, gate: &mut RunningStack, client: &str) -> (u16, Value) {
        let (chain, key) = self.client(client);
        let (status, _) = gate.ask(Some((&chain, &key)), "/").await;
        (status, gate.record().await)
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == ".terraform" => {}
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => std::fs::copy(entry.path(), to.join(entry.file_name()))
                .map(|_| ())
                .unwrap(),
        }
    }
}
