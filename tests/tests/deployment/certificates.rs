//! Files of clients and CAs as a page's commands expect them.

use std::path::{Path, PathBuf};

use alb_mtls_tests::{Account, RunningStack, Stack};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential, chain_pem};

/// Chain and key of a client.
pub(crate) struct Client {
    chain: PathBuf,
    key: PathBuf,
}

impl Client {
    /// Writes a client's chain and key into a folder.
    pub(crate) fn write(folder: &Path, name: &str, chain: &[&Credential]) -> Self {
        let client = Self::at(folder, name);
        std::fs::write(&client.chain, chain_pem(chain.iter().copied())).unwrap();
        std::fs::write(&client.key, chain[0].key().to_pem().unwrap()).unwrap();
        client
    }

    /// Returns the files `NAME.pem` and `NAME.key` of a folder.
    pub(crate) fn at(folder: &Path, name: &str) -> Self {
        Self {
            chain: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        }
    }

    pub(crate) fn files(&self) -> Option<(&Path, &Path)> {
        Some((&self.chain, &self.key))
    }
}

/// A root, an issuing CA and a client in a folder, as `anchors.pem`, `issuing.pem`, `client.pem`
/// and `client.key`.
pub(crate) struct Pki {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) root: Credential,
    pub(crate) issuing: Credential,
    pub(crate) client: Client,
}

impl Pki {
    pub(crate) fn new() -> Self {
        Self::of("Example")
    }

    pub(crate) fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = CertificateBuilder::root(&format!("CN={name} Root,O={name}"))
            .self_signed()
            .unwrap();
        let issuing = CertificateBuilder::intermediate(&format!("CN={name} Issuing CA,O={name}"))
            .issued_by(&root)
            .unwrap();
        std::fs::write(folder.path().join("anchors.pem"), root.pem()).unwrap();
        std::fs::write(folder.path().join("issuing.pem"), issuing.pem()).unwrap();
        let client = CertificateBuilder::client(&format!("CN=client-1,O={name}"))
            .issued_by(&issuing)
            .unwrap();
        let client = Client::write(folder.path(), "client", &[&client, &issuing]);
        Self {
            folder,
            root,
            issuing,
            client,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes another client of the issuing CA, with its whole chain or by itself.
    pub(crate) fn issue(&self, name: &str, sends_issuing: bool) -> Client {
        let client = CertificateBuilder::client(&format!("CN={name},O=Example"))
            .issued_by(&self.issuing)
            .unwrap();
        let chain = [&client, &self.issuing];
        Client::write(
            self.path(),
            name,
            if sends_issuing { &chain } else { &chain[..1] },
        )
    }
}

/// Runs a script and returns the stack that it deploys.
pub(crate) fn deployed(account: &Account, folder: &Path, script: &str) -> Stack {
    account.must_run(folder, script, &[]);
    account.stack("gate")
}

/// Asks as a client and returns the status, with the record of the decision.
pub(crate) async fn ask(gate: &mut RunningStack, client: &Client, path: &str) -> (u16, Value) {
    let (status, _) = gate.ask(client.files(), path).await;
    (status, gate.record().await)
}
