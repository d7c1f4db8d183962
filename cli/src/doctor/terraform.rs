//! Reads what `terraform show -json` prints of a plan or a state, as resources in CloudFormation's
//! form.

mod block;
mod convert;

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::facts::{Deployment, Knowledge};
use crate::doctor::node::Node;
use crate::doctor::resources::{Resource, ResourceReader};
use crate::doctor::rules;
use block::Block;

/// Longest chain of variables and outputs of modules that is followed.
const MAX_DEPTH: usize = 16;

/// Returns what a plan or a state makes.
pub(super) fn read(file: &str, plan: &Node) -> Deployment {
    let mut deployment = Deployment::default();
    let document = Document::of(plan);
    let mut facts = ResourceReader::new(file, &mut deployment);
    let mut buckets = Vec::new();
    for instance in &document.instances {
        let resource = Block {
            document: &document,
            instance,
            values: instance.values,
            expressions: instance.expressions,
            unknown: instance.unknown,
        };
        if let Some(about_bucket) = bucket_setting(&resource) {
            buckets.push(about_bucket);
        } else if let Some((kind, properties)) = convert::resource(&resource, &mut facts) {
            let mut node = Node::empty(instance.values.line);
            node.set("Type", Node::text_node(node.line, kind));
            node.set("Properties", properties);
            facts.resource(&Resource {
                name: instance.address.clone(),
                node,
            });
        }
    }
    let is_incomplete =
        plan.text_at(&["complete"]) == Some("false") || plan.get("deferred_changes").is_some();
    if is_incomplete {
        facts.note(
            plan,
            rules::UNKNOWN_VALUE,
            "deferred changes",
            "the plan does not contain every change",
            "apply it, and look at what `terraform show -json` prints then",
        );
    }
    for (bucket, setting) in buckets {
        let bucket = deployment.bucket_id(&bucket);
        if let Some(known) = deployment.buckets.iter_mut().find(|known| known.name == bucket) {
            match setting {
                Setting::Blocks(blocks) => known.blocks_public_access = Knowledge::Known(blocks),
                Setting::Versioned(versioned) => known.is_versioned = Knowledge::Known(versioned),
            }
        }
    }
    for parameter in &mut deployment.parameters {
        parameter.is_of_template = false;
    }
    deployment.link();
    deployment
}

enum Setting {
    Blocks(bool),
    Versioned(bool),
}

/// Returns what a resource of its own says of a bucket.
fn bucket_setting(block: &Block<'_>) -> Option<(String, Setting)> {
    let setting = match block.instance.kind {
        "aws_s3_bucket_public_access_block" => {
            let names = [
                "block_public_acls",
                "block_public_policy",
                "ignore_public_acls",
                "restrict_public_buckets",
            ];
            Setting::Blocks(names.iter().all(|name| block.values.is_true(&[name])))
        }
        "aws_s3_bucket_versioning" => {
            let configuration = block.blocks("versioning_configuration");
            let status = configuration.first().and_then(|block| block.text("status"));
            Setting::Versioned(status.as_deref() == Some("Enabled"))
        }
        _ => return None,
    };
    Some((block.text("bucket")?, setting))
}

/// An instance of a resource.
struct Instance<'a> {
    address: String,
    /// Address of its module, which ends with a dot, or nothing.
    module: String,
    kind: &'a str,
    index: Option<String>,
    values: &'a Node,
    expressions: Option<&'a Node>,
    unknown: Option<&'a Node>,
}

struct Document<'a> {
    plan: &'a Node,
    instances: Vec<Instance<'a>>,
    /// Addresses by the ARNs and ids that AWS gave.
    by_id: BTreeMap<&'a str, String>,
}

impl<'a> Document<'a> {
    fn of(plan: &'a Node) -> Self {
        let mut document = Self {
            plan,
            instances: Vec::new(),
            by_id: BTreeMap::new(),
        };
        let root = plan
            .at(&["planned_values", "root_module"])
            .or_else(|| plan.at(&["values", "root_module"]));
        if let Some(root) = root {
            document.module(root, 0);
        }
        let instances = &document.instances;
        let ids = instances.iter().flat_map(|instance| {
            let names = ["arn", "id", "invoke_arn", "qualified_arn"].into_iter();
            let ids = names.filter_map(|name| instance.values.text_at(&[name]));
            // Of many kinds the id is a name, which others can have too.
            let is_clear = |id: &&str| {
                id.starts_with("arn:") || id.starts_with("sg-") || instance.kind.starts_with("aws_api")
            };
            ids.filter(is_clear).map(|id| (id, instance.address.clone()))
        });
        document.by_id = ids.collect();
        document
    }

