//! Base and delta CRL as AD CS publishes them, and an indirect CRL, made by the Python package
//! `cryptography`.

use std::process::Command;

use alb_mtls_tests::{Clients, Function, project};
use serde_json::Value;
use test_pki::Credential;

use super::{ask, respond};

struct Published {
    files: Clients,
}

impl Published {
    fn new() -> Self {
        let files = Clients::new();
        let output = Command::new(project().join(".venv/bin/python"))
            .arg(project().join("tests/tests/revocation/deltas.py"))
            .arg(files.directory())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self { files }
    }

    fn credential(&self, name: &str) -> Credential {
        let file = |kind: &str| self.files.directory().join(format!("{name}.{kind}"));
        Credential::load(&file("pem"), &file("key")).unwrap()
    }

    fn source(&self, name: &str) -> String {
        format!("file:{}", self.files.directory().join(name).display())
    }

    async fn respond(&self, crls: &[&str], others: &[(&str, &str)]) -> Function {
        let crls: Vec<String> = crls.iter().map(|name| self.source(name)).collect();
        respond(&self.source("Root.pem"), &crls.join(" "), others).await
    }

    /// Returns the status and the record's detail for a client of the issuing CA.
    async fn ask(&self, function: &Function, client: &str) -> (u16, Value) {
        let chain = [self.credential(client), self.credential("Issuing")];
        let (status, record) = ask(function, &chain).await;
        (status, record.get("detail").cloned().unwrap_or_default())
    }
}

#[tokio::test]
async fn a_base_and_its_delta_decide_together() {
    let published = Published::new();
    let refused = |detail: &str| (401, Value::from(detail));
    for (crls, [good, late, held]) in [
        (
            &["root.crl", "base.crl"][..],
            [(200, Value::Null), (200, Value::Null), refused("revoked")],
        ),
        (
            &["root.crl", "base.crl", "delta.crl"],
            [(200, Value::Null), refused("revoked"), (200, Value::Null)],
        ),
        (
            &["root.crl", "delta.crl"],
            [
                refused("crl_base_missing"),
                refused("revoked"),
                refused("crl_base_missing"),
            ],
        ),
        // The base has number 5, and this delta continues number 6.
        (
            &["root.crl", "base.crl", "delta-of-6.crl"],
            [
                refused("crl_base_missing"),
                refused("revoked"),
                refused("revoked"),
            ],
        ),
    ] {
        let function = published.respond(crls, &[]).await;
        assert_eq!(published.ask(&function, "good").await, good, "{crls:?}");
        assert_eq!(published.ask(&function, "late").await, late, "{crls:?}");
        assert_eq!(published.ask(&function, "held").await, held, "{crls:?}");
    }
}

#[tokio::test]
async fn an_indirect_list_counts_once_its_issuer_is_configured() {
    let published = Published::new();
    let crls = ["root.crl", "all.crl"];
    let service = published.source("Revocation-Service.pem");
    let configured = published
        .respond(&crls, &[("MTLS_INTERMEDIATES", &service)])
        .await;
    assert_eq!(published.ask(&configured, "served").await, (200, Value::Null));
    assert_eq!(
        published.ask(&configured, "served-late").await,
        (401, Value::from("revoked"))
    );
    assert_eq!(
        published.ask(&configured, "good").await,
        (401, Value::from("crl_missing")),
        "its certificate does not name the issuer of the list"
    );
    let without = published.respond(&crls, &[]).await;
    for client in ["served", "served-late"] {
        assert_eq!(
            published.ask(&without, client).await,
            (401, Value::from("crl_missing"))
        );
    }
}
