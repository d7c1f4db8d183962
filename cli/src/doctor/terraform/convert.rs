//! The resources of the AWS provider in CloudFormation's form.

mod containers;

use super::Block;
use crate::doctor::node::{Node, Value};
use crate::doctor::resources::ResourceReader;
use crate::doctor::resources::balancing::{HEADER_ATTRIBUTE, MULTI_VALUE_ATTRIBUTE};
use crate::doctor::resources::iam;
use crate::doctor::rules;
use crate::doctor::text::{placeholder, resource_in, unknown};

/// Attributes of Terraform, and CloudFormation's.
type Names = &'static [(&'static str, &'static str)];

/// Kinds of which attributes are only renamed.
#[rustfmt::skip]
const RENAMED: [(&str, &str, Names); 12] = [
    ("aws_lambda_permission", "AWS::Lambda::Permission", &[
        ("function_name", "FunctionName"), ("action", "Action"), ("principal", "Principal"), ("source_arn", "SourceArn"),
        ("source_account", "SourceAccount"), ("function_url_auth_type", "FunctionUrlAuthType"),
        ("invoked_via_function_url", "InvokedViaFunctionUrl"),
    ]),
    ("aws_lambda_function_url", "AWS::Lambda::Url", &[("function_name", "TargetFunctionArn")]),
    ("aws_lambda_alias", "AWS::Lambda::Alias", &[("function_name", "FunctionName")]),
    ("aws_cloudwatch_log_group", "AWS::Logs::LogGroup", &[("name", "LogGroupName")]),
    ("aws_s3_bucket", "AWS::S3::Bucket", &[("bucket", "BucketName")]),
    ("aws_ssm_parameter", "AWS::SSM::Parameter", &[("name", "Name")]),
    ("aws_api_gateway_authorizer", "AWS::ApiGateway::Authorizer", &[
        ("rest_api_id", "RestApiId"), ("authorizer_uri", "AuthorizerUri"),
        ("authorizer_result_ttl_in_seconds", "AuthorizerResultTtlInSeconds"),
    ]),
    ("aws_apigatewayv2_authorizer", "AWS::ApiGatewayV2::Authorizer", &[
        ("api_id", "ApiId"), ("authorizer_uri", "AuthorizerUri"),
        ("authorizer_result_ttl_in_seconds", "AuthorizerResultTtlInSeconds"),
    ]),
    ("aws_api_gateway_method", "AWS::ApiGateway::Method", &[
        ("rest_api_id", "RestApiId"), ("http_method", "HttpMethod"), ("authorization", "AuthorizationType"),
        ("authorizer_id", "AuthorizerId"),
    ]),
    ("aws_apigatewayv2_route", "AWS::ApiGatewayV2::Route", &[
        ("api_id", "ApiId"), ("route_key", "RouteKey"), ("authorization_type", "AuthorizationType"),
        ("authorizer_id", "AuthorizerId"),
    ]),
    ("aws_api_gateway_rest_api", "AWS::ApiGateway::RestApi", &[
        ("disable_execute_api_endpoint", "DisableExecuteApiEndpoint"),
    ]),
    ("aws_apigatewayv2_api", "AWS::ApiGatewayV2::Api", &[
        ("disable_execute_api_endpoint", "DisableExecuteApiEndpoint"), ("target", "Target"),
        ("protocol_type", "ProtocolType"),
    ]),
];

/// Policies by kind of resource, and the attributes that contain them.
const POLICIES: [&str; 7] = [
    "aws_iam_policy",
    "aws_iam_role_policy",
    "aws_iam_user_policy",
    "aws_iam_group_policy",
    "aws_s3_bucket_policy",
    "aws_s3_access_point",
    "aws_ssoadmin_permission_set_inline_policy",
];

