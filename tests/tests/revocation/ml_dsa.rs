//! A hierarchy with ML-DSA keys (RFC 9881) behind a load balancer: the client's own key is on
//! P-256, because the load balancer has to prove it.

use std::num::NonZeroUsize;

use alb_mtls_tests::{Clients, binary, source};
use local_alb::{
    ClientCertificateHeaderCopies, FunctionCommand, FunctionOutput, LocalAlb, Target, TargetGroup,
};
use test_pki::{CertificateBuilder, Credential, CrlBuilder, KeyKind};

struct Hierarchy {
    root: Credential,
    issuing: Credential,
    good: Credential,
    revoked: Credential,
}

impl Hierarchy {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=PQ Root,O=Tests")
            .key_kind(KeyKind::MlDsa87)
            .self_signed()
            .unwrap();
        let issuing = CertificateBuilder::intermediate("CN=PQ Issuing CA,O=Tests")
            .key_kind(KeyKind::MlDsa65)
            .issued_by(&root)
            .unwrap();
        let client = |name| CertificateBuilder::client(name).issued_by(&issuing).unwrap();
        Self {
            good: client("CN=good,O=Tests"),
            revoked: client("CN=revoked,O=Tests"),
            root,
            issuing,
        }
    }

    /// CRLs of both CAs, each signed with ML-DSA.
    fn lists(&self) -> String {
        let of_root = CrlBuilder::new().issued_by(&self.root).unwrap();
        let of_issuing = CrlBuilder::new()
            .revoke(&self.revoked)
            .issued_by(&self.issuing)
            .unwrap();
        of_root.pem() + &of_issuing.pem()
    }
}

/// Returns status and body for a client that sends its own certificate, and others if asked.
async fn ask(clients: &Clients, port: u16, client: &Credential, chain: &[&Credential]) -> (u16, String) {
    let chain: String = std::iter::once(client)
        .chain(chain.iter().copied())
        .map(Credential::pem)
        .collect();
    let certificate = clients.write("pq.pem", &chain);
    let key = clients.write("pq.key", &client.key().to_pem().unwrap());
    let mut curl = tokio::process::Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--write-out",
        "\n%{http_code}",
        "--cacert",
    ]);
    curl.arg(clients.directory().join("server-ca.pem"))
        .arg("--cert")
        .arg(certificate);
    curl.arg("--key")
        .arg(key)
        .arg(format!("https://localhost:{port}/"));
    let output = curl.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

async fn gate(clients: &Clients, pki: &Hierarchy, signatures: Option<&str>) -> LocalAlb {
    let (listener, _) = clients.listener(ClientCertificateHeaderCopies::PassOn);
    let mut command = FunctionCommand::new(binary("respond"))
        .variable("MTLS_ANCHORS", source(clients, "pq-root.pem", pki.root.pem()))
        .variable(
            "MTLS_INTERMEDIATES",
            source(clients, "pq-issuing.pem", pki.issuing.pem()),
        )
        .variable("MTLS_CRLS", source(clients, "pq.crl", pki.lists()))
        .variable("MTLS_EXPOSE_CODE", "true")
        .output(FunctionOutput::Discard);
    if let Some(signatures) = signatures {
        command = command.variable("MTLS_SIGNATURES", signatures);
    }
    let concurrency = NonZeroUsize::MIN;
    let target = Target::Function { command, concurrency };
    LocalAlb::start(listener, vec![TargetGroup::new("respond", target)])
        .await
        .unwrap()
}

#[tokio::test]
async fn client_below_ml_dsa_cas_passes_until_an_ml_dsa_crl_revokes_it() {
    let (clients, pki) = (Clients::new(), Hierarchy::new());
    let alb = gate(&clients, &pki, None).await;
    let port = alb.address().port();
    let (status, body) = ask(&clients, port, &pki.good, &[]).await;
    assert_eq!(status, 200, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["client"]["anchor"]["subject"], "CN=PQ Root,O=Tests");
    // With the issuing CA in the header, which stays below the load balancer's limit.
    assert_eq!(ask(&clients, port, &pki.good, &[&pki.issuing]).await.0, 200);
    let (status, body) = ask(&clients, port, &pki.revoked, &[]).await;
    assert_eq!((status, body.contains("ClientCertCrlHit")), (401, true), "{body}");
}

#[tokio::test]
async fn signatures_that_the_setting_lacks_are_refused() {
    let (clients, pki) = (Clients::new(), Hierarchy::new());
    let alb = gate(&clients, &pki, Some("ml-dsa-87")).await;
    let (status, body) = ask(&clients, alb.address().port(), &pki.good, &[]).await;
    assert_eq!(
        (status, body.contains("ClientCertTypeUnsupported")),
        (401, true),
        "{body}"
    );
    drop(alb);
    let alb = gate(&clients, &pki, Some("ml-dsa-65 ml-dsa-87")).await;
    assert_eq!(ask(&clients, alb.address().port(), &pki.good, &[]).await.0, 200);
}
