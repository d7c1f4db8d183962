//! Network policies: which addresses and pods reach the ports of a pod.

use std::collections::BTreeSet;

use super::workloads::{containers, labels};
use super::{Reader, group, identity, namespace, place};
use crate::doctor::facts::{Admission, PodNetwork};
use crate::doctor::node::Node;

/// Kinds of other makers, which can keep others away too: without reading them nothing is said of a
/// policy that lacks.
const OTHER_KINDS: [&str; 6] = [
    "AdminNetworkPolicy",
    "AuthorizationPolicy",
    "CiliumClusterwideNetworkPolicy",
    "CiliumNetworkPolicy",
    "GlobalNetworkPolicy",
    "SecurityGroupPolicy",
];

impl Reader<'_> {
    /// Adds the sources that the network policies of each workload allow.
    pub(super) fn network_policies(&mut self) {
        for (file, object) in self.objects {
            let Some(labels) = labels(object) else {
                continue;
            };
            let ports = self.served_ports(object);
            let mut admissions = Vec::new();
            let mut is_restricted = self.has_other_policy(object);
            for (of_policy, policy) in self.of_kind("NetworkPolicy") {
                let is_native = group(policy) == "networking.k8s.io";
                let types = policy.list_at(&["spec", "policyTypes"]);
                let is_for_ingress =
                    types.is_empty() || types.iter().any(|kind| kind.text() == Some("Ingress"));
                let selector = policy.at(&["spec", "podSelector"]);
                let is_selected = namespace(policy) == namespace(object)
                    && selector.is_none_or(|selector| selects(selector, labels));
                if !is_native || !is_for_ingress || !is_selected {
                    continue;
                }
                is_restricted = true;
                for rule in policy.list_at(&["spec", "ingress"]) {
                    if is_about(rule, &ports) {
                        admissions.extend(sources(rule).into_iter().map(|from| Admission {
                            by: identity(policy),
                            place: place(of_policy, rule),
                            from,
                        }));
                    }
                }
            }
            self.deployment.pod_networks.push(PodNetwork {
                unit: identity(object),
                place: place(file, object),
                is_restricted,
                admissions,
            });
        }
    }

    fn has_other_policy(&self, object: &Node) -> bool {
        let others = self.objects.iter().map(|(_, other)| other);
        let mut others = others.filter(|other| {
            let kind = other.text_at(&["kind"]).unwrap_or_default();
            OTHER_KINDS.contains(&kind) || (kind == "NetworkPolicy" && group(other) != "networking.k8s.io")
        });
        others.any(|other| {
            other.at(&["metadata", "namespace"]).is_none() || namespace(other) == namespace(object)
        })
    }

    /// Returns the numbers and names of the ports that services send requests to; none where no
    /// service is among the files.
    fn served_ports(&self, object: &Node) -> BTreeSet<String> {
        let mut served = BTreeSet::new();
        let name = identity(object);
        for (_, service) in self.of_kind("Service") {
            let targets = self.containers_of(&identity(service));
            if !targets
                .iter()
                .any(|target| target.starts_with(&format!("{name}/")))
            {
                continue;
            }
            let ports = service.list_at(&["spec", "ports"]).iter();
            let ports = ports.filter_map(|port| port.get("targetPort").or_else(|| port.get("port")));
            served.extend(ports.map(|port| port.texts().concat()));
        }
        for container in containers(object) {
            for port in container.list_at(&["ports"]) {
                let names = ["name", "containerPort"].into_iter();
                let names: Vec<&str> = names.filter_map(|name| port.text_at(&[name])).collect();
                if names.iter().any(|name| served.contains(*name)) {
                    served.extend(names.into_iter().map(str::to_owned));
                }
            }
        }
        served
    }
}

/// Returns true if a selector fits labels; one without a condition fits all.
fn selects(selector: &Node, labels: &Node) -> bool {
    let wanted = selector.get("matchLabels").map(Node::members).unwrap_or_default();
    let mut expressions = selector.list_at(&["matchExpressions"]).iter();
    wanted
        .iter()
        .all(|(name, value)| labels.text_at(&[name]) == value.text())
        && expressions.all(|expression| {
            let own = expression
                .text_at(&["key"])
                .and_then(|key| labels.text_at(&[key]));
            let values = expression.list_at(&["values"]).iter();
            let is_listed = values.filter_map(Node::text).any(|value| Some(value) == own);
            match expression.text_at(&["operator"]) {
                Some("In") => is_listed,
                Some("NotIn") => !is_listed,
                Some("Exists") => own.is_some(),
                Some("DoesNotExist") => own.is_none(),
                _ => false,
            }
        })
}

/// Returns true if a rule is about one of some ports; without ports it is about all.
fn is_about(rule: &Node, served: &BTreeSet<String>) -> bool {
    let ports = rule.list_at(&["ports"]);
    ports.is_empty()
        || served.is_empty()
        || ports.iter().any(|port| {
            let Some(first) = port.text_at(&["port"]) else {
                return true;
            };
            let number = |text: &str| text.parse::<u32>().ok();
            let last = port.text_at(&["endPort"]).unwrap_or(first);
            served.iter().any(|port| {
                let range = number(first).zip(number(last)).zip(number(port));
                port == first || range.is_some_and(|((first, last), port)| (first..=last).contains(&port))
            })
        })
}

/// Returns the sources of a rule: networks, or `any` for every pod of the cluster and every
/// address.
fn sources(rule: &Node) -> Vec<String> {
    let peers = rule.list_at(&["from"]);
    if peers.is_empty() {
        return vec!["any".to_owned()];
    }
    let is_empty = |selector: Option<&Node>| {
        selector.is_none_or(|selector| {
            let parts = ["matchLabels", "matchExpressions"].iter();
            let mut parts = parts.filter_map(|part| selector.get(part));
            parts.all(|part| part.members().is_empty() && part.texts().is_empty())
        })
    };
    let peers = peers.iter().filter_map(|peer| {
        let namespaces = peer.get("namespaceSelector");
        match peer.text_at(&["ipBlock", "cidr"]) {
            Some(network) => Some(network.to_owned()),
            None => (namespaces.is_some() && is_empty(namespaces) && is_empty(peer.get("podSelector")))
                .then(|| "any".to_owned()),
        }
    });
    peers.collect()
}
