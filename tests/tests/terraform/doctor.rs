//! `alb-mtls doctor` on the plan and the state of each example.

use std::process::Command;

use alb_mtls_tests::{binary, project};
use serde_json::Value;

use crate::configuration::Configuration;

/// Returns the exit code and the report on a file.
pub(crate) fn examine(configuration: &Configuration, file: &str) -> (i32, Value) {
    let output = Command::new(binary("alb-mtls"))
        .args(["doctor", "--json", file])
        .current_dir(configuration.path())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), report)
}

#[test]
fn states_are_clean_and_plans_lack_the_random_name_alone() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    configuration.put_crls(
        "s3://example-crls/crl/ROOT.crl",
        &[
            "s3://example-crls/crl/SUBORDINATE/1.crl",
            "s3://example-crls/crl/SUBORDINATE/2.crl",
        ],
    );
    let commands =
        Configuration::commands("private-ca").replace("terraform apply", "terraform plan -out=plan");
    let shown = format!("{commands}terraform show -json plan > ../../../../plan.json\n");
    let applied = "terraform apply plan && terraform show -json > ../../../../state.json";
    configuration.must_run(&format!("{shown}{applied}"), &[]);
    let (code, report) = examine(&configuration, "state.json");
    assert_eq!(
        (code, &report["findings"]),
        (0, &Value::Array(Vec::new())),
        "{report:#}"
    );
    let (code, report) = examine(&configuration, "plan.json");
    assert_eq!(
        (code, &report["findings"]),
        (3, &Value::Array(Vec::new())),
        "{report:#}"
    );
    let gaps = report["not_looked_at"].as_array().unwrap();
    assert!(
        gaps.iter()
            .all(|gap| gap["what"].as_str().unwrap().contains("header")),
        "{report:#}"
    );
}

#[test]
fn plans_of_every_two_options_are_clean_and_each_hole_in_them_is_found() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    let script = format!(
        "{} -B {} {} $PWD/deploy/terraform",
        project().join(".venv/terraform/bin/python").display(),
        project().join("tests/tests/terraform/combinations.py").display(),
        binary("alb-mtls").display(),
    );
    let output = configuration.must_run(&script, &[]);
    assert!(output.contains("clean plans"), "{output}");
}

#[test]
fn folder_of_terraform_files_leads_to_the_plan() {
    let output = Command::new(binary("alb-mtls"))
        .args(["doctor", "deploy/terraform/main.tf"])
        .current_dir(project())
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("terraform show -json"), "{text}");
}
