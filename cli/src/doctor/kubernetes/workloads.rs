//! Containers behind services, with their environment.

use std::collections::BTreeMap;

use super::{Reader, identity, named, namespace, place};
use crate::doctor::facts::{Exposure, Function, Kind, upstream_services};
use crate::doctor::node::Node;
use crate::doctor::rules;
use crate::doctor::text::unknown;

impl Reader<'_> {
    /// Adds every container that is not for a start or a test.
    pub(super) fn workloads(&mut self) {
        for (file, object) in self.objects {
            for container in containers(object) {
                let variables = self.variables(file, object, container);
                let own = container.text_at(&["name"]).unwrap_or_default();
                self.deployment.functions.push(Function {
                    name: format!("{}/{own}", identity(object)),
                    physical: None,
                    kind: Kind::Container,
                    place: place(file, container),
                    runtime: None,
                    role: None,
                    variables,
                    layers: Vec::new(),
                    timeout: None,
                    log_group: None,
                });
            }
        }
    }

    /// Adds the ways to containers past a load balancer of the controller: ports of nodes, and
    /// services that are reachable themselves.
    pub(super) fn exposures(&mut self) {
        for (file, object) in self.objects {
            let name = identity(object);
            let spec = pod(object).and_then(|pod| pod.get("spec"));
            let is_of_host = spec.is_some_and(|spec| spec.is_true(&["hostNetwork"]));
            for container in containers(object) {
                let mut ports = container.list_at(&["ports"]).iter();
                let how = match ports.find(|port| port.get("hostPort").is_some()) {
                    _ if is_of_host => "hostNetwork",
                    Some(_) => "hostPort",
                    None => continue,
                };
                let own = container.text_at(&["name"]).unwrap_or_default();
                self.deployment.exposures.push(Exposure {
                    by: name.clone(),
                    place: place(file, container),
                    container: format!("{name}/{own}"),
                    how: how.to_owned(),
                    is_for_load_balancer: false,
                });
            }
            let kind = object.text_at(&["spec", "type"]).unwrap_or_default();
            let is_service = object.text_at(&["kind"]) == Some("Service");
            let has_addresses = !object.list_at(&["spec", "externalIPs"]).is_empty();
            let how = match kind {
                _ if !is_service => continue,
                _ if has_addresses => "an address in externalIPs".to_owned(),
                "LoadBalancer" | "NodePort" => format!("the type {kind}"),
                _ => continue,
            };
            for container in self.containers_of(&name) {
                self.deployment.exposures.push(Exposure {
                    by: name.clone(),
                    place: place(file, object),
                    container,
                    how: how.clone(),
                    is_for_load_balancer: kind == "NodePort" && !has_addresses,
                });
            }
        }
    }

    /// Adds the services that gates forward to.
    pub(super) fn upstreams(&mut self) {
        let gates = self.deployment.gates();
        let services: Vec<String> = gates.flat_map(upstream_services).collect();
        for (file, object) in self.objects {
            let name = identity(object);
            if services.contains(&name) {
                let targets = self.containers_of(&name);
                self.target_group(file, object, name, targets);
            }
        }
    }

    fn variables(&mut self, file: &str, object: &Node, container: &Node) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        for source in container.list_at(&["envFrom"]) {
            let prefix = source.text_at(&["prefix"]).unwrap_or_default();
            let kinds = [
                ("configMapRef", "ConfigMap", "data"),
                ("secretRef", "Secret", "stringData"),
            ];
            let data = kinds.into_iter().find_map(|(reference, kind, data)| {
                let name = source.text_at(&[reference, "name"])?;
                self.object(&named(namespace(object), kind, name))?.get(data)
            });
            match data {
                Some(data) => {
                    let values = data.members().iter();
                    let values =
                        values.map(|(name, value)| (format!("{prefix}{name}"), value.texts().concat()));
                    variables.extend(values);
                }
                None => self.deployment.note(
                    place(file, source),
                    rules::SERVICE,
                    &identity(object),
                    "variables of a container come from a ConfigMap or Secret that is not among the files",
                    "name the manifest of the ConfigMap too, or write the gate's variables into env",
                ),
            }
        }
        for variable in container.list_at(&["env"]) {
            let Some(name) = variable.text_at(&["name"]) else {
                continue;
            };
            let key = variable.at(&["valueFrom", "configMapKeyRef"]);
            let from_map = key.and_then(|key| {
                let map = named(namespace(object), "ConfigMap", key.text_at(&["name"])?);
                self.object(&map)?.string_at(&["data", key.text_at(&["key"])?])
            });
            let value = match variable.get("value") {
                Some(value) => value.texts().concat(),
                None if variable.get("valueFrom").is_some() => from_map
                    .unwrap_or_else(|| unknown(&format!("valueFrom of {name} in {}", identity(object)))),
                None => String::new(),
            };
            let value = expanded(&value, &variables);
            variables.insert(name.to_owned(), value);
        }
        variables
    }

    /// Returns the containers that a service sends requests to.
    pub(super) fn containers_of(&self, service: &str) -> Vec<String> {
        let Some(service) = self.object(service) else {
            return Vec::new();
        };
        let selector = service
            .at(&["spec", "selector"])
            .map(Node::members)
            .unwrap_or_default();
        let ports: Vec<String> = service
            .list_at(&["spec", "ports"])
            .iter()
            .filter_map(|port| port.get("targetPort").or_else(|| port.get("port")))
            .map(|port| port.texts().concat())
            .collect();
        let mut found = Vec::new();
        for (_, object) in self.objects {
            let is_selected = !selector.is_empty()
                && namespace(object) == namespace(service)
                && labels(object).is_some_and(|labels| {
                    let mut selector = selector.iter();
                    selector.all(|(name, value)| labels.text_at(&[name]) == value.text())
                });
            if !is_selected {
                continue;
            }
            let all: Vec<&Node> = containers(object).collect();
            let serving: Vec<&Node> = all.iter().copied().filter(|one| listens(one, &ports)).collect();
            // Without a port that is said, any of them can be meant.
            let serving = if serving.is_empty() { all } else { serving };
            let names = serving.into_iter().filter_map(|one| one.text_at(&["name"]));
            found.extend(names.map(|name| format!("{}/{name}", identity(object))));
        }
        found
    }
}

