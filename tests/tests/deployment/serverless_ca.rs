//! `docs/your-ca.md`: serverless-ca in its default environment and in one of `prod_envs`, over HTTP
//! and from its bucket.

use std::path::Path;

use alb_mtls_tests::{Account, FileServer, deployment_script};
use test_pki::{CertificateBuilder, CrlBuilder, KeyKind};

use crate::certificates::{Client, ask};
use crate::two_tiers::{FROM_HERE, PAGE, deploy};

/// Makes what serverless-ca publishes, with this end of its names, and a client that sends its own
/// certificate alone, as those of its GitOps do.
fn publish(site: &Path, folder: &Path, end: &str) -> [Client; 2] {
    let root = CertificateBuilder::root("CN=Serverless Root CA")
        .key_kind(KeyKind::P384)
        .self_signed()
        .unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Serverless Issuing CA")
        .issued_by(&root)
        .unwrap();
    let client = |name: &str| CertificateBuilder::client(name).issued_by(&issuing).unwrap();
    let (good, revoked) = (client("CN=pipeline"), client("CN=lost laptop"));
    let crls = [
        ("root", CrlBuilder::new().number(1).issued_by(&root).unwrap()),
        (
            "issuing",
            CrlBuilder::new()
                .number(1)
                .revoke(&revoked)
                .issued_by(&issuing)
                .unwrap(),
        ),
    ];
    for ((name, crl), certificate) in crls.iter().zip([&root, &issuing]) {
        let file = |kind: &str| site.join(format!("serverless-{name}-ca{end}.{kind}"));
        std::fs::write(file("crl"), crl.der()).unwrap();
        std::fs::write(file("crt"), certificate.pem()).unwrap();
    }
    [
        Client::write(folder, "good", &[&good]),
        Client::write(folder, "revoked", &[&revoked]),
    ]
}

/// Deploys with these commands and asks as a good client and as a revoked one.
async fn check(account: &Account, folder: &Path, sources: &str, clients: [Client; 2]) {
    let (stack, output) = deploy(account, folder, sources, &[FROM_HERE]);
    assert!(
        output.contains(r#""published":2,"unchanged":0,"refused":0"#),
        "{output}"
    );
    let mut gate = stack.listen().await;
    let [good, revoked] = clients;
    assert_eq!(ask(&mut gate, &good, "/").await.0, 200);
    let (status, record) = ask(&mut gate, &revoked, "/").await;
    assert_eq!((status, &record["detail"]), (401, &"revoked".into()));
    gate.close().await;
}

/// Returns the commands for an environment: the page has those for the default one.
fn of_environment(script: &str, end: &str) -> String {
    assert!(script.contains(" environment=-dev "), "{script}");
    script.replace(" environment=-dev ", &format!(" environment={end} "))
}

#[tokio::test]
async fn each_environment_works_over_http() {
    for end in ["-dev", ""] {
        let account = Account::start();
        let (site, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let clients = publish(site.path(), folder.path(), end);
        let server = FileServer::start(site.path());
        let script = deployment_script(PAGE, "serverless-ca sources");
        let script = of_environment(&script.replace("crl.example.org", &server.host()), end);
        check(&account, folder.path(), &script, clients).await;
    }
}

#[tokio::test]
async fn each_environment_works_from_its_private_bucket() {
    for end in ["-dev", ""] {
        let account = Account::start();
        let (site, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let clients = publish(site.path(), folder.path(), end);
        account.must_run(
            site.path(),
            "aws s3 mb s3://example-external && aws s3 cp . s3://example-external --recursive --exclude '*' --include 'serverless-*'",
            &[],
        );
        let script = of_environment(&deployment_script(PAGE, "serverless-ca bucket sources"), end);
        let script = format!("{script}\nexport SIMULATOR_PARAMETERS=");
        check(&account, folder.path(), &script, clients).await;
    }
}
