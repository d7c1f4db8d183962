//! Listeners that annotations of Ingress objects make.

use super::{Controller, Reader, forward, identity, namespace, place};
use crate::doctor::facts::{Forward, Knowledge, Listener, MutualAuthentication, Remark, RemarkKind};
use crate::doctor::node::{Node, Value};
use crate::doctor::resources::balancing::{HEADER_ATTRIBUTE, mutual_authentication};
use crate::doctor::rules;
use crate::doctor::yaml;

const ANNOTATION: &str = "alb.ingress.kubernetes.io/";
const CONTROLLER: &str = "ingress.k8s.aws/alb";

fn annotation<'a>(object: &'a Node, name: &str) -> Option<&'a Node> {
    object.at(&["metadata", "annotations", &format!("{ANNOTATION}{name}")])
}

/// Returns an annotation that is JSON.
fn structured(annotation: &Node) -> Option<Node> {
    yaml::parse(annotation.text()?).ok()
}

/// Returns a value with the names of members in lower case: the controller, in Go, takes them in
/// any case.
fn in_lower_case(node: &Node) -> Node {
    let value = match &node.value {
        Value::List(elements) => Value::List(elements.iter().map(in_lower_case).collect()),
        Value::Map(members) => {
            let members = members.iter();
            let members = members.map(|(name, member)| (name.to_ascii_lowercase(), in_lower_case(member)));
            Value::Map(members.collect())
        }
        other => other.clone(),
    };
    Node { value, ..*node }
}

fn class(ingress: &Node) -> Option<&str> {
    ingress
        .text_at(&["spec", "ingressClassName"])
        .or_else(|| ingress.text_at(&["metadata", "annotations", "kubernetes.io/ingress.class"]))
}

impl<'a> Reader<'a> {
    pub(super) fn ingress(&mut self, file: &str, ingress: &'a Node) {
        let name = identity(ingress);
        let (forwards, remarks) = self.ingress_forwards(file, ingress, &name);
        let (controller, parameters) = self.controller_of(ingress);
        if controller == Controller::Other {
            return self.other_listener(name, place(file, ingress), forwards);
        }
        let of_class = |path: &[&str]| parameters.and_then(|parameters| parameters.text_at(path));
        let of_parameters = of_class(&["spec", "group", "name"]).and(parameters);
        if let Some(group) = annotation(ingress, "group.name").or(of_parameters) {
            self.deployment.note(
                place(file, group),
                rules::SHARED_LISTENER,
                &name,
                "its group shares the listeners, and other members can add some, and rules to them",
                "look at the load balancer with --load-balancer NAME, or accept the group once you know its members",
            );
        }
        let policy = of_class(&["spec", "sslPolicy"])
            .or_else(|| annotation(ingress, "ssl-policy")?.text())
            .unwrap_or_default();
        let redirects = self.shared(ingress, "ssl-redirect").is_some()
            || of_class(&["spec", "sslRedirectPort"]).is_some();
        for (protocol, port) in self.ports(file, ingress, &name) {
            let attributes = self.shared(ingress, &format!("listener-attributes.{protocol}-{port}"));
            let header = header_of_class(parameters, &protocol, &port).or_else(|| header_in(attributes));
            let mutual_authentication = match protocol.as_str() {
                "HTTPS" => self.mode(file, ingress, &name, &port),
                _ => MutualAuthentication::Off,
            };
            self.deployment.listeners.push(Listener {
                name: format!("{name} {protocol}:{port}"),
                place: place(file, ingress),
                mutual_authentication,
                forwards: match redirects && protocol == "HTTP" {
                    true => Vec::new(),
                    false => forwards.clone(),
                },
                certificate_header: Knowledge::Known(header),
                is_mode_said: true,
                tls_policy: (protocol == "HTTPS").then(|| Knowledge::Known(policy.to_owned())),
                remarks: remarks.clone(),
            });
        }
    }

