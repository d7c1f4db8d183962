//! `docs/your-ca.md`: AWS Private CA with CRLs in partitions, in a bucket that only roles read.

use std::path::Path;

use alb_mtls_tests::{Account, FileServer, deployment_script};
use test_pki::{CertificateBuilder, CrlBuilder};

use crate::certificates::{Client, ask};
use crate::two_tiers::{FROM_HERE, PAGE, deploy};

const URL: &str = "http://example-crls.s3.us-east-1.amazonaws.com/crl";

/// Keys of the CRLs, as in the page.
const KEYS: [&str; 3] = ["ROOT-ID.crl", "ID/PARTITION-1.crl", "ID/PARTITION-2.crl"];

/// Makes the CA in a folder, with a client in each partition, of which the second is revoked.
fn make(account: &Account, folder: &Path) -> [Client; 2] {
    let [root_url, first_url, second_url] = KEYS.map(|key| format!("{URL}/{key}"));
    let root = CertificateBuilder::root("CN=Private Root CA,O=Example")
        .self_signed()
        .unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Private Subordinate CA,O=Example")
        .crl_distribution_point(&root_url)
        .issued_by(&root)
        .unwrap();
    let client = |name: &str, url: &str| {
        CertificateBuilder::client(&format!("CN={name},O=Example"))
            .crl_distribution_point(url)
            .issued_by(&issuing)
            .unwrap()
    };
    let (good, revoked) = (client("good", &first_url), client("revoked", &second_url));
    std::fs::write(folder.join("anchors.pem"), root.pem()).unwrap();
    std::fs::write(folder.join("issuing.pem"), issuing.pem()).unwrap();
    let partition = |url: &str| CrlBuilder::new().number(1).distribution_point(url);
    let crls = [
        partition(&root_url).issued_by(&root).unwrap(),
        partition(&first_url).issued_by(&issuing).unwrap(),
        partition(&second_url)
            .revoke(&revoked)
            .issued_by(&issuing)
            .unwrap(),
    ];
    for (key, crl) in KEYS.iter().zip(crls) {
        account.put_object("example-crls", &format!("crl/{key}"), crl.der());
        std::fs::write(folder.join(key.replace('/', "-")), crl.der()).unwrap();
    }
    // Both send their own certificate alone.
    [
        Client::write(folder, "good", &[&good]),
        Client::write(folder, "revoked", &[&revoked]),
    ]
}

#[tokio::test]
async fn partitions_in_a_private_bucket_clear_and_revoke_clients() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let [good, revoked] = make(&account, folder.path());
    let sources = deployment_script(PAGE, "AWS Private CA sources");
    let (stack, output) = deploy(&account, folder.path(), &sources, &[]);
    assert!(
        output.contains(r#""published":3,"unchanged":0,"refused":0"#),
        "{output}"
    );
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &good, "/").await.0, 200);
    let (status, record) = ask(&mut gate, &revoked, "/").await;
    assert_eq!((status, &record["detail"]), (401, &"revoked".into()));
    gate.close().await;
}

#[tokio::test]
async fn web_server_and_bucket_are_sources_of_one_list() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let [good, revoked] = make(&account, folder.path());
    let server = FileServer::start(folder.path());
    let web = format!("http://{}/{}", server.host(), KEYS[0]);
    let [_, first, second] = KEYS.map(|key| format!("s3://example-crls/crl/{key}?region=us-east-1"));
    // The query is not a part of the key, and the first source is not an object for the role.
    let sources = format!("sources='{web} {first} {second}'");
    let (stack, output) = deploy(&account, folder.path(), &sources, &[FROM_HERE]);
    assert!(
        output.contains(r#""published":3,"unchanged":0,"refused":0"#),
        "{output}"
    );
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &good, "/").await.0, 200);
    let (status, record) = ask(&mut gate, &revoked, "/").await;
    assert_eq!((status, &record["detail"]), (401, &"revoked".into()));
    gate.close().await;
}

#[tokio::test]
async fn role_reads_no_other_object_of_the_bucket() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    make(&account, folder.path());
    let sources = deployment_script(PAGE, "AWS Private CA sources");
    let (stack, _) = deploy(&account, folder.path(), &sources, &[]);
    let command = stack.command("RefreshCrlsFunction");
    let command = command.variable("CRL_SOURCES", "s3://example-crls/crl/ID/PARTITION-3.crl");
    let function = alb_mtls_tests::Function::run(command).await;
    let outcome = format!("{:?}", function.invoke("{}").await);
    assert!(
        outcome.contains("CrlsUnreachable") && outcome.contains("403 AccessDenied"),
        "{outcome}"
    );
}