/// Attachments of policies by kind of resource, and the attribute that names who has the policy.
const ATTACHMENTS: [(&str, &str); 3] = [
    ("aws_iam_role_policy_attachment", "role"),
    ("aws_iam_user_policy_attachment", "user"),
    ("aws_iam_group_policy_attachment", "group"),
];

/// Variables of which the gate depends, where not even the names of a function's are known.
const DECIDING: [&str; 3] = ["MTLS_ANCHORS", "MTLS_HEADER", "MTLS_TARGET_GROUPS"];

/// Returns the type and the properties of a resource that facts are read from.
pub(super) fn resource(block: &Block<'_>, facts: &mut ResourceReader<'_>) -> Option<(&'static str, Node)> {
    let kind = block.instance.kind;
    if let Some((_, kind, names)) = RENAMED.iter().find(|(known, ..)| *known == kind) {
        let mut properties = renamed(block, names);
        retention(block, &mut properties);
        body(block, &mut properties);
        match block.instance.kind {
            "aws_api_gateway_method" => preflight(block, &mut properties),
            "aws_s3_bucket" => versioning(block, &mut properties),
            _ => {}
        }
        return Some((kind, properties));
    }
    if POLICIES.contains(&kind) {
        policy(block, block, facts);
        if let Some(role) = block.text("role") {
            iam::attach(facts, &role, &placeholder(&block.instance.address));
        }
        return None;
    }
    if let Some((_, owner)) = ATTACHMENTS.iter().find(|(known, _)| *known == kind) {
        attachments(block, owner, facts);
        return None;
    }
    match kind {
        "aws_lb_listener" | "aws_alb_listener" => {
            Some(("AWS::ElasticLoadBalancingV2::Listener", listener(block)))
        }
        "aws_lb_listener_rule" | "aws_alb_listener_rule" => {
            let mut properties = renamed(block, &[("listener_arn", "ListenerArn")]);
            properties.set("Actions", actions(block, "action"));
            if !block.blocks("transform").is_empty() {
                properties.set(
                    "Transforms",
                    Node::list(block.values.line, vec![block.values.clone()]),
                );
            }
            Some(("AWS::ElasticLoadBalancingV2::ListenerRule", properties))
        }
        "aws_lb_target_group" | "aws_alb_target_group" => {
            let mut properties = renamed(block, &[("name", "Name"), ("target_type", "TargetType")]);
            let value = block.text("lambda_multi_value_headers_enabled");
            set_attribute(
                &mut properties,
                "TargetGroupAttributes",
                MULTI_VALUE_ATTRIBUTE,
                value,
            );
            Some(("AWS::ElasticLoadBalancingV2::TargetGroup", properties))
        }
        "aws_lb_target_group_attachment" | "aws_alb_target_group_attachment" => {
            let pair = (block.text("target_group_arn")?, block.text("target_id")?);
            facts.deployment.attachments.push(pair);
            None
        }
        "aws_iam_policy_attachment" => {
            for owner in ["roles", "users", "groups"] {
                attachments(block, owner, facts);
            }
            None
        }
        "aws_ecs_task_definition" => Some(("AWS::ECS::TaskDefinition", containers::task_definition(block))),
        "aws_ecs_service" => Some(("AWS::ECS::Service", containers::service(block))),
        "aws_security_group" => Some(("AWS::EC2::SecurityGroup", containers::security_group(block))),
        "aws_security_group_rule" if block.text("type").as_deref() == Some("egress") => None,
        "aws_security_group_rule" | "aws_vpc_security_group_ingress_rule" => {
            Some(("AWS::EC2::SecurityGroupIngress", containers::ingress(block)))
        }
        "aws_lambda_function" => Some(("AWS::Lambda::Function", function(block))),
        "aws_iam_role" => {
            for inline in block.blocks("inline_policy") {
                policy(block, &inline, facts);
            }
            let line = block.values.line;
            let managed = block.texts("managed_policy_arns").into_iter();
            let managed = managed.map(|arn| Node::text_node(line, arn)).collect();
            let mut properties = renamed(block, &[("name", "RoleName")]);
            properties.set("ManagedPolicyArns", Node::list(line, managed));
            Some(("AWS::IAM::Role", properties))
        }
        _ => None,
    }
}

