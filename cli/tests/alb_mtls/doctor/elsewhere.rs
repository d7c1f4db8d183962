//! Terraform plans and states, and Kubernetes manifests.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{doctor, found, not_looked_at, project};

const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/73e2d6bc24d8a067";
const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/gate/50dc/f2f7";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:gate";

fn resource(address: &str, values: Value) -> Value {
    let last = address.rsplit('.').take(2).collect::<Vec<_>>();
    json!({"address": address, "mode": "managed", "type": last[1], "name": last[0], "values": values})
}

/// A state, in which every value is known.
fn state() -> Value {
    let resources = vec![
        resource(
            "aws_lb_listener.https",
            json!({"arn": LISTENER, "protocol": "HTTPS", "port": 443,
            "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "routing_http_request_x_amzn_mtls_clientcert_header_name": "x-7f3a",
            "mutual_authentication": [{"mode": "passthrough"}],
            "default_action": [{"type": "forward", "target_group_arn": GROUP, "forward": []}]}),
        ),
        resource(
            "aws_lb_listener.http",
            json!({"arn": LISTENER.replace("f2f7", "a1a7"), "protocol": "HTTP", "port": 80,
            "default_action": [{"type": "redirect", "target_group_arn": ""}]}),
        ),
        resource(
            "aws_lb_listener_rule.admin",
            json!({"listener_arn": LISTENER,
            "action": [{"type": "forward", "forward": [{"target_group": [{"arn": GROUP, "weight": 1}]}]}]}),
        ),
        resource(
            "aws_lb_target_group.gate",
            json!({"arn": GROUP, "name": "gate", "target_type": "lambda",
            "lambda_multi_value_headers_enabled": true}),
        ),
        resource(
            "aws_lb_target_group_attachment.gate",
            json!({"target_group_arn": GROUP, "target_id": FUNCTION}),
        ),
        resource(
            "aws_lambda_function.gate",
            json!({"arn": FUNCTION, "function_name": "gate", "runtime": "provided.al2023",
            "timeout": 29, "layers": [], "logging_config": [{"log_group": "gate-logs"}],
            "environment": [{"variables": {"MTLS_ANCHORS": "s3://gate-trust/anchors.pem", "MTLS_HEADER": "x-7f3a",
                "MTLS_TARGET_GROUPS": GROUP}}]}),
        ),
        resource(
            "aws_lambda_permission.alb",
            json!({"function_name": "gate", "action": "lambda:InvokeFunction",
            "principal": "elasticloadbalancing.amazonaws.com", "source_arn": GROUP, "source_account": "123456789012"}),
        ),
        resource(
            "aws_cloudwatch_log_group.gate",
            json!({"name": "gate-logs", "retention_in_days": 90}),
        ),
        resource(
            "aws_s3_bucket.trust",
            json!({"bucket": "gate-trust", "arn": "arn:aws:s3:::gate-trust", "id": "gate-trust"}),
        ),
        resource(
            "aws_s3_bucket_public_access_block.trust",
            json!({"bucket": "gate-trust", "block_public_acls": true,
            "block_public_policy": true, "ignore_public_acls": true, "restrict_public_buckets": true}),
        ),
        resource(
            "aws_s3_bucket_versioning.trust",
            json!({"bucket": "gate-trust",
            "versioning_configuration": [{"status": "Enabled"}]}),
        ),
        resource(
            "aws_iam_role_policy.gate",
            json!({"policy": policy("s3:GetObject")}),
        ),
    ];
    json!({"format_version": "1.0", "terraform_version": "1.13.0", "values": {"root_module": {"resources": resources}}})
}

fn policy(action: &str) -> String {
    json!({"Statement": [{"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::gate-trust/*"}]})
        .to_string()
}

fn examined(document: &str) -> std::process::Output {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plan.json"), document).unwrap();
    doctor(&["--json"], folder.path())
}

#[test]
fn state_that_is_wired_like_the_module_is_clean() {
    let output = examined(&state().to_string());
    assert_eq!(found(&output), []);
    assert_eq!(not_looked_at(&output), Vec::<String>::new());
}

