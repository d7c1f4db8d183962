//! Reads Kubernetes manifests: Ingress and Gateway objects of the AWS Load Balancer Controller, and
//! the workloads behind.

mod gateway;
mod ingress;
mod network_policy;
mod workloads;

use crate::doctor::facts::{
    Deployment, Forward, Knowledge, Listener, MutualAuthentication, Place, TargetGroup,
};
use crate::doctor::node::Node;

/// An object and the file that it is in.
type Object = (String, Node);

/// Returns what the objects of all manifests make together.
pub(super) fn read(objects: &[Object]) -> Deployment {
    let mut reader = Reader {
        objects,
        deployment: Deployment::default(),
    };
    reader.workloads();
    reader.exposures();
    reader.upstreams();
    reader.network_policies();
    for (file, object) in objects {
        match (object.text_at(&["kind"]), group(object)) {
            (Some("Ingress"), "networking.k8s.io" | "extensions") => reader.ingress(file, object),
            (Some("Gateway"), "gateway.networking.k8s.io") => reader.gateway(file, object),
            (Some("TargetGroupBinding"), _) => reader.binding(file, object),
            _ => {}
        }
    }
    reader.deployment.link();
    reader.deployment
}

struct Reader<'a> {
    objects: &'a [Object],
    deployment: Deployment,
}

/// Controller that makes something of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controller {
    /// The AWS Load Balancer Controller, which makes an Application Load Balancer.
    LoadBalancer,
    /// Another one, or one that is not known.
    Other,
}

/// Returns the group of the API that an object is of.
fn group(object: &Node) -> &str {
    let version = object.text_at(&["apiVersion"]).unwrap_or_default();
    version.split_once('/').map_or("", |(group, _)| group)
}

fn namespace(object: &Node) -> &str {
    object.text_at(&["metadata", "namespace"]).unwrap_or("default")
}

/// Returns the name of an object within the deployment.
fn identity(object: &Node) -> String {
    let kind = object.text_at(&["kind"]).unwrap_or_default();
    let name = object.text_at(&["metadata", "name"]).unwrap_or_default();
    named(namespace(object), kind, name)
}

fn named(namespace: &str, kind: &str, name: &str) -> String {
    format!("{namespace}/{kind}/{name}")
}

fn place(file: &str, node: &Node) -> Place {
    Place {
        file: file.to_owned(),
        line: node.line,
    }
}

impl<'a> Reader<'a> {
    /// Returns the objects of a kind, with their files.
    fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        let objects = self.objects.iter();
        let objects = objects.filter(move |(_, object)| object.text_at(&["kind"]) == Some(kind));
        objects.map(|(file, object)| (file.as_str(), object))
    }

    /// Returns the object of a kind that is of no namespace.
    fn of_cluster(&self, kind: &'static str, name: &str) -> Option<&'a Node> {
        let mut objects = self.of_kind(kind);
        let object = objects.find(|(_, object)| object.text_at(&["metadata", "name"]) == Some(name));
        object.map(|(_, object)| object)
    }

    fn object(&self, name: &str) -> Option<&'a Node> {
        let mut objects = self.objects.iter().map(|(_, object)| object);
        objects.find(|object| identity(object) == name)
    }

    /// Returns the target group that the controller makes for a service.
    fn service(&mut self, file: &str, by: &Node, namespace: &str, service: &str) -> String {
        let name = named(namespace, "Service", service);
        let targets = self.containers_of(&name);
        self.target_group(file, by, name.clone(), targets);
        name
    }

    fn target_group(&mut self, file: &str, by: &Node, name: String, targets: Vec<String>) {
        if self.deployment.target_group(&name).is_none() {
            self.deployment.target_groups.push(TargetGroup {
                name,
                physical: None,
                place: place(file, by),
                is_for_lambda: false,
                multi_value_headers: Knowledge::Known(true),
                targets,
            });
        }
    }

    /// Adds the target group, of a listener made elsewhere, that a service is registered in.
    fn binding(&mut self, file: &str, binding: &Node) {
        let spec = |name: &str| binding.string_at(&["spec", name]);
        let group = spec("targetGroupARN").or_else(|| spec("targetGroupName"));
        let service = binding
            .text_at(&["spec", "serviceRef", "name"])
            .unwrap_or_default();
        let service = named(namespace(binding), "Service", service);
        let targets = self.containers_of(&service);
        let group = group.unwrap_or_else(|| identity(binding));
        self.target_group(file, binding, group, targets);
    }

    /// Adds what another controller makes: whether that asks for certificates is not known.
    fn other_listener(&mut self, name: String, place: Place, forwards: Vec<Forward>) {
        self.deployment.listeners.push(Listener {
            mutual_authentication: MutualAuthentication::Unknown(name.clone()),
            name,
            place,
            forwards,
            certificate_header: Knowledge::Known(None),
            is_mode_said: true,
            tls_policy: None,
            remarks: Vec::new(),
        });
    }
}

fn forward(by: &str, target_group: String, place: Place) -> Forward {
    Forward {
        target_group,
        by: by.to_owned(),
        place,
    }
}