    fn module(&mut self, module: &'a Node, depth: usize) {
        for resource in module.list_at(&["resources"]) {
            let (Some(address), Some(kind), Some(values)) = (
                resource.text_at(&["address"]),
                resource.text_at(&["type"]),
                resource.get("values"),
            ) else {
                continue;
            };
            if resource.text_at(&["mode"]) == Some("data") {
                continue;
            }
            let name = resource.text_at(&["name"]).unwrap_or_default();
            let path = address
                .split(&format!("{kind}.{name}"))
                .next()
                .unwrap_or_default();
            let configuration = self.configuration(path);
            let own = format!("{kind}.{name}");
            let mut described = configuration.map(|module| module.list_at(&["resources"]).iter());
            let described = described
                .as_mut()
                .and_then(|resources| resources.find(|one| one.text_at(&["address"]) == Some(&own)));
            let mut changes = self.plan.list_at(&["resource_changes"]).iter();
            let change = changes.find(|change| change.text_at(&["address"]) == Some(address));
            self.instances.push(Instance {
                address: address.to_owned(),
                module: path.to_owned(),
                kind,
                index: resource.get("index").map(|index| index.texts().concat()),
                values,
                expressions: described.and_then(|resource| resource.get("expressions")),
                unknown: change.and_then(|change| change.at(&["change", "after_unknown"])),
            });
        }
        for child in module.list_at(&["child_modules"]) {
            if depth < MAX_DEPTH {
                self.module(child, depth + 1);
            }
        }
    }

    /// Returns the configuration of a module by its path, such as `module.gate.module.inner[0].`.
    fn configuration(&self, path: &str) -> Option<&'a Node> {
        let mut module = self.plan.at(&["configuration", "root_module"])?;
        for name in module_names(path) {
            module = module.at(&["module_calls", &name, "module"])?;
        }
        Some(module)
    }

    /// Returns the resources that an expression refers to, in order.
    fn referred(
        &self,
        expression: &Node,
        module: &str,
        index: Option<&str>,
        depth: usize,
    ) -> Vec<&Instance<'a>> {
        let mut found: Vec<&Instance<'a>> = Vec::new();
        if depth > MAX_DEPTH {
            return found;
        }
        let references = expression.list_at(&["references"]).iter();
        for reference in references.filter_map(Node::text) {
            let parts: Vec<&str> = reference.split('.').collect();
            match parts.as_slice() {
                ["var", name, ..] => found.extend(self.variable(name, module, depth)),
                ["module", name, output, ..] => {
                    let name = name.split('[').next().unwrap_or(name);
                    let inner = format!("{module}module.{name}.");
                    let configuration = self.configuration(&inner);
                    let output =
                        configuration.and_then(|module| module.at(&["outputs", output, "expression"]));
                    if let Some(output) = output {
                        found.extend(self.referred(output, &inner, index, depth + 1));
                    }
                }
                [kind, _, ..] if kind.starts_with("aws_") => {
                    found.extend(self.instance(module, reference, index));
                }
                _ => {}
            }
        }
        let mut seen = BTreeSet::new();
        found.retain(|instance| seen.insert(instance.address.as_str()));
        found
    }

    fn variable(&self, name: &str, module: &str, depth: usize) -> Vec<&Instance<'a>> {
        let names = module_names(module);
        let Some((last, outer)) = names.split_last() else {
            return Vec::new();
        };
        let outer: String = outer.iter().map(|name| format!("module.{name}.")).collect();
        let configuration = self.configuration(&outer);
        let call = configuration.and_then(|module| module.at(&["module_calls", last, "expressions", name]));
        call.map(|call| self.referred(call, &outer, None, depth + 1))
            .unwrap_or_default()
    }

    /// Returns the only instance, or the one of the same index, that a reference in a module means.
    fn instance(&self, module: &str, reference: &str, index: Option<&str>) -> Option<&Instance<'a>> {
        let names = module_names(module);
        let mut parts = reference.split('.');
        let (kind, name) = (parts.next()?, parts.next()?);
        let (name, own) = match name.split_once('[') {
            Some((name, own)) => (name, Some(own.trim_end_matches(']').trim_matches('"'))),
            None => (name, None),
        };
        let named: Vec<&Instance<'a>> = self
            .instances
            .iter()
            .filter(|one| {
                let is_named = one
                    .address
                    .split('[')
                    .next()
                    .is_some_and(|address| address.ends_with(&format!("{kind}.{name}")))
                    || one.address.contains(&format!(".{kind}.{name}["));
                one.kind == kind && module_names(&one.module) == names && is_named
            })
            .collect();
        match named.as_slice() {
            [only] => Some(only),
            several => {
                let wanted = own
                    .filter(|own| !own.starts_with("each.") && !own.starts_with("count."))
                    .or(index)?;
                several
                    .iter()
                    .find(|one| one.index.as_deref() == Some(wanted))
                    .copied()
            }
        }
    }
}

/// Returns the names of the modules of a path, without their indices.
fn module_names(path: &str) -> Vec<String> {
    let names = path.split("module.").skip(1);
    let names = names.map(|name| name.split(['.', '[']).next().unwrap_or_default().to_owned());
    names.collect()
}
