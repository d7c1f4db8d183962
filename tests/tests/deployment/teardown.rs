//! `docs/teardown.md`: what stays after `sam delete`, and its removal.

use alb_mtls_tests::{Account, deployment_script, project};

use crate::certificates::{Pki, deployed};
use crate::examples::example;

const PAGE: &str = "docs/teardown.md";

#[test]
fn parameters_log_groups_and_versioned_buckets_are_removed() {
    let (account, pki) = (Account::start(), Pki::new());
    let stack = deployed(&account, pki.path(), &example("two-tier"));
    // What the stack makes in AWS and the simulated account lacks, and objects in several versions.
    let bucket = stack.output("TrustBucketName").to_owned();
    let prepare = format!(
        "aws logs create-log-group --log-group-name /gate/respond
         aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled
         for body in anchors.pem issuing.pem; do aws s3api put-object --bucket {bucket} --key 'crls/a b.crl' --body $body; done
         aws s3api delete-object --bucket {bucket} --key 'crls/a b.crl'"
    );
    account.must_run(pki.path(), &prepare, &[]);
    let buckets = format!("{bucket} {}", stack.output("LogBucketName"));
    let variables = [("log_group", "/gate/respond"), ("buckets", buckets.as_str())];
    let left = deployment_script(PAGE, "left");
    let before = account.must_run(pki.path(), &left, &variables);
    for name in ["/gate/anchors/root", "/gate/respond", &bucket] {
        assert!(before.contains(name), "{before}");
    }
    let steps = ["keep", "parameters", "logs and buckets"].map(|name| deployment_script(PAGE, name));
    account.must_run(pki.path(), &steps.join("\n"), &variables);
    let kept = std::fs::read_to_string(pki.path().join("anchors-of-gate.pem")).unwrap();
    assert!(kept.contains("BEGIN CERTIFICATE"), "{kept}");
    let after = account.must_run(pki.path(), &left, &variables);
    assert!(!after.contains("gate"), "{after}");
}

/// Returns the logical names of resources that a template keeps.
fn kept(template: &str) -> Vec<String> {
    let text = std::fs::read_to_string(project().join(template)).unwrap();
    let mut name = String::new();
    let mut kept = Vec::new();
    for line in text.lines() {
        if let Some(logical) = line
            .strip_prefix("  ")
            .filter(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
        {
            name = logical.trim_end_matches(':').to_owned();
        } else if line == "    DeletionPolicy: Retain" {
            kept.push(name.clone());
        }
    }
    kept
}

#[test]
fn page_names_each_kind_of_resource_that_a_template_keeps() {
    let mut all = Vec::new();
    for template in [
        "template.yaml",
        "deploy/sam/load-balancer.yaml",
        "deploy/sam/api.yaml",
        "deploy/sam/observability.yaml",
    ] {
        all.extend(kept(template));
    }
    assert!(all.len() >= 8, "{all:?}");
    for name in all {
        let known = [
            "LogGroup",
            "TrustBucket",
            "TrustBucketPolicy",
            "LogBucket",
            "LogBucketPolicy",
        ];
        assert!(
            known.iter().any(|kind| name.ends_with(kind)),
            "docs/teardown.md says nothing about {name}, which stays after `sam delete`"
        );
    }
}
