//! Reads Kubernetes manifests: Ingress and Gateway objects of the AWS Load Balancer Controller, and
//! the workloads behind.

mod workloads;

use std::collections::BTreeMap;

use crate::doctor::facts::{
    Deployment, Forward, Knowledge, Listener, MutualAuthentication, Place, Remark, RemarkKind, TargetGroup,
};
use crate::doctor::node::Node;
use crate::doctor::resources::balancing::{HEADER_ATTRIBUTE, mutual_authentication};
use crate::doctor::rules;
use crate::doctor::yaml;

const ANNOTATION: &str = "alb.ingress.kubernetes.io/";

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
    for (file, object) in objects {
        match object.text_at(&["kind"]) {
            Some("Ingress") if is_of_load_balancer(object) => reader.ingress(file, object),
            Some("Gateway") => reader.gateway(file, object),
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

/// Returns true if the controller makes an Application Load Balancer for an Ingress.
fn is_of_load_balancer(ingress: &Node) -> bool {
    let class = ingress
        .text_at(&["spec", "ingressClassName"])
        .or_else(|| ingress.text_at(&["metadata", "annotations", "kubernetes.io/ingress.class"]));
    let annotations = ingress.at(&["metadata", "annotations"]).map(Node::members);
    let mut annotations = annotations.unwrap_or_default().iter();
    class == Some("alb") || annotations.any(|(name, _)| name.starts_with(ANNOTATION))
}

fn annotation<'a>(object: &'a Node, name: &str) -> Option<&'a Node> {
    object.at(&["metadata", "annotations", &format!("{ANNOTATION}{name}")])
}

