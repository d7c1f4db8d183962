//! Lists as the `openssl` command line makes them, which is what easy-rsa and many scripts call.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, Intermediates, ListStanding, Reason, RevocationLists, RevocationReason, Timestamp,
    TrustAnchor, TrustAnchors, read_revocation_lists,
};
use tempfile::TempDir;
use test_pki::{CertificateBuilder, Credential};

use crate::support::{MAX_BYTES, SOFT, STRICT, chain, standings, verifier};

/// A CA in a folder, with the database of `openssl ca`.
pub(crate) struct OpensslCa {
    folder: TempDir,
}

/// Lines of the configuration that make OpenSSL number lists.
pub(crate) const NUMBERED: &str = "crlnumber=number\n";
/// Lines that make OpenSSL write extensions, as easy-rsa has them.
pub(crate) const EXTENDED: &str = "crl_extensions=extensions\n";

impl OpensslCa {
    /// Makes a root with a key of this kind, in the words of `openssl req -newkey` and `-pkeyopt`.
    pub(crate) fn new(key: &[&str]) -> Self {
        let this = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        this.configure("");
        std::fs::write(this.path("index"), "").unwrap();
        std::fs::write(this.path("number"), "1F\n").unwrap();
        let subject = [
            "-nodes",
            "-subj",
            "/O=Example/CN=OpenSSL Root",
            "-days",
            "30",
            "-config",
            "ca.cnf",
            "-keyout",
            "key",
            "-out",
            "root",
        ];
        this.run(&[&["req", "-x509"], key, &subject].concat());
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, lines: &str) {
        let text = format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=default\ndefault_crl_days=30\nunique_subject=no\n{lines}\
             [extensions]\nauthorityKeyIdentifier=keyid:always,issuer:always\n\
             [req]\ndistinguished_name=names\nx509_extensions=root\n[names]\n\
             [root]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
        );
        std::fs::write(self.path("ca.cnf"), text).unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// Revokes serial numbers, given in hexadecimal, for key compromise.
    pub(crate) fn revoke(&self, serials: &[&str]) {
        let lines = serials.iter().map(|serial| {
            format!("R\t330101000000Z\t260101000000Z,keyCompromise\t{serial}\tunknown\t/CN=c\n")
        });
        std::fs::write(self.path("index"), lines.collect::<String>()).unwrap();
    }

    /// Makes a list in PEM.
    pub(crate) fn crl(&self, lines: &str, arguments: &[&str]) -> Vec<u8> {
        self.configure(lines);
        let fixed = [
            "ca", "-gencrl", "-config", "ca.cnf", "-keyfile", "key", "-cert", "root", "-out", "crl",
        ];
        self.run(&[&fixed[..], arguments].concat());
        std::fs::read(self.path("crl")).unwrap()
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        let pem = read(&self.path("root"));
        let root = test_pki::Certificate::from_pem(&pem).unwrap();
        TrustAnchors::new([TrustAnchor::new(CertificateDer::from(root.der().to_vec())).unwrap()]).unwrap()
    }

    pub(crate) fn lists(&self, crl: &[u8]) -> RevocationLists {
        let lists = read_revocation_lists(crl, MAX_BYTES).unwrap();
        RevocationLists::new(lists, &self.anchors(), &Intermediates::default(), None)
    }

    /// A client of the CA, whose key must be one that the builder reads.
    fn client(&self) -> Credential {
        let certificate = test_pki::Certificate::from_pem(&read(&self.path("root"))).unwrap();
        let key = test_pki::Key::load(&self.path("key")).unwrap();
        let root = Credential::new(certificate, key);
        CertificateBuilder::client("CN=client").issued_by(&root).unwrap()
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

pub(crate) const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub(crate) const RSA_2048: &[&str] = &["-newkey", "rsa:2048"];

#[test]
fn a_numbered_list_with_text_is_read_whole() {
    let ca = OpensslCa::new(RSA_2048);
    ca.revoke(&["0AB1", "77"]);
    ca.crl(&format!("{NUMBERED}{EXTENDED}"), &["-md", "sha384"]);
    let with_text = ca.run(&["crl", "-text", "-in", "crl"]);
    let lists = read_revocation_lists(&*with_text, MAX_BYTES).unwrap();
    let list = &lists[0];
    assert_eq!(
        (list.entry_count(), list.number().map(|number| number.to_string())),
        (2, Some("0x1F".to_owned()))
    );
    let revoked = list.find(&[0x0A, 0xB1]).unwrap();
    assert_eq!(revoked.reason, Some(RevocationReason::KeyCompromise));
    assert_eq!(revoked.revoked_at.unwrap().to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(standings(&ca.lists(&with_text)), [ListStanding::Verified]);
}

#[test]
fn lists_clear_and_revoke_with_and_without_numbers_and_extensions() {
    let ca = OpensslCa::new(P256);
    let client = ca.client();
    let serial = base16ct::upper::encode_string(&client.certificate().serial().unwrap());
    // Without either, OpenSSL 3 writes version 1.
    for (lines, is_numbered) in [
        ("", false),
        (EXTENDED, false),
        (NUMBERED, true),
        (&*format!("{NUMBERED}{EXTENDED}"), true),
    ] {
        for (revoked, expected) in [(&["77"][..], None), (&[&serial, "77"], Some(Reason::Revoked))] {
            ca.revoke(revoked);
            let lists = ca.lists(&ca.crl(lines, &[]));
            let (list, _) = lists.iter().next().unwrap();
            assert_eq!(
                (list.number().is_some(), list.defect()),
                (is_numbered, None),
                "{lines}"
            );
            let lists = Arc::new(lists);
            for policy in [SOFT, STRICT] {
                let verifier = verifier(ca.anchors()).with_revocation(Arc::clone(&lists), policy);
                let verdict = verifier.verify(&chain([&client]), Timestamp::now());
                assert_eq!(
                    verdict.err().map(|rejection| rejection.reason()),
                    expected,
                    "{lines}"
                );
            }
        }
    }
    assert!(
        String::from_utf8(ca.run(&["crl", "-noout", "-text", "-in", "crl"]))
            .unwrap()
            .contains("CRL Number")
    );
}

#[test]
fn an_empty_list_clears() {
    let ca = OpensslCa::new(P256);
    let lists = Arc::new(ca.lists(&ca.crl("", &[])));
    let verifier = verifier(ca.anchors()).with_revocation(lists, STRICT);
    assert!(verifier.verify(&chain([&ca.client()]), Timestamp::now()).is_ok());
}
