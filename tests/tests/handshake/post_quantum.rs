//! A client with a P-256 key below an ML-DSA-65 CA below an ML-DSA-87 root, with ML-DSA CRLs.
//!
//! `MTLS_INTERMEDIATES` has the CA, so that the client sends its own certificate alone: with the
//! CA's, the header has 15 of the 16 KB that a load balancer can write.

use std::path::PathBuf;
use std::process::Command;

use alb_mtls_tests::{Clients, project};
use local_alb::{ClientCertificateHeaderCopies, HeaderMode};
use test_pki::{CertificateBuilder, Credential, CrlBuilder, KeyKind};

use crate::gate::Gate;

/// Configuration of OpenSSL for curl. OpenSSL before 3.5 does not know ML-DSA, and refuses a client
/// certificate that is signed with it ("ca md too weak") unless its security level is 0.
const OPENSSL_CONFIGURATION: &str = "\
openssl_conf = settings
[settings]
ssl_conf = ssl
[ssl]
system_default = level
[level]
CipherString = DEFAULT@SECLEVEL=0
";

/// Files of a PKI: `root.pem`, `issuing.pem`, `root.crl`, `issuing.crl`, and `good` and `revoked`
/// with a key each.
struct Pki {
    folder: Clients,
}

impl Pki {
    /// Makes the PKI with AWS-LC.
    fn by_aws_lc() -> Self {
        let root = CertificateBuilder::root("CN=Post-quantum Root,O=Tests")
            .key_kind(KeyKind::MlDsa87)
            .self_signed()
            .unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Post-quantum Issuing CA,O=Tests")
            .key_kind(KeyKind::MlDsa65)
            .path_length(0)
            .issued_by(&root)
            .unwrap();
        let client = |name: &str| -> Credential {
            let builder = CertificateBuilder::client(&format!("CN={name},O=Tests"));
            builder.issued_by(&issuing).unwrap()
        };
        let (good, revoked) = (client("good"), client("revoked"));
        let folder = Clients::new();
        folder.write("root.pem", &root.pem());
        folder.write("issuing.pem", &issuing.pem());
        for (name, client) in [("good", &good), ("revoked", &revoked)] {
            folder.write(&format!("{name}.pem"), &client.pem());
            folder.write(&format!("{name}.key"), &client.key().to_pem().unwrap());
        }
        let of_root = CrlBuilder::new().issued_by(&root).unwrap();
        folder.write("root.crl", &of_root.pem());
        let of_issuing = CrlBuilder::new().revoke(&revoked).issued_by(&issuing).unwrap();
        folder.write("issuing.crl", &of_issuing.pem());
        Self { folder }
    }

    /// Makes the PKI with pyca/cryptography, which shares no code with the verifier but AWS-LC's or
    /// OpenSSL's arithmetic.
    fn by_pyca() -> Self {
        let folder = Clients::new();
        let python = project().join(".venv/bin/python");
        assert!(python.exists(), "`make test` sets up {}", python.display());
        let output = Command::new(python)
            .arg(project().join("tests/tests/handshake/post_quantum.py"))
            .arg(folder.directory())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        Self { folder }
    }

    fn source(&self, names: &[&str]) -> String {
        let path = |name: &&str| format!("file:{}", self.folder.directory().join(name).display());
        names.iter().map(path).collect::<Vec<_>>().join(" ")
    }

    async fn gate(&self, more: &[(&str, &str)]) -> Gate {
        let intermediates = self.source(&["issuing.pem"]);
        let supplying = [("MTLS_INTERMEDIATES", intermediates.as_str())];
        self.gate_without_intermediates(&[&supplying, more].concat())
            .await
    }

    async fn gate_without_intermediates(&self, more: &[(&str, &str)]) -> Gate {
        let anchors = self.source(&["root.pem"]);
        let crls = self.source(&["root.crl", "issuing.crl"]);
        let sources = [("MTLS_ANCHORS", anchors.as_str()), ("MTLS_CRLS", crls.as_str())];
        let variables = [&sources, more].concat();
        let copies = ClientCertificateHeaderCopies::PassOn;
        let gate = Gate::start(&self.folder, &variables, copies, HeaderMode::MultiValue).await;
        let configuration = self.folder.write("openssl.cnf", OPENSSL_CONFIGURATION);
        gate.with_curl_variable("OPENSSL_CONF", configuration)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.directory().join(name)
    }

    /// Returns status and body of a request of a client that sends its own certificate alone.
    async fn ask(&self, gate: &Gate, client: &str) -> (u16, String) {
        let files = ["pem", "key"].map(|kind| self.file(&format!("{client}.{kind}")));
        gate.curl_as(&files.into(), &[]).await
    }
}

#[tokio::test]
async fn ml_dsa_ca_lets_a_client_in_until_its_crl_revokes_it() {
    for pki in [Pki::by_aws_lc(), Pki::by_pyca()] {
        let gate = pki.gate(&[]).await;
        let (status, body) = pki.ask(&gate, "good").await;
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("CN=good,O=Tests"), "{body}");
        let (status, body) = pki.ask(&gate, "revoked").await;
        assert!(
            status == 401 && body.contains("ClientCertCrlHit"),
            "{status} {body}"
        );
    }
}

#[tokio::test]
async fn mtls_signatures_narrows_chains_and_crls() {
    let pki = Pki::by_aws_lc();
    let gate = pki.gate(&[("MTLS_SIGNATURES", "ml-dsa-65 ml-dsa-87")]).await;
    let (status, body) = pki.ask(&gate, "good").await;
    assert_eq!(status, 200, "{body}");
    // The client's own certificate and the CRL that would clear it are signed with ML-DSA-65.
    let gate = pki
        .gate(&[("MTLS_SIGNATURES", "ml-dsa-87 ecdsa-p384-sha384")])
        .await;
    for name in ["good", "revoked"] {
        let (status, body) = pki.ask(&gate, name).await;
        assert!(
            status == 401 && body.contains("ClientCertTypeUnsupported"),
            "{status} {body}"
        );
    }
}

#[tokio::test]
async fn client_may_send_its_ml_dsa_ca() {
    let pki = Pki::by_aws_lc();
    let gate = pki.gate_without_intermediates(&[]).await;
    let (status, body) = pki.ask(&gate, "good").await;
    assert!(
        status == 401 && body.contains("ClientCertUntrusted"),
        "{status} {body}"
    );
    let chain = ["good.pem", "issuing.pem"].map(|name| std::fs::read_to_string(pki.file(name)).unwrap());
    let chain = pki.folder.write("chain.pem", &chain.concat());
    let files = (chain, pki.file("good.key"));
    let (status, body) = gate.curl_as(&files, &[]).await;
    assert_eq!(status, 200, "{body}");
}
