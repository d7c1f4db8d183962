//! Listeners of Gateway objects, and the routes behind them.

use std::collections::BTreeMap;

use super::{Controller, Reader, forward, identity, named, namespace, place};
use crate::doctor::facts::{Forward, Knowledge, Listener, MutualAuthentication, Remark, RemarkKind};
use crate::doctor::node::Node;
use crate::doctor::resources::balancing::{HEADER_ATTRIBUTE, mutual_authentication};
use crate::doctor::rules;

const CONTROLLER: &str = "gateway.k8s.aws/alb";

/// Kinds of objects that add listeners to a Gateway.
const LISTENER_SETS: [&str; 2] = ["ListenerSet", "XListenerSet"];

/// Kinds of routes that a load balancer has for HTTP.
const ROUTES: [&str; 2] = ["HTTPRoute", "GRPCRoute"];

impl<'a> Reader<'a> {
    pub(super) fn gateway(&mut self, file: &'a str, gateway: &'a Node) {
        let name = identity(gateway);
        let class = gateway.text_at(&["spec", "gatewayClassName"]).unwrap_or_default();
        let class = self.of_cluster("GatewayClass", class);
        let controller = match class.and_then(|class| class.text_at(&["spec", "controllerName"])) {
            None | Some(CONTROLLER) => Controller::LoadBalancer,
            Some(_) => Controller::Other,
        };
        let configurations = self.configurations(gateway, class);
        if controller == Controller::LoadBalancer && configurations.is_none() {
            self.deployment.note(
                place(file, gateway),
                rules::UNKNOWN_LISTENER,
                &name,
                "its LoadBalancerConfiguration is not among the files: the mode of its listeners is not known",
                "name the manifest of the configuration in spec.infrastructure.parametersRef (or in that of the GatewayClass) too",
            );
        }
        // Others can add listeners to it.
        let sets = LISTENER_SETS.iter().flat_map(|kind| self.of_kind(kind));
        let sets = sets.filter(|(_, set)| {
            let parent = |name: &str| set.text_at(&["spec", "parentRef", name]);
            parent("name") == gateway.text_at(&["metadata", "name"])
                && parent("namespace").unwrap_or_else(|| namespace(set)) == namespace(gateway)
        });
        let sets: Vec<(&str, &Node)> = std::iter::once((file, gateway)).chain(sets).collect();
        for (file, set) in sets {
            self.listeners(file, set, controller, configurations.as_deref());
        }
    }

    /// Adds the listeners of a Gateway or of a set of listeners for one.
    fn listeners(
        &mut self,
        file: &str,
        gateway: &'a Node,
        controller: Controller,
        configurations: Option<&[&'a Node]>,
    ) {
        let name = identity(gateway);
        for listener in gateway.list_at(&["spec", "listeners"]) {
            let protocol = listener.text_at(&["protocol"]).unwrap_or_default();
            let port = listener.text_at(&["port"]).unwrap_or_default();
            let key = format!("{protocol}:{port}");
            let (forwards, remarks) = self.routes(gateway, listener);
            let name = format!("{name} {key}");
            if controller == Controller::Other {
                self.other_listener(name, place(file, listener), forwards);
                continue;
            }
            let settings: Option<Vec<&Node>> = configurations.map(|configurations| {
                let all = configurations.iter();
                let all = all.flat_map(|object| object.list_at(&["spec", "listenerConfigurations"]));
                all.filter(|settings| settings.text_at(&["protocolPort"]) == Some(&key))
                    .collect()
            });
            let header = settings.iter().flatten();
            let mut header = header.filter_map(|settings| header_of(settings.get("listenerAttributes")));
            self.deployment.listeners.push(Listener {
                place: place(file, listener),
                mutual_authentication: match (settings.as_deref(), protocol) {
                    (_, "HTTP") => MutualAuthentication::Off,
                    (None, _) => MutualAuthentication::Unknown(name.clone()),
                    (Some(settings), _) => mode_of(settings),
                },
                name,
                forwards,
                certificate_header: Knowledge::Known(header.next()),
                is_mode_said: true,
                tls_policy: None,
                remarks,
            });
        }
    }

    /// Returns the configurations of a Gateway: its own, and that of its class. None where one that
    /// is named, or the class, is not among the files.
    fn configurations(&self, gateway: &Node, class: Option<&Node>) -> Option<Vec<&'a Node>> {
        let mut found = Vec::new();
        let own = gateway.text_at(&["spec", "infrastructure", "parametersRef", "name"]);
        if let Some(own) = own {
            found.push(self.object(&named(namespace(gateway), "LoadBalancerConfiguration", own))?);
        }
        match class.map(|class| class.at(&["spec", "parametersRef"])) {
            Some(Some(reference)) => {
                let text = |name: &str| reference.text_at(&[name]).unwrap_or("default");
                let name = named(text("namespace"), "LoadBalancerConfiguration", text("name"));
                found.push(self.object(&name)?);
            }
            Some(None) => {}
            // One of the class can only add what its own leaves out.
            None if own.is_some() => {}
            None => return None,
        }
        Some(found)
    }

