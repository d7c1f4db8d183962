//! The rule of AWS WAF in docs/hostile-clients.md, against CloudFormation's schema.

use std::path::Path;
use std::process::{Command, Output};

use alb_mtls_tests::project;
use serde_json::{Value, json};

#[test]
fn documented_waf_rule_fits_the_schema() {
    let page = std::fs::read_to_string(project().join("docs/hostile-clients.md")).unwrap();
    let (_, after) = page.split_once("```json\n").unwrap();
    let rule: Value = serde_json::from_str(after.split_once("```").unwrap().0).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The listener renames the header: a rule for the default name would match every request.
    assert!(!rule.to_string().contains("x-amzn-mtls-clientcert"), "{rule}");
    let output = lint(&rule, folder.path());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );

    let (_, action) = page.split_once("make it `\"Action\": ").unwrap();
    let mut blocks = rule.clone();
    blocks["Action"] = serde_json::from_str(action.split_once('`').unwrap().0).unwrap();
    let output = lint(&blocks, folder.path());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );

    let mut wrong = rule;
    wrong["Statement"]["AndStatement"]["Statements"][1]["NotStatement"]["Statement"]["SizeConstraintStatement"]
        ["ComparisonOperator"] = json!("MORE");
    assert!(!lint(&wrong, folder.path()).status.success());
}

/// Runs `cfn-lint` on a web ACL with the rule.
fn lint(rule: &Value, folder: &Path) -> Output {
    let visibility = &rule["VisibilityConfig"];
    let template = json!({"Resources": {"Acl": {"Type": "AWS::WAFv2::WebACL", "Properties": {
        "Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": visibility, "Rules": [rule]}}}});
    let path = folder.join("acl.json");
    std::fs::write(&path, template.to_string()).unwrap();
    Command::new(project().join(".venv/bin/cfn-lint"))
        .arg(path)
        .output()
        .unwrap()
}
