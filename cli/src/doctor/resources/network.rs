//! Security groups.

use super::reader::ResourceReader;
use crate::doctor::facts::Ingress;
use crate::doctor::node::Node;
use crate::doctor::text::{placeholder, unknown};

impl ResourceReader<'_> {
    pub(super) fn security_group(&mut self, name: &str, node: &Node, properties: &Node) {
        self.deployment.security_groups.insert(name.to_owned());
        for rule in properties.list_at(&["SecurityGroupIngress"]) {
            let line = if rule.line > node.line { rule } else { node };
            self.ingress(placeholder(name), rule, line);
        }
    }

    /// Adds a rule that is a resource of its own.
    pub(super) fn ingress_rule(&mut self, properties: &Node, node: &Node) {
        let group = properties.string_at(&["GroupId"]);
        let group = group.or_else(|| properties.string_at(&["GroupName"]));
        self.ingress(group.unwrap_or_default(), properties, node);
    }

    fn ingress(&mut self, security_group: String, rule: &Node, at: &Node) {
        let place = self.place(at);
        for name in ["CidrIp", "CidrIpv6", "SourcePrefixListId"] {
            for addresses in rule.get(name).map(Node::texts).unwrap_or_default() {
                self.deployment.ingress.push(Ingress {
                    security_group: security_group.clone(),
                    place: place.clone(),
                    addresses: match name {
                        // Its networks are not in any file.
                        "SourcePrefixListId" => unknown(&format!("prefix list {addresses}")),
                        _ => addresses.to_owned(),
                    },
                });
            }
        }
    }
}