#[test]
fn each_fault_of_a_state_is_found() {
    let state = state().to_string();
    for (before, after, check) in [
        (
            "\"mode\":\"passthrough\"",
            "\"mode\":\"verify\"",
            "listener-not-passthrough",
        ),
        (
            "\"mode\":\"passthrough\"",
            "\"mode\":\"off\"",
            "listener-without-mutual-tls",
        ),
        (
            "\"type\":\"redirect\",\"target_group_arn\":\"\"",
            &format!("\"type\":\"forward\",\"target_group_arn\":\"{GROUP}\""),
            "listener-without-mutual-tls",
        ),
        (
            "\"lambda_multi_value_headers_enabled\":true",
            "\"lambda_multi_value_headers_enabled\":false",
            "single-value-headers",
        ),
        (
            "\"routing_http_request_x_amzn_mtls_clientcert_header_name\":\"x-7f3a\"",
            "\"x\":1",
            "default-certificate-header",
        ),
        (
            "\"MTLS_HEADER\":\"x-7f3a\"",
            "\"MTLS_HEADER\":\"x-other\"",
            "header-name-differs",
        ),
        ("\"MTLS_TARGET_GROUPS\"", "\"OTHER\"", "target-groups-unset"),
        ("\"MTLS_ANCHORS\"", "\"OTHER\"", "target-without-gate"),
        (
            "\"runtime\":\"provided.al2023\"",
            "\"runtime\":\"python3.13\"",
            "wrapper-missing",
        ),
        ("\"timeout\":29", "\"timeout\":3", "timeout-short"),
        (
            &format!("\"source_arn\":\"{GROUP}\""),
            "\"source_arn\":null",
            "permission-too-wide",
        ),
        (
            "\"principal\":\"elasticloadbalancing.amazonaws.com\"",
            "\"principal\":\"*\"",
            "permission-too-wide",
        ),
        (
            "\"retention_in_days\":90",
            "\"retention_in_days\":0",
            "log-retention",
        ),
        (
            "\"block_public_acls\":true",
            "\"block_public_acls\":false",
            "trust-bucket-public",
        ),
        (
            "\"status\":\"Enabled\"",
            "\"status\":\"Suspended\"",
            "trust-bucket-unversioned",
        ),
        ("s3:GetObject", "s3:Put*", "trust-writer"),
        (
            "\"name\":\"gate-logs\"",
            "\"function_name\":\"gate\"",
            "log-retention",
        ),
    ] {
        assert!(state.contains(before), "{before}: {state}");
        let output = examined(&state.replacen(before, after, 1));
        let found = found(&output);
        assert!(found.iter().any(|(name, _)| name == check), "{before}: {found:?}");
    }
    let mut with_url = self::state();
    let resources = with_url["values"]["root_module"]["resources"]
        .as_array_mut()
        .unwrap();
    resources.push(resource(
        "aws_lambda_function_url.gate",
        json!({"function_name": "gate", "authorization_type": "NONE"}),
    ));
    assert_eq!(
        found(&examined(&with_url.to_string())),
        [(
            "function-url".to_owned(),
            "aws_lambda_function_url.gate".to_owned()
        )]
    );
}

