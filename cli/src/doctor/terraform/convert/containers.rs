//! ECS tasks, services and security groups in CloudFormation's form.

use super::{Block, renamed};
use crate::doctor::node::{Node, Value};
use crate::doctor::yaml;

pub(super) fn task_definition(block: &Block<'_>) -> Node {
    let mut properties = renamed(block, &[("network_mode", "NetworkMode"), ("family", "Family")]);
    let containers = block.text("container_definitions");
    if let Some(containers) = containers.and_then(|text| yaml::parse(&text).ok()) {
        properties.set("ContainerDefinitions", capitalized(&containers, properties.line));
    }
    properties
}

pub(super) fn service(block: &Block<'_>) -> Node {
    let mut properties = renamed(block, &[("task_definition", "TaskDefinition")]);
    let line = properties.line;
    let names = [
        ("target_group_arn", "TargetGroupArn"),
        ("container_name", "ContainerName"),
    ];
    let balancers = block.blocks("load_balancer").into_iter();
    let balancers = balancers.map(|balancer| renamed(&balancer, &names)).collect();
    properties.set("LoadBalancers", Node::list(line, balancers));
    if let Some(network) = block.blocks("network_configuration").first() {
        let mut vpc = Node::empty(line);
        vpc.set("SecurityGroups", texts(network, "security_groups"));
        let members = vec![("AwsvpcConfiguration".to_owned(), vpc)];
        properties.set("NetworkConfiguration", Node::map(line, members));
    }
    properties
}

pub(super) fn security_group(block: &Block<'_>) -> Node {
    let mut properties = Node::empty(block.values.line);
    let rules = block.blocks("ingress").into_iter().map(|rule| {
        let mut node = Node::empty(rule.values.line);
        node.set("CidrIp", texts(&rule, "cidr_blocks"));
        node.set("CidrIpv6", texts(&rule, "ipv6_cidr_blocks"));
        node.set("SourcePrefixListId", texts(&rule, "prefix_list_ids"));
        node
    });
    let mut rules: Vec<Node> = rules.collect();
    // Without rules of its own, the attribute is what AWS says after the apply.
    let is_written = block.expressions.is_some_and(|own| own.get("ingress").is_some());
    if is_written && block.is_unknown("ingress") {
        let mut node = Node::empty(properties.line);
        node.set(
            "CidrIp",
            Node::text_node(properties.line, block.after_apply("ingress")),
        );
        rules.push(node);
    }
    let rules = Node::list(properties.line, rules);
    properties.set("SecurityGroupIngress", rules);
    properties
}

/// Returns a rule that is a resource of its own, of either kind.
pub(super) fn ingress(block: &Block<'_>) -> Node {
    let names = [
        ("security_group_id", "GroupId"),
        ("cidr_ipv4", "CidrIp"),
        ("cidr_ipv6", "CidrIpv6"),
        ("prefix_list_id", "SourcePrefixListId"),
    ];
    let mut properties = renamed(block, &names);
    for (own, name) in [
        ("cidr_blocks", "CidrIp"),
        ("ipv6_cidr_blocks", "CidrIpv6"),
        ("prefix_list_ids", "SourcePrefixListId"),
    ] {
        if block.values.get(own).is_some() {
            properties.set(name, texts(block, own));
        }
    }
    properties
}

fn texts(block: &Block<'_>, name: &str) -> Node {
    let line = block.values.line;
    let texts = block.references(name).into_iter();
    Node::list(line, texts.map(|text| Node::text_node(line, text)).collect())
}

/// Returns a value whose members begin with capital letters, all of it in one line.
fn capitalized(node: &Node, line: usize) -> Node {
    let value = match &node.value {
        Value::List(elements) => {
            let elements = elements.iter().map(|element| capitalized(element, line));
            Value::List(elements.collect())
        }
        Value::Map(members) => {
            let members = members.iter().map(|(name, member)| {
                let mut letters = name.chars();
                let first = letters.next().map(|first| first.to_ascii_uppercase());
                let name = first.into_iter().chain(letters).collect();
                (name, capitalized(member, line))
            });
            Value::Map(members.collect())
        }
        other => other.clone(),
    };
    Node { line, value }
}