/// Returns an annotation that is JSON.
fn structured(object: &Node, name: &str) -> Option<Node> {
    let text = annotation(object, name)?.text()?;
    yaml::parse(text).ok()
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

impl Reader<'_> {
    fn ingress(&mut self, file: &str, ingress: &Node) {
        let name = identity(ingress);
        if let Some(group) = annotation(ingress, "group.name") {
            self.deployment.note(
                place(file, group),
                rules::SHARED_LISTENER,
                &name,
                "its group shares the listeners, and other members can add some, and rules to them",
                "look at the load balancer with --load-balancer NAME, or accept the group once you know its members",
            );
        }
        let (forwards, remarks) = self.ingress_forwards(file, ingress, &name);
        for (protocol, port) in ports(ingress) {
            let redirects = protocol == "HTTP" && annotation(ingress, "ssl-redirect").is_some();
            let attributes = annotation(ingress, &format!("listener-attributes.{protocol}-{port}"));
            let policy = annotation(ingress, "ssl-policy")
                .and_then(Node::text)
                .unwrap_or_default();
            let mutual_authentication = match protocol.as_str() {
                "HTTPS" => self.mode(file, ingress, &name, &port),
                _ => MutualAuthentication::Off,
            };
            self.deployment.listeners.push(Listener {
                name: format!("{name} {protocol}:{port}"),
                place: place(file, ingress),
                mutual_authentication,
                forwards: match redirects {
                    true => Vec::new(),
                    false => forwards.clone(),
                },
                certificate_header: Knowledge::Known(header_in(attributes)),
                is_mode_said: true,
                tls_policy: (protocol == "HTTPS").then(|| Knowledge::Known(policy.to_owned())),
                remarks: remarks.clone(),
            });
        }
    }

    /// Returns the mode of a port; an annotation that is not JSON leaves it open.
    fn mode(&mut self, file: &str, ingress: &Node, name: &str, port: &str) -> MutualAuthentication {
        let Some(written) = annotation(ingress, "mutual-authentication") else {
            return MutualAuthentication::Off;
        };
        let modes = structured(ingress, "mutual-authentication");
        let modes = modes.as_ref().map(Node::elements).unwrap_or_default();
        if modes.is_empty() || modes.iter().any(|mode| mode.members().is_empty()) {
            self.deployment.note(
                place(file, written),
                rules::UNKNOWN_LISTENER,
                name,
                "its annotation mutual-authentication is not a list in JSON: the controller rejects it",
                "write it as '[{\"port\": 443, \"mode\": \"passthrough\"}]', with one pair of quotes",
            );
            return MutualAuthentication::Unknown(name.to_owned());
        }
        let mode = modes.iter().find(|mode| mode.text_at(&["port"]) == Some(port));
        mutual_authentication(mode.and_then(|mode| mode.text_at(&["mode"])))
    }

    fn ingress_forwards(&mut self, file: &str, ingress: &Node, name: &str) -> (Vec<Forward>, Vec<Remark>) {
        let rules = ingress.list_at(&["spec", "rules"]).iter();
        let paths = rules.flat_map(|rule| rule.list_at(&["http", "paths"]));
        let backends = paths.filter_map(|path| path.get("backend"));
        let backends: Vec<&Node> = backends.chain(ingress.at(&["spec", "defaultBackend"])).collect();
        let (mut forwards, mut remarks) = (Vec::new(), Vec::new());
        for backend in backends {
            let Some(service) = backend.text_at(&["service", "name"]) else {
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
            if backend.text_at(&["service", "port", "name"]) == Some("use-annotation") {
                let action = structured(ingress, &format!("actions.{service}"));
                let groups = action.iter().flat_map(|action| {
                    let one = std::slice::from_ref(action);
                    one.iter()
                        .chain(action.list_at(&["forwardConfig", "targetGroups"]))
                });
                let targets: Vec<(Option<String>, Option<String>)> = groups
                    .map(|group| {
                        let arn = group
                            .string_at(&["targetGroupARN"])
                            .or_else(|| group.string_at(&["targetGroupArn"]))
                            .or_else(|| group.string_at(&["targetGroupName"]));
                        (group.string_at(&["serviceName"]), arn)
                    })
                    .collect();
                for (service, arn) in targets {
                    let group = match (service, arn) {
                        (Some(service), _) => self.service(file, ingress, &service),
                        (None, Some(arn)) => arn,
                        (None, None) => continue,
                    };
                    forwards.push(forward(name, group, by.clone()));
                }
                continue;
            }
            let group = self.service(file, ingress, service);
            forwards.push(forward(name, group, by));
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

    /// Returns the target group that the controller makes for a service.
    fn service(&mut self, file: &str, by: &Node, service: &str) -> String {
        let name = named(namespace(by), "Service", service);
        self.target_group(file, by, name.clone());
        name
    }

    fn target_group(&mut self, file: &str, by: &Node, name: String) {
        if self.deployment.target_group(&name).is_none() {
            let targets = self.containers_of(&name);
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

    fn gateway(&mut self, file: &str, gateway: &Node) {
        let name = identity(gateway);
        let own = gateway.text_at(&["metadata", "name"]).unwrap_or_default();
        let reference = gateway.text_at(&["spec", "infrastructure", "parametersRef", "name"]);
        let configurations = self.objects.iter().map(|(_, object)| object);
        let configuration = configurations
            .filter(|object| object.text_at(&["kind"]) == Some("LoadBalancerConfiguration"))
            .find(|object| object.text_at(&["metadata", "name"]) == reference)
            .filter(|_| reference.is_some());
        if configuration.is_none() {
            self.deployment.note(
                place(file, gateway),
                rules::UNKNOWN_LISTENER,
                &name,
                "its LoadBalancerConfiguration is not among the files: the mode of its listeners is not known",
                "name the manifest of the configuration in spec.infrastructure.parametersRef (or in that of the GatewayClass) too",
            );
        }
        for listener in gateway.list_at(&["spec", "listeners"]) {
            let protocol = listener.text_at(&["protocol"]).unwrap_or_default();
            let port = listener.text_at(&["port"]).unwrap_or_default();
            let section = listener.text_at(&["name"]).unwrap_or_default();
            let key = format!("{protocol}:{port}");
            let settings = configuration.map(|object| object.list_at(&["spec", "listenerConfigurations"]));
            let mut settings = settings.unwrap_or_default().iter();
            let settings = settings.find(|settings| settings.text_at(&["protocolPort"]) == Some(&key));
            let mode = settings.and_then(|settings| settings.text_at(&["mutualAuthentication", "mode"]));
            let attributes = settings.and_then(|settings| settings.get("listenerAttributes"));
            let (forwards, remarks) = self.routes(own, section);
            self.deployment.listeners.push(Listener {
                name: format!("{name} {key}"),
                place: place(file, listener),
                mutual_authentication: match (configuration, protocol) {
                    (_, "HTTP") => MutualAuthentication::Off,
                    (None, _) => MutualAuthentication::Unknown(name.clone()),
                    (Some(_), _) => mutual_authentication(mode),
                },
                forwards,
                certificate_header: Knowledge::Known(header_of(attributes)),
                is_mode_said: true,
                tls_policy: None,
                remarks,
            });
        }
    }

    /// Returns what the HTTPRoutes of a listener of a Gateway forward to.
    fn routes(&mut self, gateway: &str, section: &str) -> (Vec<Forward>, Vec<Remark>) {
        let (mut forwards, mut remarks) = (Vec::new(), Vec::new());
        let routes = self.objects.iter();
        let routes = routes.filter(|(_, object)| object.text_at(&["kind"]) == Some("HTTPRoute"));
        for (file, route) in routes {
            let mut parents = route.list_at(&["spec", "parentRefs"]).iter();
            let is_of_listener = parents.any(|parent| {
                let own = parent.text_at(&["sectionName"]);
                parent.text_at(&["name"]) == Some(gateway) && own.is_none_or(|own| own == section)
            });
            if !is_of_listener {
                continue;
            }
            let name = identity(route);
            for rule in route.list_at(&["spec", "rules"]) {
                let filters = rule.list_at(&["filters"]).iter();
                let rewrites = filters
                    .clone()
                    .filter(|filter| filter.text_at(&["type"]) == Some("URLRewrite"));
                remarks.extend(rewrites.map(|filter| Remark {
                    by: name.clone(),
                    place: place(file, filter),
                    kind: RemarkKind::RewritesRequest,
                }));
                for backend in rule.list_at(&["backendRefs"]) {
                    let service = backend.text_at(&["name"]).unwrap_or_default();
                    let group = self.service(file, route, service);
                    forwards.push(forward(&name, group, place(file, backend)));
                }
            }
        }
        (forwards, remarks)
    }
}

fn forward(by: &str, target_group: String, place: Place) -> Forward {
    Forward {
        target_group,
        by: by.to_owned(),
        place,
    }
}

/// Returns the protocols and ports of an Ingress; without the annotation the controller takes 443
/// with a certificate.
fn ports(ingress: &Node) -> Vec<(String, String)> {
    let listed = structured(ingress, "listen-ports");
    let listed = listed.as_ref().map(Node::elements).unwrap_or_default();
    let listed = listed.iter().flat_map(Node::members);
    let ports: Vec<(String, String)> = listed
        .map(|(protocol, port)| (protocol.clone(), port.texts().concat()))
        .collect();
    let of_default = |protocol: &str, port: &str| vec![(protocol.to_owned(), port.to_owned())];
    match (ports.is_empty(), annotation(ingress, "certificate-arn")) {
        (false, _) => ports,
        (true, Some(_)) => of_default("HTTPS", "443"),
        (true, None) => of_default("HTTP", "80"),
    }
}

/// Returns the name of the header in attributes such as `key=value,key=value`.
fn header_in(attributes: Option<&Node>) -> Option<String> {
    let pairs = attributes?.text()?.split(',');
    let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
    let (_, name) = pairs.find(|(key, _)| key.trim() == HEADER_ATTRIBUTE)?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Returns the name of the header in a list of attributes.
fn header_of(attributes: Option<&Node>) -> Option<String> {
    let attributes = attributes.map(Node::elements).unwrap_or_default().iter();
    let mut attributes =
        attributes.map(|attribute| attribute.members().iter().cloned().collect::<BTreeMap<_, _>>());
    let attribute =
        attributes.find(|attribute| attribute.get("key").and_then(Node::text) == Some(HEADER_ATTRIBUTE))?;
    let name = attribute.get("value").and_then(Node::text)?;
    Some(name.to_owned()).filter(|name| !name.is_empty())
}
