//! The example `ecs`: a task with the gate as a sidecar, which agrees with the template of
//! CloudFormation.

use std::collections::BTreeMap;

use alb_mtls_tests::project;
use serde_json::Value;

use crate::configuration::Configuration;

const COMMANDS: &str = r#"
    cp root.pem deploy/terraform/examples/ecs/
    cd deploy/terraform/examples/ecs
    terraform init
    terraform apply -var "vpc_id=$vpc" -var "subnet_ids=$subnets" -var "service_subnet_ids=$private_subnets" \
        -var "certificate_arn=$certificate" -var 'subnet_cidrs=["10.0.0.0/24", "10.0.1.0/24"]' \
        -var "gate_image=$image" -var service_image=orders
"#;
const IMAGE: (&str, &str) = ("image", "gate@sha256:0123456789abcdef");

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
    configuration.must_run(COMMANDS, &[IMAGE]);
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
    assert_eq!(environment.len(), 6);
    assert_eq!(environment["MTLS_ANCHORS"], "ssm:/orders/anchors");
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
    let by_tag = configuration.run(COMMANDS, &[("image", "gate:latest")]);
    assert!(
        !by_tag.is_success && by_tag.text.contains("An image by its digest"),
        "{}",
        by_tag.text
    );
    let any = COMMANDS.replace(r#"["10.0.0.0/24", "10.0.1.0/24"]"#, r#"["any"]"#);
    let any = configuration.run(&any, &[IMAGE]);
    assert!(
        !any.is_success && any.text.contains("Networks such as"),
        "{}",
        any.text
    );
}
