//! CAs from objects in S3, for those that do not fit a parameter.

use std::path::Path;

use alb_mtls_tests::{Account, Function, deployment_script};
use test_pki::{CertificateBuilder, KeyKind};

use crate::certificates::{Client, ask, deployed};
use crate::examples::PAGE;

/// Writes a CA whose root does not fit a parameter, and a client that sends its own certificate
/// alone.
fn make(folder: &Path) -> Client {
    let root = CertificateBuilder::root("CN=ML-DSA Root,O=Example")
        .key_kind(KeyKind::MlDsa87)
        .self_signed()
        .unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Issuing CA,O=Example")
        .issued_by(&root)
        .unwrap();
    assert!(root.pem().len() > 8_192, "{}", root.pem().len());
    std::fs::write(folder.join("roots.pem"), root.pem()).unwrap();
    std::fs::write(folder.join("issuing.pem"), issuing.pem()).unwrap();
    let client = CertificateBuilder::client("CN=client-1,O=Example")
        .issued_by(&issuing)
        .unwrap();
    Client::write(folder, "client", &[&client])
}

#[tokio::test]
async fn root_in_an_object_is_read_and_no_other_object() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let client = make(folder.path());
    let root = std::fs::read(folder.path().join("roots.pem")).unwrap();
    account.put_object("example-pki", "other.pem", &root);
    // With the path by default, which has no parameters, nothing would be trusted.
    let script = deployment_script(PAGE, "large certificates");
    let stack = deployed(&account, folder.path(), &script);
    let mut gate = stack.listen().await;
    let (status, record) = ask(&mut gate, &client, "/").await;
    assert_eq!(status, 200, "{record}");
    gate.close().await;

    let other = stack
        .command("RespondFunction")
        .variable("MTLS_ANCHORS", "s3://example-pki/other.pem");
    let function = Function::run(other).await;
    let failure = function.line_where(|line| line["level"] == "ERROR").await;
    assert!(failure.to_string().contains("may not be read"), "{failure}");

    let wrong = format!("s3://example-pki/roots.pem#sha256={}", "0".repeat(64));
    let stack = account.change("gate", &[("AnchorsObjects", &wrong)]).unwrap();
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &client, "/").await.0, 503);
    gate.close().await;
}

#[test]
fn anchors_of_parameters_stay_beside_those_of_objects() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let stack = deployed(&account, folder.path(), "sam deploy --config-env two-tier");
    let sources = |stack: &alb_mtls_tests::Stack, function: &str, name: &str| {
        stack.variables(function)[name].as_str().unwrap().to_owned()
    };
    assert_eq!(
        sources(&stack, "RespondFunction", "MTLS_ANCHORS"),
        "ssm:/gate/anchors/*"
    );
    let change = [
        ("AnchorsParameterPath", "/gate/anchors"),
        ("AnchorsObjects", "s3://example-pki/new.pem"),
        ("IntermediatesObjects", "s3://example-pki/issuing.pem"),
    ];
    let stack = account.change("gate", &change).unwrap();
    for (function, prefix) in [("RespondFunction", "MTLS"), ("RefreshCrlsFunction", "CRL")] {
        assert_eq!(
            sources(&stack, function, &format!("{prefix}_ANCHORS")),
            "ssm:/gate/anchors/* s3://example-pki/new.pem"
        );
        assert_eq!(
            sources(&stack, function, &format!("{prefix}_INTERMEDIATES")),
            "ssm:/gate/intermediates/* s3://example-pki/issuing.pem"
        );
    }
}