    /// Returns what the routes of a listener of a Gateway forward to.
    fn routes(&mut self, gateway: &Node, listener: &Node) -> (Vec<Forward>, Vec<Remark>) {
        let (mut forwards, mut remarks) = (Vec::new(), Vec::new());
        let routes: Vec<(&str, &Node)> = ROUTES.iter().flat_map(|kind| self.of_kind(kind)).collect();
        for (file, route) in routes {
            let mut parents = route.list_at(&["spec", "parentRefs"]).iter();
            if !parents.any(|parent| is_of(parent, route, gateway, listener)) {
                continue;
            }
            let name = identity(route);
            for rule in route.list_at(&["spec", "rules"]) {
                let filters = rule.list_at(&["filters"]).iter();
                let rewrites = filters.filter(|filter| filter.text_at(&["type"]) == Some("URLRewrite"));
                remarks.extend(rewrites.map(|filter| Remark {
                    by: name.clone(),
                    place: place(file, filter),
                    kind: RemarkKind::RewritesRequest,
                }));
                for backend in rule.list_at(&["backendRefs"]) {
                    let service = backend.text_at(&["name"]).unwrap_or_default();
                    let namespace = backend
                        .text_at(&["namespace"])
                        .unwrap_or_else(|| namespace(route));
                    let group = self.service(file, route, namespace, service);
                    forwards.push(forward(&name, group, place(file, backend)));
                }
            }
        }
        (forwards, remarks)
    }
}

/// Returns true if a reference of a route is one to a listener of a Gateway.
fn is_of(parent: &Node, route: &Node, gateway: &Node, listener: &Node) -> bool {
    let fits = |part: &str, of_listener: &str| {
        let wanted = parent.text_at(&[part]);
        wanted.is_none_or(|wanted| listener.text_at(&[of_listener]) == Some(wanted))
    };
    let of_namespace = parent.text_at(&["namespace"]).unwrap_or_else(|| namespace(route));
    parent.text_at(&["kind"]).unwrap_or("Gateway") == gateway.text_at(&["kind"]).unwrap_or_default()
        && parent.text_at(&["name"]) == gateway.text_at(&["metadata", "name"])
        && of_namespace == namespace(gateway)
        && fits("sectionName", "name")
        && fits("port", "port")
}

/// Returns the mode that configurations give to a listener; not known where they differ.
fn mode_of(settings: &[&Node]) -> MutualAuthentication {
    let modes = settings.iter();
    let mut modes = modes.filter_map(|settings| settings.text_at(&["mutualAuthentication", "mode"]));
    let first = modes.next();
    match modes.find(|mode| first != Some(mode)) {
        Some(other) => MutualAuthentication::Unknown(other.to_owned()),
        None => mutual_authentication(first),
    }
}

/// Returns the name of the header in a list of attributes.
pub(super) fn header_of(attributes: Option<&Node>) -> Option<String> {
    let attributes = attributes.map(Node::elements).unwrap_or_default().iter();
    let mut attributes =
        attributes.map(|attribute| attribute.members().iter().cloned().collect::<BTreeMap<_, _>>());
    let attribute =
        attributes.find(|attribute| attribute.get("key").and_then(Node::text) == Some(HEADER_ATTRIBUTE))?;
    let name = attribute.get("value").and_then(Node::text)?;
    Some(name.to_owned()).filter(|name| !name.is_empty())
}
