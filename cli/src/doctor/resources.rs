//! Facts from the properties of resources, which every reader of files brings into CloudFormation's
//! form.

pub(super) mod api;
pub(super) mod balancing;
pub(super) mod compute;
pub(super) mod iam;
mod network;
mod reader;

use crate::doctor::facts::{Bucket, Knowledge, LogGroup, Parameter, Place};
use crate::doctor::node::Node;
pub(super) use reader::ResourceReader;

/// A resource by its name, with `Type` and `Properties`, resolved.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) name: String,
    pub(super) node: Node,
}

impl ResourceReader<'_> {
    /// Adds what a resource of CloudFormation says; those of SAM are read before.
    pub(super) fn resource(&mut self, resource: &Resource) {
        let Resource { name, node } = resource;
        let empty = Node::empty(node.line);
        let properties = node.get("Properties").unwrap_or(&empty);
        let place = self.place(node);
        let kind = node.text_at(&["Type"]).unwrap_or_default();
        match kind {
            "AWS::ElasticLoadBalancingV2::Listener" => self.listener(name, place, properties),
            "AWS::ElasticLoadBalancingV2::ListenerRule" => self.rule(name, place, properties),
            "AWS::ElasticLoadBalancingV2::TargetGroup" => self.target_group(name, place, properties),
            "AWS::Lambda::Function" => self.function(name, place, properties),
            "AWS::Lambda::Permission" => self.permission(name, place, properties),
            "AWS::Lambda::Url" => self.function_url(name, place, properties),
            "AWS::Lambda::Alias" | "AWS::Lambda::Version" => self.alias(name, properties),
            "AWS::ECS::TaskDefinition" => self.task_definition(name, place, properties),
            "AWS::ECS::Service" => self.service(place, properties),
            "AWS::EC2::SecurityGroup" => self.security_group(name, node, properties),
            "AWS::EC2::SecurityGroupIngress" => self.ingress_rule(properties, node),
            "AWS::Logs::LogGroup" | "Custom::LogRetention" => self.deployment.log_groups.push(LogGroup {
                name: name.clone(),
                physical: properties.string_at(&["LogGroupName"]),
                has_retention: properties.get("RetentionInDays").is_some(),
                place,
            }),
            "AWS::S3::Bucket" => self.bucket(name, place, properties),
            "AWS::SSM::Parameter" => self.deployment.parameters.push(Parameter {
                name: name.clone(),
                physical: properties.string_at(&["Name"]),
                place,
                is_of_template: true,
            }),
            _ if kind.starts_with("AWS::ApiGateway") => api::resource(self, kind, name, place, properties),
            _ => iam::resource(self, kind, name, properties),
        }
    }

    fn bucket(&mut self, name: &str, place: Place, properties: &Node) {
        let block = properties.get("PublicAccessBlockConfiguration");
        let status = properties.text_at(&["VersioningConfiguration", "Status"]);
        let is_open = properties.text_at(&["AccessControl"]) == Some("PublicReadWrite");
        self.deployment.buckets.push(Bucket {
            name: name.to_owned(),
            physical: properties.string_at(&["BucketName"]),
            place,
            blocks_public_access: Knowledge::Known(block.is_some_and(blocks_everything) && !is_open),
            is_versioned: Knowledge::Known(status == Some("Enabled")),
        });
    }
}

pub(super) fn blocks_everything(block: &Node) -> bool {
    [
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    ]
    .iter()
    .all(|name| block.is_true(&[name]))
}