    /// Returns the controller of an Ingress, and the parameters of its class that are among the
    /// files.
    fn controller_of(&self, ingress: &Node) -> (Controller, Option<&'a Node>) {
        let annotations = ingress.at(&["metadata", "annotations"]).map(Node::members);
        let mut annotations = annotations.unwrap_or_default().iter();
        let is_annotated = annotations.any(|(name, _)| name.starts_with(ANNOTATION));
        let own = class(ingress);
        let class = match own {
            Some(name) => self.of_cluster("IngressClass", name),
            None => self.default_class(),
        };
        let is_of_load_balancer = match class.and_then(|class| class.text_at(&["spec", "controller"])) {
            Some(controller) => controller == CONTROLLER,
            None => own == Some("alb") || is_annotated,
        };
        let parameters = class.and_then(|class| class.text_at(&["spec", "parameters", "name"]));
        let parameters = parameters.and_then(|name| self.of_cluster("IngressClassParams", name));
        match is_of_load_balancer {
            true => (Controller::LoadBalancer, parameters),
            false => (Controller::Other, None),
        }
    }

    fn default_class(&self) -> Option<&'a Node> {
        let path = [
            "metadata",
            "annotations",
            "ingressclass.kubernetes.io/is-default-class",
        ];
        let mut classes = self.of_kind("IngressClass").map(|(_, class)| class);
        classes.find(|class| class.is_true(&path))
    }

    /// Returns an annotation about a listener, which another member of the group can have.
    fn shared(&self, ingress: &'a Node, name: &str) -> Option<&'a Node> {
        let group = annotation(ingress, "group.name").and_then(Node::text);
        let members = self.of_kind("Ingress").map(|(_, member)| member);
        let members = members.filter(|member| {
            group.is_some() && annotation(member, "group.name").and_then(Node::text) == group
        });
        let mut all = std::iter::once(ingress).chain(members);
        all.find_map(|one| annotation(one, name))
    }

    fn not_json(&mut self, file: &str, written: &Node, name: &str, annotation: &str, example: &str) {
        self.deployment.note(
            place(file, written),
            rules::UNKNOWN_LISTENER,
            name,
            &format!(
                "its annotation {annotation} is not JSON of the form that the controller reads: it rejects it"
            ),
            &format!("write it as {example}, with one pair of quotes"),
        );
    }

    /// Returns the mode of a port; an annotation that is not JSON leaves it open.
    fn mode(&mut self, file: &str, ingress: &'a Node, name: &str, port: &str) -> MutualAuthentication {
        let Some(written) = self.shared(ingress, "mutual-authentication") else {
            return MutualAuthentication::Off;
        };
        let modes = structured(written).map(|modes| in_lower_case(&modes));
        let modes = modes.as_ref().map(Node::elements).unwrap_or_default();
        if modes.is_empty() || modes.iter().any(|mode| mode.members().is_empty()) {
            let example = "'[{\"port\": 443, \"mode\": \"passthrough\"}]'";
            self.not_json(file, written, name, "mutual-authentication", example);
            return MutualAuthentication::Unknown(name.to_owned());
        }
        let mode = modes.iter().find(|mode| mode.text_at(&["port"]) == Some(port));
        mutual_authentication(mode.and_then(|mode| mode.text_at(&["mode"])))
    }

    fn ingress_forwards(&mut self, file: &str, ingress: &'a Node, name: &str) -> (Vec<Forward>, Vec<Remark>) {
        let rules = ingress.list_at(&["spec", "rules"]).iter();
        let paths = rules.flat_map(|rule| rule.list_at(&["http", "paths"]));
        let backends = paths.filter_map(|path| path.get("backend"));
        let spec = |name: &str| ingress.at(&["spec", name]);
        let of_default = spec("defaultBackend").or_else(|| spec("backend"));
        let backends: Vec<&Node> = backends.chain(of_default).collect();
        let (mut forwards, mut remarks) = (Vec::new(), Vec::new());
        for backend in backends {
            // The second form is that of `extensions/v1beta1`.
            let service = backend
                .text_at(&["service", "name"])
                .or_else(|| backend.text_at(&["serviceName"]));
            let Some(service) = service else {
                continue;
            };
            let by = place(file, backend);
            if annotation(ingress, &format!("transforms.{service}")).is_some() {
                remarks.push(Remark {
                    by: name.to_owned(),
                    place: by.clone(),
                    kind: RemarkKind::RewritesRequest,
                });
            }
            let port = backend
                .text_at(&["service", "port", "name"])
                .or_else(|| backend.text_at(&["servicePort"]));
            let groups = match port {
                Some("use-annotation") => self.groups_of_action(file, ingress, name, service),
                _ => vec![self.service(file, ingress, namespace(ingress), service)],
            };
            let groups = groups.into_iter();
            forwards.extend(groups.map(|group| forward(name, group, by.clone())));
        }
        if annotation(ingress, "jwt-validation").is_some() {
            remarks.push(Remark {
                by: name.to_owned(),
                place: place(file, ingress),
                kind: RemarkKind::ChecksTokenItself,
            });
        }
        (forwards, remarks)
    }

    /// Returns the target groups of an action that an annotation describes.
    fn groups_of_action(&mut self, file: &str, ingress: &'a Node, name: &str, action: &str) -> Vec<String> {
        let key = format!("actions.{action}");
        let Some(written) = annotation(ingress, &key) else {
            return Vec::new();
        };
        let action = structured(written).map(|action| in_lower_case(&action));
        let action = action.filter(|action| action.get("type").is_some());
        let Some(action) = action else {
            let example = "'{\"type\": \"forward\", \"forwardConfig\": {\"targetGroups\": […]}}'";
            self.not_json(file, written, name, &key, example);
            return Vec::new();
        };
        let several = action.list_at(&["forwardconfig", "targetgroups"]).iter();
        let groups = std::iter::once(&action).chain(several);
        let groups = groups.filter_map(|group| {
            let text = |name: &str| group.text_at(&[name]);
            if let Some(service) = text("servicename") {
                return Some(self.service(file, ingress, namespace(ingress), service));
            }
            let names = ["targetgrouparn", "targetgroupname"];
            names.into_iter().find_map(text).map(str::to_owned)
        });
        groups.collect()
    }

    /// Returns the protocols and ports of an Ingress; without the annotation the controller takes
    /// 443 with a certificate.
    fn ports(&mut self, file: &str, ingress: &'a Node, name: &str) -> Vec<(String, String)> {
        let written = annotation(ingress, "listen-ports");
        let listed = written.and_then(structured);
        let listed = listed.as_ref().map(Node::elements).unwrap_or_default();
        let listed = listed.iter().flat_map(Node::members);
        let ports: Vec<(String, String)> = listed
            .map(|(protocol, port)| (protocol.clone(), port.texts().concat()))
            .collect();
        if let Some(written) = written.filter(|_| ports.is_empty()) {
            self.not_json(file, written, name, "listen-ports", "'[{\"HTTPS\": 443}]'");
        }
        let of_default = |protocol: &str, port: &str| vec![(protocol.to_owned(), port.to_owned())];
        match (ports.is_empty(), annotation(ingress, "certificate-arn")) {
            (false, _) => ports,
            (true, Some(_)) => of_default("HTTPS", "443"),
            (true, None) => of_default("HTTP", "80"),
        }
    }
}

/// Returns the name of the header that the parameters of a class give to a listener.
fn header_of_class(parameters: Option<&Node>, protocol: &str, port: &str) -> Option<String> {
    let mut listeners = parameters?.list_at(&["spec", "listeners"]).iter();
    let listener = listeners.find(|listener| {
        listener.text_at(&["protocol"]) == Some(protocol) && listener.text_at(&["port"]) == Some(port)
    })?;
    super::gateway::header_of(listener.get("listenerAttributes"))
}

/// Returns the name of the header in attributes such as `key=value,key=value`.
fn header_in(attributes: Option<&Node>) -> Option<String> {
    let pairs = attributes?.text()?.split(',');
    let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
    let (_, name) = pairs.find(|(key, _)| key.trim() == HEADER_ATTRIBUTE)?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