/// A plan before the first apply: references are in its configuration, and values that AWS chooses
/// are missing.
fn plan(http_action: Value) -> Value {
    let module = "module.gate.";
    let planned = |name: &str, values: Value| resource(&format!("{module}{name}"), values);
    let resources = vec![
        planned(
            "aws_lb_listener.https",
            json!({"protocol": "HTTPS", "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "routing_http_request_x_amzn_mtls_clientcert_header_name": "x-7f3a",
            "mutual_authentication": [{"mode": "passthrough"}], "default_action": [{"type": "forward"}]}),
        ),
        planned(
            "aws_lb_listener.http",
            json!({"protocol": "HTTP", "default_action": [{"type": http_action["type"]}]}),
        ),
        planned(
            "aws_lb_target_group.gate",
            json!({"name": "gate", "target_type": "lambda", "lambda_multi_value_headers_enabled": true}),
        ),
        planned("aws_lb_target_group_attachment.gate", json!({})),
        planned(
            "aws_lambda_function.gate",
            json!({"function_name": "gate", "runtime": "provided.al2023",
            "logging_config": [{"log_group": "gate-logs"}],
            "environment": [{"variables": {"MTLS_ANCHORS": "ssm:/anchors/*", "MTLS_HEADER": "x-7f3a"}}]}),
        ),
        planned(
            "aws_cloudwatch_log_group.gate",
            json!({"name": "gate-logs", "retention_in_days": 90}),
        ),
    ];
    let described =
        |address: &str, expressions: Value| json!({"address": address, "expressions": expressions});
    let group = json!({"references": ["aws_lb_target_group.gate.arn", "aws_lb_target_group.gate"]});
    json!({
        "format_version": "1.2",
        "planned_values": {"root_module": {"child_modules": [{"address": "module.gate", "resources": resources}]}},
        "resource_changes": [{"address": "module.gate.aws_lambda_function.gate", "change": {"after_unknown":
            {"environment": [{"variables": {"MTLS_TARGET_GROUPS": true}}]}}}],
        "configuration": {"root_module": {"module_calls": {"gate": {"module": {"resources": [
            described("aws_lb_listener.https", json!({"default_action": [{"target_group_arn": group}]})),
            described("aws_lb_listener.http", json!({"default_action": [{"target_group_arn": http_action["target_group_arn"]}]})),
            described("aws_lb_target_group_attachment.gate", json!({"target_group_arn": group,
                "target_id": {"references": ["aws_lambda_function.gate.arn", "aws_lambda_function.gate"]}})),
        ]}}}}},
    })
}

#[test]
fn plan_before_the_first_apply_has_relations_and_names_what_is_not_known_yet() {
    let clean = examined(&plan(json!({"type": "redirect"})).to_string());
    assert_eq!(found(&clean), []);
    assert_eq!(
        not_looked_at(&clean),
        ["value:module.gate.aws_lambda_function.gate"]
    );
    let action =
        json!({"type": "forward", "target_group_arn": {"references": ["aws_lb_target_group.gate.arn"]}});
    let expected = (
        "listener-without-mutual-tls".to_owned(),
        "module.gate.aws_lb_listener.http".to_owned(),
    );
    assert_eq!(found(&examined(&plan(action).to_string())), [expected]);
}

fn manifest() -> String {
    let read = |name: &str| fs::read_to_string(project().join("deploy/kubernetes").join(name)).unwrap();
    format!("{}---\n{}", read("sidecar.yaml"), read("ingress.yaml"))
}

#[test]
fn our_manifest_is_clean_and_each_fault_in_it_is_found() {
    let output = examined(&manifest());
    assert_eq!(found(&output), []);
    assert_eq!(not_looked_at(&output), Vec::<String>::new());
    for (before, after, check) in [
        (
            "'[{\"HTTPS\": 443}]'",
            "'[{\"HTTP\": 80}, {\"HTTPS\": 443}]'",
            "listener-without-mutual-tls",
        ),
        (
            "alb.ingress.kubernetes.io/mutual-authentication: '[{\"port\": 443, \"mode\": \"passthrough\"}]'",
            "x: y",
            "listener-without-mutual-tls",
        ),
        (
            "\"mode\": \"passthrough\"",
            "\"mode\": \"verify\"",
            "listener-not-passthrough",
        ),
        (
            "header_name=x-SECRET-NAME",
            "header_name=x-other",
            "header-name-differs",
        ),
        (
            "alb.ingress.kubernetes.io/listener-attributes.HTTPS-443:",
            "other:",
            "default-certificate-header",
        ),
        ("MTLS_ANCHORS", "OTHER", "target-without-gate"),
    ] {
        assert!(manifest().contains(before), "{before}");
        let found = found(&examined(&manifest().replacen(before, after, 1)));
        assert!(found.iter().any(|(name, _)| name == check), "{before}: {found:?}");
    }
    let redirected = manifest().replacen(
        "'[{\"HTTPS\": 443}]'",
        "'[{\"HTTP\": 80}, {\"HTTPS\": 443}]'\n    alb.ingress.kubernetes.io/ssl-redirect: \"443\"",
        1,
    );
    assert_eq!(found(&examined(&redirected)), []);
}