fn renamed(block: &Block<'_>, names: &[(&str, &str)]) -> Node {
    let mut properties = Node::empty(block.values.line);
    for (own, name) in names {
        if let Some(text) = block.text(own) {
            properties.set(name, Node::text_node(block.values.line, text));
        }
    }
    properties
}

/// Sets the retention of a log group; with 0 days records are kept indefinitely.
fn retention(block: &Block<'_>, properties: &mut Node) {
    let days = block.text("retention_in_days");
    if let Some(days) = days.filter(|days| days != "0") {
        properties.set("RetentionInDays", Node::text_node(properties.line, days));
    }
}

/// Sets the OpenAPI document of an API, which is a text.
fn body(block: &Block<'_>, properties: &mut Node) {
    if !block.instance.kind.contains("api") {
        return;
    }
    if let Some(text) = block.text("body").filter(|body| !body.is_empty()) {
        let document = crate::doctor::yaml::parse(&text);
        let document = document.unwrap_or_else(|_| Node::text_node(properties.line, text));
        properties.set("Body", document);
    }
}

/// Adds that a role, a user or a group has a policy of its own or of AWS.
fn attachments(block: &Block<'_>, owners: &str, facts: &mut ResourceReader<'_>) {
    let Some(policy) = block.text("policy_arn") else {
        return;
    };
    for owner in block.texts(owners) {
        let owner = resource_in(&owner).unwrap_or(&owner).to_owned();
        let policy = Node::text_node(block.values.line, policy.as_str());
        iam::managed_policy(facts, &owner, &policy);
    }
}

/// Sets the integration of a method for preflight requests, which is a resource of its own.
fn preflight(block: &Block<'_>, properties: &mut Node) {
    if block.text("http_method").as_deref() != Some("OPTIONS") {
        return;
    }
    let resource = block.text("resource_id");
    let mut integrations = block.others("aws_api_gateway_integration").into_iter();
    let integration = integrations.find(|integration| {
        let method = integration.text("http_method");
        let is_same =
            method.as_deref() == Some("OPTIONS") || method == Some(placeholder(&block.instance.address));
        is_same && resource.is_some() && integration.text("resource_id") == resource
    });
    if let Some(kind) = integration.and_then(|integration| integration.text("type")) {
        let line = properties.line;
        let members = vec![("Type".to_owned(), Node::text_node(line, kind))];
        properties.set("Integration", Node::map(line, members));
    }
}

/// Sets what blocks of a bucket said before they became resources of their own.
fn versioning(block: &Block<'_>, properties: &mut Node) {
    let blocks = block.blocks("versioning");
    if blocks.iter().any(|block| block.values.is_true(&["enabled"])) {
        let line = properties.line;
        let members = vec![("Status".to_owned(), Node::text_node(line, "Enabled"))];
        properties.set("VersioningConfiguration", Node::map(line, members));
    }
}

fn policy(resource: &Block<'_>, block: &Block<'_>, facts: &mut ResourceReader<'_>) {
    let text = block.text("policy").or_else(|| block.text("inline_policy"));
    let Some(text) = text else {
        return;
    };
    let node = Node::text_node(block.values.line, text.as_str());
    let address = &resource.instance.address;
    match text.trim_start().starts_with('{') {
        true => iam::statements(facts, address, Some(&node)),
        false => {
            let place = block.place(facts.file);
            facts.deployment.note(
                place,
                rules::UNKNOWN_VALUE,
                address,
                "what a policy allows is known only after it is applied",
                "look at the state then: `terraform show -json`, or --load-balancer NAME",
            );
        }
    }
}

