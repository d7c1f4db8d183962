//! The module by itself: its tests, its variables, and the names of published CRLs.

use alb_mtls_tests::project;
use alb_mtls_trust::{CrlDestination, CrlLocation};

use crate::configuration::Configuration;

/// Returns the text of the module's files of Terraform.
fn sources(wanted: impl Fn(&str) -> bool) -> String {
    let entries = std::fs::read_dir(project().join("deploy/terraform")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.ends_with(".tf") && wanted(name)
    });
    files.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn own_tests_of_the_module_pass() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    let output = configuration.must_run(
        "cd deploy/terraform && terraform init && terraform validate && terraform test",
        &[],
    );
    let result = output.rsplit("Success! ").next().unwrap();
    let (passed, rest) = result.split_once(" passed, ").unwrap();
    assert!(
        rest.starts_with("0 failed.") && passed.parse::<u32>().unwrap() > 40,
        "{output}"
    );
}

#[test]
fn each_variable_is_used_described_and_refused_somewhere() {
    let declared = std::fs::read_to_string(project().join("deploy/terraform/variables.tf")).unwrap();
    let used = sources(|name| name != "variables.tf");
    let tests =
        std::fs::read_to_string(project().join("deploy/terraform/tests/refusals.tftest.hcl")).unwrap();
    let blocks: Vec<&str> = declared.split("\nvariable \"").skip(1).collect();
    assert!(blocks.len() > 40);
    for block in blocks {
        let (name, body) = block.split_once('"').unwrap();
        assert!(
            body.contains("\n  description = \"") && body.contains("\n  type "),
            "{name}"
        );
        let is_used = used.match_indices(&format!("var.{name}")).any(|(at, matched)| {
            let next = used
                .get(at + matched.len()..)
                .and_then(|rest| rest.chars().next());
            !next.is_some_and(|next| next.is_alphanumeric() || next == '_')
        });
        assert!(is_used, "{name} has no effect");
        let is_refused = tests.contains(&format!("var.{name},")) || tests.contains(&format!("var.{name}]"));
        assert_eq!(body.contains("validation {"), is_refused, "{name}");
    }
}

#[test]
fn crls_have_the_names_that_refresh_crls_publishes_them_under() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    let sources = [
        "http://crl.example.com/root.crl",
        "https://crl.example.com:8443/a/b.crl",
        "s3://pki/crls/issuing.crl",
        "http://pki.example.com/CertEnroll/Example%20CA(1)+.crl",
        "http://a.example/x%2By.crl",
        "http://a.example/%C3%A9.crl",
    ];
    let variables = serde_json::json!({
        "package": "main.tf", "refresh_crls_package": "main.tf", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"],
        "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/1", "crl_sources": sources,
        "anchors": {"root": "-----BEGIN CERTIFICATE-----"},
    });
    let folder = configuration.path().join("deploy/terraform");
    std::fs::write(folder.join("terraform.tfvars.json"), variables.to_string()).unwrap();
    configuration.must_run(
        "cd deploy/terraform && terraform init && terraform plan -out=plan && terraform show -json plan > plan.json",
        &[],
    );
    let plan = std::fs::read_to_string(folder.join("plan.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let resources = plan["planned_values"]["root_module"]["resources"]
        .as_array()
        .unwrap();
    let function = |name: &str| {
        let function = resources
            .iter()
            .find(|resource| resource["address"] == name)
            .unwrap();
        &function["values"]["environment"][0]["variables"]
    };
    let refresher = function("aws_lambda_function.refresh_crls[0]");
    let destination: CrlDestination = refresher["CRL_DESTINATION"].as_str().unwrap().parse().unwrap();
    let gate: Vec<&str> = function("aws_lambda_function.gate")["MTLS_CRLS"]
        .as_str()
        .unwrap()
        .split(' ')
        .collect();
    assert_eq!(gate.len(), sources.len());
    for (source, crl) in sources.iter().zip(gate) {
        let location: CrlLocation = source.parse().unwrap();
        let named: alb_mtls_trust::Sources = crl.parse().unwrap();
        let published: alb_mtls_trust::Sources =
            destination.object_for(&location).to_string().parse().unwrap();
        assert_eq!(format!("{named:?}"), format!("{published:?}"), "{source}");
    }
}