#[test]
fn part_of_a_manifest_that_is_elsewhere_is_not_looked_at() {
    let group = manifest().replacen(
        "    alb.ingress.kubernetes.io/scheme:",
        "    alb.ingress.kubernetes.io/group.name: shared\n    alb.ingress.kubernetes.io/scheme:",
        1,
    );
    assert_eq!(
        not_looked_at(&examined(&group)),
        ["ingress-group:orders/Ingress/orders"]
    );
    let quoted = manifest().replacen(
        "'[{\"port\": 443, \"mode\": \"passthrough\"}]'",
        "\"'[{port: 443}]'\"",
        1,
    );
    let missed = not_looked_at(&examined(&quoted));
    assert!(
        missed.contains(&"listener:orders/Ingress/orders".to_owned()),
        "{missed:?}"
    );
    let service = manifest().replacen("kind: Service\n", "kind: Other\n", 1);
    assert_eq!(
        not_looked_at(&examined(&service)),
        [
            "listener:orders/Deployment/orders/gate",
            "target:orders/Service/orders"
        ]
    );
}

const GATEWAY: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate}
spec:
  gatewayClassName: alb
  infrastructure: {parametersRef: {group: gateway.k8s.aws, kind: LoadBalancerConfiguration, name: gate}}
  listeners: [{name: https, protocol: HTTPS, port: 443}]
---
apiVersion: gateway.k8s.aws/v1beta1
kind: LoadBalancerConfiguration
metadata: {name: gate}
spec:
  listenerConfigurations:
    - protocolPort: HTTPS:443
      mutualAuthentication: {mode: passthrough}
      listenerAttributes: [{key: routing.http.request.x_amzn_mtls_clientcert.header_name, value: x-7f3a}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: gate}
spec:
  parentRefs: [{name: gate}]
  rules: [{backendRefs: [{name: gate, port: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: gate}
spec: {selector: {app: gate}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gate}
data: {MTLS_HEADER: x-7f3a}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gate}
spec:
  template:
    metadata: {labels: {app: gate}}
    spec:
      containers:
        - name: gate
          ports: [{containerPort: 8080}]
          envFrom: [{configMapRef: {name: gate}}]
          env: [{name: MTLS_ANCHORS, value: "file:/anchors.pem"}]
"#;

#[test]
fn gateway_is_clean_and_each_fault_in_it_is_found() {
    let output = examined(GATEWAY);
    assert_eq!(found(&output), []);
    assert_eq!(not_looked_at(&output), Vec::<String>::new());
    for (before, after, check) in [
        (
            "{mode: passthrough}",
            "{mode: verify}",
            "listener-not-passthrough",
        ),
        (
            "[{name: https, protocol: HTTPS, port: 443}]",
            "[{name: https, protocol: HTTPS, port: 443}, {name: http, protocol: HTTP, port: 80}]",
            "listener-without-mutual-tls",
        ),
        ("value: x-7f3a", "value: x-other", "header-name-differs"),
        ("MTLS_ANCHORS", "OTHER", "target-without-gate"),
    ] {
        let found = found(&examined(&GATEWAY.replacen(before, after, 1)));
        assert!(found.iter().any(|(name, _)| name == check), "{before}: {found:?}");
    }
    let elsewhere = GATEWAY.replacen(
        "kind: LoadBalancerConfiguration\nmetadata",
        "kind: Other\nmetadata",
        1,
    );
    assert!(not_looked_at(&examined(&elsewhere)).contains(&"listener:default/Gateway/gate".to_owned()));
}
