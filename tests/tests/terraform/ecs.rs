//! The example `ecs`: a task with the gate as a sidecar, which agrees with the template of
//! CloudFormation.

use std::collections::BTreeMap;

use alb_mtls_tests::project;
use serde_json::Value;

use crate::configuration::Configuration;

const GATE: (&str, &str) = ("gate_image", "gate@sha256:0123456789abcdef");
const VARIABLES: [(&str, &str); 3] = [
    ("networks", r#"["10.0.0.0/24", "10.0.1.0/24"]"#),
    ("service_image", "orders"),
    ("crl_bucket", "orders-crls"),
];

fn with(image: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    VARIABLES.into_iter().chain([image]).collect()
}

/// Returns the values of every resource of a type.
fn of_type<'a>(state: &'a Value, wanted: &str) -> Vec<&'a Value> {
    let resources = state["values"]["root_module"]["resources"].as_array().unwrap();
    let found = resources.iter().filter(|one| one["type"] == wanted);
    found.map(|one| &one["values"]).collect()
}

#[test]
fn ecs_lets_the_load_balancer_alone_reach_the_gate() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    configuration.must_run(&Configuration::commands("ecs"), &with(GATE));
    configuration.must_run(
        "(cd deploy/terraform/examples/ecs && terraform show -json) > state.json",
        &[],
    );
    let state = std::fs::read_to_string(configuration.path().join("state.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();

    let containers = of_type(&state, "aws_ecs_task_definition")[0]["container_definitions"]
        .as_str()
        .unwrap();
    let containers: Vec<Value> = serde_json::from_str(containers).unwrap();
    let gate = &containers[0];
    let environment: BTreeMap<&str, &str> = gate["environment"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["value"].as_str().unwrap()))
        .collect();
    // The template's environment is started as it is, by the tests of containers.
    let template = std::fs::read_to_string(project().join("deploy/ecs/service.yaml")).unwrap();
    for name in environment.keys() {
        assert!(template.contains(&format!("Name: {name}")), "{name}");
    }
    assert_eq!(environment.len(), 9);
    assert_eq!(environment["MTLS_REVOCATION"], "strict");
    assert_eq!(environment["MTLS_ANCHORS"], "ssm:/orders/anchors");
    assert_eq!(environment["MTLS_INTERMEDIATES"], "ssm:/orders/intermediates");
    assert_eq!(
        environment["MTLS_CRLS"],
        "s3://orders-crls/root.crl s3://orders-crls/issuing.crl"
    );
    let policies = of_type(&state, "aws_iam_role_policy");
    let policy = policies.iter().find(|one| one["name"] == "read-trust-material");
    let policy: Value = serde_json::from_str(policy.unwrap()["policy"].as_str().unwrap()).unwrap();
    let allowed = policy["Statement"].as_array().unwrap().iter();
    let allowed: Vec<(&str, Vec<&str>)> = allowed
        .map(|statement| {
            let resources = statement["Resource"].as_array().unwrap().iter();
            let ends = resources.map(|arn| arn.as_str().unwrap().rsplit(':').next().unwrap());
            (statement["Action"].as_str().unwrap(), ends.collect())
        })
        .collect();
    assert_eq!(
        allowed,
        [
            (
                "ssm:GetParameter",
                vec!["parameter/orders/anchors", "parameter/orders/intermediates"]
            ),
            ("s3:GetObject", vec!["orders-crls/*"]),
            ("s3:ListBucket", vec!["orders-crls"]),
        ]
    );
    assert_eq!(environment["MTLS_PEERS"], "10.0.0.0/24 10.0.1.0/24");
    let listeners = of_type(&state, "aws_lb_listener");
    assert_eq!(listeners.len(), 1);
    assert_eq!(
        listeners[0]["routing_http_request_x_amzn_mtls_clientcert_header_name"],
        environment["MTLS_HEADER"]
    );
    assert_eq!(listeners[0]["mutual_authentication"][0]["mode"], "passthrough");
    assert_eq!(gate["user"], "65532:65532");
    assert_eq!(gate["readonlyRootFilesystem"], true);
    assert!(containers[1].get("portMappings").is_none());

    let rules = of_type(&state, "aws_vpc_security_group_ingress_rule");
    let mut open: Vec<(u64, bool)> = rules
        .iter()
        .map(|rule| (rule["from_port"].as_u64().unwrap(), rule["cidr_ipv4"].is_string()))
        .collect();
    open.sort_unstable();
    assert_eq!(open, [(443, true), (8080, false), (9901, false)]);
    let group = of_type(&state, "aws_lb_target_group")[0];
    assert_eq!(group["port"], 8080);
    assert_eq!(group["health_check"][0]["port"], "9901");
    assert_eq!(group["health_check"][0]["path"], "/readyz");
}

#[test]
fn ecs_refuses_an_image_without_a_digest_and_networks_that_are_none() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    let commands = Configuration::commands("ecs");
    let by_tag = configuration.run(&commands, &with(("gate_image", "gate:latest")));
    assert!(
        !by_tag.is_success && by_tag.text.contains("An image by its digest"),
        "{}",
        by_tag.text
    );
    let mut any = with(GATE);
    any[0] = ("networks", r#"["any"]"#);
    let any = configuration.run(&commands, &any);
    assert!(
        !any.is_success && any.text.contains("Networks such as"),
        "{}",
        any.text
    );
}

#[test]
fn ecs_with_one_ca_reads_its_anchors_alone() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    let commands = Configuration::commands("ecs");
    let commands = commands.replace(
        "-var \"crl_bucket=$crl_bucket\"",
        "-var intermediates= -var ocsp=aia-cas -var revocation=soft",
    );
    configuration.must_run(&commands, &with(GATE));
    configuration.must_run(
        "(cd deploy/terraform/examples/ecs && terraform show -json) > state.json",
        &[],
    );
    let state = std::fs::read_to_string(configuration.path().join("state.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(of_type(&state, "aws_ssm_parameter").len(), 1);
    let containers = of_type(&state, "aws_ecs_task_definition")[0]["container_definitions"]
        .as_str()
        .unwrap();
    assert!(
        containers.contains("MTLS_OCSP") && !containers.contains("MTLS_CRLS"),
        "{containers}"
    );
    assert!(!containers.contains("MTLS_INTERMEDIATES"), "{containers}");
    let revocation = r#"{"name":"MTLS_REVOCATION","value":"soft"}"#;
    assert!(containers.contains(revocation), "{containers}");
    let rules = of_type(&state, "aws_vpc_security_group_egress_rule");
    assert!(rules.iter().any(|rule| rule["from_port"] == 80), "{rules:?}");
}
