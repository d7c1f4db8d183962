//! A CA of the `openssl` command, for keys and signatures that the project's own builder does not
//! make.

use std::path::PathBuf;
use std::process::Command;

use alb_mtls_verifier::Timestamp;
use test_pki::Certificate;

use crate::support::Scene;

/// Extensions of each kind of certificate, and the sections that `openssl req` wants.
const CONFIGURATION: &str = "
[req]
distinguished_name = name
prompt = no
[name]
CN = unused
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
";

/// A folder with a configuration, keys and certificates by their names.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self::with_extensions("")
    }

    /// Takes lines of further sections.
    pub(crate) fn with_extensions(sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cnf"), format!("{CONFIGURATION}{sections}")).unwrap();
        Self(folder)
    }

    /// Trusts the anchor tomorrow, when all that the test issues is valid.
    pub(crate) fn trusting(anchor: &Certificate) -> Scene {
        Scene::trusting([anchor]).at(Timestamp::now().plus_seconds(86_400))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `openssl` in the folder.
    pub(crate) fn run(&self, arguments: &str) {
        let output = Command::new("openssl")
            .current_dir(self.0.path())
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "openssl {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Makes the key `<name>.key` with the arguments of `openssl genpkey`.
    pub(crate) fn key(&self, name: &str, arguments: &str) {
        self.run(&format!("genpkey {arguments} -out {name}.key"));
    }

    /// Issues `<name>.pem` for `<name>.key` with the extensions of a section, signed by
    /// `<issuer>.key`, or by itself.
    pub(crate) fn certificate(&self, name: &str, section: &str, issuer: &str, signing: &str) -> Certificate {
        let subject = format!("/O=Example/CN={name}");
        if name == issuer {
            self.run(&format!(
                "req -x509 -new -config cnf -key {name}.key -subj {subject} -extensions {section} -days 30 {signing} \
                 -out {name}.pem"
            ));
        } else {
            // Some keys cannot sign a request: the subject's key is put in its place.
            self.run(&format!("pkey -in {name}.key -pubout -out {name}.pub"));
            self.run(&format!(
                "req -new -config cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout unused.key -subj \
                 {subject} -out {name}.csr"
            ));
            self.run(&format!(
                "x509 -req -in {name}.csr -force_pubkey {name}.pub -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial \
                 -extfile cnf -extensions {section} -days 10 {signing} -out {name}.pem"
            ));
        }
        Certificate::load(&self.path(&format!("{name}.pem"))).unwrap()
    }
}