fn pod(object: &Node) -> Option<&Node> {
    match object.text_at(&["kind"])? {
        "Pod" => Some(object),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Rollout" => {
            object.at(&["spec", "template"])
        }
        _ => None,
    }
}

pub(super) fn labels(object: &Node) -> Option<&Node> {
    pod(object)?.at(&["metadata", "labels"])
}

/// Returns the containers that run as long as the pod does: native sidecars too, which are init
/// containers that restart.
pub(super) fn containers(object: &Node) -> impl Iterator<Item = &Node> {
    let pods = pod(object).into_iter();
    pods.flat_map(|pod| {
        let started_first = pod.list_at(&["spec", "initContainers"]).iter();
        started_first
            .filter(|container| container.text_at(&["restartPolicy"]) == Some("Always"))
            .chain(pod.list_at(&["spec", "containers"]))
    })
}

/// Returns a value with the variables before it in place of `$(NAME)`; one that is not known there
/// leaves it open.
fn expanded(value: &str, variables: &BTreeMap<String, String>) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("$(") {
        let Some((name, remaining)) = after.split_once(')') else {
            break;
        };
        result.push_str(before);
        match variables.get(name) {
            Some(known) => result.push_str(known),
            None => result.push_str(&unknown(&format!("variable {name}"))),
        }
        rest = remaining;
    }
    result.push_str(rest);
    result
}

fn listens(container: &Node, ports: &[String]) -> bool {
    container.list_at(&["ports"]).iter().any(|port| {
        let names = ["name", "containerPort"].into_iter();
        let mut names = names.filter_map(|name| port.text_at(&[name]));
        names.any(|name| ports.iter().any(|port| port == name))
    })
}
