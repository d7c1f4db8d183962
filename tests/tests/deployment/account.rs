//! The simulated account itself: what it refuses shows that the other tests can fail.

use alb_mtls_tests::{Account, Function};
use serde_json::Value;

use crate::certificates::{Pki, ask, deployed};
use crate::examples::example;

/// Writes the templates with a change of one of them into a folder.
fn with_template(folder: &std::path::Path, file: &str, before: &str, after: &str) {
    std::fs::create_dir_all(folder.join("deploy/sam")).unwrap();
    for nested in ["trust", "load-balancer", "api", "observability"] {
        let nested = format!("deploy/sam/{nested}.yaml");
        std::fs::copy(alb_mtls_tests::project().join(&nested), folder.join(nested)).unwrap();
    }
    let text = std::fs::read_to_string(alb_mtls_tests::project().join(file)).unwrap();
    assert!(text.contains(before), "{file} has no `{before}`");
    std::fs::write(folder.join(file), text.replace(before, after)).unwrap();
}

#[tokio::test]
async fn role_that_may_not_read_the_anchors_answers_503() {
    let (account, pki) = (Account::start(), Pki::new());
    with_template(
        pki.path(),
        "deploy/sam/trust.yaml",
        "Action: ssm:GetParametersByPath",
        "Action: ssm:GetParameterHistory",
    );
    let stack = deployed(&account, pki.path(), &example("minimal"));
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 503);
    gate.close().await;
}

#[tokio::test]
async fn role_of_one_path_does_not_read_another() {
    let (account, pki) = (Account::start(), Pki::new());
    let stack = deployed(&account, pki.path(), &example("minimal"));
    account.must_run(
        pki.path(),
        "aws ssm put-parameter --name /other/anchors/root --type String --value file://anchors.pem",
        &[],
    );
    let command = stack
        .command("RespondFunction")
        .variable("MTLS_ANCHORS", "ssm:/other/anchors/*");
    let function = Function::run(command).await;
    let failure = function.line_where(|line| line["level"] == "ERROR").await;
    assert!(failure.to_string().contains("may not be read"), "{failure}");
}

#[tokio::test]
async fn template_without_intermediates_fails_as_it_did() {
    let (account, pki) = (Account::start(), Pki::new());
    with_template(
        pki.path(),
        "template.yaml",
        "        MTLS_INTERMEDIATES: ",
        "        #",
    );
    let stack = deployed(&account, pki.path(), &example("two-tier"));
    assert_eq!(
        stack.variables("RespondFunction")["MTLS_INTERMEDIATES"],
        Value::Null
    );
    let leaf = pki.issue("leaf", false);
    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &leaf, "/").await.0, 401);
    gate.close().await;
}

#[test]
fn policy_whose_resource_is_no_arn_is_refused() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    with_template(
        folder.path(),
        "deploy/sam/trust.yaml",
        r#"!Join ["arn:*:s3:::", !Split ["s3://", !Join ["s3://-/", !Split ["http://""#,
        r#"!Join ["s3://", !Split ["s3://", !Join ["s3://-/", !Split ["http://""#,
    );
    let output = account.run(folder.path(), "sam deploy --config-env private-ca", &[]);
    assert!(
        !output.is_success && output.text.contains("must be in ARN format"),
        "{}",
        output.text
    );
}

#[test]
fn reference_to_a_resource_that_is_not_made_is_refused() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    with_template(
        folder.path(),
        "template.yaml",
        "!If [HasRespond, !GetAtt RespondLogGroup.Arn, !Ref AWS::NoValue]",
        "!GetAtt RespondLogGroup.Arn",
    );
    let output = account.run(folder.path(), "sam deploy --config-env rest-api", &[]);
    assert!(
        !output.is_success && output.text.contains("RespondLogGroup is not made"),
        "{}",
        output.text
    );
}
