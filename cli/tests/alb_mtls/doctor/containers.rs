//! Containers with a gate, and the ways past them.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{doctor, found};

/// Pods of a gate with its service in one, and of a gate that forwards to a service in another.
const MANIFEST: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: gate}
spec:
  template:
    metadata: {labels: {app: gate}}
    spec:
      hostNetwork: false
      containers:
        - name: gate
          ports: [{containerPort: 8080}]
          env:
            - {name: MTLS_ANCHORS, value: \"file:/anchors.pem\"}
            - {name: MTLS_HEADER, value: x-7f3a}
            - {name: MTLS_PEERS, value: 10.0.0.0/20}
            - {name: SERVER_UPSTREAM, value: \"http://orders:3000\"}
        - name: beside
          ports: [{containerPort: 3001}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  template:
    metadata: {labels: {app: orders}}
    spec:
      containers:
        - name: orders
          ports: [{containerPort: 3000}]
---
apiVersion: v1
kind: Service
metadata: {name: gate}
spec: {type: NodePort, selector: {app: gate}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: orders}
spec: {type: ClusterIP, selector: {app: orders}, ports: [{port: 3000, targetPort: 3000}]}
---
apiVersion: v1
kind: Service
metadata: {name: beside}
spec: {type: ClusterIP, selector: {app: gate}, ports: [{port: 3001, targetPort: 3001}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: gate
  annotations:
    alb.ingress.kubernetes.io/listen-ports: '[{\"HTTPS\": 443}]'
    alb.ingress.kubernetes.io/mutual-authentication: '[{\"port\": 443, \"mode\": \"passthrough\"}]'
    alb.ingress.kubernetes.io/listener-attributes.HTTPS-443: routing.http.request.x_amzn_mtls_clientcert.header_name=x-7f3a
spec:
  ingressClassName: alb
  rules: [{http: {paths: [{path: /, backend: {service: {name: gate, port: {number: 80}}}}]}}]
";

/// A second Ingress, without mutual TLS, to a service.
fn ingress_of(service: &str) -> String {
    format!(
        "---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: other, annotations: {{alb.ingress.kubernetes.io/scheme: internal}}}}
spec:
  rules: [{{http: {{paths: [{{path: /, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}]}}}}]
"
    )
}

fn of_manifest(manifest: &str) -> Vec<(String, String)> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.yaml");
    fs::write(&path, manifest).unwrap();
    found(&doctor(&["--json"], &path))
}

#[test]
fn pods_that_the_load_balancer_alone_reaches_are_clean() {
    assert_eq!(of_manifest(MANIFEST), []);
}

#[test]
fn each_way_past_a_gate_in_a_pod_is_found() {
    for (before, after, check, resource) in [
        (
            "hostNetwork: false",
            "hostNetwork: true",
            "gate-bypassed",
            "default/Deployment/gate",
        ),
        (
            "{containerPort: 8080}",
            "{containerPort: 8080, hostPort: 8080}",
            "gate-bypassed",
            "default/Deployment/gate",
        ),
        (
            "{containerPort: 3000}",
            "{containerPort: 3000, hostPort: 80}",
            "gate-bypassed",
            "default/Deployment/orders",
        ),
        (
            "type: NodePort",
            "type: LoadBalancer",
            "gate-bypassed",
            "default/Service/gate",
        ),
        (
            "{type: ClusterIP, selector: {app: orders}",
            "{type: LoadBalancer, selector: {app: orders}",
            "gate-bypassed",
            "default/Service/orders",
        ),
        (
            "{type: ClusterIP, selector: {app: gate}",
            "{type: NodePort, selector: {app: gate}",
            "gate-bypassed",
            "default/Service/beside",
        ),
        (
            "10.0.0.0/20",
            "10.0.0.0/20 ::/0",
            "peers-any",
            "default/Deployment/gate/gate",
        ),
        (
            "{name: MTLS_PEERS, value: 10.0.0.0/20}",
            "{name: SERVER_ALLOW_DEFAULT_HEADER, value: \"true\"}",
            "default-header-allowed",
            "default/Deployment/gate/gate",
        ),
    ] {
        assert!(MANIFEST.contains(before), "{before}");
        let findings = of_manifest(&MANIFEST.replacen(before, after, 1));
        let expected = (check.to_owned(), resource.to_owned());
        assert!(findings.contains(&expected), "{after}: {findings:?}");
    }
    for service in ["orders", "beside"] {
        let findings = of_manifest(&format!("{MANIFEST}{}", ingress_of(service)));
        let expected = ("gate-bypassed".to_owned(), "default/Ingress/other".to_owned());
        assert_eq!(findings, [expected], "{service}");
    }
}

#[test]
fn load_balancer_of_a_service_without_a_gate_is_not_judged() {
    let alone = MANIFEST.replace("http://orders:3000", "http://elsewhere:3000");
    let open = alone.replacen(
        "{type: ClusterIP, selector: {app: orders}",
        "{type: LoadBalancer, selector: {app: orders}",
        1,
    );
    assert_eq!(of_manifest(&open), []);
}

/// A task of ECS in a Terraform state, and a change of one of its values.
fn state(change: &[(&str, &str)]) -> String {
    let containers = json!([
        {"name": "gate", "portMappings": [{"containerPort": 8080}], "environment": [
            {"name": "MTLS_ANCHORS", "value": "ssm:/anchors/*"}, {"name": "MTLS_HEADER", "value": "x-7f3a"},
            {"name": "MTLS_PEERS", "value": "10.0.0.0/20"}]},
        {"name": "orders", "portMappings": [{"containerPort": 3000}]},
    ]);
    let task = "arn:aws:ecs:eu-west-1:123456789012:task-definition/gate:1";
    let group =
        |name: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{name}/73e2");
    let listener = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/gate/50dc/f2f7";
    let resource = |kind: &str, name: &str, values: Value| json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name, "values": values});
    let resources = json!([
        resource(
            "aws_ecs_task_definition",
            "gate",
            json!({"arn": task, "network_mode": "awsvpc",
            "container_definitions": containers.to_string()})
        ),
        resource(
            "aws_ecs_service",
            "gate",
            json!({"task_definition": task,
            "load_balancer": [{"target_group_arn": group("gate"), "container_name": "gate"}],
            "network_configuration": [{"security_groups": ["sg-1"]}]})
        ),
        resource(
            "aws_security_group",
            "tasks",
            json!({"id": "sg-1", "arn": "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-1",
            "ingress": [{"cidr_blocks": ["10.0.0.0/20"], "ipv6_cidr_blocks": [], "security_groups": []}]})
        ),
        resource(
            "aws_vpc_security_group_ingress_rule",
            "more",
            json!({"security_group_id": "sg-1", "cidr_ipv6": "2001:db8::/48"})
        ),
        resource(
            "aws_lb_target_group",
            "gate",
            json!({"arn": group("gate"), "name": "gate", "target_type": "ip"})
        ),
        resource(
            "aws_lb_listener",
            "https",
            json!({"arn": listener, "protocol": "HTTPS",
            "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "routing_http_request_x_amzn_mtls_clientcert_header_name": "x-7f3a",
            "mutual_authentication": [{"mode": "passthrough"}],
            "default_action": [{"type": "forward", "target_group_arn": group("gate"), "forward": []}]})
        ),
    ]);
    let mut text = json!({"format_version": "1.0", "terraform_version": "1.13.0", "values": {"root_module": {"resources": resources}}}).to_string();
    for (before, after) in change {
        assert!(text.contains(before), "{before} in {text}");
        text = text.replacen(before, after, 1);
    }
    text
}

fn of_state(change: &[(&str, &str)]) -> Vec<(String, String)> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, state(change)).unwrap();
    found(&doctor(&["--json"], &path))
}

#[test]
fn task_of_terraform_is_read_and_each_way_past_its_gate_is_found() {
    assert_eq!(of_state(&[]), []);
    for (before, after, check) in [
        ("\"awsvpc\"", "\"bridge\"", "gate-bypassed"),
        (
            "\"cidr_blocks\":[\"10.0.0.0/20\"]",
            "\"cidr_blocks\":[\"0.0.0.0/0\"]",
            "security-group-open",
        ),
        ("2001:db8::/48", "::/0", "security-group-open"),
        (
            "\\\"value\\\":\\\"10.0.0.0/20\\\"",
            "\\\"value\\\":\\\"any\\\"",
            "peers-any",
        ),
        ("MTLS_ANCHORS", "OTHER", "target-without-gate"),
        (
            "\"container_name\":\"gate\"",
            "\"container_name\":\"orders\"",
            "target-without-gate",
        ),
    ] {
        let findings = of_state(&[(before, after)]);
        let mut checks = findings.iter().map(|(check, _)| check);
        assert!(checks.any(|found| found == check), "{after}: {findings:?}");
    }
}
