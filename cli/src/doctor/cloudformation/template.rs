//! Reads the resources of templates in one combination, and names what it cannot read.

use std::collections::BTreeSet;

use crate::doctor::cloudformation::evaluation::{Evaluation, KNOWN_FUNCTIONS};
use crate::doctor::cloudformation::program::{Program, Template};
use crate::doctor::cloudformation::sam;
use crate::doctor::facts::{Deployment, Place, Unread};
use crate::doctor::node::{Node, Value};
use crate::doctor::resources::{Resource, ResourceReader};
use crate::doctor::rules;

/// Beginnings of the types of resources that facts are read from.
const LOOKED_AT: [&str; 14] = [
    "AWS::ApiGateway",
    "AWS::CloudFormation::",
    "AWS::EC2::SecurityGroup",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::IAM::",
    "AWS::Lambda::",
    "AWS::Logs::LogGroup",
    "AWS::S3::",
    "AWS::SSM::Parameter",
    "AWS::SSO::PermissionSet",
    "AWS::Serverless::",
];

/// Transforms whose effect is known here.
const KNOWN_TRANSFORMS: [&str; 2] = ["AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"];

/// Returns whether facts are read from a resource.
pub(crate) fn is_looked_at(resource: &Node) -> bool {
    let kind = resource.text_at(&["Type"]).unwrap_or_default();
    kind == "Custom::LogRetention"
        || kind.ends_with("::MODULE")
        || resource.get("Connectors").is_some()
        || LOOKED_AT.iter().any(|beginning| kind.starts_with(beginning))
}

/// Returns what a program makes in one combination.
pub(crate) fn read(program: &Program, evaluation: &Evaluation<'_>) -> Deployment {
    let mut deployment = Deployment::default();
    for (index, template) in program.templates.iter().enumerate() {
        let Some(scope) = evaluation.scope(index).filter(|_| evaluation.is_made(index)) else {
            continue;
        };
        let resources: Vec<Resource> = scope
            .resources(is_looked_at)
            .into_iter()
            .map(|(name, node)| Resource {
                name: format!("{}{name}", template.prefix),
                node,
            })
            .collect();
        let globals = template.node.get("Globals");
        let globals = globals.and_then(|globals| scope.resolve(globals));
        let mut facts = ResourceReader::new(&template.file, &mut deployment);
        sam::read(&mut facts, &resources, globals.as_ref(), &template.prefix);
        for resource in &resources {
            facts.resource(resource);
            unread_resource(&mut facts, program, index, resource);
        }
        for (_, line) in evaluation.loops.borrow().iter().filter(|(of, _)| *of == index) {
            let place = Place {
                file: template.file.clone(),
                line: *line,
            };
            facts.deployment.note(
                place,
                rules::LOOP,
                "Fn::ForEach",
                "what a loop makes is not known, because what it goes over is not",
                "give the list with --parameter, or look at the deployed stack with --stack",
            );
        }
    }
    deployment.link();
    deployment
}

/// Names a resource that stands for others.
fn unread_resource(facts: &mut ResourceReader<'_>, program: &Program, index: usize, resource: &Resource) {
    let kind = resource.node.text_at(&["Type"]).unwrap_or_default();
    let prefix = program.template(index).map(|template| template.prefix.as_str());
    let logical = resource
        .name
        .strip_prefix(prefix.unwrap_or_default())
        .unwrap_or(&resource.name);
    let is_nested = matches!(
        kind,
        "AWS::CloudFormation::Stack" | "AWS::Serverless::Application"
    );
    if is_nested && !program.children.contains_key(&(index, logical.to_owned())) {
        facts.note(
            &resource.node,
            rules::NESTED_STACK,
            &resource.name,
            "the template of a nested stack or application is not beside this file",
            "put its file where TemplateURL or Location says (before `package`), or look at each deployed stack with --stack",
        );
    } else if kind == "AWS::CloudFormation::StackSet" {
        facts.note(
            &resource.node,
            rules::NESTED_STACK,
            &resource.name,
            "the stacks of a stack set are not read",
            "name its template too, or look at the deployed stacks with --stack",
        );
    } else if kind.ends_with("::MODULE") {
        facts.note(
            &resource.node,
            rules::MODULE,
            &resource.name,
            &format!("what the module {kind} makes is not read"),
            "look at the deployed stack with --stack, or at the answer of `aws cloudformation get-template --template-stage Processed`",
        );
    }
}

/// Returns what runs on whole templates, and functions that are not computed here, in whatever
/// combination.
pub(crate) fn unread(program: &Program) -> BTreeSet<Unread> {
    let mut deployment = Deployment::default();
    for template in &program.templates {
        unread_parts(
            &mut ResourceReader::new(&template.file, &mut deployment),
            template,
        );
    }
    deployment.unread
}

fn unread_parts(facts: &mut ResourceReader<'_>, template: &Template) {
    let node = &template.node;
    let transforms = node.list_at(&["Transform"]).iter();
    for transform in transforms {
        let name = transform.text().or_else(|| transform.text_at(&["Name"]));
        let name = name.unwrap_or_default();
        if !KNOWN_TRANSFORMS.contains(&name) {
            unread_transform(facts, transform, name);
        }
    }
    for part in ["Conditions", "Parameters", "Mappings"] {
        let members = node.get(part).map(Node::members).unwrap_or_default();
        for (name, member) in members.iter().filter(|(name, _)| name.starts_with("Fn::")) {
            facts.note(
                member,
                rules::LOOP,
                &format!("{part}/{name}"),
                &format!("{name} in {part} is not read"),
                "write out what it makes",
            );
        }
    }
    let resources = node.get("Resources").map(Node::members).unwrap_or_default();
    for (name, resource) in resources {
        if name == "Fn::Transform" {
            let macro_name = resource.text_at(&["Name"]).unwrap_or_default();
            unread_transform(facts, resource, macro_name);
        }
        let looked_at = is_looked_at(resource);
        resource.walk(&mut |node| match &node.value {
            Value::Function(function, argument) if function == "Transform" => {
                unread_transform(facts, node, argument.text_at(&["Name"]).unwrap_or_default());
            }
            Value::Function(function, _) if looked_at && !KNOWN_FUNCTIONS.contains(&function.as_str()) => {
                facts.note(
                    node,
                    rules::INTRINSIC,
                    &format!("Fn::{function}"),
                    &format!("Fn::{function} in {name} is not computed here"),
                    "look at the deployed stack with --stack",
                );
            }
            Value::Map(members) => {
                for (key, member) in members.iter().filter(|(key, _)| key == "Fn::Transform") {
                    unread_transform(facts, member, member.text_at(&["Name"]).unwrap_or(key));
                }
            }
            _ => {}
        });
    }
}

fn unread_transform(facts: &mut ResourceReader<'_>, node: &Node, name: &str) {
    facts.note(
        node,
        rules::TRANSFORM,
        name,
        &format!("the transform {name} changes the template when it is deployed"),
        "look at the answer of `aws cloudformation get-template --template-stage Processed`, or at the stack with --stack",
    );
}
