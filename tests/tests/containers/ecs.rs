//! `deploy/ecs/service.yaml`.

use std::collections::BTreeMap;

use alb_mtls_tests::{Account, Clients};
use serde_json::{Value, json};

use crate::gate::{Deployment, Site, has_the_default_ports};
use crate::{from_python, text};

const STACK_ID: &str =
    "arn:aws:cloudformation:eu-west-1:111122223333:stack/orders/5f0c8a10-ba1c-11ef-8a2b-0a58a9feac02";

fn template() -> Value {
    let read =
        "import json, sys; from cfnlint.decode.cfn_yaml import load; print(json.dumps(load(sys.argv[1])))";
    from_python(&["-c", read, "deploy/ecs/service.yaml"], &Value::Null)
}

/// Returns a parameter, an attribute of the stack, or the name of a resource.
fn referenced(name: &str, template: &Value) -> String {
    match name {
        "AWS::StackId" => STACK_ID.to_owned(),
        "AWS::StackName" => "orders".to_owned(),
        "LoadBalancerCidrs" => "10.0.0.0/24 10.0.1.0/24".to_owned(),
        "AnchorsParameter" => "/orders/anchors".to_owned(),
        _ => match &template["Parameters"][name]["Default"] {
            Value::Null => format!("<{name}>"),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
    }
}

/// Evaluates the functions of CloudFormation that the template uses in texts.
fn evaluated(value: &Value, template: &Value) -> String {
    if let Some(name) = value["Ref"].as_str() {
        return referenced(name, template);
    }
    if let Some(pattern) = value["Fn::Sub"].as_str() {
        let mut parts = pattern.split("${");
        let mut result = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            result += &referenced(name, template);
            result += rest;
        }
        return result;
    }
    if let Some([delimiter, list]) = value["Fn::Join"].as_array().map(Vec::as_slice) {
        let parts: Vec<String> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|part| evaluated(part, template))
            .collect();
        return parts.join(text(delimiter));
    }
    if let Some([index, list]) = value["Fn::Select"].as_array().map(Vec::as_slice) {
        let split = list["Fn::Split"].as_array().unwrap();
        let whole = evaluated(&split[1], template);
        let mut parts = whole.split(text(&split[0]));
        let index = usize::try_from(index.as_u64().unwrap()).unwrap();
        return parts.nth(index).unwrap().to_owned();
    }
    text(value).to_owned()
}

fn properties<'a>(template: &'a Value, resource: &str) -> &'a Value {
    &template["Resources"][resource]["Properties"]
}

fn container<'a>(template: &'a Value, name: &str) -> &'a Value {
    let containers = properties(template, "TaskDefinition")["ContainerDefinitions"]
        .as_array()
        .unwrap();
    containers.iter().find(|one| one["Name"] == name).unwrap()
}

fn deployment(template: &Value) -> Deployment {
    let gate = container(template, "gate");
    let variables = gate["Environment"].as_array().unwrap().iter();
    let environment: BTreeMap<String, String> = variables
        .map(|one| (text(&one["Name"]).to_owned(), evaluated(&one["Value"], template)))
        .collect();
    let attributes = &properties(template, "Listener")["ListenerAttributes"];
    let group = properties(template, "TargetGroup");
    Deployment {
        environment,
        header: evaluated(&attributes[0]["Value"], template),
        port: group["Port"].as_u64().unwrap(),
        health_port: text(&group["HealthCheckPort"]).parse().unwrap(),
        health_paths: vec![text(&group["HealthCheckPath"]).to_owned()],
    }
}

#[test]
fn the_load_balancer_alone_reaches_the_gate_and_nothing_reaches_the_service() {
    let template = template();
    let deployment = deployment(&template);
    has_the_default_ports(&deployment);
    assert_eq!(deployment.environment["MTLS_HEADER"], deployment.header);
    assert_eq!(deployment.header, "x-5f0c8a10-ba1c-11ef-8a2b-0a58a9feac02");
    let listener = properties(&template, "Listener");
    assert_eq!(listener["MutualAuthentication"], json!({"Mode": "passthrough"}));
    assert_eq!(
        listener["ListenerAttributes"][0]["Key"],
        "routing.http.request.x_amzn_mtls_clientcert.header_name"
    );

    let resources = template["Resources"].as_object().unwrap();
    let of_type = |wanted: &str| {
        let all = resources.values();
        all.filter(|one| one["Type"] == wanted)
            .map(|one| &one["Properties"])
            .collect::<Vec<_>>()
    };
    assert_eq!(of_type("AWS::ElasticLoadBalancingV2::Listener").len(), 1);
    let tasks = properties(&template, "TaskSecurityGroup");
    assert!(tasks.get("SecurityGroupIngress").is_none());
    let mut open = Vec::new();
    for rule in of_type("AWS::EC2::SecurityGroupIngress") {
        assert_eq!(rule["GroupId"]["Ref"], "TaskSecurityGroup");
        assert_eq!(rule["SourceSecurityGroupId"]["Ref"], "LoadBalancerSecurityGroup");
        assert!(rule.get("CidrIp").is_none());
        assert_eq!(rule["FromPort"], rule["ToPort"]);
        open.push(rule["FromPort"].as_u64().unwrap());
    }
    open.sort_unstable();
    assert_eq!(open, [deployment.port, deployment.health_port]);

    let service = container(&template, "service");
    assert!(service.get("PortMappings").is_none());
    let network = &properties(&template, "Service")["NetworkConfiguration"]["AwsvpcConfiguration"];
    assert_eq!(network["AssignPublicIp"], "DISABLED");
    let upstream = &deployment.environment["FORWARD_UPSTREAM"];
    assert_eq!(upstream, "http://127.0.0.1:3000");
    let balancers = &properties(&template, "Service")["LoadBalancers"];
    assert_eq!(balancers[0]["ContainerName"], "gate");
    let gate = container(&template, "gate");
    assert_eq!(gate["ReadonlyRootFilesystem"], true);
    assert_eq!(gate["User"], "65532:65532");
    assert_eq!(gate["LinuxParameters"]["Capabilities"]["Drop"], json!(["ALL"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_of_the_task_serves_with_anchors_in_parameter_store() {
    let template = template();
    let clients = Clients::new();
    let account = Account::start();
    std::fs::write(clients.directory().join("root.pem"), clients.root.pem()).unwrap();
    let script = "aws ssm put-parameter --name /orders/anchors --type String --value file://root.pem";
    account.must_run(clients.directory(), script, &[]);
    // What the container's agent hands to a task.
    let endpoint = account.endpoint();
    let task = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "task"),
        ("AWS_SECRET_ACCESS_KEY", "task"),
    ];
    let mut site = Site::start(&deployment(&template), clients, &task).await;
    site.serves_its_clients_alone().await;
    site.shows_metrics().await;
}

#[test]
fn the_task_may_read_the_anchors_and_nothing_else() {
    let template = template();
    let policies = properties(&template, "TaskRole")["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1);
    let statements = &policies[0]["PolicyDocument"]["Statement"];
    assert_eq!(
        *statements,
        json!([{
            "Effect": "Allow",
            "Action": "ssm:GetParameter",
            "Resource": {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${AnchorsParameter}"},
        }])
    );
}
