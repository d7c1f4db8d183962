//! Values that would have no effect, miss another one or open something stop a deployment.

use alb_mtls_tests::{Account, project};
use alb_mtls_verifier::SignatureAlgorithm;

use crate::certificates::{Pki, ask, deployed};
use crate::examples::example;

/// An example, with a parameter and its value, and the words of the refusal.
type Refusal = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const REFUSALS: &[Refusal] = &[
    ("minimal", "VpcId", "", "SubnetIds needs VpcId and CertificateArn"),
    ("minimal", "SubnetIds", "", "SubnetIds, LoadBalancerArn, ListenerArn or ApiGateway is needed"),
    ("minimal", "SubnetIds", "subnet-0a1b2c3d4e5f67890", "two or more ids of subnets"),
    ("minimal", "AllowedCidrs", "10.0.0.0/8,10.1.0.0/16,10.2.0.0/16,10.3.0.0/16", "up to three networks"),
    ("minimal", "AllowedIpv6Cidrs", "::/0", "needs IpAddressType dualstack"),
    ("minimal", "ApiUpstream", "https://a.example.org", "without ApiGateway http"),
    ("minimal", "CrlPrivateNetworks", "10.0.0.0/8", "without CrlSources"),
    ("minimal", "CrlSources", "http://a/b.crl  s3://abc/d.crl", "separated by one space"),
    ("minimal", "CrlSources", "s3://abc/d.crl?versionId=1", "?region=, ?owner="),
    // It would become a permission for everything in that bucket.
    ("minimal", "CrlSources", "s3://abc/*", "without escapes"),
    ("minimal", "CrlSources", "http://a/b.crl?u=s3://abc/secret", "URLs of files"),
    ("minimal", "CrlSources", "http://user@a/b.crl", "without user"),
    ("minimal", "CrlSources", "http://a/", "URLs of files"),
    ("minimal", "CrlSources", "ftp://c/d.crl", "URLs of files"),
    ("minimal", "AnchorsObjects", "ssm:/pki/anchors", "s3://BUCKET/KEY"),
    ("minimal", "AnchorsObjects", "s3://pki/*", "s3://BUCKET/KEY"),
    ("minimal", "AnchorsObjects", "s3://pki/root.pem#sha256=00", "s3://BUCKET/KEY"),
    ("minimal", "IntermediatesObjects", "s3://pki", "AnchorsObjects"),
    ("minimal", "IntermediatesParameterPath", "/gate/anchors", "none that ends with /anchors"),
    ("minimal", "Signatures", "ed25519", "takes names such as"),
    ("minimal", "Signatures", "ml-dsa-87,ml-dsa-65", "takes names such as"),
    ("minimal", "ForwardUpstream", "http://10.0.0.7/?a=b", "ForwardUpstream"),
    ("minimal", "CertificateHeader", "X-Amzn-Mtls-Clientcert", "does not begin with x-amzn-"),
    ("minimal", "AnchorPem", "nothing", "takes certificates as PEM"),
    ("minimal", "ForwardFunctionEvent", "single-value", "without ForwardFunctionArn"),
    ("minimal", "LoadBalancerArn", "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1", "exclude each other"),
    ("minimal", "ListenerRulePaths", "/a", "without ListenerArn"),
    ("minimal", "ReservedConcurrency", "0", "ReservedConcurrency"),
    ("minimal", "NoSuchParameter", "1", "do not exist in the template"),
    ("existing-listener", "CertificateHeader", "", "needs CertificateHeader"),
    ("existing-listener", "WebAclArn", "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/1", "have no effect without SubnetIds"),
    ("existing-listener", "ForwardUpstream", "http://10.0.0.7", "need VpcId"),
    ("rest-api", "ForwardFunctionArn", "arn:aws:lambda:us-east-1:123456789012:function:a", "have no effect without SubnetIds"),
    ("rest-api", "FunctionSubnetIds", "subnet-2a1b2c3d4e5f67890", "need VpcId"),
    ("two-tier", "CrlPrivateNetworks", "10.0.0.0/33", "CrlPrivateNetworks"),
    ("two-tier", "CrlPrivateNetworks", "10.0.0.256/32", "CrlPrivateNetworks"),
    ("two-tier", "AnchorsParameterPath", "/gate/intermediates", "every CA is a trust anchor"),
];

#[test]
fn value_without_effect_or_without_its_counterpart_is_refused() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    let mut deployed = "";
    for (example, parameter, value, words) in REFUSALS {
        if deployed != *example {
            account.must_run(folder.path(), &format!("sam deploy --config-env {example}"), &[]);
            deployed = example;
        }
        let refused = account.change("gate", &[(parameter, value)]);
        let error = refused.expect_err(&format!("{parameter}={value} is not refused"));
        assert!(error.contains(words), "{parameter}={value}: {error}");
    }
}

#[test]
fn each_signature_algorithm_can_be_set() {
    let account = Account::start();
    let folder = tempfile::tempdir().unwrap();
    account.must_run(folder.path(), "sam deploy --config-env minimal", &[]);
    let all = SignatureAlgorithm::WORDS.join(" ");
    let stack = account.change("gate", &[("Signatures", &all)]).unwrap();
    assert_eq!(stack.variables("RespondFunction")["MTLS_SIGNATURES"], all);
    for file in ["deploy/terraform/variables.tf", "deploy/cdk/src/trust.ts"] {
        let text = std::fs::read_to_string(project().join(file)).unwrap();
        for word in SignatureAlgorithm::WORDS {
            assert!(
                text.contains(&format!("\"{word}\"")) || text.contains(&format!("'{word}'")),
                "{file} lacks {word}"
            );
        }
    }
}

#[tokio::test]
async fn two_stacks_do_not_share_their_anchors() {
    let (account, test, production) = (Account::start(), Pki::of("Test"), Pki::of("Production"));
    deployed(&account, production.path(), &example("minimal"));
    let for_test = example("minimal")
        .replace("/gate/", "/test/")
        .replace("--config-env minimal", "--config-env minimal --stack-name test");
    account.must_run(test.path(), &for_test, &[]);
    for (stack, own, other) in [("gate", &production, &test), ("test", &test, &production)] {
        let mut gate = account.stack(stack).listen().await;
        assert_eq!(ask(&mut gate, &own.client, "/").await.0, 200, "{stack}");
        assert_eq!(ask(&mut gate, &other.client, "/").await.0, 401, "{stack}");
        gate.close().await;
    }
    let headers = ["gate", "test"].map(|name| account.stack(name).output("CertificateHeaderName").to_owned());
    assert_ne!(headers[0], headers[1]);
}