fn listener(block: &Block<'_>) -> Node {
    let mut properties = renamed(block, &[("protocol", "Protocol"), ("ssl_policy", "SslPolicy")]);
    let line = properties.line;
    let mutual = block.blocks("mutual_authentication");
    if let Some(mode) = mutual.first().and_then(|block| block.text("mode")) {
        let mut authentication = Node::empty(line);
        authentication.set("Mode", Node::text_node(line, mode));
        properties.set("MutualAuthentication", authentication);
    }
    let header = block.text("routing_http_request_x_amzn_mtls_clientcert_header_name");
    set_attribute(&mut properties, "ListenerAttributes", HEADER_ATTRIBUTE, header);
    properties.set("DefaultActions", actions(block, "default_action"));
    properties
}

fn set_attribute(properties: &mut Node, list: &str, key: &str, value: Option<String>) {
    if let Some(value) = value {
        let line = properties.line;
        let members = vec![
            ("Key".to_owned(), Node::text_node(line, key)),
            ("Value".to_owned(), Node::text_node(line, value)),
        ];
        properties.set(list, Node::list(line, vec![Node::map(line, members)]));
    }
}

fn actions(block: &Block<'_>, name: &str) -> Node {
    let line = block.values.line;
    let actions = block.blocks(name).into_iter().map(|action| {
        let mut node = renamed(
            &action,
            &[("type", "Type"), ("target_group_arn", "TargetGroupArn")],
        );
        let groups = action.blocks("forward").into_iter();
        let groups = groups.flat_map(|forward| forward.blocks("target_group"));
        let groups = groups.map(|group| renamed(&group, &[("arn", "TargetGroupArn")]));
        let mut several = Node::empty(line);
        several.set("TargetGroups", Node::list(line, groups.collect()));
        node.set("ForwardConfig", several);
        node
    });
    let mut actions: Vec<Node> = actions.collect();
    if block.is_unknown(name) {
        let members = vec![(
            "TargetGroupArn".to_owned(),
            Node::text_node(line, block.after_apply(name)),
        )];
        actions.push(Node::map(line, members));
    }
    Node::list(line, actions)
}

fn function(block: &Block<'_>) -> Node {
    let names = [
        ("function_name", "FunctionName"),
        ("runtime", "Runtime"),
        ("timeout", "Timeout"),
        ("role", "Role"),
    ];
    let mut properties = renamed(block, &names);
    let line = properties.line;
    let layers = block.texts("layers").into_iter();
    let layers = layers.map(|layer| Node::text_node(line, layer)).collect();
    properties.set("Layers", Node::list(line, layers));
    if let Some(group) = block
        .blocks("logging_config")
        .first()
        .and_then(|block| block.text("log_group"))
    {
        let members = vec![("LogGroup".to_owned(), Node::text_node(line, group))];
        properties.set("LoggingConfig", Node::map(line, members));
    }
    let mut variables = Node::empty(line);
    for environment in block.blocks("environment") {
        if let Some(known) = environment.values.get("variables") {
            variables = variables.merged_with(known);
        }
        let open = environment.unknown.and_then(|unknown| unknown.get("variables"));
        let address = &block.instance.address;
        let after = |name: &str| Node::text_node(line, unknown(&format!("after apply: {address} {name}")));
        match open.map(|open| &open.value) {
            Some(Value::Map(members)) => {
                for (name, _) in members.iter().filter(|(_, open)| open.text() == Some("true")) {
                    variables.set(name, after(name));
                }
            }
            // Not even their names are known.
            Some(Value::Text(text)) if text == "true" => {
                for name in DECIDING {
                    variables.set(name, after(name));
                }
            }
            _ => {}
        }
    }
    if block.is_unknown("environment") {
        for name in DECIDING {
            variables.set(name, Node::text_node(line, block.after_apply("environment")));
        }
    }
    let members = vec![("Variables".to_owned(), variables)];
    properties.set("Environment", Node::map(line, members));
    properties
}
